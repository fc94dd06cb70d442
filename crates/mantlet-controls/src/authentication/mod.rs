//! Who is the caller?
//!
//! Defends the app against tokens that it has not made: forged ones, ones without a signature, and
//! ones that have expired. And it finds out who calls, for all that counts and records by caller.
//!
//! Nothing has to be configured. The app hands out a token at its login; the gate tries it against
//! the texts of the app that may be its key ([`Candidates`]). The one that verifies it is the key.
//!
//! A request passes if
//! 1. it has no bearer token; or the token is not one of this app's: another issuer may have made it,
//!    or it is not a signed token at all. The app decides about it;
//! 2. the app's key verifies its token, and the token has not expired. Then the caller is known;
//! 3. its operation answers without a token, too (in `compatible` posture);
//! 4. the app was not seen to refuse such a token itself. The gate asks the app, once for each way in
//!    which operations ask for a token: with a token whose signature it has replaced, and with one of
//!    `alg: none`. An expired token is refused if it is older than one that the app was seen to refuse.
//!
//! A refusal repeats the app's own answer: its status and its body.
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

mod config;
mod course;
mod forge;
mod memory;
mod public_keys;
pub mod sessions;
mod shown;
mod trial;

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use mantlet_contract::sensitive::Purpose;
use serde_json::Value;

use self::sessions::Sessions;
pub use self::{config::Config, memory::Memory, trial::Weakness};
pub(crate) use self::{
    course::Course,
    forge::{forged, unsigned},
    shown::Shown,
};
use crate::{
    Call, Mode, Reason, Refusal,
    audit::{Record, Sink},
    call::Known,
    config::units::Span,
    identity::{Verdict, bearer, cache},
    operation::{Need, Security},
    refusal::{Faults, Words},
    token::{self, Candidates, TokenFault},
};

/// How deep in an answer a token is looked for.
const DEEPEST: usize = 4;
/// Members of an answer that hold a token.
const TOKENS: [&str; 6] = ["access_token", "token", "id_token", "accessToken", "jwt", "idToken"];

/// The checked `[authentication]` section.
#[derive(Debug)]
pub struct Policy {
    mode: Mode,
    optional: Mode,
    sessions_mode: Mode,
    idle: Option<Span>,
    max_age: Option<Span>,
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
    /// A token, while no key is known.
    Unknown(Box<str>),
    /// A good one, where it is not known what the app does with a forged one.
    Good(Box<Question>),
    /// A bad one, and the way in which its operation asks.
    Bad { fault: TokenFault, age: Option<i64>, kind: u64 },
}

/// A request whose answer is to be held against that to a forged token.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) token: Box<str>,
    pub(crate) target: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) kind: u64,
}

impl Policy {
    /// Judges the token of a request: who its caller is, what it has shown, and what is wrong.
    pub(crate) fn judge<B>(&self, call: &Call, request: &Request<B>) -> (Option<Known>, Presented, Faults) {
        let nothing = || (None, Presented::Nothing, Faults::new());
        if self.mode == Mode::Off {
            return nothing();
        }
        let Some(token) = bearer(request.headers()) else { return nothing() };
        self.follow_the_app();
        let pinned = self.memory.pinned();
        let Some(pinned) = &*pinned else {
            let is_one = token::has_its_form(token) && self.need_of(call).is_some();
            return (
                None,
                if is_one { Presented::Unknown(token.into()) } else { Presented::Nothing },
                Faults::new(),
            );
        };
        let (epoch, now) = (self.memory.epoch(), call.clock.time());
        let verdict = cache::recall(token, now.as_second(), |by, known, verdict| {
            (by.is_empty() && known == epoch).then(|| verdict.clone())
        });
        let verdict = verdict.unwrap_or_else(|| {
            let verdict = pinned.judge(token, now);
            cache::keep(token, "", epoch, now.as_second(), &verdict);
            verdict
        });
        match verdict {
            Verdict::Unjudged => nothing(),
            Verdict::Good(principal) => {
                let question = self.question(call, request, token);
                (Some(principal), question, Faults::new())
            }
            Verdict::Bad(fault, age) => self.bad(call, fault, age),
        }
    }

    /// The app has started again: its key may be another one.
    fn follow_the_app(&self) {
        let (generation, _) = self.candidates.get();
        let is_old = self.memory.pinned().as_ref().is_some_and(|pinned| pinned.generation != generation);
        if is_old {
            self.memory.pin(None);
        }
    }

    /// Whether a request could show what the app does with forged tokens: its answer is to be held
    /// against those to forged ones.
    fn question<B>(&self, call: &Call, request: &Request<B>, token: &str) -> Presented {
        let Some((Need::Required, security)) = self.need_of(call) else { return Presented::Nothing };
        if call.method != Method::GET {
            return Presented::Nothing;
        }
        match self.memory.agreement(security.kind) {
            Some(agreement) if agreement.begin_to_ask() => Presented::Good(Box::new(Question {
                token: token.into(),
                target: request.uri().clone(),
                headers: request.headers().clone(),
                kind: security.kind,
            })),
            _ => Presented::Nothing,
        }
    }

    /// How the operation asks for a bearer token, if it does.
    #[expect(clippy::unused_self, reason = "what the configuration says of routes will count here, too")]
    fn need_of<'c>(&self, call: &'c Call) -> Option<(Need, &'c Security)> {
        let security = call.operation.as_ref()?.security()?;
        Some((security.bearer?, security))
    }

    fn bad(&self, call: &Call, fault: TokenFault, age: Option<i64>) -> (Option<Known>, Presented, Faults) {
        let Some((need, security)) = self.need_of(call) else {
            return (None, Presented::Nothing, Faults::new());
        };
        let agreement = self.memory.agreement(security.kind);
        let words = agreement.as_ref().and_then(|agreement| match age {
            Some(age) => agreement.words_of_expired(age),
            None => agreement.words_of_forged(),
        });
        let is_unsure = call.operation.as_ref().is_some_and(|matched| matched.unsure);
        let mode = match need {
            Need::Required => self.mode.under(words.is_none() || is_unsure),
            Need::Optional => self.mode.under(self.optional != Mode::Enforce),
        };
        let refusal = Refusal { words, ..Refusal::about(Reason::TokenInvalid, fault.text()) };
        let presented = match need {
            Need::Required => Presented::Bad { fault, age, kind: security.kind },
            Need::Optional => Presented::Nothing,
        };
        (None, presented, vec![(mode, refusal)])
    }

    /// Whether the body of an answer is needed.
    pub(crate) fn asks_for(&self, call: &Call, presented: &Presented, status: StatusCode) -> bool {
        if self.mode == Mode::Off {
            return false;
        }
        let is_about_expired = || match presented {
            Presented::Bad { age: Some(age), kind, .. } if is_refusal(status) => {
                self.memory.agreement(*kind).is_some_and(|agreement| agreement.asks_about_expired(*age))
            }
            _ => false,
        };
        is_about_expired()
            || (status.is_success() && hands_out_tokens(call))
            || self.asks_for_tokens(call, status)
    }

    /// Learns from an answer, and from its body where that was asked for. Whether there is a new key.
    pub(crate) fn learn(
        &self,
        call: &Call,
        presented: &Presented,
        audit: &impl Sink,
        answer: (StatusCode, &HeaderMap),
        body: Option<&[u8]>,
    ) -> Option<Box<str>> {
        let (status, headers) = answer;
        match presented {
            Presented::Unknown(token) if status.is_success() => {
                let (generation, _) = self.candidates.get();
                if self.memory.may_search(generation) {
                    self.look_for_key(call, audit, token);
                }
            }
            Presented::Bad { fault, age, kind } => {
                let agreement = self.memory.agreement(*kind)?;
                let is_news = match age {
                    _ if !status.is_success() => false,
                    Some(age) => agreement.accepts_expired(*age),
                    None => agreement.accepts_forged(),
                };
                if is_news {
                    audit.record(Record::of_bad_token_accepted(call, fault.text()));
                }
                if let (Some(age), Some(body)) = (age, body.filter(|_| is_refusal(status))) {
                    let challenge = headers.get(header::WWW_AUTHENTICATE);
                    agreement.refuses_expired(*age, |bodies| Words::of(status, challenge, bodies), body);
                }
            }
            Presented::Unknown(_) | Presented::Nothing | Presented::Good(_) => {}
        }
        if status.is_success() && hands_out_tokens(call) {
            return self.learn_tokens(call, audit, body?);
        }
        None
    }

    /// Learns from the tokens that the app hands out.
    fn learn_tokens(&self, call: &Call, audit: &impl Sink, body: &[u8]) -> Option<Box<str>> {
        let answer: Value = serde_json::from_slice(body).ok()?;
        let mut tokens = Vec::new();
        tokens_in(&answer, &TOKENS, DEEPEST, &mut tokens);
        let token = tokens.into_iter().find(|token| token::has_its_form(token))?;
        self.follow_the_app();
        let is_known = match &*self.memory.pinned() {
            Some(pinned) => !matches!(pinned.judge(token, call.clock.time()), Verdict::Bad(_, None)),
            None => false,
        };
        // The app has another key by now, if ours does not verify its own token.
        (!is_known && self.look_for_key(call, audit, token)).then(|| token.into())
    }

    /// Tries the candidates on a token that the app has made or accepted.
    fn look_for_key(&self, call: &Call, audit: &impl Sink, token: &str) -> bool {
        let (generation, candidates) = self.candidates.get();
        let found = trial::search(token, generation, &candidates);
        let is_found = found.is_some();
        if let Some(found) = &found {
            audit.record(Record::of_key_found(call, &found.name, found.weakness.map(Weakness::code)));
        }
        if is_found || self.memory.pinned().is_some() {
            self.memory.pin(found);
        }
        is_found
    }

    /// Where the app can be asked about the caller of a new token, and the way in which that operation
    /// asks for it.
    pub(crate) fn where_to_ask(&self, call: &Call) -> Option<(Uri, u64)> {
        let contract = &call.operation.as_ref()?.contract;
        let (path, security) = contract.me()?;
        let agreement = self.memory.agreement(security.kind)?;
        let path = path.parse().ok()?;
        agreement.begin_to_ask().then_some((path, security.kind))
    }

    /// What the app has answered to a forged token and to one without signature, where it accepts good ones.
    pub(crate) fn has_asked(&self, kind: u64, call: &Call, audit: &impl Sink, answers: &[Answer; 2]) {
        let Some(agreement) = self.memory.agreement(kind) else { return };
        if let Some(accepted) = answers.iter().find(|answer| answer.status.is_success()) {
            if agreement.accepts_forged() {
                audit.record(Record::of_bad_token_accepted(call, accepted.of));
            }
            return;
        }
        match answers {
            [first, second] if is_refusal(first.status) && first.status == second.status => {
                let bodies = [&*first.body, &*second.body];
                agreement.refuses_forged(Words::of(first.status, first.challenge.as_ref(), bodies));
            }
            _ => agreement.is_unclear(),
        }
    }

    /// Nothing was learned about forged tokens.
    pub(crate) fn has_not_asked(&self, kind: u64) {
        if let Some(agreement) = self.memory.agreement(kind) {
            agreement.is_unclear();
        }
    }
}

/// An answer of the app to a question of ours.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What it was asked about.
    pub(crate) of: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) challenge: Option<HeaderValue>,
    pub(crate) body: Vec<u8>,
}

/// Whether a status says that a credential is refused.
const fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// Whether an operation hands out tokens.
fn hands_out_tokens(call: &Call) -> bool {
    let sensitivity = call.operation.as_ref().and_then(|matched| matched.sensitivity(&call.method));
    sensitivity.is_some_and(|found| matches!(found.purpose, Purpose::Login | Purpose::Register))
}

/// Texts in an answer that have the names of tokens.
fn tokens_in<'v>(value: &'v Value, names: &[&str], depth: usize, found: &mut Vec<&'v str>) {
    let Value::Object(members) = value else { return };
    for (name, value) in members {
        match value {
            Value::String(text) if names.contains(&&**name) => found.push(text),
            Value::Object(_) if depth > 1 => tokens_in(value, names, depth - 1, found),
            _ => {}
        }
    }
}

/// The claims of a token of the app itself. Its signature is not verified.
fn claims_of(token: &str) -> Option<token::Claims> {
    if !token::has_its_form(token) {
        return None;
    }
    token::Claims::read(&token::Jws::read(token).ok()?).ok()
}
