//! Ids that nobody showed the caller: counted on the way in, remembered on the way out.

use http::{HeaderMap, Response, StatusCode};

use super::Road;
use crate::{audit::Sink, refusal::Faults, responses};

/// Who is calling: by a verified credential, an API key, or the session in which the app has handed its credential
/// out. The names of the three never meet.
fn caller<S>(road: &Road<'_, S>) -> Option<String> {
    let call = &road.call;
    if let Some(principal) = &call.principal {
        return Some(principal.key());
    }
    if let Some(known) = &call.api_key {
        return Some(format!("key||{}", known.key()));
    }
    if let Some(certificate) = &call.certificate {
        return Some(format!("certificate||{}", certificate.name));
    }
    let facts = &road.due.shown.own()?.session.facts;
    Some(match &facts.account {
        Some(account) => format!("account||{account}"),
        None => format!("session||{}", facts.id),
    })
}

/// The faults of a request for one id too many.
pub(super) fn judge<S>(road: &Road<'_, S>) -> Faults {
    let enumeration = &road.policy.authorization.enumeration;
    if !enumeration.is_on() || road.call.operation.is_none() {
        return Faults::default();
    }
    let found = caller(road).and_then(|caller| enumeration.asked(&road.call, &caller));
    found.into_iter().collect()
}

/// Whether ids may stand in an answer.
pub(super) fn asks_for<B, S>(road: &Road<'_, S>, answer: &Response<B>) -> bool {
    road.policy.authorization.enumeration.is_on()
        && answer.status().is_success()
        && responses::is_json(answer.headers())
        && caller(road).is_some()
}

/// Remembers the ids in an answer.
pub(super) fn learn<S: Sink>(
    road: &Road<'_, S>,
    (status, headers): (StatusCode, &HeaderMap),
    said: Option<&[u8]>,
) {
    let enumeration = &road.policy.authorization.enumeration;
    let Some(said) =
        said.filter(|_| enumeration.is_on() && status.is_success() && responses::is_json(headers))
    else {
        return;
    };
    if let Some(caller) = caller(road) {
        enumeration.shown(&road.call, &caller, said);
    }
}
