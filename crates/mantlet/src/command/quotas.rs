//! `mantlet quotas`: shows quota usage and resets it.

use std::{fmt::Write as _, process::ExitCode};

use http::Method;
use mantlet_controls::Mode;
use serde::Deserialize;

use super::ask::{Client, print_answer};
use crate::{
    cli::{QuotasAction, QuotasArguments},
    say::{Failure, say},
};

pub(crate) fn quotas(arguments: &QuotasArguments) -> Result<ExitCode, Failure> {
    let QuotasArguments { action, running } = arguments;
    let client = Client::of(running)?;
    match action {
        None => print_answer(client.ask(Method::GET, &["quotas"])?, running.json, list),
        Some(QuotasAction::Reset { quota, key }) => {
            let answer = client.ask(Method::DELETE, &["quotas", quota, key])?;
            print_answer(answer, running.json, |Reset { reset }: &Reset| {
                format!("usage of `{quota}` reset for {}", reset.name())
            })
        }
    }
}

#[derive(Deserialize)]
struct Reset {
    reset: Row,
}

#[derive(Deserialize)]
struct Listed {
    throttle: Mode,
    quotas: Vec<Quota>,
}

#[derive(Deserialize)]
struct Quota {
    name: String,
    limits: Limits,
    keys: usize,
    most: Vec<Row>,
}

#[derive(Deserialize)]
struct Limits {
    hour: Option<u32>,
    day: Option<u32>,
    month: Option<u32>,
}

#[derive(Deserialize)]
struct Row {
    key: String,
    label: Option<String>,
    hour: Option<Used>,
    day: Option<Used>,
    month: Option<Used>,
}

#[derive(Deserialize)]
struct Used {
    used: u32,
    limit: u32,
}

impl Row {
    /// A hash where there is no name.
    fn name(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.key)
    }
}

fn list(Listed { throttle, quotas }: &Listed) -> String {
    if *throttle == Mode::Off {
        say("no quota is in force, because `mode` under `[throttle]` is `off`");
    }
    let mut text = String::new();
    if quotas.is_empty() {
        say("there are no quotas; `[[throttle.quota]]` adds one");
    }
    for (number, Quota { name, limits, keys, most }) in quotas.iter().enumerate() {
        let limits = [("an hour", limits.hour), ("a day", limits.day), ("a month", limits.month)];
        let limits = limits.iter().filter_map(|(window, limit)| Some(format!("{} {window}", (*limit)?)));
        let limits = limits.collect::<Vec<_>>().join(", ");
        let gap = if number == 0 { "" } else { "\n" };
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "{gap}{name}: {limits}; used by {keys} {}",
            if *keys == 1 { "key" } else { "keys" }
        );
        if !most.is_empty() {
            row(&mut text, ["key", "hour", "day", "month"]);
        }
        for used in most {
            let cell = |used: &Option<Used>| used.as_ref().map_or_else(|| "-".to_owned(), Used::cell);
            let name = used.name().escape_debug().to_string();
            row(&mut text, [&name, &cell(&used.hour), &cell(&used.day), &cell(&used.month)]);
        }
        if most.len() < *keys {
            let _ = writeln!(text, "  and {} with less usage", keys - most.len());
        }
    }
    text
}

impl Used {
    fn cell(&self) -> String {
        let percent = u64::from(self.used) * 100 / u64::from(self.limit.max(1));
        format!("{} ({percent} %)", self.used)
    }
}

fn row(text: &mut String, [key, hour, day, month]: [&str; 4]) {
    let _ = writeln!(text, "  {key:<43}  {hour:>16}  {day:>16}  {month:>16}");
}
