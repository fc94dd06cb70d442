//! The plan of the house, read from the paths in its files: a room imports rooms on floors below
//! its own.
//!
//! So every room can be read, tested and replaced with what stands below it alone, and the app's
//! shore does not know the clients'.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The floors of a folder, the lowest first. A room is a file or a folder in it. It imports rooms
/// on floors below its own, and none beside it.
struct House {
    folder: &'static [&'static str],
    floors: &'static [&'static [&'static str]],
    /// Fewest imports between its rooms: so many are found, or the test reads nothing.
    imports: usize,
}

const HOUSES: [House; 6] = [
    House {
        folder: &[],
        floors: &[
            &["guarded", "listener", "connection_state"],
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

/// The Rust files of a folder, and of those in it.
fn sources(folder: &Path) -> Vec<PathBuf> {
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
fn module_of(file: &Path) -> Vec<String> {
    let names = file.with_extension("");
    let names = names.iter().map(|name| name.to_str().unwrap().to_owned());
    names.filter(|name| name != "mod").collect()
}

/// The paths that a module names outside its tests and comments, from the root of the crate.
fn named(text: &str, module: &[String]) -> BTreeSet<Vec<String>> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let lines = code.lines().map(|line| line.split("//").next().unwrap());
    let code = lines.collect::<Vec<_>>().join(" ");
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

/// What stands behind `::`: a name and what stands behind that, or several in braces. Returns what
/// follows.
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
