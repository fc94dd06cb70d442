//! The body of an answer, whoever wrote it.

#![allow(missing_docs, reason = "the macro takes no docs on an enum's fields")]

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

pin_project_lite::pin_project! {
    /// The body of an answer: a refusal's own, or the app's.
    #[derive(Debug)]
    #[project = AnswerProj]
    pub enum Answer<B> {
        /// The few bytes of a refusal.
        Own {
            bytes: Option<Bytes>,
        },
        /// What the app sends, as it sends it.
        App {
            #[pin]
            body: B,
        },
    }
}

impl<B> Answer<B> {
    /// Whether Mantlet wrote it, and not the app.
    pub const fn is_own(&self) -> bool {
        matches!(self, Self::Own { .. })
    }

    /// A refusal's body.
    pub fn own(bytes: Bytes) -> Self {
        Self::Own { bytes: (!bytes.is_empty()).then_some(bytes) }
    }
}

impl<B: Body<Data = Bytes>> Body for Answer<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.project() {
            AnswerProj::Own { bytes } => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            AnswerProj::App { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own { bytes } => bytes.is_none(),
            Self::App { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own { bytes } => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Self::App { body } => body.size_hint(),
        }
    }
}
