//! WebSockets: carries bytes in both directions after the app has agreed, counts frames to enforce
//! limits, and ends a WebSocket when the credential that has opened it ends.
//!
//! A WebSocket with such a credential looks at it twice a second. For 10,000 of them that takes some
//! MEASURED of a core. Others have no clock but that of their silence.

mod deflate;
mod follow;
mod frames;

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io,
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
    authentication::Tenure,
    limits,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{Instant, Sleep, timeout},
};

use self::{
    follow::{AppFrames, Follow, close, masked_close},
    frames::FrameReader,
};
use super::{clock::TICK, linger::linger};
use crate::{
    app::{Permit, WebSocketUpgrade},
    clock,
    connection_state::ConnectionState,
    shared::Shared,
};

/// Bytes moved at once; one buffer for each thread.
const PIECE: usize = 32 << 10;

thread_local! {
    static PIECE_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into_boxed_slice());
}

/// How long the end of a WebSocket waits for the frames under way. Otherwise a client could go on for as
/// long as it sends one frame.
const LAST_FRAME: Duration = Duration::from_secs(10);
/// The same at the end of the gate, and after a fault of the client; and for a close frame to be written.
const MOMENT: Duration = Duration::from_secs(1);

/// Close codes of RFC 6455 section 7.4.1.
const GOING_AWAY: u16 = 1001;
const PROTOCOL_ERROR: u16 = 1002;
const INVALID_DATA: u16 = 1007;
const POLICY_VIOLATION: u16 = 1008;
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
    /// How long it may go on.
    tenure: Option<Tenure>,
}

/// Mantlet ends the tunnel.
#[derive(Debug, Clone, Copy)]
struct End {
    /// The code and the reason that the client is told.
    code: u16,
    reason: &'static str,
    /// The app is told, too.
    tells_app: bool,
    /// How long it waits for the frames under way.
    patience: Duration,
}

impl End {
    const fn because(code: u16) -> Self {
        Self { code, reason: "", tells_app: false, patience: MOMENT }
    }

    const fn of_credential(reason: &'static str) -> Self {
        Self { code: POLICY_VIOLATION, reason, tells_app: true, patience: LAST_FRAME }
    }
}

impl Tunnel {
    /// `agreed` are the headers of the app's response.
    pub(crate) fn new(
        upgrade: WebSocketUpgrade,
        limits: &limits::Policy,
        agreed: &HeaderMap,
        tenure: Option<Tenure>,
    ) -> Self {
        let WebSocketUpgrade { upgraded, permit, client } = upgrade;
        let frames = FrameReader::new(limits.websocket_message, agreed);
        Self { upgraded, _permit: permit, idle: limits.websocket_idle, frames, client, tenure }
    }

    /// Carries bytes until one side closes, the tunnel is idle for too long, a message is too
    /// large, the credential that has opened it ends, or the gate closes.
    pub(crate) async fn run<T>(
        self,
        mut client: T,
        early: Vec<u8>,
        connection: &ConnectionState,
        shared: &Shared,
    ) where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let Ok(upgraded) = self.upgraded.await else { return };
        let mut app = TokioIo::new(upgraded);
        let mut up = Direction::new(self.frames);
        let mut down = Direction::new(AppFrames::default());
        let watch = Watch { tenure: self.tenure, idle: self.idle, last_moved: Instant::now(), shared };
        let fault = up.take_early(early).err();
        let carried = carry((&mut client, &mut app), (&mut up, &mut down), watch, connection, fault);
        let Some(end) = carried.await else { return };
        if end.code == MESSAGE_TOO_BIG {
            let record = Record::of_connection(self.client, Reason::WebsocketMessageTooLarge, clock::now());
            shared.audit.record(record);
        }
        let to_client = down.may_close().then(|| close(end.code, end.reason));
        if !end.tells_app {
            // If the client does not read even this, the connection is closed without it.
            let _ = timeout(MOMENT, say(&mut client, to_client)).await;
            let _ = timeout(MOMENT, client.shutdown()).await;
            return;
        }
        let to_app = up.may_close().then(|| masked_close(end.code, end.reason));
        let told = async { tokio::join!(say(&mut client, to_client), say(&mut app, to_app)) };
        let _ = timeout(MOMENT, told).await;
        // Each may still be sending: a connection that is closed with unread bytes is reset, and the close
        // frame may be lost.
        tokio::join!(linger(&mut client), linger(&mut app));
    }
}

async fn say<T: AsyncWrite + Unpin>(to: &mut T, frame: Option<Vec<u8>>) -> io::Result<()> {
    let Some(frame) = frame else { return Ok(()) };
    to.write_all(&frame).await?;
    to.flush().await
}

/// What ends a tunnel in time.
struct Watch<'s> {
    tenure: Option<Tenure>,
    idle: Duration,
    last_moved: Instant,
    shared: &'s Shared,
}

impl Watch<'_> {
    /// Looks whether the time has come; sets the next look.
    fn look(
        &mut self,
        mut clock: Pin<&mut Sleep>,
        cx: &mut Poller<'_>,
        frames: &mut FrameReader,
    ) -> Option<End> {
        while clock.as_mut().poll(cx).is_ready() {
            if self.last_moved.elapsed() >= self.idle {
                return Some(End::because(GOING_AWAY));
            }
            if let Some(end) = self.look_at_tenure(frames) {
                return Some(end);
            }
            clock.as_mut().reset(self.next());
        }
        None
    }

    fn next(&self) -> Instant {
        let idle = self.last_moved + self.idle;
        if self.tenure.is_some() { idle.min(Instant::now() + TICK) } else { idle }
    }

    fn look_at_tenure(&mut self, frames: &mut FrameReader) -> Option<End> {
        let tenure = self.tenure.as_ref()?;
        if frames.take_use()
            && let Some(used) = tenure.note_use()
        {
            self.shared.keeper.keep_soon(vec![used]);
        }
        let over = tenure.look()?;
        self.shared.audit.record(over.record);
        // It is recorded once.
        self.tenure = None;
        over.ends.then_some(End::of_credential(over.text))
    }
}

/// Carries bytes until one side has closed (none), or until Mantlet ends the tunnel and the frames under
/// way have passed.
async fn carry<T: AsyncRead + AsyncWrite + Unpin>(
    (client, app): (&mut T, &mut TokioIo<Upgraded>),
    (up, down): (&mut Direction<FrameReader>, &mut Direction<AppFrames>),
    mut watch: Watch<'_>,
    connection: &ConnectionState,
    fault: Option<u16>,
) -> Option<End> {
    let mut clock = pin!(tokio::time::sleep_until(watch.next()));
    let mut end = None;
    let begin_to_end = |end: &mut Option<End>, new: End, clock: Pin<&mut Sleep>| {
        clock.reset(Instant::now() + new.patience);
        *end = Some(new);
    };
    if let Some(code) = fault {
        begin_to_end(&mut end, End::because(code), clock.as_mut());
    }
    poll_fn(|cx| {
        connection.waker.register(cx.waker());
        if end.is_none() {
            let time_has_come = || watch.look(clock.as_mut(), cx, &mut up.frames);
            let new = if connection.should_close() { Some(End::because(GOING_AWAY)) } else { None };
            if let Some(new) = new.or_else(time_has_come) {
                begin_to_end(&mut end, new, clock.as_mut());
            }
        }
        if end.is_none() {
            let mut moved = false;
            let upward = up.poll(cx, client, app, &mut moved, false);
            let downward = down.poll(cx, app, client, &mut moved, false);
            if moved {
                watch.last_moved = Instant::now();
            }
            match (upward, downward) {
                (Poll::Ready(Passed::Fault(code)), _) | (_, Poll::Ready(Passed::Fault(code))) => {
                    begin_to_end(&mut end, End::because(code), clock.as_mut());
                }
                (Poll::Ready(_), _) | (_, Poll::Ready(_)) => return Poll::Ready(None),
                (Poll::Pending, Poll::Pending) => return Poll::Pending,
            }
        }
        let Some(now) = end else { return Poll::Pending };
        let downward = down.poll(cx, app, client, &mut false, true);
        let upward = if now.tells_app {
            up.poll(cx, client, app, &mut false, true)
        } else {
            Poll::Ready(Passed::Frame)
        };
        match (upward, downward) {
            (Poll::Ready(Passed::Closed), _) | (_, Poll::Ready(Passed::Closed)) => Poll::Ready(None),
            (Poll::Ready(_), Poll::Ready(_)) => Poll::Ready(Some(now)),
            _ => clock.as_mut().poll(cx).map(|()| Some(now)),
        }
    })
    .await
}

/// How far one direction has come.
enum Passed {
    /// One side has closed, or its connection broke.
    Closed,
    /// The sender breaks the rules, for which this is the code.
    Fault(u16),
    /// The last frame has passed.
    Frame,
}

/// One direction of the tunnel. It holds at most one piece while the other side is slow.
struct Direction<F> {
    pending: Vec<u8>,
    ended: bool,
    frames: F,
}

impl<F: Follow> Direction<F> {
    fn new(frames: F) -> Self {
        Self { pending: Vec::new(), ended: false, frames }
    }

    /// Takes the first bytes; those with a fault are not passed on.
    fn take_early(&mut self, early: Vec<u8>) -> Result<(), u16> {
        self.frames.read(&early)?;
        self.pending = early;
        Ok(())
    }

    /// Whether a close frame may follow what has been passed on.
    fn may_close(&self) -> bool {
        self.pending.is_empty() && self.frames.is_between() && !self.frames.has_closed()
    }

    /// Passes bytes on; at the end (`ends`) only up to the end of the frame under way.
    fn poll<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Poller<'_>,
        from: &mut R,
        to: &mut W,
        moved: &mut bool,
        ends: bool,
    ) -> Poll<Passed> {
        loop {
            while !self.pending.is_empty() {
                match ready!(Pin::new(&mut *to).poll_write(cx, &self.pending)) {
                    Ok(0) | Err(_) => return Poll::Ready(Passed::Closed),
                    Ok(count) => {
                        *moved = true;
                        self.pending.drain(..count);
                    }
                }
            }
            self.pending = Vec::new();
            if self.ended {
                let _ = ready!(Pin::new(&mut *to).poll_shutdown(cx));
                return Poll::Ready(Passed::Closed);
            }
            if ready!(Pin::new(&mut *to).poll_flush(cx)).is_err() {
                return Poll::Ready(Passed::Closed);
            }
            if ends && self.frames.is_between() {
                return Poll::Ready(Passed::Frame);
            }
            let taken = PIECE_BUFFER.with_borrow_mut(|buffer| {
                let mut read = ReadBuf::new(buffer);
                let outcome = ready!(Pin::new(&mut *from).poll_read(cx, &mut read));
                let bytes = read.filled();
                self.ended = bytes.is_empty();
                let taken = if ends {
                    self.frames.read_frame(bytes)
                } else {
                    self.frames.read(bytes).map(|()| bytes.len())
                };
                let passed = bytes.get(..taken.unwrap_or_default()).unwrap_or_default();
                self.pending.extend_from_slice(passed);
                Poll::Ready(outcome.map(|()| taken))
            });
            match ready!(taken) {
                Ok(Ok(_)) => {}
                Ok(Err(code)) => return Poll::Ready(Passed::Fault(code)),
                Err(_) => return Poll::Ready(Passed::Closed),
            }
        }
    }
}
