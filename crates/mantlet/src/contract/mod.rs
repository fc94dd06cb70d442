//! The contract of the app: its sources, the keeper that puts it in force, and reports about it.
//!
//! It comes from the app that we run, from a file, from an address, or from the app behind the
//! gate, which may be away.

pub(crate) mod agreement;
mod report;
mod router;
pub(crate) mod sensitive;

mod effect;
mod read;

mod behind;
mod description;
mod source;

mod inspector;
mod keeper;

pub(crate) use behind::Behind;
pub(crate) use description::{Description, describe_document};
pub(crate) use effect::EffectCheck;
pub(crate) use inspector::{ask_app, inspect};
pub(crate) use keeper::{Keeper, say_none};
pub(crate) use read::{Found, PATIENCE_AT_START, Trouble, read_url};
pub(crate) use report::Report;
pub(crate) use source::Source;
