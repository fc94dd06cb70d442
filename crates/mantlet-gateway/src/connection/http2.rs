//! HTTP/2, driven by hyper until the connection ends.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::TokioTimer;
use mantlet_controls::Policy;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

use super::{Context, TICK, answer, linger, ticked};
use crate::{
    flow::{Exchange, Flow, Phase},
    wire::Wire,
};

/// How long an HTTP/2 connection may take to end after it was told to go away.
const GOODBYE: Duration = Duration::from_secs(30);
/// Bytes that an HTTP/2 stream may have waiting for its client.
const HTTP2_SEND_BUFFER: usize = 64 << 10;

pub(super) async fn serve<T>(mut wire: Wire<T>, context: Arc<Context>, policy: &Policy)
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
