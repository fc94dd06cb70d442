//! The plan of the house, read from the `use` lines: floors, and controls that stand alone.
//!
//! What two controls need stands below them, so that a control can be read, tested and removed by itself.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::Config;

/// The floors of the house, the lowest first. A room imports rooms on floors below its own, and none beside it. Controls, of which each has a section of the
/// configuration, share one floor.
const FLOORS: [&[&str]; 10] = [
    &["config", "reason"],
    &["message"],
    &["operation"],
    &["call"],
    &["refusal"],
    &["audit"],
    &["wire"],
    &["route"],
    &["pipeline"],
    &["layer"],
];
/// The floor of the controls.
const CONTROLS: usize = 6;

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

/// Names that `lib.rs` shows at the root, and their rooms.
fn shown_at_the_root(text: &str) -> Vec<(String, String)> {
    let shown = text.split("pub use ").skip(1).filter_map(|line| {
        let (room, names) = line.split_once(';')?.0.split_once("::")?;
        let names = names.trim_matches(['{', '}']).split(',').map(|name| name.trim().to_owned());
        Some(names.map(|name| (name, room.to_owned())).collect::<Vec<_>>())
    });
    shown.flatten().collect()
}

#[test]
fn a_room_imports_rooms_below_it_alone() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let floor = |room: &str| {
        if Config::SECTIONS.contains(&room) {
            return Some(CONTROLS);
        }
        FLOORS.iter().position(|rooms| rooms.contains(&room))
    };
    let at_the_root = shown_at_the_root(&fs::read_to_string(src.join("lib.rs")).unwrap());
    let room_of = |name: String| {
        at_the_root.iter().find(|(shown, _)| *shown == name).map_or(name, |(_, room)| room.clone())
    };
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir(&src).unwrap() {
        let path = entry.unwrap().path();
        let room = path.file_stem().unwrap().to_string_lossy().into_owned();
        if ["lib", "rooms_tests"].contains(&&*room) {
            continue;
        }
        let own = floor(&room).unwrap_or_else(|| panic!("`{room}` has no floor: give it one here"));
        let mut files = Vec::new();
        if path.is_dir() {
            sources(&path, &mut files);
        } else {
            files.push(path);
        }
        for file in files.into_iter().filter(|path| !path.to_string_lossy().contains("tests")) {
            for named in named(&fs::read_to_string(&file).unwrap()).into_iter().map(room_of) {
                // A macro, or a name of the crate that is not a room.
                let Some(other) = floor(&named).filter(|_| named != room) else { continue };
                assert!(other < own, "{}: `{room}` imports `{named}`, which is not below it", file.display());
                seen.insert((room.clone(), named));
            }
        }
    }
    assert!(seen.len() > 40, "imports were found: {}", seen.len());
}

#[test]
fn what_a_file_names_is_read() {
    let text = "//! crate::ghost\nuse crate::{Mode, client::{self, Networks}, path};\n\
                fn f() { crate::host::respell() }\n#[cfg(test)]\nuse crate::limits;";
    let names: Vec<_> = named(text).into_iter().collect();
    assert_eq!(names, ["Mode", "client", "host", "path"]);
}
