//! Rates by GCRA, in a fixed amount of memory. Nothing here knows a request.

mod gcra;
mod table;

pub(crate) use gcra::Moment;
pub use gcra::{Decision, Rate};
pub use table::Table;
