//! The plan of the house, read from the `use` lines: floors, and controls that stand alone. And the
//! one file that reads a clock.
//!
//! Code that two controls need lives below them, so that each control can be read, tested and
//! removed alone.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{
    Config,
    imports_tests::{module_of, named, sources, without_tests},
};

/// The floors of the house, the lowest first. A room imports only rooms on the floors below. The
/// controls, each with its section of the configuration, share one floor.
const FLOORS: [&[&str]; 10] = [
    &["config", "reason"],
    &["message", "token"],
    &["operation"],
    &["call"],
    &["account", "identity", "proof_of_work", "refusal", "selection"],
    &["audit"],
    &["accounts", "wire"],
    &["route"],
    &["pipeline"],
    &["layer"],
];
/// The floor of the controls.
const CONTROLS: usize = 6;

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
    for file in sources(&src) {
        let module = module_of(file.strip_prefix(&src).unwrap());
        let Some(room) = module.first().filter(|room| *room != "lib") else { continue };
        if module.iter().any(|name| name.contains("tests")) {
            continue;
        }
        let own = floor(room).unwrap_or_else(|| panic!("`{room}` has no floor: give it one here"));
        let text = fs::read_to_string(&file).unwrap();
        for named in named(&text, &module).into_iter().filter_map(|path| path.into_iter().next()).map(room_of)
        {
            // A macro, or a name of the crate that is not a room.
            let Some(other) = floor(&named).filter(|_| named != *room) else { continue };
            assert!(other < own, "{}: `{room}` imports `{named}`, which is not below it", file.display());
            seen.insert((room.clone(), named));
        }
    }
    assert!(seen.len() > 40, "imports were found: {}", seen.len());
}

/// Whether code reads a clock: `Instant::now`, `Timestamp::now`, `Uuid::now_v7`, `start.elapsed()`
/// and whatever else has such a name.
fn reads_a_clock(code: &str) -> bool {
    code.contains("::now") || code.contains(".elapsed(") || code.contains("SystemTime")
}

#[test]
fn time_is_handed_in() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let reads = |file: &Path| {
        let module = module_of(file.strip_prefix(&src).unwrap());
        let is_test = module.iter().any(|name| name.contains("tests"));
        !is_test && reads_a_clock(&without_tests(&fs::read_to_string(file).unwrap()))
    };
    let readers: Vec<_> = sources(&src).into_iter().filter(|file| reads(file)).collect();
    assert_eq!(readers, [src.join("config/clock.rs")], "a clock is read beside the one that is handed in");
}

#[test]
fn a_clock_that_is_read_is_seen() {
    for code in [
        "let start = Instant::now();",
        "f(std::time::SystemTime::now())",
        "Self { time: Timestamp::now }",
        "Utc::now()",
        "OffsetDateTime::now_utc()",
        "Uuid::now_v7()",
        "self.start.elapsed().as_nanos()",
        "SystemTime::UNIX_EPOCH",
    ] {
        assert!(reads_a_clock(code), "{code}");
    }
    for code in ["self.clock.time()", "let now = table.now();", "now.saturating_duration_since(start)"] {
        assert!(!reads_a_clock(code), "{code}");
    }
}

#[test]
fn what_a_file_names_is_read() {
    let text = "//! crate::ghost\nuse crate::{Mode, client::{self, Networks}, path};\n\
                fn f() { crate::host::respell() }\n#[cfg(test)]\nuse crate::limits;";
    let names = named(text, &[]).into_iter().filter_map(|path| path.into_iter().next());
    let names: Vec<_> = names.collect::<BTreeSet<_>>().into_iter().collect();
    assert_eq!(names, ["Mode", "client", "host", "path"]);
}
