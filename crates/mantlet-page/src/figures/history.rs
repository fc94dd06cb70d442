//! The figures of the last minutes.

use std::{collections::VecDeque, time::Duration};

use super::{latency::Latency, sample::Sample};

/// How often a sample is taken.
pub(crate) const EVERY: Duration = Duration::from_secs(2);
/// Samples that are kept: half an hour.
const MOST: usize = 900;

/// What is kept of a sample.
#[derive(Debug, Clone, Copy)]
struct Point {
    /// Seconds since 1970.
    at: i64,
    requests: u64,
    errors: u64,
    refused: u64,
    reported: u64,
    latency: Latency,
}

/// What happened between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) refused: u64,
    pub(crate) reported: u64,
    pub(crate) latency: Latency,
    /// Seconds that this is about.
    pub(crate) seconds: u64,
}

/// Samples, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct History {
    points: VecDeque<Point>,
    last: Sample,
}

impl History {
    pub(crate) fn push(&mut self, at: i64, sample: Sample) {
        // A clock that was set back ends what was before.
        if self.points.back().is_some_and(|last| last.at > at) {
            self.points.clear();
        }
        if self.points.len() >= MOST {
            self.points.pop_front();
        }
        let decided = sample.decided();
        self.points.push_back(Point {
            at,
            requests: sample.requests,
            errors: sample.errors,
            refused: decided.refused,
            reported: decided.reported,
            latency: sample.latency,
        });
        self.last = sample;
    }

    /// The last sample.
    pub(crate) const fn last(&self) -> &Sample {
        &self.last
    }

    /// When the last sample was taken.
    pub(crate) fn at(&self) -> Option<i64> {
        self.points.back().map(|point| point.at)
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
    // Less than before: the gate was restarted.
    let since = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
    Some(Column {
        requests: since(last.requests, first.requests),
        errors: since(last.errors, first.errors),
        refused: since(last.refused, first.refused),
        reported: since(last.reported, first.reported),
        latency: last.latency.since(&first.latency),
        seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn history_is_bounded() {
        let mut history = History::default();
        for at in 0..2_000 {
            history.push(at, sample(0));
        }
        assert_eq!(history.points.len(), MOST);
    }
}
