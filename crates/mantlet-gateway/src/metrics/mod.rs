//! What is counted and measured, and how it is written down.
//!
//! Nothing here knows the gate: `scrape` reads these counters and adds what else there is to say.
//!
//! | room | what it does |
//! |---|---|
//! | `decisions` | counts decisions by code and outcome |
//! | `health` | whether the app runs, and how often it was started again |
//! | `requests` | a histogram of durations for each method, operation and status |
//! | `text` | Prometheus' text format and `OpenMetrics` |

mod decisions;
mod health;
mod requests;
mod text;

pub(crate) use self::{
    decisions::Decisions,
    health::AppHealth,
    requests::{Labels, Requests, method},
    text::{Format, Kind, Page},
};
