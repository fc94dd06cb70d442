//! A connection to an unknown server, which can tell whether unread bytes wait on it.
//!
//! If a server sends more than one response, or sends it late, those bytes would be taken for the
//! response to the next request. So before a connection is used again, Mantlet asks the kernel
//! whether any bytes have arrived.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll},
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream, tcp, unix},
};

/// The two halves of a connection. The writing half is shared with the watcher, because it knows
/// its socket.
#[derive(Debug)]
pub(crate) struct Watched<R, W> {
    read: R,
    write: Arc<Mutex<W>>,
}

/// Asks whether something waits on a connection.
#[derive(Debug)]
pub(crate) enum Watcher {
    /// No check: the server is known.
    Off,
    Unix(Weak<Mutex<unix::OwnedWriteHalf>>),
    Tcp(Weak<Mutex<tcp::OwnedWriteHalf>>),
}

impl Watcher {
    /// Whether nothing has come, not even the end. One system call.
    pub(crate) fn is_quiet(&self) -> bool {
        let peeked = match self {
            Self::Off => return true,
            Self::Unix(half) => half.upgrade().map(|half| peek(AsRef::<UnixStream>::as_ref(&*lock(&half)))),
            Self::Tcp(half) => half.upgrade().map(|half| peek(AsRef::<TcpStream>::as_ref(&*lock(&half)))),
        };
        matches!(peeked, Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

fn lock<W>(half: &Mutex<W>) -> std::sync::MutexGuard<'_, W> {
    half.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The socket never blocks.
fn peek(stream: &impl std::os::fd::AsFd) -> io::Result<usize> {
    SockRef::from(stream).peek(&mut [MaybeUninit::uninit(); 1])
}

pub(crate) fn watch_unix(
    stream: UnixStream,
) -> (Watched<unix::OwnedReadHalf, unix::OwnedWriteHalf>, Watcher) {
    let (read, write) = stream.into_split();
    let write = Arc::new(Mutex::new(write));
    let watcher = Watcher::Unix(Arc::downgrade(&write));
    (Watched { read, write }, watcher)
}

pub(crate) fn watch_tcp(stream: TcpStream) -> (Watched<tcp::OwnedReadHalf, tcp::OwnedWriteHalf>, Watcher) {
    let (read, write) = stream.into_split();
    let write = Arc::new(Mutex::new(write));
    let watcher = Watcher::Tcp(Arc::downgrade(&write));
    (Watched { read, write }, watcher)
}

impl<R: AsyncRead + Unpin, W: Unpin> AsyncRead for Watched<R, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(cx, buf)
    }
}

impl<R: Unpin, W: AsyncWrite + Unpin> AsyncWrite for Watched<R, W> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *lock(&self.write)).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *lock(&self.write)).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        lock(&self.write).is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.write)).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.write)).poll_shutdown(cx)
    }
}
