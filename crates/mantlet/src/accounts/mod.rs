//! Accounts beside the app: their database, what answers requests for them, and who has a credential of theirs.

mod conflict;
mod described;
mod events;
mod followed;
mod house;
mod mail;
mod memory;
mod open;
mod opened;
mod told;

pub(crate) use self::{
    conflict::{Reserved, conflict},
    house::Accounts,
    open::open,
};
