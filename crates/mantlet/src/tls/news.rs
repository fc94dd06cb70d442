//! What a person is told about certificates that are fetched.

use std::time::{Duration, SystemTime};

use mantlet_gateway::{
    Listen,
    tls::acme::{Event, Settings},
};

/// What there is to say.
pub(crate) fn of(event: &Event, settings: &Settings, listen: &Listen) -> String {
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
        Event::Failed { trouble, pause, until } => format!(
            "error: {}\n{}\n{}{}\ntrying again in {}; {}",
            consequence(&names, *until),
            trouble.what,
            trouble.help,
            if trouble.not_found { format!(" It listens on {listen}.") } else { String::new() },
            rounded(*pause),
            hurry()
        ),
        Event::Postponed { pause, until } => format!(
            "{}; asking for one has failed before, and the next attempt is in {}\n{}",
            consequence(&names, *until),
            rounded(*pause),
            hurry()
        ),
        _ => String::new(),
    }
}

fn consequence(names: &str, until: Option<SystemTime>) -> String {
    match until {
        Some(until) => format!("the certificate for {names} is not renewed yet; it ends {}", date(until)),
        None => format!("there is no certificate for {names}"),
    }
}

fn hurry() -> String {
    format!(
        "to try at once, unless the server demands the wait, send SIGHUP (kill -HUP {})",
        std::process::id()
    )
}

fn date(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time)
        .map_or_else(|_| "some day".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

fn rounded(time: Duration) -> String {
    humantime::format_duration(Duration::from_secs(time.as_secs().max(1))).to_string()
}
