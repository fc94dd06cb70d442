use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::{Reason, RequestBody, throttle::InFlightGuard};

/// The server's body; each of its errors means that the body is incomplete.
#[derive(Debug)]
pub(super) struct Foreign<B>(pub(super) B);

impl<B: Body<Data = Bytes> + Unpin> Body for Foreign<B> {
    type Data = Bytes;
    type Error = Reason;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Reason>>> {
        let frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(|_| Reason::BodyIncomplete)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Why a body is incomplete, for the response.
#[derive(Debug, Clone, Default)]
pub(super) struct Verdict(Arc<OnceLock<Reason>>);

impl Verdict {
    pub(super) fn get(&self) -> Option<Reason> {
        self.0.get().copied()
    }
}

/// The body that a service behind the layer reads: no longer than the limit of its route. Whatever
/// the service makes of the error, the client gets the reason.
#[derive(Debug)]
pub struct GuardedBody<B> {
    inner: RequestBody<Foreign<B>>,
    verdict: Verdict,
}

impl<B> GuardedBody<B> {
    pub(super) const fn new(inner: RequestBody<Foreign<B>>, verdict: Verdict) -> Self {
        Self { inner, verdict }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for GuardedBody<B> {
    type Data = Bytes;
    type Error = Reason;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Reason>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(Err(reason)) = frame {
            // The first one counts.
            let _ = self.verdict.0.set(reason);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

pin_project_lite::pin_project! {
    /// The body of a response of the service; its request counts for the client until the body has
    /// ended.
    #[derive(Debug)]
    pub struct CountedBody<B> {
        #[pin]
        inner: B,
        presence: Option<InFlightGuard>,
    }
}

impl<B> CountedBody<B> {
    pub(super) const fn new(inner: B, presence: Option<InFlightGuard>) -> Self {
        Self { inner, presence }
    }
}

impl<B: Body> Body for CountedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        if frame.is_none() {
            *this.presence = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
