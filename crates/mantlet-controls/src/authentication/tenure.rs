//! How long a WebSocket or a stream may go on: as long as the credential that has opened it.
//!
//! It is looked at from time to time, at the price of an atomic load and of a look at the clock. So a
//! session that is ended in any way, by any gate, is seen without telling each of its connections.

use std::sync::Arc;

use super::{
    Policy,
    sessions::{Digest, Event, Session, Sessions},
    shown::{Shown, names_at_issuer},
};
use crate::{
    Call, Mode, Reason,
    audit::Record,
    config::{Clock, units::Span},
    token::TokenFault,
};

/// Seconds for which a connection outlives its token: clocks may differ.
const LEEWAY: i64 = 30;

/// How long the response to a request may go on. It travels in the extensions of the response.
#[derive(Debug, Clone)]
pub struct Tenure(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    session: Option<Arc<Session>>,
    sessions: Sessions,
    /// Names by which an issuer may end it, and when its token was made.
    at_issuer: Option<(Vec<Digest>, i64)>,
    issuer_mode: Mode,
    /// When its token expires, in seconds since 1970.
    expires: Option<i64>,
    idle: Option<i64>,
    max_age: Option<i64>,
    mode: Mode,
    clock: Clock,
    /// What is recorded at its end, but for the reason.
    record: Record,
}

/// It is over.
#[derive(Debug, Clone)]
pub struct Over {
    /// What is to be recorded.
    pub record: Record,
    /// Why, for the client.
    pub text: &'static str,
    /// The connection is to be ended. Else it is only recorded.
    pub ends: bool,
}

impl Policy {
    /// How long the response to a request may go on. None: for ever.
    pub(crate) fn tenure(&self, call: &Call, shown: Option<&Shown>) -> Option<Tenure> {
        let is_enforced = self.sessions_mode == Mode::Enforce;
        let expires = call.principal.as_ref().filter(|_| is_enforced).and_then(|known| known.expires);
        let session = shown.filter(|_| self.sessions_mode != Mode::Off).map(|shown| &shown.session);
        let at_issuer = names_at_issuer(call).filter(|_| self.mode != Mode::Off);
        if session.is_none() && at_issuer.is_none() && expires.is_none() {
            return None;
        }
        let limit = |limit: Option<Span>| {
            limit.filter(|_| is_enforced).and_then(|limit| i64::try_from(limit.0.as_secs()).ok())
        };
        Some(Tenure(Box::new(Inner {
            session: session.map(Arc::clone),
            sessions: self.sessions.clone(),
            at_issuer,
            issuer_mode: self.mode,
            expires,
            idle: limit(self.idle),
            max_age: limit(self.max_age),
            mode: self.sessions_mode,
            clock: call.clock,
            record: Record::of(call, &Reason::SessionEnded.into(), self.sessions_mode),
        })))
    }
}

impl Tenure {
    /// Whether it is over, and why.
    pub fn look(&self) -> Option<Over> {
        let Inner { session, sessions, at_issuer, expires, idle, max_age, mode, clock, .. } = &*self.0;
        if let Some((_, cause)) = session.as_ref().and_then(|session| session.ended()) {
            return Some(self.over(*mode, Reason::SessionEnded, cause.text(), "session ended"));
        }
        let of_issuer = at_issuer.as_ref().and_then(|(names, made)| sessions.ended_before(names, *made));
        if let Some(cause) = of_issuer {
            let mode = self.0.issuer_mode;
            let mut over = self.over(mode, Reason::SessionEnded, cause.text(), "session ended");
            over.record.remedy = None;
            return Some(over);
        }
        if *mode != Mode::Enforce {
            return None;
        }
        let now = clock.time().as_second();
        if expires.is_some_and(|expires| now > expires.saturating_add(LEEWAY)) {
            let why = TokenFault::Expired.text();
            return Some(self.over(*mode, Reason::TokenInvalid, why, "token expired"));
        }
        let session = session.as_ref()?;
        let is_over = |limit: &Option<i64>, since: i64| limit.is_some_and(|most| now - since > most);
        let why = if is_over(max_age, session.facts.began) {
            "it is older than `authentication.max-age`"
        } else if is_over(idle, session.used()) {
            "it was not in use for longer than `authentication.idle`"
        } else {
            return None;
        };
        Some(self.over(*mode, Reason::SessionExpired, why, "session expired"))
    }

    /// The client has used it. The event, if that is worth to be kept.
    pub fn note_use(&self) -> Option<Event> {
        self.0.sessions.note_use(self.0.session.as_ref()?, self.0.clock.time().as_second())
    }

    fn over(&self, mode: Mode, reason: Reason, why: &'static str, text: &'static str) -> Over {
        let mut record = self.0.record.clone().of_stream(reason, why, mode, self.0.clock.time());
        let account = self.0.session.as_ref().and_then(|session| session.facts.account.as_deref());
        record.user = record.user.or_else(|| account.map(str::to_owned));
        Over { record, text, ends: mode == Mode::Enforce }
    }
}
