//! The load of the app, for each client: a request enters before it is sent to the app.

mod place;
mod shares;
mod turns;

use std::{sync::Arc, time::Duration};

use mantlet_controls::{Reason, Refusal, throttle::Key};

pub(crate) use self::{
    place::{Entry, Place},
    shares::{Client, Permit},
    turns::Keeper,
};
use self::{shares::Shares, turns::Turns};

/// `Retry-After` while the app is busy.
const RETRY: Duration = Duration::from_secs(1);

/// The requests that the app works on.
#[derive(Debug)]
pub(crate) struct Load {
    shares: Arc<Shares>,
    /// Of these, requests with an incomplete body, which get at most half of the places.
    unfinished: Arc<Shares>,
    turns: Arc<Turns>,
}

impl Load {
    /// For an app that may work on `most` requests, each of which waits at most for `patience`.
    pub(crate) fn new(most: usize, patience: Duration) -> Self {
        Self {
            shares: Shares::of(most),
            unfinished: Shares::of(most.div_ceil(2)),
            turns: Turns::new(patience, most),
        }
    }

    /// Requests that the app works on, and requests that wait for it.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let waiting = self.turns.waiting();
        (self.shares.in_hand().saturating_sub(waiting), waiting)
    }

    /// The client of this key.
    pub(crate) fn client(&self, key: Option<Key>) -> Client {
        self.shares.client(key)
    }

    /// A place for a request of this client with an incomplete body, if there is one.
    pub(crate) fn begin_unfinished(&self, client: Client) -> Option<Permit> {
        self.unfinished.take(client)
    }

    /// Waits for the turn of this client, if necessary, and takes its share. Requests of a kind
    /// take about the same time.
    pub(crate) async fn enter(
        &self,
        client: Client,
        kind: Option<usize>,
        is_whole: bool,
    ) -> Result<Entry, Refusal> {
        let turn = self.turns.take(client, kind, is_whole).await.ok_or_else(busy)?;
        let Some(permit) = self.shares.take(client) else {
            turn.over();
            return Err(busy());
        };
        Ok(Entry { turn, permit, kind })
    }

    /// The app has changed or was restarted: its capacity is not known.
    pub(crate) fn start_anew(&self) {
        self.turns.start_anew();
    }
}

/// The app is busy, or the client has more than its share.
pub(crate) fn busy() -> Refusal {
    Refusal::retry(Reason::AppBusy, RETRY)
}
