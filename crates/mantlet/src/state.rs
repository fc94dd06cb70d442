//! The state folder: what outlives a run.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::{self, Path, PathBuf},
    sync::OnceLock,
};

use mantlet_gateway::guarded::{self, Kind};

use crate::say::say;

/// The API keys, in the state folder.
pub(crate) const KEYS: &str = "keys.jsonl";

/// Makes the folder, ignored by git. Who else could replace what is in it is said once.
pub(crate) fn prepare(folder: &Path) -> io::Result<()> {
    static TOLD: OnceLock<()> = OnceLock::new();
    if let Some(others) = guarded::prepare_folder(folder)?
        && TOLD.set(()).is_ok()
    {
        let name = folder.display();
        say(format!(
            "note: {others} can remove the files that Mantlet keeps in `{name}`, including records\n\
             make the folder Mantlet's own, with mode 0700, or use a folder in it: `state-folder = \"{}\"`",
            folder.join("mantlet").display()
        ));
    }
    // New or not at all: what is there may lead elsewhere.
    match fs::OpenOptions::new().write(true).create_new(true).open(folder.join(".gitignore")) {
        Ok(mut ignore) => ignore.write_all(b"*\n"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// A path in full: a relative one begins in the working folder.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The folder of a configuration file, if a relative state folder is there and not in the working
/// folder: Mantlet was started there, and a command in the wrong folder.
pub(crate) fn other_home(folder: &Path, config: Option<&Path>) -> Option<PathBuf> {
    let home = fs::canonicalize(absolute(config?).parent()?).ok()?;
    let is_there = !folder.exists() && home.join(folder).is_dir();
    (folder.is_relative() && is_there).then_some(home)
}

/// Where to run a command that has found no Mantlet, or no state folder.
pub(crate) fn where_to_run(folder: &Path, config: Option<&Path>) -> String {
    match other_home(folder, config) {
        Some(home) => format!("run this in `{}`: there is a state folder", home.display()),
        None => "run this in the folder where Mantlet was started, with the same `--config`".to_owned(),
    }
}

/// Why there is no secret.
#[derive(Debug)]
pub(crate) enum NoSecret {
    /// It cannot be kept there.
    Unkept(io::Error),
    /// There is one that others may know, or a file that cannot be one.
    Refused(io::Error),
}

/// Reads a secret, or makes it with this text, which no other user can read. Of two that make it at
/// once, one wins and both read it.
pub(crate) fn secret(folder: &Path, name: &str, text: &str) -> Result<String, NoSecret> {
    prepare(folder).map_err(NoSecret::Unkept)?;
    let file = folder.join(name);
    if fs::symlink_metadata(&file).is_err() {
        make_secret(folder, &file, text).map_err(NoSecret::Unkept)?;
    }
    let read = guarded::read(&file, Kind::Secret).map_err(NoSecret::Refused)?;
    String::from_utf8(read).map_err(|error| NoSecret::Refused(io::Error::other(error)))
}

/// The text of a new secret: 32 random bytes.
pub(crate) fn random_text() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    let mut text = String::new();
    for byte in bytes {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text + "\n")
}

/// Whole or not at all: linked into place once it is written.
fn make_secret(folder: &Path, file: &Path, text: &str) -> io::Result<()> {
    let mut draft = tempfile::NamedTempFile::new_in(folder)?;
    draft.write_all(text.as_bytes())?;
    if guarded::read(draft.path(), Kind::Secret).is_err() {
        return Err(io::Error::other("the file system there has no owners or modes"));
    }
    let linked = fs::hard_link(draft.path(), file);
    linked.or_else(|error| if file.exists() { Ok(()) } else { Err(error) })
}
