//! What a gate learns of sessions from Redis: what it asks for, and the ends that others tell of.

use std::{
    collections::{HashMap, VecDeque},
    sync::{LazyLock, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use mantlet_controls::authentication::sessions::{Bond, Cause, Digest, Event, HandedOut};
use redis::{RedisResult, Script};

use super::{
    super::link::Link,
    sessions::{AT_ONCE, Inner},
};
use crate::clock;

/// How long to wait for all sessions of an account.
const ACCOUNT: Duration = Duration::from_secs(1);
/// How long the end of a session is remembered that this gate may be asking about.
const RECENT: Duration = Duration::from_mins(1);

/// Finds a credential and its session in one round trip. `ARGV` is what the names of sessions begin
/// with. Not in a cluster, where they may be on two nodes.
static FIND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "
local found = redis.call('GET', KEYS[1])
if not found then return {} end
local all = redis.call('HVALS', ARGV[1] .. string.sub(found, 1, 16))
table.insert(all, string.sub(found, 17))
return all",
    )
});

/// Sessions that were ended a moment ago.
#[derive(Default)]
pub(super) struct Recent {
    ends: HashMap<u64, Event>,
    /// In the order of time.
    order: VecDeque<(u64, Instant)>,
}

impl Recent {
    /// Takes the end of a session, and forgets those that are old.
    fn add(&mut self, session: u64, end: Event, now: Instant) {
        while let Some((old, at)) = self.order.front().copied()
            && now.duration_since(at) >= RECENT
        {
            self.order.pop_front();
            self.ends.remove(&old);
        }
        let is_of_operator = |end: &Event| matches!(end, Event::Ended { cause: Cause::Operator, .. });
        match self.ends.get_mut(&session) {
            // The word of an operator counts more than what comes later.
            Some(known) if is_of_operator(known) && !is_of_operator(&end) => {}
            Some(known) => *known = end,
            None => {
                self.ends.insert(session, end);
                self.order.push_back((session, now));
            }
        }
    }

    fn end_of(&self, session: u64) -> Option<Event> {
        self.ends.get(&session).cloned()
    }
}

impl Inner {
    pub(super) async fn find(&self, digest: Digest) -> Option<Vec<Event>> {
        let credential = self.name_of_credential(&digest);
        let values: Vec<String> = self
            .ask(self.store.0.config.timeout, async |mut link| match &link {
                Link::One(_) => {
                    FIND.key(credential).arg(self.start_of_sessions()).invoke_async(&mut link).await
                }
                Link::Cluster(_) => {
                    let found: Option<String> =
                        redis::cmd("GET").arg(credential).query_async(&mut link).await?;
                    let Some(found) = found else { return Ok(Vec::new()) };
                    let Some((id, event)) = found.split_at_checked(16) else { return Ok(Vec::new()) };
                    let session = format!("{}{id}", self.start_of_sessions());
                    let mut values: Vec<String> =
                        redis::cmd("HVALS").arg(session).query_async(&mut link).await?;
                    values.push(event.to_owned());
                    Ok(values)
                }
            })
            .await?;
        Some(self.learn(events_of(&values)))
    }

    pub(super) async fn find_session(&self, id: u64) -> Option<Vec<Event>> {
        let name = self.name_of_session(id);
        let values: Vec<String> = self
            .ask(ACCOUNT, async |mut link| redis::cmd("HVALS").arg(name).query_async(&mut link).await)
            .await?;
        Some(self.learn(events_of(&values)))
    }

    pub(super) async fn find_account(&self, name: Digest) -> Option<Vec<Event>> {
        let (name, now) = (self.name_of_account(&name), clock::now().as_second());
        let values = self.ask(ACCOUNT, async |mut link| {
            let mut ids = redis::cmd("ZRANGEBYSCORE");
            let ids: Vec<String> = ids.arg(name).arg(now).arg("+inf").query_async(&mut link).await?;
            let mut all = Vec::with_capacity(ids.len());
            for ids in ids.chunks(AT_ONCE) {
                let one = async |id: &String, mut link: Link| -> RedisResult<Vec<String>> {
                    let name = format!("{}{id}", self.start_of_sessions());
                    redis::cmd("HVALS").arg(name).query_async(&mut link).await
                };
                all.extend(try_join_all(ids.iter().map(|id| one(id, link.clone()))).await?);
            }
            Ok(all)
        });
        let values = values.await?;
        Some(values.iter().flat_map(|values| self.learn(events_of(values))).collect())
    }

    /// Takes what Redis knows of a session. Its end may have come while that was on its way, and was
    /// ignored, because the session was not known here.
    pub(super) fn learn(&self, mut events: Vec<Event>) -> Vec<Event> {
        let Some(id) = events.iter().find_map(|event| match event {
            Event::Began(facts) => Some(facts.id),
            _ => None,
        }) else {
            return Vec::new();
        };
        let recent = self.recent();
        events.extend(recent.end_of(id));
        let news: Vec<_> = events.iter().filter(|event| self.is_news(event)).cloned().collect();
        for event in &news {
            self.known.apply(event);
        }
        drop(recent);
        self.file.keep_soon(news);
        events
    }

    /// Whether an event says more than this gate knows.
    fn is_news(&self, event: &Event) -> bool {
        let of = |id: &u64| self.known.session(*id);
        match event {
            Event::Began(facts) => of(&facts.id)
                .is_none_or(|session| facts.names.iter().any(|name| !session.facts.names.contains(name))),
            Event::HandedOut { session, digest, at, .. } => {
                let is_other = |known: &HandedOut| known.session.facts.id != *session && known.at <= *at;
                self.known.find(digest).is_none_or(|known| is_other(&known))
            }
            Event::Fingerprinted { session, .. } => {
                of(session).is_none_or(|session| session.fingerprint().is_none())
            }
            Event::Bound { session, is_bound } => {
                of(session).is_none_or(|session| session.bond() < Bond::of(*is_bound))
            }
            Event::Used { session, at } => of(session).is_none_or(|session| session.used() < *at),
            Event::Ended { session, cause, .. } => {
                of(session).is_none_or(|session| session.may_end_by(*cause))
            }
            Event::EndedBefore { name, at, .. } => self.known.ended_before(&[*name], *at).is_none(),
        }
    }

    /// Takes the end of a session that another gate has told of.
    pub(super) fn learn_end(&self, event: Event) {
        let Event::Ended { session, .. } = event else {
            if matches!(event, Event::EndedBefore { .. }) && self.is_news(&event) {
                self.known.apply(&event);
                self.file.keep_soon(vec![event]);
            }
            return;
        };
        let mut recent = self.recent();
        recent.add(session, event.clone(), Instant::now());
        let is_news = self.known.session(session).is_some() && self.is_news(&event);
        if is_news {
            self.known.apply(&event);
        }
        drop(recent);
        if is_news {
            self.file.keep_soon(vec![event]);
        }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Events as Redis has them, the beginning first. What a newer Mantlet has written is left out.
pub(super) fn events_of(values: &[String]) -> Vec<Event> {
    let mut events: Vec<Event> = values.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    events.sort_by_key(|event| !matches!(event, Event::Began(_)));
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_session_is_remembered_for_a_moment_and_not_for_longer() {
        let (mut recent, start) = (Recent::default(), Instant::now());
        let end = |session| Event::Ended { session, at: 1, cause: Cause::Logout, left: Vec::new() };
        let mut add = |session, after| {
            recent.add(session, end(session), start + after);
            assert_eq!(recent.ends.len(), recent.order.len());
            [1, 2, 3].map(|one| recent.end_of(one).is_some())
        };
        let second = Duration::from_secs(1);
        assert_eq!(add(1, Duration::ZERO), [true, false, false]);
        assert_eq!(add(2, second), [true, true, false]);
        assert_eq!(add(2, 2 * second), [true, true, false]);
        assert_eq!(add(3, RECENT), [false, true, true]);
        assert_eq!(add(3, RECENT + second), [false, false, true]);
        assert_eq!(add(1, 3 * RECENT), [true, false, false]);
    }
}
