//! A request's body as its client sends it.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use mantlet_controls::{Reason, limits};
use tokio::time::Sleep;

use crate::connection_state::ConnectionState;

/// A body as the client sends it, with a limit on the time to wait for it. Small, because it is
/// passed by value and most requests have no body.
#[derive(Debug)]
pub(crate) struct ClientRequestBody {
    incoming: Incoming,
    connection: Arc<ConnectionState>,
    /// None if there is no body.
    patience: Option<Box<Patience>>,
}

/// The time to wait for a body.
#[derive(Debug)]
struct Patience {
    received: u64,
    grace: Duration,
    rate: u64,
    /// Time spent waiting for the client; time in which the body was not wanted does not count.
    waited: Duration,
    wait: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl ClientRequestBody {
    pub(crate) fn new(incoming: Incoming, connection: Arc<ConnectionState>, limits: &limits::Policy) -> Self {
        let patience = Patience {
            received: 0,
            grace: limits.body_grace,
            rate: limits.body_rate,
            waited: Duration::ZERO,
            wait: None,
        };
        let patience = (!incoming.is_end_stream()).then(|| Box::new(patience));
        Self { incoming, connection, patience }
    }
}

impl Patience {
    /// Ready when the client has been too slow.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reason> {
        let (_, sleep) = self.wait.get_or_insert_with(|| {
            let earned = Duration::from_millis(self.received.saturating_mul(1000) / self.rate);
            let left = (self.grace + earned).saturating_sub(self.waited);
            (Instant::now(), Box::pin(tokio::time::sleep(left)))
        });
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Reason::BodyTimeout)
    }

    fn note(&mut self, bytes: usize) {
        self.received += bytes as u64;
        if let Some((since, _)) = self.wait.take() {
            self.waited += since.elapsed();
        }
    }
}

impl Body for ClientRequestBody {
    type Data = Bytes;
    type Error = Reason;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Reason>>> {
        let frame = match (Pin::new(&mut self.incoming).poll_frame(cx), &mut self.patience) {
            (Poll::Ready(frame), _) => frame,
            (Poll::Pending, Some(patience)) => {
                return patience.poll(cx).map(|reason| Some(Err(reason)));
            }
            (Poll::Pending, None) => return Poll::Pending,
        };
        if let Some(patience) = &mut self.patience {
            let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
            patience.note(data.map_or(0, Bytes::len));
        }
        // Without a verdict the client has left, and will not read the response.
        let broken = |_| self.connection.verdict().unwrap_or(Reason::BodyIncomplete);
        Poll::Ready(frame.map(|frame| frame.map_err(broken)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
