//! Which fields of an answer should not leave.

use std::ops::Range;

use http::StatusCode;
use mantlet_contract::{
    answers::{Found, look},
    json::{self, Json, Kind, Limits},
    routes::Visibility,
};

use super::{Policy, names, promised};
use crate::{
    Call, Mode, Reason,
    audit::{Record, Sink},
    contract::{Posture, Promised},
};

impl Policy {
    /// The answer without the fields that should not leave; none if it stays as it is.
    pub(super) fn without_fields(
        &self,
        call: &Call,
        audit: &impl Sink,
        (status, is_file): (StatusCode, bool),
        body: &[u8],
    ) -> Option<Vec<u8>> {
        let actions = call.route.responses;
        let promise = promised(call, status);
        // What is wrong with a password is no password, and a file is what somebody put there.
        let may_name_secrets = !is_file && !status.is_client_error();
        let may_hold_secrets =
            may_name_secrets && actions.sensitive_fields() != Mode::Off && self.names.may_be_in(body);
        let for_unknown = mode_of_unknown(call, promise);
        let may_hold_unknown = for_unknown != Mode::Off;
        if !may_hold_unknown && !may_hold_secrets {
            return None;
        }
        // What is no JSON is no business of ours. Depth costs nothing.
        let json = json::parse(body, Limits { depth: usize::MAX, ..Limits::default() }).ok()?;
        let asks = may_hold_secrets && !is_schema(call, &json);
        let found = self.found(call, &json, promise, asks);
        let gives_tokens = !found.named.is_empty() && gives_tokens(call, &json);
        // A key that is made is shown once, and without it the client has nothing: in `compatible` posture that is only told.
        let stays = gives_tokens || call.route.rules.posture == Posture::Compatible;
        // Passwords always go, some others unless they are handed out on purpose.
        let (secret, declared): (Vec<_>, Vec<_>) = found.named.into_iter().partition(|(span, _)| {
            !(stays
                && body
                    .get(span.clone())
                    .and_then(json::key)
                    .is_some_and(|key| names::may_be_handed_out(&key)))
        });

        let mut cut = Vec::new();
        let mut act = |mode: Mode, reason: Reason, spans: Vec<Range<usize>>| {
            if spans.is_empty() || mode == Mode::Off {
                return;
            }
            if self.is_news(call, reason, mode) {
                let names: Vec<_> =
                    spans.iter().filter_map(|span| json::key(body.get(span.clone())?)).collect();
                audit.record(Record::of_answer(call, reason, mode, &names));
            }
            if mode == Mode::Enforce {
                cut.extend(spans);
            }
        };
        let is_secret =
            |span: &Range<usize>| secret.binary_search_by_key(&span.start, |(known, _)| known.start).is_ok();
        let unknown = found.unknown.into_iter().filter(|span| !is_secret(span));
        act(for_unknown, Reason::ResponseFieldUnknown, unknown.collect());
        let spans = |found: Vec<(Range<usize>, bool)>| found.into_iter().map(|(span, _)| span).collect();
        act(actions.sensitive_fields(), Reason::ResponseFieldSensitive, spans(secret));
        // Where the answer says so itself it is meant; still somebody should know.
        act(actions.sensitive_fields().under(true), Reason::ResponseFieldSensitive, spans(declared));
        (!cut.is_empty()).then(|| json::cut(body, &outermost(cut)))
    }

    fn found(&self, call: &Call, json: &Json<'_>, promise: Option<Promised>, asks: bool) -> Found {
        let promise = promise.as_ref().zip(call.operation.as_ref());
        let promise = promise.map(|(promise, matched)| promise.as_promise(matched));
        look(json, promise, |key, value| asks && self.names.has(key, value))
    }
}

/// What becomes of fields past what is promised. A claim is no ground for a change, unless somebody says so.
pub(super) fn mode_of_unknown(call: &Call, promise: Option<Promised>) -> Mode {
    promise.map_or(Mode::Off, |promise| {
        call.route.responses.unknown_fields().under(promise.claimed && !counts(call))
    })
}

/// Whether a claim is taken at its word: in strict posture, and a document that is trusted.
fn counts(call: &Call) -> bool {
    let rules = &call.route.rules;
    rules.posture == Posture::Strict
        || call.operation.as_ref().is_some_and(|matched| {
            let contract = &matched.contract;
            !contract.is_exact() && contract.counts(rules)
        })
}

/// Whether an answer gives tokens: its place says so, or a token is in it.
fn gives_tokens(call: &Call, json: &Json<'_>) -> bool {
    call.operation.as_ref().is_some_and(crate::contract::Matched::gives_tokens)
        || root_has(json, |key, value| key == "access_token" && matches!(value, Kind::Text(_)))
}

/// Whether an answer describes fields and holds none: the app's document, or a schema.
fn is_schema(call: &Call, json: &Json<'_>) -> bool {
    call.operation.as_ref().is_some_and(|matched| matched.route.visibility == Visibility::Docs)
        || root_has(json, |key, value| {
            matches!(key, "openapi" | "swagger" | "$schema") && matches!(value, Kind::Text(_))
        })
}

fn root_has(json: &Json<'_>, is: impl Fn(&str, Kind<'_>) -> bool) -> bool {
    let Kind::Object(mut members) = json.root().kind() else { return false };
    members.any(|member| member.key.is_some_and(|key| is(key, member.value.kind())))
}

/// In order, and none inside another.
fn outermost(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.sort_by_key(|span| span.start);
    let mut end = 0;
    spans.retain(|span| {
        let outer = span.start >= end;
        end = end.max(span.end);
        outer
    });
    spans
}
