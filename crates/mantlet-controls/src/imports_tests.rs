//! Reads which modules a file of a crate names. Shared by the tests of the rooms, also those of the
//! gateway and of the binary.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The Rust files of a folder, and of those in it.
pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The module of a file, from the root of the crate.
pub(crate) fn module_of(file: &Path) -> Vec<String> {
    let names = file.with_extension("");
    let names = names.iter().map(|name| name.to_str().unwrap().to_owned());
    names.filter(|name| name != "mod").collect()
}

/// The code of a file in one line, without comments, its tests, and imports for tests alone. Other
/// test code is read.
pub(crate) fn without_tests(text: &str) -> String {
    let mut code = Vec::new();
    let mut lines = text.lines().map(|line| line.split("//").next().unwrap()).peekable();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let next = lines.peek().map_or("", |next| next.trim());
            if next.starts_with("mod ") || next.starts_with("#[path") {
                break;
            }
            if next.starts_with("use ") || next.starts_with("pub(crate) use ") {
                let _ = lines.by_ref().find(|line| line.contains(';'));
            }
            continue;
        }
        code.push(line);
    }
    code.join(" ")
}

/// The paths that a module names outside its tests and comments, from the root of the crate.
pub(crate) fn named(text: &str, module: &[String]) -> BTreeSet<Vec<String>> {
    let code = without_tests(text);
    let mut found = BTreeSet::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            if code[..at].ends_with(|before: char| before.is_alphanumeric() || "_:".contains(before)) {
                continue;
            }
            let base = match start {
                "crate::" => &[],
                "super::" => &module[..module.len() - 1],
                _ => module,
            };
            branch(&code[at + start.len()..], base.to_vec(), &mut found);
        }
    }
    found
}

/// Reads what follows `::`: a name and its own path, or several in braces. Returns the rest.
fn branch<'t>(text: &'t str, mut path: Vec<String>, found: &mut BTreeSet<Vec<String>>) -> &'t str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = branch(rest, path.clone(), found).trim_start();
            rest = match rest.strip_prefix(',') {
                Some(more) => more.trim_start(),
                None => return rest.strip_prefix('}').unwrap_or(rest),
            };
            if let Some(rest) = rest.strip_prefix('}') {
                return rest;
            }
        }
    }
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match name {
        "super" => drop(path.pop()),
        "self" => {}
        name => path.push(name.to_owned()),
    }
    if let Some(rest) = rest.strip_prefix("::") {
        return branch(rest, path, found);
    }
    found.insert(path);
    rest
}

#[test]
fn what_is_for_tests_hides_nothing_that_follows() {
    let text = "#[cfg(test)]\npub(crate) use self::x::y;\nuse crate::client;\n    #[cfg(test)]\n    fn put() {}\n\
                use crate::host;\n#[cfg(test)]\nmod tests;\nuse crate::limits;";
    let names: Vec<_> = named(text, &["pipeline".to_owned()]).into_iter().flatten().collect();
    assert_eq!(names, ["client", "host"]);
}
