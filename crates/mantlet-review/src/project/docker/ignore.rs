//! `.dockerignore`: what a build does not see.

/// Whether a path in the folder of the build is left out. The last line that fits decides.
pub(super) fn is_ignored(rules: &str, path: &str) -> bool {
    let mut ignored = false;
    for line in rules.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (pattern, ignores) =
            line.strip_prefix('!').map_or((line, true), |pattern| (pattern.trim(), false));
        let pattern = pattern.trim_start_matches("./").trim_matches('/');
        // A pattern that no person would write costs too much to try. Nothing is claimed about what it leaves in.
        if pattern.matches('*').count() > 8 {
            ignored |= ignores;
            continue;
        }
        // What holds of a folder holds of everything in it.
        let parts: Vec<&str> = path.split('/').collect();
        let pattern: Vec<&str> = pattern.split('/').collect();
        if (1..=parts.len()).any(|end| parts.get(..end).is_some_and(|above| fits(&pattern, above))) {
            ignored = ignores;
        }
    }
    ignored
}

fn fits(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) if fits(rest, path) => true,
        (Some((&"**", _)), Some((_, below))) => fits(pattern, below),
        (Some((first, rest)), Some((part, below))) => {
            part_fits(first.as_bytes(), part.as_bytes()) && fits(rest, below)
        }
        _ => false,
    }
}

fn part_fits(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) if part_fits(rest, text) => true,
        (Some((b'*', _)), Some((_, below))) => part_fits(pattern, below),
        (Some((b'?', rest)), Some((_, below))) => part_fits(rest, below),
        (Some((one, rest)), Some((other, below))) => one == other && part_fits(rest, below),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (rules, path, ignored) in [
            (".env", ".env", true),
            (".env*", ".env.local", true),
            ("*.env", "prod.env", true),
            ("**/.env", ".env", true),
            ("**/.env", "app/.env", true),
            (".env", "app/.env", false),
            ("app", "app/.env", true),
            ("*\n!app", "app/.env", false),
            ("*\n!app\n**/.env", "app/.env", true),
            ("# .env", ".env", false),
            ("/.env", ".env", true),
            ("", ".env", false),
        ] {
            assert_eq!(is_ignored(rules, path), ignored, "{rules:?} {path}");
        }
    }
}
