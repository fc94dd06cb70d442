//! Files that outlive a run, and protection from other users who may change them.
//!
//! Defends against a file that another user has put in the place of ours: a key that they know, or
//! a link to a file that we would overwrite. Lets through
//!
//! 1. a regular file, never what a symbolic link points to,
//! 2. that belongs to the user that Mantlet runs as, or to root,
//! 3. which others cannot write, and, if it holds a secret, neither they nor its group can read.
//!
//! The operator may name any file, such as `/dev/stdout`. A link to it is followed if it belongs to
//! us or to root, and its target need not be a regular file.
//!
//! To mind in deployment: a file system without owners and modes cannot keep a secret.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

use rustix::{fs::OFlags, process::geteuid};

/// The use of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A user who can read it can act as us.
    Secret,
    /// Mantlet made it, and writes it.
    Own,
    /// The operator named it.
    Named,
}

/// Opens a file to append to it; a missing one is created with mode 0600.
pub fn open_to_append(path: &Path, kind: Kind) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    open(&options, path, kind)
}

/// Opens a file to read it.
pub fn open_to_read(path: &Path, kind: Kind) -> io::Result<File> {
    open(OpenOptions::new().read(true), path, kind)
}

/// Reads a file as a whole.
pub fn read(path: &Path, kind: Kind) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open_to_read(path, kind)?.read_to_end(&mut content)?;
    Ok(content)
}

/// Replaces whatever is at the path with a file of mode 0600: as a whole or not at all, and never
/// through a link.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_data()?;
    file.persist(path).map_err(|error| error.error)
}

fn open(options: &OpenOptions, path: &Path, kind: Kind) -> io::Result<File> {
    let mut options = options.clone();
    if kind == Kind::Named {
        judge_link(path)?;
    } else {
        // Without NONBLOCK, opening a pipe would wait for its reader.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
    }
    let file = options.open(path).map_err(|error| {
        let is_link = || fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
        if kind != Kind::Named && is_link() {
            return refused(format!(
                "it is a symbolic link, which Mantlet does not follow\nremove `{}`",
                path.display()
            ));
        }
        error
    })?;
    judge(&file.metadata()?, path, kind)?;
    Ok(file)
}

fn judge(found: &Metadata, path: &Path, kind: Kind) -> io::Result<()> {
    let file = path.display();
    if !found.is_file() {
        return if kind == Kind::Named {
            Ok(())
        } else {
            Err(refused("it is not a regular file".to_owned()))
        };
    }
    if !is_trusted(found.uid()) {
        return Err(refused(format!(
            "it belongs to the user {0}, but Mantlet runs as the user {1}\n\
             remove `{file}`, or run `chown {1} {file}` if you trust its content",
            found.uid(),
            geteuid().as_raw(),
        )));
    }
    let mode = found.permissions().mode() & 0o777;
    let (bits, what) = match kind {
        Kind::Secret => (0o077, "users other than its owner can read or write it"),
        Kind::Own | Kind::Named => (0o002, "every user can write to it"),
    };
    if mode & bits != 0 {
        let mended = mode & !bits;
        return Err(refused(format!(
            "{what} (mode {mode:04o})\n\
             remove `{file}`, or run `chmod {mended:o} {file}` if you know that no other user has read or changed it",
        )));
    }
    Ok(())
}

/// Only our own links and root's are followed, as the kernel does in folders like `/tmp`.
fn judge_link(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() && !is_trusted(found.uid()) => Err(refused(format!(
            "`{}` is a symbolic link of the user {}, which Mantlet does not follow",
            path.display(),
            found.uid()
        ))),
        _ => Ok(()),
    }
}

/// Root could do anything anyway.
pub(crate) fn is_trusted(user: u32) -> bool {
    user == 0 || user == geteuid().as_raw()
}

fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

/// Creates a folder that only its owner may enter, unless it exists. Refuses a path with a link of
/// another user. Returns the other users who can write to the folder, if any.
pub fn prepare_folder(folder: &Path) -> io::Result<Option<String>> {
    let mut way = PathBuf::new();
    for part in folder.components() {
        way.push(part);
        if matches!(part, Component::Normal(_)) {
            judge_link(&way)?;
        }
    }
    if !folder.is_dir() {
        if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent)?;
        }
        let made = fs::DirBuilder::new().mode(0o700).create(folder);
        // Another Mantlet may have made it at the same moment.
        made.or_else(|error| if folder.is_dir() { Ok(()) } else { Err(error) })?;
        return Ok(None);
    }
    let found = fs::metadata(folder)?;
    let mode = found.permissions().mode();
    let is_open = mode & 0o002 != 0 && mode & 0o1000 == 0;
    let owner = (!is_trusted(found.uid())).then(|| format!("the user {}", found.uid()));
    Ok(owner.or_else(|| is_open.then(|| "every user".to_owned())))
}

#[cfg(test)]
#[path = "guarded_tests.rs"]
mod tests;
