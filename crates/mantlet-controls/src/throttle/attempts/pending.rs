//! An attempt that is about to be counted.

use std::{sync::Arc, time::Duration};

use crate::{
    Mode,
    throttle::{
        Key, Store,
        attempts::{Attempt, Certainty, Counted, Remembered, attempt::NamedAccount},
        key,
        rate::Table,
        store::{Account, AccountState, AttemptDecision, AttemptRequest, RateRequest},
        take_here,
    },
};

/// An attempt that is about to be counted.
pub(in crate::throttle) struct PendingAttempt<'p> {
    pub(super) remembered: &'p Remembered,
    pub(super) mode: Mode,
    pub(super) certainty: Certainty,
    /// Which operation it is.
    pub(super) operation: Key,
    pub(super) template: &'p str,
    pub(super) method: &'p str,
    pub(super) address: Option<Key>,
    /// The accounts, for strangers and for those at this address.
    pub(super) accounts: Vec<(Key, Key)>,
    /// It has brought the answer to a puzzle.
    pub(super) is_answered: bool,
    /// Where it is remembered that the operation has answered 401, if it has not yet.
    pub(super) unproven: Option<&'p Arc<Table>>,
}

impl PendingAttempt<'_> {
    pub(in crate::throttle) async fn ask(&self, store: Option<&Arc<dyn Store>>) -> AttemptDecision {
        let Some(store) = store else { return self.ask_here() };
        let takes = self.beside_accounts().map(|(counted, key)| RateRequest {
            rule: &counted.counter.name,
            key: counted.key(self.operation, key),
            rate: counted.counter.rate,
        });
        let by_account = self.remembered.by_account.as_ref().filter(|_| !self.is_answered);
        let accounts = by_account.into_iter().flat_map(|counted| {
            self.accounts.iter().map(|(stranger, pair)| Account {
                rule: &counted.counter.name,
                rate: counted.counter.rate,
                stranger: *stranger,
                pair: *pair,
                counted: [*stranger, *pair].map(|key| counted.key(self.operation, key)),
            })
        });
        let asked = AttemptRequest {
            purpose: &self.remembered.attempts.purpose,
            takes: takes.collect(),
            accounts: accounts.collect(),
        };
        store.attempt(&asked).await.unwrap_or_else(|| self.ask_here())
    }

    /// Counts on this machine.
    fn ask_here(&self) -> AttemptDecision {
        let attempts = &self.remembered.attempts;
        // An answer lifts the limit and the delays of the accounts.
        let counted = if self.is_answered { &[][..] } else { &*self.accounts };
        let accounts = counted.iter().map(|(stranger, pair)| {
            let is_known = attempts.knows(*stranger, *pair);
            let delay = attempts.delay(if is_known { *pair } else { *stranger });
            AccountState { is_known, delay }
        });
        let accounts: Vec<_> = accounts.collect();
        let counters: Vec<_> = self.counters(&accounts).collect();
        let take =
            |(counted, key): &(&Counted, Key)| take_here(&counted.counter, counted.key(self.operation, *key));
        let decisions: Vec<_> = counters.iter().map(take).collect();
        let tried = AttemptDecision { accounts, decisions };
        if !tried.passes() {
            for ((counted, key), decision) in counters.into_iter().zip(&tried.decisions) {
                if decision.wait.is_none() {
                    counted.counter.give_back(counted.key(self.operation, key));
                }
            }
        }
        tried
    }

    /// The counters in the order in which the store gets them, with their keys.
    pub(super) fn counters<'c>(&'c self, known: &[AccountState]) -> impl Iterator<Item = (&'c Counted, Key)> {
        self.beside_accounts().chain(self.of_accounts(known).map(|(counted, key, _)| (counted, key)))
    }

    /// Those of the address, and of answers to puzzles.
    fn beside_accounts(&self) -> impl Iterator<Item = (&Counted, Key)> {
        let of_address = self.address.map(|key| (&self.remembered.by_address, key));
        let by_answered = self.remembered.by_answered.as_ref().filter(|_| self.is_answered);
        let of_answers = by_answered
            .into_iter()
            .flat_map(|counted| self.accounts.iter().map(move |(key, _)| (counted, *key)));
        of_address.into_iter().chain(of_answers)
    }

    /// Those of accounts, with the delay of each.
    pub(super) fn of_accounts<'c>(
        &'c self,
        known: &[AccountState],
    ) -> impl Iterator<Item = (&'c Counted, Key, Option<Duration>)> {
        let by_account = self.remembered.by_account.as_ref();
        let accounts = self.account_keys(known).zip(known);
        accounts.filter_map(move |(key, account)| Some((by_account?, key, account.delay)))
    }

    /// Whether nothing is counted yet.
    pub(in crate::throttle) const fn is_watched(&self) -> bool {
        self.unproven.is_some()
    }

    /// The attempt of an operation that is only watched.
    pub(in crate::throttle) fn watched(&self) -> Option<Attempt> {
        self.unproven.map(|proven| Attempt {
            attempts: self.remembered.attempts.clone(),
            store: None,
            certainty: self.certainty,
            learns: Some((Arc::clone(proven), self.operation)),
            counted: Vec::new(),
            accounts: Vec::new(),
        })
    }

    /// The accounts, for what the response decides.
    pub(super) fn named(&self, known: &[AccountState]) -> impl Iterator<Item = NamedAccount> {
        let states = known.iter().map(Some).chain(std::iter::repeat(None));
        self.accounts.iter().zip(states).map(|(&(stranger, pair), state)| match state {
            Some(AccountState { is_known: true, .. }) => {
                NamedAccount { account: pair, freed: pair, stranger, pair }
            }
            Some(_) => NamedAccount { account: stranger, freed: stranger, stranger, pair },
            // With an answer it counts as a stranger's. If it succeeds, strangers still have to wait.
            None => NamedAccount { account: stranger, freed: pair, stranger, pair },
        })
    }

    /// Whether the accounts that a login names are all that refuses it, and the answer to a puzzle could
    /// let it pass.
    pub(in crate::throttle) fn is_kept_out_by_account(&self, tried: &AttemptDecision) -> bool {
        let Some(answers) = self.remembered.by_answered.as_ref().filter(|_| self.mode == Mode::Enforce)
        else {
            return false;
        };
        let beside = self.beside_accounts().count();
        let has_left = |(stranger, _): &(Key, Key)| {
            let table = &answers.counter.table;
            table.would_pass(table.key(*stranger), &answers.counter.rate)
        };
        !tried.passes()
            && tried.decisions.iter().take(beside).all(|decision| decision.wait.is_none())
            && self.accounts.iter().all(has_left)
    }

    /// The same attempt, with the answer to a puzzle.
    pub(in crate::throttle) fn answered(mut self) -> Self {
        self.is_answered = true;
        self
    }

    /// Where the answer to a puzzle is good: for these accounts alone.
    pub(in crate::throttle) fn flow(&self) -> String {
        let mut accounts: Vec<_> = self.accounts.iter().map(|(stranger, _)| &stranger[..]).collect();
        accounts.sort_unstable();
        let hash = u128::from_be_bytes(key::hashed(accounts.into_iter()));
        format!("{}-{hash:032x}", self.remembered.purpose.name())
    }

    /// The accounts, as they are counted.
    fn account_keys(&self, known: &[AccountState]) -> impl Iterator<Item = Key> {
        let accounts = self.accounts.iter().zip(known);
        accounts.map(|((stranger, pair), account)| if account.is_known { *pair } else { *stranger })
    }
}
