//! Who is the caller?
//!
//! Defends the app against tokens that it has not made: forged ones, ones without a signature, and
//! ones that have expired. And it finds out who calls, for all that counts and records by caller.
//!
//! Nothing has to be configured. The app hands out a token at its login; the gate tries it against
//! the texts of the app that may be its key ([`Candidates`]). The one that verifies it is the key.
//!
//! A request passes if
//! 1. it has no token; or the token is not one of this app's: another issuer may have made it,
//!    or it is not a signed token at all. The app decides about it;
//! 2. the app's key verifies its token, and the token has not expired. Then the caller is known;
//! 3. its operation answers without a token, too (in `compatible` posture);
//! 4. it is not known that the app has no other key: its code may take one from a database;
//! 5. the app was not seen to refuse such a token itself. The gate asks the app, once for each way in
//!    which operations ask for a token: with a token whose signature it has replaced, with one of
//!    `alg: none`, and without any. An expired token is refused if it is older than one that the app was
//!    seen to refuse.
//!
//! A refusal repeats the app's own answer: its status and its body. The same holds for a token in a
//! cookie that an operation declares.
//!
//! To mind in deployment: a key that each worker makes for itself is not found, nor are the tokens of
//! such an app good in another worker.
//!
//! ```
//! use mantlet_controls::{Context, Mode, Section, authentication::Config};
//!
//! let config = Config { optional: Some(Mode::Enforce), ..Config::default() };
//! assert!(config.check(&Context::default()).is_ok());
//! ```

mod binding;
mod config;
mod course;
mod credential;
mod ends;
mod forge;
mod guess;
mod handing_out;
mod handshake;
mod learn;
mod logout;
mod memory;
mod principal_header;
mod public_keys;
mod sent;
pub mod sessions;
mod shown;
mod strangers;
mod tenure;
mod trial;

use std::{borrow::Cow, sync::Arc};

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use mantlet_contract::inputs::in_cookies;

pub(crate) use self::{
    binding::{Browser, set_cookie},
    course::Course,
    credential::{Beside, with_token},
    forge::{Carrier, forged, unsigned},
    sent::Sent,
    shown::AllShown,
};
pub use self::{
    config::Config,
    memory::Memory,
    principal_header::PrincipalKey,
    tenure::{Over, Tenure},
    trial::Weakness,
};
use self::{ends::Ends, principal_header::PrincipalHeader, sessions::Sessions, trial::Pinned};
use crate::{
    Call, Mode, Reason, Refusal,
    call::Known,
    config::units::Span,
    identity::{Verdict, access_token_text, cache},
    operation::{Need, Security},
    refusal::{Faults, Said, Words},
    token::{self, Candidates, TokenFault},
};

/// The checked `[authentication]` section.
#[derive(Debug)]
pub struct Policy {
    mode: Mode,
    unproven: Mode,
    optional: Mode,
    unknown: Mode,
    ends: Ends,
    idle: Option<Span>,
    max_age: Option<Span>,
    principal_header: Option<PrincipalHeader>,
    binding: Mode,
    /// The sessions of the app.
    pub sessions: Sessions,
    memory: Memory,
    candidates: Candidates,
}

/// What a request has shown, for what its answer teaches.
#[derive(Debug, Default)]
pub(crate) enum Presented {
    /// Nothing that the answer could teach about.
    #[default]
    Nothing,
    /// A good one, where it is not known what the app does with a forged one.
    Good(Box<Question>),
    /// A bad one, and the way in which its operation asks.
    Bad { fault: TokenFault, age: Option<i64>, kind: u64 },
    /// A good one in the handshake of a WebSocket, by its target.
    GoodHandshake { target: u64 },
    /// A bad one there.
    BadHandshake { target: u64, age: Option<i64> },
}

impl Presented {
    /// Takes out the question, if there is one.
    pub(crate) fn take_question(&mut self) -> Option<Box<Question>> {
        match std::mem::take(self) {
            Self::Good(question) => Some(question),
            other => {
                *self = other;
                None
            }
        }
    }
}

/// A request whose answer is to be held against that to a forged token.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) token: Box<str>,
    pub(crate) carrier: Carrier,
    pub(crate) target: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) kind: u64,
}

/// What the app has answered to questions of the gate.
#[derive(Debug)]
pub(crate) struct Answers {
    /// To a token with another signature, and to one without.
    pub(crate) bad: [Said; 2],
    /// To no token at all.
    pub(crate) missing: Said,
}

impl Policy {
    /// Judges the token of a request: who its caller is, what it has shown, and what is wrong.
    pub(crate) fn judge<B>(
        &self,
        call: &Call,
        request: &Request<B>,
        beside: &[Beside<'_>],
    ) -> (Option<Known>, Presented, Faults) {
        let nothing = || (None, Presented::Nothing, Faults::new());
        if self.mode == Mode::Off {
            return nothing();
        }
        let headers = request.headers();
        let found = credential(call, headers);
        if found.is_none() && beside.is_empty() {
            return nothing();
        }
        self.follow_the_app();
        let (mut epoch, mut pinned) = (self.memory.epoch(), self.memory.pinned());
        if pinned.is_none() {
            let first = found.as_ref().map(|(token, _)| &**token);
            self.look_again(first.or_else(|| Some(&*beside.first()?.token)).unwrap_or_default());
            (epoch, pinned) = (self.memory.epoch(), self.memory.pinned());
        }
        let Some(pinned) = &*pinned else { return nothing() };
        let (token, carrier, verdict) = match found {
            Some((token, carrier)) => {
                let verdict = verdict(call, (pinned, epoch), &token);
                (token, carrier, verdict)
            }
            None => match best_of(call, (pinned, epoch), beside) {
                Some((one, verdict)) => (Cow::from(&*one.token), one.carrier.clone(), verdict),
                None => return nothing(),
            },
        };
        match verdict {
            Verdict::Unjudged => nothing(),
            Verdict::Good(principal) if call.opens_websocket => {
                let target = handshake::target_of(call, request, &carrier);
                (Some(principal), Presented::GoodHandshake { target }, Faults::new())
            }
            Verdict::Good(principal) => {
                (Some(principal), self.question(call, request, &token, &carrier), Faults::new())
            }
            Verdict::Bad(fault, age) if call.opens_websocket => {
                let target = handshake::target_of(call, request, &carrier);
                let is_alone = handshake::is_alone(headers, beside, &carrier);
                let (presented, faults) = self.bad_handshake(pinned, (fault, age), (target, is_alone));
                (None, presented, faults)
            }
            Verdict::Bad(fault, age) => {
                let is_alone =
                    !has_another(call, headers, &carrier) && !self.may_have_session(headers, &carrier);
                self.bad(call, pinned, (fault, age), (&carrier, is_alone))
            }
        }
    }

    /// Tells the app the proven caller, if that is asked for.
    pub(crate) fn name_principal(&self, call: &Call, headers: &mut HeaderMap) {
        if let Some(header) = &self.principal_header {
            header.write(call, headers);
        }
    }

    /// The app has started again: its key may be another one.
    fn follow_the_app(&self) {
        let generation = self.candidates.generation();
        let is_old = self.memory.pinned().as_ref().is_some_and(|pinned| pinned.generation != generation);
        if is_old {
            self.memory.pin(None);
        }
    }

    /// Whether a cookie may hold a session that the app takes in place of a bad token.
    fn may_have_session(&self, headers: &HeaderMap, carrier: &Carrier) -> bool {
        !matches!(carrier, Carrier::Cookie(_))
            && headers.contains_key(header::COOKIE)
            && self.sessions.has_cookies()
    }

    /// The app has started again, and its key is not known yet: a token that it has handed out before
    /// is tried. What only the client says to be a token proves nothing.
    fn look_again(&self, token: &str) {
        let is_of_the_app = token::has_its_form(token)
            && self.sessions.count() > 0
            && self
                .sessions
                .find(&sessions::digest(token.as_bytes()))
                .is_some_and(|found| found.kind == sessions::Kind::Bearer && found.session.ended().is_none());
        let generation = self.candidates.generation();
        if is_of_the_app && self.memory.may_search(generation) {
            let (candidates, is_complete) = self.candidates.get();
            if let Some(found) = trial::search(token, generation, &candidates, is_complete, false) {
                self.memory.pin(Some(found));
            }
        }
    }

    /// Whether a request could show what the app does with forged tokens: its answer is to be held
    /// against those to forged ones.
    fn question<B>(&self, call: &Call, request: &Request<B>, token: &str, carrier: &Carrier) -> Presented {
        let is_asked = |(need, _): &(Need, u64)| {
            let is_alone = match (carrier, request.uri().query()) {
                (_, None) => true,
                (Carrier::Query(name), Some(query)) => with_token(query, name, None).is_empty(),
                (_, Some(_)) => false,
            };
            call.method == Method::GET && (*need == Need::Required || is_alone)
        };
        let Some((_, kind)) = need_of(call, carrier).filter(is_asked) else {
            return Presented::Nothing;
        };
        match self.memory.agreement(kind) {
            Some(agreement) if agreement.begin_to_ask(call.clock.time().as_second()) => {
                Presented::Good(Box::new(Question {
                    token: token.into(),
                    carrier: carrier.clone(),
                    target: request.uri().clone(),
                    headers: request.headers().clone(),
                    kind,
                }))
            }
            _ => Presented::Nothing,
        }
    }

    fn bad(
        &self,
        call: &Call,
        pinned: &Pinned,
        (fault, age): (TokenFault, Option<i64>),
        (carrier, is_alone): (&Carrier, bool),
    ) -> (Option<Known>, Presented, Faults) {
        let Some((need, kind)) = need_of(call, carrier) else {
            return (None, Presented::Nothing, Faults::new());
        };
        let agreement = self.memory.agreement(kind);
        let agreement = agreement.as_deref();
        // Whether the app refuses what has expired, and how long after, is not known.
        let words = agreement.filter(|_| age.is_none()).and_then(|agreement| agreement.forged.words());
        // What the app declares as optional, it may ask for nevertheless.
        let is_needed =
            need == Need::Required || agreement.is_some_and(|agreement| agreement.missing.words().is_some());
        let is_unsure = call.operation.as_ref().is_some_and(|matched| matched.unsure) || !is_alone;
        let is_proven = pinned.is_only && age.is_none();
        let contradicted = agreement.is_some_and(|agreement| agreement.forged.was_accepted());
        let (mode, line) = if !is_needed {
            (self.optional, "authentication.optional = \"enforce\"")
        } else if is_unsure || contradicted {
            (Mode::Report, "")
        } else if words.is_none() || !is_proven {
            (self.unproven, "authentication.unproven = \"enforce\"")
        } else {
            (self.mode, "")
        };
        let remedy = (mode == Mode::Report && !line.is_empty()).then(|| line.into());
        let mode = if self.mode == Mode::Report { Mode::Report } else { mode };
        let refusal = Refusal { remedy, words, ..Refusal::about(Reason::TokenInvalid, fault.text()) };
        // Beside another credential nothing is learned of what the app does with a bad token alone.
        let teaches = is_needed && !is_unsure;
        let presented = if teaches { Presented::Bad { fault, age, kind } } else { Presented::Nothing };
        (None, presented, vec![(mode, refusal)])
    }
}

/// The verdict on a token, remembered or new.
fn verdict(call: &Call, (pinned, epoch): (&Pinned, u64), token: &str) -> Verdict {
    let now = call.clock.time();
    let known = cache::recall(token, now.as_second(), |by, known, verdict| {
        (by.is_empty() && known == epoch).then(|| verdict.clone())
    });
    known.unwrap_or_else(|| {
        let verdict = pinned.judge(token, now);
        cache::keep(token, "", epoch, &verdict);
        verdict
    })
}

/// Of several tokens a good one, else the first signed one.
fn best_of<'b, 'r>(
    call: &Call,
    pinned: (&Pinned, u64),
    beside: &'b [Beside<'r>],
) -> Option<(&'b Beside<'r>, Verdict)> {
    let signed = beside.iter().filter(|one| token::has_its_form(&one.token));
    let mut judged = signed.map(|one| (one, verdict(call, pinned, &one.token))).peekable();
    let first = judged.peek().cloned();
    judged.find(|(_, verdict)| matches!(verdict, Verdict::Good(_))).or(first)
}

/// The token of a request, and where it stands: in its `Authorization`, else in a cookie that its
/// operation declares.
fn credential<'h>(call: &Call, headers: &'h HeaderMap) -> Option<(Cow<'h, str>, Carrier)> {
    if let Some(token) = access_token_text(headers) {
        return Some((token, Carrier::Bearer));
    }
    let security = call.operation.as_ref()?.security()?;
    security.cookies.iter().find_map(|(name, _)| {
        let lines = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
        let value = in_cookies(lines, name).filter(|value| token::has_its_form(value))?;
        Some((value.into(), Carrier::Cookie(name.clone())))
    })
}

/// Whether a request has another credential that its operation takes.
fn has_another(call: &Call, headers: &HeaderMap, carrier: &Carrier) -> bool {
    let Some(security) = call.operation.as_ref().and_then(|matched| matched.security()) else { return false };
    let lines = || headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
    let is_own = |name: &str| *carrier == Carrier::Cookie(name.into());
    security.has_others
        || security.cookies.iter().any(|(name, _)| !is_own(name) && in_cookies(lines(), name).is_some())
}

/// How the operation of a request asks for a credential of this kind, if it does, and the number of this
/// way to ask.
fn need_of(call: &Call, carrier: &Carrier) -> Option<(Need, u64)> {
    let matched = call.operation.as_ref()?;
    if let Carrier::Query(_) = carrier {
        let asked = matched.query_token(&call.method)?;
        return Some((asked.need, asked.kind));
    }
    let security = matched.security()?;
    Some((need_in(security, carrier)?, kind_of(security, carrier)))
}

fn need_in(security: &Security, carrier: &Carrier) -> Option<Need> {
    match carrier {
        Carrier::Bearer => security.bearer,
        Carrier::Cookie(name) => security.cookies.iter().find(|(own, _)| own == name).map(|(_, need)| *need),
        Carrier::Query(_) | Carrier::Protocol => None,
    }
}

/// The number of a way to ask, and of a place in which the credential stands.
fn kind_of(security: &Security, carrier: &Carrier) -> u64 {
    match carrier {
        Carrier::Bearer | Carrier::Query(_) | Carrier::Protocol => security.kind,
        Carrier::Cookie(_) => security.kind ^ 1,
    }
}

fn said(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Said {
    Said { status, headers: headers.clone(), body: bytes::Bytes::copy_from_slice(body) }
}

/// An answer of the app to a question of the gate.
pub(crate) fn said_by(answer: &http::Response<bytes::Bytes>) -> Said {
    said(answer.status(), answer.headers(), answer.body())
}

/// Whether a status says that a credential is refused.
const fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// Words for a refusal where operations ask in a way, if the app's are known.
fn own_words(memory: &Memory, kind: u64) -> Option<Arc<Words>> {
    memory.agreement(kind)?.forged.words()
}
