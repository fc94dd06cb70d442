//! Records of the log about records.

use jiff::Timestamp;
use serde::Serialize;

#[derive(Serialize)]
struct Note<'n> {
    time: Timestamp,
    security_event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'n str>,
    count: u64,
}

/// So many records were lost.
pub(super) fn lost(count: u64, time: Timestamp) -> Vec<u8> {
    Note { time, security_event: "records-lost", to: None, count }.text()
}

/// So many records were not shipped to a destination, and will not be.
pub(super) fn unshipped(to: &str, count: u64, time: Timestamp) -> Vec<u8> {
    Note { time, security_event: "records-unshipped", to: Some(to), count }.text()
}

impl Note<'_> {
    fn text(&self) -> Vec<u8> {
        // It has nothing that cannot be written as JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }
}
