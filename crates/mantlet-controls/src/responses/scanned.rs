//! An answer that streams and is looked through on its way.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::scan::Scanner;
use crate::{
    audit::{Keep, Record},
    news::News,
};

/// Whom to tell of what is found after the head of an answer has gone.
pub(super) struct Tell {
    pub(super) keep: Option<Keep>,
    /// The record, but for the names.
    pub(super) record: Record,
    pub(super) reported: Arc<News>,
    /// By what it is known to have been told.
    pub(super) known_as: String,
}

impl Tell {
    pub(super) fn of(&self, names: &[String]) {
        if !names.is_empty()
            && self.reported.is_new(&self.known_as)
            && let Some(keep) = &self.keep
        {
            keep(self.record.clone().naming(names));
        }
    }
}

/// The body of such an answer.
pub struct Scanned<B> {
    /// What has been read of it already.
    ahead: Option<Bytes>,
    body: Pin<Box<B>>,
    scanner: Scanner,
    tell: Tell,
    ended: bool,
    trailers: Option<HeaderMap>,
}

impl<B> fmt::Debug for Scanned<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scanned").field("scanner", &self.scanner).finish_non_exhaustive()
    }
}

impl<B> Scanned<B> {
    pub(super) fn new(ahead: Option<Bytes>, body: Pin<Box<B>>, scanner: Scanner, tell: Tell) -> Self {
        Self { ahead, body, scanner, tell, ended: false, trailers: None }
    }

    fn pass(&mut self, data: Bytes) -> Bytes {
        let out = self.scanner.push(data);
        let found = self.scanner.take_found();
        self.tell.of(&found);
        out
    }
}

impl<B: Body<Data = Bytes>> Scanned<B> {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if let Some(ahead) = self.ahead.take() {
            let out = self.pass(ahead);
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out))));
            }
        }
        while !self.ended {
            let data = match std::task::ready!(self.body.as_mut().poll_frame(cx)) {
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
            let out = self.pass(data);
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out))));
            }
        }
        let rest = self.scanner.end();
        self.tell.of(&self.scanner.take_found());
        if !rest.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(rest.into()))));
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.ahead.is_none()
            && self.scanner.held() == 0
            && self.trailers.is_none()
            && (self.ended || self.body.is_end_stream())
    }

    /// Nothing that is found changes how much there is.
    pub(crate) fn hint(&self) -> SizeHint {
        let inner = self.body.size_hint();
        let more = (self.scanner.held() + self.ahead.as_ref().map_or(0, Bytes::len)) as u64;
        inner.exact().map_or_else(SizeHint::new, |exact| SizeHint::with_exact(exact + more))
    }
}
