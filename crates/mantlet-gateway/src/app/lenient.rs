//! The app's end of a connection that may be closed while a request is still being sent.
//!
//! An app that responds before it has read the whole body (too large, not logged in) may close at
//! once. uvicorn does so if it says `Connection: close`, or after an exception. The next write then
//! fails, and hyper would give up before it reads the response that has already arrived. So such a
//! write counts as done, nothing more is written, and the response or the end of the connection is
//! read.
//!
//! An app may also close after a complete response without announcing it: uvicorn does when an
//! exception follows the response, such as that of a background task. The next request on the
//! connection, maybe another client's POST, is then lost. It may be sent again only if the app has
//! read nothing of it, and [`Sent`] is what proves that.

use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBufCursor, Write};

/// What uvicorn reads at once, at least: asyncio asks for 256 KiB, uvloop for 64 KiB.
pub(crate) const READ_AT_ONCE: usize = 64 << 10;

const NOTHING: u8 = 0;
const ONCE: u8 = 1;
const MORE: u8 = 2;
const UNREAD: u8 = 3;

/// How much of the present request the app can have read.
#[derive(Debug, Default)]
pub(crate) struct Sent(AtomicU8);

impl Sent {
    /// A request begins.
    pub(crate) fn begin(&self) {
        self.0.store(NOTHING, Relaxed);
    }

    /// Whether the app has provably read nothing of the request.
    pub(crate) fn is_unread(&self) -> bool {
        matches!(self.0.load(Relaxed), NOTHING | UNREAD)
    }

    fn written(&self, count: usize, length: usize) {
        let is_one_read = self.0.load(Relaxed) == NOTHING && count == length && count <= READ_AT_ONCE;
        self.0.store(if is_one_read { ONCE } else { MORE }, Relaxed);
    }

    /// The app closed while bytes waited to be read. If all were written at once, and are read at
    /// once, then none was read.
    fn was_reset(&self) {
        let _ = self.0.compare_exchange(ONCE, UNREAD, Relaxed, Relaxed);
    }
}

pub(crate) struct Lenient<T> {
    inner: T,
    sent: Arc<Sent>,
    /// A reset means that the app had not read everything: so it is on the unix socket of a uvicorn.
    reset_is_proof: bool,
    /// Something has been written: a request is under way.
    has_written: bool,
    is_deaf: bool,
}

impl<T> Lenient<T> {
    pub(crate) const fn new(inner: T, sent: Arc<Sent>, reset_is_proof: bool) -> Self {
        Self { inner, sent, reset_is_proof, has_written: false, is_deaf: false }
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
                self.sent.written(written, length);
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
        let outcome = Pin::new(&mut self.inner).poll_read(cx, buf);
        if self.reset_is_proof
            && matches!(&outcome, Poll::Ready(Err(error)) if error.kind() == ErrorKind::ConnectionReset)
        {
            self.sent.was_reset();
        }
        outcome
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
