//! YAML, as a tree, and the lines of its keys.

use serde_json::Value;

/// Reads a document. What aliases may blow up to is bounded.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        budget: serde_saphyr::budget! { max_depth: 64, max_events: 200_000, max_nodes: 100_000, max_total_scalar_bytes: 16 << 20 },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

/// The line, from 1, of a key below others, by how far it is indented; the nearest that is found.
pub(super) fn line(text: &str, path: &[&str]) -> u32 {
    let mut found = 1;
    let mut left = path;
    // How far the keys of the level that is searched are indented; known from its first key.
    let mut level: Option<usize> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let Some((key, rest)) = left.split_first() else { break };
        let inner = line.trim_start();
        if inner.is_empty() || inner.starts_with('#') || inner == "---" {
            continue;
        }
        let indent = line.len() - inner.len();
        let level_now = *level.get_or_insert(indent);
        if indent < level_now {
            break;
        }
        let name = inner.split_once(':').map_or("", |(name, _)| name).trim().trim_matches(['"', '\'']);
        if indent == level_now && name == *key {
            found = number;
            left = rest;
            level = None;
        }
    }
    found
}

/// The line of the list entry that begins with a word, at or after a line.
pub(super) fn item(text: &str, from: u32, word: &str) -> u32 {
    let begins = |line: &str| {
        let entry = line.trim_start().trim_start_matches('-').trim_start().trim_start_matches(['"', '\'']);
        entry.strip_prefix(word).is_some_and(|rest| rest.trim_start().starts_with(['=', ':']))
    };
    (1..)
        .zip(text.lines())
        .skip_while(|(number, _)| *number < from)
        .find(|(_, line)| begins(line))
        .map_or(from, |(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_keys() {
        let text = "# a\nservices:\n  api:\n    depends_on:\n      db:\n        x: 1\n  \"db\":\n    environment:\n      - A=1\n      - \"B=2\"\n";
        assert_eq!(line(text, &["services"]), 2);
        assert_eq!(line(text, &["services", "db"]), 7);
        assert_eq!(line(text, &["services", "db", "environment"]), 8);
        assert_eq!(item(text, 8, "B"), 10);
        assert_eq!(line(text, &["services", "none"]), 2);
    }

    #[test]
    fn merges_are_followed() {
        let document =
            parse("x-app: &app\n  read_only: true\nservices:\n  api:\n    <<: *app\n    image: a\n").unwrap();
        assert_eq!(document["services"]["api"]["read_only"], serde_json::json!(true));
    }
}
