//! The plan of the house, read from the `use` lines: a control stands alone.
//!
//! What two controls need stands beside them (`posture`, `origin`, `units`, …), so that a control can be read, tested and removed by itself.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::Config;

/// Imports of one control by another that are left. The list may only get shorter.
const DEBTS: [(&str, &str); 11] = [
    ("client", "contract"),
    ("client", "host"),
    ("contract", "path"),
    ("cors", "client"),
    ("csrf", "host"),
    ("encoding", "uploads"),
    ("headers", "path"),
    ("https", "path"),
    ("limits", "contract"),
    ("responses", "contract"),
    ("throttle", "path"),
];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The modules of this crate that a file names, outside its tests and comments.
fn named(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let lines = code.lines().map(|line| line.split("//").next().unwrap());
    let code = lines.collect::<Vec<_>>().join(" ");
    let mut found = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let after = after.trim_start();
        let Some(group) = after.strip_prefix('{') else {
            found.insert(word(after));
            continue;
        };
        let (mut depth, mut at_start) = (0_u32, true);
        for (index, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => at_start = true,
                letter if at_start && letter.is_alphabetic() => {
                    found.insert(word(&group[index..]));
                    at_start = false;
                }
                _ => {}
            }
        }
    }
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

#[test]
fn no_control_imports_another() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeSet::new();
    for control in Config::SECTIONS {
        let mut files = Vec::new();
        sources(&src.join(control), &mut files);
        assert!(!files.is_empty(), "{control} has no folder");
        let is_test = |path: &PathBuf| path.to_string_lossy().contains("tests");
        for file in files.into_iter().filter(|path| !is_test(path)) {
            let names = named(&fs::read_to_string(&file).unwrap());
            let others = names.into_iter().filter(|name| name != control);
            let others = others.filter(|name| Config::SECTIONS.contains(&name.as_str()));
            found.extend(others.map(|name| (*control, name)));
        }
    }
    let debts: BTreeSet<_> = DEBTS.into_iter().map(|(from, to)| (from, to.to_owned())).collect();
    let new: Vec<_> = found.difference(&debts).collect();
    assert!(new.is_empty(), "put what both need beside them: {new:?}");
    let paid: Vec<_> = debts.difference(&found).collect();
    assert!(paid.is_empty(), "strike these from the list: {paid:?}");
}

#[test]
fn what_a_file_names_is_read() {
    let text = "//! crate::ghost\nuse crate::{Mode, client::{self, Networks}, path};\n\
                fn f() { crate::host::split() }\n#[cfg(test)]\nuse crate::limits;";
    let names: Vec<_> = named(text).into_iter().collect();
    assert_eq!(names, ["Mode", "client", "host", "path"]);
}
