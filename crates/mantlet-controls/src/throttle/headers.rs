//! The headers of responses about limits: the IETF draft's fields
//! (draft-ietf-httpapi-ratelimit-headers-10) and those that were there before.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::throttle::rate::{Decision, Rate};

/// A client's standing with a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RateLimitStatus {
    pub(super) rule: Arc<str>,
    pub(super) rate: Rate,
    pub(super) decision: Decision,
    /// It is worth a warning.
    pub(super) near: bool,
}

impl RateLimitStatus {
    /// Which of two rules a client should know of.
    pub(crate) const fn is_nearer_its_end_than(&self, other: &Self) -> bool {
        match (self.near, other.near) {
            (true, false) => true,
            (false, true) => false,
            _ => self.decision.remaining < other.decision.remaining,
        }
    }

    /// Adds it to a response, unless the app has headers about its own limits.
    pub(crate) fn set_headers(&self, headers: &mut HeaderMap) {
        let quota = self.rate.burst();
        let window = seconds(self.rate.period().mul_f64(f64::from(quota) / f64::from(self.rate.count())));
        let (remaining, reset) = (self.decision.remaining, seconds(self.decision.reset));
        let rule = &self.rule;
        for (name, value) in [
            ("ratelimit-policy", format!("\"{rule}\";q={quota};w={window}")),
            ("ratelimit", format!("\"{rule}\";r={remaining};t={reset}")),
            ("x-ratelimit-limit", quota.to_string()),
            ("x-ratelimit-remaining", remaining.to_string()),
            ("x-ratelimit-reset", reset.to_string()),
        ] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.entry(HeaderName::from_static(name)).or_insert(value);
            }
        }
    }
}

/// Whole seconds, rounded up.
fn seconds(span: std::time::Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}
