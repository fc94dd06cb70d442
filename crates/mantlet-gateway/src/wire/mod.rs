//! The strict wire between the socket and hyper.
//!
//! HTTP/1 bytes are judged before hyper sees them. A head is held back until it is complete and
//! well-formed; bodies pass while their framing is followed. Well-formed bytes pass untouched. At
//! the first malformed byte the wire stops reading and gives hyper a stand-in, a request with a
//! private method. So earlier requests are answered first, and the pipeline writes and records the
//! refusal like any other.

mod chunk;
mod frames;
mod head;
pub(crate) mod proxy;

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use mantlet_controls::{Policy, Reason};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::{
    chunk::ChunkReader,
    frames::Account,
    head::{Framing, HeadLimits},
};
use crate::connection_state::{ConnectionState, Phase, Upgrade};

/// The stand-in for a refused request. Its method must be
/// [`mantlet_controls::message::REFUSED_METHOD`].
const STAND_IN: &[u8] = b"MANTLET-REFUSED / HTTP/1.1\r\nhost: mantlet\r\nconnection: close\r\n\r\n";

/// Header lines that hyper accepts without an allocation for each request.
const PLAIN_LINES: usize = 100;

const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes read at once. One buffer for each thread: a connection owns memory only for bytes that it
/// holds back.
const SCRATCH: usize = 64 << 10;

/// How long to keep reading an HTTP/2 connection after its end, so that a client that is still
/// sending can read the reason.
const LINGER: Duration = Duration::from_secs(2);

/// Bytes that may wait for the decision about an upgrade. A WebSocket client sends none before the
/// response to its handshake.
const EARLY_BYTES: usize = 16 << 10;

thread_local! {
    static SCRATCH_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// What a connection speaks, from its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

#[derive(Debug)]
enum State {
    /// Before or in a head; `scanned` bytes of it have been searched for its end.
    Head {
        scanned: usize,
    },
    /// In a body with so many bytes left.
    Length {
        left: u64,
    },
    Chunked(ChunkReader),
    /// After a head that asked for another protocol: nothing is passed on before the app has
    /// responded.
    AwaitUpgrade,
    /// HTTP/2: judged elsewhere, its frames counted.
    Http2(Box<Account>),
    /// A head whose target had to be encoded: these bytes are passed on instead of the first bytes
    /// of the stash.
    Encoded {
        head: Vec<u8>,
        sent: usize,
        /// Bytes of the stash that it replaces.
        length: usize,
        next: Box<State>,
    },
    /// Before a head with more lines than the present parser accepts: it waits for another parser.
    Crowded,
    /// Malformed: the stand-in follows; this many of its bytes have been passed on.
    Refused {
        sent: usize,
    },
    /// A body is incomplete, or the client has sent its last byte.
    Ended,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Wire<T> {
    io: T,
    connection: Arc<ConnectionState>,
    limits: HeadLimits,
    state: State,
    /// One empty line before a request is skipped (RFC 9112 section 2.2).
    takes_empty_line: bool,
    saw_empty_line: bool,
    /// The parser accepts more header lines than it does without an allocation.
    is_roomy: bool,
    /// Interim responses, or the rest of one that is partly written.
    hints: Vec<u8>,
    /// Bytes read but not passed on; the first `judged` of them may be passed on.
    stash: Vec<u8>,
    judged: usize,
    /// The stash holds bytes that have not been judged.
    fresh: bool,
    eof: bool,
    /// When the client closed its sending side with a request under way, or 0.
    ended_at: u64,
    /// When an HTTP/2 connection ended, except for bytes that the client is still sending.
    closing_since: Option<Instant>,
}

impl<T> Wire<T> {
    pub(crate) fn new(io: T, connection: Arc<ConnectionState>, policy: &Policy) -> Self {
        let limits = HeadLimits {
            head_size: policy.limits.head_size,
            header_count: policy.limits.header_count,
            target_length: policy.limits.target_length,
            raw_bytes: policy.path.takes_raw_bytes(),
        };
        let state = State::Head { scanned: 0 };
        Self {
            io,
            connection,
            limits,
            state,
            takes_empty_line: policy.path.takes_empty_line(),
            saw_empty_line: false,
            is_roomy: false,
            hints: Vec::new(),
            stash: Vec::new(),
            judged: 0,
            fresh: false,
            eof: false,
            ended_at: 0,
            closing_since: None,
        }
    }

    /// Whether the client has closed its side.
    pub(crate) const fn saw_end(&self) -> bool {
        self.eof
    }

    /// The socket, and the bytes that were read from it but not passed on.
    pub(crate) fn into_parts(self) -> (T, Vec<u8>) {
        (self.io, self.stash)
    }

    /// The HTTP/2 client has sent too many control or empty frames.
    pub(crate) fn overdrawn(&self) -> Option<&Account> {
        match &self.state {
            State::Http2(account) if account.is_overdrawn() => Some(account),
            _ => None,
        }
    }

    /// The parser accepts the highest number of header lines.
    pub(crate) fn make_room(&mut self) {
        self.is_roomy = true;
        if matches!(self.state, State::Crowded) {
            self.state = State::Head { scanned: 0 };
            self.fresh = !self.stash.is_empty();
        }
    }

    pub(crate) const fn io(&mut self) -> &mut T {
        &mut self.io
    }

    /// Judges the next bytes; returns how many of them may be passed on.
    fn judge(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match &mut self.state {
                State::Head { scanned: 0 }
                    if self.takes_empty_line && !self.saw_empty_line && rest.first() == Some(&b'\r') =>
                {
                    // Some old clients send it after a body.
                    match rest.get(1) {
                        Some(b'\n') => {
                            self.saw_empty_line = true;
                            at += 2;
                        }
                        Some(_) => {
                            self.refuse(Reason::RequestLineMalformed);
                            return at;
                        }
                        None => return at,
                    }
                }
                State::Head { scanned } => match head::read(rest, scanned, &self.limits) {
                    Ok(Some(head)) if head.lines > PLAIN_LINES && !self.is_roomy => {
                        self.state = State::Crowded;
                        self.connection.enter(Phase::Head);
                        self.connection.ask_for_room();
                        return at;
                    }
                    Ok(Some(head)) => {
                        at += head.length;
                        self.saw_empty_line = false;
                        let next = match head.body {
                            Framing::Length(0) if head.upgrade => State::AwaitUpgrade,
                            Framing::Length(0) => State::Head { scanned: 0 },
                            Framing::Length(left) => State::Length { left },
                            Framing::Chunked => State::Chunked(ChunkReader::new()),
                        };
                        if head.raw {
                            at -= head.length;
                            match head::encoded(rest.get(..head.length).unwrap_or_default(), &self.limits) {
                                Ok(encoded) => {
                                    let (length, next) = (head.length, Box::new(next));
                                    self.state = State::Encoded { head: encoded, sent: 0, length, next };
                                }
                                Err(reason) => {
                                    self.refuse(reason);
                                    return at;
                                }
                            }
                        } else {
                            self.state = next;
                        }
                        self.connection.expect_body(head.body != Framing::Length(0));
                        self.connection.set_upgrade(Upgrade::Undecided);
                        self.connection.enter(Phase::Busy);
                    }
                    Ok(None) => {
                        self.connection.enter(Phase::Head);
                        return at;
                    }
                    Err(reason) => {
                        if let Some((method, path)) = head::request_line(rest) {
                            self.connection.note_request_line(method, path);
                        }
                        self.refuse(reason);
                        return at;
                    }
                },
                State::Length { left } => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    at += taken;
                    *left -= taken as u64;
                    if *left == 0 {
                        self.connection.expect_body(false);
                        self.state = State::Head { scanned: 0 };
                    }
                }
                State::Chunked(reader) => match reader.read(rest) {
                    Ok((taken, ended)) => {
                        at += taken;
                        if ended {
                            self.connection.expect_body(false);
                            self.state = State::Head { scanned: 0 };
                        }
                    }
                    Err(reason) => {
                        // hyper has the head already, so the body ends early, and its reader asks
                        // for the verdict.
                        self.connection.condemn(reason);
                        self.state = State::Ended;
                        return at;
                    }
                },
                State::Http2(account) => {
                    account.received(rest, Instant::now);
                    return if account.is_overdrawn() { 0 } else { bytes.len() };
                }
                State::AwaitUpgrade
                | State::Encoded { .. }
                | State::Crowded
                | State::Refused { .. }
                | State::Ended => return at,
            }
        }
        at
    }

    fn refuse(&mut self, reason: Reason) {
        self.connection.condemn(reason);
        self.connection.enter(Phase::Busy);
        self.state = State::Refused { sent: 0 };
    }

    /// Judges the bytes in the stash that have not been judged.
    fn judge_stash(&mut self) {
        let stash = mem::take(&mut self.stash);
        self.judged += self.judge(stash.get(self.judged..).unwrap_or_default());
        self.stash = stash;
        self.fresh = false;
    }

    fn note_write(&mut self, written: &Poll<io::Result<usize>>, bufs: &[IoSlice<'_>]) {
        self.connection.note_write(written.is_pending());
        if let (State::Http2(account), Poll::Ready(Ok(count))) = (&mut self.state, written) {
            let mut left = *count;
            for buf in bufs {
                let sent = buf.get(..left).unwrap_or(buf);
                account.sent(sent);
                left -= sent.len();
            }
        }
    }

    fn hand_on(&mut self, buf: &mut ReadBufCursor<'_>) {
        let count = self.judged.min(buf.remaining());
        buf.put_slice(self.stash.get(..count).unwrap_or_default());
        if count == self.stash.len() {
            self.stash = Vec::new();
        } else {
            self.stash.drain(..count);
        }
        self.judged -= count;
    }
}

impl<T: AsyncRead + Unpin> Wire<T> {
    /// Counts frames and passes everything: the connection speaks HTTP/2, which the h2 crate
    /// judges.
    pub(crate) fn leave_to_http2(&mut self) {
        self.state = State::Http2(Box::new(Account::new(Instant::now())));
        self.connection.enter(Phase::Busy);
    }

    /// Waits for the first byte of the connection. `None` if the client closes instead.
    pub(crate) fn poll_first_byte(&mut self, cx: &mut Context<'_>) -> Poll<Option<u8>> {
        if self.stash.is_empty() {
            let _ = ready!(self.poll_fill(cx, SCRATCH));
        }
        Poll::Ready(self.stash.first().copied())
    }

    /// Waits for the first byte of a request. With `http2`, if it may be an HTTP/2 preface, waits
    /// for all of that. `None` if the client closes instead.
    pub(crate) fn poll_protocol(&mut self, cx: &mut Context<'_>, http2: bool) -> Poll<Option<Protocol>> {
        loop {
            if self.stash.starts_with(HTTP2_PREFACE) && http2 {
                self.leave_to_http2();
                return Poll::Ready(Some(Protocol::Http2));
            }
            let may_become_http2 = http2 && HTTP2_PREFACE.starts_with(&self.stash);
            if !self.stash.is_empty() && !may_become_http2 {
                return Poll::Ready(Some(Protocol::Http1));
            }
            match ready!(self.poll_fill(cx, SCRATCH)) {
                Ok(0) | Err(_) => return Poll::Ready(None),
                Ok(_) => self.connection.enter(Phase::Head),
            }
        }
    }

    /// Reads into the stash.
    fn poll_fill(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        SCRATCH_BUFFER.with_borrow_mut(|scratch| {
            let room = scratch.len().min(most);
            let mut read = ReadBuf::new(scratch.get_mut(..room).unwrap_or_default());
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
            self.stash.extend_from_slice(read.filled());
            self.fresh = true;
            self.eof |= read.filled().is_empty();
            Poll::Ready(Ok(read.filled().len()))
        })
    }

    /// Reads, judges and passes bytes on in one step. Nothing is kept if all of them may be passed
    /// on.
    fn poll_pass(&mut self, cx: &mut Context<'_>, buf: &mut ReadBufCursor<'_>) -> Poll<io::Result<usize>> {
        SCRATCH_BUFFER.with_borrow_mut(|scratch| {
            let room = scratch.len().min(buf.remaining());
            let mut read = ReadBuf::new(scratch.get_mut(..room).unwrap_or_default());
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
            let bytes = read.filled();
            self.eof |= bytes.is_empty();
            let passed = self.judge(bytes);
            let (pass, keep) = bytes.split_at(passed);
            buf.put_slice(pass);
            if !matches!(self.state, State::Refused { .. } | State::Ended) {
                self.stash.extend_from_slice(keep);
            }
            Poll::Ready(Ok(bytes.len()))
        })
    }
}

impl<T> Wire<T> {
    /// The client has sent its last byte, and nothing is left unread. hyper would drop the request
    /// under way, which the app may not have yet. So hyper learns of the end only once the app has
    /// the request. The connection's clock ticks often enough to poll again.
    fn poll_end(&mut self) -> Poll<io::Result<()>> {
        if self.ended_at == 0 {
            self.ended_at = ConnectionState::moment();
        }
        if self.connection.holds_on(self.ended_at) { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl<T: AsyncRead + Unpin> Read for Wire<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = &mut *self;
        loop {
            if wire.judged > 0 {
                wire.hand_on(&mut buf);
                return Poll::Ready(Ok(()));
            }
            match &mut wire.state {
                // An end of file would tell hyper that the client is gone, but the client may still
                // read.
                State::Refused { sent } if *sent == STAND_IN.len() => return Poll::Pending,
                State::Refused { sent } => {
                    let rest = STAND_IN.get(*sent..).unwrap_or_default();
                    let count = rest.len().min(buf.remaining());
                    buf.put_slice(rest.get(..count).unwrap_or_default());
                    *sent += count;
                    wire.stash = Vec::new();
                    return Poll::Ready(Ok(()));
                }
                State::Encoded { head, sent, length, next } => {
                    if *sent == head.len() {
                        wire.stash.drain(..(*length).min(wire.stash.len()));
                        wire.state = mem::replace(next, State::Ended);
                        wire.fresh = !wire.stash.is_empty();
                        continue;
                    }
                    let rest = head.get(*sent..).unwrap_or_default();
                    let count = rest.len().min(buf.remaining());
                    buf.put_slice(rest.get(..count).unwrap_or_default());
                    *sent += count;
                    return Poll::Ready(Ok(()));
                }
                // The connection's driver checks after each poll whether it must make room.
                State::Crowded => return Poll::Pending,
                State::Ended => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "malformed body")));
                }
                State::AwaitUpgrade if wire.connection.upgrade() == Upgrade::Declined => {
                    wire.state = State::Head { scanned: 0 };
                    wire.fresh = !wire.stash.is_empty();
                    continue;
                }
                State::AwaitUpgrade if wire.stash.len() >= EARLY_BYTES => return Poll::Pending,
                State::AwaitUpgrade => match ready!(wire.poll_fill(cx, EARLY_BYTES))? {
                    0 => return Poll::Ready(Ok(())),
                    _ => continue,
                },
                State::Head { .. } => {
                    if let Some(reason) = wire.connection.verdict() {
                        wire.refuse(reason);
                        continue;
                    }
                    if wire.stash.is_empty() {
                        wire.connection.enter(Phase::Waiting);
                    }
                    if wire.eof && !wire.fresh {
                        return wire.poll_end();
                    }
                }
                State::Http2(account) if account.is_overdrawn() => {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::ConnectionAborted,
                        "too many frames",
                    )));
                }
                State::Length { .. } | State::Chunked(_) | State::Http2(_) => {}
            }
            if wire.fresh {
                wire.judge_stash();
                continue;
            }
            if wire.stash.is_empty() {
                let before = buf.remaining();
                let between_requests = matches!(wire.state, State::Head { .. });
                let count = match ready!(wire.poll_pass(cx, &mut buf)) {
                    // A client that has reset the connection is gone, like one that has closed it.
                    Err(_) if between_requests => 0,
                    outcome => outcome?,
                };
                if count == 0 && between_requests {
                    wire.eof = true;
                    return wire.poll_end();
                }
                if count == 0 || buf.remaining() != before {
                    return Poll::Ready(Ok(()));
                }
            } else if ready!(wire.poll_fill(cx, SCRATCH))? == 0 {
                // The client left in the middle of a head: there is no request to answer.
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> Wire<T> {
    /// Writes the rest of interim responses.
    fn poll_write_hints(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.hints.is_empty() {
            let count = ready!(Pin::new(&mut self.io).poll_write(cx, &self.hints))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.hints.drain(..count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Write for Wire<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_write_hints(cx))?;
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.note_write(&written, &[IoSlice::new(buf)]);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_write_hints(cx))?;
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.note_write(&written, bufs);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// hyper has written everything and has not begun a response, so interim responses can be
    /// written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(hints) = self.connection.take_hints() {
            self.hints.extend_from_slice(&hints);
        }
        ready!(self.poll_write_hints(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Over HTTP/1 this does nothing: the connection itself lingers and closes the socket. HTTP/2
    /// does not return the socket, so it lingers here, for no longer than the connection's clock
    /// allows.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = &mut *self;
        if !matches!(wire.state, State::Http2(_)) {
            return Poll::Ready(Ok(()));
        }
        let since = *wire.closing_since.get_or_insert_with(Instant::now);
        ready!(Pin::new(&mut wire.io).poll_shutdown(cx))?;
        while !wire.eof && since.elapsed() < LINGER {
            ready!(wire.poll_fill(cx, SCRATCH))?;
            wire.stash.clear();
        }
        Poll::Ready(Ok(()))
    }
}
