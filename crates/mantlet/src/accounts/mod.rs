//! Accounts beside the app: their database, what answers requests for them, and who has a credential of theirs.

mod conflict;
mod described;
mod events;
mod house;
mod mail;
mod memory;
mod open;

pub(crate) use self::{conflict::conflict, house::Accounts, open::open};
