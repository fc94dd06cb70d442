//! *Refusals*: by code, with what it means, where it happens, and the line that would change it.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::{
    chart,
    figures::Sample,
    frame::{difference, prose, records},
    reasons,
    text::{amount, moment, number, sentence, shown},
    traffic::{OfCode, Outcome, Traffic},
};

/// Routes and lines that are shown of a code.
const ROUTES: usize = 6;
const LINES: usize = 3;

pub(crate) fn view(traffic: &Traffic, sample: &Sample, now: Timestamp) -> Markup {
    let of = traffic.by_code(&[Outcome::Refused, Outcome::Changed], now);
    let mut codes: Vec<_> = of.iter().collect();
    codes.sort_by_key(|(_, of)| std::cmp::Reverse((of.refused, of.changed)));
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
    let (count, word) = if of.refused > 0 { (of.refused, "refused") } else { (of.changed, "changed") };
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
            p .faint {
                (amount(u64::try_from(of.clients).unwrap_or_default(), "client")) " · since the gate started: " (number(since_start.refused)) " refused, " (number(since_start.reported)) " reported · "
                (records("code", code, "all records"))
            }
            details id={ "more-" (code) } {
                summary { "Operations, requests and the line that would change it" }
                @if !of.remedies.is_empty() {
                    h3 { "To let it pass" }
                    @for (line, _) in of.remedies.iter().take(LINES) { (difference(line)) }
                    @if of.remedies.len() > LINES { p .faint { "And " (of.remedies.len() - LINES) " other lines, for other operations." } }
                } @else { p .faint { "No line of configuration would change it." } }
                (routes(of, word))
                (last(of))
            }
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
