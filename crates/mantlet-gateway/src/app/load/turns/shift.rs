//! The turn of a request whose body is still on its way.
//!
//! The app works only on the parts that it has. While the client must send more, others have their
//! turn: thousands of incomplete bodies are not work.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use super::super::shares::Client;
use super::{Turn, Turns};

/// The state that the body shares with the task that waits for the response.
#[derive(Debug, Clone)]
pub(crate) struct Shift(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    turn: Option<Turn>,
    /// The app has begun to respond, so the rest of the body needs no turns.
    is_answered: bool,
}

/// The body's side of it.
pub(crate) struct Keeper {
    turns: Arc<Turns>,
    client: Client,
    shift: Shift,
    waits: Option<Pin<Box<dyn Future<Output = Option<Turn>> + Send>>>,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("shift", &self.shift).finish_non_exhaustive()
    }
}

impl Shift {
    pub(crate) fn new(turn: Turn, client: Client) -> (Self, Keeper) {
        let turns = Arc::clone(&turn.turns);
        let shift = Self(Arc::new(Mutex::new(State { turn: Some(turn), is_answered: false })));
        let keeper = Keeper { turns, client, shift: shift.clone(), waits: None };
        (shift, keeper)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The app has begun to respond, or will not. Returns the body's turn, if it has one.
    pub(crate) fn end(&self) -> Option<Turn> {
        let mut state = self.state();
        state.is_answered = true;
        state.turn.take()
    }
}

impl Keeper {
    /// The client is awaited.
    pub(crate) fn pause(&self) {
        let turn = self.shift.state().turn.take();
        if let Some(turn) = turn {
            turn.over();
        }
    }

    /// Ready when the app may get more; false if it never may.
    pub(crate) fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.waits.is_none() {
            let state = self.shift.state();
            if state.turn.is_some() || state.is_answered {
                return Poll::Ready(true);
            }
        }
        let waits = self.waits.get_or_insert_with(|| {
            let (turns, client) = (Arc::clone(&self.turns), self.client);
            Box::pin(async move { turns.resume(client).await })
        });
        let turn = ready!(waits.as_mut().poll(cx));
        self.waits = None;
        let has_turn = turn.is_some();
        let mut state = self.shift.state();
        let unused = if state.is_answered { turn } else { std::mem::replace(&mut state.turn, turn) };
        let is_answered = state.is_answered;
        drop(state);
        if let Some(turn) = unused {
            turn.over();
        }
        Poll::Ready(has_turn || is_answered)
    }
}
