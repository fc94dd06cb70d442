//! The keys that are known: what is kept of them, and how it changes.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    call::{Attribute, Known, MANTLET, Origin, Principal},
    config::Environment,
};

/// Seconds between two notes of the use of a key.
const USE: i64 = 60;
/// Seconds before the end of a key in which that is told, or the last half of its life.
const SOON: i64 = 14 * 86_400;
const DAY: i64 = 86_400;

/// The SHA-256 of the secret part of a key. The secret has 256 random bits, so it needs no slow
/// hash. Written as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    pub(super) fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Whether it is that of this secret, compared in constant time.
    pub(super) fn is_of(&self, secret: &str) -> bool {
        self.0.ct_eq(&Self::of(secret).0).into()
    }
}

impl Serialize for SecretDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = String::with_capacity(2 * self.0.len());
        for byte in self.0 {
            // Writing to a text cannot fail.
            let _ = write!(digits, "{byte:02x}");
        }
        serializer.serialize_str(&digits)
    }
}

impl<'de> Deserialize<'de> for SecretDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let bytes: Option<Vec<u8>> =
            pairs.iter().map(|[high, low]| Some(digit(*high)? * 16 + digit(*low)?)).collect();
        let bytes = bytes.filter(|_| rest.is_empty()).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| serde::de::Error::custom("expected 64 hexadecimal digits"))
    }
}

/// What is kept of a key and does not change. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KeyFacts {
    /// Names it.
    pub id: Box<str>,
    /// The program, for people.
    pub name: Box<str>,
    /// The account in the app that the program acts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Box<str>>,
    /// Where it is good.
    pub environment: Environment,
    /// Attributes of the caller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<Box<str>>,
    /// The key itself is kept nowhere.
    pub digest: SecretDigest,
    /// When it was made.
    pub created: i64,
    /// When it ends, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
}

/// Something that happened to a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", deny_unknown_fields, rename_all = "kebab-case")]
pub enum Change {
    /// It was made. It comes before all else of it.
    Created(KeyFacts),
    /// It was in use.
    Used {
        /// Its id.
        key: Box<str>,
        /// When.
        at: i64,
    },
    /// It was revoked.
    Revoked {
        /// Its id.
        key: Box<str>,
        /// When.
        at: i64,
    },
}

/// Whether a key is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is.
    Good,
    /// Its time is over.
    Expired,
    /// The operator has revoked it.
    Revoked,
    /// It is good, but only in another environment.
    OfAnotherEnvironment,
}

/// A key that is known.
#[derive(Debug)]
pub struct ApiKey {
    /// What does not change.
    pub facts: KeyFacts,
    /// The caller that it proves.
    pub(super) principal: Known,
    used: AtomicI64,
    /// The use that was handed out to be kept.
    kept: AtomicI64,
    /// When it was revoked; 0 if it was not.
    revoked: AtomicI64,
    /// The day on which its end was told last.
    told: AtomicI64,
}

impl ApiKey {
    fn new(facts: KeyFacts) -> Self {
        let said = |name: &str, value: Value| Attribute { name: name.into(), value, origin: Origin::Key };
        let scopes = facts.scopes.iter().map(|scope| Value::from(&**scope)).collect::<Vec<_>>();
        let principal = Arc::new(Principal {
            issuer: MANTLET.into(),
            subject: facts.account.as_ref().unwrap_or(&facts.name).clone(),
            attributes: vec![
                said("key", Value::from(&*facts.id)),
                said("name", Value::from(&*facts.name)),
                said("scopes", Value::from(scopes)),
            ],
            is_of_app: false,
            expires: facts.expires,
        });
        let [used, kept, revoked, told] = [0; 4].map(AtomicI64::new);
        Self { facts, principal, used, kept, revoked, told }
    }

    /// When it was last used, in seconds since 1970, to a minute.
    pub fn used(&self) -> Option<i64> {
        Some(self.used.load(Relaxed)).filter(|at| *at != 0)
    }

    /// When it was revoked, if it was.
    pub fn revoked(&self) -> Option<i64> {
        Some(self.revoked.load(Relaxed)).filter(|at| *at != 0)
    }

    /// Whether it is good in an environment at this time.
    pub fn state(&self, environment: &Environment, now: i64) -> State {
        match self.facts.expires {
            _ if self.revoked().is_some() => State::Revoked,
            Some(end) if end <= now => State::Expired,
            _ if self.facts.environment != *environment => State::OfAnotherEnvironment,
            _ => State::Good,
        }
    }

    /// Whether it is good and ends within 14 days, or within the last half of its life.
    pub fn ends_soon(&self, now: i64) -> bool {
        let soon = |end: i64| end > now && end - now <= SOON.min((end - self.facts.created) / 2);
        self.revoked().is_none() && self.facts.expires.is_some_and(soon)
    }

    /// The caller: the account, if there is one, else the name.
    pub fn caller(&self) -> &str {
        &self.principal.subject
    }

    /// Its id and its name, for records.
    pub fn subject(&self) -> String {
        format!("{} ({})", self.facts.id, self.facts.name)
    }

    /// Its end, if that is to be told on this day and was not yet.
    pub(super) fn must_be_told(&self, now: i64) -> Option<i64> {
        let end = self.facts.expires.filter(|_| self.ends_soon(now))?;
        let (told, day) = (self.told.load(Relaxed), now / DAY);
        let is_first = told != day && self.told.compare_exchange(told, day, Relaxed, Relaxed).is_ok();
        is_first.then_some(end)
    }

    /// It is in use.
    pub(super) fn note_use(&self, now: i64) {
        if now >= self.used.load(Relaxed) + USE {
            self.used.fetch_max(now, Relaxed);
        }
    }
}

/// A key as it is listed. The admin socket has it as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Names it.
    pub id: Box<str>,
    /// The program.
    pub name: Box<str>,
    /// The account that it acts for.
    pub account: Option<Box<str>>,
    /// Where it is good.
    pub environment: Environment,
    /// Attributes of the caller.
    pub scopes: Vec<Box<str>>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last used, to a minute.
    pub used: Option<Timestamp>,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// Whether it is good in the environment that was asked.
    pub state: State,
    /// Whether its end is near.
    pub ends_soon: bool,
}

impl ApiKey {
    /// As it is listed in an environment at this time.
    pub fn listed(&self, environment: &Environment, now: i64) -> Listed {
        let moment = |second: i64| Timestamp::from_second(second).unwrap_or_default();
        let facts = self.facts.clone();
        Listed {
            id: facts.id,
            name: facts.name,
            account: facts.account,
            environment: facts.environment,
            scopes: facts.scopes,
            created: moment(facts.created),
            used: self.used().map(moment),
            expires: facts.expires.map(moment),
            revoked: self.revoked().map(moment),
            state: self.state(environment, now),
            ends_soon: self.ends_soon(now),
        }
    }
}

/// The keys that are known. It outlives the policy; a clone shares it.
#[derive(Debug, Clone, Default)]
pub struct ApiKeys(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Replaced as a whole: keys change rarely, and each request may read them.
    all: ArcSwap<HashMap<Box<str>, Arc<ApiKey>>>,
    /// Other gates may know keys that this one does not.
    is_behind: AtomicBool,
}

impl ApiKeys {
    /// Whether no key was ever made.
    pub fn is_empty(&self) -> bool {
        self.0.all.load().is_empty()
    }

    /// The key of this id.
    pub fn find(&self, id: &str) -> Option<Arc<ApiKey>> {
        self.0.all.load().get(id).cloned()
    }

    /// All keys, the oldest first.
    pub fn list(&self) -> Vec<Arc<ApiKey>> {
        let mut all: Vec<_> = self.0.all.load().values().cloned().collect();
        all.sort_by(|a, b| (a.facts.created, &a.facts.id).cmp(&(b.facts.created, &b.facts.id)));
        all
    }

    /// Whether keys of other gates may not be known here.
    pub fn is_behind(&self) -> bool {
        self.0.is_behind.load(Relaxed)
    }

    /// Says whether keys of other gates may not be known here: then a key that is not known is not
    /// its client's fault.
    pub fn set_behind(&self, is_behind: bool) {
        self.0.is_behind.store(is_behind, Relaxed);
    }

    /// Takes what has happened, here or elsewhere. It may come twice. Returns what was not known.
    pub fn apply(&self, changes: &[Change]) -> Vec<Change> {
        let known = self.0.all.load();
        let new: HashMap<&str, &KeyFacts> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Created(facts) if !known.contains_key(&facts.id) => Some((&*facts.id, facts)),
                _ => None,
            })
            .collect();
        if !new.is_empty() {
            self.0.all.rcu(|all| {
                let mut all = HashMap::clone(all);
                for facts in new.values() {
                    let key = || Arc::new(ApiKey::new((*facts).clone()));
                    all.entry(facts.id.clone()).or_insert_with(key);
                }
                all
            });
        }
        let is_news = |change: &&Change| match change {
            Change::Created(facts) => new.contains_key(&*facts.id),
            Change::Used { key, at } => self.find(key).is_some_and(|key| {
                key.kept.fetch_max(*at, Relaxed);
                key.used.fetch_max(*at, Relaxed) < *at
            }),
            Change::Revoked { key, at } => self
                .find(key)
                .is_some_and(|key| key.revoked.compare_exchange(0, (*at).max(1), Relaxed, Relaxed).is_ok()),
        };
        changes.iter().filter(is_news).cloned().collect()
    }

    /// Uses that are to be kept: those since the last call.
    pub fn uses(&self) -> Vec<Change> {
        let all = self.0.all.load();
        let unkept = all.values().filter_map(|key| {
            let at = key.used.load(Relaxed);
            let key_id = || key.facts.id.clone();
            (key.kept.fetch_max(at, Relaxed) < at).then(|| Change::Used { key: key_id(), at })
        });
        unkept.collect()
    }

    /// Everything that is known, as changes that make it again.
    pub fn everything(&self) -> Vec<Change> {
        let of_key = |key: Arc<ApiKey>| {
            let id = || key.facts.id.clone();
            let used = key.used().map(|at| Change::Used { key: id(), at });
            let revoked = key.revoked().map(|at| Change::Revoked { key: id(), at });
            let created = Change::Created(key.facts.clone());
            [Some(created), used, revoked].into_iter().flatten().collect::<Vec<_>>()
        };
        self.list().into_iter().flat_map(of_key).collect()
    }
}
