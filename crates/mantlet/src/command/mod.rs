//! The subcommands.

mod ask;
mod describe;

mod agreement;
mod suggest;

pub(crate) mod accounts;
pub(crate) mod audit;
pub(crate) mod bans;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod contract;
pub(crate) mod keys;
pub(crate) mod metrics;
pub(crate) mod objects;
pub(crate) mod open;
pub(crate) mod quotas;
pub(crate) mod rls;
pub(crate) mod run;
pub(crate) mod secrets;
pub(crate) mod serve;
pub(crate) mod sessions;
pub(crate) mod throttles;
