//! From start to end: the gate, the app behind it, signals, reload.

mod admin;
mod alone;
mod certificates;
mod health;
mod metrics;
mod records;
mod signals;
mod traces;

mod parts;

mod events;

mod reload;
mod stop;

mod rotation;

mod run;

mod start;

pub(crate) use alone::alone;
pub(crate) use start::{Plan, operate};
