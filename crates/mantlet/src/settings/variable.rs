//! What the variable is called that sets a key.

/// What its name begins with.
pub(super) const PREFIX: &str = "MANTLET_";

/// Between two levels of a key.
pub(super) const LEVEL: &str = "__";

/// The variable that sets a key.
pub(super) fn variable_of<'a>(path: impl Iterator<Item = &'a str>) -> String {
    let parts: Vec<String> = path.map(part_of).collect();
    format!("{PREFIX}{}", parts.join(LEVEL))
}

/// The name of one level, as a variable has it.
pub(super) fn part_of(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}
