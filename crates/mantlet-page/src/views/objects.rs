//! *Objects*: whose they are, by rules in force and proposed, and what traffic says of them.

use maud::{Markup, html};
use serde::Deserialize;

use crate::{
    chart,
    frame::{difference, note, prose, records},
    text::{amount, number, shown},
};

#[derive(Deserialize)]
pub(crate) struct Listed {
    contract: bool,
    learning: bool,
    objects: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(rename = "rule")]
    name: String,
    toml: String,
    mode: String,
    counted: Vec<Counted>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Counted {
    operation: String,
    own: u64,
    callers: u64,
    foreign: u64,
    foreign_callers: u64,
    foreign_requests: Vec<String>,
    unclear: u64,
    unclear_why: Option<String>,
    verdict: String,
    enforced: bool,
}

pub(crate) fn view(objects: &Listed) -> Markup {
    let (proposed, own): (Vec<_>, Vec<_>) = objects.objects.iter().partition(|rule| rule.mode == "proposed");
    html! {
        p .lead { "Rules about whose an object is. Mantlet proposes them from the app's own tables, and compares them with its responses." }
        div #rules data-part {
            @if objects.objects.is_empty() {
                p .empty { @if objects.contract { "No rules are proposed: the app has no tables with an owner that its responses show." } @else { "No contract is in force, so no rules can be proposed." } }
            }
            @if !own.is_empty() { h2 { "In force" } }
            @for rule in own { (section(rule, true)) }
            @if !proposed.is_empty() { h2 { "Proposed" } }
            @if !proposed.is_empty() && !objects.learning {
                (note("Proposed rules are not compared with the app's responses. This line lets traffic confirm them:"))
                (difference("authorization.learn = true"))
            }
            @for rule in proposed { (section(rule, objects.learning)) }
        }
    }
}

fn section(rule: &Rule, is_counted: bool) -> Markup {
    let id = format!("rule-{}", rule.name);
    html! {
        section .card aria-labelledby=(id) {
            div .cardhead { h3 id=(id) { "Rule " (shown(&rule.name)) } p .count { (shown(&rule.mode)) } }
            @if is_counted { @for counted in &rule.counted { (evidence(counted)) } }
            @if !rule.toml.is_empty() {
                (difference(&rule.toml))
                @if rule.mode == "proposed" { p .faint { "Or: " code { "mantlet objects accept " (shown(&rule.name)) } } }
            }
        }
    }
}

fn evidence(counted: &Counted) -> Markup {
    let all = counted.own + counted.foreign + counted.unclear;
    html! {
        div .evidence {
            p { code { (shown(&counted.operation)) } " " span .faint { (shown(&counted.verdict)) @if counted.enforced { ", enforced" } } }
            @if all == 0 { p .faint { "No response was compared yet." } } @else {
                (chart::bar(&[("passed", counted.own), ("refused", counted.foreign), ("reported", counted.unclear)], all))
                p .sentence {
                    b { (number(counted.own)) } " of " (number(all)) " responses were the caller's own, for " (amount(counted.callers, "caller")) "; "
                    b .refused[counted.foreign > 0] { (number(counted.foreign)) } " were of others, for " (amount(counted.foreign_callers, "caller")) "; "
                    b { (number(counted.unclear)) } " were not clear"
                    @if let Some(why) = &counted.unclear_why { " (" (prose(why)) ")" }
                    "."
                }
                @if !counted.foreign_requests.is_empty() {
                    p .faint { "Objects of others in requests "
                        @for (number, id) in counted.foreign_requests.iter().enumerate() { @if number > 0 { ", " } (records("request", id, &shown(id))) }
                    }
                }
            }
        }
    }
}
