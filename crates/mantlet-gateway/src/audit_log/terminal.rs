//! What a person reads of the records, on the terminal.

use std::time::{Duration, Instant};

use mantlet_controls::audit::Record;

use crate::tell;

/// Lines a second on the terminal; more are counted.
const TERMINAL_LINES: u32 = 20;

/// Refusals on the terminal: no more than a person can read.
pub(super) struct Terminal {
    second: Instant,
    shown: u32,
    hidden: u64,
}

impl Terminal {
    pub(super) fn new() -> Self {
        Self { second: Instant::now(), shown: 0, hidden: 0 }
    }

    pub(super) fn show(&mut self, record: &Record) {
        self.settle();
        if self.shown >= TERMINAL_LINES {
            self.hidden += 1;
            return;
        }
        self.shown += 1;
        let name = record.subject.as_deref().unwrap_or_default();
        let subject = if name.is_empty() { String::new() } else { format!(" ({})", name.escape_debug()) };
        match record.security_event {
            "store-unavailable" => return tell(&format!("the store is unavailable{subject}")),
            "store-recovered" => return tell("the store is available again"),
            _ => {}
        }
        let client = record.client_ip.map_or_else(|| "a local process".to_owned(), |ip| ip.to_string());
        match record.security_event {
            event @ ("client-banned" | "client-would-be-banned") => {
                let verb = if event == "client-banned" { "banned" } else { "would ban" };
                let until = record.until.map_or_else(String::new, |until| format!(" until {until:.0}"));
                return tell(&format!("{verb} {client}{until}: the last refusal was {name}"));
            }
            "quota-warning" => {
                let who =
                    record.user.as_deref().map_or(client.clone(), |user| user.escape_debug().to_string());
                return tell(&format!("{who} has used up most of the quota {name}"));
            }
            "session-ended" => {
                let whose = record
                    .user
                    .as_deref()
                    .map_or_else(String::new, |user| format!(" of {}", user.escape_debug()));
                return tell(&format!("ended the session {name}{whose}: {}", record.reason));
            }
            "api-key-created" | "api-key-revoked" => {
                let did = if record.action == "revoke" { "revoked" } else { "made" };
                return tell(&format!("{did} the API key {}", name.escape_debug()));
            }
            "api-key-ends-soon" => {
                let until = record.until.map_or_else(String::new, |until| format!(" until {until:.0}"));
                return tell(&format!(
                    "warning: the API key {} is in use, and good{until}; `mantlet keys create` makes the next one",
                    name.escape_debug()
                ));
            }
            "quota-reset" => return tell(&format!("reset a key of the quota {name}")),
            "records-summed" => return tell_sum(record),
            "issuer-unavailable" => {
                return tell(&format!("error: cannot fetch the keys of the issuer {name}"));
            }
            "issuer-recovered" => return tell(&format!("the keys of the issuer {name} are fetched again")),
            "token-key-found" => return tell_key(record, name),
            "token-verdict-contradicted" => {
                return tell(&format!(
                    "warning: the app has accepted a bad token: {}; `[authentication]` leaves such tokens to the app",
                    name.escape_debug()
                ));
            }
            "ban-lifted" => return tell(&format!("lifted the ban of {}", name.escape_debug())),
            _ => {}
        }
        let what = match (&record.method, &record.path) {
            // Debug escapes control characters, which a path that has not been judged may contain.
            (Some(method), Some(route)) => format!("{method} {}", route.escape_debug()),
            _ if record.status.is_some() => "a malformed request".to_owned(),
            _ => "a connection".to_owned(),
        };
        let id = &record.request_id;
        let verb = match record.security_event {
            "response-would-be-changed" if record.reason == "cookie-attributes-missing" => {
                "would add attributes to a cookie in the response to"
            }
            "response-would-be-changed" => "would change the response to",
            "response-changed" if record.action == "replace" => "replaced the response to",
            "response-changed" => "cut fields out of the response to",
            "response-not-judged" => "could not examine the response to",
            "request-changed" if record.reason.starts_with("session-") => "withheld the credential of",
            "request-changed" if record.reason == "header-removed" => "removed a header from",
            "stream-ended" => "ended the stream of",
            "stream-would-be-ended" => "would end the stream of",
            "request-would-be-changed" => "would remove a header from",
            "request-changed" => "cut unknown fields out of",
            _ if record.action == "refuse" => "refused",
            _ => "would refuse",
        };
        let status = record.status.map_or_else(String::new, |status| format!(" {status}"));
        let id = if id.is_empty() { String::new() } else { format!(" [{id}]") };
        let remedy = record.remedy.as_ref().map_or_else(String::new, |line| {
            let effect = if record.action == "pass" { "enforce" } else { "allow" };
            format!("; to {effect} it: {line}")
        });
        tell(&format!("{verb} {what} from {client}:{status} {}{subject}{id}{remedy}", record.reason));
    }

    pub(super) fn settle(&mut self) {
        if self.second.elapsed() >= Duration::from_secs(1) {
            if self.hidden > 0 {
                tell(&format!("and {} more; the audit file has them all", self.hidden));
            }
            *self = Self::new();
        }
    }
}

/// The key of the app's tokens, and what is wrong with it. The place is a text of the app.
fn tell_key(record: &Record, place: &str) {
    let forged = if record.mode == "enforce" {
        "forged ones are refused where the app was seen to refuse them"
    } else {
        "forged ones are only recorded, because the app may have another key (`mantlet contract` says where)"
    };
    let found = format!("tokens of the app are verified with its key: {}\n  {forged}", place.escape_debug());
    tell(&match record.reason {
        "jwt-key-public" => format!(
            "warning: {found}\n  this key is published: anyone can forge tokens of the app. Give it a key of its own, such as from `openssl rand -hex 32`"
        ),
        "jwt-key-guessable" => format!(
            "warning: {found}\n  this key can be guessed in a second: anyone can forge tokens of the app. Give it a key of its own, such as from `openssl rand -hex 32`"
        ),
        "jwt-key-short" => format!(
            "warning: {found}\n  this key is shorter than RFC 7518 asks for, and can be guessed offline. Use `openssl rand -hex 32`"
        ),
        _ => found,
    });
}

/// A line for the sum of all addresses. Sums of usage and of single addresses are in the file only.
fn tell_sum(record: &Record) {
    let Some(summed) = record.summed.as_ref().filter(|_| record.client_ip.is_none()) else { return };
    let did = if summed.event.contains("would-be") { "would refuse" } else { "refused or recorded" };
    let from = match summed.addresses {
        None | Some(1) => String::new(),
        Some(count) => format!(" from {count} addresses"),
    };
    let (count, reason, seconds) = (summed.count, record.reason, summed.seconds);
    tell(&format!("{did} {count} more{from} in {seconds} s: {reason}"));
}
