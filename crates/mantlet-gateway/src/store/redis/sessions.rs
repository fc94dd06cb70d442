//! Sessions that several gates know.
//!
//! | key | holds | until |
//! |---|---|---|
//! | `PREFIX:credential:DIGEST` | a credential and the number of its session | it expires; without an end, 400 days after its last use |
//! | `PREFIX:session:ID` | when a session began, was used and was ended, and its browser | its last credential expires |
//! | `PREFIX:account:DIGEST` | the sessions of an account, by a name of it | the last of them is forgotten |
//! | `PREFIX:sessions` | a stream of sessions that were ended | the last 100,000 |
//!
//! A gate reads the stream, so it learns of the end of a session at once. Of a session that began at
//! another gate it learns when one of its credentials comes: logins are frequent, and most clients
//! stay at one gate. A thread of its own writes, in the order in which events came; what Redis does
//! not take waits and is tried again. Each key is written by a command of its own, so a cluster may
//! spread them.

use std::{
    collections::VecDeque,
    fmt, io,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use futures_util::future::{BoxFuture, try_join, try_join_all};
use mantlet_controls::authentication::sessions::{Cause, Digest, Event, Keeper, Sessions, digest};
use redis::{Cmd, RedisError, RedisResult, Script};
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};

use super::{
    super::link::Link,
    RedisStore, Refusals, is_of_another,
    learning::{Recent, events_of},
};
use crate::{clock, session_file::SessionFile};

/// Events of one write.
pub(super) const AT_ONCE: usize = 512;
/// Events that wait while Redis is away, at most. Beyond that Redis is told everything that this
/// gate knows when it is back.
const MOST_WAITING: usize = 100_000;
/// How long a write may take, and how long to wait after one that failed.
pub(super) const WRITE: Duration = Duration::from_secs(2);
pub(super) const AGAIN: Duration = Duration::from_millis(250);
/// Seconds for which a credential without an end is kept after its last use: 400 days, the longest
/// life of a cookie.
const REMEMBERED: i64 = 400 * 86_400;
/// Seconds for which a session is kept until its first credential comes, and a credential after its
/// end.
const FIRST: i64 = 3_600;
const LEEWAY: i64 = 60;
/// Sessions that are kept in the stream, about.
const STREAM: usize = 100_000;

/// Writes a credential, unless it is known to have been handed out later: a gate that starts tells what
/// it knew before.
static HAND_OUT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "
local found = redis.call('GET', KEYS[1])
local at = found and tonumber(string.match(found, '\"at\":(%d+)'))
if at and at > tonumber(ARGV[3]) then return end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])",
    )
});

/// Writes a field of a session, and sees to it that the session is kept as long as it is needed.
///
/// `ARGV`: the field and its value, or nothing; 1 if it may be the first that is known of the
/// session, and then the first value counts; 1 if a credential has no end; seconds for which the
/// session is needed; seconds for which one without an end is. The answer: seconds for which it is
/// kept and, if these were too few before, its values. A day is added, so that this is rare.
static NOTE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "
local key, needed, longest = KEYS[1], tonumber(ARGV[5]), tonumber(ARGV[6])
if ARGV[3] == '1' then
  redis.call('HSETNX', key, ARGV[1], ARGV[2])
elseif redis.call('EXISTS', key) == 0 then
  return {0, {}}
elseif ARGV[1] ~= '' then
  redis.call('HSET', key, ARGV[1], ARGV[2])
end
if ARGV[4] == '1' then redis.call('HSET', key, 'endless', '') end
if redis.call('HEXISTS', key, 'endless') == 1 then needed = longest end
local left = redis.call('TTL', key)
if left >= 0 and left >= needed then return {left, {}} end
if needed == 0 then needed = longest end
redis.call('EXPIRE', key, needed + 86400)
return {needed + 86400, redis.call('HVALS', key)}",
    )
});

/// How long a session is kept, in seconds; and its values, if it is kept for longer now.
type Noted = (i64, Vec<String>);

/// Adds a session to those of an account. `ARGV`: the session, until when it is kept, the present.
static JOIN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not known or tonumber(known) < tonumber(ARGV[2]) then redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
local rest = ARGV[2] - ARGV[3]
if redis.call('TTL', KEYS[1]) < rest then redis.call('EXPIRE', KEYS[1], rest) end
return 0",
    )
});

/// The sessions in a store. Its thread ends with it, after it has tried to write everything.
pub(crate) struct RedisSessions {
    inner: Arc<Inner>,
    thread: Option<JoinHandle<()>>,
}

pub(super) struct Inner {
    pub(super) store: RedisStore,
    /// What this gate knows.
    pub(super) known: Sessions,
    /// The file of this machine.
    pub(super) file: Arc<dyn Keeper>,
    queue: Mutex<Queue>,
    wake: Notify,
    /// Sessions that were ended a moment ago.
    pub(super) recent: Mutex<Recent>,
    /// Redis and this gate may know different things.
    pub(super) differs: Notify,
    refusals: Refusals,
}

#[derive(Default)]
struct Queue {
    /// What a request waits for.
    now: VecDeque<(Vec<Event>, oneshot::Sender<bool>)>,
    soon: VecDeque<Event>,
    is_over: bool,
}

impl fmt::Debug for RedisSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSessions").finish_non_exhaustive()
    }
}

impl RedisSessions {
    /// Starts the thread. Redis is told what this gate knows, and asked what was ended.
    pub(in crate::store) fn start(store: RedisStore, file: &SessionFile) -> io::Result<Self> {
        let inner = Arc::new(Inner {
            store,
            known: file.sessions().clone(),
            file: file.keeper(),
            queue: Mutex::default(),
            wake: Notify::new(),
            recent: Mutex::default(),
            differs: Notify::new(),
            refusals: Refusals::new("gates do not learn of each other's sessions and revocations"),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let of_thread = Arc::clone(&inner);
        let thread = std::thread::Builder::new().name("shared-sessions".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = of_thread.write_all() => {}
                    () = of_thread.follow() => {}
                    () = of_thread.compare() => {}
                }
            });
        })?;
        Ok(Self { inner, thread: Some(thread) })
    }
}

impl Drop for RedisSessions {
    fn drop(&mut self) {
        self.inner.queue().is_over = true;
        self.inner.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // Fails only if it has panicked, and then it has said so.
            let _ = thread.join();
        }
    }
}

impl Keeper for RedisSessions {
    fn keep_soon(&self, events: Vec<Event>) {
        // Sent at once: the client may come to another gate next.
        self.inner.add(events);
    }

    fn keep_now(&self, events: Vec<Event>) -> BoxFuture<'_, bool> {
        let (tell, told) = oneshot::channel();
        self.inner.queue().now.push_back((events, tell));
        self.inner.wake.notify_one();
        let patience = self.inner.store.0.config.timeout;
        Box::pin(async move { matches!(timeout(patience, told).await, Ok(Ok(true))) })
    }

    fn find(&self, digest: Digest) -> BoxFuture<'_, Option<Vec<Event>>> {
        Box::pin(self.inner.find(digest))
    }

    fn find_account(&self, name: Digest) -> BoxFuture<'_, Option<Vec<Event>>> {
        Box::pin(self.inner.find_account(name))
    }

    fn find_session(&self, id: u64) -> BoxFuture<'_, Option<Vec<Event>>> {
        Box::pin(self.inner.find_session(id))
    }

    fn is_shared(&self) -> bool {
        true
    }
}

impl Inner {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, events: Vec<Event>) {
        let mut queue = self.queue();
        queue.soon.extend(events);
        self.bound(&mut queue);
        drop(queue);
        self.wake.notify_one();
    }

    /// First in line again: others of their session may follow.
    fn put_back(&self, events: Vec<Event>) {
        let mut queue = self.queue();
        for event in events.into_iter().rev() {
            queue.soon.push_front(event);
        }
        self.bound(&mut queue);
    }

    fn bound(&self, queue: &mut Queue) {
        if queue.soon.len() > MOST_WAITING {
            queue.soon.clear();
            self.differs.notify_one();
        }
    }

    /// What is to be written next, who waits for it, and whether it is over.
    fn next(&self) -> (Vec<Event>, Vec<oneshot::Sender<bool>>, bool) {
        let mut queue = self.queue();
        let (mut events, mut told) = (Vec::new(), Vec::new());
        while events.len() < AT_ONCE
            && let Some((now, tell)) = queue.now.pop_front()
        {
            events.extend(now);
            told.push(tell);
        }
        let rest = queue.soon.len().min(AT_ONCE.saturating_sub(events.len()));
        events.extend(queue.soon.drain(..rest));
        (events, told, queue.is_over)
    }

    /// Writes what waits, until it is over and nothing waits any more, or Redis takes nothing.
    async fn write_all(&self) {
        loop {
            let (events, told, is_over) = self.next();
            if events.is_empty() && told.is_empty() {
                if is_over {
                    return;
                }
                self.wake.notified().await;
                continue;
            }
            let is_written = self.write(&events).await.is_some();
            for one in told {
                // It may wait no longer.
                let _ = one.send(is_written);
            }
            if !is_written {
                if is_over {
                    return;
                }
                self.put_back(events);
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// Writes events, all on the way before the first answer is awaited.
    pub(super) async fn write(&self, events: &[Event]) -> Option<()> {
        let one = async |event: &Event, link: Link| match self.write_one(event, link).await {
            // It would be in the way of all that follow.
            Err(error) if is_of_another(&error) => Ok(()),
            written => written,
        };
        let all = async |link: Link| {
            try_join_all(events.iter().map(|event| one(event, link.clone()))).await.map(drop)
        };
        self.ask(WRITE, all).await
    }

    pub(super) async fn ask<T>(
        &self,
        time: Duration,
        question: impl AsyncFnOnce(Link) -> RedisResult<T>,
    ) -> Option<T> {
        let answer = self.store.ask_if_allowed(time, &self.refusals, question).await?.ok()?;
        self.refusals.are_over();
        Some(answer)
    }

    /// Reports once that Redis does not allow what is needed here.
    pub(super) fn refused(&self, error: &RedisError) {
        self.refusals.tell(error, &self.store.0.config.prefix);
    }

    async fn write_one(&self, event: &Event, link: Link) -> RedisResult<()> {
        let now = clock::now().as_second();
        let text = serde_json::to_string(event).unwrap_or_default();
        match event {
            Event::Began(facts) => {
                // Under several names it has begun several times.
                let field = format!("began-{}", digest(text.as_bytes()));
                let note = self.note(link.clone(), facts.id, (&field, &text), true, false, FIRST);
                let (left, _) = note.await?;
                self.join(link, &facts.names, facts.id, left, now).await
            }
            Event::HandedOut { session, digest, expires, at, .. } => {
                let needed = expires.map_or(REMEMBERED, |end| end - now + LEEWAY);
                if needed <= 0 {
                    return Ok(());
                }
                let note = self.note(link.clone(), *session, ("", ""), false, expires.is_none(), needed);
                let mut own = link.clone();
                let hand_out = async {
                    let mut call = HAND_OUT.key(self.name_of_credential(digest));
                    call.arg(format!("{session:016x}{text}")).arg(needed).arg(*at);
                    call.invoke_async::<()>(&mut own).await
                };
                let (noted, ()) = try_join(note, hand_out).await?;
                self.keep_what_leads_to(link, *session, noted, now).await
            }
            // The first one counts.
            Event::Fingerprinted { session, .. } => {
                self.note(link, *session, ("fingerprint", &text), true, false, 0).await.map(drop)
            }
            // A token that was used elsewhere is bound nowhere, whatever was known before.
            Event::Bound { session, is_bound } => {
                self.note(link, *session, ("bound", &text), *is_bound, false, 0).await.map(drop)
            }
            Event::Used { session, .. } => {
                let noted = self.note(link.clone(), *session, ("used", &text), false, false, 0).await?;
                self.keep_what_leads_to(link, *session, noted, now).await
            }
            // The word of an operator counts more than what came before.
            Event::Ended { session, cause, .. } => {
                let is_first = *cause != Cause::Operator;
                let note = self.note(link.clone(), *session, ("ended", &text), is_first, false, 0);
                try_join(note, run(self.announcement(&text), link.clone())).await.map(drop)
            }
            Event::EndedBefore { .. } => run(self.announcement(&text), link).await,
        }
    }

    /// Tells the other gates.
    fn announcement(&self, text: &str) -> Cmd {
        let mut add = redis::cmd("XADD");
        add.arg(self.name_of_stream()).arg("MAXLEN").arg("~").arg(STREAM);
        add.arg("*").arg("event").arg(text);
        add
    }

    async fn note(
        &self,
        mut link: Link,
        session: u64,
        (field, value): (&str, &str),
        is_first: bool,
        is_endless: bool,
        needed: i64,
    ) -> RedisResult<Noted> {
        let mut call = NOTE.key(self.name_of_session(session));
        call.arg(field).arg(value).arg(u8::from(is_first)).arg(u8::from(is_endless));
        call.arg(needed).arg(REMEMBERED).invoke_async(&mut link).await
    }

    /// Adds a session to those of the account with these names.
    async fn join(&self, link: Link, names: &[Digest], id: u64, left: i64, now: i64) -> RedisResult<()> {
        let one = async |name: &Digest, mut link: Link| -> RedisResult<()> {
            let mut call = JOIN.key(self.name_of_account(name));
            call.arg(format!("{id:016x}")).arg(now + left).arg(now).invoke_async(&mut link).await
        };
        try_join_all(names.iter().map(|name| one(name, link.clone()))).await.map(drop)
    }

    /// What leads to a session is kept as long as the session: its place among those of its account,
    /// and credentials without an end.
    async fn keep_what_leads_to(&self, link: Link, id: u64, noted: Noted, now: i64) -> RedisResult<()> {
        let (left, values) = noted;
        for event in events_of(&values) {
            if let Event::Began(facts) = event {
                self.join(link.clone(), &facts.names, id, left, now).await?;
            }
        }
        let session = self.known.session(id).filter(|_| values.iter().any(String::is_empty));
        let credentials = session.map(|session| self.known.credentials(&session)).unwrap_or_default();
        let endless = credentials.iter().filter(|(_, credential)| credential.expires.is_none());
        let expire = endless.map(|(digest, _)| {
            let mut expire = redis::cmd("EXPIRE");
            expire.arg(self.name_of_credential(digest)).arg(left);
            run(expire, link.clone())
        });
        try_join_all(expire).await.map(drop)
    }

    pub(super) fn name_of_credential(&self, digest: &Digest) -> String {
        format!("{}:credential:{digest}", self.store.0.config.prefix)
    }

    pub(super) fn start_of_sessions(&self) -> String {
        format!("{}:session:", self.store.0.config.prefix)
    }

    pub(super) fn name_of_session(&self, id: u64) -> String {
        format!("{}:session:{id:016x}", self.store.0.config.prefix)
    }

    pub(super) fn name_of_account(&self, name: &Digest) -> String {
        format!("{}:account:{name}", self.store.0.config.prefix)
    }

    pub(super) fn name_of_stream(&self) -> String {
        format!("{}:sessions", self.store.0.config.prefix)
    }
}

/// Runs a command whose answer does not matter.
async fn run(command: Cmd, mut link: Link) -> RedisResult<()> {
    command.query_async(&mut link).await
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
