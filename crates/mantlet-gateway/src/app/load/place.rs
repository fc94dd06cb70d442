//! What a request has of the app while it is there.

use std::time::Duration;

use mantlet_controls::throttle::InFlightGuard;

use super::{
    shares::Permit,
    turns::{Keeper, Shift, Turn},
};

/// A request may be sent to the app.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(super) turn: Turn,
    pub(super) permit: Permit,
    pub(super) kind: Option<usize>,
}

impl Entry {
    /// Counts the request for its client, too, for as long as the permit is held.
    pub(crate) fn with(mut self, presence: Option<InFlightGuard>) -> Self {
        self.permit.hold(presence);
        self
    }

    /// The place of a request that is there as a whole.
    pub(crate) fn whole(self) -> Place {
        Place { held: Held::Turn(self.turn), permit: self.permit, kind: self.kind }
    }

    /// The place of a request whose body is still on its way, and what keeps the body to its turns.
    pub(crate) fn streamed(self) -> (Place, Keeper) {
        let (shift, keeper) = Shift::new(self.turn, self.permit.client());
        (Place { held: Held::Shift(shift), permit: self.permit, kind: self.kind }, keeper)
    }

    /// The app does not work on it. Its connection may still be in use.
    pub(crate) fn over(self) -> Permit {
        self.turn.over();
        self.permit
    }
}

/// What a request has of the app while it is there.
#[derive(Debug)]
pub(crate) struct Place {
    held: Held,
    permit: Permit,
    /// Requests of a kind take the app about as long.
    kind: Option<usize>,
}

/// Its turn, which one whose body is on its way has only now and then.
#[derive(Debug)]
enum Held {
    Turn(Turn),
    Shift(Shift),
}

impl Held {
    /// The turn that it has now, if it has one.
    fn end(self) -> Option<Turn> {
        match self {
            Self::Turn(turn) => Some(turn),
            Self::Shift(shift) => shift.end(),
        }
    }
}

impl Place {
    /// The app has begun to answer.
    pub(crate) fn answered(self) -> Permit {
        let is_streamed = matches!(self.held, Held::Shift(_));
        if let Some(turn) = self.held.end() {
            turn.answered(self.kind, is_streamed);
        }
        self.permit
    }

    /// The app does not work on it.
    pub(crate) fn over(self) {
        if let Some(turn) = self.held.end() {
            turn.over();
        }
    }

    /// The app works on it for too long to wait without a client.
    pub(crate) fn lost(self) {
        if let Some(turn) = self.held.end() {
            turn.lost(self.kind);
        }
    }

    /// How long the answer is worth waiting for without its client, if at all. A body that breaks
    /// off ends the request anyway.
    pub(crate) fn lingers(&self) -> Option<Duration> {
        match &self.held {
            Held::Turn(turn) => turn.lingers(self.kind),
            Held::Shift(_) => None,
        }
    }
}
