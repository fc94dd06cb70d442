//! The summary of a window: numbers of keys, never a key.

use serde::{Deserialize, Serialize};

use super::{
    super::{RateText, RuleConfig},
    histogram::Histogram,
    tally::Tally,
};

/// The usage of a rule in one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The length of a window, in seconds.
    pub window: u64,
    /// How long this one lasted, in seconds: less at the end of the process.
    pub seconds: u64,
    /// The key of the rule: as in the configuration, or `account`.
    pub key: Vec<String>,
    /// Whether it counts requests or failures.
    pub counts: Counts,
    /// The rate that it has.
    pub rate: RateText,
    /// The burst that it has.
    pub burst: u32,
    /// The rule, if it is one of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleConfig>,
    /// Requests that it would have refused.
    pub refused: u64,
    /// Keys whose requests mostly succeeded.
    pub legitimate: Clients,
    /// The others: scanners, password guessing, and neighbours that seem to be proxies.
    pub others: Clients,
}

/// What a rule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counts {
    /// Every request.
    Requests,
    /// Attempts that the app refuses.
    Failures,
}

/// Keys of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clients {
    /// How many.
    pub keys: u64,
    /// Those of which the rule would have refused something.
    pub refused: u64,
    /// The most that one of them has asked (or failed).
    pub most: u64,
    /// The most that one of them has asked in a sixtieth of the window.
    pub peak: u64,
    /// Keys by what they have asked (or how often they failed).
    pub requests: Histogram,
    /// Keys by what they have asked in their busiest sixtieth of the window.
    pub peaks: Histogram,
}

impl Clients {
    pub(super) fn add(&mut self, counts: Counts, tally: Tally) {
        let number = match counts {
            Counts::Requests => tally.asked(),
            Counts::Failures => tally.turned_away(),
        };
        self.keys += 1;
        self.refused += u64::from(tally.is_over());
        self.most = self.most.max(number);
        self.peak = self.peak.max(tally.peak());
        self.requests.add(number);
        self.peaks.add(tally.peak());
    }

    /// All that others have asked besides.
    pub fn merge(&mut self, other: &Self) {
        self.keys = self.keys.saturating_add(other.keys);
        self.refused = self.refused.saturating_add(other.refused);
        self.most = self.most.max(other.most);
        self.peak = self.peak.max(other.peak);
        self.requests.merge(&other.requests);
        self.peaks.merge(&other.peaks);
    }
}
