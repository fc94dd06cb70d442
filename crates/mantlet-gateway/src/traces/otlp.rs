//! Makes OTLP of spans and sends it, with the crates of OpenTelemetry and our own HTTP client.
//!
//! Names are those of OpenTelemetry's conventions for HTTP (version 1.23 and later), and our own begin with
//! `mantlet.`.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderMap, Request, Response, header};
use mantlet_controls::{Reason, refusal::stop};
use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{Link, SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, RetryPolicy, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks},
};

use super::{
    TracesConfig,
    span::{About, InApp, Span},
};
use crate::fetch::{Question, Target, send};

/// How long a collector may take for a batch (OpenTelemetry's SDKs: 10 s).
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of its answer, at most.
const MOST: usize = 1 << 20;

/// Sends batches to a collector.
#[derive(Debug)]
pub(super) struct Exporter {
    sender: opentelemetry_otlp::SpanExporter,
    scope: InstrumentationScope,
    client: Arc<Transport>,
}

/// Why a batch was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) why: String,
    /// Whether another attempt may succeed, as OTLP has it.
    pub(super) is_passing: bool,
}

impl Exporter {
    pub(super) fn new(config: &TracesConfig) -> io::Result<Self> {
        let target = Target::of_url(&config.endpoint).map_err(io::Error::other)?;
        let client =
            Arc::new(Transport { target, takes_headers: config.takes_variables, status: AtomicU16::new(0) });
        // It would sleep on its thread between attempts; `export` waits without that.
        let builder = opentelemetry_otlp::SpanExporter::builder().with_http();
        let builder = builder.with_http_client(SharedTransport(Arc::clone(&client)));
        let builder = builder.with_retry_policy(RetryPolicy::disabled());
        let builder = builder.with_endpoint(&config.endpoint).with_protocol(Protocol::HttpBinary);
        let mut sender = builder.build().map_err(io::Error::other)?;
        let resource = Resource::builder()
            .with_service_name(config.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        sender.set_resource(&resource.build());
        let scope = InstrumentationScope::builder("mantlet").with_version(env!("CARGO_PKG_VERSION")).build();
        Ok(Self { sender, scope, client })
    }

    /// Sends the spans of some requests, once.
    pub(super) async fn export(&self, batch: &[Span]) -> Result<(), Failed> {
        let spans = batch.iter().flat_map(|span| self.spans_of(span)).collect();
        self.client.status.store(0, Relaxed);
        self.sender.export(spans).await.map_err(|error| {
            let status = self.client.status.load(Relaxed);
            // The table of OTLP/HTTP; 0 is a collector that could not be reached.
            Failed { why: error.to_string(), is_passing: matches!(status, 0 | 429 | 502 | 503 | 504) }
        })
    }

    /// The gate's own span, and that of the app's time.
    fn spans_of(&self, span: &Span) -> impl Iterator<Item = SpanData> {
        let ids = &span.ids;
        let context = |id: [u8; 8]| {
            let (trace, flags) = (TraceId::from_bytes(ids.trace), TraceFlags::SAMPLED);
            SpanContext::new(trace, SpanId::from_bytes(id), flags, false, TraceState::NONE)
        };
        let mut links = SpanLinks::default();
        links.links.extend(ids.link.map(|link| {
            let flags = if link.is_sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
            let (trace, from) = (TraceId::from_bytes(link.trace), SpanId::from_bytes(link.span));
            Link::new(SpanContext::new(trace, from, flags, true, TraceState::NONE), Vec::new(), 0)
        }));
        let data = |id, parent, kind, name, (from, to): (Duration, Duration)| SpanData {
            span_context: context(id),
            parent_span_id: SpanId::from_bytes(parent),
            parent_span_is_remote: false,
            span_kind: kind,
            name,
            start_time: span.began + from,
            end_time: span.began + to,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        };
        let method = span.about.as_ref().map_or("HTTP", |about| match about.method {
            "_OTHER" => "HTTP",
            known => known,
        });
        let route = span.about.as_ref().and_then(|about| about.route.as_deref());
        let name = route.map_or_else(|| method.into(), |route| format!("{method} {route}").into());
        let whole = (Duration::ZERO, span.took);
        let (attributes, status) = of_request(span);
        let own = SpanData {
            parent_span_is_remote: ids.parent.is_some(),
            links,
            attributes,
            status,
            ..data(ids.span, ids.parent.unwrap_or_default(), SpanKind::Server, name, whole)
        };
        let of_app = span.app.as_ref().map(|app| {
            let (attributes, status) = of_app(span.about.as_ref(), app);
            let times = (app.from, app.to);
            SpanData {
                attributes,
                status,
                ..data(ids.of_app, ids.span, SpanKind::Client, method.into(), times)
            }
        });
        std::iter::once(own).chain(of_app)
    }
}

fn of_request(span: &Span) -> (Vec<KeyValue>, Status) {
    let mut all = Vec::with_capacity(12);
    if let Some(about) = &span.about {
        all.push(KeyValue::new("http.request.method", about.method));
        all.extend(about.route.as_deref().map(|route| KeyValue::new("http.route", route.to_owned())));
        all.push(KeyValue::new("url.path", about.path.to_string()));
        all.push(KeyValue::new("url.scheme", about.scheme));
        all.push(KeyValue::new("network.protocol.version", about.version));
        all.extend(about.client.map(|client| KeyValue::new("client.address", client.to_string())));
        all.push(KeyValue::new("mantlet.request_id", about.request_id.to_string()));
    }
    all.extend(span.status.map(|status| KeyValue::new("http.response.status_code", i64::from(status))));
    let decision = |reason: Reason, outcome: &'static str| {
        [
            KeyValue::new("mantlet.stop", stop::of(reason)),
            KeyValue::new("mantlet.code", reason.code()),
            KeyValue::new("mantlet.outcome", outcome),
        ]
    };
    match (span.refused, span.reported) {
        (Some(reason), _) => all.extend(decision(reason, "refused")),
        (None, Some(reason)) => all.extend(decision(reason, "reported")),
        (None, None) => {}
    }
    // What a client did wrong is not an error of the server.
    let error = match (span.status, span.refused) {
        (None, _) => Some("cancelled".to_owned()),
        (Some(500..), Some(reason)) => Some(reason.code().to_owned()),
        (Some(status @ 500..), None) => Some(status.to_string()),
        (Some(_), _) => None,
    };
    let status = status_of(&mut all, error);
    (all, status)
}

/// For the client of the app, which the gate is here, an error of a request is one, too.
fn of_app(about: Option<&About>, app: &InApp) -> (Vec<KeyValue>, Status) {
    let mut all: Vec<_> =
        about.map(|about| KeyValue::new("http.request.method", about.method)).into_iter().collect();
    all.extend(app.status.map(|status| KeyValue::new("http.response.status_code", i64::from(status))));
    let error = match app.status {
        None => Some("no_response".to_owned()),
        Some(status @ 400..) => Some(status.to_string()),
        Some(_) => None,
    };
    let status = status_of(&mut all, error);
    (all, status)
}

fn status_of(all: &mut Vec<KeyValue>, error: Option<String>) -> Status {
    match error {
        Some(kind) => {
            all.push(KeyValue::new("error.type", kind));
            Status::error("")
        }
        None => Status::Unset,
    }
}

/// Our own client, as the crates want it.
#[derive(Debug)]
struct Transport {
    target: Target,
    /// Whether headers from the environment are for this address.
    takes_headers: bool,
    /// Of the last answer; 0 if there was none.
    status: AtomicU16,
}

#[derive(Debug)]
struct SharedTransport(Arc<Transport>);

#[async_trait]
impl HttpClient for SharedTransport {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let Transport { target, takes_headers, status } = &*self.0;
        let (parts, body) = request.into_parts();
        let mut headers = if *takes_headers { parts.headers.clone() } else { HeaderMap::new() };
        headers
            .extend(parts.headers.get(header::CONTENT_TYPE).map(|kind| (header::CONTENT_TYPE, kind.clone())));
        headers.remove(header::USER_AGENT);
        let question = Question { method: parts.method, headers, body };
        let answer = send(target, question, PATIENCE, MOST).await?;
        status.store(answer.status.as_u16(), Relaxed);
        let mut response = Response::new(answer.body);
        (*response.status_mut(), *response.headers_mut()) = (answer.status, answer.headers);
        Ok(response)
    }
}
