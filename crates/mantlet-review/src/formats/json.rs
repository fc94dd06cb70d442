//! JSON, for programs; docs/check.md describes it.

use serde::Serialize;

/// A report as JSON: texts and numbers alone, which can always be written.
pub(super) fn json(report: &impl Serialize) -> String {
    serde_json::to_string_pretty(report).unwrap_or_default() + "\n"
}
