//! Everything that is known, as events that make it again.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use super::{Bond, Digest, Event, HandedOut, Session, SessionFacts, Sessions, lock};

/// Sessions of one piece.
const PIECE: usize = 512;

impl Sessions {
    /// Everything that is known, as events that make it again.
    pub fn everything(&self) -> Vec<Event> {
        self.pieces().flatten().collect()
    }

    /// The same in pieces, so that a million sessions need no second place. What happens meanwhile
    /// may be missing.
    pub fn pieces(&self) -> impl Iterator<Item = Vec<Event>> + use<> {
        let before: Vec<_> = lock(&self.0.before)
            .iter()
            .map(|(name, (at, cause))| Event::EndedBefore { name: *name, at: *at, cause: *cause })
            .collect();
        let all: Vec<_> = lock(&self.0.sessions).values().cloned().collect();
        let (this, mut next) = (self.clone(), 0);
        let before = Some(before).filter(|before| !before.is_empty());
        before.into_iter().chain(std::iter::from_fn(move || {
            let piece = all.get(next..all.len().min(next + PIECE)).filter(|piece| !piece.is_empty())?;
            next += piece.len();
            Some(piece.iter().flat_map(|session| this.events_of(session)).collect())
        }))
    }

    /// The credentials of a session, the oldest first. One that the app has handed out again belongs to the
    /// later session.
    pub fn credentials(&self, session: &Session) -> Vec<(Digest, HandedOut)> {
        let digests: Vec<_> = lock(&session.credentials).iter().map(|(digest, _)| *digest).collect();
        let own = |found: &HandedOut| found.session.facts.id == session.facts.id;
        let found = digests.into_iter().filter_map(|digest| Some((digest, self.find(&digest).filter(own)?)));
        found.collect()
    }

    /// The same, as events.
    pub fn handed_out_in(&self, id: u64) -> Vec<Event> {
        self.session(id).map(|session| self.credentials_of(&session)).unwrap_or_default()
    }

    fn credentials_of(&self, session: &Session) -> Vec<Event> {
        // In their order: the oldest value of a cookie goes first.
        let credentials = self.credentials(session).into_iter();
        let event = |(digest, credential): (Digest, HandedOut)| Event::HandedOut {
            session: session.facts.id,
            digest,
            kind: credential.kind,
            cookie: credential.cookie.as_deref().map(Box::from),
            at: credential.at,
            expires: credential.expires,
        };
        credentials.map(event).collect()
    }

    fn events_of(&self, session: &Arc<Session>) -> Vec<Event> {
        let (facts, later) = (session.facts.clone(), lock(&session.later).clone());
        let id = facts.id;
        let mut events = vec![Event::Began(facts.clone())];
        if !later.is_empty() {
            events.push(Event::Began(SessionFacts { names: later, ..facts }));
        }
        events.extend(self.credentials_of(session));
        events.extend(session.fingerprint().map(|digest| Event::Fingerprinted { session: id, digest }));
        if session.bond() != Bond::Open {
            events.push(Event::Bound { session: id, is_bound: session.bond() == Bond::Bound });
        }
        let used = session.used.load(Relaxed);
        if used > session.facts.began {
            events.push(Event::Used { session: id, at: used });
        }
        if let Some((at, cause)) = session.ended() {
            events.push(Event::Ended { session: id, at, cause, left: session.left() });
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Cause, Kind, digest},
        *,
    };

    #[test]
    fn what_is_known_is_made_again_from_its_events() {
        let names = ["alice", "alice@example.com"].map(|name| digest(name.as_bytes()));
        let facts = |name: usize| SessionFacts {
            id: u64::MAX - 1,
            account: Some("alice".into()),
            names: vec![names[name]],
            began: 1_000,
            address: Some([203, 0, 113, 7].into()),
            within: None,
        };
        let session = u64::MAX - 1;
        let handed_out = |text: &str, at| Event::HandedOut {
            session,
            digest: digest(text.as_bytes()),
            kind: Kind::Cookie,
            cookie: Some("sid".into()),
            at,
            expires: None,
        };
        let mut events = vec![Event::Began(facts(0)), Event::Began(facts(1))];
        events.extend((0..8).map(|number| handed_out(&number.to_string(), 1_000 + number)));
        events.push(Event::Fingerprinted { session, digest: digest(b"a cookie") });
        events.push(Event::Bound { session, is_bound: true });
        events.push(Event::Used { session, at: 1_200 });
        events.push(Event::Ended { session, at: 1_300, cause: Cause::Logout, left: vec!["device".into()] });
        let [first, second] = [(); 2].map(|()| Sessions::default());
        for event in &events {
            first.apply(event);
            // It may come twice.
            first.apply(event);
        }
        assert_eq!(first.everything(), events);
        for event in first.pieces().flatten() {
            let line = serde_json::to_string(&event).unwrap();
            assert!(!line.contains("alice@"), "only the name at the login is written out: {line}");
            let again: Event = serde_json::from_str(&line).unwrap();
            assert_eq!(again, event);
            second.apply(&again);
        }
        assert_eq!(second.everything(), events);
        assert_eq!((second.count(), second.list(None).len()), (8, 0));
        // A token that is used elsewhere is bound nowhere, whatever is heard first.
        first.apply(&Event::Bound { session, is_bound: false });
        first.apply(&Event::Bound { session, is_bound: true });
        assert_eq!(first.session(session).unwrap().bond(), Bond::Never);
        let many = Sessions::default();
        for id in 0..2_000 {
            many.apply(&Event::Began(SessionFacts {
                id,
                account: None,
                names: vec![],
                began: 1,
                address: None,
                within: None,
            }));
        }
        assert_eq!(many.pieces().map(|piece| piece.len()).collect::<Vec<_>>(), [512, 512, 512, 464]);
    }

    #[test]
    fn a_token_that_is_handed_out_again_lives_on_when_the_former_session_ends() {
        let sessions = Sessions::default();
        let token = digest(b"the same for each login of the account");
        let begin = |id: u64| {
            sessions.apply(&Event::Began(SessionFacts {
                id,
                account: None,
                names: vec![],
                began: 1,
                address: None,
                within: None,
            }));
            let (kind, cookie, expires) = (Kind::Bearer, None, None);
            sessions.apply(&Event::HandedOut { session: id, digest: token, kind, cookie, at: 1, expires });
        };
        begin(1);
        begin(2);
        for event in sessions.handed_out_in(1) {
            sessions.apply(&event);
        }
        sessions.apply(&Event::Ended { session: 1, at: 2, cause: Cause::Logout, left: Vec::new() });
        let found = sessions.find(&token).unwrap();
        assert_eq!((found.session.facts.id, found.session.ended()), (2, None));
    }

    #[test]
    fn the_word_of_an_operator_counts_more_than_another_end_in_any_order() {
        let began = |id, within| {
            let (account, names, began, address) = (None, vec![], 1, None);
            Event::Began(SessionFacts { id, account, names, began, address, within })
        };
        let end = |session, cause| Event::Ended { session, at: 2, cause, left: vec!["device".into()] };
        for order in [[Cause::Logout, Cause::Operator], [Cause::Operator, Cause::Logout]] {
            let sessions = Sessions::default();
            sessions.apply(&began(1, None));
            sessions.apply(&began(2, Some(1)));
            let [outer, inner] = [1, 2].map(|id| sessions.session(id).unwrap());
            assert_eq!(sessions.ended(&inner), None);
            for cause in order {
                sessions.apply(&end(1, cause));
            }
            assert_eq!(outer.ended(), Some((2, Cause::Operator)), "{order:?}");
            assert_eq!(sessions.ended(&inner), Some((2, Cause::Operator)), "it ends with the outer one");
            assert_eq!(inner.ended(), None);
            assert!(sessions.list(None).is_empty(), "neither is alive");
            sessions.apply(&began(3, Some(2)));
            assert_eq!(sessions.with_all_within(1), [1, 2, 3]);
        }
    }

    #[test]
    fn a_credential_belongs_to_the_session_that_got_it_last_whatever_is_heard_first() {
        let token = digest(b"a token");
        let began = |id| {
            let (account, names, began, address) = (None, vec![], 1, None);
            Event::Began(SessionFacts { id, account, names, began, address, within: None })
        };
        let handed_out = |session, at| {
            let (kind, cookie, expires) = (Kind::Bearer, None, None);
            Event::HandedOut { session, digest: token, kind, cookie, at, expires }
        };
        for order in [[(1, 10), (2, 20)], [(2, 20), (1, 10)]] {
            let sessions = Sessions::default();
            for (id, at) in order {
                sessions.apply(&began(id));
                sessions.apply(&handed_out(id, at));
            }
            assert_eq!(sessions.find(&token).unwrap().session.facts.id, 2, "{order:?}");
        }
    }
}
