//! Names that resemble each other, and how they are listed.

/// The candidate that `word` may be a misspelling of.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Slips of the finger between two names, whatever case and separators they use.
pub(super) fn distance(one: &str, other: &str) -> usize {
    let plain = |text: &str| text.to_lowercase().replace('_', "-");
    strsim::osa_distance(&plain(one), &plain(other))
}

/// `` `a`, `b`, `c` ``
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

pub(super) fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}
