//! A body that is changed on its way, piece by piece, without a change of its length.

use std::{
    fmt::Debug,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

/// Changes a body, piece by piece.
pub(crate) trait Rewrite: Debug + Send + Sync {
    /// Takes the next piece and returns the bytes to pass on. It may hold back an undecided end.
    fn pass(&mut self, data: Bytes) -> Bytes;

    /// The remaining bytes at the end.
    fn end(&mut self) -> Bytes;

    /// Bytes that have come and have not been passed.
    fn held(&self) -> usize;
}

/// The body of such a response.
#[derive(Debug)]
pub struct Rewritten<B> {
    /// The part that was read already.
    ahead: Option<Bytes>,
    body: Pin<Box<B>>,
    rewrite: Box<dyn Rewrite>,
    ended: bool,
    trailers: Option<HeaderMap>,
}

impl<B> Rewritten<B> {
    pub(crate) fn new(ahead: Option<Bytes>, body: Pin<Box<B>>, rewrite: Box<dyn Rewrite>) -> Self {
        Self { ahead, body, rewrite, ended: false, trailers: None }
    }
}

impl<B: Body<Data = Bytes>> Rewritten<B> {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if let Some(ahead) = self.ahead.take() {
            let out = self.rewrite.pass(ahead);
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out))));
            }
        }
        while !self.ended {
            let data = match ready!(self.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => data,
                    Err(frame) => {
                        self.trailers = frame.into_trailers().ok();
                        self.ended = true;
                        break;
                    }
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    self.ended = true;
                    break;
                }
            };
            let out = self.rewrite.pass(data);
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out))));
            }
        }
        let rest = self.rewrite.end();
        if !rest.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.ahead.is_none()
            && self.rewrite.held() == 0
            && self.trailers.is_none()
            && (self.ended || self.body.is_end_stream())
    }

    /// What is changed stays as long as it is.
    pub(super) fn hint(&self) -> SizeHint {
        let inner = self.body.size_hint();
        let more = (self.rewrite.held() + self.ahead.as_ref().map_or(0, Bytes::len)) as u64;
        inner.exact().map_or_else(SizeHint::new, |exact| SizeHint::with_exact(exact + more))
    }
}
