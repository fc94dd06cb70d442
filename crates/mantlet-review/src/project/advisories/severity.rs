//! How bad a weakness is: its CVSS score, newest version first, else the word of its database.

use std::str::FromStr as _;

use cvss::{Cvss, Severity};
use serde_json::Value;

use crate::rule::Level;

/// The level of a record, and how the record says it.
pub(super) fn of(record: &Value, affected: &[&Value]) -> (Option<Level>, Option<String>) {
    let lists = std::iter::once(record).chain(affected.iter().copied());
    let scores: Vec<(&str, &str)> = lists
        .filter_map(|holder| holder.get("severity")?.as_array())
        .flatten()
        .filter_map(|score| Some((score.get("type")?.as_str()?, score.get("score")?.as_str()?)))
        .collect();
    let mut scored = None;
    for kind in ["CVSS_V4", "CVSS_V3"] {
        let vectors = scores.iter().filter(|(of, _)| *of == kind);
        let worst = vectors
            .filter_map(|(_, vector)| Some((Cvss::from_str(vector).ok()?, *vector)))
            .max_by(|one, other| one.0.score().total_cmp(&other.0.score()));
        if let Some((cvss, vector)) = worst {
            let level = match cvss.severity() {
                Severity::Critical => Level::Critical,
                Severity::High => Level::High,
                Severity::Medium => Level::Medium,
                Severity::Low => Level::Low,
                // No effect at all: the vector is a mistake, or the record is for information.
                Severity::None => Level::Info,
            };
            scored = Some((level, format!("{:.1} ({vector})", cvss.score())));
            break;
        }
    }
    let word = || {
        std::iter::once(record)
            .chain(affected.iter().copied())
            .filter_map(|holder| holder.get("database_specific")?.get("severity")?.as_str())
            .find_map(|word| Some((level(word)?, word.to_ascii_lowercase())))
    };
    match scored {
        Some((Level::Info, text)) => (Some(word().map_or(Level::Info, |(level, _)| level)), Some(text)),
        Some((level, text)) => (Some(level), Some(text)),
        None => word().map_or((None, None), |(level, text)| (Some(level), Some(text))),
    }
}

fn level(word: &str) -> Option<Level> {
    match word.to_ascii_uppercase().as_str() {
        "LOW" => Some(Level::Low),
        "MODERATE" | "MEDIUM" => Some(Level::Medium),
        "HIGH" | "IMPORTANT" => Some(Level::High),
        "CRITICAL" => Some(Level::Critical),
        _ => None,
    }
}
