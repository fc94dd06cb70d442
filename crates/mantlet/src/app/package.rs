//! The Python package that the app's interpreter is given to run, and the contract that it writes.

use std::{env, ffi::OsString, fs, io, path::Path};

use mantlet_contract::model::Contract;
use serde::Deserialize;

use crate::config::AppConfig;

/// The package that the app's interpreter runs: the name and the text of each file. `build.rs`
/// lists them.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/inspector_files.rs"));

/// Runs in the app's own interpreter; finds the app and serves it on uvicorn.
pub(crate) const LAUNCHER: &str = "mantlet_inspector/launcher.py";

/// Runs there too; only reads the app.
pub(crate) const INSPECTOR: &str = "mantlet_inspector/__main__.py";

/// Runs there too; prints the SQL of row level security.
pub(crate) const RLS: &str = "mantlet_inspector/rls.py";

/// The file in which the contract is written.
pub(crate) const CONTRACT: &str = "contract.json";

/// What is remembered of the app's code from one start to the next, in the state folder.
const MEMORY: &str = "code.json";

/// How the inspector is told how long it may read, and what it may remember where. A relative
/// folder counts from where the app starts, which is here.
pub(crate) fn reading_arguments(config: &AppConfig, state_folder: &Path) -> [OsString; 4] {
    let memory = env::current_dir().unwrap_or_default().join(state_folder).join(MEMORY);
    let bound = config.read_timeout.0.as_secs_f64().to_string();
    ["--memory".into(), memory.into(), "--read-timeout".into(), bound.into()]
}

/// Puts what the app's interpreter runs into a folder.
pub(crate) fn write_files(folder: &Path) -> io::Result<()> {
    for (name, content) in FILES {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap_or(folder))?;
        fs::write(file, content)?;
    }
    Ok(())
}

/// The contract that the launcher of a running app has written, as text and understood.
pub(crate) fn written(folder: &Path) -> Result<(String, Contract), String> {
    #[derive(Deserialize)]
    struct Failed {
        failure: String,
    }
    let text = fs::read_to_string(folder.join(CONTRACT)).map_err(|error| error.to_string())?;
    if let Ok(Failed { failure }) = serde_json::from_str(&text) {
        return Err(failure);
    }
    let contract =
        serde_json::from_str(&text).map_err(|error| format!("it cannot be understood: {error}"))?;
    Ok((text, contract))
}

#[cfg(test)]
mod tests {
    use super::FILES;

    /// The package's own files stand above its rooms.
    const FLOORS: [&[&str]; 6] =
        [&["source"], &["candidates", "proof"], &["contract"], &["objects"], &["review"], &[""]];

    /// The room of a path, and its floor.
    fn room(path: &str) -> (&str, usize) {
        let room = path.split('.').next().unwrap();
        FLOORS.iter().position(|rooms| rooms.contains(&room)).map_or(("", FLOORS.len() - 1), |at| (room, at))
    }

    #[test]
    fn a_room_imports_rooms_below_it_alone() {
        let mut seen = 0;
        for (name, text) in FILES {
            let path = name.trim_start_matches("mantlet_inspector/").replace('/', ".");
            let (own, at) = room(&path);
            for line in text.lines().map(str::trim_start) {
                let Some(from) = line.strip_prefix("from mantlet_inspector") else { continue };
                seen += 1;
                let (other, below) = room(from.split_whitespace().next().unwrap().trim_start_matches('.'));
                assert!(other == own || below < at, "{name}: {line}");
            }
        }
        assert!(seen > 100, "{seen} imports in {} files", FILES.len());
    }
}
