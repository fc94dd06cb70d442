//! How long a WebSocket or a stream may go on: as long as the credential that has opened it.
//!
//! It is looked at from time to time, at the price of an atomic load and of a look at the clock. So a
//! session that is ended in any way, by any gate, is seen without telling each of its connections.

use std::sync::Arc;

use super::{
    Policy,
    ends::Ends,
    sessions::{Digest, Event, Session, Sessions},
    shown::{Shown, names_at_issuer},
};
use crate::{
    Call, Mode, Reason,
    audit::Record,
    config::{Clock, units::Span},
    identity::Followed,
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
    /// The session of an account beside the app.
    account: Option<(Mode, Arc<dyn Followed>)>,
    /// Names by which an issuer may end it, and when its token was made.
    at_issuer: Option<(Vec<Digest>, i64)>,
    issuer_mode: Mode,
    /// When its token expires, in seconds since 1970.
    expires: Option<i64>,
    idle: Option<i64>,
    max_age: Option<i64>,
    ends: Ends,
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
    pub(crate) fn tenure(
        &self,
        call: &Call,
        shown: Option<&Shown>,
        account: Option<(Mode, Arc<dyn Followed>)>,
    ) -> Option<Tenure> {
        let is_enforced = self.ends.usual == Mode::Enforce;
        let expires = call.principal.as_ref().filter(|_| is_enforced).and_then(|known| known.expires);
        let session = shown.filter(|_| self.ends.usual != Mode::Off).map(|shown| &shown.session);
        let at_issuer = names_at_issuer(call).filter(|_| self.mode != Mode::Off);
        if session.is_none() && account.is_none() && at_issuer.is_none() && expires.is_none() {
            return None;
        }
        let limit = |limit: Option<Span>| {
            limit.filter(|_| is_enforced).and_then(|limit| i64::try_from(limit.0.as_secs()).ok())
        };
        Some(Tenure(Box::new(Inner {
            session: session.map(Arc::clone),
            sessions: self.sessions.clone(),
            account,
            at_issuer,
            issuer_mode: self.mode,
            expires,
            idle: limit(self.idle),
            max_age: limit(self.max_age),
            ends: self.ends,
            clock: call.clock,
            record: Record::of(call, &Reason::SessionEnded.into(), self.ends.usual),
        })))
    }
}

impl Tenure {
    /// Whether it is over, and why.
    pub fn look(&self) -> Option<Over> {
        let Inner { session, sessions, account, at_issuer, expires, idle, max_age, ends, clock, .. } =
            &*self.0;
        if let Some((mode, _)) = account.as_ref().filter(|(_, session)| session.has_ended()) {
            let why = "the session of its account has ended";
            let mut over = self.over(*mode, Reason::SessionEnded, why, "session ended");
            over.record.remedy = None;
            return Some(over);
        }
        if let Some((_, cause)) = session.as_ref().and_then(|session| sessions.ended(session)) {
            return Some(self.over(ends.mode_of(cause), Reason::SessionEnded, cause.text(), "session ended"));
        }
        let of_issuer = at_issuer.as_ref().and_then(|(names, made)| sessions.ended_before(names, *made));
        if let Some(cause) = of_issuer {
            let mode = self.0.issuer_mode;
            let mut over = self.over(mode, Reason::SessionEnded, cause.text(), "session ended");
            over.record.remedy = None;
            return Some(over);
        }
        if ends.usual != Mode::Enforce {
            return None;
        }
        let now = clock.time().as_second();
        if expires.is_some_and(|expires| now > expires.saturating_add(LEEWAY)) {
            let why = TokenFault::Expired.text();
            return Some(self.over(ends.usual, Reason::TokenInvalid, why, "token expired"));
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
        Some(self.over(ends.usual, Reason::SessionExpired, why, "session expired"))
    }

    /// The client has used it. The event, if that is worth to be kept.
    pub fn note_use(&self) -> Option<Event> {
        self.0.sessions.note_use(self.0.session.as_ref()?, self.0.clock.time().as_second())
    }

    fn over(&self, mode: Mode, reason: Reason, why: &'static str, text: &'static str) -> Over {
        let mut record = self.0.record.clone().of_stream(reason, why, mode, self.0.clock.time());
        let account = self.0.session.as_ref().and_then(|session| session.facts.account.as_deref());
        record.user = record.user.or_else(|| account.map(str::to_owned));
        record.remedy = record.remedy.filter(|_| why != super::sessions::Cause::Operator.text());
        Over { record, text, ends: mode == Mode::Enforce }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Instant};

    use jiff::Timestamp;

    use super::{
        super::sessions::{Cause, Event, SessionFacts, digest},
        *,
    };

    thread_local! {
        static NOW: Cell<i64> = const { Cell::new(1_000) };
    }

    fn now() -> Timestamp {
        Timestamp::from_second(NOW.get()).unwrap()
    }

    /// A tenure of a session that has begun at 1000.
    fn tenure(mode: Mode, change: impl FnOnce(&mut Inner)) -> (Tenure, Sessions) {
        let sessions = Sessions::default();
        let (names, account) = (vec![], Some("ann".into()));
        sessions.apply(&Event::Began(SessionFacts {
            id: 7,
            account,
            names,
            began: 1_000,
            address: None,
            within: None,
        }));
        NOW.set(1_000);
        let mut inner = Inner {
            session: sessions.session(7),
            sessions: sessions.clone(),
            account: None,
            at_issuer: None,
            issuer_mode: Mode::Enforce,
            expires: None,
            idle: None,
            max_age: None,
            ends: Ends::new(mode, false),
            clock: Clock::new(now, Instant::now),
            record: Record::of_connection(None, Reason::SessionEnded, now()),
        };
        change(&mut inner);
        (Tenure(Box::new(inner)), sessions)
    }

    /// When it is over, and what is said then.
    fn end(tenure: &Tenure) -> Option<(i64, &'static str, &'static str, bool)> {
        (1_000..10_000).find_map(|second| {
            NOW.set(second);
            tenure.look().map(|over| (second, over.text, over.record.reason, over.ends))
        })
    }

    #[test]
    fn a_connection_lasts_as_long_as_its_credential() {
        assert_eq!(end(&tenure(Mode::Enforce, |_| ()).0), None);
        let expires = |own: &mut Inner| own.expires = Some(2_000);
        let (expiring, _) = tenure(Mode::Enforce, expires);
        assert_eq!(end(&expiring), Some((2_031, "token expired", "token-invalid", true)));
        let limits = |own: &mut Inner| (own.idle, own.max_age) = (Some(600), Some(4_000));
        let (unused, _) = tenure(Mode::Enforce, limits);
        assert_eq!(end(&unused), Some((1_601, "session expired", "session-expired", true)));
        NOW.set(4_900);
        assert!(unused.note_use().is_some() && unused.note_use().is_none(), "once in a minute");
        assert!(unused.look().is_none());
        NOW.set(5_001);
        assert_eq!(
            unused.look().unwrap().record.subject.unwrap(),
            "it is older than `authentication.max-age`"
        );
        // Only an end is reported: apps let connections outlive their tokens.
        let (reported, sessions) = tenure(Mode::Report, |own| (expires(own), limits(own)).0);
        assert_eq!(end(&reported), None);
        sessions.apply(&Event::Ended {
            session: 7,
            at: 1_000,
            cause: Cause::PasswordChanged,
            left: Vec::new(),
        });
        let over = reported.look().unwrap();
        assert_eq!((over.ends, over.record.security_event), (false, "stream-would-be-ended"));
        assert_eq!(over.record.subject.as_deref(), Some("the password of its account was changed"));
        assert_eq!(over.record.user.as_deref(), Some("ann"));
    }

    #[test]
    fn an_issuer_ends_what_its_tokens_have_opened() {
        let names = [digest(b"ann"), digest(b"sid")];
        for (mode, ends) in [(Mode::Enforce, true), (Mode::Report, false)] {
            for (name, made, is_over) in [(0, 1_500, true), (1, 1_500, true), (1, 1_501, false)] {
                let (tenure, sessions) = tenure(Mode::Report, |own| {
                    own.session = None;
                    own.at_issuer = Some((names.to_vec(), made));
                    own.issuer_mode = mode;
                });
                assert!(tenure.look().is_none());
                sessions.apply(&Event::EndedBefore { name: names[name], at: 1_500, cause: Cause::Issuer });
                let over = tenure.look();
                assert_eq!(over.as_ref().map(|over| over.ends), is_over.then_some(ends));
                assert!(over.is_none_or(|over| over.text == "session ended" && over.record.remedy.is_none()));
            }
        }
    }
}
