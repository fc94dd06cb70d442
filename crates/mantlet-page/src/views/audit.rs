//! *Audit*: whether the log is as it was written, records, and one with its proof.

use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

use crate::{
    figures::Sample,
    frame::{lines, note, prose, records, search_form},
    source::{Proven, Search, Verified},
    text::{amount, moment, number, shown, span},
};

/// Fields of a record that are never shown: the app may have had anything in them.
const NEVER: [&str; 1] = ["original"];
/// Fields that a person looks for first.
const FIRST: [&str; 12] = [
    "time",
    "security_event",
    "event",
    "reason",
    "outcome",
    "status",
    "user",
    "account",
    "client_ip",
    "method",
    "path",
    "operation",
];

pub(crate) struct Audit<'a> {
    /// Why there is none, if the gate does not answer.
    pub(crate) sample: Result<&'a Sample, &'a String>,
    pub(crate) search: &'a Search,
    pub(crate) found: Result<Vec<Value>, String>,
    /// Only if it was asked for.
    pub(crate) verified: Option<Result<Verified, String>>,
    pub(crate) now: Timestamp,
}

pub(crate) fn view(audit: &Audit<'_>) -> Markup {
    html! {
        section aria-labelledby="log" {
            h2 #log { "The log" }
            @match audit.sample {
                Ok(sample) => (written(sample, audit.now)),
                Err(why) => { (note(why)) p { "So when the log was last sealed is not known." } },
            }
            @match &audit.verified {
                None => p { a .button href="audit?verify=1" { "Verify the log" } " " span .faint { "reads all of it" } },
                Some(Err(why)) => (note(why)),
                Some(Ok(verified)) => (verdict(verified)),
            }
        }
        section aria-labelledby="records" {
            h2 #records { "Records" }
            (search_form(audit.search))
            @match &audit.found {
                Err(why) => (note(why)),
                Ok(found) => (table(found, audit.search.most)),
            }
        }
    }
}

/// What the gate has written since it started.
fn written(sample: &Sample, now: Timestamp) -> Markup {
    let sealed = sample.sealed_at.and_then(|at| i64::try_from(at).ok());
    html! { p {
        @if let Some(records) = sample.records { (amount(records, "record")) " written since the gate started. " }
        @match sealed {
            Some(sealed) => { "Last sealed " b { (span(now.as_second() - sealed)) " ago" } "." },
            None if sample.records.is_none() => "The gate writes no audit file.",
            None => "Not sealed yet since the gate started.",
        }
        @if let Some(lost) = sample.lost.filter(|lost| *lost > 0) { " " b .refused { (amount(lost, "record")) " lost." } }
    } }
}

fn verdict(verified: &Verified) -> Markup {
    let sealed = html! {
        (amount(verified.records, "record")) " in " (amount(verified.files, "file")) ", " (amount(verified.seals, "seal"))
        @if let Some(at) = &verified.sealed_at { "; the last one covers the first " (number(verified.sealed)) " and is of " (shown(at)) }
        "."
    };
    html! {
        div .verdict .{ (if verified.fault.is_none() { "good" } else { "bad" }) } role="status" {
            @match &verified.fault {
                None => { p { b { "The log is as it was written." } } p { (sealed) } },
                Some(fault) => {
                    p { b { "The log is NOT as it was written." } }
                    p { @if let Some(place) = &fault.place { code { (shown(place)) } ": " } (prose(&fault.what)) }
                    p { "Up to there: " (sealed) }
                },
            }
            p .faint { (shown(&verified.log)) ". This is what the log proves by itself. A log that was replaced as a whole only a copy of its seals from another place shows: " code { "mantlet audit verify --seals FILE" } "." }
        }
    }
}

fn table(found: &[Value], most: usize) -> Markup {
    html! {
        @if found.is_empty() { p .empty { "No record fits." } } @else {
            div .scroll tabindex="0" role="region" aria-label="Records" { table .records {
                caption { @if found.len() >= most { "The last " (most) " records" } @else { (amount(u64::try_from(found.len()).unwrap_or_default(), "record")) } ", the newest first" }
                thead { tr { th scope="col" { "Time" } th scope="col" { "Event" } th scope="col" { "Request" } th scope="col" { "Who" } th scope="col" { "What" } } }
                tbody { @for record in found { (row(record)) } }
            } }
        }
    }
}

fn row(record: &Value) -> Markup {
    let text = |name: &str| record.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let time = text("time").and_then(|time| time.parse::<Timestamp>().ok()).map_or_else(String::new, moment);
    let seq = record.get("seq").and_then(Value::as_u64);
    let event = text("security_event").unwrap_or("?");
    let event = text("event").filter(|_| event == "app-event").unwrap_or(event);
    let reason = text("reason").filter(|reason| *reason != event);
    html! { tr {
        td .time { @match seq { Some(seq) => a href={ "record?seq=" (seq) } { (time) }, None => (time) } }
        td { (shown(event)) @if let Some(reason) = reason { br; code { (shown(reason)) } } }
        td { code { (shown(text("method").unwrap_or_default())) " " (shown(text("path").unwrap_or_default())) } }
        td {
            @for (name, field) in [("user", "user"), ("user", "account"), ("ip", "client_ip")] {
                @if let Some(value) = text(field) { div { (records(name, value, &shown(value))) } }
            }
        }
        td {
            @for field in ["outcome", "object", "subject"] { @if let Some(value) = text(field) { div { (shown(value)) } } }
            @if let Some(count) = record.get("summed").and_then(|summed| summed.get("count")?.as_u64()) { div { (amount(count, "record")) " like it, in all" } }
        }
    } }
}

/// Whether a record has something that this page does not hand out.
pub(crate) fn is_kept(record: &Value) -> bool {
    NEVER.iter().any(|name| record.get(*name).is_some_and(|value| !value.is_null()))
}

fn shown_lines(text: &str) -> String {
    text.lines().map(shown).collect::<Vec<_>>().join("\n")
}

/// A record with all its fields, and its proof.
pub(crate) fn record(seq: u64, proven: &Proven) -> Markup {
    let fields = proven.record.as_object();
    let mut fields: Vec<_> = fields.into_iter().flatten().filter(|(_, value)| !value.is_null()).collect();
    fields.sort_by_key(|(name, _)| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    let is_kept = is_kept(&proven.record);
    html! {
        p { a href="audit" { "All records" } }
        div .scroll tabindex="0" role="region" aria-label="Fields" { table .fields {
            caption { "Its fields" }
            thead .visually-hidden { tr { th scope="col" { "Field" } th scope="col" { "Value" } } }
            tbody { @for (name, value) in fields { tr {
                th scope="row" { code { (shown(name)) } }
                td { @if NEVER.contains(&name.as_str()) { i { "not shown here: it is a response of the app. " code { "mantlet audit search --json" } " has it" } }
                     @else if let Some(text) = value.as_str() { (shown(text)) } @else { code { (shown(&value.to_string())) } } }
            } } }
        } }
        h2 { "Its proof" }
        @match &proven.proof {
            Err(why) => (note(why)),
            Ok(_) if is_kept => (note("The proof has the record itself, and with it a response of the app. `mantlet audit prove` prints it.")),
            Ok(proof) => {
                p { "It shows that this record is in the sealed log, and shows no other. Anyone can verify it, with a copy of the seals:" }
                (lines("mantlet audit verify --proof proof.txt --seals COPY"))
                p { a .button href={ "record?seq=" (seq) "&proof=1" } download={ "proof-" (seq) ".txt" } { "Save the proof" } }
                details id="proof" { summary { "Look at it" } pre tabindex="0" { (shown_lines(proof)) } }
            },
        }
    }
}
