//! The contract of the app: where it comes from, if not from the app that we run: a file, an address, or the app behind the gate, which may be
//! away; how it is kept in force, and what is said of it.

mod inspector;
mod router;

pub(crate) mod agreement;
pub(crate) mod sensitive;

mod effect;
mod read;
mod report;

mod behind;
mod source;

mod keeper;

pub(crate) use behind::Behind;
pub(crate) use effect::Settings;
pub(crate) use inspector::{Inspected, inspect};
pub(crate) use keeper::{Keeper, say_none};
pub(crate) use read::{Found, PATIENCE, PATIENCE_AT_START, Trouble, read_document, read_url};
pub(crate) use report::Report;
pub(crate) use source::Source;
