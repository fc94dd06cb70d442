//! Measures how many requests an app can work on at once.
//!
//! A request takes a certain time when it has the app for itself. Beside others it takes as long if
//! the app waits for something else, and longer if the requests wait for the app: for its one
//! thread, its pool, its database. The two times show how many requests keep the app busy without a
//! wait: the present number, times the time alone, divided by the time beside others (the gradient
//! of Netflix's concurrency-limits, after TCP Vegas).
//!
//! Times of an app differ for other reasons too. So a limit is set only if requests take twice as
//! long as alone, and long enough to be noticed. A limit that turns out to cost throughput is
//! doubled, and for a while it does not fall below that. Without a limit, the number that the app has carried bounds how many are let in at once
//! ([`super::opening`]).

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use super::opening::Opening;

/// Responses are judged in windows of at least this time and this number, but of at most
/// [`LONGEST`] if possible. Windows are shorter while there is no limit or it is being lowered, so
/// that a flood is noticed at once.
const WINDOW: Duration = Duration::from_millis(100);
const ANSWERS: u64 = 32;
const WATCH: (Duration, u64) = (Duration::from_millis(25), 16);
const LONGEST: Duration = Duration::from_secs(1);
/// Kinds of requests that are distinguished.
const KINDS: usize = 256;
/// Marks the time alone of a kind as a guess: no request of it was alone so far, and this is the
/// quickest.
const GUESS: u64 = 1 << 63;
/// Seconds that do no harm.
const UNNOTICED: f64 = 0.005;
/// A response that takes this many times as long as alone is late.
const LATE: u64 = 2;
/// Seconds that the app may take without being late: enough for one thread to stay busy.
const SHORTEST: f64 = 0.002;
/// If throughput falls below this share of its former value, the limit may have cost it.
const SUSPECT: f64 = 0.8;
/// So many windows in a row with less are chance, and change nothing.
const SUSPICIONS: u32 = 2;
/// How often it must be less with a limit than with twice that limit. Windows of 32 responses differ
/// by a fifth by chance in about one of thirty.
const TESTS: u32 = 2;
/// The time after a limit that cost throughput in which none is as low. It doubles with each further
/// one, up to the second value.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(5));
/// The app gets this much more than it works on, so that it has the next request while a response
/// is on its way. More inside it would make all requests wait.
const AHEAD: f64 = 1.25;
/// The pace at which requests are let in, as a part of that at which they are answered. Shorter ones
/// than a timer can measure are none; longer ones would leave places of a slow app empty.
const PACE: f64 = 0.7;
const PACES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));
/// Of many at once one is always about to end, so less is enough.
const MANY: f64 = 8.0;
const AHEAD_OF_MANY: f64 = 1.1;
/// The fewest requests that a quick app gets at once. If requests take longer than [`UNNOTICED`],
/// that hides the moment until the next one comes.
const FEWEST: usize = 2;
/// Windows without a waiting request after which there is no limit any more.
const CALM: u32 = 20;

/// A response that has begun.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) kind: Option<usize>,
    pub(super) took: Duration,
    /// How many were with the app when it began, and how many are now, this one included.
    pub(super) began_with: usize,
    pub(super) at_work: usize,
    /// Nothing else was with the app.
    pub(super) alone: bool,
    /// The app has responded; if not, the client has left, and the app worked for at least this
    /// long.
    pub(super) answered: bool,
    /// A request waits.
    pub(super) waits: bool,
    pub(super) now: Duration,
}

/// Whether requests wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// None does.
    Not,
    /// Some do, but a moment ago none did, so the responses meanwhile show the demand, not the
    /// app's capacity.
    Now,
    /// Some waited all the time.
    Always,
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

    /// The least time from a request that takes so long alone to the next one that is let in, if any.
    /// Requests that begin together end together, and one that comes in between would wait for all
    /// of them.
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
        if sample.alone || sample.began_with <= 1 && noted == 0 {
            // The first is all that is known; later ones count a sixteenth each.
            let after = if is_guess { took } else { known - known / 16 + took / 16 };
            average.store(after.max(1), Relaxed);
        } else if is_guess && (took < known || noted == 0) {
            average.store(took.max(1) | GUESS, Relaxed);
        }
        // Requests of an unknown kind never count as late.
        let would_take = if sample.alone || known == 0 { took } else { known.min(took) };
        let is_late =
            Duration::from_nanos(took).as_secs_f64() >= UNNOTICED && took >= would_take.saturating_mul(LATE);
        self.opening.answered(sample.at_work, is_late, now);
        if sample.alone && self.is_open() {
            return;
        }
        self.would_take.fetch_add(would_take, Relaxed);
        self.took.fetch_add(took, Relaxed);
        let at_both_ends = u64::try_from(sample.began_with + sample.at_work).unwrap_or(0);
        self.at_work.fetch_add(at_both_ends, Relaxed);
        let mine = if sample.answered { &self.answers } else { &self.lost };
        mine.fetch_add(1, Relaxed);
        let answers = self.answers.load(Relaxed) + self.lost.load(Relaxed);
        let passed = Duration::from_nanos(now.saturating_sub(self.began.load(Relaxed)));
        let shortest = Duration::from_nanos(self.shortest.load(Relaxed));
        if passed >= shortest && (answers >= self.fewest.load(Relaxed) || passed >= LONGEST.max(shortest))
            // Another thread may be at it.
            && let Ok(mut judge) = self.judge.try_lock()
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
            let (before, after) = (judge.limit, judge.limit(&window));
            self.limit.store(after.unwrap_or(NONE), Relaxed);
            // The effect of a lower limit shows when the requests that it let in are answered.
            let is_lowered = after.is_some_and(|after| before.is_none_or(|before| after < before));
            let (shortest, fewest) = if after.is_none() || is_lowered { WATCH } else { (WINDOW, ANSWERS) };
            let mean = Duration::from_secs_f64(window.took / (window.answers + window.lost));
            let shortest = u64::try_from(shortest.max(mean.min(PAUSES.0)).as_nanos()).unwrap_or(u64::MAX);
            self.shortest.store(shortest, Relaxed);
            self.fewest.store(fewest, Relaxed);
        }
    }
}

/// The measurements of a window; times in seconds.
#[derive(Debug, Clone, Copy)]
struct Window {
    now: Duration,
    passed: f64,
    answers: f64,
    /// Requests whose clients left because the response came too late.
    lost: f64,
    /// Responses whose time is not known.
    untimed: f64,
    /// The number of requests at the app, added up over the other responses.
    at_work: f64,
    took: f64,
    would_take: f64,
    line: Waiting,
}

/// A test whether the limit costs throughput: it is doubled for a window and restored for another,
/// [`TESTS`] times, because an app may be slower for reasons of its own.
#[derive(Debug, Clone, Copy)]
enum Doubt {
    /// There is no test.
    None,
    /// It is doubled, so often; with the limit, the throughput was this.
    Doubled(f64, u32),
    /// It is restored, so often; with twice the limit, the throughput was this.
    Back(f64, u32),
}

/// Decides on the limit, window by window.
#[derive(Debug)]
struct Judge {
    limit: Option<usize>,
    /// Responses a second that the app is known to manage.
    throughput: f64,
    /// Windows in a row with less than that; in a test, windows that said nothing of it.
    suspicions: u32,
    doubt: Doubt,
    calm: u32,
    pause: Duration,
    /// Until then the limit is not lower than this, because a lower one has cost throughput.
    floor: usize,
    floor_until: Duration,
}

/// No limit.
const NONE: usize = usize::MAX;

impl Default for Judge {
    fn default() -> Self {
        Self {
            limit: None,
            throughput: 0.0,
            suspicions: 0,
            doubt: Doubt::None,
            calm: 0,
            pause: PAUSES.0,
            floor: 1,
            floor_until: Duration::ZERO,
        }
    }
}

impl Judge {
    fn limit(&mut self, window: &Window) -> Option<usize> {
        let requests = window.answers + window.lost;
        let at_work = window.at_work / requests;
        let mean = window.took / requests;
        let alone = window.would_take / requests;
        let throughput = (window.answers + window.untimed) / window.passed;
        let ahead = if at_work < MANY { AHEAD } else { AHEAD_OF_MANY };
        let fitting = at_work * (alone * ahead).max(SHORTEST) / mean;
        let is_slow_by_few = alone >= UNNOTICED && at_work < MANY;
        let fitting = if is_slow_by_few { whole_of_slow(fitting) } else { whole(fitting) };
        // If most clients leave before the response, the app has too much, whatever was learned
        // before.
        let is_lost = window.lost > window.answers;
        if is_lost || window.now >= self.floor_until {
            self.floor = 1;
        }
        let floor = self.floor;
        let at_least = |bound: usize| if is_lost { 1 } else { bound.max(floor) };
        let is_late = at_work >= 4.0 && mean >= UNNOTICED && mean >= alone * float(LATE);
        let is_too_high = window.line == Waiting::Not && matches!(self.doubt, Doubt::None) && is_late;
        let Some(limit) = self.limit.filter(|_| !is_too_high) else {
            // There is no limit, or it is so high that all are let in and are late.
            if is_late {
                (self.throughput, self.doubt) = (throughput, Doubt::None);
                (self.suspicions, self.calm) = (0, 0);
                self.limit = Some(fitting.max(at_least(whole(at_work / 2.0))));
            }
            return self.limit;
        };
        let little_more = limit + (limit / 4).max(1);
        // Never by more than half, so that its cost is noticed in time.
        let adapted = fitting.min(little_more).max(at_least(limit.div_ceil(2)));
        let doubt = std::mem::replace(&mut self.doubt, Doubt::None);
        if window.line == Waiting::Not {
            if matches!(doubt, Doubt::Doubled(before, _) if before < throughput * SUSPECT) {
                // No request was left to wait.
                self.keep_above(limit, window.now);
            }
            self.suspicions = 0;
            self.calm += 1;
            self.limit = (self.calm < CALM).then_some(little_more);
            return self.limit;
        }
        self.calm = 0;
        if window.line == Waiting::Now || window.lost > 0.0 || !window.measures_throughput() {
            // The throughput is not known. A test under way waits for a window or two.
            let waits = !matches!(doubt, Doubt::None) && !is_lost && self.suspicions < SUSPICIONS;
            if waits {
                (self.doubt, self.suspicions) = (doubt, self.suspicions + 1);
            } else {
                (self.limit, self.suspicions) = (Some(adapted), 0);
            }
            return self.limit;
        }
        let is_less = |than: f64| throughput < than * SUSPECT;
        self.limit = Some(match doubt {
            Doubt::None if is_less(self.throughput) && self.suspicions < SUSPICIONS => {
                self.suspicions += 1;
                limit
            }
            Doubt::None if is_less(self.throughput) => {
                (self.doubt, self.suspicions) = (Doubt::Doubled(throughput, 1), 0);
                limit.saturating_mul(2)
            }
            Doubt::Doubled(before, times) if before < throughput * SUSPECT => {
                (self.doubt, self.suspicions) = (Doubt::Back(throughput, times), 0);
                (limit / 2).max(1)
            }
            Doubt::Back(doubled, times) if is_less(doubled) => {
                let doubled = limit.saturating_mul(2);
                self.suspicions = 0;
                if times < TESTS {
                    self.doubt = Doubt::Doubled(throughput, times + 1);
                } else {
                    self.keep_above(doubled, window.now);
                }
                doubled
            }
            _ => {
                let known = if matches!(doubt, Doubt::None) { self.throughput * 0.98 } else { 0.0 };
                self.throughput = throughput.max(known);
                self.suspicions = 0;
                adapted
            }
        });
        self.limit
    }

    /// A limit below this has cost throughput.
    fn keep_above(&mut self, floor: usize, now: Duration) {
        (self.floor, self.floor_until) = (floor, now + self.pause);
        self.pause = (self.pause * 2).min(PAUSES.1);
    }
}

impl Window {
    /// So few responses are a matter of luck, unless there are never more.
    fn measures_throughput(&self) -> bool {
        self.answers + self.untimed >= float(ANSWERS) * 0.9 || self.passed >= LONGEST.as_secs_f64()
    }
}

fn whole(number: f64) -> usize {
    nearest(number.ceil()).max(FEWEST)
}

fn whole_of_slow(number: f64) -> usize {
    nearest(number.floor()).max(1)
}

fn nearest(number: f64) -> usize {
    // A float becomes the nearest integer in range.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = number.max(0.0) as usize;
    whole
}

fn seconds(span: Duration) -> f64 {
    span.as_secs_f64().max(1e-9)
}

fn float(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An app, as seen from outside: how long a request takes when so many are with it.
    struct App {
        took: fn(f64) -> f64,
        /// What is believed that a request takes alone.
        alone: f64,
        /// How much slower it is in a window, for reasons of its own.
        slower: fn(u32) -> f64,
    }

    impl App {
        /// The limits of so many windows, when so many clients each have a request there or in the
        /// line.
        fn limits(&self, clients: usize, windows: u32) -> (Vec<Option<usize>>, f64) {
            self.limits_of(|_| clients, windows)
        }

        fn limits_of(&self, clients: impl Fn(u32) -> usize, windows: u32) -> (Vec<Option<usize>>, f64) {
            let mut judge = Judge::default();
            let (mut now, mut answered, mut limits) = (Duration::ZERO, 0.0, Vec::new());
            for window in 0..windows {
                let clients = clients(window);
                let at_work = judge.limit.unwrap_or(usize::MAX).min(clients);
                let took = (self.took)(float(at_work as u64)) * (self.slower)(window);
                let throughput = float(at_work as u64) / took;
                let passed = (float(ANSWERS) / throughput).max(0.05);
                now += Duration::from_secs_f64(passed);
                let answers = throughput * passed;
                answered += answers;
                limits.push(judge.limit(&Window {
                    now,
                    passed,
                    answers,
                    took: took * answers,
                    would_take: self.alone.min(took) * answers,
                    lost: 0.0,
                    untimed: 0.0,
                    at_work: float(at_work as u64) * answers,
                    line: if at_work < clients { Waiting::Always } else { Waiting::Not },
                }));
            }
            (limits, answered / now.as_secs_f64())
        }
    }

    #[test]
    fn one_thread_that_works_gets_what_keeps_it_busy() {
        let app = App { took: |at_work| at_work * 0.0014, alone: 0.0014, slower: |_| 1.0 };
        let (limits, throughput) = app.limits(64, 40);
        assert!(limits.iter().skip(6).all(|limit| limit.is_some_and(|limit| limit <= 3)), "{limits:?}");
        assert!(throughput > 0.99 / 0.0014, "{throughput}");
    }

    #[test]
    fn an_app_that_is_slower_now_and_then_is_still_protected() {
        let slower = |window| if window % 7 == 3 { 1.6 } else { 1.0 };
        let app = App { took: |at_work| at_work * 0.0014, alone: 0.0014, slower };
        let (limits, _) = app.limits(64, 700);
        let unprotected = limits.iter().filter(|limit| limit.is_none_or(|limit| limit > 8)).count();
        assert!(unprotected < 7, "{unprotected} of 700");
    }

    #[test]
    fn four_workers_get_four_times_as_much() {
        let app = App { took: |at_work| (at_work / 4.0).max(1.0) * 0.01, alone: 0.01, slower: |_| 1.0 };
        let (limits, throughput) = app.limits(64, 40);
        assert!(limits.iter().skip(6).all(|limit| matches!(limit, Some(4..=8))), "{limits:?}");
        assert!(throughput > 0.98 * 400.0, "{throughput}");
    }

    #[test]
    fn an_app_that_waits_for_others_is_never_held_back() {
        let app = App { took: |_| 0.2, alone: 0.2, slower: |_| 1.0 };
        assert!(app.limits(1_000, 200).0.iter().all(Option::is_none));
        // Nor one that is quick.
        let app = App { took: |at_work| at_work * 0.000_05, alone: 0.000_05, slower: |_| 1.0 };
        assert!(app.limits(64, 200).0.iter().all(Option::is_none));
    }

    #[test]
    fn an_app_of_uneven_speed_is_never_without_a_limit() {
        // Ten at once of 20 ms each, on a busy machine: from 0.8 to 1.3 times as long, as it comes.
        let slower = |window: u32| {
            let random = window.wrapping_add(1).wrapping_mul(2_654_435_761);
            let random = (random ^ (random >> 15)).wrapping_mul(2_246_822_519);
            f64::from(random >> 16) / f64::from(u16::MAX) * 0.5 + 0.8
        };
        let app = App { took: |at_work| (at_work / 10.0).max(1.0) * 0.02, alone: 0.02, slower };
        let above = |limits: &[Option<usize>], most| {
            limits.iter().skip(5).filter(|limit| limit.is_none_or(|limit| limit > most)).count()
        };
        for clients in [64, 400] {
            let (limits, _) = app.limits(clients, 5_000);
            assert!(above(&limits, 20) < 400, "{clients} clients: {} of 5000", above(&limits, 20));
            assert_eq!(above(&limits, 64), 0, "{clients} clients");
        }
        // A flood after a time in which a little more was asked for than the app can carry.
        for few in [12, 16, 20, 24, 30, 40] {
            let (limits, _) = app.limits_of(|window| if window % 500 < 400 { few } else { 2_000 }, 5_000);
            let flood: Vec<_> =
                (0..).zip(limits).filter(|(window, _)| window % 500 > 410).map(|one| one.1).collect();
            assert!(above(&flood, 64) < 5, "{few} clients: {} of 890", above(&flood, 64));
        }
    }

    #[test]
    fn a_wrong_belief_costs_little_and_less_each_time() {
        // It seemed to take 10 ms, and takes 50 however many there are.
        let app = App { took: |_| 0.05, alone: 0.01, slower: |_| 1.0 };
        let (limits, throughput) = app.limits(100, 2_000);
        let held_back = limits.iter().filter(|limit| limit.is_some_and(|limit| limit < 100)).count();
        assert!(held_back < 60, "{held_back} of 2000");
        assert!(throughput > 0.97 * 2_000.0, "{throughput}");
    }

    #[test]
    fn a_flood_in_bursts_does_not_make_the_limit_look_dear() {
        // Ten at once of 20 ms each; each second a burst that leaves, and in between one client
        // that asks now and then.
        let mut judge = Judge { limit: Some(12), throughput: 500.0, ..Judge::default() };
        for round in 0..600_u32 {
            let burst = round % 3 == 0;
            let window = Window {
                now: Duration::from_millis(100 * u64::from(round)),
                passed: 0.1,
                answers: if burst { 16.0 } else { 5.0 },
                lost: 0.0,
                untimed: 0.0,
                at_work: if burst { 16.0 * 12.0 } else { 5.0 },
                took: if burst { 16.0 * 0.05 } else { 5.0 * 0.021 },
                would_take: if burst { 16.0 * 0.02 } else { 5.0 * 0.02 },
                line: if burst { Waiting::Now } else { Waiting::Not },
            };
            let limit = judge.limit(&window);
            assert!(limit.is_some_and(|limit| limit <= 40), "{limit:?} in round {round}");
        }
    }

    #[test]
    fn a_limit_so_high_that_nobody_waits_falls_again_once_all_are_late() {
        // Ten at once of 20 ms each, and 64 clients, after a limit was lifted.
        let mut judge = Judge { limit: Some(400), throughput: 500.0, ..Judge::default() };
        for round in 0..20_u32 {
            let at_work = judge.limit.unwrap_or(usize::MAX).min(64);
            let took = float(at_work as u64) / 500.0;
            judge.limit(&Window {
                now: Duration::from_millis(100 * u64::from(round)),
                passed: 0.1,
                // Of most of them no time is known: their bodies are on their way.
                answers: 5.0,
                lost: 0.0,
                untimed: 45.0,
                at_work: float(at_work as u64) * 5.0,
                took: took * 5.0,
                would_take: 0.1,
                line: if at_work < 64 { Waiting::Always } else { Waiting::Not },
            });
        }
        assert!(judge.limit.is_some_and(|limit| (10..=16).contains(&limit)), "{:?}", judge.limit);
    }

    #[test]
    fn what_is_lost_ends_a_floor_and_is_no_measure_of_throughput() {
        let mut judge = Judge {
            floor: 2_000,
            floor_until: Duration::from_mins(10),
            limit: Some(2_000),
            ..Judge::default()
        };
        for round in 0..5_u32 {
            judge.limit(&Window {
                now: Duration::from_secs(u64::from(round)),
                passed: 1.0,
                answers: 2.0,
                lost: 400.0,
                untimed: 0.0,
                at_work: 402.0 * 1_000.0,
                took: 402.0,
                would_take: 402.0 * 0.02,
                line: if round % 2 == 0 { Waiting::Now } else { Waiting::Not },
            });
            let limit = judge.limit;
            assert!(limit.is_some_and(|limit| limit <= 32), "{limit:?} in round {round}");
        }
        assert!(matches!(judge.doubt, Doubt::None), "{:?}", judge.doubt);
    }

    #[test]
    fn what_clients_do_not_wait_for_is_seen_as_late() {
        let meter = Meter::new(Opening::within(Duration::from_secs(5)));
        let sample = |took, at_work, answered, now| Sample {
            kind: Some(1),
            took: Duration::from_millis(took),
            at_work,
            alone: at_work == 1,
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
                alone: number == 0,
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
    fn when_nobody_waits_any_more_the_limit_goes() {
        let mut judge = Judge { limit: Some(3), throughput: 700.0, ..Judge::default() };
        let quiet = Window {
            now: Duration::from_secs(9),
            passed: 0.1,
            answers: 16.0,
            took: 0.03,
            would_take: 0.03,
            lost: 0.0,
            untimed: 0.0,
            at_work: 16.0,
            line: Waiting::Not,
        };
        let limits: Vec<_> = (0..CALM).map(|_| judge.limit(&quiet)).collect();
        assert_eq!(limits.last(), Some(&None));
    }
}
