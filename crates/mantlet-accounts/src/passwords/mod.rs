//! Is this the password of the account, and may this one become it?
//!
//! Defends against an attacker who reads the table of hashes (Argon2id, with OWASP's parameters), who guesses (what is
//! tried first cannot be chosen), who measures (an address without an account takes the work of one that has one), and
//! who sends many logins at once (hashes run on few threads of their own).
//!
//! - A password is normalised with NFKC before it is hashed (SP 800-63B-4 section 3.1.1.2), so that one keyboard logs in
//!   to what another has set. No character is refused, and none is cut off.
//! - A hash that another program has made is checked as it is, and replaced after the first login that succeeds.

mod blocklist;
mod hashes;
mod policy;
mod pool;

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::hmac;
use mantlet_controls::config::Secret;
use zeroize::Zeroizing;

pub use self::{
    blocklist::Blocklist,
    hashes::{Cost, HashFault},
    policy::{Policy, Weak},
};
use self::{
    hashes::{Hash, prepare},
    pool::Pool,
};
use crate::{Address, Fault};

/// Bytes of a password that are read at all; more are never the password.
const MOST_BYTES: usize = 4096;

/// Hashes and checks passwords.
#[derive(Debug)]
pub struct Passwords {
    pool: Pool,
    cost: Cost,
    policy: Policy,
    lists: Vec<Blocklist>,
    decoys: RwLock<Arc<Decoys>>,
}

/// What is checked where there is no account.
#[derive(Debug)]
struct Decoys {
    key: hmac::Key,
    hashes: Vec<(u64, String)>,
}

/// What a check has found.
#[derive(Debug)]
pub(crate) enum Checked {
    /// It is not the password.
    Wrong,
    /// It is the password.
    Right {
        /// The hash to keep from now on, if the one that is kept is weaker than those of today.
        better: Option<(String, String)>,
    },
}

impl Passwords {
    /// Starts the threads. `lists` are asked beside the one that comes with Mantlet.
    pub fn start(cost: Cost, policy: Policy, lists: Vec<Blocklist>) -> Result<Self, Fault> {
        let lists = [Blocklist::common()?].into_iter().chain(lists).collect();
        let decoy = cost.hash(&Zeroizing::new(format!("{:?}", crate::opaque::random::<32>()?)))?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &crate::opaque::random::<32>()?[..]);
        let decoys = RwLock::new(Arc::new(Decoys { key, hashes: vec![(1, decoy)] }));
        Ok(Self { pool: Pool::start()?, cost, policy, lists, decoys })
    }

    /// Which passwords may be chosen.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Judges a password that is to become the one of an account. It takes microseconds.
    pub fn judge(
        &self,
        password: &Secret<String>,
        address: &Address,
        has_second_factor: bool,
    ) -> Result<(), Weak> {
        self.policy.judge(&self.lists, password.expose(), address, has_second_factor)
    }

    /// The hash of a password, and the name of its format.
    pub(crate) async fn hash(&self, password: &Secret<String>) -> Result<(String, String), Fault> {
        let (cost, password) = (self.cost, password.clone());
        self.pool.run(move || hashed(cost, password.expose())).await?
    }

    /// Checks a password against a hash. Without one, it checks against a decoy, and it is wrong.
    pub(crate) async fn check(
        &self,
        password: &Secret<String>,
        stored: Option<&str>,
        address: &str,
    ) -> Result<Checked, Fault> {
        let is_known = stored.is_some();
        let stored = stored.map_or_else(|| self.decoy(address), str::to_owned);
        let (cost, password) = (self.cost, password.clone());
        let work = move || {
            let hash = Hash::read(&stored).map_err(|_| Fault::Corrupt("the hash of a password"))?;
            if !(matches(&hash, password.expose()) && is_known) {
                return Ok(Checked::Wrong);
            }
            let better = (!hash.is_as_good_as(cost)).then(|| hashed(cost, password.expose())).transpose()?;
            Ok(Checked::Right { better })
        };
        self.pool.run(work).await?
    }

    /// A hash for an address that has no account. An address gets the same one each time, of a format that is as frequent
    /// as among accounts: where many hashes are still bcrypt, as many unknown addresses take the time of bcrypt.
    fn decoy(&self, address: &str) -> String {
        let decoys = self.decoys.read().unwrap_or_else(PoisonError::into_inner).clone();
        let all: u64 = decoys.hashes.iter().map(|(count, _)| count).sum();
        let tag = hmac::sign(&decoys.key, address.as_bytes());
        let number = tag.as_ref().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let mut left = number.checked_rem(all).unwrap_or(0);
        let mut found = decoys.hashes.iter().find(|(count, _)| {
            let is_it = left < *count;
            left = left.saturating_sub(*count);
            is_it
        });
        found = found.or_else(|| decoys.hashes.first());
        found.map(|(_, hash)| hash.clone()).unwrap_or_default()
    }

    /// Says which formats accounts have, how many of each, with one hash of each.
    pub(crate) fn mimic(&self, key: &[u8], mut formats: Vec<(u64, String)>) {
        formats.retain(|(count, hash)| *count > 0 && Hash::read(hash).is_ok());
        let mut decoys = self.decoys.write().unwrap_or_else(PoisonError::into_inner);
        let hashes = if formats.is_empty() { decoys.hashes.clone() } else { formats };
        *decoys = Arc::new(Decoys { key: hmac::Key::new(hmac::HMAC_SHA256, key), hashes });
    }
}

/// The name of the format of a hash, if it can be checked at all.
pub(crate) fn format_of(hash: &str) -> Result<String, HashFault> {
    Hash::read(hash).map(|hash| hash.to_string())
}

fn hashed(cost: Cost, password: &str) -> Result<(String, String), Fault> {
    let hash = cost.hash(&prepare(password))?;
    let format = Hash::read(&hash).map_err(|_| Fault::Failed("hashing a password"))?.to_string();
    Ok((hash, format))
}

/// Whether a hash is of a password. Other programs do not normalise, so the bytes as they came are tried, too.
fn matches(hash: &Hash, password: &str) -> bool {
    if password.len() > MOST_BYTES {
        return false;
    }
    let prepared = prepare(password);
    let is_of = hash.is_of(prepared.as_bytes());
    is_of || (*prepared != password && hash.is_of(password.as_bytes()))
}

#[cfg(test)]
#[path = "passwords_tests.rs"]
mod tests;
