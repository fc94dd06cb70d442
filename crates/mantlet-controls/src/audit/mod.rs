//! The audit record: a decision about a request, as one line of JSON.
//!
//! A record never contains a query string, a cookie, a token, a password or a body. A name that a
//! client may have made up is recorded by its shape only. The path is recorded without its query.
//! There is one exception: the response of a failed app is recorded if Mantlet hid it from the
//! client, because it is kept nowhere else.

mod action;
mod app_event;
mod once;
mod severity;
mod sums;
mod voucher;

use std::{net::IpAddr, pin::Pin, sync::Arc};

use http::StatusCode;
use jiff::Timestamp;
use mantlet_contract::fault::{Fault, Loc};
use serde::Serialize;
use serde_json::{Map, Value};

pub(crate) use action::short;
pub use action::{ACTIONS, Actions, OfRoute, Outcome, Recorded, hash_of_account};
pub use app_event::{AppEvent, LONGEST_DATAGRAM};
pub(crate) use once::FirstTime;
pub use severity::Severity;
pub use sums::{Summed, Sums};
pub use voucher::{Vouched, Vouchers};

use crate::{
    Call, Mode, Reason, Refusal,
    call::trace::Trace,
    message::{
        REFUSED_METHOD,
        foreign::{self, cut},
    },
    refusal::remedy,
};

/// Longest path in a record, in bytes. A path may be as long as `limits.target-length`.
const MAX_PATH: usize = 512;
/// Field names in a record, at most.
const MAX_NAMES: usize = 5;
/// Bytes of a failed app's response in a record, at most.
pub(crate) const MAX_ORIGINAL: usize = 16 << 10;

/// One decision. Field names are an interface: collectors parse them.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    /// The time of the decision, RFC 3339 in UTC.
    pub time: Timestamp,
    /// `request-refused`; `request-changed`; `request-would-be-changed`; `request-left-to-app`; `contract-contradicted`; `token-key-found`, `token-verdict-contradicted`; `response-changed`; in report mode `request-would-be-refused` or `response-would-be-changed`;
    /// `response-not-judged`; `connection-refused`; `quota-warning`, `quota-reset`; `store-unavailable`, `store-recovered`; `client-banned`, in report mode
    /// `client-would-be-banned`; `ban-lifted`; `session-ended`; `object-rule-enforced`, `object-rule-contradicted`; `stream-ended`, in report mode `stream-would-be-ended`; `throttle-usage`; `records-summed`.
    pub security_event: &'static str,
    /// The action: `refuse`, `pass`, `strip`, `replace`, `ban`, `lift`, `revoke`, `end` or `count`.
    pub action: &'static str,
    /// The code of the reason.
    pub reason: &'static str,
    /// The status of the response; none if the request passed or the connection was closed without
    /// a response.
    pub status: Option<u16>,
    /// The client's address; none for a unix socket without the address of a client.
    pub client_ip: Option<IpAddr>,
    /// The caller, once it is known: the name in the client's certificate.
    pub user: Option<String>,
    /// The method; none if the request line was not readable.
    pub method: Option<String>,
    /// The path, without its query; none if the request line was not readable.
    pub path: Option<String>,
    /// The path template of the operation, as the app has it. Count records by it. None if the
    /// operation is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The id in the `X-Request-ID` of the response.
    pub request_id: String,
    /// The id of the trace (W3C Trace Context) that the request is part of, if there are traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// The mode of the control that decided.
    pub mode: &'static str,
    /// Details beyond the reason: the name of a cookie or rule, the names of unknown fields, or the
    /// fault of a form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The line of configuration that would change the decision: it lets the request pass, or
    /// enforces what was only reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// When a ban ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// A short hash of a rule's key, if that is not an address: eight hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How an action has ended: `success`, `failure`, `denied` or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The object: `orders/17`, if the operation has a parameter that says which one it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The first eight digits of the session's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// A short hash of the account that a login was tried for: eight hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The app's own name for its event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// What the app says of its event, or facts of the gate's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<Map<String, Value>>>,
    /// The usage of a rule that only reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Value>,
    /// The number of similar records that were counted and not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summed: Option<Box<Summed>>,
    /// The response of a failed app, if Mantlet hid it from the client; at most 16 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
}

impl Record {
    /// The record of a decision on a call.
    pub fn of(call: &Call, refusal: &Refusal, mode: Mode) -> Self {
        Self::with(call, refusal, mode, remedy::of(call, refusal, mode))
    }

    /// The same, with another remedy than the decision's own.
    pub(crate) fn with(call: &Call, refusal: &Refusal, mode: Mode, remedy: Option<String>) -> Self {
        let refused = mode == Mode::Enforce;
        let left = refusal.is_left && !refused;
        let readable = call.method.as_str() != REFUSED_METHOD;
        Self {
            time: call.clock.time(),
            security_event: if left { "request-left-to-app" } else { event(mode) },
            action: if refused { "refuse" } else { "pass" },
            reason: refusal.reason.code(),
            status: refused
                .then(|| refusal.words.as_ref().map_or(refusal.told().status(), |own| own.status).as_u16()),
            client_ip: call.client.address,
            user: call.user().map(str::to_owned),
            method: readable.then(|| foreign::method(&call.method)),
            path: readable.then(|| shortened(call.path.as_str())),
            operation: call.operation.as_ref().map(|matched| matched.route.path.clone()),
            request_id: call.request_id.as_str().to_owned(),
            trace: call.trace.as_ref().map(Trace::text),
            mode: if left { Mode::Enforce } else { mode }.as_str(),
            subject: match &refusal.subject {
                Some(subject) => Some(subject.as_ref().to_owned()),
                None => (refusal.reason == Reason::InputUnknown).then(|| names(call, &refusal.faults)),
            },
            remedy,
            until: None,
            key: refusal.key.map(|key| format!("{:08x}", u32::from_be_bytes(key))),
            outcome: refused.then_some(Outcome::Denied),
            object: (refusal.reason == Reason::ObjectForeign).then(|| action::object_of(call)).flatten(),
            session: call.session.map(short),
            account: None,
            event: None,
            data: None,
            usage: None,
            summed: None,
            original: None,
        }
    }

    /// The record of the key that the app signs its tokens with, and what is wrong with it.
    /// With mode `enforce`, it is proven that the app has no other.
    pub(crate) fn of_key_found(call: &Call, place: &str, weakness: Option<&'static str>, mode: Mode) -> Self {
        Self {
            security_event: "token-key-found",
            reason: weakness.unwrap_or("token-key-found"),
            mode: mode.as_str(),
            ..Self::plain(call, Reason::TokenInvalid).about(Some(place))
        }
    }

    /// The record of a proposed rule that is enforced by itself from now on, or will not be.
    pub(crate) fn of_proposed_rule(call: &Call, event: &'static str, mode: Mode, rule: &str) -> Self {
        let plain = Self::plain(call, Reason::ObjectForeign).about(Some(rule));
        Self { security_event: event, reason: event, mode: mode.as_str(), ..plain }
    }

    /// The record of an API key that is in use and ends soon.
    pub(crate) fn of_key_ending(call: &Call, key: &str, end: i64) -> Self {
        Self {
            security_event: "api-key-ends-soon",
            reason: "api-key-ends-soon",
            until: Timestamp::from_second(end).ok(),
            ..Self::plain(call, Reason::ApiKeyInvalid).about(Some(key))
        }
    }

    /// The record of an API key that the operator has made or revoked.
    pub fn of_key(event: &'static str, key: &str, caller: &str, time: Timestamp) -> Self {
        Self {
            security_event: event,
            reason: event,
            action: if event == "api-key-revoked" { "revoke" } else { "pass" },
            user: Some(caller.to_owned()),
            subject: Some(key.to_owned()),
            ..Self::of_connection(None, Reason::ApiKeyInvalid, time)
        }
    }

    /// The record of an issuer that has stopped to answer, or answers again.
    pub fn of_issuer(issuer: &str, fault: Option<&str>, time: Timestamp) -> Self {
        let subject = fault.map_or_else(|| issuer.to_owned(), |fault| format!("{issuer}: {fault}"));
        Self {
            security_event: if fault.is_some() { "issuer-unavailable" } else { "issuer-recovered" },
            action: "pass",
            mode: Mode::Report.as_str(),
            subject: Some(subject),
            ..Self::of_connection(None, Reason::IssuerUnavailable, time)
        }
    }

    /// The record of a session that a request has ended, and why.
    pub(crate) fn of_ended_session(call: &Call, id: u64, account: Option<&str>, cause: &'static str) -> Self {
        Self {
            reason: cause,
            user: account.map(str::to_owned),
            security_event: "session-ended",
            action: "revoke",
            subject: Some(format!("{id:016x}")),
            ..Self::plain(call, Reason::SessionEnded)
        }
    }

    /// The record of a decision about a request, for the end of the WebSocket or the stream that it has
    /// opened.
    pub(crate) fn of_stream(self, reason: Reason, why: &str, mode: Mode, time: Timestamp) -> Self {
        let ends = mode == Mode::Enforce;
        Self {
            time,
            security_event: if ends { "stream-ended" } else { "stream-would-be-ended" },
            action: if ends { "end" } else { "pass" },
            reason: reason.code(),
            status: None,
            mode: mode.as_str(),
            subject: Some(why.to_owned()),
            ..self
        }
    }

    /// The record of a credential that the app did not get, because its session has ended.
    pub(crate) fn of_withheld(call: &Call, refusal: &Refusal) -> Self {
        Self {
            security_event: "request-changed",
            action: "strip",
            mode: Mode::Enforce.as_str(),
            ..Self::with(call, refusal, Mode::Report, remedy::of(call, refusal, Mode::Enforce))
        }
    }

    /// The record of an answer whose refresh token the client gets as it is, and why.
    pub(crate) fn of_refresh_token_left(call: &Call, why: &str) -> Self {
        Self {
            security_event: "refresh-token-not-wrapped",
            reason: "refresh-token-not-wrapped",
            ..Self::plain(call, Reason::RefreshTokenInvalid).about(Some(why))
        }
    }

    /// The record of a token that the app accepted although it is not good.
    pub(crate) fn of_bad_token_accepted(call: &Call, what: &str) -> Self {
        Self {
            security_event: "token-verdict-contradicted",
            ..Self::plain(call, Reason::TokenInvalid).about(Some(what))
        }
    }

    /// The record of a request that passed, without a remedy.
    pub(crate) fn plain(call: &Call, reason: Reason) -> Self {
        Self::with(call, &reason.into(), Mode::Report, None)
    }

    /// Adds a subject, if it is known.
    pub(crate) fn about(self, what: Option<&str>) -> Self {
        Self { subject: what.map(str::to_owned).or(self.subject), ..self }
    }

    /// The record of input that the app accepted although the gate considers it invalid.
    pub(crate) fn of_contradicted(call: &Call, found: String) -> Self {
        Self {
            security_event: "contract-contradicted",
            subject: Some(found),
            ..Self::plain(call, Reason::InputInvalid)
        }
    }

    /// The record of fields that were cut out of a body.
    pub(crate) fn of_stripped(call: &Call, refusal: &Refusal) -> Self {
        Self {
            security_event: "request-changed",
            action: "strip",
            mode: Mode::Enforce.as_str(),
            ..Self::with(call, refusal, Mode::Report, remedy::of(call, refusal, Mode::Enforce))
        }
    }

    /// The record of a cookie of the app that lacks attributes.
    pub(crate) fn of_cookie(call: &Call, name: String) -> Self {
        Self {
            security_event: "response-would-be-changed",
            subject: Some(name),
            ..Self::of(call, &Reason::CookieAttributesMissing.into(), Mode::Report)
        }
    }

    /// The record of a quota that the operator has reset.
    pub fn of_reset(quota: &str, time: Timestamp) -> Self {
        Self {
            security_event: "quota-reset",
            action: "lift",
            subject: Some(quota.to_owned()),
            ..Self::of_connection(None, Reason::QuotaExceeded, time)
        }
    }

    /// The record of a store of shared counters that failed, with the reason, or that works again.
    pub fn of_store(fault: Option<&str>, time: Timestamp) -> Self {
        Self {
            security_event: if fault.is_some() { "store-unavailable" } else { "store-recovered" },
            action: "pass",
            subject: fault.map(str::to_owned),
            ..Self::of_connection(None, Reason::StoreUnavailable, time)
        }
    }

    /// The record of a ban that begins with a call, with the last refusal, and the line that changes it,
    /// if that is not the usual one.
    pub(crate) fn of_ban(
        call: &Call,
        mode: Mode,
        why: String,
        until: Timestamp,
        remedy: Option<Box<str>>,
    ) -> Self {
        let banned = mode == Mode::Enforce;
        let refusal = Refusal { remedy, ..Reason::ClientBanned.into() };
        Self {
            security_event: if banned { "client-banned" } else { "client-would-be-banned" },
            action: if banned { "ban" } else { "pass" },
            mode: mode.as_str(),
            subject: Some(why),
            until: Some(until),
            ..Self::with(call, &refusal, Mode::Report, remedy::of(call, &refusal, mode))
        }
    }

    /// The record of a lifted ban, of an address or a network.
    pub fn of_lifted(address: &str, time: Timestamp) -> Self {
        Self {
            security_event: "ban-lifted",
            action: "lift",
            subject: Some(address.to_owned()),
            ..Self::of_connection(address.parse().ok(), Reason::ClientBanned, time)
        }
    }

    /// The record of a session that was ended, and why.
    pub fn of_session_ended(id: u64, account: Option<&str>, cause: &'static str, time: Timestamp) -> Self {
        Self {
            security_event: "session-ended",
            action: "revoke",
            reason: cause,
            user: account.map(str::to_owned),
            subject: Some(format!("{id:016x}")),
            ..Self::of_connection(None, Reason::TokenInvalid, time)
        }
    }

    /// The record that sums up records that were not kept, of one address or of all.
    fn of_sum(client_ip: Option<IpAddr>, reason: &'static str, summed: Summed, time: Timestamp) -> Self {
        Self {
            security_event: "records-summed",
            action: "count",
            reason,
            summed: Some(Box::new(summed)),
            ..Self::of_connection(client_ip, Reason::InternalError, time)
        }
    }

    /// The record of a response that was changed, or would have been; its subject is a list of
    /// fields, if any.
    pub(crate) fn of_answer(call: &Call, reason: Reason, mode: Mode, names: &[String]) -> Self {
        let changed = mode == Mode::Enforce;
        let refusal = reason.into();
        let mut record = Self::with(call, &refusal, Mode::Report, remedy::of(call, &refusal, mode));
        record.security_event = if changed { "response-changed" } else { "response-would-be-changed" };
        record.action = if changed { "strip" } else { "pass" };
        record.mode = mode.as_str();
        // Names of secrets come from our own list; a client may have made up others.
        let is_of_secrets = reason == Reason::ResponseFieldSensitive;
        let names =
            names.iter().map(|name| if is_of_secrets { foreign::name(name, true) } else { told(call, name) });
        record.subject = Some(first_of(names)).filter(|subject| !subject.is_empty());
        record
    }

    /// Adds the names of fields. They are names of secrets, so the record tells nothing beyond our
    /// own list.
    pub(crate) fn naming(self, names: &[String]) -> Self {
        Self { subject: Some(first_of(names.iter().map(|name| foreign::name(name, true)))), ..self }
    }

    /// The record of a list from which items were removed, or would have been.
    pub(crate) fn of_removed(call: &Call, mode: Mode, what: String) -> Self {
        let record = Self::of_answer(call, Reason::ObjectForeign, mode, &[]);
        Self { subject: Some(what), ..record }
    }

    /// The record of a response that could not be examined; `why` is the reason in a word.
    pub(crate) fn of_unjudged(call: &Call, mode: Mode, why: &str) -> Self {
        let (replaced, refusal) = (mode == Mode::Enforce, Reason::ResponseNotJudged.into());
        Self {
            security_event: "response-not-judged",
            action: if replaced { "replace" } else { "pass" },
            mode: mode.as_str(),
            subject: Some(why.to_owned()),
            ..Self::with(call, &refusal, Mode::Report, remedy::of(call, &refusal, mode))
        }
    }

    /// The record of a response in which the app revealed internals.
    pub(crate) fn of_hidden(call: &Call, status: StatusCode, mode: Mode, original: &[u8]) -> Self {
        let hidden = mode == Mode::Enforce;
        let original = original.get(..MAX_ORIGINAL).unwrap_or(original);
        Self {
            action: if hidden { "replace" } else { "pass" },
            status: hidden.then_some(status.as_u16()),
            // If the client has it, the record does not need it.
            original: (hidden && !original.is_empty())
                .then(|| String::from_utf8_lossy(original).into_owned()),
            ..Self::of_answer(call, Reason::AppErrorHidden, mode, &[])
        }
    }

    /// The record of a connection that was closed before a request was read.
    pub fn of_connection(client_ip: Option<IpAddr>, reason: Reason, time: Timestamp) -> Self {
        Self {
            time,
            security_event: "connection-refused",
            action: "refuse",
            reason: reason.code(),
            status: None,
            client_ip,
            user: None,
            method: None,
            path: None,
            operation: None,
            request_id: String::new(),
            trace: None,
            mode: Mode::Enforce.as_str(),
            subject: None,
            remedy: None,
            until: None,
            key: None,
            outcome: None,
            object: None,
            session: None,
            account: None,
            event: None,
            data: None,
            usage: None,
            summed: None,
            original: None,
        }
    }
}

/// Takes records after their request has been handled: findings in a response that streams.
pub type Keep = Arc<dyn Fn(Record) + Send + Sync>;

/// Where records go. Must not block: the pipeline calls it.
pub trait Sink {
    /// Takes one record.
    fn record(&self, record: Record);

    /// The same, for later. Without it, findings in a response that streams are not recorded.
    fn keep(&self) -> Option<Keep> {
        None
    }

    /// Whether records cannot be kept at the moment, so that requests have to be refused.
    fn is_failing(&self) -> bool {
        false
    }

    /// Whether all records so far are kept, where a response has to wait for that.
    fn settled(&self) -> Option<Pin<Box<dyn Future<Output = bool> + Send + '_>>> {
        None
    }

    /// Learns of a decision that repeats a recent record. By default it is ignored.
    fn repeated(&self, call: &Call, reason: Reason, mode: Mode) {
        let _ = (call, reason, mode);
    }
}

/// The event for a request that a control decided against.
pub const fn event(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "request-refused",
        Mode::Report | Mode::Off => "request-would-be-refused",
    }
}

impl<F: Fn(Record)> Sink for F {
    fn record(&self, record: Record) {
        self(record);
    }
}

fn shortened(path: &str) -> String {
    cut(path, MAX_PATH).to_owned()
}

/// The first names in the faults. Bounded, because a client can make up any number of any length.
fn names(call: &Call, faults: &[Fault]) -> String {
    let names = faults.iter().filter_map(|fault| match fault.loc.as_slice() {
        // The place itself.
        [Loc::Key(place)] => Some(place.clone()),
        [.., Loc::Key(name)] => Some(told(call, name)),
        _ => None,
    });
    first_of(names)
}

/// A name, if the app's contract has it.
pub(crate) fn told(call: &Call, name: &str) -> String {
    foreign::name(name, call.operation.as_ref().is_some_and(|matched| matched.contract.has_name(name)))
}

/// The first names, each once.
fn first_of(names: impl Iterator<Item = String>) -> String {
    let mut shown = Vec::new();
    for name in names {
        if shown.len() == MAX_NAMES {
            break;
        }
        if !shown.contains(&name) {
            shown.push(name);
        }
    }
    shown.join(", ")
}
