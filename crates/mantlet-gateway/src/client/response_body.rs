//! A response's body on its way to the client.

use std::{
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use mantlet_controls::{
    ResponseBody,
    audit::Sink,
    authentication::{Over, Tenure},
};
use tokio::time::Instant;

use crate::{app::AppResponseBody, audit_log::AuditLog, connection_state::Exchange, traces::OpenSpan};

/// The largest piece of a response that is passed to an HTTP/2 stream at once. The time that a
/// client takes for it shows whether the client reads at all.
const STREAM_PIECE: usize = 16 << 10;

/// How long a response that has an end may go on although its caller's session has ended.
const GRACE: Duration = Duration::from_mins(1);

/// Why a response ends before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokenOff {
    /// The app has broken it off.
    #[error(transparent)]
    ByApp(#[from] hyper::Error),
    /// The credential of its caller has ended.
    #[error("{0}")]
    ByGate(&'static str),
}

/// A response that goes on no longer than the credential of its caller.
#[derive(Debug)]
pub(crate) struct Watched {
    tenure: Tenure,
    audit: AuditLog,
    from: Instant,
}

impl Watched {
    pub(crate) fn new(tenure: Tenure, audit: &AuditLog, exchange: &Exchange) -> Self {
        exchange.watch();
        let grace = if exchange.is_endless() { Duration::ZERO } else { GRACE };
        Self { tenure, audit: audit.clone(), from: Instant::now() + grace }
    }

    /// Whether it is over.
    fn look(&self) -> Option<Over> {
        if Instant::now() < self.from { None } else { self.tenure.look() }
    }
}

/// A response on its way to the client; its end is the end of the exchange.
#[derive(Debug)]
pub(crate) struct ClientResponseBody {
    answer: ResponseBody<AppResponseBody>,
    /// The rest of the app's last piece.
    rest: Bytes,
    exchange: Exchange,
    /// Boxed: rarer than responses that are not watched.
    watched: Option<Box<Watched>>,
    /// It was broken off.
    is_over: bool,
    /// Held until the end, if the request is recorded.
    _span: Option<Arc<OpenSpan>>,
}

impl ClientResponseBody {
    pub(crate) const fn new(
        answer: ResponseBody<AppResponseBody>,
        exchange: Exchange,
        watched: Option<Box<Watched>>,
        span: Option<Arc<OpenSpan>>,
    ) -> Self {
        Self { answer, rest: Bytes::new(), exchange, watched, is_over: false, _span: span }
    }

    /// Ends the response if the credential of its caller has ended. An endless one ends as if the app had
    /// ended it: every browser asks anew, and is refused then. Of any other the client learns that it is
    /// not complete.
    fn break_off(&mut self) -> ControlFlow<Option<BrokenOff>> {
        let Some(over) = self.watched.as_ref().and_then(|watched| watched.look()) else {
            return ControlFlow::Continue(());
        };
        if let Some(watched) = self.watched.take() {
            watched.audit.record(over.record);
        }
        if !over.ends {
            return ControlFlow::Continue(());
        }
        self.is_over = true;
        ControlFlow::Break((!self.exchange.is_endless()).then_some(BrokenOff::ByGate(over.text)))
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let ControlFlow::Break(end) = self.break_off() {
            return Poll::Ready(end.map(Err));
        }
        if !self.rest.is_empty() {
            let size = self.rest.len().min(STREAM_PIECE);
            return Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(size)))));
        }
        if self.is_over || self.exchange.is_over() {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.answer).poll_frame(cx)).map(|frame| frame.map_err(From::from));
        match frame {
            Some(Ok(frame)) if self.exchange.is_multiplexed() => match frame.into_data() {
                Ok(mut data) => {
                    self.rest = data.split_off(data.len().min(STREAM_PIECE));
                    Poll::Ready(Some(Ok(Frame::data(data))))
                }
                Err(frame) => Poll::Ready(Some(Ok(frame))),
            },
            frame => Poll::Ready(frame),
        }
    }
}

impl Body for ClientResponseBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        self.exchange.note_handed_on(false);
        let piece = ready!(self.poll_piece(cx));
        self.exchange.note_handed_on(true);
        Poll::Ready(piece)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.answer.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, rest) = (self.answer.size_hint(), self.rest.len() as u64);
        let mut with_rest = SizeHint::new();
        if let Some(upper) = hint.upper() {
            with_rest.set_upper(upper + rest);
        }
        with_rest.set_lower(hint.lower() + rest);
        with_rest
    }
}
