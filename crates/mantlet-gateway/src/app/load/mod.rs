//! How much the app has in hand, and for whom: a request enters before it is sent to the app.

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

/// When to try again after the app had too much in hand.
const RETRY: Duration = Duration::from_secs(1);

/// What the app has in hand.
#[derive(Debug)]
pub(crate) struct Load {
    shares: Arc<Shares>,
    /// Of these, requests whose body is still on its way: half of the places are for the others.
    unfinished: Arc<Shares>,
    turns: Arc<Turns>,
}

impl Load {
    /// For an app that may have so many requests in hand, each of which waits for so long at most.
    pub(crate) fn new(most: usize, patience: Duration) -> Self {
        Self {
            shares: Shares::of(most),
            unfinished: Shares::of(most.div_ceil(2)),
            turns: Turns::new(patience, most),
        }
    }

    /// The client of this key.
    pub(crate) fn client(&self, key: Option<Key>) -> Client {
        self.shares.client(key)
    }

    /// A place for a request of this client whose body is still on its way, if there is one.
    pub(crate) fn begin_unfinished(&self, client: Client) -> Option<Permit> {
        self.unfinished.take(client)
    }

    /// Waits for the turn of this client, if it has to, and takes its share. Requests of a kind
    /// take the app about as long.
    pub(crate) async fn enter(&self, client: Client, kind: Option<usize>) -> Result<Entry, Refusal> {
        let turn = self.turns.take(client, kind).await.ok_or_else(busy)?;
        let Some(permit) = self.shares.take(client) else {
            turn.over();
            return Err(busy());
        };
        Ok(Entry { turn, permit, kind })
    }

    /// The app is another one than before, or was started again: how much it carries is not known.
    pub(crate) fn start_anew(&self) {
        self.turns.start_anew();
    }
}

/// The app has too much in hand, or the client more than its share of it.
pub(crate) fn busy() -> Refusal {
    Refusal::retry(Reason::AppBusy, RETRY)
}
