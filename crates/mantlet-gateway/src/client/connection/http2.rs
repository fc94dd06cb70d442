//! HTTP/2, driven by hyper until the connection ends. A refused connection leaves a record, whether
//! hyper refused it or we did.

use std::{
    convert::Infallible,
    error::Error,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::TokioTimer;
use mantlet_controls::{Policy, Reason};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::Instant,
};

use super::{
    clock::{TICK, ticked},
    context::{Context, refuse_connection},
    linger::linger,
    request,
};
use crate::{
    connection_state::{ConnectionState, Exchange, Phase},
    wire::Wire,
};

/// Time for an HTTP/2 connection to end after GOAWAY.
const GOODBYE: Duration = Duration::from_secs(30);
/// How long to keep reading after a refusal, so that the client can read the reason.
const FAREWELL: Duration = Duration::from_secs(1);
/// Bytes that may wait for the client on an HTTP/2 stream.
const HTTP2_SEND_BUFFER: usize = 64 << 10;

pub(super) async fn serve<T>(mut wire: Wire<T>, context: Arc<Context>, policy: &Policy)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let state = Arc::clone(&context.state);
    let client = Arc::clone(&context);
    let service = service_fn(move |request| {
        let context = Arc::clone(&context);
        // Begun here and not in the future: its task is created right after, so it knows its own
        // stream.
        let exchange = Exchange::begin(&context.state, true);
        // Boxed at once: it is large, and hyper moves it several times before its task runs.
        Box::pin(async move { Ok::<_, Infallible>(request::handle(&context, request, exchange).await) })
    });
    let limits = &policy.limits;
    let mut builder = http2::Builder::new(Streams { state: Arc::clone(&state) });
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_streams)
        // HTTP/2 counts 32 bytes more for each field (RFC 9113 section 6.5.2).
        .max_header_list_size(u32::try_from(limits.head_size + 32 * limits.header_count).unwrap_or(u32::MAX))
        .max_send_buf_size(HTTP2_SEND_BUFFER);
    let mut connection = Box::pin(builder.serve_connection(&mut wire, service));
    // The preface is not a request: the clock runs until the first one.
    state.enter(Phase::Waiting);
    let mut tick = pin!(tokio::time::sleep(TICK));
    let mut goodbye: Option<Instant> = None;
    let end = poll_fn(|cx| {
        state.waker.register(cx.waker());
        loop {
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                return Poll::Ready(End::of(result));
            }
            let idle = state.is_idle() && state.phase_age() >= limits.idle_timeout;
            if goodbye.is_none() && (idle || state.should_close() || client.shared.is_draining()) {
                connection.as_mut().graceful_shutdown();
                goodbye = Some(Instant::now());
                continue;
            }
            if !ticked(tick.as_mut(), cx) {
                return Poll::Pending;
            }
            if state.is_evicted() && state.is_idle() {
                return Poll::Ready(End::Aborted);
            }
            let overstayed = goodbye.is_some_and(|since| since.elapsed() >= GOODBYE) && state.is_idle();
            state.abort_stalled_streams(limits.write_timeout);
            state.look_at_streams();
            let stalled = state.write_blocked() > limits.write_timeout;
            if overstayed || stalled {
                return Poll::Ready(End::Aborted);
            }
        }
    })
    .await;
    drop(connection);
    let (refused, farewell) = match (wire.overdrawn(), end) {
        (Some(account), _) => (Reason::Http2Flood, account.farewell()),
        (None, End::Refused(reason)) => (reason, None),
        (None, End::Done) if !wire.saw_end() => return linger(wire.io()).await,
        (None, End::Done | End::Aborted) => return,
    };
    refuse_connection(&client.shared, client.peer, refused);
    // After a refusal the connection is read only briefly.
    let _ = tokio::time::timeout(FAREWELL, say(wire.io(), farewell)).await;
}

/// How a connection ended.
enum End {
    Done,
    /// The h2 crate sent GOAWAY because of an error of the client.
    Refused(Reason),
    /// It took too long; close without ceremony.
    Aborted,
}

impl End {
    fn of(result: Result<(), hyper::Error>) -> Self {
        let error = result.err();
        let cause = error.as_ref().and_then(|error| error.source()?.downcast_ref::<h2::Error>());
        match cause.filter(|cause| cause.is_go_away() && cause.is_library()).and_then(h2::Error::reason) {
            // Too many resets, empty DATA frames, or CONTINUATION frames and bytes of one header
            // section.
            Some(h2::Reason::ENHANCE_YOUR_CALM | h2::Reason::COMPRESSION_ERROR) => {
                Self::Refused(Reason::Http2Flood)
            }
            Some(_) => Self::Refused(Reason::Http2Malformed),
            None => Self::Done,
        }
    }
}

async fn say<T: AsyncRead + AsyncWrite + Unpin>(io: &mut T, farewell: Option<[u8; 17]>) {
    if let Some(frame) = farewell {
        let _ = io.write_all(&frame).await;
    }
    linger(io).await;
}

/// Creates a task for each HTTP/2 stream. If one waits too long for its client, only that stream
/// ends: h2 resets it.
#[derive(Debug, Clone)]
struct Streams {
    state: Arc<ConnectionState>,
}

impl<F: Future + Send + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, future: F) {
        let stream = self.state.take_begun_stream();
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
