//! HTTP/1, driven by hyper.
//!
//! A connection that is silent for a moment between two requests is parked: hyper's state and
//! buffers are dropped, and only the socket and a few hundred bytes remain until the next byte
//! arrives.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use hyper::{server::conn::http1, service::service_fn};
use mantlet_controls::{Policy, Reason};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    clock::{TICK, ticked},
    context::Context,
    request,
};
use crate::{
    connection_state::{Exchange, Phase},
    wire::Wire,
};

/// Silence after which a connection parks.
const PARK_AFTER: Duration = Duration::from_millis(500);

/// Bytes beyond a head that may be read with it: the empty line before it.
const SLACK: usize = 1 << 10;

/// Why hyper stopped driving the connection.
pub(super) enum Outcome {
    /// The connection has been idle for a moment, or the next request needs another parser.
    Idle,
    /// hyper is done: the last response is written, the protocol is switched, or the connection
    /// broke.
    Done,
    /// It took too long: close it at once.
    Abort,
}

pub(super) async fn serve<T>(
    mut wire: Wire<T>,
    context: &Arc<Context>,
    policy: &Policy,
) -> (Outcome, Wire<T>, Bytes)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = {
        let context = Arc::clone(context);
        service_fn(move |request| {
            let context = Arc::clone(&context);
            let exchange = Exchange::begin(&context.state, false);
            async move { Ok::<_, Infallible>(request::handle(&context, request, exchange).await) }
        })
    };
    let mut builder = http1::Builder::new();
    builder.max_buf_size(policy.limits.head_size.max(64 << 10) + SLACK);
    if context.state.needs_room() {
        // hyper's default of 100 header lines needs no allocation for each request; more lines do.
        builder.max_headers(policy.limits.header_count);
        wire.make_room();
    }
    let mut connection = builder.serve_connection(wire, service);
    let state = &context.state;
    let mut tick = pin!(tokio::time::sleep(TICK));
    let outcome = poll_fn(|cx| {
        state.waker.register(cx.waker());
        loop {
            if Pin::new(&mut connection).poll(cx).is_ready() {
                return Poll::Ready(Outcome::Done);
            }
            if state.asks_for_room() && state.is_between() {
                return Poll::Ready(Outcome::Idle);
            }
            if state.is_evicted() && state.is_in_head() {
                return Poll::Ready(Outcome::Abort);
            }
            if state.should_close() && state.is_idle() {
                return Poll::Ready(Outcome::Idle);
            }
            if !ticked(tick.as_mut(), cx) {
                return Poll::Pending;
            }
            if state.write_blocked() > policy.limits.write_timeout {
                return Poll::Ready(Outcome::Abort);
            }
            if state.is_idle() && state.phase_age() >= PARK_AFTER {
                return Poll::Ready(Outcome::Idle);
            }
            if state.phase() == Phase::Head && state.phase_age() >= policy.limits.head_timeout {
                state.condemn(Reason::HeadTimeout);
            }
        }
    })
    .await;
    let parts = connection.into_parts();
    (outcome, parts.io, parts.read_buf)
}
