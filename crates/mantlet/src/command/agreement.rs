//! `mantlet contract --agreement`: how often an app and the gate agree on what is invalid.

use std::fmt::Write as _;

use mantlet_controls::contract::agreement::Seen;
use serde::Deserialize;

use crate::say::say;

/// What the admin socket answers.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    contract: bool,
    operations: Vec<Seen>,
}

/// A table for people, and the lines that enforce what has been agreed often.
pub(super) fn table(answer: &Answer) -> String {
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
