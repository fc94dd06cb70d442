//! How often an app and the gate agree on what is invalid: what is said of it, and what is kept of it over restarts.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use http::Method;
use mantlet_controls::{
    call::Spellings,
    contract::{Rules, agreement::Seen},
    operation::Contract,
    route::Routes,
};
use serde::{Deserialize, Serialize};

use crate::say::say;

/// In the state folder.
pub(crate) const FILE: &str = "agreement.json";

/// What the admin socket answers.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    contract: bool,
    operations: Vec<Seen>,
}

/// What is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// Of which contract.
    identity: u64,
    operations: Vec<Seen>,
}

/// A table for people, and the lines that enforce what has been agreed often.
pub(crate) fn table(answer: &Answer) -> String {
    let mut text = String::new();
    if !answer.contract {
        say("no contract is in force");
        return text;
    }
    let seen: Vec<_> = answer.operations.iter().filter(|seen| seen.is_something()).collect();
    if seen.is_empty() {
        say(if answer.operations.is_empty() {
            "invalid input is refused at once for every operation, so there is nothing to compare"
        } else {
            "no requests yet for operations whose input is left to the app"
        });
        return text;
    }
    let name = |seen: &Seen| match seen.methods.as_slice() {
        [] => seen.path.clone(),
        methods => format!("{} {}", methods.join(","), seen.path),
    };
    let width = seen.iter().map(|seen| name(seen).chars().count()).max().unwrap_or_default().max(9);
    let mut row = |name: &str, cells: [&str; 6], last: &str| {
        let [agreed, invalid, different, missed, contradicted, first] = cells;
        let line = format!(
            "{name:<width$}  {agreed:>7}  {invalid:>7}  {different:>9}  {missed:>6}  {contradicted:>12}  {first:>13}  {last}"
        );
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    };
    row("operation", ["agreed", "invalid", "different", "missed", "contradicted", "refused first"], "");
    for seen in &seen {
        let counts = [
            seen.valid + seen.invalid,
            seen.invalid,
            seen.different,
            seen.missed,
            seen.contradicted,
            seen.refused_first,
        ];
        let cells = counts.map(|count| count.to_string());
        let last = seen.last.as_ref().map_or_else(String::new, |last| {
            format!("{}: {} to {}", last.request_id, last.status, last.found.join("; "))
        });
        row(&name(seen), cells.each_ref().map(String::as_str), &last);
    }
    let offered: Vec<_> = seen.iter().filter(|seen| seen.is_offered()).map(|seen| seen.lines()).collect();
    if !offered.is_empty() {
        let _ = writeln!(text, "\n# agreed often, and never contradicted\n{}", offered.join("\n\n"));
    }
    text
}

/// What holds for an operation.
pub(crate) fn rules_of(routes: &Routes, method: &str, path: &str) -> Rules {
    let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
    routes.of(&method, Spellings::one(path)).rules
}

/// Gives a contract what was kept of it. What cannot be read is begun anew.
pub(crate) fn recall(file: &Path, contract: &Contract) {
    let Ok(text) = fs::read(file) else { return };
    if let Ok(kept) = serde_json::from_slice::<Kept>(&text)
        && kept.identity == contract.identity()
    {
        contract.remember(&kept.operations);
    }
}

/// Keeps what has been seen.
pub(crate) fn keep(file: &Path, contract: &Contract, rules: Rules) {
    let operations: Vec<_> =
        contract.agreement(|_, _| rules).into_iter().filter(Seen::is_something).collect();
    if operations.is_empty() {
        return;
    }
    if let Err(error) = write(file, &Kept { identity: contract.identity(), operations }) {
        let file = file.display();
        say(format!("note: `{file}` cannot be written ({error}): how often the app agrees is forgotten"));
    }
}

fn write(file: &Path, kept: &Kept) -> io::Result<()> {
    let new = file.with_extension("json.new");
    let _ = fs::remove_file(&new);
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    opened.write_all(&serde_json::to_vec(kept)?)?;
    fs::rename(&new, file)
}
