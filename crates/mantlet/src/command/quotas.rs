//! `mantlet quotas`: shows quota usage and resets it.

use std::{fmt::Write as _, process::ExitCode};

use http::Method;
use mantlet_controls::Mode;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    cli::{QuotasAction, QuotasArguments},
    command::ask::Client,
    command::bans::understood,
    say::{Failure, print, say},
};

pub(crate) fn quotas(arguments: &QuotasArguments) -> Result<ExitCode, Failure> {
    let client = Client::of(&arguments.running)?;
    let answer = match &arguments.action {
        None => client.ask(Method::GET, &["quotas"])?,
        Some(QuotasAction::Reset { quota, key }) => client.ask(Method::DELETE, &["quotas", quota, key])?,
    };
    if arguments.running.json {
        print(&format!("{answer}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    match &arguments.action {
        None => print(&list(answer)?)?,
        Some(QuotasAction::Reset { quota, .. }) => {
            let Reset { reset } = understood(answer)?;
            print(&format!("usage of `{quota}` reset for {}\n", reset.name()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
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

fn list(answer: Value) -> Result<String, Failure> {
    let Listed { throttle, quotas } = understood(answer)?;
    if throttle == Mode::Off {
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
    Ok(text)
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
