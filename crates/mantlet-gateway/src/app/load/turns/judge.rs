//! Decides how many requests an app gets at once, from what was measured in a window.
//!
//! The number that keeps the app busy without a wait follows from two times: the present number,
//! times the time alone, divided by the time beside others (the gradient of Netflix's
//! concurrency-limits, after TCP Vegas).
//!
//! Times of an app differ for other reasons too. So a limit is set only if requests take twice as
//! long as alone, and long enough to be noticed. A limit that turns out to cost throughput is
//! doubled, and for a while it does not fall below that.

use std::time::Duration;

/// A window has at least so many responses, and is at most so long if possible.
pub(super) const ANSWERS: u64 = 32;
pub(super) const LONGEST: Duration = Duration::from_secs(1);
/// Seconds that do no harm.
pub(super) const UNNOTICED: f64 = 0.005;
/// A response that takes this many times as long as alone is late.
pub(super) const LATE: u64 = 2;
/// Seconds that the app may take without being late: enough for one thread to stay busy.
const SHORTEST: f64 = 0.002;
/// If throughput falls below this share of its former value, the limit may have cost it.
const SUSPECT: f64 = 0.8;
/// So many windows in a row with less are chance, and change nothing.
const SUSPICIONS: u32 = 2;
/// How often it must be less with a limit than with twice that limit. Of windows with 32 responses,
/// about one in thirty differs by a fifth by chance.
const TESTS: u32 = 2;
/// For so long after a limit that cost throughput, no limit is as low. The time doubles with each
/// further one, up to the second value.
pub(super) const FLOOR_LASTS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(5));
/// The app gets this much more than it works on, so that it has the next request while a response
/// is on its way. More inside it would make all requests wait.
const AHEAD: f64 = 1.25;
/// Of many at once one is always about to end, so less is enough.
const MANY: f64 = 8.0;
const AHEAD_OF_MANY: f64 = 1.1;
/// The fewest requests that a quick app gets at once. If requests take longer than [`UNNOTICED`],
/// that hides the moment until the next one comes.
const FEWEST: usize = 2;
/// Windows without a waiting request after which there is no limit any more.
const CALM: u32 = 20;

/// Whether requests wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// None does.
    Not,
    /// Some do, but a moment ago none did, so the responses meanwhile show the demand, not the
    /// app's capacity.
    Now,
    /// Some waited all the time.
    Always,
}

/// The measurements of a window; times in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) now: Duration,
    pub(super) passed: f64,
    pub(super) answers: f64,
    /// Requests whose clients left because the response came too late.
    pub(super) lost: f64,
    /// Responses whose time is not known.
    pub(super) untimed: f64,
    /// The number of requests at the app, added up over the other responses.
    pub(super) at_work: f64,
    pub(super) took: f64,
    pub(super) would_take: f64,
    pub(super) line: Waiting,
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
pub(super) struct Judge {
    pub(super) limit: Option<usize>,
    /// Responses a second that the app is known to manage.
    pub(super) throughput: f64,
    /// Windows in a row with less than that; in a test, windows that said nothing of it.
    suspicions: u32,
    doubt: Doubt,
    calm: u32,
    /// Until then the limit is not lower than this, because a lower one has cost throughput.
    floor: usize,
    floor_until: Duration,
    /// How long the next one lasts.
    floor_lasts: Duration,
}

impl Default for Judge {
    fn default() -> Self {
        Self {
            limit: None,
            throughput: 0.0,
            suspicions: 0,
            doubt: Doubt::None,
            calm: 0,
            floor_lasts: FLOOR_LASTS.0,
            floor: 1,
            floor_until: Duration::ZERO,
        }
    }
}

impl Judge {
    /// The limit after a window.
    pub(super) fn decide(&mut self, window: &Window) -> Option<usize> {
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
        (self.floor, self.floor_until) = (floor, now + self.floor_lasts);
        self.floor_lasts = (self.floor_lasts * 2).min(FLOOR_LASTS.1);
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

pub(super) fn float(count: u64) -> f64 {
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
                limits.push(judge.decide(&Window {
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
            let limit = judge.decide(&window);
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
            judge.decide(&Window {
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
            judge.decide(&Window {
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
        let limits: Vec<_> = (0..CALM).map(|_| judge.decide(&quiet)).collect();
        assert_eq!(limits.last(), Some(&None));
    }
}
