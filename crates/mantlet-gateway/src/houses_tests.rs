//! Holds the code of a crate to the plan of its house: a room imports only rooms on the floors
//! below. Shared by the tests of the rooms of the gateway and of the binary.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

#[path = "../../mantlet-controls/src/imports_tests.rs"]
pub(crate) mod imports;

use imports::{module_of, named, sources};

/// The floors of a folder, the lowest first. A room is a file or a folder in it. It imports rooms
/// on floors below its own, and none beside it.
pub(crate) struct House {
    pub(crate) folder: &'static [&'static str],
    pub(crate) floors: &'static [&'static [&'static str]],
    /// The test must find at least this many imports between rooms; else it reads nothing.
    pub(crate) imports: usize,
}

/// Fails at the first import that the plan does not allow. `src` is the folder of a crate, `root`
/// the file that names all of its rooms, and `at_root` the names that this file itself has.
pub(crate) fn check(houses: &[House], src: &Path, root: &str, at_root: &[&str]) {
    for House { folder, floors, imports } in houses {
        let floor = |room: &str| floors.iter().position(|rooms| rooms.contains(&room));
        let inside: Vec<_> = folder.iter().map(|&name| name.to_owned()).collect();
        let room_of = |path: &[String]| path.strip_prefix(&*inside)?.first().cloned();
        let mut seen = BTreeSet::new();
        for file in sources(&src.join(inside.iter().collect::<PathBuf>())) {
            let name = file.strip_prefix(src).unwrap();
            let module = module_of(name);
            // The folder's own file names all of its rooms.
            let Some(room) = room_of(&module).filter(|room| *room != root) else { continue };
            if module.iter().any(|name| name == "tests" || name.ends_with("_tests")) {
                continue;
            }
            let own = floor(&room).unwrap_or_else(|| panic!("{}: give `{room}` a floor", name.display()));
            for path in named(&fs::read_to_string(&file).unwrap(), &module) {
                let Some(other) = room_of(&path).filter(|other| *other != room) else { continue };
                let Some(below) = floor(&other) else {
                    let is_at_root = folder.is_empty() && at_root.contains(&&*other);
                    assert!(is_at_root, "{}: import `{other}` from its room", name.display());
                    continue;
                };
                assert!(below < own, "{}: `{room}` imports `{other}`, which is not below it", name.display());
                seen.insert((room.clone(), other));
            }
        }
        assert!(seen.len() >= *imports, "{folder:?}: imports were found: {}", seen.len());
    }
}
