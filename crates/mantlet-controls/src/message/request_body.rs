//! A request's body on its way through the pipeline: counted, and read ahead if a stop has to
//! examine it.

use std::{
    fmt::Debug,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use super::budget::{Budget, Part};
use crate::Reason;

/// Sees each piece of a body before the app does.
pub(crate) trait Observer: Debug + Send + Sync {
    /// The next piece. Once it has been refused, so is everything after it.
    fn see(&mut self, data: &[u8]) -> Result<(), Reason>;

    /// There is no more.
    fn end(&mut self) -> Result<(), Reason>;
}

/// A request's body as the stops see it and the app gets it. Trailers end here: ASGI apps and extractors have no use for them.
#[derive(Debug)]
pub struct RequestBody<B> {
    inner: B,
    /// The bytes that a stop has read ahead, joined into one piece.
    ahead: BytesMut,
    ended: bool,
    received: u64,
    limit: u64,
    /// Its share of the budget, if it is large.
    held: Option<Box<Part>>,
    /// The watcher that sees each piece before the app does; few bodies have one.
    observer: Option<Box<dyn Observer>>,
}

impl<B> RequestBody<B> {
    /// The bytes that have been read ahead.
    pub(crate) fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// Whether all of it has been read ahead.
    pub(crate) const fn is_read_ahead(&self) -> bool {
        self.ended
    }
}

impl<B: Body<Data = Bytes, Error = Reason> + Unpin> RequestBody<B> {
    pub(crate) fn new(inner: B) -> Self {
        Self {
            inner,
            ahead: BytesMut::new(),
            ended: false,
            received: 0,
            limit: u64::MAX,
            held: None,
            observer: None,
        }
    }

    /// Bytes that may come in all; the body ends with an error beyond that.
    pub(crate) const fn limit_to(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Has each piece seen before anything else gets it.
    pub(crate) fn observe_with(&mut self, observer: Box<dyn Observer>) {
        self.observer = Some(observer);
    }

    /// Reads the next piece ahead and keeps it for the app; says whether there was one.
    pub(crate) async fn read_ahead(&mut self) -> Result<bool, Reason> {
        match poll_fn(|cx| self.poll_next(cx)).await {
            Some(data) => {
                self.ahead.extend_from_slice(&data?);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Counts the bytes that have been read ahead; returns whether there is room for them.
    pub(crate) fn hold(&mut self, budget: &Budget) -> bool {
        let held = self.held.get_or_insert_with(|| Box::new(budget.part()));
        held.grow_to(self.ahead.len())
    }

    /// Replaces the bytes that have been read ahead.
    pub(crate) fn replace_ahead(&mut self, bytes: &[u8]) {
        self.ahead = BytesMut::from(bytes);
    }

    /// The next piece; bytes that were read ahead come first.
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Reason>>> {
        if self.ahead.is_empty() {
            return self.poll_next(cx);
        }
        Poll::Ready(Some(Ok(self.ahead.split().freeze())))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Reason>>> {
        // A body may not be asked again after its end.
        while !self.ended {
            let Some(frame) = ready!(Pin::new(&mut self.inner).poll_frame(cx)) else {
                if let Some(observer) = &mut self.observer
                    && let Err(reason) = observer.end()
                {
                    return Poll::Ready(Some(Err(reason)));
                }
                self.ended = true;
                break;
            };
            let Ok(data) = frame?.into_data() else { continue };
            if data.is_empty() {
                continue;
            }
            self.received += data.len() as u64;
            if self.received > self.limit {
                return Poll::Ready(Some(Err(Reason::BodyTooLarge)));
            }
            if let Some(observer) = &mut self.observer {
                observer.see(&data)?;
                // A reader that has all declared bytes does not ask again.
                if self.inner.is_end_stream() {
                    observer.end()?;
                    self.observer = None;
                }
            }
            return Poll::Ready(Some(Ok(data)));
        }
        Poll::Ready(None)
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
        self.ahead.is_empty() && (self.ended || self.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead.len() as u64;
        let rest = if self.ended { SizeHint::with_exact(0) } else { self.inner.size_hint() };
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + ahead);
        }
        hint.set_lower(rest.lower() + ahead);
        hint
    }
}
