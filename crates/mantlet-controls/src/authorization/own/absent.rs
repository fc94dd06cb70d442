//! What the app answers where an object does not exist: a refusal says the same, after the same time.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use uuid::Uuid;

use crate::{Call, message::cookie::SetCookie};

/// Bytes of the longest answer that is repeated.
pub(crate) const LONGEST: usize = 16 << 10;
/// Operations that are remembered. An app has fewer.
const MOST: usize = 4_096;
/// Times of an operation that are remembered.
const TIMES: usize = 64;
/// The shortest and the longest step in which answers are held back.
const STEP: Duration = Duration::from_millis(10);
const LONGEST_STEP: Duration = Duration::from_millis(250);

/// A 404 of the app.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NotFound {
    pub(crate) headers: HeaderMap,
    /// With the marks where ids of the request stand.
    body: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Box<[u8]>),
    /// The value of this parameter of the path.
    Parameter(usize),
}

/// What is known of an operation.
#[derive(Debug)]
struct Known {
    not_found: ArcSwapOption<NotFound>,
    /// Another one with an id in it: certain once a second one is the same.
    maybe: ArcSwapOption<NotFound>,
    /// How long the app takes, in microseconds; 0 is not known yet.
    times: [AtomicU32; TIMES],
    next: AtomicUsize,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            not_found: ArcSwapOption::empty(),
            maybe: ArcSwapOption::empty(),
            times: [const { AtomicU32::new(0) }; TIMES],
            next: AtomicUsize::new(0),
        }
    }
}

/// Of what a 404 is known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked<'a> {
    /// Of the operation of a request, by this method.
    Itself(&'a Method),
    /// Of what this rule has read first.
    Read(&'a str),
}

/// What is known of operations with objects. Nothing waits for anything: it is replaced as a whole if there
/// is a new operation, which happens once for each.
#[derive(Debug, Default)]
pub(crate) struct Absent {
    operations: ArcSwap<HashMap<u64, Arc<Known>>>,
    hasher: RandomState,
}

/// Headers that describe a body.
fn is_of_body(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::CONTENT_TYPE
            | header::CONTENT_LENGTH
            | header::CONTENT_ENCODING
            | header::CONTENT_LANGUAGE
            | header::CACHE_CONTROL
            | header::VARY
    )
}

/// Headers that tell how long the app took.
const TIMINGS: [&str; 4] = ["server-timing", "x-process-time", "x-response-time", "x-runtime"];

impl Absent {
    /// How long an operation has taken.
    pub(crate) fn took(&self, call: &Call, span: Duration) {
        let Some(known) = self.of(call, Asked::Itself(&call.method)) else { return };
        let micros = u32::try_from(span.as_micros()).unwrap_or(u32::MAX).max(1);
        let next = known.next.fetch_add(1, Relaxed) % TIMES;
        if let Some(oldest) = known.times.get(next) {
            oldest.store(micros, Relaxed);
        }
    }

    /// How long an answer is held back that says that there is nothing: until the next whole step.
    /// A step is as long as nearly every answer of the operation takes.
    pub(crate) fn left(&self, call: &Call, since: Duration) -> Duration {
        let known = self.of(call, Asked::Itself(&call.method));
        let times = known.iter().flat_map(|known| &known.times).map(|time| time.load(Relaxed));
        let mut times: Vec<u32> = times.filter(|time| *time > 0).collect();
        times.sort_unstable();
        let usual = times.get(times.len() * 95 / 100).copied().unwrap_or_default();
        let step = Duration::from_micros(usual.into()).clamp(STEP, LONGEST_STEP).as_micros().max(1);
        let passed = since.as_micros();
        let left = passed.div_ceil(step).max(1) * step - passed;
        Duration::from_micros(u64::try_from(left).unwrap_or_default())
    }

    /// Remembers a 404 of the app.
    pub(crate) fn learn(&self, call: &Call, asked: Asked<'_>, headers: &HeaderMap, body: &[u8]) {
        let values: Vec<&str> = values(call).collect();
        // Without a parameter it would not be known where the id stands.
        if values.is_empty() && matches!(asked, Asked::Read(_)) {
            return;
        }
        // An id in another spelling than the app's own is not found in its words.
        let is_plain = |value: &&str| !value.starts_with('0') || *value == "0";
        if !values.iter().all(is_plain) || headers.contains_key(header::CONTENT_ENCODING) {
            return;
        }
        let Some(found) = NotFound::of(headers, body, &values) else { return };
        let Some(known) = self.of(call, asked) else { return };
        let is_same = |other: &ArcSwapOption<NotFound>| {
            other.load().as_ref().is_some_and(|other| other.body == found.body)
        };
        // What looks like the id may be something else, such as the status.
        let place = if !found.has_id() || is_same(&known.maybe) || is_same(&known.not_found) {
            &known.not_found
        } else {
            &known.maybe
        };
        place.store(Some(Arc::new(found)));
    }

    /// Remembers the app's answer about something else, which does not exist.
    pub(crate) fn learn_of(
        &self,
        call: &Call,
        asked: Asked<'_>,
        other: &Other,
        (headers, body): (&HeaderMap, &[u8]),
    ) {
        let mut values: Vec<&str> = values(call).collect();
        if let Some(last) = values.last_mut() {
            *last = &other.value;
        }
        let Some(found) = NotFound::of(headers, body, &values) else { return };
        if let Some(known) = self.of(call, asked) {
            known.not_found.store(Some(Arc::new(found)));
        }
    }

    /// What the app says where there is nothing: to this method, or else to GET.
    pub(crate) fn find(&self, call: &Call, asked: Asked<'_>) -> Option<Arc<NotFound>> {
        let of = |asked| self.of(call, asked).and_then(|known| known.not_found.load_full());
        match asked {
            Asked::Itself(method) => {
                of(asked).or_else(|| (method != Method::GET).then(|| of(Asked::Itself(&Method::GET)))?)
            }
            Asked::Read(_) => of(asked),
        }
    }

    /// What is known of the operation of a request with this method. None if there are too many.
    fn of(&self, call: &Call, asked: Asked<'_>) -> Option<Arc<Known>> {
        let path = call.operation.as_ref().map_or_else(|| call.own_path(), |matched| &matched.route.path);
        let key = match asked {
            Asked::Itself(method) => self.hasher.hash_one((method, path)),
            Asked::Read(rule) => self.hasher.hash_one((rule, path)),
        };
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

impl NotFound {
    /// None if it is too long.
    fn of(headers: &HeaderMap, body: &[u8], values: &[&str]) -> Option<Self> {
        (body.len() <= LONGEST).then(|| Self { headers: headers.clone(), body: parts(values, body) })
    }

    fn has_id(&self) -> bool {
        self.body.iter().any(|part| matches!(part, Part::Parameter(_)))
    }

    /// FastAPI's own.
    pub(crate) fn usual() -> Self {
        let headers = [
            (header::CONTENT_LENGTH, HeaderValue::from_static("22")),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        ];
        let body = vec![Part::Text(Box::from(&br#"{"detail":"Not Found"}"#[..]))];
        Self { headers: HeaderMap::from_iter(headers), body }
    }

    /// The body for this request.
    pub(crate) fn body(&self, call: &Call) -> Bytes {
        let mut out = Vec::new();
        for part in &self.body {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Parameter(number) => {
                    out.extend_from_slice(values(call).nth(*number).unwrap_or_default().as_bytes());
                }
            }
        }
        out.into()
    }

    /// The headers for this request, in the place of those that the app has sent with the object, if it
    /// has. What is about one request stays that of this one, if the app says it with a 404, too.
    pub(crate) fn headers(&self, length: &HeaderValue, actual: Option<&HeaderMap>) -> HeaderMap {
        let mut out = HeaderMap::new();
        for name in self.headers.keys() {
            let mut known = self.headers.get_all(name).iter();
            if *name == header::DATE || is_timing(name) {
                continue;
            }
            // In their order.
            if *name == header::CONTENT_LENGTH {
                out.insert(name, length.clone());
                continue;
            }
            if name.as_str().starts_with("access-control-") {
                // About another page, unless the app says it of this one.
                let sent = actual.into_iter().flat_map(|sent| sent.get_all(name));
                out.extend(sent.map(|value| (name.clone(), value.clone())));
                continue;
            }
            if *name == header::SET_COOKIE {
                let names: Vec<_> = known.filter_map(cookie_name).collect();
                let sent = actual.into_iter().flat_map(|sent| sent.get_all(header::SET_COOKIE));
                let same = sent.filter(|line| cookie_name(line).is_some_and(|name| names.contains(&name)));
                out.extend(same.map(|line| (header::SET_COOKIE, line.clone())));
                continue;
            }
            match actual.filter(|sent| !is_of_body(name) && sent.contains_key(name)) {
                Some(sent) => {
                    out.extend(sent.get_all(name).iter().map(|value| (name.clone(), value.clone())));
                }
                None => out.extend(known.by_ref().map(|value| (name.clone(), value.clone()))),
            }
        }
        out
    }
}

/// Something that does not exist.
#[derive(Debug)]
pub(crate) struct Other {
    pub(crate) target: Uri,
    /// What stands for the id.
    value: String,
}

/// A target like this one, for an object that does not exist.
pub(crate) fn another(call: &Call, target: &Uri) -> Option<Other> {
    // Without a parameter it is the last part of what is read.
    let value = values(call).last().or_else(|| target.path().rsplit('/').next())?;
    // The last place where it stands in the target, as a whole.
    let target = target.path();
    let is_whole = |at: &usize| {
        let before = target.get(..*at).is_some_and(|before| before.ends_with('/'));
        let after =
            target.get(at + value.len()..).is_some_and(|after| after.is_empty() || after.starts_with('/'));
        before && after
    };
    let at = target.match_indices(value).map(|(at, _)| at).filter(is_whole).last();
    let at = at.filter(|_| !value.is_empty())?;
    let random = Uuid::new_v4();
    let number = random.as_u64_pair().0 % 1_000_000_000;
    let other: String = if value.bytes().all(|byte| byte.is_ascii_digit()) {
        // The largest that every database takes is 2³¹ - 1.
        (1_000_000_000 + number).to_string()
    } else if Uuid::try_parse(value).is_ok() {
        if value.contains('-') { random.to_string() } else { random.simple().to_string() }
    } else {
        random.simple().to_string().chars().cycle().take(value.len().clamp(8, 32)).collect()
    };
    let target = format!("{}{other}{}", target.get(..at)?, target.get(at + value.len()..)?).parse().ok()?;
    Some(Other { target, value: other })
}

/// Removes what tells how long the app took.
pub(crate) fn hide_times(headers: &mut HeaderMap) {
    for name in TIMINGS {
        headers.remove(name);
    }
}

fn is_timing(name: &HeaderName) -> bool {
    TIMINGS.contains(&name.as_str())
}

fn cookie_name(line: &HeaderValue) -> Option<&[u8]> {
    SetCookie::parse(line.as_bytes()).map(|cookie| cookie.name)
}

/// The values of the path's parameters.
fn values(call: &Call) -> impl Iterator<Item = &str> {
    let parameters = call.operation.iter().flat_map(|matched| &matched.parameters);
    parameters.filter_map(|(.., place)| call.path.as_str().get(place.clone()))
}

/// A body with marks where values of the path stand as whole words.
fn parts(values: &[&str], body: &[u8]) -> Vec<Part> {
    let is_inner = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
    while at < body.len() {
        let rest = body.get(at..).unwrap_or_default();
        let is_start = at == 0 || !is_inner(body.get(at - 1));
        let is_it = |value: &&str| {
            !value.is_empty() && rest.starts_with(value.as_bytes()) && !is_inner(rest.get(value.len()))
        };
        let found = values.iter().position(|value| is_start && is_it(value));
        let Some(number) = found else {
            at += 1;
            continue;
        };
        parts.push(Part::Text(body.get(from..at).unwrap_or_default().into()));
        parts.push(Part::Parameter(number));
        at += values.get(number).map_or(1, |value| value.len());
        from = at;
    }
    parts.push(Part::Text(body.get(from..).unwrap_or_default().into()));
    parts
}
