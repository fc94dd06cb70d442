//! A response's body as it comes from the app.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::pool::Lease;
use crate::traces::AppSpan;

/// The app's response; returns the connection to the pool when it has ended.
#[derive(Debug)]
pub(crate) struct AppResponseBody {
    /// A piece that was read already. Boxed: rarer than responses of a known length, and each
    /// response is moved often on its way.
    first: Option<Box<Frame<Bytes>>>,
    /// None: the first piece is all.
    incoming: Option<Incoming>,
    lease: Option<Lease>,
    /// The app's time for it, if it is recorded.
    span: Option<AppSpan>,
}

impl AppResponseBody {
    pub(crate) fn new(incoming: Incoming, lease: Lease) -> Self {
        Self::begun(None, incoming, lease)
    }

    /// A response of which a piece has been read.
    pub(crate) fn begun(first: Option<Frame<Bytes>>, incoming: Incoming, lease: Lease) -> Self {
        let first = first.map(Box::new);
        let mut body = Self { first, incoming: Some(incoming), lease: Some(lease), span: None };
        body.release_at_end();
        body
    }

    /// A response that is here as a whole.
    pub(crate) fn whole(body: Bytes) -> Self {
        let first = (!body.is_empty()).then(|| Box::new(Frame::data(body)));
        Self { first, incoming: None, lease: None, span: None }
    }

    /// The same, as a step of a trace.
    pub(crate) fn timed(mut self, span: Option<AppSpan>) -> Self {
        self.span = span.filter(|_| self.lease.is_some());
        self
    }

    fn release_at_end(&mut self) {
        if self.incoming.as_ref().is_some_and(Body::is_end_stream) {
            self.release();
        }
    }

    fn release(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
        self.span = None;
    }
}

impl Body for AppResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(*first)));
        }
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(incoming).poll_frame(cx));
        match &frame {
            Some(Ok(_)) => self.release_at_end(),
            None => self.release(),
            Some(Err(_)) => (self.lease, self.span) = (None, None),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    /// The length of a partly read body is not known.
    fn size_hint(&self) -> SizeHint {
        match (&self.incoming, &self.first) {
            (Some(incoming), _) => incoming.size_hint(),
            (None, first) => {
                let length = first.as_ref().and_then(|frame| frame.data_ref()).map_or(0, Bytes::len);
                SizeHint::with_exact(length as u64)
            }
        }
    }
}
