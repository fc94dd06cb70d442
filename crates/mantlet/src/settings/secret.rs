//! Which values must not be printed, neither in messages nor by `mantlet config show`.

/// Marks of a key whose own value is a secret.
const MARKS: [&str; 4] = ["secret", "password", "token", "key"];

/// Marks of a table all of whose values are secrets, whatever they are called.
const TABLE_MARKS: [&str; 2] = ["secret", "password"];

/// What rules and quotas count by, a time and a switch: no secrets, whatever they are called.
const HARMLESS: [&[&str]; 4] = [
    &["throttle", "rule", "key"],
    &["throttle", "quota", "key"],
    &["accounts", "access-token"],
    &["accounts", "passwords"],
];

/// What a reference to a secret may begin with.
pub(crate) const SCHEMES: [&str; 6] = ["env", "file", "cred", "cmd", "vault", "aws-sm"];

/// The section that says how secrets are read. It has none itself.
const OF_SECRETS: &str = "secrets";

/// The table of variables of the app.
const OF_APP: [&str; 2] = ["app", "env"];

/// Whether the value under these names, outermost first, looks like a secret.
pub(super) fn is_secret<'a>(names: impl DoubleEndedIterator<Item = &'a str> + Clone) -> bool {
    if HARMLESS.iter().any(|harmless| names.clone().eq(harmless.iter().copied())) {
        return false;
    }
    // What the app gets is not ours to judge.
    if names.clone().take(OF_APP.len()).eq(OF_APP) {
        return true;
    }
    let judged = names.clone().count() - usize::from(names.clone().next() == Some(OF_SECRETS));
    names.rev().take(judged).map(str::to_lowercase).enumerate().any(|(distance, name)| {
        let marks: &[&str] = if distance == 0 { &MARKS } else { &TABLE_MARKS };
        marks.iter().any(|mark| name.contains(mark))
    })
}

/// Whether a value only says where the secret is, as in `env:NAME`.
pub(super) fn is_reference(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| SCHEMES.contains(&scheme))
}

/// Whether a message, made by a type that does not know that its value is a secret, tells it: as a
/// whole, or in a quoted part.
pub(super) fn is_told_by(message: &str, value: &str) -> bool {
    // Shorter texts are found in any message.
    const SHORTEST: usize = 4;
    let is_long = |text: &str| text.chars().count() >= SHORTEST;
    let is_whole =
        is_long(value) && (message.contains(value) || message.contains(&value.escape_debug().to_string()));
    let mut quoted = message.split(['`', '"', '\'']).skip(1).step_by(2);
    is_whole || quoted.any(|part| part == value || (is_long(part) && value.contains(part)))
}
