//! `mantlet contract`: prints what an app accepts and promises, and says what of it is understood.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write as _},
    process::ExitCode,
};

use mantlet_contract::model::{Contract, Note, Route, Router};

use crate::{
    cli::ContractArguments,
    config::{Reader, summary},
    inspector::{Inspected, inspect, operations},
    say::{Failure, say},
    settings::Flag,
};

/// Places that are named for each reason.
const PLACES: usize = 10;

pub(crate) fn contract(arguments: &ContractArguments) -> Result<ExitCode, Failure> {
    let mut flags = Vec::new();
    if let Some(app) = &arguments.app {
        flags.push(Flag::new("app.entrypoint", "APP", app.as_str()));
    }
    if let Some(python) = &arguments.python {
        flags.push(Flag::new("app.python", "--python", python.as_str()));
    }
    let checked = Reader::of_file(arguments.config.clone())
        .with_flags(flags)
        .read()
        .map_err(|mistakes| Failure::usage(summary(&mistakes, "it cannot be used")))?;
    let Inspected { name, json, contract } = inspect(&checked.loaded.config.app)?;
    say(report(&name, &contract));
    writeln!(io::stdout().lock(), "{json}")
        .map_err(|error| Failure::new(format!("the contract cannot be printed: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

/// What a person wants to know of a contract that was read.
fn report(name: &str, contract: &Contract) -> String {
    let mut counts = Counts::default();
    counts.add(&contract.router);
    let mut text = format!(
        "the contract of {name}: {} ({} not in its document), {}, {}",
        amount(operations(&contract.router), "operation"),
        counts.hidden,
        amount(counts.web_sockets, "WebSocket"),
        amount(counts.foreign, "mount of another kind of app"),
    );
    let unknown = if contract.router.complete { "refused" } else { "left to the app" };
    let _ = write!(text, "\nunknown paths: {unknown}");
    if contract.notes.is_empty() {
        text.push_str("\nnothing is opaque");
        return text;
    }
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Note { at, why } in &contract.notes {
        reasons.entry(why).or_default().push(at);
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, places)| std::cmp::Reverse(places.len()));
    let _ = write!(text, "\n{} where the app decides:", amount(contract.notes.len(), "place"));
    for (why, places) in reasons {
        let _ = write!(text, "\n  {why}");
        for place in places.iter().take(PLACES) {
            let _ = write!(text, "\n    {place}");
        }
        if places.len() > PLACES {
            let _ = write!(text, "\n    and {} more", places.len() - PLACES);
        }
    }
    text
}

fn amount(number: usize, noun: &str) -> String {
    match number {
        0 => format!("no {noun}"),
        1 => format!("1 {noun}"),
        _ => match noun.split_once(' ') {
            Some((first, rest)) => format!("{number} {first}s {rest}"),
            None => format!("{number} {noun}s"),
        },
    }
}

/// What else there is in the routers.
#[derive(Default)]
struct Counts {
    hidden: usize,
    web_sockets: usize,
    foreign: usize,
}

impl Counts {
    fn add(&mut self, router: &Router) {
        for route in &router.routes {
            match route {
                Route::Http { hidden: true, operation: Some(_), .. } => self.hidden += 1,
                Route::WebSocket { .. } => self.web_sockets += 1,
                Route::Mount { router: Some(router), .. } => self.add(router),
                Route::Mount { router: None, .. } => self.foreign += 1,
                Route::Http { .. } | Route::Opaque { .. } => {}
            }
        }
    }
}
