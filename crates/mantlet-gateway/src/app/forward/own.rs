//! Requests for the accounts that Mantlet keeps, and the app's document, which names their login.

use std::{future::poll_fn, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body::Body as _;
use hyper::body::Incoming;
use mantlet_controls::{
    Call, Reason, Refusal, RequestBody, audit::Sink, operation::is_documentation, pipeline,
};

use super::{Forward, invalid};
use crate::{
    app::response_body::AppResponseBody,
    fetch,
    house::{Asked, House, LONGEST_DOCUMENT, LONGEST_REQUEST, PATIENCE},
    request_body::ClientRequestBody,
};

/// When to try again what was not answered in time.
const RETRY: Duration = Duration::from_secs(2);

impl Forward<'_> {
    /// Has a request for the accounts answered, and records what has happened.
    pub(super) async fn answer_own(
        &self,
        call: &Call,
        house: &dyn House,
        (parts, body): (Parts, RequestBody<ClientRequestBody>),
    ) -> Result<Response<AppResponseBody>, Refusal> {
        let body = whole(body).await?;
        let _presence = pipeline::enter(self.policy, self.audit, call)?;
        let origin =
            format!("{}://{}", call.client.scheme.as_str(), call.host.asked().unwrap_or("localhost"));
        let (request, client) = (Request::from_parts(parts, body), call.client.address);
        let asked = Asked { request, client, origin };
        let answered = tokio::time::timeout(PATIENCE, house.answer(asked)).await;
        let Ok(answer) = answered else {
            return Err(Refusal::retry(Reason::AccountsUnavailable, RETRY));
        };
        let mut response = answer.response;
        if let Some(event) = answer.event.filter(|_| self.policy.records_actions()) {
            self.audit.record(event.record(call, response.status()));
        }
        let headers = response.headers_mut();
        headers.remove(header::CONNECTION);
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        Ok(response.map(AppResponseBody::whole))
    }
}

/// The whole body, which is short.
async fn whole(mut body: RequestBody<ClientRequestBody>) -> Result<Bytes, Refusal> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = poll_fn(|cx| body.poll_data(cx)).await {
        bytes.extend_from_slice(&piece?);
        if bytes.len() > LONGEST_REQUEST {
            return Err(Reason::BodyTooLarge.into());
        }
    }
    Ok(bytes.freeze())
}

/// Whether a request may be for the app's document.
pub(super) fn asks_for_document(call: &Call) -> bool {
    matches!(call.method, Method::GET | Method::HEAD)
        && call.operation.as_ref().map_or(call.own_path() == "/openapi.json", is_documentation)
}

/// Has the app answer with the whole document as it is: no part of it, and not "the same as before".
pub(super) fn ask_plainly(headers: &mut HeaderMap) {
    for name in [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_RANGE, header::RANGE] {
        headers.remove(name);
    }
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// Whether an answer has a document that can be read.
pub(super) fn is_document(response: &Response<Incoming>) -> bool {
    let headers = response.headers();
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    response.status() == StatusCode::OK
        && kind.get(..16).is_some_and(|kind| kind.eq_ignore_ascii_case(b"application/json"))
        && !headers.contains_key(header::CONTENT_ENCODING)
        && response.body().size_hint().exact().is_some_and(|length| length <= LONGEST_DOCUMENT)
}

/// Its head says nothing of the length and the state of another document.
pub(super) fn forget_document(headers: &mut HeaderMap) {
    for name in [header::CONTENT_LENGTH, header::ETAG, header::LAST_MODIFIED, header::ACCEPT_RANGES] {
        headers.remove(name);
    }
}

/// Reads the document.
pub(super) async fn read_document(body: Incoming) -> Result<Bytes, Refusal> {
    let most = usize::try_from(LONGEST_DOCUMENT).unwrap_or(usize::MAX);
    fetch::read(body, most).await.map_err(|_| invalid("its OpenAPI document ends early"))
}
