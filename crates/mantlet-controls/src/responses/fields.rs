//! Finds fields that clients should not get.

use std::ops::Range;

use http::{Method, StatusCode};
use mantlet_contract::{
    answers::{Found, look},
    json::{self, Json, Kind, Limits, ParseError},
    routes::Visibility,
};

use super::{
    Policy, Subject, lenient, names, promised,
    secrets::{self, Secret},
};
use crate::{
    Mode, Reason,
    audit::{Record, Sink},
    config::Posture,
    operation::{Matched, Promised},
};

/// The outcome for a response.
pub(super) enum Outcome {
    /// The response stays unchanged.
    Same,
    /// The rest after the cut.
    Rest(Vec<u8>),
    /// It is not JSON.
    Unreadable(&'static str),
}

/// A member with the name of a secret.
struct Named {
    span: Range<usize>,
    /// Its place in the model declares it, or a model of the operation declares its name.
    declared: bool,
    certain: Option<Secret>,
}

impl Policy {
    /// Looks for fields that clients should not get, reports them and cuts them out.
    pub(super) fn judge_fields(
        &self,
        call: &Subject<'_>,
        audit: &impl Sink,
        (status, is_file): (StatusCode, bool),
        body: &[u8],
    ) -> Outcome {
        let actions = call.actions;
        let promise = promised(call, status);
        let may_hold_secrets = may_name_secrets(call, status, is_file) && self.names.may_be_in(body);
        let mut for_unknown = mode_of_unknown(call, promise);
        if for_unknown == Mode::Report && self.is_told(call, Reason::ResponseFieldUnknown, for_unknown) {
            // It would not be reported again.
            for_unknown = Mode::Off;
        }
        if for_unknown == Mode::Off && !may_hold_secrets {
            return Outcome::Same;
        }
        let text;
        let values = match json::parse(body, Limits { depth: usize::MAX, ..Limits::default() }) {
            Ok(json) => vec![(0, json)],
            Err(error) => {
                text = lenient::as_text(body);
                match lenient::values(&text) {
                    Some(values) => values,
                    None if error == ParseError::Encoding => return Outcome::Unreadable("not UTF-8"),
                    None => return Outcome::Unreadable("not JSON"),
                }
            }
        };

        let asks = may_hold_secrets && !values.iter().any(|(_, json)| is_schema(call, json));
        let (mut unknown, mut named) = (Vec::new(), Vec::new());
        for (at, json) in &values {
            let found = self.found(call, json, promise, asks);
            let moved = |span: Range<usize>| span.start + at..span.end + at;
            unknown.extend(found.unknown.into_iter().map(moved));
            named.extend(found.named.into_iter().map(|(span, declared, certain)| Named {
                span: moved(span),
                declared,
                certain,
            }));
        }
        let gives_tokens = !named.is_empty() && values.iter().any(|(_, json)| gives_tokens(call, json));
        let (secret, told) = sorted(call, body, named, gives_tokens);

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
        let is_in = |list: &[Range<usize>], span: &Range<usize>| {
            list.binary_search_by_key(&span.start, |known| known.start).is_ok()
        };
        let unknown = unknown.into_iter().filter(|span| !is_in(&secret, span) && !is_in(&told, span));
        let unknown: Vec<_> = unknown.collect();
        act(for_unknown, Reason::ResponseFieldUnknown, unknown);
        let by_name = actions.is_by_name();
        let mode = if by_name { actions.secret_names() } else { actions.certain_secrets() };
        act(mode, Reason::ResponseFieldSensitive, secret);
        // These fields are intended, or that is not known; the operator should still know.
        act(actions.secret_names().under(true), Reason::ResponseFieldSensitive, told);
        if cut.is_empty() { Outcome::Same } else { Outcome::Rest(json::cut(body, &outermost(cut))) }
    }

    fn found(
        &self,
        call: &Subject<'_>,
        json: &Json<'_>,
        promise: Option<Promised>,
        asks: bool,
    ) -> Found<Option<Secret>> {
        let promise = promise.as_ref().zip(call.operation.as_ref());
        let promise = promise.map(|(promise, matched)| promise.as_promise(matched));
        look(json, promise, |key, value| {
            (asks && self.names.has(key, value)).then(|| match value {
                Kind::Text(text) => secrets::certain(text),
                _ => None,
            })
        })
    }
}

/// Members to cut out, and members to report only; each list in the order of the response.
fn sorted(
    call: &Subject<'_>,
    body: &[u8],
    named: Vec<Named>,
    gives_tokens: bool,
) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
    let by_name = call.actions.is_by_name();
    // A new key is shown once, and the client needs it: in `compatible` posture that is only
    // reported.
    let stays = gives_tokens || call.posture == Posture::Compatible;
    let (mut secret, mut told) = (Vec::new(), Vec::new());
    // Nearly always one name comes again and again.
    let mut known: Option<(String, bool)> = None;
    for Named { span, declared, certain } in named {
        let Some(key) = body.get(span.clone()).and_then(json::key) else { continue };
        if by_name {
            // Passwords always go, some others unless they are handed out on purpose.
            if stays && names::may_be_handed_out(&key) {
                told.push(span);
            } else {
                secret.push(span);
            }
            continue;
        }
        let declared = declared || {
            match &known {
                Some((name, declared)) if *name == key => *declared,
                _ => known.insert((key.clone(), is_declared(call, &key))).1,
            }
        };
        match (declared, certain) {
            (true, None) => {}
            (false, Some(certain)) if leaves_by_mistake(call, certain) => secret.push(span),
            _ => told.push(span),
        }
    }
    (secret, told)
}

/// Whether the operation's models declare a name, wherever.
fn is_declared(call: &Subject<'_>, key: &str) -> bool {
    call.operation.as_ref().is_some_and(|matched| matched.declares(|name| names::is_same(name, key)))
}

/// No client can use a hash. A client can use a private key that was made for it, but does not read
/// it back later.
pub(super) fn leaves_by_mistake(call: &Subject<'_>, certain: Secret) -> bool {
    match certain {
        Secret::PasswordHash => true,
        Secret::PrivateKey => matches!(call.method, Method::GET | Method::HEAD),
    }
}

/// Whether names of secrets are looked for. A message about a wrong password does not contain one,
/// and a file has its content on purpose.
pub(super) fn may_name_secrets(call: &Subject<'_>, status: StatusCode, is_file: bool) -> bool {
    let actions = call.actions;
    !is_file && !status.is_client_error() && actions.certain_secrets() != Mode::Off
}

/// The treatment of undeclared fields. A claim does not justify a change, unless the configuration
/// trusts it.
pub(super) fn mode_of_unknown(call: &Subject<'_>, promise: Option<Promised>) -> Mode {
    promise.map_or(Mode::Off, |promise| {
        call.actions.unknown_fields().under(promise.claimed && !call.trusts_claims)
    })
}

/// Whether a response contains tokens: its operation says so, or a token is in it.
fn gives_tokens(call: &Subject<'_>, json: &Json<'_>) -> bool {
    call.operation.as_ref().is_some_and(Matched::gives_tokens)
        || root_has(json, |key, value| key == "access_token" && matches!(value, Kind::Text(_)))
}

/// Whether a response describes fields and contains none: the app's document, or a schema.
fn is_schema(call: &Subject<'_>, json: &Json<'_>) -> bool {
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
