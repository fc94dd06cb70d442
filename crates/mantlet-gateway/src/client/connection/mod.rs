//! One connection, from its first byte to the protocol that it speaks.

mod clock;
mod context;
mod http1;
mod http2;
mod lasting;
mod linger;
mod request;
mod websocket;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use mantlet_controls::{Peer, Policy, Reason, Scheme};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

pub(super) use self::context::refuse_connection;
use self::{context::Context, http1::Outcome, linger::linger};
use crate::{
    connection_state::ConnectionState,
    shared::Shared,
    tls::{self, Prefixed},
    wire::{Protocol, Wire},
};

/// How long to wait for the first request of a new connection, even while the gate ends: it is
/// probably on its way.
const NEWCOMER: Duration = Duration::from_millis(500);

/// Serves a connection until it is closed.
pub(crate) async fn serve<T>(io: T, shared: Arc<Shared>, state: Arc<ConnectionState>, mut peer: Peer)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let policy = shared.policy.load_full();
    let mut wire = Wire::new(io, Arc::clone(&state), &policy);
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
    // Rare paths are boxed here and below: a future is as large as its largest part, and an idle
    // connection should cost little.
    if shared.tls.is_some() {
        return Box::pin(serve_tls(wire, shared, state, peer)).await;
    }
    let http2 = shared.config.http2.then_some(Http2::IfItBeginsSo);
    serve_requests(wire, Context::new(shared, state, peer, Scheme::Http, None), http2).await;
}

/// With a certificate, the first byte shows whether the client speaks TLS.
async fn serve_tls<T>(mut wire: Wire<T>, shared: Arc<Shared>, state: Arc<ConnectionState>, peer: Peer)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let policy = shared.policy.load_full();
    let Some(is_tls) = begins_like_tls(&mut wire, policy.limits.head_timeout).await else { return };
    if !is_tls {
        // Plain requests to the encrypted port are handled like others: the `https` control
        // redirects or refuses them.
        let http2 = shared.config.http2.then_some(Http2::IfItBeginsSo);
        let context = Context::new(shared, state, peer, Scheme::Http, None);
        return Box::pin(serve_requests(wire, context, http2)).await;
    }
    let (io, prefix) = wire.into_parts();
    let Some(tls) = &shared.tls else { return };
    // If the handshake fails, TLS itself tells the client why.
    let Ok(stream) = Box::pin(tls.accept(Prefixed::new(prefix, io))).await else { return };
    // The protocol that ALPN selected; without one, HTTP/1.
    let http2 = (stream.get_ref().1.alpn_protocol() == Some(b"h2")).then_some(Http2::Agreed);
    let Ok(certificate) = tls::client::read(stream.get_ref().1.peer_certificates()) else { return };
    let certificate = certificate.map(Arc::new);
    let wire = Wire::new(stream, Arc::clone(&state), &policy);
    let context = Context::new(shared, state, peer, Scheme::Https, certificate);
    serve_requests(wire, context, http2).await;
}

/// Whether the first byte is that of a TLS handshake record (RFC 8446 section 5.1). `None` if none
/// came in time.
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
        return Box::pin(http2::serve(wire, context, &policy)).await;
    }
    let (mut first, sniff) = (true, http2.is_some());
    loop {
        let policy = context.shared.policy.load_full();
        match parked(&mut wire, &context, &policy, first, sniff).await {
            None => return,
            Some(Protocol::Http2) => return Box::pin(http2::serve(wire, context, &policy)).await,
            Some(Protocol::Http1) => {}
        }
        first = false;
        let (outcome, mut returned, early) = Box::pin(http1::serve(wire, &context, &policy)).await;
        match outcome {
            Outcome::Idle => wire = returned,
            Outcome::Abort => return,
            Outcome::Done => match context.take_tunnel() {
                Some(tunnel) => {
                    let (io, stash) = returned.into_parts();
                    let early = [&early[..], &stash].concat();
                    return Box::pin(tunnel.run(io, early, &context.state, &context.shared)).await;
                }
                None if returned.saw_end() => return,
                None => return Box::pin(linger(returned.io())).await,
            },
        }
    }
}

/// Waits for the next request. `None` if there will be none.
async fn parked<T: AsyncRead + Unpin>(
    wire: &mut Wire<T>,
    context: &Context,
    policy: &Policy,
    first: bool,
    sniff: bool,
) -> Option<Protocol> {
    let state = &context.state;
    let http2 = first && sniff;
    let patience = if first { policy.limits.head_timeout } else { policy.limits.idle_timeout };
    let mut clock = pin!(tokio::time::sleep(patience.saturating_sub(state.phase_age())));
    let mut last_call = false;
    poll_fn(|cx| {
        state.waker.register(cx.waker());
        if let Poll::Ready(protocol) = wire.poll_protocol(cx, http2) {
            return Poll::Ready(protocol);
        }
        // Nothing has come yet, or only a part of an HTTP/2 preface, so no client waits for a
        // response.
        if state.should_close() {
            if !first || state.is_evicted() {
                return Poll::Ready(None);
            }
            if !last_call {
                last_call = true;
                clock.as_mut().reset(Instant::now() + NEWCOMER.saturating_sub(state.phase_age()));
            }
        }
        if clock.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await
}
