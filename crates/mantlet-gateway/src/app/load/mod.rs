//! How much the app has in hand, and for whom.

pub(crate) mod shares;
pub(crate) mod turns;

pub(crate) use self::shares::Permit;
