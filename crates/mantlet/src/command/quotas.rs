//! `mantlet quotas`: what is used up of quotas, and giving it back.

use std::process::ExitCode;

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    admin::Client,
    cli::{QuotasAction, QuotasArguments},
    command::bans::understood,
    say::{Failure, say},
};

pub(crate) fn quotas(arguments: &QuotasArguments) -> Result<ExitCode, Failure> {
    let client = Client::of(&arguments.running)?;
    let answer = match &arguments.action {
        None => client.ask(Method::GET, &["quotas"])?,
        Some(QuotasAction::Reset { quota, key }) => client.ask(Method::DELETE, &["quotas", quota, key])?,
    };
    if arguments.running.json {
        println!("{answer}");
        return Ok(ExitCode::SUCCESS);
    }
    match &arguments.action {
        None => list(answer)?,
        Some(QuotasAction::Reset { quota, .. }) => {
            let Reset { reset } = understood(answer)?;
            println!("{} has all of `{quota}` again", reset.name());
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

fn list(answer: Value) -> Result<(), Failure> {
    let Listed { quotas } = understood(answer)?;
    if quotas.is_empty() {
        say("there are no quotas; `[[throttle.quota]]` makes one");
    }
    for (number, Quota { name, limits, keys, most }) in quotas.iter().enumerate() {
        let limits = [("an hour", limits.hour), ("a day", limits.day), ("a month", limits.month)];
        let limits = limits.iter().filter_map(|(window, limit)| Some(format!("{} {window}", (*limit)?)));
        let limits = limits.collect::<Vec<_>>().join(", ");
        let gap = if number == 0 { "" } else { "\n" };
        println!(
            "{gap}{name}: {limits}; {keys} {} used something",
            if *keys == 1 { "key has" } else { "keys have" }
        );
        if !most.is_empty() {
            row(["key", "hour", "day", "month"]);
        }
        for used in most {
            let cell = |used: &Option<Used>| used.as_ref().map_or_else(|| "-".to_owned(), Used::cell);
            let name = used.name().escape_debug().to_string();
            row([&name, &cell(&used.hour), &cell(&used.day), &cell(&used.month)]);
        }
        if most.len() < *keys {
            println!("  and {} that have used up less", keys - most.len());
        }
    }
    Ok(())
}

impl Used {
    fn cell(&self) -> String {
        let percent = u64::from(self.used) * 100 / u64::from(self.limit.max(1));
        format!("{} ({percent} %)", self.used)
    }
}

fn row([key, hour, day, month]: [&str; 4]) {
    println!("  {key:<43}  {hour:>16}  {day:>16}  {month:>16}");
}
