//! The figures of the last minutes.

use std::{collections::VecDeque, time::Duration};

use super::{latency::Latency, sample::Sample};

/// How often a sample is taken.
pub(crate) const EVERY: Duration = Duration::from_secs(2);
/// Samples that are kept: half an hour.
const MOST: usize = 900;
/// Seconds for which a sample says how the app is: three times the time between samples.
const FRESH: i64 = 6;

/// A moment, with what has happened up to it since the first one.
#[derive(Debug, Clone, Copy)]
struct Point {
    /// Seconds since 1970.
    at: i64,
    so_far: Counts,
}

/// What only grows, until the gate is started again.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    requests: u64,
    errors: u64,
    refused: u64,
    connections: u64,
    reported: u64,
    records: u64,
    latency: Latency,
}

impl Counts {
    fn of(sample: &Sample) -> Self {
        let decided = sample.decided();
        Self {
            requests: sample.requests,
            errors: sample.errors,
            refused: decided.refused,
            connections: sample.refused_connections(),
            reported: decided.reported,
            records: sample.records.unwrap_or_default(),
            latency: sample.latency,
        }
    }

    const fn each(&self) -> [u64; 6] {
        [self.requests, self.errors, self.refused, self.connections, self.reported, self.records]
    }

    /// What has come since. If one count is less than before, the gate was started again, and all count anew.
    fn since(&self, before: &Self) -> Self {
        let is_less = self.each().iter().zip(before.each()).any(|(now, before)| *now < before);
        if is_less || self.latency.is_less(&before.latency) {
            return *self;
        }
        Self {
            requests: self.requests - before.requests,
            errors: self.errors - before.errors,
            refused: self.refused - before.refused,
            connections: self.connections - before.connections,
            reported: self.reported - before.reported,
            records: self.records - before.records,
            latency: self.latency.since(&before.latency),
        }
    }

    fn add(&mut self, more: &Self) {
        self.requests += more.requests;
        self.errors += more.errors;
        self.refused += more.refused;
        self.connections += more.connections;
        self.reported += more.reported;
        self.records += more.records;
        self.latency.add(&more.latency);
    }
}

/// What happened between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    /// Requests that were refused.
    pub(crate) refused: u64,
    /// Connections that were refused before there was a request.
    pub(crate) connections: u64,
    pub(crate) reported: u64,
    pub(crate) latency: Latency,
    /// Seconds that this is about.
    pub(crate) seconds: u64,
}

/// Samples, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct History {
    points: VecDeque<Point>,
    /// What the gate has counted at the last sample, since it was started.
    counted: Counts,
    last: Sample,
    /// The last attempt to take a sample has failed.
    is_lost: bool,
}

impl History {
    pub(crate) fn push(&mut self, at: i64, sample: Sample) {
        // A clock that was set back ends what was before.
        if self.points.back().is_some_and(|last| last.at > at) {
            self.points.clear();
        }
        let counted = Counts::of(&sample);
        // Between neighbours a restart is seen, also if the counts have grown beyond the former ones since.
        let mut so_far = self.points.back().map_or_else(Counts::default, |last| last.so_far);
        if !self.points.is_empty() {
            so_far.add(&counted.since(&self.counted));
        }
        if self.points.len() >= MOST {
            self.points.pop_front();
        }
        self.points.push_back(Point { at, so_far });
        self.counted = counted;
        self.last = sample;
        self.is_lost = false;
    }

    /// The gate does not answer: nothing is known of this moment. What was before stays, for when it does.
    pub(crate) fn lose(&mut self) {
        self.last = Sample::default();
        self.is_lost = true;
    }

    /// Whether the app answers; none if that is not known now.
    pub(crate) fn is_up(&self, now: i64) -> Option<bool> {
        self.at().filter(|at| now - at <= FRESH).and(self.last.is_up)
    }

    /// The last sample; one that says nothing, if the last attempt has failed.
    pub(crate) const fn last(&self) -> &Sample {
        &self.last
    }

    /// When the last sample was taken; none if an attempt after it has failed.
    pub(crate) fn at(&self) -> Option<i64> {
        self.points.back().filter(|_| !self.is_lost).map(|point| point.at)
    }

    /// What has happened in the last so many seconds, as far as it is known.
    pub(crate) fn recent(&self, seconds: i64) -> Option<Column> {
        let last = self.points.back()?;
        let first = self.points.iter().find(|point| point.at >= last.at - seconds)?;
        between(first, last)
    }

    /// The last columns of so many seconds each, the oldest first; none where nothing is known.
    pub(crate) fn columns(&self, count: usize, seconds: i64) -> Vec<Option<Column>> {
        let Some(last) = self.points.back() else { return vec![None; count] };
        // Columns stand still: each begins at a multiple of its length.
        let end = (last.at.div_euclid(seconds) + 1) * seconds;
        let before = |time: i64| self.points.iter().rev().find(|point| point.at < time);
        let back = (1..=count).rev().map(|back| end - i64::try_from(back).unwrap_or_default() * seconds);
        back.map(|from| {
            let last = before(from + seconds)?;
            let first = before(from).or_else(|| self.points.front())?;
            between(first, last)
        })
        .collect()
    }
}

/// None if no time has passed.
fn between(first: &Point, last: &Point) -> Option<Column> {
    let seconds = u64::try_from(last.at - first.at).ok().filter(|seconds| *seconds > 0)?;
    let counts = last.so_far.since(&first.so_far);
    Some(Column {
        requests: counts.requests,
        errors: counts.errors,
        refused: counts.refused,
        connections: counts.connections,
        reported: counts.reported,
        latency: counts.latency,
        seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample::Decided;

    fn sample(requests: u64) -> Sample {
        Sample { requests, ..Sample::default() }
    }

    #[test]
    fn columns_add_up_to_what_happened() {
        let mut history = History::default();
        assert_eq!(history.columns(2, 10), [None, None]);
        for (at, requests) in [(100, 5), (104, 7), (108, 9), (112, 20), (118, 21)] {
            history.push(at, sample(requests));
        }
        let columns = history.columns(4, 10);
        let requests: Vec<_> = columns.iter().map(|column| column.map(|column| column.requests)).collect();
        assert_eq!(requests, [None, None, Some(4), Some(12)]);
        let recent = history.recent(10).unwrap();
        assert_eq!((recent.requests, recent.seconds), (12, 10));
    }

    #[test]
    fn a_restart_and_a_clock_that_is_set_back_show_no_negative_numbers() {
        let mut history = History::default();
        history.push(100, sample(50));
        history.push(102, sample(3));
        assert_eq!(history.recent(60).unwrap().requests, 3);
        history.push(90, sample(4));
        assert_eq!((history.at(), history.recent(60)), (Some(90), None));
    }

    #[test]
    fn after_a_restart_what_was_before_it_counts_too() {
        let with = |requests: u64, refused: u64| {
            let mut sample = sample(requests);
            sample.latency.0[0] = requests;
            sample.decided.insert("rate-limited".to_owned(), Decided { refused, ..Decided::default() });
            sample
        };
        let mut history = History::default();
        for (at, requests, refused) in
            // The gate is started again between 104 and 106, and has more requests after that than before.
            [
                (100, 1_000, 10),
                (102, 1_050, 20),
                (104, 1_100, 30),
                (106, 20, 1),
                (108, 1_500, 2),
                (110, 1_600, 3),
            ]
        {
            history.push(at, with(requests, refused));
        }
        let recent = history.recent(300).unwrap();
        assert_eq!((recent.requests, recent.refused, recent.latency.all()), (1_700, 23, 1_700));
        // One count that falls says it of all of them.
        history.push(112, with(1_700, 1));
        assert_eq!(history.recent(2).unwrap().requests, 1_700);
    }

    #[test]
    fn after_a_failure_nothing_is_known_until_the_next_sample() {
        let mut history = History::default();
        let up = |requests| Sample { is_up: Some(true), ..sample(requests) };
        history.push(100, up(5));
        assert_eq!((history.is_up(106), history.is_up(107)), (Some(true), None));
        history.lose();
        assert_eq!((history.at(), history.is_up(100), history.last().requests), (None, None, 0));
        history.push(110, up(9));
        assert_eq!((history.is_up(110), history.recent(60).unwrap().requests), (Some(true), 4));
    }

    #[test]
    fn history_is_bounded() {
        let mut history = History::default();
        for at in 0..2_000 {
            history.push(at, sample(0));
        }
        assert_eq!(history.points.len(), MOST);
    }
}
