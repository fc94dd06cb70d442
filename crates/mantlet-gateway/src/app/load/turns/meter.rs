//! Measures how many requests an app can work on at once.
//!
//! A request takes a certain time when it has the app for itself. Beside others it takes as long if
//! the app waits for something else, and longer if the requests wait for the app: for its one
//! thread, its pool, its database. What the two times say of the app is decided window by window
//! ([`super::judge`]). Without a limit, the number that the app has carried bounds how many are let
//! in at once ([`super::opening`]).

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{
    judge::{ANSWERS, FLOOR_LASTS, Judge, LATE, LONGEST, UNNOTICED, Waiting, Window, float},
    opening::Opening,
};

/// Responses are judged in windows of at least this time and [`ANSWERS`] of them, but of at most
/// [`LONGEST`] if possible. Windows are shorter while there is no limit or it is being lowered, so
/// that a flood is noticed at once.
const WINDOW: Duration = Duration::from_millis(100);
const WATCH: (Duration, u64) = (Duration::from_millis(25), 16);
/// No limit.
const NONE: usize = usize::MAX;
/// Kinds of requests that are distinguished.
const KINDS: usize = 256;
/// Marks the time alone of a kind as a guess: no request of it was alone so far, and this is the
/// quickest.
const GUESS: u64 = 1 << 63;
/// The interval between two requests that are let in, as a part of that between two responses. A
/// timer measures none that is shorter than the first bound. A longer one than the second would
/// leave places of a slow app empty.
const PACE: f64 = 0.7;
const PACES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// A response that has begun.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) kind: Option<usize>,
    pub(super) took: Duration,
    /// How many were with the app when it began, and how many are now, this one included.
    pub(super) began_with: usize,
    pub(super) at_work: usize,
    /// The app has responded; if not, the client has left, and the app worked for at least this
    /// long.
    pub(super) answered: bool,
    /// A request waits.
    pub(super) waits: bool,
    pub(super) now: Duration,
}

impl Sample {
    /// Nothing else was with the app.
    const fn is_alone(&self) -> bool {
        self.answered && self.began_with <= 1 && self.at_work <= 1
    }
}

#[derive(Debug)]
pub(super) struct Meter {
    limit: AtomicUsize,
    pub(super) opening: Opening,
    /// Nanoseconds that a request of each kind takes alone, on average; the last is for requests
    /// without a kind.
    alone: Box<[AtomicU64]>,
    /// When the window began, in nanoseconds.
    began: AtomicU64,
    answers: AtomicU64,
    lost: AtomicU64,
    /// Responses whose time says nothing: their requests waited for their clients.
    untimed: AtomicU64,
    /// The number of requests at the app when each began and when it was answered, added up.
    at_work: AtomicU64,
    took: AtomicU64,
    /// The time that they would have taken alone.
    would_take: AtomicU64,
    /// The least length of a window, in nanoseconds, and its least number of responses.
    shortest: AtomicU64,
    fewest: AtomicU64,
    /// At some moment of the window no request waited.
    was_empty: AtomicBool,
    judge: Mutex<Judge>,
}

impl Meter {
    pub(super) fn new(opening: Opening) -> Self {
        Self {
            limit: AtomicUsize::new(NONE),
            opening,
            alone: (0..=KINDS).map(|_| AtomicU64::new(0)).collect(),
            began: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            untimed: AtomicU64::new(0),
            at_work: AtomicU64::new(0),
            took: AtomicU64::new(0),
            would_take: AtomicU64::new(0),
            shortest: AtomicU64::new(0),
            fewest: AtomicU64::new(WATCH.1),
            was_empty: AtomicBool::new(true),
            judge: Mutex::default(),
        }
    }

    /// The highest number of requests that the app should have.
    pub(super) fn limit(&self) -> usize {
        match self.limit.load(Relaxed) {
            NONE => self.opening.bound(),
            limit => limit,
        }
    }

    /// There is no limit except the number that the app has carried.
    pub(super) fn is_open(&self) -> bool {
        self.limit.load(Relaxed) == NONE
    }

    /// The least time until the next request is let in, after one that takes so long alone; none if
    /// there is no need to wait. Requests that begin together end together, and a request that comes
    /// in between would wait for all of them.
    pub(super) fn pace(&self, work: Duration) -> Option<Duration> {
        let limit = u32::try_from(self.limit.load(Relaxed)).unwrap_or(u32::MAX);
        let pace = work.mul_f64(PACE) / limit;
        (pace >= PACES.0).then(|| pace.min(PACES.1))
    }

    /// Nothing is known of the app.
    pub(super) fn forget(&self) {
        self.awake();
        self.alone.iter().for_each(|average| average.store(0, Relaxed));
    }

    /// What is known of its capacity is outdated.
    pub(super) fn awake(&self) {
        if let Ok(mut judge) = self.judge.lock() {
            *judge = Judge::default();
            self.limit.store(NONE, Relaxed);
        }
        self.opening.close();
    }

    /// The app has responded to a request that waited for its client, so its time says nothing.
    pub(super) fn answered_untimed(&self) {
        self.untimed.fetch_add(1, Relaxed);
    }

    /// Nothing waits any more.
    pub(super) fn line_is_empty(&self) {
        self.was_empty.store(true, Relaxed);
    }

    #[cfg(test)]
    pub(super) fn put(&self, limit: usize) {
        self.limit.store(limit, Relaxed);
    }

    /// The time that a request of a kind takes alone, if it is known.
    pub(super) fn alone(&self, kind: Option<usize>) -> Option<Duration> {
        let nanos = self.average(kind)?.load(Relaxed) & !GUESS;
        (nanos > 0).then(|| Duration::from_nanos(nanos))
    }

    fn average(&self, kind: Option<usize>) -> Option<&AtomicU64> {
        self.alone.get(kind.map_or(KINDS, |kind| kind % KINDS))
    }

    pub(super) fn learn(&self, sample: &Sample) {
        let took = u64::try_from(sample.took.as_nanos()).unwrap_or(u64::MAX >> 16);
        let Some(average) = self.average(sample.kind) else { return };
        let now = u64::try_from(sample.now.as_nanos()).unwrap_or(u64::MAX);
        let noted = average.load(Relaxed);
        let (known, is_guess) = (noted & !GUESS, noted & GUESS != 0 || noted == 0);
        // What came later was answered later.
        if sample.is_alone() || sample.began_with <= 1 && noted == 0 {
            // The first is all that is known; later ones count a sixteenth each.
            let after = if is_guess { took } else { known - known / 16 + took / 16 };
            average.store(after.max(1), Relaxed);
        } else if is_guess && (took < known || noted == 0) {
            average.store(took.max(1) | GUESS, Relaxed);
        }
        // Requests of an unknown kind never count as late.
        let would_take = if sample.is_alone() || known == 0 { took } else { known.min(took) };
        let is_late =
            Duration::from_nanos(took).as_secs_f64() >= UNNOTICED && took >= would_take.saturating_mul(LATE);
        self.opening.answered(sample.at_work, is_late, now);
        if sample.is_alone() && self.is_open() {
            return;
        }
        self.would_take.fetch_add(would_take, Relaxed);
        self.took.fetch_add(took, Relaxed);
        let at_both_ends = u64::try_from(sample.began_with + sample.at_work).unwrap_or(0);
        self.at_work.fetch_add(at_both_ends, Relaxed);
        let mine = if sample.answered { &self.answers } else { &self.lost };
        mine.fetch_add(1, Relaxed);
        let answers = self.answers.load(Relaxed) + self.lost.load(Relaxed);
        let began = self.began.load(Relaxed);
        let passed = Duration::from_nanos(now.saturating_sub(began));
        let shortest = Duration::from_nanos(self.shortest.load(Relaxed));
        if passed >= shortest && (answers >= self.fewest.load(Relaxed) || passed >= LONGEST.max(shortest))
            // Another thread may be at it.
            && let Ok(mut judge) = self.judge.try_lock()
            // Or has just done it, and this response was in its window.
            && self.began.load(Relaxed) == began
            && self.answers.load(Relaxed) + self.lost.load(Relaxed) > 0
        {
            self.began.store(now, Relaxed);
            let was_empty = self.was_empty.swap(!sample.waits, Relaxed);
            // Responses before a silence do not measure it.
            let counted = passed.min(LONGEST.max(shortest));
            let window = Window {
                now: sample.now,
                passed: seconds(counted),
                answers: float(self.answers.swap(0, Relaxed)),
                lost: float(self.lost.swap(0, Relaxed)),
                // These end no window, so they may have come in all the time.
                untimed: float(self.untimed.swap(0, Relaxed)) * seconds(counted) / seconds(passed),
                at_work: float(self.at_work.swap(0, Relaxed)) / 2.0,
                took: seconds(Duration::from_nanos(self.took.swap(0, Relaxed))),
                would_take: seconds(Duration::from_nanos(self.would_take.swap(0, Relaxed))),
                line: match (sample.waits, was_empty) {
                    (false, _) => Waiting::Not,
                    (true, true) => Waiting::Now,
                    (true, false) => Waiting::Always,
                },
            };
            let (before, after) = (judge.limit, judge.decide(&window));
            self.limit.store(after.unwrap_or(NONE), Relaxed);
            // The effect of a lower limit shows when the requests that it let in are answered.
            let is_lowered = after.is_some_and(|after| before.is_none_or(|before| after < before));
            let (shortest, fewest) = if after.is_none() || is_lowered { WATCH } else { (WINDOW, ANSWERS) };
            let mean = Duration::from_secs_f64(window.took / (window.answers + window.lost));
            let shortest =
                u64::try_from(shortest.max(mean.min(FLOOR_LASTS.0)).as_nanos()).unwrap_or(u64::MAX);
            self.shortest.store(shortest, Relaxed);
            self.fewest.store(fewest, Relaxed);
        }
    }
}

fn seconds(span: Duration) -> f64 {
    span.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_do_not_wait_for_is_seen_as_late() {
        let meter = Meter::new(Opening::within(Duration::from_secs(5)));
        let sample = |took, at_work, answered, now| Sample {
            kind: Some(1),
            took: Duration::from_millis(took),
            at_work,
            began_with: at_work,
            answered,
            waits: at_work > 1,
            now: Duration::from_millis(now),
        };
        meter.learn(&sample(20, 1, true, 0));
        assert!(meter.is_open());
        for number in 0..200 {
            meter.learn(&sample(1_000, 500, false, 1_000 + number));
        }
        assert!(meter.limit() <= 250, "{}", meter.limit());
    }

    #[test]
    fn uploads_of_an_hour_are_not_the_throughput_of_a_second() {
        let meter = Meter::new(Opening::within(Duration::from_secs(5)));
        for _ in 0..36_000 {
            meter.answered_untimed();
        }
        for number in 0..16 {
            meter.learn(&Sample {
                kind: Some(1),
                took: Duration::from_millis(if number == 0 { 20 } else { 200 }),
                at_work: if number == 0 { 1 } else { 10 },
                began_with: if number == 0 { 1 } else { 10 },
                answered: true,
                waits: false,
                now: Duration::from_hours(1) + Duration::from_millis(number),
            });
        }
        let judge = meter.judge.lock().unwrap();
        assert!(judge.limit.is_some() && judge.throughput < 50.0, "{judge:?}");
    }

    #[test]
    fn of_threads_that_would_end_a_window_together_one_does() {
        let meter = Meter::new(Opening::within(Duration::from_secs(5)));
        let hours = AtomicU64::new(1);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        // Each response would end one.
                        let now = Duration::from_hours(hours.fetch_add(1, Relaxed));
                        let took = Duration::from_millis(20);
                        let (at_work, answered, waits) = (8, true, false);
                        meter.learn(&Sample {
                            kind: Some(1),
                            took,
                            at_work,
                            began_with: at_work,
                            answered,
                            waits,
                            now,
                        });
                    }
                });
            }
        });
        let left = meter.answers.load(Relaxed) + meter.lost.load(Relaxed);
        assert!(left <= 4, "{left} responses were in no window");
    }
}
