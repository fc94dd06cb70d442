//! Does a response contain what clients should not get?
//!
//! Defends against handlers that return more than their response model has, against password hashes
//! and other secrets in returned records, and against errors that reveal the app's internals.
//!
//! A response passes unchanged if
//! 1. no field that the operation's models do not declare has the name of a secret and a value that
//!    only a secret can have; in `strict` posture: no field has such a name at all;
//! 2. it does not reveal the app's internals: Starlette's bare 500, its debugging page, a
//!    traceback, from 500 on; in `strict` posture: it is not an undeclared failure;
//! 3. in `strict` posture: each of its fields is one that the response model declared for its
//!    status has, or no model is declared, or nothing of it is what the model has; and it is JSON
//!    that can be examined as a whole.
//!
//! Only the bytes of a field are cut out; the others stay the app's. In a response that streams, is
//! too large or cannot be read, a secret's value is overwritten on the way. A failure is replaced
//! by a plain error with the request id, and the app's response goes to the audit record.
//!
//! If FastAPI serialises a response model, there are no undeclared fields. The app's own code wrote
//! any others, on purpose or not. So in `compatible` posture they are recorded and pass.
//!
//! To mind in deployment: only gzip can be read, so the app is asked for no other coding.
//!
//! ```
//! use mantlet_controls::{Context, Section, responses::{Config, Secrets}};
//!
//! let config = Config { sensitive_fields: Some(Secrets::Strip), ..Config::default() };
//! assert!(config.check(&Context::default()).is_ok());
//! let mistakes = Config { sensitive_names: vec!["x".into()], ..config }.check(&Context::default()).unwrap_err();
//! assert_eq!(mistakes[0].key, "sensitive-names[0]");
//! ```

mod config;
mod failure;
mod fields;
mod lenient;
mod message;
mod names;
mod read;
mod scan;
mod scanned;
mod secrets;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, ops::Deref, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header, response};
use http_body::Body;

pub use config::{Actions, Config, Errors, Fields, RouteConfig, Secrets, Unjudged};

pub(crate) use self::message::forget_bytes;
use self::{
    fields::Outcome,
    message::Kind,
    names::SecretNames,
    read::{Extent, Seen, Trouble},
    scan::{Scanner, Wanted},
    scanned::{Scanned, Tell},
    secrets::Secret,
};
use crate::{
    Call, Mode, Reason, Refusal, ResponseBody,
    audit::{FirstTime, Record, Sink},
    config::Posture,
    message::{
        Rewritten,
        budget::{Budget, Part},
        digests,
    },
    operation::Promised,
    refusal::response as refused,
};

/// `Retry-After` while too many responses wait for clients that do not read them.
const RETRY_BUSY: Duration = Duration::from_secs(1);

/// The checked `[responses]` section.
#[derive(Debug)]
pub struct Policy {
    names: Arc<SecretNames>,
    judged_size: usize,
    budget: Budget,
    reported: Arc<FirstTime>,
    /// Routes with a response that was changed.
    changed: FirstTime,
    /// Routes that have answered compressed JSON of unknown length: maybe a stream.
    streams: FirstTime,
}

/// A call, with what holds for its operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'c> {
    call: &'c Call,
    actions: Actions,
    posture: Posture,
    /// Whether a claimed promise counts: in strict posture, and for a trusted document.
    trusts_claims: bool,
}

impl<'c> Subject<'c> {
    /// `trusts_documents` if a document counts as exact.
    pub(crate) fn of(call: &'c Call, actions: Actions, posture: Posture, trusts_documents: bool) -> Self {
        let is_document = call.operation.as_ref().is_some_and(|matched| !matched.contract.is_exact());
        let trusts_claims = posture == Posture::Strict || is_document && trusts_documents;
        Self { call, actions, posture, trusts_claims }
    }
}

impl Deref for Subject<'_> {
    type Target = Call;

    fn deref(&self) -> &Call {
        self.call
    }
}

/// Whether another control needs the content of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Not,
    /// If nothing has to be held back for it.
    Gladly,
    /// In any case, and all of it.
    Whole,
}

/// Whether an answer is JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    Kind::of(headers) == Kind::Json
}

/// An answer of the app, taken apart.
pub(crate) struct Parts<B> {
    head: response::Parts,
    /// Bytes that are read at most.
    most: usize,
    kind: Kind,
    seen: Seen<B>,
    /// How far it is to be read.
    extent: Option<Extent>,
    /// What it has of the budget.
    part: Part,
    /// Whether its length was known.
    ends: bool,
}

impl<B: Body<Data = Bytes>> Parts<B> {
    pub(crate) const fn status(&self) -> StatusCode {
        self.head.status
    }

    /// The body without its compression, or why it cannot be had.
    pub(crate) fn plain(&self) -> Result<Cow<'_, [u8]>, &'static str> {
        match &self.seen {
            Seen::Whole(bytes) => message::plain(&self.head.headers, bytes, self.most),
            Seen::Begun(..) | Seen::Unread(_) if self.head.status == StatusCode::PARTIAL_CONTENT => {
                Err("a part")
            }
            Seen::Begun(..) | Seen::Unread(_) if self.ends => Err(message::TOO_LARGE),
            Seen::Begun(..) | Seen::Unread(_) => Err("of unknown length"),
        }
    }

    /// Replaces the body by what is left of it.
    pub(crate) fn replace(&mut self, rest: Bytes) {
        message::shorten(&mut self.head.headers, rest.len());
        self.seen = Seen::Whole(rest);
    }

    /// Reads the body as far as it is worth it.
    pub(crate) async fn read(&mut self) -> Result<(), Refusal> {
        let Some(extent) = self.extent.take() else { return Ok(()) };
        self.seen.read(extent, &mut self.part).await.map_err(|trouble| match trouble {
            Trouble::App => Reason::AppClosed.into(),
            Trouble::NoRoom => Refusal::retry(Reason::AppBusy, RETRY_BUSY),
        })
    }
}

impl Policy {
    /// Whether a response has to be examined.
    /// Called for every response; few need it.
    pub(crate) fn concerns<B: Body>(
        &self,
        call: &Subject<'_>,
        asked: Asked,
        answer: &mut Response<B>,
    ) -> bool {
        let actions = call.actions;
        let status = answer.status();
        if (actions.are_off() && asked == Asked::Not)
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
        {
            return false;
        }
        let kind = Kind::of(answer.headers());
        if call.method == Method::HEAD {
            self.prepare_head(call, status, kind, answer.headers_mut());
            return false;
        }
        let acts = |mode: Mode| mode != Mode::Off;
        let length = answer.body().size_hint().exact();
        if acts(actions.errors())
            && status.is_server_error()
            && (kind.is_readable() || !actions.only_internal())
        {
            return true;
        }
        match kind {
            Kind::Json | Kind::Text if asked == Asked::Whole => true,
            Kind::Json if length == Some(0) => false,
            // A compressed stream looks like a response that ends at once. If nothing would be
            // changed, nothing is held back.
            Kind::Json if length.is_none() && message::is_gzip(answer.headers()) && !actions.may_change() => {
                false
            }
            Kind::Json => {
                asked != Asked::Not
                    || acts(actions.certain_secrets())
                    || acts(fields::mode_of_unknown(call, promised(call, status)))
                    || (acts(actions.errors()) && status.as_u16() >= 400 && !actions.only_internal())
            }
            Kind::Text => {
                acts(actions.errors())
                    && status.as_u16() >= 400
                    && !actions.only_internal()
                    && length != Some(0)
            }
            Kind::Stream => acts(actions.certain_secrets()) && message::is_plain(answer.headers()),
            Kind::Other => false,
        }
    }

    /// A response to HEAD describes the body of the response to GET.
    fn prepare_head(&self, call: &Subject<'_>, status: StatusCode, kind: Kind, headers: &mut HeaderMap) {
        let actions = call.actions;
        if status.is_server_error() && actions.errors() == Mode::Enforce {
            let length =
                headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
            if failure::may_be_bare(status, kind, length) {
                let (content_type, bytes) = refused::hide(call, status);
                message::replace(headers, content_type, bytes.len());
            } else if kind.is_readable() || !actions.only_internal() {
                message::forget_bytes(headers);
            }
            return;
        }
        if kind != Kind::Json {
            return;
        }
        let is_cut = fields::mode_of_unknown(call, promised(call, status)) == Mode::Enforce;
        if is_cut || self.changed.knows(route(call)) {
            // Secrets are too rare to remove the length from every response to HEAD; only routes
            // that have had one lose it.
            message::forget_bytes(headers);
        }
    }

    /// Asks the app only for codings that can be read. Called before the request is sent.
    pub(crate) fn prepare(&self, call: &Subject<'_>, request: &mut HeaderMap) {
        if call.actions.may_change() {
            message::ask_for_gzip_at_most(request, !self.streams.knows(route(call)));
        }
    }

    /// Takes apart an answer that is concerned, and says how far it has to be read.
    pub(crate) fn take_apart<B: Body>(
        &self,
        call: &Subject<'_>,
        asked: Asked,
        answer: Response<B>,
    ) -> Parts<B> {
        let (head, body) = answer.into_parts();
        let actions = call.actions;
        let kind = Kind::of(&head.headers);
        let (status, is_gzip) = (head.status, message::is_gzip(&head.headers));
        let ends = body.size_hint().exact().is_some() || is_gzip || asked == Asked::Whole;
        if kind == Kind::Json && body.size_hint().exact().is_none() && is_gzip {
            // This one is read to its end; the next ones come uncompressed, so that those of them that stream are known.
            self.streams.is_new(route(call));
        }
        let failed = status.is_server_error() && actions.errors() != Mode::Off;
        let replaces = failed && actions.errors() == Mode::Enforce && !actions.only_internal();
        let whole = Extent::UpTo(self.judged_size);
        let is_longer = body.size_hint().lower() > self.judged_size as u64;
        let extent = match kind {
            Kind::Json | Kind::Text if status == StatusCode::PARTIAL_CONTENT => None,
            // It is replaced whatever it says; the beginning is for the record.
            Kind::Text if replaces => Some(whole),
            Kind::Json | Kind::Text if ends || replaces => Some(whole).filter(|_| !is_longer),
            // A stream. Where it tells of the app's inside, it does so at once.
            Kind::Json | Kind::Text if failed => Some(Extent::First),
            Kind::Text if !status.is_server_error() => Some(whole).filter(|_| !is_longer),
            Kind::Json | Kind::Text | Kind::Stream | Kind::Other => None,
        };
        let (seen, part) = (Seen::Unread(body), self.budget.part());
        Parts { head, most: self.judged_size, kind, seen, extent, part, ends }
    }

    /// Judges an answer that was read as far as it is worth it; cuts out of it, or replaces it. `learn` is told what the app said, if that could be read.
    pub(crate) fn judge<B: Body<Data = Bytes>>(
        &self,
        call: &Subject<'_>,
        audit: &impl Sink,
        mut parts: Parts<B>,
        learn: impl FnOnce(&HeaderMap, Option<&[u8]>),
    ) -> Response<ResponseBody<B>> {
        let (actions, status) = (call.actions, parts.head.status);
        let kind = parts.kind;
        let plain = parts.plain();
        learn(&parts.head.headers, plain.as_deref().ok());
        let begun = plain.as_deref().ok().or_else(|| match &parts.seen {
            Seen::Begun(bytes, _) if message::is_plain(&parts.head.headers) => Some(&**bytes),
            _ => None,
        });
        if failure::is_failure(call, status, kind, begun) {
            let mode = actions.errors();
            if mode == Mode::Enforce {
                let original = begun.unwrap_or_else(|| parts.seen.beginning());
                audit.record(Record::of_hidden(call, status, mode, original));
                let (content_type, bytes) = refused::hide(call, status);
                message::replace(&mut parts.head.headers, content_type, bytes.len());
                return Response::from_parts(parts.head, ResponseBody::read(bytes));
            }
            if self.is_news(call, Reason::AppErrorHidden, mode) {
                audit.record(Record::of_hidden(call, status, mode, &[]));
            }
        }
        match (kind, plain) {
            (Kind::Json, Ok(plain)) => {
                let is_file = message::is_file(&parts.head.headers);
                match self.judge_fields(call, audit, (status, is_file), &plain) {
                    Outcome::Same => {}
                    Outcome::Rest(rest) => {
                        self.changed.is_new(route(call));
                        message::shorten(&mut parts.head.headers, rest.len());
                        let body = ResponseBody::read(parts.part.with(rest.into()));
                        return Response::from_parts(parts.head, body);
                    }
                    Outcome::Unreadable(why) => return self.unjudged(call, audit, parts, why),
                }
            }
            (Kind::Json, Err(why)) => return self.unjudged(call, audit, parts, why),
            (Kind::Stream, _) => return self.scanned(call, audit, parts),
            (Kind::Text | Kind::Other, _) => {}
        }
        Response::from_parts(parts.head, parts.seen.into_answer(parts.part))
    }

    /// The treatment of JSON that was not judged.
    fn unjudged<B: Body<Data = Bytes>>(
        &self,
        call: &Subject<'_>,
        audit: &impl Sink,
        mut parts: Parts<B>,
        why: &'static str,
    ) -> Response<ResponseBody<B>> {
        let status = parts.head.status;
        let is_file = message::is_file(&parts.head.headers);
        let may_name_secrets = fields::may_name_secrets(call, status, is_file);
        let for_unknown = fields::mode_of_unknown(call, promised(call, status));
        if !may_name_secrets && for_unknown == Mode::Off {
            return Response::from_parts(parts.head, parts.seen.into_answer(parts.part));
        }
        let enforces = for_unknown == Mode::Enforce
            || (may_name_secrets && call.actions.secret_names() == Mode::Enforce);
        // A stream has no size that a client could have chosen to be too large.
        let mode = call.actions.unjudged(enforces).under(!parts.ends);
        if mode == Mode::Enforce {
            audit.record(Record::of_unjudged(call, mode, why));
            let (content_type, bytes) = refused::unjudged(call);
            parts.head.status = StatusCode::INTERNAL_SERVER_ERROR;
            message::replace(&mut parts.head.headers, content_type, bytes.len());
            return Response::from_parts(parts.head, ResponseBody::read(bytes));
        }
        if self.is_news(call, Reason::ResponseNotJudged, mode) {
            audit.record(Record::of_unjudged(call, mode, why));
        }
        if may_name_secrets && message::is_plain(&parts.head.headers) {
            return self.scanned(call, audit, parts);
        }
        Response::from_parts(parts.head, parts.seen.into_answer(parts.part))
    }

    /// Searches an unjudged body for values that only a secret can have.
    fn scanned<B: Body<Data = Bytes>>(
        &self,
        call: &Subject<'_>,
        audit: &impl Sink,
        mut parts: Parts<B>,
    ) -> Response<ResponseBody<B>> {
        let mode = call.actions.certain_secrets();
        let (reason, keep) = (Reason::ResponseFieldSensitive, audit.keep());
        let declared =
            self.names.declared_by(|is| call.operation.as_ref().is_some_and(|matched| matched.declares(is)));
        let wanted = Wanted {
            names: Arc::clone(&self.names),
            declared,
            private_keys: fields::leaves_by_mistake(call, Secret::PrivateKey),
            masks: mode == Mode::Enforce,
        };
        let scanner = Scanner::new(wanted);
        let (ahead, rest) = match parts.seen {
            Seen::Whole(bytes) => {
                let (out, names) = scanner.whole(&bytes);
                if names.is_empty() {
                    let answer = ResponseBody::read(parts.part.with(bytes));
                    return Response::from_parts(parts.head, answer);
                }
                if self.is_news(call, reason, mode) {
                    audit.record(Record::of_answer(call, reason, mode, &names));
                }
                digests::forget(&mut parts.head.headers);
                let answer = ResponseBody::read(parts.part.with(out.into()));
                return Response::from_parts(parts.head, answer);
            }
            Seen::Begun(bytes, rest) => (Some(parts.part.with(bytes)), rest),
            Seen::Unread(body) => (None, Box::pin(body)),
        };
        let tell = Tell {
            keep,
            record: Record::of_answer(call, reason, mode, &[]),
            reported: Arc::clone(&self.reported),
            known_as: known_as(call, reason, mode),
        };
        let rewrite = Box::new(Scanned::new(scanner, tell));
        let rewritten = Box::new(Rewritten::new(ahead, rest, rewrite));
        Response::from_parts(parts.head, ResponseBody::Rewritten { rewritten })
    }

    /// Whether this is told of a route for the first time.
    fn is_news(&self, call: &Subject<'_>, reason: Reason, mode: Mode) -> bool {
        self.reported.is_new(&known_as(call, reason, mode))
    }

    /// Whether this has been told of a route.
    fn is_told(&self, call: &Subject<'_>, reason: Reason, mode: Mode) -> bool {
        self.reported.knows(&known_as(call, reason, mode))
    }
}

/// By what it is known that something has been told of a route.
fn known_as(call: &Subject<'_>, reason: Reason, mode: Mode) -> String {
    let method = call.operation.as_ref().map_or("", |_| call.method.as_str());
    format!("{} {} {method} {}", reason.code(), mode.as_str(), route(call))
}

/// The key by which responses are remembered. Those without a route share one, because a client can
/// make up any number of paths and methods.
fn route<'c>(call: &Subject<'c>) -> &'c str {
    call.call.operation.as_ref().map_or("", |matched| &matched.route.path)
}

/// The contract's promise about a response.
fn promised(call: &Subject<'_>, status: StatusCode) -> Option<Promised> {
    call.operation.as_ref()?.promised(status.as_u16())
}
