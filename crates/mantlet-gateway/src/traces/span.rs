//! The steps of one request: under way, and over.

use std::{
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU16, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use http::{StatusCode, Version};
use mantlet_controls::{
    Call, Reason,
    call::trace::{SpanId, Trace, TraceId, TraceParent},
};

use super::Tracer;
use crate::metrics;

/// Longest path in a span, in bytes: as in an audit record.
const MAX_PATH: usize = 512;

/// The ids of a request's spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) trace: TraceId,
    pub(super) parent: Option<SpanId>,
    pub(super) link: Option<TraceParent>,
    pub(super) span: SpanId,
    pub(super) of_app: SpanId,
}

/// What is known of a request once it was judged.
#[derive(Debug)]
#[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "nothing is sent"))]
pub(super) struct About {
    pub(super) method: &'static str,
    /// The path template of the operation.
    pub(super) route: Option<Box<str>>,
    /// Without its query.
    pub(super) path: Box<str>,
    pub(super) scheme: &'static str,
    pub(super) version: &'static str,
    pub(super) client: Option<IpAddr>,
    pub(super) request_id: Box<str>,
}

/// A time within a request, since its begin; 0 if it has not come.
type Moment = AtomicU64;

/// The steps of a request that is recorded, while it is under way. They end when the last who has them lets go:
/// when the client has the whole response, or has left.
#[derive(Debug)]
pub(crate) struct OpenSpan {
    tracer: Tracer,
    ids: Ids,
    began: (SystemTime, Instant),
    about: OnceLock<About>,
    status: AtomicU16,
    refused: OnceLock<Reason>,
    reported: OnceLock<Reason>,
    app_began: Moment,
    app_ended: Moment,
    app_status: AtomicU16,
}

impl OpenSpan {
    pub(crate) fn begin(tracer: &Tracer, trace: &Trace) -> Arc<Self> {
        Arc::new(Self {
            tracer: tracer.clone(),
            ids: Ids {
                trace: trace.id,
                parent: trace.parent,
                link: trace.link,
                span: trace.span,
                of_app: trace.of_app,
            },
            began: (SystemTime::now(), Instant::now()),
            about: OnceLock::new(),
            status: AtomicU16::new(0),
            refused: OnceLock::new(),
            reported: OnceLock::new(),
            app_began: Moment::new(0),
            app_ended: Moment::new(0),
            app_status: AtomicU16::new(0),
        })
    }

    /// Trace and span, as exemplars name them.
    pub(crate) fn ids(&self) -> (TraceId, SpanId) {
        (self.ids.trace, self.ids.span)
    }

    /// Now it is known what the request is.
    fn learn(&self, call: &Call) {
        self.about.get_or_init(|| About {
            method: metrics::method(&call.method),
            route: call.operation.as_ref().map(|matched| matched.route.path.as_str().into()),
            path: shortened(call.path.as_str()).into(),
            scheme: call.client.scheme.as_str(),
            version: match call.version {
                Version::HTTP_2 => "2",
                Version::HTTP_10 => "1.0",
                _ => "1.1",
            },
            client: call.client.address.filter(|_| self.tracer.0.client_address),
            request_id: call.request_id.as_str().into(),
        });
    }

    /// The request is about to be sent to the app.
    pub(crate) fn to_app(self: &Arc<Self>, call: &Call) -> AppSpan {
        self.learn(call);
        self.app_began.store(self.moment(), Relaxed);
        AppSpan(Arc::clone(self))
    }

    /// The head of the response goes to the client.
    pub(crate) fn responded(&self, call: &Call, status: StatusCode, refused: Option<Reason>) {
        self.learn(call);
        self.status.store(status.as_u16(), Relaxed);
        if let Some(reason) = refused {
            let _ = self.refused.set(reason);
        }
        if let Some(reason) = call.trace.as_ref().and_then(|trace| trace.reported.get()) {
            let _ = self.reported.set(*reason);
        }
    }

    /// Nanoseconds since the begin; never 0.
    fn moment(&self) -> u64 {
        u64::try_from(self.began.1.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        let took = self.moment();
        let began = *self.app_began.get_mut();
        let ended = Some(*self.app_ended.get_mut()).filter(|ended| *ended > 0).unwrap_or(took);
        let status = |number: u16| (number > 0).then_some(number);
        self.tracer.take(Span {
            ids: self.ids,
            began: self.began.0,
            took: Duration::from_nanos(took),
            about: self.about.take(),
            status: status(*self.status.get_mut()),
            refused: self.refused.take(),
            reported: self.reported.take(),
            app: (began > 0).then(|| InApp {
                from: Duration::from_nanos(began),
                to: Duration::from_nanos(ended),
                status: status(*self.app_status.get_mut()),
            }),
        });
    }
}

/// The time in the app: it ends with the app's response, or when nobody waits for that any more.
#[derive(Debug)]
pub(crate) struct AppSpan(Arc<OpenSpan>);

impl AppSpan {
    /// The app has responded.
    pub(crate) fn answered(&self, status: StatusCode) {
        self.0.app_status.store(status.as_u16(), Relaxed);
    }
}

impl Drop for AppSpan {
    fn drop(&mut self) {
        self.0.app_ended.store(self.0.moment(), Relaxed);
    }
}

/// A request that is over.
#[derive(Debug)]
#[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "nothing is sent"))]
pub(super) struct Span {
    pub(super) ids: Ids,
    pub(super) began: SystemTime,
    pub(super) took: Duration,
    /// None if the client left before.
    pub(super) about: Option<About>,
    /// The same.
    pub(super) status: Option<u16>,
    pub(super) refused: Option<Reason>,
    pub(super) reported: Option<Reason>,
    pub(super) app: Option<InApp>,
}

/// The time in the app, since the begin of the request.
#[derive(Debug)]
#[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "nothing is sent"))]
pub(super) struct InApp {
    pub(super) from: Duration,
    pub(super) to: Duration,
    pub(super) status: Option<u16>,
}

impl Span {
    /// How many spans a collector gets of it.
    pub(super) fn count(&self) -> u64 {
        1 + u64::from(self.app.is_some())
    }
}

fn shortened(path: &str) -> &str {
    path.get(..path.floor_char_boundary(MAX_PATH)).unwrap_or(path)
}
