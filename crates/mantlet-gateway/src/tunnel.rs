//! WebSockets: bytes both ways after the app has agreed, with frames counted so that limits apply.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    net::IpAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context as Poller, Poll, ready},
    time::Duration,
};

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use mantlet_controls::{
    Reason,
    audit::{Record, Sink},
    limits,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use crate::{connection::Context, shares::Permit};

/// Bytes moved at once; one buffer a thread.
const PIECE: usize = 32 << 10;

thread_local! {
    static PIECE_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into_boxed_slice());
}

/// Close codes of RFC 6455 section 7.4.1.
const GOING_AWAY: u16 = 1001;
const PROTOCOL_ERROR: u16 = 1002;
const MESSAGE_TOO_BIG: u16 = 1009;

/// A WebSocket that the app has accepted.
#[derive(Debug)]
pub(crate) struct Tunnel {
    upgraded: OnUpgrade,
    /// Held for the life of the tunnel.
    _permit: Option<Permit>,
    idle: Duration,
    message: u64,
    client: Option<IpAddr>,
}

/// Why a tunnel ended.
enum End {
    /// One side closed, or broke.
    Closed,
    /// Mantlet ends it, and tells the client with this code.
    Because(u16),
}

impl Tunnel {
    pub(crate) const fn new(
        upgraded: OnUpgrade,
        permit: Option<Permit>,
        limits: &limits::Policy,
        client: Option<IpAddr>,
    ) -> Self {
        let (idle, message) = (limits.websocket_idle, limits.websocket_message);
        Self { upgraded, _permit: permit, idle, message, client }
    }

    /// Carries bytes until one side closes, nothing moves for too long, a message is too large, or the gate closes.
    pub(crate) async fn run<T>(self, mut client: T, early: Vec<u8>, context: &Arc<Context>)
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let Ok(upgraded) = self.upgraded.await else { return };
        let mut app = TokioIo::new(upgraded);
        let mut frames = FrameReader::new(self.message);
        let end = match frames.read(&early) {
            Ok(()) => carry(&mut client, &mut app, early, &mut frames, self.idle, context).await,
            Err(code) => End::Because(code),
        };
        if let End::Because(code) = end {
            if code == MESSAGE_TOO_BIG {
                let record = Record::of_connection(self.client, Reason::WebsocketMessageTooLarge);
                context.shared.audit.record(record);
            }
            let [high, low] = code.to_be_bytes();
            let close = [0x88, 2, high, low];
            // If the client does not take even this, it is told nothing.
            let _ = tokio::time::timeout(Duration::from_secs(1), async {
                tokio::io::AsyncWriteExt::write_all(&mut client, &close).await?;
                tokio::io::AsyncWriteExt::shutdown(&mut client).await
            })
            .await;
        }
    }
}

async fn carry<T: AsyncRead + AsyncWrite + Unpin>(
    client: &mut T,
    app: &mut TokioIo<Upgraded>,
    early: Vec<u8>,
    frames: &mut FrameReader,
    idle: Duration,
    context: &Arc<Context>,
) -> End {
    let mut up = Direction { pending: early, ended: false };
    let mut down = Direction { pending: Vec::new(), ended: false };
    let mut last_moved = Instant::now();
    let mut watch = pin!(tokio::time::sleep(idle));
    poll_fn(|cx| {
        context.flow.waker.register(cx.waker());
        if context.flow.should_close() {
            return Poll::Ready(End::Because(GOING_AWAY));
        }
        let mut moved = false;
        let upward = up.poll(cx, client, app, &mut moved, |bytes| frames.read(bytes));
        let downward = down.poll(cx, app, client, &mut moved, |_| Ok(()));
        if moved {
            last_moved = Instant::now();
        }
        match (upward, downward) {
            (Poll::Ready(end), _) | (_, Poll::Ready(end)) => return Poll::Ready(end),
            (Poll::Pending, Poll::Pending) => {}
        }
        while watch.as_mut().poll(cx).is_ready() {
            if last_moved.elapsed() >= idle {
                return Poll::Ready(End::Because(GOING_AWAY));
            }
            watch.as_mut().reset(last_moved + idle);
        }
        Poll::Pending
    })
    .await
}

/// One way through the tunnel. At most one piece is held while the other side is slow.
struct Direction {
    pending: Vec<u8>,
    ended: bool,
}

impl Direction {
    fn poll<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Poller<'_>,
        from: &mut R,
        to: &mut W,
        moved: &mut bool,
        mut inspect: impl FnMut(&[u8]) -> Result<(), u16>,
    ) -> Poll<End> {
        loop {
            while !self.pending.is_empty() {
                match ready!(Pin::new(&mut *to).poll_write(cx, &self.pending)) {
                    Ok(0) | Err(_) => return Poll::Ready(End::Closed),
                    Ok(count) => {
                        *moved = true;
                        self.pending.drain(..count);
                    }
                }
            }
            self.pending = Vec::new();
            if self.ended {
                let _ = ready!(Pin::new(&mut *to).poll_shutdown(cx));
                return Poll::Ready(End::Closed);
            }
            if ready!(Pin::new(&mut *to).poll_flush(cx)).is_err() {
                return Poll::Ready(End::Closed);
            }
            let inspected = PIECE_BUFFER.with_borrow_mut(|buffer| {
                let mut read = ReadBuf::new(buffer);
                let outcome = ready!(Pin::new(&mut *from).poll_read(cx, &mut read));
                self.ended = read.filled().is_empty();
                self.pending.extend_from_slice(read.filled());
                Poll::Ready(outcome.map(|()| inspect(read.filled())))
            });
            match ready!(inspected) {
                Ok(Ok(())) => {}
                Ok(Err(code)) => return Poll::Ready(End::Because(code)),
                Err(_) => return Poll::Ready(End::Closed),
            }
        }
    }
}

/// Follows the frames that a client sends (RFC 6455 section 5.2): each masked, messages not over the limit.
struct FrameReader {
    header: Vec<u8>,
    payload_left: u64,
    message: u64,
    limit: u64,
}

impl FrameReader {
    const fn new(limit: u64) -> Self {
        Self { header: Vec::new(), payload_left: 0, message: 0, limit }
    }

    /// Takes the next bytes; an error is the code to close with.
    fn read(&mut self, mut bytes: &[u8]) -> Result<(), u16> {
        while let Some((first, rest)) = bytes.split_first() {
            if self.payload_left > 0 {
                let skip = usize::try_from(self.payload_left).unwrap_or(usize::MAX).min(bytes.len());
                self.payload_left -= skip as u64;
                bytes = bytes.get(skip..).unwrap_or_default();
                continue;
            }
            self.header.push(*first);
            bytes = rest;
            self.take_header()?;
        }
        Ok(())
    }

    fn take_header(&mut self) -> Result<(), u16> {
        let &[first, second, ref extended @ ..] = self.header.as_slice() else { return Ok(()) };
        let masked = second & 0x80 != 0;
        if !masked {
            return Err(PROTOCOL_ERROR);
        }
        let length = match second & 0x7f {
            126 => match extended {
                [a, b, ..] => u64::from(u16::from_be_bytes([*a, *b])),
                _ => return Ok(()),
            },
            127 => match extended.first_chunk::<8>() {
                Some(bytes) => u64::from_be_bytes(*bytes),
                None => return Ok(()),
            },
            short => u64::from(short),
        };
        // Then comes the masking key; with it the frame's head is complete.
        let extended_length = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if extended.len() < extended_length + 4 {
            return self.judge(first, length);
        }
        self.judge(first, length)?;
        let (is_control, is_final) = (first & 0x08 != 0, first & 0x80 != 0);
        if !is_control {
            self.message = if is_final { 0 } else { self.message.saturating_add(length) };
        }
        self.payload_left = length;
        self.header = Vec::new();
        Ok(())
    }

    const fn judge(&self, first: u8, length: u64) -> Result<(), u16> {
        let is_control = first & 0x08 != 0;
        if is_control && length > 125 {
            Err(PROTOCOL_ERROR)
        } else if !is_control && self.message.saturating_add(length) > self.limit {
            Err(MESSAGE_TOO_BIG)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, length: usize) -> Vec<u8> {
        let mut frame = vec![first];
        match length {
            0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
            126..65536 => {
                frame.push(0xfe);
                frame.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(b"mask");
        frame.resize(frame.len() + length, b'x');
        frame
    }

    #[test]
    fn messages_are_counted_over_their_frames() {
        let check = |frames: &[Vec<u8>], expected: Result<(), u16>| {
            for piece in [1, 7, 1 << 20] {
                let mut reader = FrameReader::new(1000);
                let all = frames.concat();
                let read = all.chunks(piece).try_for_each(|bytes| reader.read(bytes));
                assert_eq!(read, expected, "{} frames in {piece}s", frames.len());
            }
        };
        check(&[frame(0x81, 5), frame(0x82, 1000), frame(0x89, 125), frame(0x88, 2)], Ok(()));
        check(&[frame(0x82, 1001)], Err(MESSAGE_TOO_BIG));
        check(&[frame(0x82, 70_000)], Err(MESSAGE_TOO_BIG));
        check(&[frame(0x02, 600), frame(0x89, 0), frame(0x80, 600)], Err(MESSAGE_TOO_BIG));
        check(&[frame(0x02, 600), frame(0x80, 400), frame(0x81, 1000)], Ok(()));
        check(&[frame(0x89, 126)], Err(PROTOCOL_ERROR));
        check(&[vec![0x81, 5, b'h']], Err(PROTOCOL_ERROR));
    }
}
