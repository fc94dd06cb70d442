//! The sessions of the app: what it has handed out at a login, and what was taken back.
//!
//! It is exact: what is forgotten would be refused as never handed out. So it has no bound of its own
//! that an attacker could use; only answers of the app add to it. When it is full, sessions that have
//! expired go first; if none has, it learns no more and says so.

mod bond;
mod keeper;
mod pieces;
mod reading;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use sha2::Digest as _;

use self::bond::Fingerprint;
pub use self::{
    bond::Bond,
    keeper::{Cause, Digest, Event, Keeper, Kind, SessionFacts},
};
use crate::message::cookie;

/// Credentials that are kept. One has about 200 bytes.
const MOST: usize = 1 << 20;
/// Lists of credentials, each with a lock of its own.
const SHARDS: usize = 64;
/// Seconds between two records of the use of a session.
const USE: i64 = 60;
/// Seconds for which an ended session is remembered, if its credentials have no end: 400 days, the
/// longest life of a cookie.
const REMEMBERED: i64 = 400 * 86_400;
/// Values of cookies that several accounts have in common, and are remembered.
const MOST_COMMON: usize = 1_024;
/// Values of one session's cookies that are known at a time.
const VALUES: usize = 64;

/// The digest of a credential. Texts that an app reads as the same signed token have the same one.
pub fn digest(credential: &[u8]) -> Digest {
    exact(&reading::canonical(credential))
}

/// The digest of a cookie's value, as Starlette reads it: without its quotes. Some apps keep `Bearer TOKEN` in it.
pub(crate) fn digest_of_cookie(value: &[u8]) -> Digest {
    let value = cookie::unquoted(value);
    digest(value.strip_prefix(b"Bearer ").unwrap_or(&value))
}

fn exact(text: &[u8]) -> Digest {
    let hash = sha2::Sha256::digest(text);
    Digest(hash.first_chunk().copied().unwrap_or_default())
}

/// A name of an account at a login, as accounts are compared.
pub fn name_of_login(account: &str) -> Digest {
    exact(format!("login:{account}").as_bytes())
}

/// The `sub` of an account's tokens.
pub fn name_of_subject(subject: &str) -> Digest {
    exact(format!("sub:{subject}").as_bytes())
}

/// An account at an issuer.
pub fn name_at_issuer(issuer: &str, subject: &str) -> Digest {
    exact(format!("iss:{issuer}|sub:{subject}").as_bytes())
}

/// A session at an issuer: the `sid` of its tokens.
pub fn session_at_issuer(issuer: &str, session: &str) -> Digest {
    exact(format!("iss:{issuer}|sid:{session}").as_bytes())
}

/// The names that an operator may mean by a text.
pub fn names_of(text: &str) -> [Digest; 2] {
    [name_of_login(text), name_of_subject(text)]
}

/// A session.
#[derive(Debug)]
pub struct Session {
    /// What does not change.
    pub facts: SessionFacts,
    used: AtomicI64,
    /// When it was ended; 0 if it was not.
    ended: AtomicI64,
    end: Mutex<Option<Box<End>>>,
    credentials: Mutex<Vec<(Digest, i64)>>,
    /// When its cookie was last kept beyond this process.
    kept: AtomicI64,
    /// Names of its account that were learned later.
    later: Mutex<Vec<Digest>>,
    /// The cookie of its browser.
    fingerprint: Fingerprint,
}

impl Session {
    /// Whether it is of an account with this name.
    pub(crate) fn has_name(&self, name: &Digest) -> bool {
        self.facts.names.contains(name) || lock(&self.later).contains(name)
    }

    /// All names of its account.
    pub(super) fn names(&self) -> Vec<Digest> {
        self.facts.names.iter().chain(&*lock(&self.later)).copied().collect()
    }

    fn new(facts: SessionFacts) -> Self {
        let (used, ended, kept) = (facts.began.into(), 0.into(), facts.began.into());
        let (end, credentials, later) = (Mutex::default(), Mutex::default(), Mutex::default());
        let fingerprint = Fingerprint::default();
        Self { facts, used, ended, end, credentials, kept, later, fingerprint }
    }

    /// When it was last used, in seconds since 1970, to a minute.
    pub fn used(&self) -> i64 {
        self.used.load(Relaxed)
    }

    /// Whether a new value of its cookie is to be kept beyond this process: once a minute. When it ends,
    /// all of its values are.
    pub(super) fn is_to_be_kept(&self, now: i64) -> bool {
        let known = self.kept.load(Relaxed);
        now >= known + USE && self.kept.compare_exchange(known, now, Relaxed, Relaxed).is_ok()
    }

    /// The digest of the cookie that its browser has got with it, if it has.
    pub fn fingerprint(&self) -> Option<Digest> {
        self.fingerprint.digest()
    }

    /// Whether its tokens are bound to that browser.
    pub fn bond(&self) -> Bond {
        self.fingerprint.bond()
    }

    /// A token came with the cookie. Whether that was often enough now.
    pub(super) fn note_match(&self) -> bool {
        self.fingerprint.note_match()
    }

    /// It is counted from the start again.
    pub(super) fn forget_matches(&self) {
        self.fingerprint.forget_matches();
    }

    /// When and why it was ended, if it was.
    pub fn ended(&self) -> Option<(i64, Cause)> {
        let at = self.ended.load(Relaxed);
        (at != 0).then(|| (at, lock(&self.end).as_ref().map_or(Cause::Operator, |end| end.cause)))
    }

    /// Whether this changes something: it has not ended, or an operator ends what has ended for another
    /// reason, which may be only recorded.
    pub fn may_end_by(&self, cause: Cause) -> bool {
        lock(&self.end).as_ref().is_none_or(|known| known.gives_way_to(cause))
    }

    /// Whether its logout has left this cookie to the client: then it is not the session's.
    pub(super) fn has_left(&self, cookie: &str) -> bool {
        self.ended.load(Relaxed) != 0 && self.left().iter().any(|left| &**left == cookie)
    }

    /// All of these.
    pub fn left(&self) -> Vec<Box<str>> {
        lock(&self.end).as_ref().map(|end| end.left.clone()).unwrap_or_default()
    }
}

/// How a session has ended.
#[derive(Debug)]
struct End {
    cause: Cause,
    left: Vec<Box<str>>,
}

impl End {
    /// The word of an operator counts more than any other.
    fn gives_way_to(&self, cause: Cause) -> bool {
        cause == Cause::Operator && self.cause != Cause::Operator
    }
}

/// A credential that the app has handed out.
#[derive(Debug, Clone)]
pub struct HandedOut {
    /// Its session.
    pub session: Arc<Session>,
    /// What it is.
    pub kind: Kind,
    /// The name of its cookie.
    pub cookie: Option<Arc<str>>,
    /// When it was handed out.
    pub at: i64,
    /// When it expires.
    pub expires: Option<i64>,
}

/// The sessions of the app. It outlives the policy; a clone shares it.
#[derive(Debug, Clone, Default)]
pub struct Sessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shards: [Mutex<HashMap<Digest, HandedOut>>; SHARDS],
    sessions: Mutex<HashMap<u64, Arc<Session>>>,
    /// Sessions by the names of their accounts.
    accounts: Mutex<HashMap<Digest, Vec<u64>>>,
    /// Accounts and sessions whose credentials of before were ended.
    before: Mutex<HashMap<Digest, (i64, Cause)>>,
    /// Whether there is any: requests then need not ask.
    has_before: AtomicBool,
    /// Sessions within others.
    within: Mutex<HashMap<u64, Vec<u64>>>,
    /// Values of cookies that several accounts have got: the cookie of a load balancer, a language.
    common: Mutex<HashSet<Digest>>,
    /// Names of cookies that the app hands out at logins.
    cookies: ArcSwap<HashSet<Box<str>>>,
    count: AtomicU64,
    /// When it began to learn, in seconds since 1970; 0 until then.
    began: AtomicI64,
    is_full: AtomicBool,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            sessions: Mutex::default(),
            accounts: Mutex::default(),
            before: Mutex::default(),
            has_before: AtomicBool::default(),
            within: Mutex::default(),
            common: Mutex::default(),
            cookies: ArcSwap::default(),
            count: AtomicU64::default(),
            began: AtomicI64::default(),
            is_full: AtomicBool::default(),
        }
    }
}

impl Sessions {
    /// The credential with this digest, if the app has handed it out.
    pub fn find(&self, digest: &Digest) -> Option<HandedOut> {
        lock(self.shard(digest)).get(digest).cloned()
    }

    /// The session of this number.
    pub fn session(&self, id: u64) -> Option<Arc<Session>> {
        lock(&self.0.sessions).get(&id).cloned()
    }

    /// All sessions that have not been ended, of an account or of all.
    pub fn list(&self, account: Option<&Digest>) -> Vec<Arc<Session>> {
        let is_alive = |session: &Arc<Session>| self.ended(session).is_none();
        match account {
            None => {
                let all: Vec<_> = lock(&self.0.sessions).values().cloned().collect();
                all.into_iter().filter(is_alive).collect()
            }
            Some(name) => {
                let ids = lock(&self.0.accounts).get(name).cloned().unwrap_or_default();
                ids.into_iter().filter_map(|id| self.session(id)).filter(is_alive).collect()
            }
        }
    }

    /// How many sessions have not been ended.
    pub fn open(&self) -> usize {
        let sessions = lock(&self.0.sessions);
        let goes_on = |session: &Session| session.ended.load(Relaxed) == 0;
        let outer = |session: &Session| session.facts.within.and_then(|id| sessions.get(&id));
        let is_open =
            |session: &&Arc<Session>| goes_on(session) && outer(session).is_none_or(|outer| goes_on(outer));
        sessions.values().filter(is_open).count()
    }

    /// Why a credential of one of these names, made at this time, was ended, if it was.
    pub fn ended_before(&self, names: &[Digest], made: i64) -> Option<Cause> {
        if !self.has_ended_before() {
            return None;
        }
        let before = lock(&self.0.before);
        let mut found = names.iter().filter_map(|name| before.get(name));
        found.find(|(at, _)| made <= *at).map(|(_, cause)| *cause)
    }

    /// Whether any credential was ended by a name of its account or session at an issuer.
    pub(crate) fn has_ended_before(&self) -> bool {
        self.0.has_before.load(Relaxed)
    }

    /// Whether a cookie of this name holds sessions.
    pub fn has_cookie(&self, name: &str) -> bool {
        self.0.cookies.load().contains(name)
    }

    /// Whether any cookie does.
    pub fn has_cookies(&self) -> bool {
        !self.0.cookies.load().is_empty()
    }

    /// Credentials that are known.
    pub fn count(&self) -> u64 {
        self.0.count.load(Relaxed)
    }

    /// Since when it learns, in seconds since 1970; 0 if nothing was learned yet.
    pub fn began(&self) -> i64 {
        self.0.began.load(Relaxed)
    }

    /// Whether it was full, and has not learned all.
    pub fn is_incomplete(&self) -> bool {
        self.0.is_full.load(Relaxed)
    }

    /// The session is in use. The event, if that is worth to be kept.
    pub fn note_use(&self, session: &Session, now: i64) -> Option<Event> {
        let known = session.used.load(Relaxed);
        if now < known + USE {
            return None;
        }
        let is_first = session.used.compare_exchange(known, now, Relaxed, Relaxed).is_ok();
        is_first.then_some(Event::Used { session: session.facts.id, at: now })
    }

    /// Takes an event, of this gate or of another. It may come twice.
    pub fn apply(&self, event: &Event) {
        match event {
            Event::Began(facts) => self.begin(facts),
            Event::HandedOut { session, digest, kind, cookie, at, expires } => {
                let _ = self.0.began.compare_exchange(0, *at, Relaxed, Relaxed);
                if let Some(cookie) = cookie.as_ref().filter(|name| !self.has_cookie(name)) {
                    self.0.cookies.rcu(|known| {
                        let mut all = HashSet::clone(known);
                        all.insert((&**cookie).into());
                        all
                    });
                }
                if let Some(session) = self.session(*session) {
                    let cookie = cookie.as_deref().map(Arc::from);
                    let credential = HandedOut { session, kind: *kind, cookie, at: *at, expires: *expires };
                    self.hand_out(*digest, credential);
                }
            }
            Event::Used { session, at } => {
                if let Some(session) = self.session(*session) {
                    session.used.fetch_max(*at, Relaxed);
                }
            }
            Event::Fingerprinted { session, digest } => {
                if let Some(session) = self.session(*session) {
                    session.fingerprint.is(*digest);
                }
            }
            Event::Bound { session, is_bound } => {
                if let Some(session) = self.session(*session) {
                    session.fingerprint.decide(Bond::of(*is_bound));
                }
            }
            Event::EndedBefore { name, at, cause } => {
                let mut before = lock(&self.0.before);
                let known = before.entry(*name).or_insert((*at, *cause));
                if known.0 < *at {
                    *known = (*at, *cause);
                }
                self.0.has_before.store(true, Relaxed);
            }
            Event::Ended { session, at, cause, left } => {
                if let Some(session) = self.session(*session) {
                    let mut end = lock(&session.end);
                    if end.as_ref().is_none_or(|known| known.gives_way_to(*cause)) {
                        let before = end.take().map(|known| known.left).filter(|left| !left.is_empty());
                        let left = before.unwrap_or_else(|| left.clone());
                        *end = Some(End { cause: *cause, left }.into());
                        session.ended.store(*at, Relaxed);
                    }
                }
            }
        }
    }

    fn begin(&self, facts: &SessionFacts) {
        let mut sessions = lock(&self.0.sessions);
        let session = sessions.entry(facts.id).or_insert_with(|| Arc::new(Session::new(facts.clone())));
        let session = Arc::clone(session);
        drop(sessions);
        let mut later = lock(&session.later);
        for name in &facts.names {
            if !session.facts.names.contains(name) && !later.contains(name) {
                later.push(*name);
            }
        }
        drop(later);
        if let Some(outer) = facts.within {
            let mut within = lock(&self.0.within);
            let inner = within.entry(outer).or_default();
            if !inner.contains(&facts.id) {
                inner.push(facts.id);
            }
        }
        let mut accounts = lock(&self.0.accounts);
        for name in &facts.names {
            let of_account = accounts.entry(*name).or_default();
            if !of_account.contains(&facts.id) {
                of_account.push(facts.id);
            }
        }
    }

    fn hand_out(&self, digest: Digest, credential: HandedOut) {
        if self.0.count.load(Relaxed) >= MOST as u64 {
            self.0.is_full.store(true, Relaxed);
            return;
        }
        let (session, kind, at) = (Arc::clone(&credential.session), credential.kind, credential.at);
        let known = self.find(&digest);
        // It belongs to the session in which it was handed out last, in whatever order that is heard.
        if known.as_ref().is_some_and(|known| known.at > at) {
            return;
        }
        if kind == Kind::Cookie && lock(&self.0.common).contains(&digest) {
            return;
        }
        // What two accounts have in common is not a session.
        if kind == Kind::Cookie
            && let Some(known) = known
            && known.session.facts.id != session.facts.id
            && !known.session.facts.names.iter().any(|name| session.facts.names.contains(name))
        {
            self.forget_credential(&digest);
            let mut common = lock(&self.0.common);
            if common.len() < MOST_COMMON {
                common.insert(digest);
            }
            return;
        }
        let former = lock(self.shard(&digest)).insert(digest, credential);
        if let Some(former) = former {
            // Two logins have got the same token, perhaps in two browsers.
            if kind != Kind::Cookie && former.session.facts.id != session.facts.id {
                session.fingerprint.decide(Bond::Never);
            }
            return;
        }
        self.0.count.fetch_add(1, Relaxed);
        let mut all = lock(&session.credentials);
        all.push((digest, at));
        // A cookie that is signed anew, once a second at most: requests at the same time show some of its
        // newest values.
        if kind == Kind::Cookie && all.len() > VALUES {
            let (oldest, _) = all.remove(0);
            drop(all);
            self.forget_credential(&oldest);
        }
    }

    fn forget_credential(&self, digest: &Digest) {
        if lock(self.shard(digest)).remove(digest).is_some() {
            self.0.count.fetch_sub(1, Relaxed);
        }
    }

    /// The session of an account whose tokens the client of another session has got.
    pub(super) fn within(&self, session: u64, account: &Digest) -> Option<u64> {
        let found = self.list(Some(account)).into_iter().find(|found| found.facts.within == Some(session));
        found.map(|found| found.facts.id)
    }

    /// A session, and all within it: they end together.
    pub fn with_all_within(&self, session: u64) -> Vec<u64> {
        let mut all = vec![session];
        let within = lock(&self.0.within);
        let mut at = 0;
        while let Some(outer) = all.get(at) {
            let inner = within.get(outer).into_iter().flatten();
            let new: Vec<_> = inner.filter(|id| !all.contains(id)).copied().collect();
            all.extend(new);
            at += 1;
        }
        all
    }

    /// When and why a session was ended, or the one in which its client has got it.
    pub(super) fn ended(&self, session: &Session) -> Option<(i64, Cause)> {
        let outer = || self.session(session.facts.within?)?.ended();
        session.ended().or_else(outer)
    }

    /// Sessions of an account that an operator has not ended, and that have credentials which are still
    /// good: also those that have ended for another reason, which is perhaps only recorded.
    pub fn list_to_revoke(&self, account: &Digest, now: i64) -> Vec<Arc<Session>> {
        let ids = lock(&self.0.accounts).get(account).cloned().unwrap_or_default();
        let sessions = ids.into_iter().filter_map(|id| self.session(id));
        let is_good = |(_, credential): &(Digest, HandedOut)| credential.expires.is_none_or(|end| end > now);
        let is_to_end = |session: &Arc<Session>| match session.ended() {
            None => true,
            Some((_, Cause::Operator)) => false,
            Some(_) => self.credentials(session).iter().any(is_good),
        };
        sessions.filter(is_to_end).collect()
    }

    /// Forgets credentials that have expired, and sessions without any.
    pub fn tidy(&self, now: i64) {
        for shard in &self.0.shards {
            let mut shard = lock(shard);
            let before = shard.len();
            shard.retain(|_, credential| {
                credential.expires.map_or(credential.session.used() + REMEMBERED > now, |end| end + USE > now)
            });
            self.0.count.fetch_sub((before - shard.len()) as u64, Relaxed);
        }
        lock(&self.0.before).retain(|_, (at, _)| *at + REMEMBERED > now);
        let all: Vec<_> = lock(&self.0.sessions).values().cloned().collect();
        let mut gone = HashSet::new();
        for session in all {
            let mut credentials = lock(&session.credentials);
            credentials.retain(|(digest, _)| lock(self.shard(digest)).contains_key(digest));
            if credentials.is_empty() && session.facts.began + USE < now {
                gone.insert(session.facts.id);
            }
        }
        lock(&self.0.sessions).retain(|id, _| !gone.contains(id));
        lock(&self.0.within).retain(|_, inner| {
            inner.retain(|id| !gone.contains(id));
            !inner.is_empty()
        });
        lock(&self.0.accounts).retain(|_, ids| {
            ids.retain(|id| !gone.contains(id));
            !ids.is_empty()
        });
    }

    fn shard(&self, digest: &Digest) -> &Mutex<HashMap<Digest, HandedOut>> {
        let Digest([first, ..]) = digest;
        let [shard, ..] = &self.0.shards;
        self.0.shards.get(usize::from(*first) % SHARDS).unwrap_or(shard)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
