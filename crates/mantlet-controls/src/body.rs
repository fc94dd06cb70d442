//! A request's body on its way through the pipeline: counted, and read ahead where a stop has to look into it.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::Reason;

/// A request's body as the stops see it and the app gets it. Trailers end here: ASGI apps and extractors have no use for them.
#[derive(Debug)]
pub struct RequestBody<B> {
    inner: B,
    /// What a stop has read ahead.
    held: VecDeque<Bytes>,
    received: u64,
    limit: u64,
}

impl<B: Body<Data = Bytes, Error = Reason> + Unpin> RequestBody<B> {
    pub(crate) const fn new(inner: B) -> Self {
        Self { inner, held: VecDeque::new(), received: 0, limit: u64::MAX }
    }

    /// Bytes that may come in all; more of them break the body off.
    pub(crate) const fn limit_to(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Reads the next piece ahead and keeps it for the app.
    pub(crate) async fn read_ahead(&mut self) -> Option<Result<Bytes, Reason>> {
        let next = poll_fn(|cx| self.poll_next(cx)).await;
        if let Some(Ok(data)) = &next {
            self.held.push_back(data.clone());
        }
        next
    }

    /// The next piece, those that were read ahead first.
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Reason>>> {
        match self.held.pop_front() {
            Some(held) => Poll::Ready(Some(Ok(held))),
            None => self.poll_next(cx),
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Reason>>> {
        loop {
            let Some(frame) = ready!(Pin::new(&mut self.inner).poll_frame(cx)) else {
                return Poll::Ready(None);
            };
            let Ok(data) = frame?.into_data() else { continue };
            self.received += data.len() as u64;
            if self.received > self.limit {
                return Poll::Ready(Some(Err(Reason::BodyTooLarge)));
            }
            return Poll::Ready(Some(Ok(data)));
        }
    }
}

impl<B: Body<Data = Bytes, Error = Reason> + Unpin> Body for RequestBody<B> {
    type Data = Bytes;
    type Error = Reason;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Reason>>> {
        self.poll_data(cx).map(|next| next.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let held: u64 = self.held.iter().map(|piece| piece.len() as u64).sum();
        let rest = self.inner.size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + held);
        }
        hint.set_lower(rest.lower() + held);
        hint
    }
}
