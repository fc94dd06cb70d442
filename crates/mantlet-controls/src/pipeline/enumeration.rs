//! Ids that no answer has shown the caller: counted on the way in, remembered on the way out.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body::Body;

use super::Road;
use crate::{
    Reason, RequestBody, account,
    audit::Sink,
    authorization::enumeration::{Named, Who},
    refusal::Faults,
    responses,
};

/// Who is calling.
#[derive(Debug)]
pub(super) struct Caller {
    key: String,
    name: Option<String>,
}

impl Caller {
    /// By a verified credential, an API key, or the session in which the app has handed its credential out. The names
    /// of these never meet. An account is the same however it is written at its logins.
    fn of<S>(road: &Road<'_, S>) -> Option<Self> {
        let call = &road.call;
        if let Some(principal) = &call.principal {
            let name = Some(principal.subject.to_string());
            return Some(Self { key: format!("token|{}", principal.key()), name });
        }
        if let Some(known) = &call.api_key {
            let name = Some(known.subject.to_string());
            return Some(Self { key: format!("key|{}", known.key()), name });
        }
        if let Some(certificate) = &call.certificate {
            let name = Some(certificate.name.clone());
            return Some(Self { key: format!("certificate|{}", certificate.name), name });
        }
        let facts = &road.due.shown.own()?.session.facts;
        Some(match facts.account.as_deref().and_then(account::compared) {
            Some(account) => {
                Self { key: format!("account|{account}"), name: facts.account.as_deref().map(str::to_owned) }
            }
            None => Self { key: format!("session|{}", facts.id), name: None },
        })
    }

    fn who(&self) -> Who<'_> {
        Who { key: &self.key, name: self.name.as_deref() }
    }
}

/// What is noted of a request until its answer is there.
#[derive(Debug)]
pub(super) struct Noted {
    caller: Caller,
    /// What it names itself.
    named: Named,
}

/// The faults of a request for one id too many.
pub(super) fn judge<S>(road: &Road<'_, S>) -> Faults {
    let enumeration = &road.policy.authorization.enumeration;
    if !enumeration.is_on() || road.call.operation.is_none() {
        return Faults::default();
    }
    let found = Caller::of(road).and_then(|caller| enumeration.asked(&road.call, caller.who()));
    found.into_iter().collect()
}

/// The caller of a request, if the ids in its answer are remembered.
pub(super) fn noted<S>(road: &Road<'_, S>) -> Option<Caller> {
    let is_noted = road.policy.authorization.enumeration.is_on()
        && road.call.operation.is_some()
        && !road.call.opens_websocket;
    is_noted.then(|| Caller::of(road))?
}

/// Notes what such a request names itself, so that its answer does not count as showing that.
pub(super) async fn note<B, S>(
    road: &mut Road<'_, S>,
    caller: Caller,
    request: &mut Request<RequestBody<B>>,
) -> Result<(), Reason>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
{
    account::read_ahead(request).await?;
    let body = request.body();
    let is_whole = body.is_read_ahead() || body.is_end_stream();
    let enumeration = &road.policy.authorization.enumeration;
    let read = is_whole.then(|| (body.ahead(), responses::is_json(request.headers())));
    let named = enumeration.named(&road.call, request.uri().query(), read);
    road.due.noted = Some(Noted { caller, named }.into());
    Ok(())
}

/// Whether ids may stand in an answer.
pub(super) fn asks_for<B, S>(road: &Road<'_, S>, answer: &Response<B>) -> bool {
    road.due.noted.is_some() && answer.status().is_success() && responses::is_json(answer.headers())
}

/// Remembers what a request has made, by the head of its answer.
pub(super) fn learn_from_head<B, S>(road: &Road<'_, S>, answer: &Response<B>) {
    let noted = road.due.noted.as_deref().filter(|_| answer.status() == StatusCode::CREATED);
    if let Some(Noted { caller, named }) = noted {
        let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
        road.policy.authorization.enumeration.made(&road.call, caller.who(), named, location);
    }
}

/// Remembers the ids in an answer.
pub(super) fn learn<S: Sink>(
    road: &Road<'_, S>,
    (status, headers): (StatusCode, &HeaderMap),
    said: Option<&[u8]>,
) {
    if let Some(Noted { caller, named }) = road.due.noted.as_deref()
        && let Some(said) = said.filter(|_| status.is_success() && responses::is_json(headers))
    {
        road.policy.authorization.enumeration.shown(&road.call, caller.who(), named, said);
    }
}
