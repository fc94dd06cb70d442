//! *Ratchet*: what is only reported, what enforcing it would have refused, and the lines that enforce it. It edits no
//! file: the configuration is the operator's, and belongs into their version control.

use std::collections::BTreeSet;

use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::refusals::{last, routes};
use crate::{
    chart,
    figures::Sample,
    frame::{difference, note, prose},
    reasons, remedies,
    text::{amount, moment, number, percent, sentence, shown},
    traffic::{OfCode, Outcome, Traffic},
};

/// Lines that are shown of a code.
const LINES: usize = 5;

/// What the gate says of input that it only reports.
#[derive(Deserialize)]
pub(crate) struct Agreement {
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Operation {
    methods: Vec<String>,
    path: String,
    unproven: bool,
    valid: u64,
    invalid: u64,
    different: u64,
    missed: u64,
    contradicted: u64,
    refused_first: u64,
}

impl Operation {
    const fn all(&self) -> u64 {
        self.agreed() + self.against() + self.missed + self.refused_first
    }

    const fn agreed(&self) -> u64 {
        self.valid + self.invalid
    }

    const fn against(&self) -> u64 {
        self.different + self.contradicted
    }

    /// As `mantlet contract --agreement` offers it.
    const fn is_offered(&self) -> bool {
        self.unproven
            && self.invalid > 0
            && self.agreed() >= 20
            && self.against() == 0
            && self.refused_first == 0
    }

    fn lines(&self) -> String {
        let methods: Vec<_> = self.methods.iter().map(|method| format!("{method:?}")).collect();
        let methods =
            if methods.is_empty() { String::new() } else { format!("methods = [{}]\n", methods.join(", ")) };
        format!("[[route]]\npath = {:?}\n{methods}contract.unproven-input = \"enforce\"", self.path)
    }
}

pub(crate) fn view(
    traffic: &Traffic,
    sample: &Sample,
    agreement: Result<Agreement, String>,
    now: Timestamp,
) -> Markup {
    let of = traffic.by_code(&[Outcome::Reported], now);
    // What was counted stands here also if the log does not have it.
    let none = OfCode::default();
    let counted = sample.decided.iter().filter(|(_, decided)| decided.reported > 0);
    let counted = counted.filter(|(code, _)| !of.contains_key(code.as_str()));
    let mut codes: Vec<(&str, &OfCode<'_>)> = of.iter().map(|(code, of)| (*code, of)).collect();
    codes.extend(counted.map(|(code, _)| (code.as_str(), &none)));
    codes.sort_by_key(|(code, of)| std::cmp::Reverse((would_act(code, of, sample).0, of.clients)));
    html! {
        p .lead {
            "What is only reported today. Each part says what enforcing would have refused, and has the lines that enforce it. Copy them into your configuration: this page edits no file."
        }
        div #codes data-part {
            @if codes.is_empty() { p .empty { "Nothing was reported." } }
            @for (code, of) in codes { (code_section(code, of, sample)) }
        }
        section aria-labelledby="input" {
            h2 #input { "Input that is left to the app" }
            div #agreement data-part {
                @match agreement {
                    Ok(agreement) => (operations(&agreement)),
                    Err(why) => (note(&why)),
                }
            }
        }
        p .faint { "Rules about whose an object is have a view of their own: " a href="objects" { "Objects" } ". Limits that only report: " code { "mantlet throttles --from" } "." }
    }
}

/// How often: as the gate has counted since it started; or else, as the log has it.
fn would_act(code: &str, of: &OfCode<'_>, sample: &Sample) -> (u64, bool) {
    let counted = sample.decided.get(code).map(|decided| decided.reported).filter(|count| *count > 0);
    (counted.unwrap_or(of.reported), counted.is_some())
}

fn code_section(code: &str, of: &OfCode<'_>, sample: &Sample) -> Markup {
    let paragraph = reasons::of(code);
    let (count, is_counted) = would_act(code, of, sample);
    let is_response = paragraph.is_some_and(|paragraph| matches!(paragraph.stop, "Responses" | "Cookies"));
    let act = if is_response { "changed" } else { "refused" };
    let id = format!("code-{code}");
    let whole = sample.requests.max(count);
    let keys: BTreeSet<_> = of.remedies.iter().filter_map(|(line, _)| remedies::of_client(line)).collect();
    let own: Vec<_> = of.remedies.iter().filter(|(line, _)| remedies::of_client(line).is_none()).collect();
    // The gate reports these once for each place, and not each request.
    let is_once = matches!(
        code,
        "input-invalid" | "input-unknown" | "header-removed" | "route-hidden" | "route-unknown"
    );
    html! {
        section .card aria-labelledby=(id) {
            div .cardhead {
                h2 id=(id) { code { (shown(code)) } }
                p .count { b .reported { (number(count)) } " reported" }
                (chart::spark(&of.bars, "reported", &format!("{} in the last hour", amount(of.bars.iter().sum(), "time"))))
            }
            @if let Some(paragraph) = paragraph { p { (prose(&sentence(&paragraph.meaning))) "." } }
            p .sentence {
                "Enforced, it would have " (act) " " b { (number(count)) }
                @if sample.is_measured && is_counted { " of " (amount(whole, if is_response { "response" } else { "request" })) " (" (percent(count, whole)) ")" }
                @if is_counted { " since the gate started" } @else { " in these records" }
                "."
                @if of.reported > 0 { " It is about " (amount(u64::try_from(of.clients).unwrap_or_default(), "client")) " in the last records." }
                @else { " The last records of the audit log have none of it." }
                @if is_once { " The gate reports this once for each place, so it is at least so many." }
                @if let Some(since) = of.since { " The first of these records is of " (moment(since)) "." }
            }
            @if sample.is_measured && is_counted { (chart::bar(&[("reported", count)], whole)) }
            details id={ "more-" (code) } {
                summary { "The lines that enforce it, and the last requests" }
                @if of.remedies.is_empty() { p .faint { "The records name no line that enforces it." } }
                // A client can write any name, and would choose what is allowed.
                @for key in &keys {
                    p { "To enforce it, set " code { (key) } " to your own. What these records have comes from clients, so none of it stands here." }
                }
                @for (line, count) in own.iter().take(LINES) {
                    p .faint { "For " (amount(*count, "record")) ":" }
                    (difference(line))
                }
                @if own.len() > LINES { p .faint { "And " (own.len() - LINES) " other lines, for other operations." } }
                (routes(of, "reported"))
                (last(of))
            }
        }
    }
}

fn operations(Agreement { operations }: &Agreement) -> Markup {
    let seen: Vec<_> = operations.iter().filter(|operation| operation.all() > 0).collect();
    let unseen = operations.len() - seen.len();
    let offered: Vec<_> =
        operations.iter().filter(|operation| operation.is_offered()).map(Operation::lines).collect();
    html! {
        @if operations.is_empty() {
            p .empty { "The gate refuses invalid input of every operation itself, or no contract is in force." }
        } @else {
            p { "Code before these operations may change a request or refuse it first, so the app judges their input. The gate compares." }
            @if !seen.is_empty() { div .scroll tabindex="0" role="region" aria-label="Input that is left to the app" { table {
                caption { "How often the gate and the app agreed" }
                thead { tr {
                    th scope="col" { "Operation" }
                    th scope="col" .wide { span .visually-hidden { "Picture of agreement" } }
                    th scope="col" .number { "Agreed" }
                    th scope="col" .number { "Differed" }
                    th scope="col" .number { "Missed" }
                    th scope="col" .number { "App first" }
                } }
                tbody { @for operation in &seen { tr {
                    th scope="row" { code { (operation.methods.join(",")) " " (shown(&operation.path)) } }
                    td .wide { (chart::bar(&[("passed", operation.agreed()), ("refused", operation.against()), ("changed", operation.missed + operation.refused_first)], operation.all())) }
                    td .number { (number(operation.agreed())) }
                    td .number { (number(operation.against())) }
                    td .number { (number(operation.missed)) }
                    td .number { (number(operation.refused_first)) }
                } } }
            } } }
            @if unseen > 0 { p .faint { "And " (amount(u64::try_from(unseen).unwrap_or_default(), "operation")) " without a request yet." } }
            @if !offered.is_empty() {
                h3 { "Agreed often, and never contradicted" }
                (difference(&offered.join("\n\n")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_name_that_a_client_wrote_is_offered_as_what_enforces() {
        let record = |code: &str, remedy: &str| {
            json!({"time": "2026-11-30T16:00:00Z", "security_event": "request-would-be-refused", "reason": code,
                   "client_ip": "203.0.113.1", "method": "GET", "path": "/", "remedy": remedy})
        };
        let mut traffic = Traffic::default();
        traffic.learn(&[
            record("host-unknown", "host.allow = [\"evil.example\"]"),
            record("cors-origin-denied", "cors.origins = [\"https://evil.example\"]"),
            record("csrf-cross-site", "csrf.trusted-origins = [\"https://evil.example\"] # or else"),
            record("rate-limited", "throttle.mode = \"enforce\""),
        ]);
        let now = "2026-11-30T17:00:00Z".parse().unwrap();
        let page = view(&traffic, &Sample::default(), Err("none".to_owned()), now).into_string();
        assert!(!page.contains("evil.example"), "{page}");
        for key in ["host.allow", "cors.origins", "csrf.trusted-origins"] {
            assert!(page.contains(&format!("set <code>{key}</code> to your own")), "{page}");
        }
        assert!(page.contains("throttle.mode = &quot;enforce&quot;"), "{page}");
    }

    #[test]
    fn what_is_counted_is_shown_without_the_log() {
        let text = "mantlet_decisions_total{code=\"csrf-cross-site\",outcome=\"reported\"} 7\n";
        let now = "2026-11-30T17:00:00Z".parse().unwrap();
        let page =
            view(&Traffic::default(), &Sample::read(text, false), Err("none".to_owned()), now).into_string();
        assert!(page.contains("it would have refused <b>7</b> since the gate started"), "{page}");
        assert!(page.contains("have none of it"), "{page}");
    }
}
