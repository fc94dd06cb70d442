//! `mantlet bans`: who is banned, and ending a ban.

use std::{fmt::Write as _, process::ExitCode};

use http::Method;
use mantlet_controls::{Mode, throttle::Ban};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    admin::Client,
    cli::{BansAction, BansArguments},
    say::{Failure, print, say},
};

pub(crate) fn bans(arguments: &BansArguments) -> Result<ExitCode, Failure> {
    let client = Client::of(&arguments.running)?;
    let answer = match &arguments.action {
        None => client.ask(Method::GET, &["bans"])?,
        Some(BansAction::Lift { address }) if address == "all" => client.ask(Method::DELETE, &["bans"])?,
        Some(BansAction::Lift { address }) => client.ask(Method::DELETE, &["bans", address])?,
    };
    if arguments.running.json {
        print(&format!("{answer}\n"))?;
    } else if arguments.action.is_none() {
        print(&list(answer)?)?;
    } else {
        print(&lifted(answer)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(answer: Value) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Listed {
        throttle: Mode,
        mode: Mode,
        bans: Vec<Ban>,
    }
    let Listed { throttle, mode, bans } = understood(answer)?;
    match (mode, bans.len()) {
        (Mode::Off, _) if throttle == Mode::Off => {
            say("bans are off: `mode` under `[throttle]` is `off`, and nothing of it is in force");
        }
        (Mode::Off, _) => say("bans are off; `mode = \"enforce\"` under `[throttle.ban]` switches them on"),
        (Mode::Report, _) => {
            say("bans are only reported: see the audit records `client-would-be-banned`");
        }
        (Mode::Enforce, 0) => say("nobody is banned"),
        (Mode::Enforce, _) => {}
    }
    let mut text = String::new();
    if bans.is_empty() {
        return Ok(text);
    }
    let mut row = |[address, since, until, count, why]: [&str; 5]| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{address:<43}  {since:<20}  {until:<20}  {count:>5}  {why}");
    };
    row(["address", "since", "until", "count", "last refusal"]);
    for ban in bans {
        let (since, until) = (format!("{:.0}", ban.since), format!("{:.0}", ban.until));
        row([&ban.address, &since, &until, &ban.count.to_string(), &ban.why]);
    }
    Ok(text)
}

fn lifted(answer: Value) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Lifted {
        lifted: Vec<String>,
    }
    let Lifted { lifted } = understood(answer)?;
    if lifted.is_empty() {
        say("nobody was banned");
    }
    let mut text = String::new();
    for address in lifted {
        let _ = writeln!(text, "{address} is not banned any more");
    }
    Ok(text)
}

/// What an answer says.
pub(crate) fn understood<T: for<'de> Deserialize<'de>>(answer: Value) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(|error| {
        Failure::new(format!(
            "the Mantlet that runs gave an answer that this one does not understand: {error}\nis it another version?"
        ))
    })
}
