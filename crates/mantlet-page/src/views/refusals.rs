//! *Refusals*: by code, with what it means, where it happens, and the line that would change it.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::{
    chart,
    figures::Sample,
    frame::{difference, prose, records},
    reasons, remedies,
    text::{amount, moment, number, sentence, shown},
    traffic::{OfCode, Outcome, Traffic},
};

/// Routes and lines that are shown of a code.
const ROUTES: usize = 6;
const LINES: usize = 3;

pub(crate) fn view(traffic: &Traffic, sample: &Sample, now: Timestamp) -> Markup {
    let of = traffic.by_code(&[Outcome::Refused, Outcome::Changed], now);
    // What was counted stands here also if the log does not have it.
    let none = OfCode::default();
    let counted = sample.decided.iter().filter(|(_, decided)| decided.refused + decided.changed > 0);
    let counted = counted.filter(|(code, _)| !of.contains_key(code.as_str()));
    let mut codes: Vec<(&str, &OfCode<'_>)> = of.iter().map(|(code, of)| (*code, of)).collect();
    codes.sort_by_key(|(_, of)| std::cmp::Reverse((of.refused, of.changed)));
    codes.extend(counted.map(|(code, _)| (code.as_str(), &none)));
    html! {
        p .lead {
            "What the gate refused, or changed on its way. From the last records of the audit log"
            @if let Some(since) = traffic.since() { ", since " (moment(since)) }
            ". The pictures show the last hour, minute by minute."
        }
        div #codes data-part {
            @if codes.is_empty() { p .empty { "Nothing was refused." } }
            @for (code, of) in codes { (code_section(code, of, sample)) }
        }
    }
}

fn code_section(code: &str, of: &OfCode<'_>, sample: &Sample) -> Markup {
    let paragraph = reasons::of(code);
    let since_start = sample.decided.get(code).copied().unwrap_or_default();
    let is_in_log = of.refused + of.changed > 0;
    let (refused, changed) =
        if is_in_log { (of.refused, of.changed) } else { (since_start.refused, since_start.changed) };
    let (count, word) = if refused > 0 { (refused, "refused") } else { (changed, "changed") };
    let id = format!("code-{code}");
    html! {
        section .card aria-labelledby=(id) {
            div .cardhead {
                h2 id=(id) { code { (shown(code)) } }
                p .count { b class=(word) { (number(count)) } " " (word) }
                (chart::spark(&of.bars, word, &format!("{} in the last hour", amount(of.bars.iter().sum(), "time"))))
            }
            @if let Some(paragraph) = paragraph {
                p { (prose(&sentence(&paragraph.meaning))) "." }
                p .advice { b { "What to do: " } (prose(&sentence(&paragraph.advice))) "." }
            }
            @if !is_in_log { p .faint { "Counted since the gate started. The last records of the audit log have none of it." } }
            @else { p .faint {
                (amount(u64::try_from(of.clients).unwrap_or_default(), "client")) " · since the gate started: " (number(since_start.refused)) " refused, " (number(since_start.reported)) " reported · "
                (records("code", code, "all records"))
            } }
            @if is_in_log { details id={ "more-" (code) } {
                summary { "Operations, requests and the line that would change it" }
                @if !of.remedies.is_empty() {
                    h3 { "To let it pass" }
                    @for (line, _) in of.remedies.iter().take(LINES) {
                        @if let Some(key) = remedies::of_client(line) {
                            p .faint { "What stands in " code { (key) } " comes from a client. Add it only if it is your own:" }
                        }
                        (difference(line))
                    }
                    @if of.remedies.len() > LINES { p .faint { "And " (of.remedies.len() - LINES) " other lines, for other operations." } }
                } @else { p .faint { "No line of configuration would change it." } }
                (routes(of, word))
                (last(of))
            } }
        }
    }
}

/// The routes of a code, with bars.
pub(super) fn routes(of: &OfCode<'_>, class: &str) -> Markup {
    let most = of.routes.first().map_or(0, |(_, count)| *count);
    html! {
        @if !of.routes.is_empty() {
            table .small {
                caption { "Where" }
                thead .visually-hidden { tr { th scope="col" { "Operation" } th scope="col" { "Picture" } th scope="col" { "Count" } } }
                tbody { @for (route, count) in of.routes.iter().take(ROUTES) {
                    tr {
                        th scope="row" { code { (shown(route)) } }
                        td .wide { (chart::bar(&[(class, *count)], most)) }
                        td .number { (number(*count)) }
                    }
                } }
            }
        }
    }
}

/// The last requests of a code.
pub(super) fn last(of: &OfCode<'_>) -> Markup {
    html! {
        @if !of.last.is_empty() {
            div .scroll tabindex="0" role="region" aria-label="The last requests" { table .small {
                caption { "The last requests" }
                thead { tr { th scope="col" { "Time" } th scope="col" { "Client" } th scope="col" { "Request" } th scope="col" { "What" } th scope="col" { "Id" } } }
                tbody { @for one in &of.last { tr {
                    td .time { (moment(one.at)) }
                    td { (records("ip", &one.client, &shown(&one.client))) }
                    td { code { (shown(&one.route)) } }
                    td { (shown(&one.subject)) }
                    td .id { (records("request", &one.request, &shown(&one.request))) }
                } } }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_comes_from_a_client_is_called_that() {
        let record = |code: &str, remedy: &str| {
            json!({"time": "2026-11-30T16:00:00Z", "security_event": "request-refused", "reason": code,
                   "client_ip": "203.0.113.1", "method": "GET", "path": "/", "remedy": remedy})
        };
        let now = "2026-11-30T17:00:00Z".parse().unwrap();
        for (code, remedy, is_of_client) in [
            ("cors-origin-denied", "cors.origins = [\"https://evil.example\"]", true),
            ("rate-limited", "throttle.mode = \"report\"", false),
        ] {
            let mut traffic = Traffic::default();
            traffic.learn(&[record(code, remedy)]);
            let page = view(&traffic, &Sample::default(), now).into_string();
            let words = "What stands in <code>cors.origins</code> comes from a client";
            assert_eq!(page.contains(words), is_of_client, "{page}");
        }
    }
}
