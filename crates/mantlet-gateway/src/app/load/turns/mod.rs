//! Turns: an app that has more requests than it can work on gets the rest little by little, first
//! from the clients for whom it has worked least.
//!
//! Inside an app, requests wait in the order of arrival: one client's thousand requests before
//! another client's one. So they wait here, each client in a line of its own ([`mod@line`]), as
//! soon as the app seems to have more than it works on ([`meter`], [`judge`]). Until then only the
//! part of a burst waits that is far beyond what the app has carried ([`opening`]), and this costs
//! a few counters. A client that has more waiting than its share of the places is refused at once,
//! and so is a request that has waited too long.
//!
//! Nothing here knows how long an app should take. A request that has been with the app for a while
//! without a response, such as a long poll, does not count as its work any more.

mod judge;
mod line;
mod meter;
mod opening;
mod shift;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::oneshot};

pub(crate) use self::shift::{Keeper, Shift};
use self::{
    line::{Line, Places, Work},
    meter::{Meter, Sample},
    opening::Opening,
};
use super::shares::Client;

/// What has counted as the app's work for long enough is forgotten at the end of such a time.
const EPOCH: Duration = Duration::from_millis(500);
/// How long a request counts at most: as long as so many of its kind take one after the other, but
/// at least to the end of the next epoch, and to that of the tenth at most.
const IN_A_ROW: u128 = opening::FIRST as u128;
const COUNTS: (usize, usize) = (1, 10);
/// Epochs that have a counter.
const EPOCHS: usize = 16;
/// After a silence of so many epochs the measured load of the app is outdated.
const SILENCE: usize = 60;
/// How often a waiting request checks by itself, because nothing signals that another one stopped
/// counting.
const LOOK: Duration = Duration::from_millis(200);
/// The assumed time of a request of an unknown kind, and of a piece of a body.
const UNKNOWN: Duration = Duration::from_millis(1);
const PIECE: Work = Work { takes: Duration::from_micros(100), is_whole: false };

/// Which requests are with the app, and which wait. While one waits, every new one does: none is
/// overtaken by later ones.
#[derive(Debug)]
pub(crate) struct Turns {
    start: Instant,
    epoch: AtomicUsize,
    /// Requests that count as the app's work, and how many of them stop counting at the end of each
    /// epoch.
    at_work: AtomicUsize,
    until: [AtomicUsize; EPOCHS],
    waiting: AtomicUsize,
    line: Mutex<Line>,
    meter: Meter,
    /// How long a request waits at most; none if requests never wait.
    patience: Option<Duration>,
    /// How many may wait.
    most: usize,
}

/// The right to have the app work on a request.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    /// The last epoch in which it counts.
    until: usize,
    since: Instant,
    /// How many were with the app when it began, this one included.
    began_with: usize,
}

impl Turns {
    pub(crate) fn new(patience: Duration, most: usize) -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            epoch: AtomicUsize::new(0),
            at_work: AtomicUsize::new(0),
            until: Default::default(),
            waiting: AtomicUsize::new(0),
            line: Mutex::default(),
            meter: Meter::new(Opening::within(patience)),
            patience: (!patience.is_zero()).then_some(patience),
            most,
        })
    }

    /// How many requests wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// The app has changed or was restarted: nothing is known of it.
    pub(crate) fn start_anew(&self) {
        self.meter.forget();
    }

    /// Waits for a turn of this client, if necessary; none if the wait fails. `kind` distinguishes
    /// requests that take different times.
    pub(crate) async fn take(
        self: &Arc<Self>,
        client: Client,
        kind: Option<usize>,
        is_whole: bool,
    ) -> Option<Turn> {
        let work = Work { takes: self.meter.alone(kind).unwrap_or(UNKNOWN), is_whole };
        match self.enter(work) {
            Ok(turn) => Some(turn),
            Err(patience) => Box::pin(self.wait(client, work, patience)).await,
        }
    }

    /// The same for a request that the app has in part.
    async fn resume(self: &Arc<Self>, client: Client) -> Option<Turn> {
        match self.enter(PIECE) {
            Ok(turn) => Some(turn),
            Err(patience) => self.wait(client, PIECE, patience).await,
        }
    }

    /// A turn, if one is free; else the time to wait.
    fn enter(self: &Arc<Self>, work: Work) -> Result<Turn, Duration> {
        // Counted first, so that two threads cannot both take the last place; the count is taken
        // back if the request must wait.
        let (turn, at_work) = self.begin(work);
        let is_free = at_work <= self.meter.limit() && self.waiting.load(SeqCst) == 0;
        match self.patience.filter(|_| !is_free) {
            None => Ok(turn),
            Some(patience) => {
                turn.over();
                Err(patience)
            }
        }
    }

    async fn wait(self: &Arc<Self>, client: Client, work: Work, patience: Duration) -> Option<Turn> {
        let (tell, mut told) = oneshot::channel();
        {
            let mut line = self.line();
            let now = self.start.elapsed().as_secs_f64();
            // A request that waits only because the app is not known yet is not refused any sooner
            // for that.
            let free = if self.meter.is_open() { self.most / 2 } else { 0 };
            if !line.join(client, tell, work, now, Places { most: self.most, free }) {
                return None;
            }
            if line.len() == 1 {
                self.meter.opening.begin_to_look(self.start.elapsed());
            }
            self.waiting.store(line.len(), SeqCst);
        }
        let end = tokio::time::Instant::now() + patience;
        let often = LOOK.min(self.meter.opening.step());
        loop {
            if self.meter.is_open() {
                self.meter.opening.look(self.start.elapsed());
            }
            // A place may have become free while we went to the line.
            self.call_next();
            let look = (tokio::time::Instant::now() + often).min(end);
            match tokio::time::timeout_at(look, &mut told).await {
                Ok(turn) => return turn.ok(),
                Err(_) if look == end => return None,
                Err(_) => {}
            }
        }
    }

    /// Lets waiting requests in, as many as there are places.
    fn call_next(self: &Arc<Self>) {
        let mut called = Vec::new();
        {
            let mut line = self.line();
            let now = Instant::now();
            let since = now.saturating_duration_since(self.start).as_secs_f64();
            self.epoch_at(now);
            while self.at_work.load(SeqCst) < self.meter.limit() && line.len() > 0 {
                if let Some(time) = line.not_before.filter(|time| now < *time)
                    && line.begins_with_whole()
                {
                    self.call_at(time, &mut line);
                    break;
                }
                let Some((tell, work)) = line.next(since) else { break };
                if work.is_whole {
                    line.not_before = self.meter.pace(work.takes).map(|pace| now + pace);
                }
                called.push((tell, self.begin(work).0));
            }
            if line.len() == 0 {
                self.meter.line_is_empty();
            }
            self.waiting.store(line.len(), SeqCst);
        }
        for (tell, turn) in called {
            if let Err(turn) = tell.send(turn) {
                // A client that has left meanwhile gives it back.
                turn.over();
            }
        }
    }

    /// Lets the next ones in once it is time.
    fn call_at(self: &Arc<Self>, time: Instant, line: &mut Line) {
        let Ok(runtime) = Handle::try_current() else { return };
        if std::mem::replace(&mut line.is_timed, true) {
            return;
        }
        let turns = Arc::clone(self);
        runtime.spawn(async move {
            tokio::time::sleep_until(time.into()).await;
            turns.line().is_timed = false;
            turns.call_next();
        });
    }

    fn line(&self) -> std::sync::MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more request that takes so long when alone; returns the number at work, including
    /// it.
    fn begin(self: &Arc<Self>, work: Work) -> (Turn, usize) {
        let since = Instant::now();
        let counts = usize::try_from(work.takes.as_nanos() * IN_A_ROW / EPOCH.as_nanos()).unwrap_or(COUNTS.1);
        let until = self.epoch_at(since) + counts.clamp(COUNTS.0, COUNTS.1);
        let at_work = self.at_work.fetch_add(1, SeqCst) + 1;
        self.until(until).fetch_add(1, SeqCst);
        (Turn { turns: Arc::clone(self), until, since, began_with: at_work }, at_work)
    }

    fn until(&self, epoch: usize) -> &AtomicUsize {
        let [first, ..] = &self.until;
        self.until.get(epoch % EPOCHS).unwrap_or(first)
    }

    fn epoch_at(&self, now: Instant) -> usize {
        let passed = now.saturating_duration_since(self.start).as_nanos() / EPOCH.as_nanos();
        let epoch = usize::try_from(passed).unwrap_or(usize::MAX / 2);
        let before = self.epoch.load(SeqCst);
        if before < epoch && self.epoch.compare_exchange(before, epoch, SeqCst, SeqCst).is_ok() {
            for over in before..epoch.min(before + EPOCHS) {
                let forgotten = self.until(over).swap(0, SeqCst);
                self.at_work.fetch_sub(forgotten, SeqCst);
            }
            if epoch - before > SILENCE {
                self.meter.awake();
            }
            self.meter.opening.narrow(now.saturating_duration_since(self.start));
        }
        epoch
    }
}

impl Turn {
    /// The app has begun to respond. `kind` distinguishes requests that take different times; no
    /// time is learned from a request whose client sent it slowly.
    pub(crate) fn answered(self, kind: Option<usize>, is_streamed: bool) {
        let now = Instant::now();
        // A request that does not count as work any more is not measured.
        if self.turns.epoch_at(now) <= self.until {
            if is_streamed {
                self.turns.meter.answered_untimed();
            } else {
                self.learn(kind, now, true);
            }
        }
        self.over();
    }

    /// The client has left, and the app has not responded in the time that
    /// [`lingers`](Self::lingers) gave it. If that is much longer than a request of the kind takes
    /// alone, the app is busy. If clients leave before it responds, this is the only sign of it.
    /// The turn still counts for a moment.
    pub(crate) fn lost(self, kind: Option<usize>) {
        if self.turns.meter.alone(kind).is_some() {
            self.learn(kind, Instant::now(), false);
        }
    }

    fn learn(&self, kind: Option<usize>, now: Instant, answered: bool) {
        let turns = &self.turns;
        let at_work = turns.at_work.load(SeqCst);
        turns.meter.learn(&Sample {
            kind,
            took: now.saturating_duration_since(self.since),
            began_with: self.began_with,
            at_work,
            answered,
            waits: turns.waiting.load(SeqCst) > 0,
            now: now.saturating_duration_since(turns.start),
        });
    }

    /// How long to wait for the response after the client has left. The app still works on the
    /// request, so it has a turn. If requests of the kind take longer, the app learns at once that
    /// the client has left.
    pub(crate) fn lingers(&self, kind: Option<usize>) -> Option<Duration> {
        let is_quick = self.turns.meter.alone(kind).is_none_or(|alone| alone < EPOCH);
        let left = (2 * EPOCH).saturating_sub(self.since.elapsed());
        (is_quick && !left.is_zero()).then_some(left)
    }

    /// The app does not work on it. A turn that is only dropped still counts for a moment, because
    /// a client that leaves without a response does not stop the app.
    pub(crate) fn over(self) {
        let turns = &self.turns;
        // It may have been forgotten.
        if turns.epoch_at(Instant::now()) <= self.until
            && turns.until(self.until).fetch_update(SeqCst, SeqCst, |count| count.checked_sub(1)).is_ok()
        {
            turns.at_work.fetch_sub(1, SeqCst);
        }
        if turns.waiting.load(SeqCst) > 0 {
            turns.call_next();
        }
    }
}

#[cfg(test)]
mod tests;
