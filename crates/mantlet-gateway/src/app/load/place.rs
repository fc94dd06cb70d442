//! A request's place at the app.

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

    /// The place of a request that the app has completely.
    pub(crate) fn whole(self) -> Place {
        Place { held: Held::Turn(self.turn), permit: self.permit, kind: self.kind }
    }

    /// The place of a request with an incomplete body, and the turns of the body.
    pub(crate) fn streamed(self) -> (Place, Keeper) {
        let (shift, keeper) = Shift::new(self.turn, self.permit.client());
        (Place { held: Held::Shift(shift), permit: self.permit, kind: self.kind }, keeper)
    }

    /// The app does not work on the request. Its connection may still be in use.
    pub(crate) fn over(self) -> Permit {
        self.turn.over();
        self.permit
    }
}

/// A request's place at the app.
#[derive(Debug)]
pub(crate) struct Place {
    held: Held,
    permit: Permit,
    /// Requests of a kind take about the same time.
    kind: Option<usize>,
}

/// Its turn, which a request with an incomplete body has only now and then.
#[derive(Debug)]
enum Held {
    Turn(Turn),
    Shift(Shift),
}

impl Held {
    /// Its present turn, if it has one.
    fn end(self) -> Option<Turn> {
        match self {
            Self::Turn(turn) => Some(turn),
            Self::Shift(shift) => shift.end(),
        }
    }
}

impl Place {
    /// The app has begun to respond.
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

    /// The app works on it for too long to wait after its client has left.
    pub(crate) fn lost(self) {
        if let Some(turn) = self.held.end() {
            turn.lost(self.kind);
        }
    }

    /// How long to wait for the response after the client has left, if at all. An incomplete body
    /// ends the request anyway.
    pub(crate) fn lingers(&self) -> Option<Duration> {
        match &self.held {
            Held::Turn(turn) => turn.lingers(self.kind),
            Held::Shift(_) => None,
        }
    }
}
