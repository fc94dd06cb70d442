//! Sessions of the app: `GET` and `DELETE /sessions`, `DELETE /sessions/{id}`.

use std::{cmp::Reverse, collections::BTreeSet, sync::Arc};

use http::StatusCode;
use jiff::Timestamp;
use mantlet_controls::{
    audit::{Record, Sink},
    authentication::sessions::{Cause, Digest, Event, Keeper as _, Kind, Session, names_of},
};
use serde_json::{Value, json};

use super::trouble::Trouble;
use crate::{clock, sessions::KeptSessions};

/// Sessions that are listed, at most: those that were used last.
const LISTED: usize = 1_000;

pub(super) async fn list(kept: &KeptSessions, account: Option<&str>) -> Value {
    let is_complete = match account {
        Some(account) => ask_others(kept, account).await,
        // Other gates may know more; to collect all of them would take too long.
        None => !kept.is_shared(),
    };
    let mut sessions = account.map_or_else(|| kept.known.list(None), |account| of_account(kept, account));
    let count = sessions.len();
    // The times may change meanwhile.
    sessions.sort_by_cached_key(|session| Reverse(session.used()));
    let rows: Vec<_> = sessions.iter().take(LISTED).map(|session| row(kept, session)).collect();
    let since = kept.known.began();
    let since = (since > 0).then(|| moment(since));
    json!({ "sessions": rows, "count": count, "since": since, "complete": is_complete })
}

pub(super) async fn end(kept: &KeptSessions, id: &str, audit: &impl Sink) -> Result<Value, Trouble> {
    let number = parse(id)?;
    if kept.known.session(number).is_none() {
        let found = kept.find_session(number).await.ok_or_else(|| {
            let message =
                "this gate does not know the session, and the store does not respond; try again later";
            Trouble::new(StatusCode::SERVICE_UNAVAILABLE, message)
        })?;
        learn(kept, &found);
    }
    let session = kept.known.session(number).ok_or_else(|| {
        let message = format!("there is no session `{id}`; `mantlet sessions` lists all");
        Trouble::new(StatusCode::NOT_FOUND, message)
    })?;
    Ok(end_all(kept, &[session], true, audit).await)
}

/// Ends all sessions of an account but one.
pub(super) async fn end_of_account(
    kept: &KeptSessions,
    account: &str,
    keep: Option<&str>,
    audit: &impl Sink,
) -> Result<Value, Trouble> {
    let keep = keep.map(parse).transpose()?;
    let is_complete = ask_others(kept, account).await;
    let now = clock::now().as_second();
    let mut sessions = all_of(account, |name| kept.known.list_to_revoke(name, now));
    sessions.retain(|session| Some(session.facts.id) != keep);
    if sessions.is_empty() {
        let other = if keep.is_some() { "other " } else { "" };
        return Err(if is_complete {
            let message = format!("there is no {other}session of `{account}`; `mantlet sessions` lists all");
            Trouble::new(StatusCode::NOT_FOUND, message)
        } else {
            let message =
                format!("this gate knows no {other}session of `{account}`, and the store does not respond");
            Trouble::new(StatusCode::SERVICE_UNAVAILABLE, message)
        });
    }
    Ok(end_all(kept, &sessions, is_complete, audit).await)
}

async fn end_all(
    kept: &KeptSessions,
    sessions: &[Arc<Session>],
    is_complete: bool,
    audit: &impl Sink,
) -> Value {
    let now = clock::now();
    let mut events = Vec::with_capacity(sessions.len());
    let within = sessions.iter().flat_map(|session| kept.known.with_all_within(session.facts.id));
    let all: BTreeSet<u64> = within.collect();
    for session in all.into_iter().filter_map(|id| kept.known.session(id)) {
        let id = session.facts.id;
        let is_new = session.may_end_by(Cause::Operator);
        // One that was revoked before is kept again: it may not have been possible then.
        let at = session.ended().filter(|_| !is_new).map_or(now.as_second(), |(at, _)| at);
        let (cause, left) = (Cause::Operator, session.left());
        let event = Event::Ended { session: id, at, cause, left };
        if is_new {
            kept.known.apply(&event);
            let account = session.facts.account.as_deref();
            audit.record(Record::of_session_ended(id, account, cause.as_str(), now));
        }
        // All that was handed out in it: what other gates know of it may be less.
        events.extend(kept.known.handed_out_in(id));
        events.push(event);
    }
    let whereabouts = kept.keep(events).await;
    let ended: Vec<_> = sessions.iter().map(|session| written(session.facts.id)).collect();
    json!({
        "ended": ended,
        "durable": whereabouts.is_durable,
        "shared": whereabouts.is_shared,
        "complete": is_complete,
    })
}

/// Learns what other gates know of an account. False if the store does not respond.
async fn ask_others(kept: &KeptSessions, account: &str) -> bool {
    for name in names_of(account) {
        let Some(found) = kept.find_account(name).await else { return false };
        learn(kept, &found);
    }
    true
}

fn learn(kept: &KeptSessions, found: &[Event]) {
    for event in found {
        kept.known.apply(event);
    }
}

/// The sessions of an account, by its name at the login or by the `sub` of its tokens.
fn of_account(kept: &KeptSessions, account: &str) -> Vec<Arc<Session>> {
    all_of(account, |name| kept.known.list(Some(name)))
}

fn all_of(account: &str, list: impl Fn(&Digest) -> Vec<Arc<Session>>) -> Vec<Arc<Session>> {
    let mut sessions: Vec<Arc<Session>> = Vec::new();
    for session in names_of(account).iter().flat_map(list) {
        if sessions.iter().all(|known| known.facts.id != session.facts.id) {
            sessions.push(session);
        }
    }
    sessions
}

fn row(kept: &KeptSessions, session: &Session) -> Value {
    let credentials = kept.known.credentials(session);
    let count = |kind| credentials.iter().filter(|(_, credential)| credential.kind == kind).count();
    json!({
        "id": written(session.facts.id),
        "account": session.facts.account,
        "began": moment(session.facts.began),
        "used": moment(session.used()),
        "address": session.facts.address,
        "credentials": {
            "access-tokens": count(Kind::Bearer),
            "refresh-tokens": count(Kind::Refresh),
            "cookies": count(Kind::Cookie),
        },
    })
}

fn written(id: u64) -> String {
    format!("{id:016x}")
}

fn parse(id: &str) -> Result<u64, Trouble> {
    let is_one = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = is_one.then(|| u64::from_str_radix(id, 16).ok()).flatten();
    number.ok_or_else(|| {
        let message =
            format!("`{id}` is not a session; pass 16 hexadecimal digits, as `mantlet sessions` lists them");
        Trouble::new(StatusCode::BAD_REQUEST, message)
    })
}

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or_default()
}
