//! *Bans & quotas*: who may not come, who has had how much; and to change it.

use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use crate::{
    chart,
    doors::Token,
    frame::{act, note, prose, records},
    text::{amount, moment, number, percent, shown, span},
};

/// Keys of a quota that are listed: those with the highest usage.
const KEYS: usize = 25;

#[derive(Deserialize)]
pub(crate) struct Listed {
    throttle: String,
    mode: String,
    bans: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    address: String,
    since: Timestamp,
    until: Timestamp,
    why: String,
    count: u64,
}

#[derive(Deserialize)]
pub(crate) struct Quotas {
    quotas: Vec<Quota>,
}

#[derive(Deserialize)]
struct Quota {
    name: String,
    mode: String,
    keys: u64,
    most: Vec<Row>,
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
    used: u64,
    limit: u64,
}

pub(crate) fn view(
    bans: Result<Listed, String>,
    quotas: Result<Quotas, String>,
    form: &Token,
    now: Timestamp,
) -> Markup {
    html! {
        section aria-labelledby="bans" {
            h2 #bans { "Bans" }
            div #banned data-part { @match bans { Ok(bans) => (list(&bans, form, now)), Err(why) => (note(&why)) } }
        }
        section aria-labelledby="quotas" {
            h2 #quotas { "Quotas" }
            div #used data-part { @match quotas { Ok(quotas) => (usage(&quotas, form)), Err(why) => (note(&why)) } }
        }
    }
}

fn list(bans: &Listed, form: &Token, now: Timestamp) -> Markup {
    html! {
        @match (bans.throttle.as_str(), bans.mode.as_str(), bans.bans.len()) {
            ("off", ..) => p .empty { "Bans are off, because `mode` under `[throttle]` is `off`." },
            (_, "off", _) => { p .empty { "Bans are off. This switches them on:" } (crate::frame::difference("throttle.ban.mode = \"enforce\"")) },
            (_, "report", _) => p .empty { (prose("Bans are only reported, as records `client-would-be-banned`: ")) (records("event", "client-would-be-banned", "show them")) "." },
            (_, _, 0) => p .empty { "No address is banned." },
            _ => {}
        }
        @if !bans.bans.is_empty() {
            div .scroll tabindex="0" role="region" aria-label="Banned addresses" { table {
                caption { (amount(u64::try_from(bans.bans.len()).unwrap_or_default(), "ban")) }
                thead { tr { th scope="col" { "Address" } th scope="col" { "Why" } th scope="col" { "Since" } th scope="col" { "Ends in" } th scope="col" .number { "Ban in a row" } th scope="col" { span .visually-hidden { "Act" } } } }
                tbody { @for ban in &bans.bans { tr {
                    th scope="row" { (records("ip", &ban.address, &shown(&ban.address))) }
                    td { "last: " code { (shown(&ban.why)) } }
                    td .time { (moment(ban.since)) }
                    td .time title=(moment(ban.until)) { (span(ban.until.as_second() - now.as_second())) }
                    td .number { (number(ban.count)) }
                    td { (act(form, "lift", &[("what", &ban.address)], "Lift", &format!("Lift the ban of {}", shown(&ban.address)))) }
                } } }
            } }
            @if bans.bans.len() > 1 { (act(form, "lift-all", &[], "Lift all bans", "Yes, lift all bans")) }
        }
    }
}

fn usage(Quotas { quotas }: &Quotas, form: &Token) -> Markup {
    html! {
        @if quotas.is_empty() { p .empty { "There are no quotas. `[[throttle.quota]]` in the configuration adds one." } }
        @for quota in quotas {
            h3 { (shown(&quota.name)) " " span .faint { "(" (quota.mode) ", used by " (amount(quota.keys, "key")) ")" } }
            @if !quota.most.is_empty() {
                div .scroll tabindex="0" role="region" aria-label={ "Usage of " (shown(&quota.name)) } { table {
                    caption .visually-hidden { "Usage of " (shown(&quota.name)) ", the highest first" }
                    thead { tr { th scope="col" { "Key" } th scope="col" { "Hour" } th scope="col" { "Day" } th scope="col" { "Month" } th scope="col" { span .visually-hidden { "Act" } } } }
                    tbody { @for row in quota.most.iter().take(KEYS) { tr {
                        th scope="row" { @match &row.label { Some(label) => (shown(label)), None => code { (row.key.get(..12).unwrap_or(&row.key)) "…" } } }
                        @for used in [&row.hour, &row.day, &row.month] { td { @match used {
                            Some(Used { used, limit }) => { (chart::bar(&[(if used >= limit { "refused" } else { "passed" }, *used)], *limit)) small { (number(*used)) " of " (number(*limit)) " (" (percent(*used, *limit)) ")" } },
                            None => span .none { "–" },
                        } } }
                        td { (act(form, "reset", &[("what", &quota.name), ("key", &row.key)], "Reset", "Yes, reset this key")) }
                    } } }
                } }
            }
            @let left = quota.keys.saturating_sub(u64::try_from(quota.most.len().min(KEYS)).unwrap_or_default());
            @if left > 0 { p .faint { "And " (amount(left, "key")) " with less usage: " code { "mantlet quotas" } "." } }
        }
    }
}
