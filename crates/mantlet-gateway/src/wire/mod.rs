//! The strict wire: what stands between the socket and hyper.
//!
//! HTTP/1 bytes are judged before hyper sees them. A head is held back until it is complete and well-formed; bodies pass
//! while their framing is followed. Well-formed bytes pass untouched. At the first malformed byte the wire stops reading and
//! gives hyper a request with a private method instead, so that earlier requests are answered first and the refusal
//! is answered, recorded and dressed by the pipeline like any other.

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

/// The request that stands for one that was refused. Its method must be [`mantlet_controls::message::REFUSED_METHOD`].
const STAND_IN: &[u8] = b"MANTLET-REFUSED / HTTP/1.1\r\nhost: mantlet\r\nconnection: close\r\n\r\n";

/// Header lines that the parser behind takes without an allocation for each request.
const PLAIN_LINES: usize = 100;

const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes read at once. One buffer a thread: connections own memory only for bytes that they hold back.
const SCRATCH: usize = 64 << 10;

/// How long an HTTP/2 connection is read on after it is over, so that a client that is still sending gets to read why.
const LINGER: Duration = Duration::from_secs(2);

/// Bytes that may wait for the decision about an upgrade. A WebSocket client sends none before its handshake is answered.
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
    /// After a head that asked for another protocol: nothing is handed on before the answer to it is known.
    AwaitUpgrade,
    /// HTTP/2: judged elsewhere, its frames counted.
    Http2(Box<Account>),
    /// A head whose target had to be encoded: what is handed on instead of the first bytes of the stash.
    Encoded {
        head: Vec<u8>,
        sent: usize,
        /// Bytes of the stash that it stands for.
        length: usize,
        next: Box<State>,
    },
    /// In front of a head with more lines than the parser behind takes: another one is awaited.
    Crowded,
    /// Malformed: the stand-in follows, of which so many bytes have been handed on.
    Refused {
        sent: usize,
    },
    /// A body broke off, or the client has sent its last byte.
    Ended,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Wire<T> {
    io: T,
    connection: Arc<ConnectionState>,
    limits: HeadLimits,
    state: State,
    /// One empty line before a request is passed over (RFC 9112 section 2.2).
    takes_empty_line: bool,
    saw_empty_line: bool,
    /// The parser behind takes more header lines than it does without an allocation.
    is_roomy: bool,
    /// Interim answers, or what is left of one that has been begun.
    hints: Vec<u8>,
    /// Bytes read but not handed on; the first `judged` of them may be.
    stash: Vec<u8>,
    judged: usize,
    /// The stash holds bytes that have not been judged.
    fresh: bool,
    eof: bool,
    /// When the client was found to have sent its last byte with a request under way, or 0.
    ended_at: u64,
    /// Since when an HTTP/2 connection has been over, but for what the client is still sending.
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

    /// The socket and what was read from it but not handed on.
    pub(crate) fn into_parts(self) -> (T, Vec<u8>) {
        (self.io, self.stash)
    }

    /// The account of an HTTP/2 connection whose client sent more frames that bring nothing than it may.
    pub(crate) fn overdrawn(&self) -> Option<&Account> {
        match &self.state {
            State::Http2(account) if account.is_overdrawn() => Some(account),
            _ => None,
        }
    }

    /// The parser behind takes as many header lines as may come.
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

    /// Judges the next bytes; returns how many of them may be handed on.
    fn judge(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match &mut self.state {
                State::Head { scanned: 0 }
                    if self.takes_empty_line && !self.saw_empty_line && rest.first() == Some(&b'\r') =>
                {
                    // Some clients of old send it after a body.
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
                        // The head is already with hyper: the body breaks off, and its reader asks for the verdict.
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

    /// Judges what the stash holds beyond what has been judged.
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
    /// Counts frames and passes everything: the connection speaks HTTP/2, of which the h2 crate is the judge.
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

    /// Waits for the first byte of a request (all bytes of an HTTP/2 preface, if `http2` is spoken and it may be one).
    /// `None` if the client closes instead.
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

    /// Reads, judges and hands on in one go, without keeping anything, if all of it may be handed on.
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
    /// The client has sent its last byte, and nothing is left unread. hyper would drop the request under way, which the app may not have yet:
    /// so it learns the end when the app has the request. A connection looks at its clocks often enough to ask again.
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
                // An end of file here would tell hyper that the client is gone; it is only not heard any more.
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
                // The connection's driver looks after each poll whether room is asked for.
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
                    // A client that has broken off is gone like one that has closed.
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
    /// Writes what is left of interim answers.
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

    /// Here everything that hyper had to write is written, and no answer has been begun: the place of interim ones.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(hints) = self.connection.take_hints() {
            self.hints.extend_from_slice(&hints);
        }
        ready!(self.poll_write_hints(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Over HTTP/1 nothing: the connection closes the socket itself, lingering. HTTP/2 does not give the socket back, so it
    /// lingers here, for no longer than the connection's ticks let it.
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
