//! `mantlet bans`: lists and lifts bans.

use std::{fmt::Write as _, process::ExitCode};

use http::Method;
use mantlet_controls::{Mode, throttle::bans::Ban};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    cli::{BansAction, BansArguments},
    command::ask::Client,
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
            say("bans are off, because `mode` under `[throttle]` is `off`");
        }
        (Mode::Off, _) => say("bans are off; `mode = \"enforce\"` under `[throttle.ban]` switches them on"),
        (Mode::Report, _) => {
            say("bans are only reported: see the audit records `client-would-be-banned`");
        }
        (Mode::Enforce, 0) => say("no address is banned"),
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
        say("no address was banned");
    }
    let mut text = String::new();
    for address in lifted {
        let _ = writeln!(text, "{address} is no longer banned");
    }
    Ok(text)
}

/// What an answer says.
pub(crate) fn understood<T: for<'de> Deserialize<'de>>(answer: Value) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(|error| {
        Failure::new(format!(
            "cannot understand the response of the running Mantlet: {error}\nis it another version?"
        ))
    })
}
