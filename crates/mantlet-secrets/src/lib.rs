//! Secrets that a server keeps: `OpenBao` or Vault, and AWS Secrets Manager.
//!
//! A [`Keeper`] asks for them, keeps them, renews what has an end, and asks again on a schedule. What a server
//! has said once stays good for as long as it does not respond. So a server that is down at the start is an error, and
//! one that is down later is an [`Event`].

mod found;
mod place;
mod settings;

#[cfg(feature = "aws")]
mod aws;
mod vault;

mod keeper;

use std::time::Duration;

pub use found::Trouble;
pub use keeper::{Event, Keeper, Known};
pub use place::{Place, Source};
pub use settings::{Aws, Login, ReadHere, Settings, Vault};

/// How long a server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// When to ask again after a failure.
const AGAIN: Duration = Duration::from_secs(10);

/// When to renew what is good for so long, as Vault Agent does.
fn two_thirds(time: Duration) -> Duration {
    (time * 2 / 3).max(Duration::from_millis(500))
}
