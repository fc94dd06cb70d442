//! Where several gates count together.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::throttle::{
    quotas::{QuotaCharge, QuotaDecision, QuotaRequest, QuotaUse},
    rate::{Decision, Rate},
};

/// A key of a rule, the same on every machine: an address, or a hash of the key parts.
pub type Key = [u8; 16];

/// A request to count.
#[derive(Debug, Clone)]
pub struct RateRequest<'r> {
    /// The name of the rule.
    pub rule: &'r str,
    /// The key.
    pub key: Key,
    /// The rule's rate.
    pub rate: Rate,
}

/// An attempt on a sensitive operation.
#[derive(Debug, Clone)]
pub struct AttemptRequest<'r> {
    /// The purpose, such as `login`: accounts are remembered for each purpose apart.
    pub purpose: &'r str,
    /// The counters besides those of the accounts.
    pub takes: Vec<RateRequest<'r>>,
    /// The accounts that it names.
    pub accounts: Vec<Account<'r>>,
}

/// An account, with the counters of attempts on it.
#[derive(Debug, Clone)]
pub struct Account<'r> {
    /// The name of the rule.
    pub rule: &'r str,
    /// The rule's rate.
    pub rate: Rate,
    /// The account, for strangers to it.
    pub stranger: Key,
    /// The account and the address: it is counted by itself if a client has logged in to the
    /// account from there.
    pub pair: Key,
    /// The keys that count these two for the operation.
    pub counted: [Key; 2],
}

/// A store's response about an attempt.
#[derive(Debug, Clone)]
pub struct AttemptDecision {
    /// The state of each account.
    pub accounts: Vec<AccountState>,
    /// The decision of each counter; those of accounts are last. The attempt is counted by all of
    /// them, or by none if one or a delay refuses it.
    pub decisions: Vec<Decision>,
}

/// The state of an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccountState {
    /// Whether a login to it from this address has succeeded lately.
    pub is_known: bool,
    /// How long it must wait.
    pub delay: Option<Duration>,
}

impl AttemptDecision {
    /// Whether it may be tried; then it has been counted.
    pub fn passes(&self) -> bool {
        self.accounts.iter().all(|account| account.delay.is_none())
            && self.decisions.iter().all(|decision| decision.wait.is_none())
    }
}

/// The outcome of an attempt.
#[derive(Debug, Clone)]
pub enum AttemptOutcome {
    /// It was not a failure: the count is given back.
    GiveBack(Vec<(Arc<str>, Key, Rate)>),
    /// It has failed; the account, as it was counted.
    Failed(Key),
    /// A client has logged in to an account.
    Succeeded {
        /// The account, as it was counted.
        counted: Key,
        /// The account.
        account: Key,
        /// The account and the address.
        pair: Key,
    },
}

/// Counters that are shared. Nothing here may take longer than some tens of milliseconds; `None`
/// means that the store does not respond. Every call is one round trip.
pub trait Store: Send + Sync {
    /// Connects a thread of the gate in advance, so that no request waits for that and errors show
    /// at once.
    fn connect(&self);

    /// Whether it responded when it was last asked.
    fn is_up(&self) -> bool;

    /// Counts requests, each by itself.
    fn take<'a>(&'a self, takes: &'a [RateRequest<'a>]) -> BoxFuture<'a, Option<Vec<Decision>>>;

    /// Counts an attempt.
    fn attempt<'a>(&'a self, asked: &'a AttemptRequest<'a>) -> BoxFuture<'a, Option<AttemptDecision>>;

    /// Learns the outcome of an attempt for a purpose; no request waits for it.
    fn learn(&self, purpose: Arc<str>, outcome: AttemptOutcome);

    /// Counts a request for quotas: for all of them or for none.
    fn count<'a>(&'a self, spends: &'a [QuotaRequest<'a>]) -> BoxFuture<'a, Option<Vec<QuotaDecision>>>;

    /// Takes back counts of quotas; no request waits for it.
    fn uncount(&self, spent: Vec<QuotaCharge>);

    /// The usage of all keys of a quota. It may take its time, because the operator waits for it.
    fn holders<'a>(&'a self, quota: &'a str) -> BoxFuture<'a, Option<Vec<QuotaUse>>>;

    /// The usage of one key of a quota, if it is known.
    fn holder<'a>(&'a self, quota: &'a str, key: Key) -> BoxFuture<'a, Option<Option<QuotaUse>>>;

    /// Forgets the usage of a key; returns whether it was known.
    fn reset<'a>(&'a self, quota: &'a str, key: Key) -> BoxFuture<'a, Option<bool>>;
}

/// What a rule does while the store does not respond.
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
