//! The controls as a [`tower_layer::Layer`] for any HTTP service: the whole pipeline, or any control alone.
//!
//! What the gateway enforces in front of a FastAPI app, this layer enforces inside a Rust server:
//! the same stops, reasons, responses and records, from the same configuration. A service behind it
//! sees only requests that every stop has let through; in their extensions are the
//! [`Client`](crate::call::Client) and the [`RequestId`](crate::call::request_id::RequestId).
//!
//! A server that verifies client certificates puts an `Arc` of a [`ClientCertificate`](crate::ClientCertificate) into the extensions.
//!
//! It cannot do what happens before there is a request: strict framing, and limits on connections
//! and slow clients. The server that parses the bytes must do that.
//!
//! ```
//! use mantlet_controls::{cors, csrf, host, layer::MantletLayer};
//!
//! # fn main() -> Result<(), mantlet_controls::layer::InvalidConfig> {
//! // The whole pipeline.
//! let all = MantletLayer::builder()
//!     .host(host::Config { allow: vec!["api.example.com".into()], ..Default::default() })
//!     .cors(cors::Config { origins: vec!["https://app.example.com".into()], ..Default::default() })
//!     .audit(|record| eprintln!("{} {}", record.reason, record.request_id))
//!     .build()?;
//!
//! // One control alone.
//! let csrf_only = MantletLayer::none().csrf(csrf::Config::default()).build()?;
//! # drop((all, csrf_only));
//! # Ok(())
//! # }
//! ```
//!
//! Mistakes in a configuration are reported all at once, each with its key:
//!
//! ```
//! use mantlet_controls::{cors, layer::MantletLayer};
//!
//! let config = cors::Config { origins: vec!["*".into()], credentials: true, ..Default::default() };
//! let error = MantletLayer::builder().cors(config).build().unwrap_err();
//! assert!(error.to_string().starts_with("cors.origins: `*` with `credentials` would let every site act as the user"));
//! ```

mod body;
mod builder;

use std::{
    fmt,
    future::Future,
    mem,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Extensions, Request, Response, Version, header};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

pub use body::{CountedBody, GuardedBody};
pub use builder::{Builder, InvalidConfig};

use crate::{
    App, Arrival, Call, Peer, Policy, Reason, Refusal, RequestBody, ResponseBody, Scheme, WireVerdict,
    audit::{Keep, Record, Sink},
    pipeline,
    throttle::bans::Bans,
};
use body::{Foreign, Verdict};

/// Where records go.
struct Audit(Keep);

impl Sink for Audit {
    fn record(&self, record: Record) {
        (self.0)(record);
    }

    fn keep(&self) -> Option<Keep> {
        Some(Arc::clone(&self.0))
    }
}

type FindPeer = Box<dyn Fn(&Extensions) -> Option<SocketAddr> + Send + Sync>;

/// Puts the controls in front of a service. Made by [`MantletLayer::builder`] or [`MantletLayer::none`]; cloning it is cheap.
#[derive(Clone)]
pub struct MantletLayer {
    shared: Arc<Shared>,
}

struct Shared {
    policy: Policy,
    wire: WireVerdict,
    audit: Audit,
    peer: FindPeer,
    scheme: Scheme,
}

impl MantletLayer {
    /// The whole pipeline, with secure defaults.
    pub fn builder() -> Builder {
        Builder::all()
    }

    /// The bans, to list and to lift them; none unless `[throttle.ban]` is on.
    pub fn bans(&self) -> Option<&Bans> {
        self.shared.policy.throttle.bans()
    }

    /// No control at all; add single controls to the builder.
    pub fn none() -> Builder {
        Builder::none()
    }
}

impl fmt::Debug for MantletLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MantletLayer").field("policy", &self.shared.policy).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for MantletLayer {
    type Service = MantletService<S>;

    fn layer(&self, inner: S) -> MantletService<S> {
        MantletService { shared: Arc::clone(&self.shared), inner }
    }
}

/// A service behind the controls.
#[derive(Clone)]
pub struct MantletService<S> {
    shared: Arc<Shared>,
    inner: S,
}

impl<S: fmt::Debug> fmt::Debug for MantletService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MantletService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for MantletService<S>
where
    S: Service<Request<GuardedBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    R: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<ResponseBody<CountedBody<R>>>;
    type Error = S::Error;
    // Boxed once a request: the pipeline's future has no name.
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // Uses the service that was polled ready, and keeps its clone.
        let clone = self.inner.clone();
        let service = mem::replace(&mut self.inner, clone);
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let peer = (shared.peer)(request.extensions()).map_or(Peer::Unknown, Peer::Ip);
            let certificate = request.extensions().get().cloned();
            let arrival = Arrival { peer, scheme: shared.scheme, wire: shared.wire.clone(), certificate };
            let version = request.version();
            let mut failure = None;
            let app = Behind { service, shared: &shared, failure: &mut failure };
            let request = request.map(Foreign);
            let mut answer = pipeline::handle(&shared.policy, &shared.audit, &arrival, request, app).await;
            if let Some(error) = failure {
                return Err(error);
            }
            if version >= Version::HTTP_2 {
                // Streams close by other means (RFC 9113 section 8.2.2).
                answer.headers_mut().remove(header::CONNECTION);
            }
            Ok(answer)
        })
    }
}

/// The service, as the pipeline sees it.
struct Behind<'a, S, E> {
    service: S,
    shared: &'a Shared,
    /// Holds the service's own error, which is not a refusal.
    failure: &'a mut Option<E>,
}

impl<S, B, R> App<Foreign<B>> for Behind<'_, S, S::Error>
where
    S: Service<Request<GuardedBody<B>>, Response = Response<R>> + Send,
    S::Future: Send,
    S::Error: Send,
    B: Body<Data = Bytes> + Unpin + Send,
    R: Body<Data = Bytes>,
{
    type Body = CountedBody<R>;

    async fn call(
        &mut self,
        call: &Call,
        mut request: Request<RequestBody<Foreign<B>>>,
    ) -> Result<Response<CountedBody<R>>, Refusal> {
        let presence = pipeline::enter(&self.shared.policy, &self.shared.audit, call)?;
        request.extensions_mut().insert(call.client);
        request.extensions_mut().insert(call.request_id.clone());
        let verdict = Verdict::default();
        let request = request.map(|body| GuardedBody::new(body, verdict.clone()));
        match self.service.call(request).await {
            // The client should not get the service's response to an incomplete body.
            Ok(answer) => match verdict.get() {
                Some(reason) => Err(reason.into()),
                None => Ok(answer.map(|inner| CountedBody::new(inner, presence))),
            },
            Err(error) => {
                *self.failure = Some(error);
                Err(Reason::InternalError.into())
            }
        }
    }
}
