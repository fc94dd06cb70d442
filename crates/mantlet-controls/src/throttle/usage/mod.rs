//! Measures the usage of rules that only report, so that the operator can choose limits.
//!
//! Time is divided into windows. In each, a rule's keys are counted in a [`Table`] of 16 bytes a
//! key, as everything here is: without a lock, in a fixed amount of memory. Two tables take turns,
//! so that one can be read while the other is written. The reader turns the windows too; without a
//! reader nothing is counted.
//!
//! Limits should follow clients whose requests succeed. Clients that are mostly refused, by the app
//! or by the gate, are counted apart.

mod histogram;
mod summary;
mod tally;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use http::StatusCode;
use jiff::Timestamp;

pub use histogram::Histogram;
pub use summary::{Clients, Counts, Summary};

use self::tally::{PARTS, Tally};
use crate::throttle::{
    Key, RateText, RuleConfig,
    rate::{Rate, Table},
};
use crate::{Clock, Mode, Reason, audit::Record};

/// The shortest window and the longest. Between them it is the rule's own period, because a minute
/// says little about a rate of 5 an hour.
const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(1);
/// Per cent of an honest client's requests that may be refused.
const STRAY: u64 = 50;
/// The same for attempts: a user who succeeds at the fifth has only forgotten a password.
const MISTYPED: u64 = 80;

/// The rule whose usage is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    /// The name of the rule.
    pub(super) name: Arc<str>,
    pub(super) rate: Rate,
    /// Its key.
    pub(super) key: Vec<String>,
    pub(super) counts: Counts,
    /// The rule, if it is one of the configuration.
    pub(super) rule: Option<RuleConfig>,
}

impl Subject {
    /// The general rate.
    pub(super) fn of_clients(rate: Rate) -> Self {
        let key = vec!["ip".to_owned()];
        Self { name: "client".into(), rate, key, counts: Counts::Requests, rule: None }
    }

    /// A rule of the configuration.
    pub(super) fn of_rule(config: &RuleConfig, rate: Rate) -> Self {
        Self {
            name: config.name.as_str().into(),
            rate,
            key: config.key.clone(),
            counts: Counts::Requests,
            rule: Some(config.clone()),
        }
    }

    /// A limit of sensitive operations, by `ip` or by `account`.
    pub(super) fn of_limit(name: &str, rate: Rate, by: &str, counts: Counts) -> Self {
        Self { name: name.into(), rate, key: vec![by.to_owned()], counts, rule: None }
    }
}

/// The use of one rule.
#[derive(Debug)]
pub(super) struct Usage {
    subject: Subject,
    /// Whether its keys are addresses.
    by_address: bool,
    is_read: Arc<AtomicBool>,
    window: Duration,
    /// The number of the window: its parity says which of the two is written.
    turn: AtomicU64,
    /// When it began, in nanoseconds.
    began: AtomicU64,
    windows: [Window; 2],
}

#[derive(Debug)]
struct Window {
    table: Table,
    /// Requests over the rule's limit.
    refused: AtomicU64,
}

/// A window that is over and has not been read.
#[derive(Debug, Clone, Copy)]
struct Over {
    turn: u64,
    lasted: Duration,
}

impl Usage {
    fn new(subject: Subject, keys: usize, is_read: Arc<AtomicBool>, clock: Clock) -> Self {
        let window = || Window { table: Table::with_room_for(keys, clock), refused: AtomicU64::new(0) };
        Self {
            window: subject.rate.period().clamp(SHORTEST, LONGEST),
            by_address: subject.key == ["ip"],
            subject,
            is_read,
            turn: AtomicU64::new(0),
            began: AtomicU64::new(0),
            windows: [window(), window()],
        }
    }

    /// Whether its keys are addresses, which records name anyway.
    pub(super) const fn is_by_address(&self) -> bool {
        self.by_address
    }

    fn window(&self, turn: u64) -> &Window {
        let [even, odd] = &self.windows;
        if turn.is_multiple_of(2) { even } else { odd }
    }

    /// Nanoseconds, by the clock of the tables.
    fn now(&self) -> u64 {
        self.window(0).table.now()
    }

    /// Counts a request; returns the place of the count, for its response.
    fn count(&self, key: Key, is_over: bool, is_stray: bool) -> Option<(u64, u64)> {
        if !self.is_read.load(Relaxed) {
            return None;
        }
        let turn = self.turn.load(Relaxed);
        let part = u64::try_from(self.window.as_nanos()).unwrap_or(u64::MAX) / PARTS;
        let part = self.now().saturating_sub(self.began.load(Relaxed)) / part.max(1);
        let window = self.window(turn);
        let hash = window.table.key(key);
        window.table.change(hash, |value| {
            let tally = Tally(value).ask(part, is_over);
            Some(if is_stray { tally.turn_away() } else { tally }.0)
        });
        if is_over {
            window.refused.fetch_add(1, Relaxed);
        }
        Some((turn, hash))
    }

    /// Learns that a request was refused, if its window is not over.
    fn turn_away(&self, turn: u64, hash: u64) {
        let table = &self.window(turn).table;
        // A key that was forgotten meanwhile stays forgotten.
        if self.turn.load(Relaxed) == turn && table.value(hash) > 0 {
            table.change(hash, |value| Some(Tally(value).turn_away().0));
        }
    }

    fn lasted(&self) -> Duration {
        Duration::from_nanos(self.now().saturating_sub(self.began.load(Relaxed)))
    }

    /// Begins the next window.
    fn turn(&self) -> Over {
        let lasted = self.lasted();
        self.began.store(self.now(), Relaxed);
        Over { turn: self.turn.fetch_add(1, Relaxed), lasted }
    }

    /// Reads and empties a window that is over; none if it has no requests.
    fn read(&self, over: Over) -> Option<Used> {
        let Subject { name, rate, key, counts, rule } = &self.subject;
        let window = self.window(over.turn);
        let (mut legitimate, mut others) = (Clients::default(), Clients::default());
        let tolerated = match counts {
            Counts::Requests => STRAY,
            Counts::Failures => MISTYPED,
        };
        window.table.empty(|value| {
            let tally = Tally(value);
            if tally.asked() > 0 {
                let is_other = tally.is_mostly_turned_away(tolerated);
                (if is_other { &mut others } else { &mut legitimate }).add(*counts, tally);
            }
        });
        let refused = window.refused.swap(0, Relaxed);
        (legitimate.keys + others.keys > 0).then(|| Used {
            rule: Arc::clone(name),
            summary: Summary {
                window: self.window.as_secs(),
                seconds: over.lasted.as_secs() + u64::from(over.lasted.subsec_millis() >= 500),
                key: key.clone(),
                counts: *counts,
                rate: RateText::of(*rate),
                burst: rate.burst(),
                rule: rule.clone(),
                refused,
                legitimate,
                others,
            },
        })
    }
}

/// The usage of a rule in a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Used {
    /// Its name.
    pub rule: Arc<str>,
    /// How much.
    pub summary: Summary,
}

impl Used {
    /// For the audit log.
    pub fn record(self, time: Timestamp) -> Record {
        Record {
            security_event: "throttle-usage",
            action: "pass",
            mode: Mode::Report.as_str(),
            subject: Some(self.rule.as_ref().to_owned()),
            usage: serde_json::to_value(self.summary).ok(),
            ..Record::of_connection(None, Reason::RateLimited, time)
        }
    }
}

/// Where a request was counted; its response says whether it succeeded.
#[derive(Debug, Default)]
pub(crate) struct ReportedUse(Vec<(Arc<Usage>, u64, u64)>);

impl ReportedUse {
    /// Counts a request of a key.
    pub(super) fn count(&mut self, usage: &Arc<Usage>, key: Key, is_over: bool, is_stray: bool) {
        if let Some((turn, hash)) = usage.count(key, is_over, is_stray) {
            self.0.push((Arc::clone(usage), turn, hash));
        }
    }

    /// With those of a later stop.
    pub(crate) fn and(&mut self, mut later: Self) {
        self.0.append(&mut later.0);
    }

    /// Learns what the client was answered.
    pub(crate) fn answered(&self, status: StatusCode) {
        let is_failure = matches!(status.as_u16(), 400 | 401 | 403);
        let is_stray = is_failure || matches!(status.as_u16(), 404 | 405 | 422 | 429);
        for (usage, turn, hash) in &self.0 {
            if is_failure || is_stray && usage.subject.counts == Counts::Requests {
                usage.turn_away(*turn, *hash);
            }
        }
    }
}

/// The use of all rules. It outlives the policy, as what rules remember does.
#[derive(Debug, Clone, Default)]
pub struct Usages {
    is_read: Arc<AtomicBool>,
    all: Arc<Mutex<Vec<Kept>>>,
}

#[derive(Debug)]
struct Kept {
    usage: Arc<Usage>,
    over: Option<Over>,
}

impl Usages {
    /// The use of a rule: what was begun, or something new if the rule is another one by now.
    pub(super) fn of(&self, subject: Subject, keys: usize, clock: Clock) -> Arc<Usage> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.iter().find(|kept| kept.usage.subject == subject) {
            return Arc::clone(&known.usage);
        }
        let usage = Arc::new(Usage::new(subject, keys, Arc::clone(&self.is_read), clock));
        all.push(Kept { usage: Arc::clone(&usage), over: None });
        usage
    }

    /// Counts from now on: [`Self::read`] is called about once a second.
    pub fn begin(&self) {
        self.is_read.store(true, Relaxed);
    }

    /// The usage in windows that have ended since. A window is read one call after its end, when it
    /// is not written to any more. At the end of the process, unfinished windows are included.
    pub fn read(&self, is_end: bool) -> Vec<Used> {
        let mut used = Vec::new();
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain_mut(|kept| {
            let usage = &kept.usage;
            // Of a policy that is no longer in force.
            let is_left = Arc::strong_count(usage) == 1;
            if let Some(over) = kept.over.take() {
                used.extend(usage.read(over));
            } else if !is_left && usage.lasted() >= usage.window {
                kept.over = Some(usage.turn());
            }
            if is_left || is_end {
                used.extend(kept.over.take().and_then(|over| usage.read(over)));
                used.extend(usage.read(usage.turn()));
            }
            !is_left
        });
        used
    }
}

#[cfg(test)]
mod tests;
