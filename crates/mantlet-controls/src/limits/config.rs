use std::time::Duration;

use mantlet_contract::model::BodyKind;
use serde::{Deserialize, Serialize};

use crate::{
    config::{
        Context, Mistake, Posture, Section,
        units::{Size, Span},
    },
    operation::Matched,
};

/// The highest number of header lines that can be allowed.
pub(crate) const MOST_HEADERS: usize = 1_000;
/// Longest target that can be allowed: `http::Uri` holds no more than 65,534 bytes.
pub(crate) const LONGEST_TARGET: Size = Size::kib(63);

/// The default size of a body that the app holds in memory as a whole.
const HELD: Size = Size::mib(256);
/// The default size of a body that the app may read piece by piece.
const STREAMED: Size = Size::mib(16 << 10);

/// The `[limits]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Bytes a request head may have: request line and headers. Default 64 KiB (uvicorn with h11 and balancers of AWS and Google 64 KiB,
    /// Envoy 60 KiB, nginx 32 KiB).
    pub head_size: Size,
    /// Header lines a request may have. Default 256 (uvicorn and nginx count none; HAProxy 101, Envoy 100).
    pub header_count: usize,
    /// Bytes a request target may have. Default 60 KiB (uvicorn and Google's balancers count it with the head; RFC 9112 section 3 asks for
    /// at least 8,000).
    pub target_length: Size,
    /// Bytes a request body may have. Default, in `compatible`: 256 MiB where the app is known to hold it in memory as a whole (JSON, forms
    /// without files), else 16 GiB; in `strict` 256 MiB. Bodies are streamed, so this protects the app, not Mantlet's memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_size: Option<Size>,
    /// Time for a head to arrive, from its first byte or from the start of the connection. Default 15 s (Apache 20 s, HAProxy's guide 10 s).
    pub head_timeout: Span,
    /// Time to wait for a body beyond its size divided by `body-rate`. Default 20 s (Apache's
    /// `mod_reqtimeout` 20 s).
    pub body_grace: Span,
    /// Bytes a second that a body must bring on average, not counting time in which the app did not
    /// read. Default 500 B (Apache 500 B).
    pub body_rate: Size,
    /// Time a connection may be silent between requests. Default 75 s (nginx 75 s).
    pub idle_timeout: Span,
    /// Time a client may take to accept the next piece of a response. Default 60 s (nginx 60 s).
    pub write_timeout: Span,
    /// Connections in all. Lowered at start to what the descriptor limit allows. Default 16,384.
    pub connections: usize,
    /// Connections for each client address; trusted proxies have no such limit. Default 1,024.
    pub connections_per_client: usize,
    /// Streams that one HTTP/2 connection may have open. Default 100 (RFC 9113 section 6.5.2 asks for at least 100).
    pub http2_streams: u32,
    /// Time a WebSocket may be silent in both directions. Default 5 min (uvicorn pings every 20 s).
    pub websocket_idle: Span,
    /// Bytes a WebSocket message from the client may have. Default 16 MiB (uvicorn 16 MiB).
    pub websocket_message: Size,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            head_size: Size::kib(64),
            header_count: 256,
            target_length: Size::kib(60),
            body_size: None,
            head_timeout: Span::secs(15),
            body_grace: Span::secs(20),
            body_rate: Size(500),
            idle_timeout: Span::secs(75),
            write_timeout: Span::secs(60),
            connections: 16_384,
            connections_per_client: 1_024,
            http2_streams: 100,
            websocket_idle: Span::secs(300),
            websocket_message: Size::mib(16),
        }
    }
}

/// Bytes that a request body may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodySizes {
    /// A body that the app is known to hold in memory as a whole.
    held: u64,
    /// Any other.
    other: u64,
}

impl BodySizes {
    /// The same for all.
    pub const fn all(size: Size) -> Self {
        Self { held: size.0, other: size.0 }
    }

    /// For a request of this operation, if one is known.
    pub(crate) fn of(self, operation: Option<&Matched>) -> u64 {
        let is_held = operation.filter(|matched| matched.contract.is_exact() && !matched.unsure).is_some_and(
            |matched| {
                matched.route.operation.as_ref().is_some_and(|operation| {
                    matches!(operation.body, BodyKind::Json { .. } | BodyKind::Form { files: false })
                })
            },
        );
        if is_held { self.held } else { self.other }
    }
}

/// The checked `[limits]` section. Units as in [`Config`].
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are those of `Config`")]
pub struct Policy {
    pub head_size: usize,
    pub header_count: usize,
    pub target_length: usize,
    pub head_timeout: Duration,
    pub body_grace: Duration,
    pub body_rate: u64,
    pub idle_timeout: Duration,
    pub write_timeout: Duration,
    pub connections: usize,
    pub connections_per_client: usize,
    pub http2_streams: u32,
    pub websocket_idle: Duration,
    pub websocket_message: u64,
}

impl Config {
    /// The sizes of bodies.
    pub(crate) fn body_sizes(&self, posture: Posture) -> BodySizes {
        match (self.body_size, posture) {
            (Some(size), _) => BodySizes::all(size),
            (None, Posture::Strict) => BodySizes::all(HELD),
            (None, Posture::Compatible) => BodySizes { held: HELD.0, other: STREAMED.0 },
        }
    }
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self {
            header_count: MOST_HEADERS,
            target_length: LONGEST_TARGET,
            body_size: Some(Size(u64::MAX)),
            ..Self::default()
        }
    }

    fn check(&self, _: &Context) -> Result<Policy, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut within = |key: &str, value: u64, low: u64, high: u64, show: fn(u64) -> String| {
            if !(low..=high).contains(&value) {
                let message = format!("`{}` is outside {} to {}", show(value), show(low), show(high));
                mistakes.push(Mistake::new(key, message));
            }
        };
        let size = |n| Size(n).to_string();
        let count = |n: u64| n.to_string();
        // Larger heads would need larger buffers in every layer below; no known client needs them.
        within("head-size", self.head_size.0, 1 << 10, 256 << 10, size);
        within("header-count", self.header_count as u64, 10, MOST_HEADERS as u64, count);
        within("target-length", self.target_length.0, 256, LONGEST_TARGET.0, size);
        within("body-rate", self.body_rate.0, 1, u64::MAX, size);
        within("connections", self.connections as u64, 8, 1 << 24, count);
        within("connections-per-client", self.connections_per_client as u64, 1, 1 << 24, count);
        within("http2-streams", u64::from(self.http2_streams), 1, 10_000, count);
        let spans = [
            ("head-timeout", self.head_timeout),
            ("body-grace", self.body_grace),
            ("idle-timeout", self.idle_timeout),
            ("write-timeout", self.write_timeout),
            ("websocket-idle", self.websocket_idle),
        ];
        for (key, span) in spans {
            if !(Duration::from_millis(100)..=Duration::from_hours(24)).contains(&span.0) {
                mistakes.push(Mistake::new(key, format!("`{span}` is outside 100ms to 1day")));
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(Policy {
            head_size: self.head_size.bytes(),
            header_count: self.header_count,
            target_length: self.target_length.bytes(),
            head_timeout: self.head_timeout.0,
            body_grace: self.body_grace.0,
            body_rate: self.body_rate.0,
            idle_timeout: self.idle_timeout.0,
            write_timeout: self.write_timeout.0,
            connections: self.connections,
            connections_per_client: self.connections_per_client,
            http2_streams: self.http2_streams,
            websocket_idle: self.websocket_idle.0,
            websocket_message: self.websocket_message.0,
        })
    }
}
