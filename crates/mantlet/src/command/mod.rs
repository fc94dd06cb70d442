//! The subcommands.

mod agreement;
mod ask;

pub(crate) mod bans;
pub(crate) mod config;
pub(crate) mod contract;
pub(crate) mod quotas;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod throttles;
