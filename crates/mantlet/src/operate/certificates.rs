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
                "the certificate for {names} is valid until {}; renewal is due about {}",
                date(*until),
                date(*renewal)
            )
        }
        Event::Asking => format!(
            "requesting a certificate for {names} from {}; until it arrives, connections that need it are refused",
            settings.directory
        ),
        Event::Obtained { until } => {
            format!(
                "the certificate for {names} has arrived and is in use; it is valid until {}",
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
            "{}; earlier attempts have failed, and the next one is in {}\n{}",
            consequence(&names, *until),
            rounded(*pause),
            hurry()
        ),
        _ => String::new(),
    }
}

fn consequence(names: &str, until: Option<SystemTime>) -> String {
    match until {
        Some(until) => format!("the certificate for {names} is not renewed yet; it expires {}", date(until)),
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
        .map_or_else(|_| "an unknown date".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

fn rounded(time: Duration) -> String {
    humantime::format_duration(Duration::from_secs(time.as_secs().max(1))).to_string()
}
