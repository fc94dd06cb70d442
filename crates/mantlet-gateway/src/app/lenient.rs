//! The app's end of a connection that may be closed while a request is still being sent.
//!
//! An app that answers without having read the whole body (too large, not logged in) may close at
//! once: uvicorn does, if it says `Connection: close`, or after an exception. The next write fails
//! then, and hyper would give up before it has read the answer that is there already. So a write
//! that fails for that counts as done, and nothing more is written; what is there is read, or the
//! end of the connection.

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

    /// Takes what a write has brought: an app that does not listen any more may have said why.
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
