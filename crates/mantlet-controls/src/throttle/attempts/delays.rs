//! Delays after failed attempts, such as a wrong password.
//!
//! Failures are counted for the address, and for the account that the request names. A failed
//! attempt on an account makes the next one wait, each time twice as long. A lock-out must not
//! become a weapon: an address from which a client has logged in to the account before is counted
//! by itself, so that an attacker who guesses from elsewhere cannot keep the owner out. At an
//! address that is new to the account, the owner solves a puzzle (`challenge`) or waits.

use std::{sync::Arc, time::Duration};

use crate::throttle::{Key, rate::Table};

/// Failures of an account without a delay: people mistype.
const FREE: u64 = 3;
/// The first delay; each further failure doubles it.
const FIRST: Duration = Duration::from_secs(1);
/// The longest.
pub const LONGEST: Duration = Duration::from_mins(15);
/// Addresses that an account may be known from, at most; a power of two.
pub const PLACES: u64 = 32;
/// How long an address stays known to an account.
pub const KNOWN: Duration = Duration::from_hours(30 * 24);

/// The state of attempts of one kind, on this machine.
#[derive(Debug, Clone)]
pub(in crate::throttle) struct Attempts {
    /// The kind.
    pub(in crate::throttle) purpose: Arc<str>,
    /// When an account may be tried again, and its failures so far: milliseconds, then eight bits.
    pub(in crate::throttle) delays: Arc<Table>,
    /// When an account was last logged in to from an address: seconds, then some bits of the address' hash.
    pub(in crate::throttle) known: Arc<Table>,
}

impl Attempts {
    /// Whether a client has logged in to an account from an address.
    pub(in crate::throttle) fn knows(&self, account: Key, pair: Key) -> bool {
        let (place, print) = self.place(account, pair);
        let value = self.known.value(place);
        value & u64::from(u32::MAX) == print && self.seconds().saturating_sub(value >> 32) < KNOWN.as_secs()
    }

    /// Where an address of an account is remembered, and the bits by which it is recognised. An
    /// account has a fixed number of places. Otherwise an attacker with one account could log in
    /// from many addresses and make the gate forget those of all others.
    fn place(&self, account: Key, pair: Key) -> (u64, u64) {
        let hash = self.known.key(pair);
        (self.known.key((account, hash >> 32 & (PLACES - 1))), hash & u64::from(u32::MAX))
    }

    /// Since the table was made; a new one is a moment old.
    fn seconds(&self) -> u64 {
        self.known.now() / 1_000_000_000 + 1
    }

    /// How long an account must wait.
    pub(in crate::throttle) fn delay(&self, account: Key) -> Option<Duration> {
        let until = self.delays.value(self.delays.key(account)) >> 8;
        let now = self.delays.now() / 1_000_000;
        (until > now).then(|| Duration::from_millis(until - now))
    }

    pub(in crate::throttle) fn failed(&self, account: Key) {
        let now = self.delays.now() / 1_000_000;
        self.delays.change(self.delays.key(account), |value| {
            let (until, count) = (value >> 8, value & 0xff);
            // Long after the last failure, the count starts again.
            let is_old = now > until + millis(LONGEST);
            let count = if is_old { 1 } else { (count + 1).min(0xff) };
            Some((now + millis(delay_after(count))) << 8 | count)
        });
    }

    /// A client has logged in to an account, counted so; its address is known from now on.
    pub(in crate::throttle) fn succeeded(&self, counted: Key, account: Key, pair: Key) {
        self.delays.change(self.delays.key(counted), |_| Some(0));
        let (place, print) = self.place(account, pair);
        let value = self.seconds() << 32 | print;
        self.known.change(place, |_| Some(value));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;

    fn key(number: u64) -> Key {
        u128::from(number).to_be_bytes()
    }

    #[test]
    fn nobody_makes_the_gate_forget_whom_others_are_known_to() {
        let table = |keys| Arc::new(Table::with_room_for(keys, Clock::system()));
        let attempts = Attempts { purpose: "login".into(), delays: table(64), known: table(1_024) };
        attempts.succeeded(key(1), key(1), key(100));
        for address in 0..100_000 {
            attempts.succeeded(key(2), key(2), key(1_000 + address));
        }
        assert!(attempts.knows(key(1), key(100)));
        assert!(!attempts.knows(key(1), key(101)));
        assert!(!attempts.knows(key(2), key(100)));
    }
}
