//! *Sessions*: who is in, since when and from where; and to end it.

use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use crate::{
    doors::Token,
    frame::{act, note, prose, records},
    text::{amount, moment, number, shown, span},
};

/// Sessions that are listed.
const LISTED: usize = 200;

#[derive(Deserialize)]
pub(crate) struct Listed {
    sessions: Vec<Session>,
    count: u64,
    since: Option<Timestamp>,
    complete: bool,
}

#[derive(Deserialize)]
struct Session {
    id: String,
    account: Option<String>,
    began: Timestamp,
    used: Timestamp,
    address: Option<String>,
    credentials: Credentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Credentials {
    access_tokens: u64,
    refresh_tokens: u64,
    cookies: u64,
}

pub(crate) fn view(sessions: Result<Listed, String>, account: &str, form: &Token, now: Timestamp) -> Markup {
    html! {
        p .lead { "A session is all that the app has handed out since one login. Ending one is final: the user logs in again." }
        form .search method="get" action="sessions" role="search" aria-label="Sessions" {
            label { span { "Account" } input name="account" value=(shown(account)) autocomplete="off" spellcheck="false"; }
            button type="submit" { "Show" }
        }
        div #open data-part { @match sessions { Ok(sessions) => (list(&sessions, account, form, now)), Err(why) => (note(&why)) } }
    }
}

fn list(sessions: &Listed, account: &str, form: &Token, now: Timestamp) -> Markup {
    let left =
        sessions.count.saturating_sub(u64::try_from(sessions.sessions.len().min(LISTED)).unwrap_or_default());
    html! {
        @if sessions.sessions.is_empty() {
            p .empty { @match (sessions.since, account) {
                (_, account) if !account.is_empty() => { "No open session of " b { (shown(account)) } " is known." },
                (None, _) => "No sessions are known yet. Mantlet learns of one when the app answers a login with a token or a cookie.",
                (Some(since), _) => { "No session is open. Mantlet knows those that began since " (moment(since)) "." },
            } }
        } @else {
            div .scroll tabindex="0" role="region" aria-label="Open sessions" { table {
                caption { (amount(sessions.count, "open session")) }
                thead { tr { th scope="col" { "Account" } th scope="col" { "Session" } th scope="col" { "Began" } th scope="col" { "Last used" } th scope="col" { "From" } th scope="col" { "Holds" } th scope="col" { span .visually-hidden { "Act" } } } }
                tbody { @for session in sessions.sessions.iter().take(LISTED) { tr {
                    th scope="row" { @match &session.account {
                        Some(account) => { (records("user", account, &shown(account))) },
                        None => i { "not known" },
                    } }
                    td .id { (records("session", session.id.get(..8).unwrap_or_default(), &session.id)) }
                    td .time { (moment(session.began)) }
                    td .time title=(moment(session.used)) { (span(now.as_second() - session.used.as_second())) " ago" }
                    td { @match &session.address { Some(address) => (records("ip", address, &shown(address))), None => "–" } }
                    td { (holds(&session.credentials)) }
                    td { (act(form, "end", &[("what", &session.id)], "End", &format!("End session {}", session.id))) }
                } } }
            } }
            @if left > 0 { p .faint { "And " (number(left)) " more, last used before these. Name an account to see its sessions." } }
            @if !account.is_empty() { (act(form, "end-all", &[("what", account)], "End all sessions of this account", "Yes, end all of them")) }
        }
        @if !sessions.complete { p .note { (prose("These are the sessions that this gate knows; other gates may know more.")) } }
    }
}

fn holds(credentials: &Credentials) -> String {
    let counts = [
        (credentials.access_tokens, "access token"),
        (credentials.refresh_tokens, "refresh token"),
        (credentials.cookies, "cookie"),
    ];
    let known: Vec<_> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, name)| amount(*count, name)).collect();
    if known.is_empty() { "–".to_owned() } else { known.join(", ") }
}
