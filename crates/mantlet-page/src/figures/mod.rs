//! Figures of the gate: read from its metrics, and kept for a while as a history.
//!
//! | room | what it does |
//! |---|---|
//! | `text` | reads the text format of metrics |
//! | `sample` | all figures of a moment |
//! | `latency` | durations as counts for each bound; a percentile is a bound, never an average of percentiles |
//! | `history` | the figures of the last minutes |

mod history;
mod latency;
mod sample;
mod text;

pub(crate) use self::{
    history::{Column, EVERY, History},
    latency::{Latency, UpTo},
    sample::{Operation, Sample, is_of_requests},
};
