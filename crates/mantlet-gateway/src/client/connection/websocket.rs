//! WebSockets: carries bytes in both directions after the app has agreed, and counts frames to
//! enforce limits.

mod deflate;
mod frames;

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    net::IpAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context as Poller, Poll, ready},
    time::Duration,
};

use http::HeaderMap;
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

use self::frames::FrameReader;
use crate::{
    app::{Permit, WebSocketUpgrade},
    audit_log::AuditLog,
    clock,
    connection_state::ConnectionState,
};

/// Bytes moved at once; one buffer for each thread.
const PIECE: usize = 32 << 10;

thread_local! {
    static PIECE_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into_boxed_slice());
}

/// Close codes of RFC 6455 section 7.4.1.
const GOING_AWAY: u16 = 1001;
const PROTOCOL_ERROR: u16 = 1002;
const INVALID_DATA: u16 = 1007;
const MESSAGE_TOO_BIG: u16 = 1009;

/// A WebSocket that the app has accepted.
#[derive(Debug)]
pub(crate) struct Tunnel {
    upgraded: OnUpgrade,
    /// Held for the life of the tunnel.
    _permit: Option<Arc<Permit>>,
    idle: Duration,
    frames: FrameReader,
    client: Option<IpAddr>,
}

/// Why a tunnel ended.
enum End {
    /// One side closed, or its connection broke.
    Closed,
    /// Mantlet ends it, and tells the client with this code.
    Because(u16),
}

impl Tunnel {
    /// `agreed` are the headers of the app's response.
    pub(crate) fn new(upgrade: WebSocketUpgrade, limits: &limits::Policy, agreed: &HeaderMap) -> Self {
        let WebSocketUpgrade { upgraded, permit, client } = upgrade;
        let frames = FrameReader::new(limits.websocket_message, agreed);
        Self { upgraded, _permit: permit, idle: limits.websocket_idle, frames, client }
    }

    /// Carries bytes until one side closes, the tunnel is idle for too long, a message is too
    /// large, or the gate closes.
    pub(crate) async fn run<T>(
        self,
        mut client: T,
        early: Vec<u8>,
        connection: &ConnectionState,
        audit: &AuditLog,
    ) where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let Ok(upgraded) = self.upgraded.await else { return };
        let mut app = TokioIo::new(upgraded);
        let mut frames = self.frames;
        let end = match frames.read(&early) {
            Ok(()) => carry(&mut client, &mut app, early, &mut frames, self.idle, connection).await,
            Err(code) => End::Because(code),
        };
        if let End::Because(code) = end {
            if code == MESSAGE_TOO_BIG {
                let record =
                    Record::of_connection(self.client, Reason::WebsocketMessageTooLarge, clock::now());
                audit.record(record);
            }
            let [high, low] = code.to_be_bytes();
            let close = [0x88, 2, high, low];
            // If the client does not read even this, the connection is closed without it.
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
    connection: &ConnectionState,
) -> End {
    let mut up = Direction { pending: early, ended: false };
    let mut down = Direction { pending: Vec::new(), ended: false };
    let mut last_moved = Instant::now();
    let mut watch = pin!(tokio::time::sleep(idle));
    poll_fn(|cx| {
        connection.waker.register(cx.waker());
        if connection.should_close() {
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

/// One direction of the tunnel. It holds at most one piece while the other side is slow.
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
