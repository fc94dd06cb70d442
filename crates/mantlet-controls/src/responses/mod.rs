//! Does an answer hold what should not leave?
//!
//! Defends against handlers that answer more than their response model has, against password hashes and other secrets that go along
//! with a record, and against errors that tell of the app's inside.
//!
//! An answer passes as it is if
//! 1. it is not JSON of a known length up to `judged-size`: streams stream, and what is too large is reported once for a route;
//! 2. each of its fields is one that the response model declared for its status has, or no model is declared, or nothing of it is what
//!    the model has;
//! 3. no field has the name of a secret and a value that could be one, or the docs below name the exception;
//! 4. it is no failure: a status from 500 on that the app did not mean, or a traceback in an answer from 400 on.
//!
//! Fields are cut out by their bytes; those between are the app's. A failure is replaced by a plain error with the request id, and
//! what the app said goes to the audit record.
//!
//! Secrets that are no passwords stay where the response model names them (`compatible`), and in answers that give tokens: there they
//! are handed out on purpose. The app's own document, and JSON that is a schema, is not looked into for them.
//!
//! To mind in deployment: what an app compresses is read if it is gzip, so no other coding is asked for.

mod config;
mod failure;
mod fields;
mod message;
mod names;
mod read;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body::Body;

pub use config::{Actions, Config, Errors, Fields, RouteConfig};

use self::{message::Kind, names::SecretNames, read::Seen};
use crate::{
    Answer, Call, Mode, Reason, Refusal,
    audit::{Record, Sink},
    news::News,
    response,
};

/// The checked `[responses]` section.
#[derive(Debug)]
pub struct Policy {
    names: SecretNames,
    judged_size: usize,
    reported: News,
}

/// Asks the app for nothing that could not be read. Before the request is sent.
pub(crate) fn prepare(actions: Actions, request: &mut HeaderMap) {
    if actions.all().contains(&Mode::Enforce) {
        message::ask_for_gzip_at_most(request);
    }
}

/// Whether an answer has to be looked into. Every answer is asked; few are concerned.
pub(crate) fn concerns<B: Body>(call: &Call, answer: &mut Response<B>) -> bool {
    let actions = call.route.responses;
    let status = answer.status();
    if actions.all() == [Mode::Off; 3]
        || status.is_informational()
        || matches!(
            status,
            StatusCode::NO_CONTENT
                | StatusCode::RESET_CONTENT
                | StatusCode::PARTIAL_CONTENT
                | StatusCode::NOT_MODIFIED
        )
    {
        return false;
    }
    let kind = Kind::of(answer.headers());
    let looks_at_fields = kind == Kind::Json
        && (actions.sensitive_fields() != Mode::Off
            || (actions.unknown_fields() != Mode::Off && promised(call, status).is_some()));
    let looks_for_failure = actions.errors() != Mode::Off && status.as_u16() >= 400;
    if call.method == Method::HEAD {
        if kind == Kind::Json && actions.unknown_fields() == Mode::Enforce && promised(call, status).is_some()
        {
            // That of a GET may be another one.
            answer.headers_mut().remove(header::CONTENT_LENGTH);
        }
        return false;
    }
    if looks_for_failure && status.is_server_error() {
        return true;
    }
    let ends = message::is_gzip(answer.headers())
        || answer.body().size_hint().exact().is_some_and(|length| length > 0);
    ends && (looks_at_fields || (looks_for_failure && kind != Kind::Other))
}

impl Policy {
    /// Looks into an answer that is concerned; cuts out of it, or replaces it.
    pub(crate) async fn filter<B: Body<Data = Bytes>>(
        &self,
        call: &Call,
        audit: &impl Sink,
        answer: Response<B>,
    ) -> Result<Response<Answer<B>>, Refusal> {
        let (mut parts, body) = answer.into_parts();
        let kind = Kind::of(&parts.headers);
        let failed = parts.status.is_server_error() && call.route.responses.errors() == Mode::Enforce;
        let seen = match kind {
            Kind::Json => read::read(body, self.judged_size).await,
            // It is replaced whatever it says; the beginning is for the record.
            Kind::Text if failed => read::begin(body, self.judged_size).await,
            Kind::Text if !parts.status.is_server_error() => read::read(body, self.judged_size).await,
            Kind::Text | Kind::Other => Ok(Seen::Unread(body)),
        };
        let seen = seen.map_err(|_| Refusal::from(Reason::AppClosed))?;
        let plain = match &seen {
            Seen::Whole(bytes) => message::plain(&parts.headers, bytes, self.judged_size),
            Seen::Begun(..) | Seen::Unread(_) => None,
        };
        if failure::is_failure(call, parts.status, kind, plain.as_deref()) {
            let mode = call.route.responses.errors();
            if mode == Mode::Enforce {
                let original = plain.as_deref().unwrap_or_else(|| seen.beginning());
                audit.record(Record::of_hidden(call, parts.status, mode, original));
                let (content_type, bytes) = response::hide(call, parts.status);
                message::replace(&mut parts.headers, content_type, bytes.len());
                return Ok(Response::from_parts(parts, Answer::read(bytes)));
            }
            if self.is_news(call, Reason::AppErrorHidden, mode) {
                audit.record(Record::of_hidden(call, parts.status, mode, &[]));
            }
        }
        if kind != Kind::Json {
            return Ok(Response::from_parts(parts, seen.into_answer()));
        }
        let Some(plain) = plain else {
            if self.is_news(call, Reason::ResponseNotJudged, Mode::Report) {
                audit.record(Record::of_unjudged(call, why_unjudged(&parts.headers)));
            }
            return Ok(Response::from_parts(parts, seen.into_answer()));
        };
        let Some(rest) = self.without_fields(call, audit, parts.status, &plain) else {
            return Ok(Response::from_parts(parts, seen.into_answer()));
        };
        message::shorten(&mut parts.headers, rest.len());
        Ok(Response::from_parts(parts, Answer::read(rest.into())))
    }

    /// Whether this is told of a route for the first time.
    fn is_news(&self, call: &Call, reason: Reason, mode: Mode) -> bool {
        let route = call.operation.as_ref().map_or(call.path.as_str(), |matched| &matched.route.path);
        self.reported.is_new(&format!("{} {} {} {route}", reason.code(), mode.as_str(), call.method))
    }
}

/// What the contract promises of an answer.
fn promised(call: &Call, status: StatusCode) -> Option<crate::contract::Promised> {
    call.operation.as_ref()?.promised(status.as_u16())
}

fn why_unjudged(headers: &HeaderMap) -> &str {
    match headers.get(header::CONTENT_ENCODING).and_then(|coding| coding.to_str().ok()) {
        Some(coding) if !message::is_gzip(headers) => coding,
        _ => "too large",
    }
}
