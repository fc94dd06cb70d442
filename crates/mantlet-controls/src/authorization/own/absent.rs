//! What the app answers where an object does not exist: a refusal says the same, after the same time.
//!
//! For each refusal the app is asked, as the same caller, for an object that does not exist. Its words
//! are never kept for another caller: they may be in one caller's language, or have one caller's name in
//! them.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, Uri};
use uuid::Uuid;

use crate::{Call, message::percent::decoded};

/// Bytes of the longest answer that is passed on.
pub(crate) const LONGEST: usize = 16 << 10;
/// What FastAPI says where there is nothing.
pub(crate) const USUAL: &[u8] = br#"{"detail":"Not Found"}"#;
/// Operations that are remembered. An app has fewer.
const MOST: usize = 4_096;
/// Times of an operation that are remembered.
const TIMES: usize = 64;
/// The shortest and the longest step in which answers are held back.
const STEP: Duration = Duration::from_millis(10);
const LONGEST_STEP: Duration = Duration::from_secs(1);

/// How long the app takes for an operation, in microseconds; 0 is not known yet.
#[derive(Debug)]
struct Known {
    times: [AtomicU32; TIMES],
    next: AtomicUsize,
}

impl Default for Known {
    fn default() -> Self {
        Self { times: [const { AtomicU32::new(0) }; TIMES], next: AtomicUsize::new(0) }
    }
}

/// How long operations with objects take. Nothing waits for anything: it is replaced as a whole if there
/// is a new operation, which happens once for each.
#[derive(Debug, Default)]
pub(crate) struct Times {
    operations: ArcSwap<HashMap<u64, Arc<Known>>>,
    hasher: RandomState,
}

/// Headers that tell how long the app took.
const TIMINGS: [&str; 4] = ["server-timing", "x-process-time", "x-response-time", "x-runtime"];

impl Times {
    /// How long an operation has taken.
    pub(crate) fn took(&self, call: &Call, span: Duration) {
        let Some(known) = self.of(call) else { return };
        let micros = u32::try_from(span.as_micros()).unwrap_or(u32::MAX).max(1);
        let next = known.next.fetch_add(1, Relaxed) % TIMES;
        if let Some(oldest) = known.times.get(next) {
            oldest.store(micros, Relaxed);
        }
    }

    /// How long an answer is held back that says that there is nothing: until the next whole step.
    /// In a step, nearly every answer of the operation comes twice: a refusal has asked for an object and
    /// for one that does not exist.
    pub(crate) fn left(&self, call: &Call, since: Duration) -> Duration {
        let known = self.of(call);
        let times = known.iter().flat_map(|known| &known.times).map(|time| time.load(Relaxed));
        let mut times: Vec<u32> = times.filter(|time| *time > 0).collect();
        times.sort_unstable();
        let usual = times.get(times.len() * 95 / 100).copied().unwrap_or_default();
        let twice = Duration::from_micros(usual.into()) * 2;
        let step = twice.clamp(STEP, LONGEST_STEP).as_micros().max(1);
        let passed = since.as_micros();
        let left = passed.div_ceil(step).max(1) * step - passed;
        Duration::from_micros(u64::try_from(left).unwrap_or_default())
    }

    /// What is known of the operation of a request with its method. None if there are too many.
    fn of(&self, call: &Call) -> Option<Arc<Known>> {
        let path = call.operation.as_ref().map_or_else(|| call.own_path(), |matched| &matched.route.path);
        let key = self.hasher.hash_one((&call.method, path));
        let operations = self.operations.load();
        if let Some(known) = operations.get(&key) {
            return Some(Arc::clone(known));
        }
        if operations.len() >= MOST {
            return None;
        }
        self.operations.rcu(|operations| {
            let mut operations = HashMap::clone(operations);
            operations.entry(key).or_default();
            operations
        });
        self.operations.load().get(&key).cloned()
    }
}

/// Something that does not exist, in the place of something that may.
#[derive(Debug)]
pub(crate) struct Other {
    pub(crate) target: Uri,
    /// How its id is written in words of the app, and how the id that was asked for is.
    names: Vec<(String, String)>,
}

impl Other {
    /// Words about it become words about what was asked for.
    pub(crate) fn renamed(&self, words: &Bytes) -> Bytes {
        self.names
            .iter()
            .fold(words.clone(), |words, (from, to)| replaced(&words, from.as_bytes(), to.as_bytes()))
    }
}

/// Targets like this one, for objects that do not exist: the likeliest first.
pub(crate) fn others(call: &Call, target: &Uri) -> Vec<Other> {
    // Without a parameter it is the last part of what is read.
    let value = values(call).last().or_else(|| target.path().rsplit('/').next()).unwrap_or_default();
    let path = target.path();
    let Some((before, rest)) = around(value, path) else { return Vec::new() };
    let query = target.query().map(|query| format!("?{query}")).unwrap_or_default();
    let others = other_ids(value).into_iter().filter_map(|(other, mut names)| {
        let target = format!("{before}{other}{rest}{query}").parse().ok()?;
        names.insert(0, (other, value.to_owned()));
        Some(Other { target, names })
    });
    others.collect()
}

/// What stands around the last place where a value stands in a path as a whole, in whichever spelling.
fn around<'p>(value: &str, path: &'p str) -> Option<(&'p str, &'p str)> {
    let of_segment = |at: usize| {
        let end = path.get(at..)?.find('/').map_or(path.len(), |length| at + length);
        (decoded(path.get(at..end)?) == value.as_bytes()).then(|| path.get(..at).zip(path.get(end..)))?
    };
    let of_several = |at: usize| {
        let (before, rest) = (path.get(..at)?, path.get(at + value.len()..)?);
        (before.ends_with('/') && (rest.is_empty() || rest.starts_with('/'))).then_some((before, rest))
    };
    if value.is_empty() {
        return None;
    }
    let segment = path.match_indices('/').filter_map(|(at, _)| of_segment(at + 1)).next_back();
    segment.or_else(|| path.match_indices(value).filter_map(|(at, _)| of_several(at)).last())
}

/// Ids of the same form that nothing has, each with further ways in which an app may write it, and the
/// same ways of this id.
fn other_ids(id: &str) -> Vec<(String, Vec<(String, String)>)> {
    let random = Uuid::new_v4();
    let digits = random.as_u64_pair().0 % 1_000_000_000;
    if let Some((before, number, after)) = as_number(id) {
        // The largest that every database takes is 2³¹ - 1.
        let other = (1_000_000_000 + digits).to_string();
        return vec![(format!("{before}{other}{after}"), vec![(other, number.to_owned())])];
    }
    if let Ok(uuid) = Uuid::try_parse(id) {
        let mut other = if id.contains('-') { random.to_string() } else { random.simple().to_string() };
        if id.bytes().any(|byte| byte.is_ascii_uppercase()) {
            other = other.to_uppercase();
        }
        return vec![(other, vec![(random.to_string(), uuid.to_string())])];
    }
    let hex = random.simple().to_string();
    let text: String = hex.chars().cycle().take(id.len().clamp(8, 32)).collect();
    let mut others = vec![(text, Vec::new())];
    // `ORD-0002`: only its digits may be free.
    if id.bytes().filter(u8::is_ascii_digit).count() >= 3 {
        let mut digits = hex.bytes().cycle().map(|byte| char::from(b'0' + byte % 10));
        let other =
            |letter: char| if letter.is_ascii_digit() { digits.next().unwrap_or('0') } else { letter };
        others.push((id.chars().map(other).collect(), Vec::new()));
    }
    others
}

/// A number, however Pydantic lets it be written (` +007.0`): what stands before it, itself, and what stands
/// after it.
fn as_number(text: &str) -> Option<(&str, &str, &str)> {
    let rest = text.trim_start_matches([' ', '+', '-', '0']);
    // Of zeros alone, the last one.
    let of_zeros = usize::from(!rest.starts_with(|letter: char| letter.is_ascii_digit()));
    let (before, rest) = text.split_at_checked((text.len() - rest.len()).checked_sub(of_zeros)?)?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    let (number, after) = rest.split_at_checked(end)?;
    let fraction = after.trim_end();
    let is_whole = fraction.strip_prefix('.').unwrap_or(fraction).bytes().all(|byte| byte == b'0');
    (is_whole && !number.is_empty()).then_some((before, number, after))
}

/// Removes what tells how long the app took.
pub(crate) fn hide_times(headers: &mut HeaderMap) {
    for name in TIMINGS {
        headers.remove(name);
    }
}

/// The values of the path's parameters.
fn values(call: &Call) -> impl Iterator<Item = &str> {
    let parameters = call.operation.iter().flat_map(|matched| &matched.parameters);
    parameters.filter_map(|(.., place)| call.path.as_str().get(place.clone()))
}

/// The words with another id. The one that stands there is long and random: it is nothing else.
fn replaced(words: &Bytes, from: &[u8], to: &[u8]) -> Bytes {
    let mut rest = &words[..];
    let mut out = Vec::new();
    while let Some(at) = memchr::memmem::find(rest, from) {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(to);
        rest = after.get(from.len()..).unwrap_or_default();
    }
    if out.is_empty() && rest.len() == words.len() {
        return words.clone();
    }
    out.extend_from_slice(rest);
    out.into()
}
