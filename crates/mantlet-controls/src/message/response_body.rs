//! The body of a response, the app's or Mantlet's own.

#![allow(missing_docs, reason = "the macro takes no docs on an enum's fields")]

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::rewritten::Rewritten;

pin_project_lite::pin_project! {
    /// The body of a response: a refusal's, or the app's.
    #[derive(Debug)]
    #[project = ResponseBodyProj]
    pub enum ResponseBody<B> {
        /// The few bytes of a refusal.
        Own {
            bytes: Option<Bytes>,
        },
        /// The app's body, as it arrives.
        App {
            #[pin]
            body: B,
        },
        /// The app's body, read completely.
        Read {
            bytes: Option<Bytes>,
        },
        /// The read part of the app's body, and the rest as it arrives.
        Ahead {
            bytes: Option<Bytes>,
            rest: Pin<Box<B>>,
        },
        /// The app's body, changed as it arrives.
        Rewritten {
            rewritten: Box<Rewritten<B>>,
        },
    }
}

impl<B> ResponseBody<B> {
    /// Whether Mantlet wrote it, and not the app.
    pub const fn is_own(&self) -> bool {
        matches!(self, Self::Own { .. })
    }

    /// The app's body, or its replacement.
    pub(crate) fn read(bytes: Bytes) -> Self {
        Self::Read { bytes: (!bytes.is_empty()).then_some(bytes) }
    }

    /// A refusal's body.
    pub fn own(bytes: Bytes) -> Self {
        Self::Own { bytes: (!bytes.is_empty()).then_some(bytes) }
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.project() {
            ResponseBodyProj::Own { bytes } | ResponseBodyProj::Read { bytes } => {
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))))
            }
            ResponseBodyProj::App { body } => body.poll_frame(cx),
            ResponseBodyProj::Ahead { bytes, rest } => match bytes.take() {
                Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                None => rest.as_mut().poll_frame(cx),
            },
            ResponseBodyProj::Rewritten { rewritten } => rewritten.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own { bytes } | Self::Read { bytes } => bytes.is_none(),
            Self::App { body } => body.is_end_stream(),
            Self::Ahead { bytes, rest } => bytes.is_none() && rest.is_end_stream(),
            Self::Rewritten { rewritten } => rewritten.is_at_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own { bytes } | Self::Read { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            Self::App { body } => body.size_hint(),
            // Of a body whose length was not known.
            Self::Ahead { .. } => SizeHint::new(),
            Self::Rewritten { rewritten } => rewritten.hint(),
        }
    }
}
