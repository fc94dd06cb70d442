//! The state folder: what outlives a run.

use std::{fs, io, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

/// Makes the folder, ignored by git.
pub(crate) fn prepare(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let ignore = folder.join(".gitignore");
    if ignore.exists() { Ok(()) } else { fs::write(ignore, "*\n") }
}

/// Reads a secret, or makes it with this text, readable for nobody else. Of two that make it at once, one wins and both read it.
pub(crate) fn secret(folder: &Path, name: &str, text: &str) -> io::Result<String> {
    prepare(folder)?;
    let file = folder.join(name);
    if !file.exists() {
        // Whole or not at all: linked into place once it is written.
        let draft = folder.join(format!("{name}.{}", std::process::id()));
        let mut made =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        made.write_all(text.as_bytes())?;
        let linked = fs::hard_link(&draft, &file);
        fs::remove_file(&draft)?;
        linked.or_else(|error| if file.exists() { Ok(()) } else { Err(error) })?;
    }
    fs::read_to_string(file)
}
