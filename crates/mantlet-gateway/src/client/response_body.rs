//! A response's body on its way to the client.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use mantlet_controls::ResponseBody;

use crate::{app::AppResponseBody, connection_state::Exchange};

/// The largest piece of a response that is passed to an HTTP/2 stream at once. The time that a
/// client takes for it shows whether the client reads at all.
const STREAM_PIECE: usize = 16 << 10;

/// A response on its way to the client; its end is the end of the exchange.
#[derive(Debug)]
pub(crate) struct ClientResponseBody {
    answer: ResponseBody<AppResponseBody>,
    /// The rest of the app's last piece.
    rest: Bytes,
    exchange: Exchange,
}

impl ClientResponseBody {
    pub(crate) const fn new(answer: ResponseBody<AppResponseBody>, exchange: Exchange) -> Self {
        Self { answer, rest: Bytes::new(), exchange }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if !self.rest.is_empty() {
            let size = self.rest.len().min(STREAM_PIECE);
            return Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(size)))));
        }
        if self.exchange.is_over() {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.answer).poll_frame(cx));
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
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
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
