//! What a person is told about certificates that are fetched.

use std::time::{Duration, SystemTime};

use mantlet_gateway::tls::acme::{Event, Settings};

/// What there is to say.
pub(crate) fn of(event: &Event, settings: &Settings) -> String {
    let names = settings.domains.join(", ");
    match event {
        Event::Found { until, renewal } => {
            format!(
                "the certificate for {names} is good until {}; it is renewed about {}",
                date(*until),
                date(*renewal)
            )
        }
        Event::Asking => format!(
            "asking {} for a certificate for {names}; until it is there, connections that need it are turned away",
            settings.directory
        ),
        Event::Obtained { until } => {
            format!(
                "the certificate for {names} has arrived and is in force; it is good until {}",
                date(*until)
            )
        }
        Event::Failed { trouble, pause, until } => {
            let consequence = match until {
                Some(until) => {
                    format!(
                        "the certificate for {names} could not be renewed; the present one ends {}",
                        date(*until)
                    )
                }
                None => format!("there is no certificate for {names}"),
            };
            format!(
                "error: {consequence}\n{}\n{}\ntrying again in {}; to try at once, send SIGHUP (kill -HUP {})",
                trouble.what,
                trouble.help,
                rounded(*pause),
                std::process::id()
            )
        }
        Event::Postponed(pause) => format!(
            "there is no certificate for {names}, and asking for one has failed before this start; the next attempt is in \
             {}\nto try at once, send SIGHUP (kill -HUP {})",
            rounded(*pause),
            std::process::id()
        ),
        _ => String::new(),
    }
}

fn date(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time)
        .map_or_else(|_| "some day".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

fn rounded(time: Duration) -> String {
    humantime::format_duration(Duration::from_secs(time.as_secs().max(1))).to_string()
}
