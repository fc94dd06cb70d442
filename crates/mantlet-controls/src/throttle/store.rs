//! Where several gates count together.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::gcra::{Decision, Rate};

/// A key of a rule, the same on every machine: an address, or a hash of what the rule counts by.
pub type Key = [u8; 16];

/// What is counted.
#[derive(Debug, Clone)]
pub struct Take<'r> {
    /// The name of the rule.
    pub rule: &'r str,
    /// The key.
    pub key: Key,
    /// The rule's rate.
    pub rate: Rate,
}

/// What has become of an attempt.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It was no failure: what was counted is given back.
    GiveBack(Vec<(Box<str>, Key, Rate)>),
    /// An attempt on an account has failed.
    Failed(Key),
    /// An account was logged in to, from an address.
    Succeeded {
        /// The account.
        account: Key,
        /// The account and the address.
        pair: Key,
    },
}

/// Counters that are shared. Nothing here may take longer than some tens of milliseconds; none stands for a store that does not answer.
pub trait Store: Send + Sync {
    /// Counts requests, all or none of them answered.
    fn take<'a>(&'a self, takes: &'a [Take<'a>]) -> BoxFuture<'a, Option<Vec<Decision>>>;

    /// Whether somebody has logged in to an account from an address, lately.
    fn knows(&self, pair: Key) -> BoxFuture<'_, Option<bool>>;

    /// How long an account must not be tried.
    fn delay(&self, account: Key) -> BoxFuture<'_, Option<Option<Duration>>>;

    /// Learns what has become of an attempt; nobody waits for it.
    fn learn(&self, outcome: Outcome);
}

/// What a rule does while the store does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fail {
    /// It counts on this machine alone.
    #[default]
    Local,
    /// Everything passes.
    Open,
    /// Nothing passes.
    Closed,
}
