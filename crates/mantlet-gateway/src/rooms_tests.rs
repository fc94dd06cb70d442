//! The plan of the house, read from the paths in its files: a room imports only rooms on the floors
//! below.
//!
//! So a room can be read and tested with those below it alone, and the app's shore does not depend
//! on the clients' shore.

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
    /// The test must find at least this many imports between rooms; else it reads nothing.
    imports: usize,
}

const HOUSES: [House; 6] = [
    House {
        folder: &[],
        floors: &[
            &["guarded", "listener", "connection_state", "clock"],
            &["audit_log", "quota_file", "tls", "wire", "guests", "request_body"],
            &["store", "app"],
            &["shared"],
            &["client", "admin"],
            &["gate"],
        ],
        imports: 25,
    },
    House {
        folder: &["admin"],
        floors: &[&["socket", "trouble"], &["bans", "quotas"], &["client", "server"]],
        imports: 6,
    },
    House {
        folder: &["app"],
        floors: &[
            &["address", "load", "lenient", "origins", "socket"],
            &["request_body", "fetch", "supervisor"],
            &["pool"],
            &["response_body", "leaving"],
            &["forward"],
        ],
        imports: 15,
    },
    House { folder: &["app", "load"], floors: &[&["shares"], &["turns"], &["place"]], imports: 3 },
    House {
        folder: &["client"],
        floors: &[&["response_body"], &["connection"], &["admission"], &["accept"]],
        imports: 3,
    },
    House {
        folder: &["client", "connection"],
        floors: &[&["clock", "linger", "websocket"], &["context"], &["request"], &["http1", "http2"]],
        imports: 8,
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
            let Some(room) = room_of(&module).filter(|room| room != "lib") else { continue };
            if module.iter().any(|name| name == "tests" || name.ends_with("_tests")) {
                continue;
            }
            let own = floor(&room).unwrap_or_else(|| panic!("{}: give `{room}` a floor", name.display()));
            for path in named(&fs::read_to_string(&file).unwrap(), &module) {
                let Some(other) = room_of(&path).filter(|other| *other != room) else { continue };
                let Some(below) = floor(&other) else {
                    assert!(other == "tell", "{}: import `{other}` from its room", name.display());
                    continue;
                };
                assert!(below < own, "{}: `{room}` imports `{other}`, which is not below it", name.display());
                seen.insert((room.clone(), other));
            }
        }
        assert!(seen.len() >= imports, "{folder:?}: imports were found: {}", seen.len());
    }
}

#[test]
fn what_a_file_names_is_read() {
    let text = "//! crate::ghost\nuse super::{linger, shared::{self, Stage}};\n\
                use crate::{app::{Upstream, pool::Lease}, tell};\n\
                fn f() { crate::host::respell(); super::super::x(); self::y(); }\n\
                #[cfg(test)]\nuse crate::limits;";
    let module = ["client", "connection"].map(str::to_owned);
    let names: Vec<_> = named(text, &module).into_iter().map(|path| path.join("::")).collect();
    assert_eq!(
        names,
        [
            "app::Upstream",
            "app::pool::Lease",
            "client::connection::y",
            "client::linger",
            "client::shared",
            "client::shared::Stage",
            "host::respell",
            "tell",
            "x",
        ]
    );
    assert_eq!(module_of(Path::new("client/connection/mod.rs")), module);
}
