//! The plan of the house, read from the paths in its files: a room imports rooms on floors below
//! its own.
//!
//! So every room can be read, tested and replaced with what stands below it alone, and a section
//! does not know who reads it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

#[path = "../../mantlet-controls/src/imports_tests.rs"]
mod imports;

use imports::{module_of, named, sources};

/// The floors of a folder, the lowest first. A room is a file or a folder in it. It imports rooms
/// on floors below its own, and none beside it.
struct House {
    folder: &'static [&'static str],
    floors: &'static [&'static [&'static str]],
    /// Fewest imports between its rooms: so many are found, or the test reads nothing.
    imports: usize,
}

const HOUSES: [House; 7] = [
    House {
        folder: &[],
        floors: &[
            &["say", "settings"],
            &["state", "cli"],
            &["config"],
            &["app"],
            &["contract"],
            &["operate"],
            &["command"],
        ],
        imports: 20,
    },
    House {
        folder: &["settings"],
        floors: &[
            &["origin", "secret", "spelling", "variable"],
            &["key", "mistake", "sources"],
            &["problem", "tree"],
            &["file", "origins", "reader", "suggest", "wording"],
            &["environment", "judge", "show"],
            &["load"],
        ],
        imports: 30,
    },
    House {
        folder: &["config"],
        floors: &[
            &["adopted", "csrf_keys", "socket_path"],
            &["admin", "app", "audit", "shutdown", "store", "tls"],
            &["schema"],
            &["gate", "read"],
        ],
        imports: 10,
    },
    House {
        folder: &["app"],
        floors: &[&["environment", "folder", "interpreter", "package", "status"], &["process"]],
        imports: 5,
    },
    House {
        folder: &["contract"],
        floors: &[
            &["agreement", "report", "router", "sensitive"],
            &["effect", "read"],
            &["behind", "description", "source"],
            &["inspector", "keeper"],
        ],
        imports: 10,
    },
    House {
        folder: &["operate"],
        floors: &[
            &["admin", "certificates", "health", "parts", "signals"],
            &["events"],
            &["reload", "stop"],
            &["run"],
            &["start"],
        ],
        imports: 10,
    },
    House {
        folder: &["command"],
        floors: &[
            &["agreement", "ask", "describe", "suggest"],
            &["bans", "config", "contract", "quotas", "run", "serve", "throttles"],
        ],
        imports: 5,
    },
];

#[test]
fn a_room_imports_rooms_below_it_alone() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for House { folder, floors, imports } in HOUSES {
        let floor = |room: &str| floors.iter().position(|rooms| rooms.contains(&room));
        let inside: Vec<_> = folder.iter().map(|&name| name.to_owned()).collect();
        let room_of = |path: &[String]| path.strip_prefix(&*inside)?.first().cloned();
        let mut seen = BTreeSet::new();
        for file in sources(&src.join(inside.iter().collect::<PathBuf>())) {
            let name = file.strip_prefix(&src).unwrap();
            let module = module_of(name);
            // The folder's own file names all of its rooms.
            let Some(room) = room_of(&module).filter(|room| room != "main") else { continue };
            if module.iter().any(|name| name == "tests" || name.ends_with("_tests")) {
                continue;
            }
            let own = floor(&room).unwrap_or_else(|| panic!("{}: give `{room}` a floor", name.display()));
            for path in named(&fs::read_to_string(&file).unwrap(), &module) {
                let Some(other) = room_of(&path).filter(|other| *other != room) else { continue };
                let Some(below) = floor(&other) else {
                    panic!("{}: import `{other}` from its room", name.display());
                };
                assert!(below < own, "{}: `{room}` imports `{other}`, which is not below it", name.display());
                seen.insert((room.clone(), other));
            }
        }
        assert!(seen.len() >= imports, "{folder:?}: imports were found: {}", seen.len());
    }
}
