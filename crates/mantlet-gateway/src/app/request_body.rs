//! A request's body on its way to the app, held back while it is small.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use mantlet_controls::{Reason, Refusal, RequestBody};
use tokio::time::Sleep;

use super::{
    lenient::READ_AT_ONCE,
    load::{self, Entry, Keeper, Permit, Place},
};
use crate::{connection_state::ConnectionState, request_body::ClientRequestBody};

/// Bytes of a body that are held back until it is complete. A request that fits is judged whole
/// before the app sees any of it.
const HOLD_SIZE: usize = 64 << 10;
/// Bytes of a body that, with its head, uvicorn reads at once.
const REPEATABLE_SIZE: usize = READ_AT_ONCE - (16 << 10);
/// How long an incomplete body is held back, so that clients and apps that talk while uploading
/// still can.
const HOLD_TIME: Duration = Duration::from_secs(1);
/// Bytes of an incomplete body that are held back while there is no place for it at the app.
const HOLD_ON: usize = 4 << 10;
/// How often a waiting body checks whether there is a place for it.
const LOOK: Duration = Duration::from_millis(50);

/// The body that the pipeline lets through.
type Judged = RequestBody<ClientRequestBody>;

/// The places for bodies that go to the app before they are complete.
pub(crate) struct Unfinished<P> {
    /// A place, if there is one.
    pub(crate) place: P,
    /// How long a body that cannot be held any longer waits for a place; none if it needs none.
    pub(crate) patience: Option<Duration>,
}

/// Waits until the body is complete, too large to hold back, or slow. A slow one is held back while
/// there is no place for it; otherwise clients that send nothing would fill the app.
pub(crate) async fn hold<P>(mut body: Judged, unfinished: Unfinished<P>) -> Result<AppRequestBody, Refusal>
where
    P: Fn() -> Option<Permit>,
{
    if body.is_end_stream() {
        return Ok(AppRequestBody::Empty);
    }
    let (mut held, mut size) = (VecDeque::new(), 0);
    if body.size_hint().lower() > HOLD_SIZE as u64 {
        return begin(held, body, unfinished).await;
    }
    let mut patience: Option<Pin<Box<Sleep>>> = None;
    let mut most = HOLD_SIZE;
    loop {
        let next = poll_fn(|cx| {
            if let Poll::Ready(next) = body.poll_data(cx) {
                return Poll::Ready(Some(next));
            }
            let patience = patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(HOLD_TIME)));
            patience.as_mut().poll(cx).map(|()| None)
        });
        match next.await {
            Some(Some(Ok(data))) => {
                size += data.len();
                held.push_back(data);
                if size > most {
                    return begin(held, body, unfinished).await;
                }
            }
            Some(Some(Err(reason))) => return Err(reason.into()),
            Some(None) => return Ok(AppRequestBody::whole(held, size)),
            None if size > HOLD_ON => return begin(held, body, unfinished).await,
            None => match (unfinished.place)() {
                None if unfinished.patience.is_some() => (patience, most) = (None, HOLD_ON),
                place => return Ok(AppRequestBody::stream(held, body, place)),
            },
        }
    }
}

/// A body that cannot be held any longer finds a place or is refused.
async fn begin<P>(
    held: VecDeque<Bytes>,
    body: Judged,
    unfinished: Unfinished<P>,
) -> Result<AppRequestBody, Refusal>
where
    P: Fn() -> Option<Permit>,
{
    let start = Instant::now();
    loop {
        match ((unfinished.place)(), unfinished.patience) {
            (None, Some(patience)) if start.elapsed() >= patience => {
                return Err(load::busy());
            }
            (None, Some(_)) => tokio::time::sleep(LOOK).await,
            (place, _) => return Ok(AppRequestBody::stream(held, body, place)),
        }
    }
}

/// A body as the app gets it.
#[derive(Debug)]
pub(crate) enum AppRequestBody {
    Empty,
    Whole(Option<Bytes>),
    Stream(Box<Stream>),
}

/// The part of a body that was held back, then the rest as it comes.
#[derive(Debug)]
pub(crate) struct Stream {
    held: VecDeque<Bytes>,
    rest: Judged,
    progress: Progress,
    /// Its place among those that are not complete, until it is.
    place: Option<Permit>,
    /// Whether the app may get more: each piece needs a turn.
    keeper: Option<Keeper>,
    /// Told when the last piece has been taken.
    sender: Option<Arc<ConnectionState>>,
}

/// The progress of a streamed body, for the task that waits for the response.
#[derive(Debug, Clone)]
pub(crate) struct Progress(Arc<Mutex<State>>);

#[derive(Debug, Clone, Copy)]
struct State {
    ended: bool,
    failure: Option<Reason>,
    /// The app wants more and the client has not sent it yet.
    client_is_awaited: bool,
    /// When the app last asked for a piece.
    last_wanted: Instant,
}

impl Progress {
    fn new() -> Self {
        let last_wanted = Instant::now();
        Self(Arc::new(Mutex::new(State {
            ended: false,
            failure: None,
            client_is_awaited: false,
            last_wanted,
        })))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_wanted(&self, client_is_awaited: bool) {
        let mut state = self.state();
        state.client_is_awaited = client_is_awaited;
        state.last_wanted = Instant::now();
    }

    fn end(&self, failure: Option<Reason>) {
        let mut state = self.state();
        state.ended = true;
        state.failure = state.failure.or(failure);
    }

    /// Whether the body is on its way: the client must send more, or the app took a piece within
    /// this time. An app that does not read gets no more time than one that has read everything.
    pub(crate) fn is_under_way(&self, within: Duration) -> bool {
        let state = self.state();
        !state.ended && (state.client_is_awaited || state.last_wanted.elapsed() < within)
    }

    pub(crate) fn failure(&self) -> Option<Reason> {
        self.state().failure
    }
}

impl AppRequestBody {
    fn whole(mut held: VecDeque<Bytes>, size: usize) -> Self {
        match (held.pop_front(), held.is_empty()) {
            (None, _) => Self::Empty,
            (Some(only), true) => Self::Whole(Some(only)),
            (Some(first), false) => {
                let mut all = BytesMut::with_capacity(size);
                all.extend_from_slice(&first);
                for piece in &held {
                    all.extend_from_slice(piece);
                }
                Self::Whole(Some(all.freeze()))
            }
        }
    }

    fn stream(held: VecDeque<Bytes>, rest: Judged, place: Option<Permit>) -> Self {
        Self::Stream(Box::new(Stream {
            held,
            rest,
            progress: Progress::new(),
            place,
            keeper: None,
            sender: None,
        }))
    }

    /// The same body, if the request could be sent again.
    pub(crate) fn copy(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Whole(Some(data)) if data.len() <= REPEATABLE_SIZE => Some(Self::Whole(Some(data.clone()))),
            Self::Whole(_) | Self::Stream(_) => None,
        }
    }

    /// The connection is told when all of it has been taken to be sent: at once, unless it streams.
    pub(crate) fn tell_when_sent(&mut self, connection: &Arc<ConnectionState>) {
        match self {
            Self::Empty | Self::Whole(_) => connection.note_sent(),
            Self::Stream(stream) => stream.sender = Some(Arc::clone(connection)),
        }
    }

    /// The place of its request: an incomplete body needs turns.
    pub(crate) fn place(&mut self, entry: Entry) -> Place {
        let Self::Stream(stream) = self else { return entry.whole() };
        let (place, keeper) = entry.streamed();
        stream.keeper = Some(keeper);
        place
    }

    pub(crate) fn progress(&self) -> Option<Progress> {
        match self {
            Self::Stream(stream) => Some(stream.progress.clone()),
            Self::Empty | Self::Whole(_) => None,
        }
    }
}

/// The body could not be passed on; [`Progress`] knows why.
#[derive(Debug, thiserror::Error)]
#[error("the request body broke off")]
pub(crate) struct BrokenOff;

impl Body for AppRequestBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(stream) => {
                stream.poll_piece(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Empty | Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Whole(None) => SizeHint::with_exact(0),
            Self::Whole(Some(bytes)) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(stream) => {
                let held: u64 = stream.held.iter().map(|piece| piece.len() as u64).sum();
                match stream.rest.size_hint().exact() {
                    Some(rest) => SizeHint::with_exact(held + rest),
                    None => SizeHint::default(),
                }
            }
        }
    }
}

impl Stream {
    /// The next piece, once it has come and the app may get it. The end counts as a piece: with it
    /// the app begins to work.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        if self.held.is_empty() {
            let data = self.rest.poll_data(cx);
            self.progress.note_wanted(data.is_pending());
            match data {
                Poll::Ready(Some(Ok(data))) => self.held.push_back(data),
                Poll::Ready(Some(Err(reason))) => return self.break_off(reason),
                Poll::Ready(None) => {}
                Poll::Pending => {
                    if let Some(keeper) = &self.keeper {
                        keeper.pause();
                    }
                    return Poll::Pending;
                }
            }
        }
        if let Some(keeper) = &mut self.keeper
            && !ready!(keeper.poll_turn(cx))
        {
            return self.break_off(Reason::AppBusy);
        }
        let piece = self.held.pop_front();
        if piece.is_none() {
            self.place = None;
            self.progress.end(None);
            if let Some(connection) = &self.sender {
                connection.note_sent();
            }
        }
        Poll::Ready(piece.map(Ok))
    }

    fn break_off(&mut self, reason: Reason) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        self.progress.end(Some(reason));
        Poll::Ready(Some(Err(BrokenOff)))
    }
}

impl Drop for Stream {
    /// A body that is not read any more is not on its way.
    fn drop(&mut self) {
        self.progress.end(None);
        if let Some(connection) = &self.sender {
            connection.note_sent();
        }
    }
}
