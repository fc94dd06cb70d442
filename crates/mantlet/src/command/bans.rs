//! `mantlet bans`: lists and lifts bans.

use std::{fmt::Write as _, process::ExitCode};

use http::Method;
use mantlet_controls::{Mode, throttle::bans::Ban};
use serde::Deserialize;

use super::ask::{Client, print_answer};
use crate::{
    cli::{BansAction, BansArguments},
    say::{Failure, say},
};

/// The bans of the running Mantlet, and whether it bans at all.
#[derive(Deserialize)]
struct Listed {
    throttle: Mode,
    mode: Mode,
    bans: Vec<Ban>,
}

#[derive(Deserialize)]
struct Lifted {
    lifted: Vec<String>,
}

pub(crate) fn bans(arguments: &BansArguments) -> Result<ExitCode, Failure> {
    let BansArguments { action, running } = arguments;
    let client = Client::of(running)?;
    match action {
        None => print_answer(client.ask(Method::GET, &["bans"])?, running.json, list),
        Some(BansAction::Lift { address }) => {
            let path: &[&str] = if address == "all" { &["bans"] } else { &["bans", address] };
            print_answer(client.ask(Method::DELETE, path)?, running.json, lifted)
        }
    }
}

fn list(Listed { throttle, mode, bans }: &Listed) -> String {
    match (mode, bans.len()) {
        (Mode::Off, _) if *throttle == Mode::Off => {
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
        return text;
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
    text
}

fn lifted(Lifted { lifted }: &Lifted) -> String {
    if lifted.is_empty() {
        say("no address was banned");
    }
    let mut text = String::new();
    for address in lifted {
        let _ = writeln!(text, "{address} is no longer banned");
    }
    text
}
