//! The app's end of a connection that may be closed while a request is still being sent.
//!
//! An app that responds before it has read the whole body (too large, not logged in) may close at
//! once. uvicorn does so if it says `Connection: close`, or after an exception. The next write then
//! fails, and hyper would give up before it reads the response that has already arrived. So such a
//! write counts as done, nothing more is written, and the response or the end of the connection is
//! read.

use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBufCursor, Write};

pub(crate) struct Lenient<T> {
    inner: T,
    /// Something has been written: a request is under way.
    has_written: bool,
    is_deaf: bool,
}

impl<T> Lenient<T> {
    pub(crate) const fn new(inner: T) -> Self {
        Self { inner, has_written: false, is_deaf: false }
    }

    /// Handles the result of a write: an app that has stopped reading may have sent a response.
    fn heard(&mut self, outcome: io::Result<usize>, length: usize) -> io::Result<usize> {
        match outcome {
            Err(error)
                if self.has_written
                    && matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) =>
            {
                self.is_deaf = true;
                Ok(length)
            }
            Ok(written) => {
                self.has_written = true;
                Ok(written)
            }
            Err(error) => Err(error),
        }
    }
}

impl<T: Read + Unpin> Read for Lenient<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: Write + Unpin> Write for Lenient<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_deaf {
            return Poll::Ready(Ok(buf.len()));
        }
        let outcome = ready!(Pin::new(&mut self.inner).poll_write(cx, buf));
        Poll::Ready(self.heard(outcome, buf.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bufs.iter().map(|buf| buf.len()).sum();
        if self.is_deaf {
            return Poll::Ready(Ok(length));
        }
        let outcome = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, bufs));
        Poll::Ready(self.heard(outcome, length))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_deaf { Poll::Ready(Ok(())) } else { Pin::new(&mut self.inner).poll_flush(cx) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
