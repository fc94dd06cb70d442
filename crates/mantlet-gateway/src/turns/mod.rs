//! Whose turn it is: an app that has more in hand than it works on gets the rest little by little, and from those first for whom it has worked least.
//!
//! What waits inside an app waits in the order of its coming: one client's thousand requests come before another's one. So they wait
//! here, each client in a line of its own ([`mod@line`]), as soon as the app is seen to have more than it works on ([`meter`]). Until then no request
//! waits, and this costs a few counters. A client that has more waiting than its share of the places is refused at once, and so is a request that has waited too long.
//!
//! Nothing here knows how long an app should need. What has been with it for a while without an answer, as requests are that wait for news, does
//! not count as its work any more.

mod line;
mod meter;
mod shift;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

pub(crate) use self::shift::{Keeper, Shift};
use self::{
    line::Line,
    meter::{Meter, Sample},
};
use crate::shares::Client;

/// What was begun in this time or in the one before counts as the app's work.
const EPOCH: Duration = Duration::from_millis(500);
/// Epochs that have a counter.
const EPOCHS: usize = 4;
/// How often whoever waits looks for himself: nobody tells when a request does not count any more.
const LOOK: Duration = Duration::from_millis(200);
/// What a request takes of whose kind nothing is known, and what a piece of a body takes.
const UNKNOWN: Duration = Duration::from_millis(1);
const PIECE: Duration = Duration::from_micros(100);

/// Who is with the app, and who waits. While somebody waits, everybody does, so that nobody waits for those who came later.
#[derive(Debug)]
pub(crate) struct Turns {
    start: Instant,
    epoch: AtomicUsize,
    /// Requests that were begun in an epoch and have no answer yet.
    begun: [AtomicUsize; EPOCHS],
    waiting: AtomicUsize,
    line: Mutex<Line>,
    meter: Meter,
    /// How long somebody waits at most; none if nobody shall.
    patience: Option<Duration>,
    /// How many may wait.
    most: usize,
}

/// The right to have the app work on a request.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    epoch: usize,
    since: Instant,
    /// Nobody else was there when it began.
    alone: bool,
}

impl Turns {
    pub(crate) fn new(patience: Duration, most: usize) -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            epoch: AtomicUsize::new(0),
            begun: Default::default(),
            waiting: AtomicUsize::new(0),
            line: Mutex::default(),
            meter: Meter::default(),
            patience: (!patience.is_zero()).then_some(patience),
            most,
        })
    }

    /// Waits for a turn of this client, if it has to; none if that was in vain. `kind` tells requests apart that take the app differently long.
    pub(crate) async fn take(self: &Arc<Self>, client: Client, kind: Option<usize>) -> Option<Turn> {
        // Counted first, so that two threads cannot both take the last place; what has to wait is taken back.
        let mut turn = self.begin();
        let at_work = self.at_work(turn.epoch);
        turn.alone = at_work <= 1;
        let limit = self.meter.limit();
        let is_free = at_work <= limit && self.waiting.load(SeqCst) == 0;
        let Some(patience) = self.patience.filter(|_| !is_free) else { return Some(turn) };
        turn.over();
        let cost = self.meter.alone(kind).unwrap_or(UNKNOWN);
        Box::pin(self.wait(client, cost, patience)).await
    }

    /// The same for a request that the app has, and that has more for it.
    async fn resume(self: &Arc<Self>, client: Client) -> Option<Turn> {
        let turn = self.begin();
        let is_free = self.at_work(turn.epoch) <= self.meter.limit() && self.waiting.load(SeqCst) == 0;
        let Some(patience) = self.patience.filter(|_| !is_free) else { return Some(turn) };
        turn.over();
        self.wait(client, PIECE, patience).await
    }

    async fn wait(self: &Arc<Self>, client: Client, cost: Duration, patience: Duration) -> Option<Turn> {
        let (tell, mut told) = oneshot::channel();
        {
            let mut line = self.line();
            let now = self.start.elapsed().as_secs_f64();
            if !line.join(client, tell, cost.as_secs_f64(), now, self.most) {
                return None;
            }
            self.waiting.store(line.len(), SeqCst);
        }
        let end = tokio::time::Instant::now() + patience;
        loop {
            // A place may have become free while we went to the line.
            self.call_next();
            let look = (tokio::time::Instant::now() + LOOK).min(end);
            match tokio::time::timeout_at(look, &mut told).await {
                Ok(turn) => return turn.ok(),
                Err(_) if look == end => return None,
                Err(_) => {}
            }
        }
    }

    /// Lets those who wait go in, as many as there are places.
    fn call_next(self: &Arc<Self>) {
        let mut called = Vec::new();
        {
            let mut line = self.line();
            let now = Instant::now();
            let since = now.saturating_duration_since(self.start).as_secs_f64();
            while self.at_work(self.epoch_at(now)) < self.meter.limit()
                && let Some(tell) = line.next(since)
            {
                called.push((tell, self.begin()));
            }
            self.waiting.store(line.len(), SeqCst);
        }
        for (tell, turn) in called {
            if let Err(turn) = tell.send(turn) {
                // Who has left meanwhile gives it back.
                turn.over();
            }
        }
    }

    fn line(&self) -> std::sync::MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Self>) -> Turn {
        let since = Instant::now();
        let epoch = self.epoch_at(since);
        self.of_epoch(epoch).fetch_add(1, SeqCst);
        Turn { turns: Arc::clone(self), epoch, since, alone: false }
    }

    fn at_work(&self, epoch: usize) -> usize {
        self.of_epoch(epoch).load(SeqCst) + self.of_epoch(epoch.wrapping_sub(1)).load(SeqCst)
    }

    fn of_epoch(&self, epoch: usize) -> &AtomicUsize {
        let [zero, one, two, three] = &self.begun;
        match epoch % EPOCHS {
            0 => zero,
            1 => one,
            2 => two,
            _ => three,
        }
    }

    fn epoch_at(&self, now: Instant) -> usize {
        let passed = now.saturating_duration_since(self.start).as_nanos() / EPOCH.as_nanos();
        // From two on, so that there is always one before.
        let epoch = usize::try_from(passed).unwrap_or(usize::MAX / 2) + 2;
        let before = self.epoch.load(SeqCst);
        if before < epoch && self.epoch.compare_exchange(before, epoch, SeqCst, SeqCst).is_ok() {
            // The counter of the next epoch is that of one long gone; after a silence all are.
            if before + 1 < epoch {
                self.begun.iter().for_each(|count| count.store(0, SeqCst));
            }
            self.of_epoch(epoch + 1).store(0, SeqCst);
        }
        epoch
    }
}

impl Turn {
    /// The app has begun to answer. `kind` tells requests apart that take the app differently long; none is learned of a request whose client
    /// took his time to send it.
    pub(crate) fn answered(self, kind: Option<usize>, is_streamed: bool) {
        let turns = &self.turns;
        let now = Instant::now();
        let epoch = turns.epoch_at(now);
        // What has not counted as work for a while says nothing of it.
        if !is_streamed && epoch - self.epoch < 2 {
            let alone = self.alone && turns.at_work(epoch) <= 1;
            let took = now.saturating_duration_since(self.since);
            let waits = turns.waiting.load(SeqCst) > 0;
            let began_alone = self.alone;
            turns.meter.learn(&Sample { kind, took, alone, began_alone, waits, now: now - turns.start });
        }
        self.over();
    }

    /// How long its answer is worth waiting for when its client has left. The app works on, and what it works on has a turn. Of a request of a kind that
    /// takes longer than that, the app learns at once that its client has left: it may want to know.
    pub(crate) fn lingers(&self, kind: Option<usize>) -> Option<Duration> {
        let is_quick = self.turns.meter.alone(kind).is_none_or(|alone| alone < EPOCH);
        let left = (2 * EPOCH).saturating_sub(self.since.elapsed());
        (is_quick && !left.is_zero()).then_some(left)
    }

    /// The app does not work on it. A turn that is only dropped goes on to count for a moment: whoever leaves without an answer does not stop the app.
    pub(crate) fn over(self) {
        let turns = &self.turns;
        if turns.epoch_at(Instant::now()) - self.epoch < 2 {
            // Its epoch may have been forgotten in between.
            let _ = turns.of_epoch(self.epoch).fetch_update(SeqCst, SeqCst, |count| count.checked_sub(1));
        }
        if turns.waiting.load(SeqCst) > 0 {
            turns.call_next();
        }
    }
}

#[cfg(test)]
mod tests;
