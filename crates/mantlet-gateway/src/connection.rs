//! One connection, from its first byte to its last.
//!
//! HTTP/1 connections park: when nothing has happened for a moment between two requests, hyper's state and buffers are
//! dropped, and only the socket and a few hundred bytes remain until the next byte arrives.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::TokioTimer;
use mantlet_controls::{
    Arrival, Peer, Policy, Reason, Scheme,
    audit::{Record, Sink},
    pipeline,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, Sleep},
};

use crate::{
    body::ToClient,
    flow::{Exchange, Flow, Phase, Upgrade},
    forward::Forward,
    gate::Shared,
    tls::Prefixed,
    wire::{Protocol, Wire},
};

/// Silence after which a connection parks.
const PARK_AFTER: Duration = Duration::from_millis(500);
/// How often a connection in use looks at its clocks. Limits are kept to this precision.
const TICK: Duration = Duration::from_millis(500);
/// How long a connection that has just been made is waited for, even at the end of the gate: its request is on the way.
const NEWCOMER: Duration = Duration::from_millis(500);
/// How long a closed connection is read on after the client was last heard, so that a client that is still sending gets to
/// read the answer (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(2);
/// How long it is read on in all.
const LONGEST_LINGER: Duration = Duration::from_secs(30);
/// How long an HTTP/2 connection may take to end after it was told to go away.
const GOODBYE: Duration = Duration::from_secs(30);
/// Bytes that an HTTP/2 stream may have waiting for its client.
const HTTP2_SEND_BUFFER: usize = 64 << 10;

/// What all requests of a connection share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    pub(crate) flow: Arc<Flow>,
    pub(crate) peer: Peer,
    pub(crate) scheme: Scheme,
}

/// How driving a connection ended.
enum Outcome {
    /// Nothing is under way and nothing has been for a moment.
    Idle,
    /// hyper is done with it: answered for the last time, switched protocols, or broke.
    Done,
    /// It took too long; close without ceremony.
    Abort,
}

/// Serves a connection until it is closed.
pub(crate) async fn serve<T>(io: T, shared: Arc<Shared>, flow: Arc<Flow>, mut peer: Peer)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let policy = shared.policy.load_full();
    let mut wire = Wire::new(io, Arc::clone(&flow), &policy.limits);
    if shared.config.proxy_protocol {
        let header = poll_fn(|cx| wire.poll_proxy_header(cx));
        match tokio::time::timeout(policy.limits.head_timeout, header).await {
            Ok(Ok(Some(source))) => peer = Peer::Ip(source),
            Ok(Ok(None)) => {
                if let Peer::Ip(balancer) = peer {
                    peer = Peer::Unnamed(balancer);
                }
            }
            Ok(Err(_)) | Err(_) => return refuse_connection(&shared, peer, Reason::ProxyHeaderMalformed),
        }
    }
    // Boxed, here and below, is what not every connection comes to: a future is as large as its largest part, and a
    // waiting connection should cost little.
    if shared.tls.is_some() {
        return Box::pin(serve_tls(wire, shared, flow, peer)).await;
    }
    let http2 = shared.config.http2.then_some(Http2::IfItBeginsSo);
    serve_requests(wire, Arc::new(Context { shared, flow, peer, scheme: Scheme::Http }), http2).await;
}

/// Where there is a certificate: the first byte tells whether the client speaks TLS.
async fn serve_tls<T>(mut wire: Wire<T>, shared: Arc<Shared>, flow: Arc<Flow>, peer: Peer)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let policy = shared.policy.load_full();
    let Some(is_tls) = begins_like_tls(&mut wire, policy.limits.head_timeout).await else { return };
    if !is_tls {
        // Plain requests to the encrypted port are answered like others: redirected or refused by the control that
        // asks for HTTPS.
        let http2 = shared.config.http2.then_some(Http2::IfItBeginsSo);
        let context = Arc::new(Context { shared, flow, peer, scheme: Scheme::Http });
        return Box::pin(serve_requests(wire, context, http2)).await;
    }
    let (io, prefix) = wire.into_parts();
    let Some(tls) = &shared.tls else { return };
    // A client that fails here is told why by TLS itself.
    let Ok(stream) = Box::pin(tls.accept(Prefixed::new(prefix, io))).await else { return };
    // What was agreed on is spoken; a client that agreed on nothing speaks HTTP/1.
    let http2 = (stream.get_ref().1.alpn_protocol() == Some(b"h2")).then_some(Http2::Agreed);
    let wire = Wire::new(stream, Arc::clone(&flow), &policy.limits);
    serve_requests(wire, Arc::new(Context { shared, flow, peer, scheme: Scheme::Https }), http2).await;
}

/// Whether the first byte is that of a TLS handshake record (RFC 8446 section 5.1). `None` if none came in time.
async fn begins_like_tls<T: AsyncRead + Unpin>(wire: &mut Wire<T>, patience: Duration) -> Option<bool> {
    let first = tokio::time::timeout(patience, poll_fn(|cx| wire.poll_first_byte(cx))).await;
    first.ok().flatten().map(|byte| byte == 0x16)
}

/// How a connection comes to speak HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Http2 {
    /// By its first bytes.
    IfItBeginsSo,
    /// By ALPN.
    Agreed,
}

async fn serve_requests<T>(mut wire: Wire<T>, context: Arc<Context>, http2: Option<Http2>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if http2 == Some(Http2::Agreed) {
        wire.leave_to_http2();
        let policy = context.shared.policy.load_full();
        return Box::pin(serve_http2(wire, context, &policy)).await;
    }
    let (mut first, sniff) = (true, http2.is_some());
    loop {
        let policy = context.shared.policy.load_full();
        match parked(&mut wire, &context, &policy, first, sniff).await {
            None => return,
            Some(Protocol::Http2) => return Box::pin(serve_http2(wire, context, &policy)).await,
            Some(Protocol::Http1) => {}
        }
        first = false;
        let (outcome, mut returned, early) = Box::pin(serve_http1(wire, &context, &policy)).await;
        match outcome {
            Outcome::Idle => wire = returned,
            Outcome::Abort => return,
            Outcome::Done => match context.flow.take_tunnel() {
                Some(tunnel) => {
                    let (io, stash) = returned.into_parts();
                    return Box::pin(tunnel.run(io, [&early[..], &stash].concat(), &context)).await;
                }
                None if returned.saw_end() => return,
                None => return Box::pin(linger(returned.io())).await,
            },
        }
    }
}

/// Records that a connection was turned away without an answer.
pub(crate) fn refuse_connection(shared: &Shared, peer: Peer, reason: Reason) {
    let address = match peer {
        Peer::Ip(socket) | Peer::Unnamed(socket) => Some(socket.ip()),
        Peer::Unix => None,
    };
    shared.audit.record(Record::of_connection(address, reason));
}

/// Waits for the next request. `None` if there will be none.
async fn parked<T: AsyncRead + Unpin>(
    wire: &mut Wire<T>,
    context: &Context,
    policy: &Policy,
    first: bool,
    sniff: bool,
) -> Option<Protocol> {
    let flow = &context.flow;
    let http2 = first && sniff;
    let patience = if first { policy.limits.head_timeout } else { policy.limits.idle_timeout };
    let mut clock = pin!(tokio::time::sleep(patience.saturating_sub(flow.phase_age())));
    let mut last_call = false;
    poll_fn(|cx| {
        flow.waker.register(cx.waker());
        if let Poll::Ready(protocol) = wire.poll_protocol(cx, http2) {
            return Poll::Ready(protocol);
        }
        // Here nothing or a beginning of an HTTP/2 preface has come: nobody waits for an answer.
        if flow.should_close() {
            if !first || flow.is_evicted() {
                return Poll::Ready(None);
            }
            if !last_call {
                last_call = true;
                clock.as_mut().reset(Instant::now() + NEWCOMER.saturating_sub(flow.phase_age()));
            }
        }
        if clock.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await
}

async fn serve_http1<T>(wire: Wire<T>, context: &Arc<Context>, policy: &Policy) -> (Outcome, Wire<T>, Bytes)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = {
        let context = Arc::clone(context);
        service_fn(move |request| {
            let context = Arc::clone(&context);
            let exchange = Exchange::begin(&context.flow, false);
            async move { Ok::<_, Infallible>(answer(&context, request, exchange).await) }
        })
    };
    let mut builder = http1::Builder::new();
    builder.max_buf_size(policy.limits.head_size.max(64 << 10));
    if policy.limits.header_count > 100 {
        // hyper's own 100 need no allocation; more do.
        builder.max_headers(policy.limits.header_count);
    }
    let mut connection = builder.serve_connection(wire, service);
    let flow = &context.flow;
    let mut tick = pin!(tokio::time::sleep(TICK));
    let outcome = poll_fn(|cx| {
        flow.waker.register(cx.waker());
        loop {
            if Pin::new(&mut connection).poll(cx).is_ready() {
                return Poll::Ready(Outcome::Done);
            }
            if flow.is_evicted() && flow.is_in_head() {
                return Poll::Ready(Outcome::Abort);
            }
            if flow.should_close() && flow.is_idle() {
                return Poll::Ready(Outcome::Idle);
            }
            if !ticked(tick.as_mut(), cx) {
                return Poll::Pending;
            }
            if flow.write_blocked() > policy.limits.write_timeout {
                return Poll::Ready(Outcome::Abort);
            }
            if flow.is_idle() && flow.phase_age() >= PARK_AFTER {
                return Poll::Ready(Outcome::Idle);
            }
            if flow.phase() == Phase::Head && flow.phase_age() >= policy.limits.head_timeout {
                flow.condemn(Reason::HeadTimeout);
            }
        }
    })
    .await;
    let parts = connection.into_parts();
    (outcome, parts.io, parts.read_buf)
}

async fn serve_http2<T>(mut wire: Wire<T>, context: Arc<Context>, policy: &Policy)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let flow = Arc::clone(&context.flow);
    let draining = Arc::clone(&context);
    let service = service_fn(move |request| {
        let context = Arc::clone(&context);
        // Begun here and not in the future, whose task is made right after: so that it knows which stream is its own.
        let exchange = Exchange::begin(&context.flow, true);
        async move { Ok::<_, Infallible>(answer(&context, request, exchange).await) }
    });
    let limits = &policy.limits;
    let mut builder = http2::Builder::new(Streams { flow: Arc::clone(&flow) });
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(limits.head_size).unwrap_or(u32::MAX))
        .max_send_buf_size(HTTP2_SEND_BUFFER);
    let mut connection = Box::pin(builder.serve_connection(&mut wire, service));
    // The preface is not a request: the clock runs until the first one.
    flow.enter(Phase::Waiting);
    let mut tick = pin!(tokio::time::sleep(TICK));
    let mut goodbye: Option<Instant> = None;
    let aborted = poll_fn(|cx| {
        flow.waker.register(cx.waker());
        loop {
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(false);
            }
            let idle = flow.is_idle() && flow.phase_age() >= limits.idle_timeout;
            if goodbye.is_none() && (idle || flow.should_close() || draining.shared.is_draining()) {
                connection.as_mut().graceful_shutdown();
                goodbye = Some(Instant::now());
                continue;
            }
            if !ticked(tick.as_mut(), cx) {
                return Poll::Pending;
            }
            if flow.is_evicted() && flow.is_idle() {
                return Poll::Ready(true);
            }
            let overstayed = goodbye.is_some_and(|since| since.elapsed() >= GOODBYE) && flow.is_idle();
            flow.abort_stalled_streams(limits.write_timeout);
            let stalled = flow.write_blocked() > limits.write_timeout;
            if overstayed || stalled {
                return Poll::Ready(true);
            }
        }
    })
    .await;
    drop(connection);
    if !aborted && !wire.saw_end() {
        linger(wire.io()).await;
    }
}

/// Makes a task for each HTTP/2 stream. One that waits too long for its client ends alone: h2 resets it.
#[derive(Debug, Clone)]
struct Streams {
    flow: Arc<Flow>,
}

impl<F: Future + Send + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, future: F) {
        let stream = self.flow.take_begun_stream();
        tokio::spawn(async move {
            let mut future = pin!(future);
            poll_fn(|cx| {
                if stream.as_ref().is_some_and(|stream| stream.poll_aborted(cx).is_ready()) {
                    return Poll::Ready(());
                }
                future.as_mut().poll(cx).map(drop)
            })
            .await;
        });
    }
}

/// Whether a tick has passed; sets the next one.
fn ticked(mut tick: Pin<&mut Sleep>, cx: &mut std::task::Context<'_>) -> bool {
    let passed = tick.as_mut().poll(cx).is_ready();
    if passed {
        tick.reset(Instant::now() + TICK);
    }
    passed
}

/// One request through the pipeline.
async fn answer(
    context: &Arc<Context>,
    mut request: Request<Incoming>,
    exchange: Exchange,
) -> Response<ToClient> {
    let version = request.version();
    let shared = &context.shared;
    let policy = shared.policy.load_full();
    let is_stand_in = version != Version::HTTP_2 && request.method() == pipeline::REFUSED_METHOD;
    let arrival = Arrival {
        peer: context.peer,
        scheme: context.scheme,
        refusal: is_stand_in.then(|| context.flow.verdict()).flatten().map(Into::into),
    };
    if is_stand_in {
        restore_request_line(&mut request, &context.flow);
    }
    let app = Forward { context, policy: &policy };
    let mut response = pipeline::handle(&policy, &shared.audit, &arrival, request, &app).await;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        context.flow.set_upgrade(Upgrade::Declined);
    }
    let headers = response.headers_mut();
    if version == Version::HTTP_2 {
        headers.remove(header::CONNECTION);
    } else if response.status() != StatusCode::SWITCHING_PROTOCOLS
        && (shared.is_draining() || (response.body().is_own() && context.flow.expects_body()))
    {
        // A body that nobody will read ends the connection with this answer; the client shall know.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response.map(|body| ToClient::new(body, exchange))
}

/// Gives the stand-in the method and path of the request it stands for, so that its record can name them.
fn restore_request_line(request: &mut Request<Incoming>, flow: &Flow) {
    let Some((method, path)) = flow.take_request_line() else { return };
    if let (Ok(method), Ok(uri)) = (method.parse(), path.parse()) {
        *request.method_mut() = method;
        *request.uri_mut() = uri;
    }
}

/// Says that nothing more will come, and reads what the client is still sending, so that the kernel does not answer it with a
/// reset that would destroy our last answer on its way.
async fn linger<T: AsyncRead + AsyncWrite + Unpin>(io: &mut T) {
    let lingering = async {
        io.shutdown().await?;
        let mut discarded = [0; 1024];
        while tokio::time::timeout(LINGER, io.read(&mut discarded)).await?? > 0 {}
        io::Result::Ok(())
    };
    let _ = tokio::time::timeout(LONGEST_LINGER, lingering).await;
}
