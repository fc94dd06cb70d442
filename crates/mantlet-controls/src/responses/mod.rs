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

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body::Body;

pub use config::{Actions, Config, Errors, Fields, RouteConfig};

use self::{
    message::Kind,
    names::SecretNames,
    read::{Seen, Trouble},
};
use crate::{
    Answer, Call, Mode, Reason, Refusal,
    audit::{Record, Sink},
    budget::Budget,
    contract,
    news::News,
    response,
};

/// When to try again while too many answers wait for clients that do not read them.
const RETRY_BUSY: Duration = Duration::from_secs(1);

/// The checked `[responses]` section.
#[derive(Debug)]
pub struct Policy {
    names: SecretNames,
    judged_size: usize,
    budget: Budget,
    reported: News,
    /// Routes that have answered compressed JSON of unknown length: maybe a stream.
    streams: News,
}

/// Whether an answer has to be looked into. Every answer is asked; few are concerned.
pub(crate) fn concerns<B: Body>(call: &Call, answer: &mut Response<B>) -> bool {
    let actions = call.route.responses;
    let status = answer.status();
    let is_asked = call.judged.asks_for(status);
    if (actions.all() == [Mode::Off; 3] && !is_asked)
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
    if call.method == Method::HEAD {
        let promise = promised(call, status);
        if kind == Kind::Json && fields::mode_of_unknown(call, promise) == Mode::Enforce {
            // What a GET answers may have other bytes. That a secret would be cut out of it is too rare to take the length of every HEAD.
            message::forget_bytes(answer.headers_mut());
        }
        return false;
    }
    if actions.errors() != Mode::Off && status.is_server_error() {
        return true;
    }
    let ends = match answer.body().size_hint().exact() {
        Some(length) => length > 0,
        // Compressed, a stream cannot be told from an answer that ends at once; where nothing is changed, nothing is held back.
        None => message::is_gzip(answer.headers()) && actions.all().contains(&Mode::Enforce),
    };
    ends && (may_act(call, status, kind) || (is_asked && kind == Kind::Json))
}

/// Whether something of an answer may be acted on, by what its head says.
fn may_act(call: &Call, status: StatusCode, kind: Kind) -> bool {
    let acts = |mode: Mode| mode != Mode::Off;
    let actions = call.route.responses;
    let is_json = kind == Kind::Json;
    (acts(actions.errors()) && (status.is_server_error() || (status.as_u16() >= 400 && kind != Kind::Other)))
        || (is_json && acts(actions.sensitive_fields()))
        || (is_json && acts(fields::mode_of_unknown(call, promised(call, status))))
}

impl Policy {
    /// Asks the app for nothing that could not be read. Before the request is sent.
    pub(crate) fn prepare(&self, call: &Call, request: &mut HeaderMap) {
        if call.route.responses.all().contains(&Mode::Enforce) {
            message::ask_for_gzip_at_most(request, !self.streams.knows(route(call)));
        }
    }

    /// Looks into an answer that is concerned; cuts out of it, or replaces it.
    pub(crate) async fn filter<B: Body<Data = Bytes>>(
        &self,
        call: &Call,
        audit: &impl Sink,
        answer: Response<B>,
    ) -> Result<Response<Answer<B>>, Refusal> {
        let (mut parts, body) = answer.into_parts();
        let kind = Kind::of(&parts.headers);
        if kind == Kind::Json && body.size_hint().exact().is_none() && message::is_gzip(&parts.headers) {
            // This one is read to its end; the next ones come uncompressed, so that those of them that stream are known.
            self.streams.is_new(route(call));
        }
        let failed = parts.status.is_server_error() && call.route.responses.errors() == Mode::Enforce;
        let mut part = self.budget.part();
        let most = self.judged_size;
        let seen = match kind {
            Kind::Json => read::read(body, most, &mut part).await,
            // It is replaced whatever it says; the beginning is for the record.
            Kind::Text if failed => read::begin(body, most, &mut part).await,
            Kind::Text if !parts.status.is_server_error() => read::read(body, most, &mut part).await,
            Kind::Text | Kind::Other => Ok(Seen::Unread(body)),
        };
        let seen = seen.map_err(|trouble| match trouble {
            Trouble::App => Refusal::from(Reason::AppClosed),
            Trouble::NoRoom => Refusal::retry(Reason::AppBusy, RETRY_BUSY),
        })?;
        let plain = match &seen {
            Seen::Whole(bytes) => message::plain(&parts.headers, bytes, self.judged_size),
            Seen::Begun(..) | Seen::Unread(_) => Err(message::TOO_LARGE),
        };
        if call.judged.asks_for(parts.status) {
            contract::learn(call, audit, parts.status, plain.as_deref().ok());
        }
        if failure::is_failure(call, parts.status, kind, plain.as_deref().ok()) {
            let mode = call.route.responses.errors();
            if mode == Mode::Enforce {
                let original = plain.as_deref().unwrap_or_else(|_| seen.beginning());
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
            return Ok(Response::from_parts(parts, seen.into_answer(part)));
        }
        let plain = match plain {
            Ok(plain) => plain,
            Err(why) => {
                let acts = may_act(call, parts.status, kind);
                if acts && self.is_news(call, Reason::ResponseNotJudged, Mode::Report) {
                    audit.record(Record::of_unjudged(call, why));
                }
                return Ok(Response::from_parts(parts, seen.into_answer(part)));
            }
        };
        let is_file = parts.headers.contains_key(header::LAST_MODIFIED)
            || parts.headers.contains_key(header::CONTENT_DISPOSITION);
        let Some(rest) = self.without_fields(call, audit, (parts.status, is_file), &plain) else {
            return Ok(Response::from_parts(parts, seen.into_answer(part)));
        };
        message::shorten(&mut parts.headers, rest.len());
        Ok(Response::from_parts(parts, Answer::read(part.with(rest.into()))))
    }

    /// Whether this is told of a route for the first time.
    fn is_news(&self, call: &Call, reason: Reason, mode: Mode) -> bool {
        let method = call.operation.as_ref().map_or("", |_| call.method.as_str());
        self.reported.is_new(&format!("{} {} {method} {}", reason.code(), mode.as_str(), route(call)))
    }
}

/// What answers are remembered by. All that have no route together: a client can make up any number of paths, and of methods.
fn route(call: &Call) -> &str {
    call.operation.as_ref().map_or("", |matched| &matched.route.path)
}

/// What the contract promises of an answer.
fn promised(call: &Call, status: StatusCode) -> Option<crate::contract::Promised> {
    call.operation.as_ref()?.promised(status.as_u16())
}
