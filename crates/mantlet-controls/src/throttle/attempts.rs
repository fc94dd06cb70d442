//! Attempts that may fail: what a wrong password costs.
//!
//! Failures are counted for the address, and for the account that the request names. A failed attempt on an account makes the next one wait,
//! each time twice as long. A lock-out must not become a weapon: where somebody has logged in to an account before, that address is counted for
//! itself, so that whoever guesses from elsewhere cannot keep its owner out. From an address that is new to the account, its owner
//! has to wait as a stranger has to.

use std::{sync::Arc, time::Duration};

use super::{Key, table::Table};

/// Failures of an account that cost nothing yet: people mistype.
const FREE: u64 = 3;
/// The first delay; each further failure doubles it.
const FIRST: Duration = Duration::from_secs(1);
/// The longest.
pub const LONGEST: Duration = Duration::from_mins(15);
/// How long an address stays known to an account.
pub const KNOWN: Duration = Duration::from_hours(30 * 24);

/// What is remembered of attempts of one kind, on this machine.
#[derive(Debug, Clone)]
pub(super) struct Attempts {
    /// What kind that is.
    pub(super) purpose: Arc<str>,
    /// When an account may be tried again, and how often it was in vain: milliseconds, then eight bits.
    pub(super) delays: Arc<Table>,
    /// When an account was last logged in to from an address.
    pub(super) known: Arc<Table>,
}

impl Attempts {
    /// Whether somebody has logged in to an account from an address.
    pub(super) fn knows(&self, pair: Key) -> bool {
        let since = self.known.value(self.known.key(pair));
        since > 0 && self.known.now().saturating_sub(since) < nanos(KNOWN)
    }

    /// How long an account must not be tried.
    pub(super) fn delay(&self, account: Key) -> Option<Duration> {
        let until = self.delays.value(self.delays.key(account)) >> 8;
        let now = self.delays.now() / 1_000_000;
        (until > now).then(|| Duration::from_millis(until - now))
    }

    pub(super) fn failed(&self, account: Key) {
        let now = self.delays.now() / 1_000_000;
        self.delays.change(self.delays.key(account), |value| {
            let (until, count) = (value >> 8, value & 0xff);
            // Long after the last one, it begins anew.
            let is_old = now > until + millis(LONGEST);
            let count = if is_old { 1 } else { (count + 1).min(0xff) };
            Some((now + millis(delay_after(count))) << 8 | count)
        });
    }

    pub(super) fn succeeded(&self, account: Key, pair: Key) {
        self.delays.change(self.delays.key(account), |_| Some(0));
        let now = self.known.now().max(1);
        self.known.change(self.known.key(pair), |_| Some(now));
    }
}

/// How long an account must wait after so many failures in a row.
pub fn delay_after(failures: u64) -> Duration {
    failures
        .checked_sub(FREE + 1)
        .map_or(Duration::ZERO, |doubled| (FIRST * (1 << doubled.min(20))).min(LONGEST))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX >> 9)
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
