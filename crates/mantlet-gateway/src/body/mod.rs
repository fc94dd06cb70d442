//! Bodies, there and back.

mod answer;
mod request;

pub(crate) use answer::{FromApp, ToClient};
pub(crate) use request::{ClientBody, Progress, ToApp, Unfinished, hold};
