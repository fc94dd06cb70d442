//! The trace that a request is part of, as W3C Trace Context has it (<https://www.w3.org/TR/trace-context/>).
//!
//! The trace of a trusted peer goes on. That of any other client is only linked: it could be one of others, and its
//! flag could have every request recorded.

use std::{cell::RefCell, sync::OnceLock};

use bytes::{BufMut, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

use crate::Reason;

/// The header that carries a trace from one program to the next.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What a vendor adds to it.
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// What programs tell those after them (W3C Baggage).
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// Bytes of a `traceparent` of version 00.
const LENGTH: usize = 55;
/// Bytes that are allocated for headers at once: many requests share them.
const CHUNK: usize = 4096;
/// Bits of a trace id that are random, at its end.
const RANDOM_BITS: u32 = 56;

/// The id of a trace.
pub type TraceId = [u8; 16];
/// The id of a span, a step in a trace.
pub type SpanId = [u8; 8];

/// What a `traceparent` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace: TraceId,
    /// The step before.
    pub span: SpanId,
    /// Whether it is recorded.
    pub is_sampled: bool,
}

impl TraceParent {
    /// The one that a request brings; none if it brings several, or one that is malformed.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut all = headers.get_all(TRACEPARENT).into_iter();
        match (all.next(), all.next()) {
            (Some(one), None) => Self::parse(one.as_bytes()),
            _ => None,
        }
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let (known, rest) = text.split_at_checked(LENGTH)?;
        let (version, fields) = known.split_at_checked(2)?;
        let [version] = hex(version)?;
        // Later versions may say more at the end. 255 is not a version.
        if version == u8::MAX || !(rest.is_empty() || version > 0 && rest.starts_with(b"-")) {
            return None;
        }
        let [b'-', fields @ ..] = fields else { return None };
        let (trace, fields) = fields.split_at_checked(32)?;
        let [b'-', fields @ ..] = fields else { return None };
        let (span, fields) = fields.split_at_checked(16)?;
        let [b'-', flags @ ..] = fields else { return None };
        let [flags] = hex(flags)?;
        let (trace, span) = (hex(trace)?, hex(span)?);
        let is_one = trace != TraceId::default() && span != SpanId::default();
        is_one.then_some(Self { trace, span, is_sampled: flags & 1 == 1 })
    }

    fn header(&self) -> HeaderValue {
        thread_local! {
            /// INVARIANT: borrowed only within this function.
            static TEXT: RefCell<BytesMut> = RefCell::default();
        }
        TEXT.with_borrow_mut(|text| {
            if text.capacity() < LENGTH {
                *text = BytesMut::with_capacity(CHUNK);
            }
            text.put_slice(b"00-");
            put_hex(text, &self.trace);
            text.put_u8(b'-');
            put_hex(text, &self.span);
            text.put_slice(if self.is_sampled { b"-01" } else { b"-00" });
            // Hexadecimal digits and hyphens are always a header value.
            HeaderValue::from_maybe_shared(text.split().freeze())
                .unwrap_or_else(|_| HeaderValue::from_static(""))
        })
    }
}

/// Which traces are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampler {
    /// Of all values of the random bits, the first so many.
    below: u64,
    /// What goes on is recorded if it was before.
    follows: bool,
}

impl Sampler {
    /// Records this part of the traces, from 0 to 1. If it `follows`, the one who began a trace decides for all.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    pub fn new(ratio: f64, follows: bool) -> Self {
        let all = 1_u64 << RANDOM_BITS;
        Self { below: (ratio.clamp(0.0, 1.0) * all as f64) as u64, follows }
    }

    fn samples(self, trace: &TraceId, parent: Option<&TraceParent>) -> bool {
        match parent {
            Some(parent) if self.follows => parent.is_sampled,
            _ => {
                let random = u128::from_be_bytes(*trace) & u128::from((1_u64 << RANDOM_BITS) - 1);
                random < u128::from(self.below)
            }
        }
    }
}

/// The trace of a request, and the gate's steps in it.
#[derive(Debug)]
pub struct Trace {
    /// Its id.
    pub id: TraceId,
    /// The step of a trusted peer, of which the gate's is a part.
    pub parent: Option<SpanId>,
    /// The trace of another client, which is only linked.
    pub link: Option<TraceParent>,
    /// The gate's own step.
    pub span: SpanId,
    /// The step of the app within it: what the app is told. If nothing is recorded, the gate's own.
    pub of_app: SpanId,
    /// Whether it is recorded.
    pub is_sampled: bool,
    /// What was first reported of the request.
    pub reported: OnceLock<Reason>,
}

impl Trace {
    /// The trace of a request that a trusted peer has sent, or another client.
    pub fn begin(headers: &HeaderMap, is_trusted: bool, sampler: Sampler) -> Self {
        let said = TraceParent::of(headers);
        let (parent, link) = if is_trusted { (said, None) } else { (None, said) };
        let id = parent.map_or_else(|| Uuid::new_v4().into_bytes(), |parent| parent.trace);
        // Halves of a UUID: each has a bit that is set, so none is 0, which is not an id.
        let (first, second) = Uuid::new_v4().as_u64_pair();
        let is_sampled = sampler.samples(&id, parent.as_ref());
        Self {
            id,
            parent: parent.map(|parent| parent.span),
            link,
            span: first.to_be_bytes(),
            of_app: if is_sampled { second } else { first }.to_be_bytes(),
            is_sampled,
            reported: OnceLock::new(),
        }
    }

    /// The id as it is written everywhere.
    pub fn text(&self) -> String {
        let mut text = BytesMut::with_capacity(32);
        put_hex(&mut text, &self.id);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Tells the app its place in the trace. What came with a trace that does not go on, the app does not get.
    pub(crate) fn hand_over(&self, headers: &mut HeaderMap, is_trusted: bool) {
        let told = TraceParent { trace: self.id, span: self.of_app, is_sampled: self.is_sampled };
        headers.insert(TRACEPARENT, told.header());
        if self.parent.is_none() {
            headers.remove(TRACESTATE);
        }
        if !is_trusted {
            headers.remove(BAGGAGE);
        }
    }
}

/// So many bytes from lower-case hexadecimal digits, as the standard wants them.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let value = |digit: &u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = value(high)? << 4 | value(low)?;
    }
    Some(bytes)
}

fn put_hex(text: &mut BytesMut, bytes: &[u8]) {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
    for byte in bytes {
        text.put_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn asked(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACEPARENT, value.parse().unwrap());
        }
        headers.insert(TRACESTATE, "a=b".parse().unwrap());
        headers.insert(BAGGAGE, "c=d".parse().unwrap());
        headers
    }

    #[test]
    fn what_is_written_is_read_again() {
        let read = TraceParent::of(&asked(&[GOOD])).unwrap();
        assert_eq!((read.trace[0], read.span[7], read.is_sampled), (0x4b, 0xb7, true));
        // Over many chunks.
        for _ in 0..1000 {
            assert_eq!(read.header(), GOOD);
        }
        let later = format!("cc{}-more", &GOOD[2..]);
        assert_eq!(TraceParent::of(&asked(&[&later])), Some(read));
        let unsampled = GOOD.replace("-01", "-02");
        assert!(!TraceParent::of(&asked(&[&unsampled])).unwrap().is_sampled);
    }

    #[test]
    fn what_is_malformed_is_not_read() {
        for wrong in [
            "",
            "00",
            &GOOD[..54],
            &format!("{GOOD}-more"),
            &format!("cc{}x", &GOOD[2..]),
            &format!("ff{}", &GOOD[2..]),
            &GOOD.to_uppercase(),
            &GOOD.replace("-01", "-0x"),
            &GOOD.replace("-01", "_01"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ] {
            assert_eq!(TraceParent::of(&asked(&[wrong])), None, "{wrong}");
        }
        assert_eq!(TraceParent::of(&asked(&[GOOD, GOOD])), None);
        assert_eq!(TraceParent::of(&HeaderMap::new()), None);
    }

    #[test]
    fn only_the_trace_of_a_trusted_peer_goes_on() {
        let never = Sampler::new(0.0, true);
        let mut headers = asked(&[GOOD]);
        let trace = Trace::begin(&headers, true, never);
        assert_eq!((trace.text().as_str(), trace.link, trace.is_sampled), (&GOOD[3..35], None, true));
        assert_eq!(trace.parent, Some([0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]));
        trace.hand_over(&mut headers, true);
        let told = TraceParent::of(&headers).unwrap();
        assert_eq!((told.trace, told.span, told.is_sampled), (trace.id, trace.of_app, true));
        assert!(trace.of_app != trace.span && headers.contains_key(TRACESTATE));
        assert!(headers.contains_key(BAGGAGE));

        let mut headers = asked(&[GOOD]);
        let trace = Trace::begin(&headers, false, never);
        assert_ne!(trace.text(), &GOOD[3..35]);
        assert_eq!((trace.parent, trace.is_sampled), (None, false), "its flag is not heeded");
        assert_eq!(trace.link, TraceParent::of(&headers));
        trace.hand_over(&mut headers, false);
        let told = TraceParent::of(&headers).unwrap();
        assert_eq!((told.trace, told.span, told.is_sampled), (trace.id, trace.span, false));
        assert!(!headers.contains_key(TRACESTATE) && !headers.contains_key(BAGGAGE));
    }

    #[test]
    fn a_trusted_peer_without_a_trace_begins_one() {
        let mut headers = asked(&["00-x"]);
        let trace = Trace::begin(&headers, true, Sampler::new(1.0, true));
        assert!(trace.is_sampled && trace.parent.is_none() && trace.link.is_none());
        trace.hand_over(&mut headers, true);
        assert!(!headers.contains_key(TRACESTATE), "it belongs to a trace that does not go on");
        assert!(headers.contains_key(BAGGAGE));
    }

    #[test]
    fn a_ratio_is_a_part_of_the_traces() {
        let count = |sampler: Sampler, headers: &HeaderMap| {
            (0..20_000).filter(|_| Trace::begin(headers, true, sampler).is_sampled).count()
        };
        let none = HeaderMap::new();
        assert_eq!(count(Sampler::new(0.0, true), &none), 0);
        assert_eq!(count(Sampler::new(1.0, true), &none), 20_000);
        // Far beyond ten standard deviations on either side.
        let tenth = count(Sampler::new(0.1, true), &none);
        assert!((1_500..2_500).contains(&tenth), "{tenth}");
        // Of one trace, all programs decide the same.
        let parent = asked(&[GOOD]);
        assert_eq!(count(Sampler::new(0.0, true), &parent), 20_000);
        assert_eq!(count(Sampler::new(0.0, false), &parent), 0);
    }
}
