//! The private folder: where the app's socket lies, and what the app's interpreter is given to run.
//! It goes with the process that made it; what one leaves behind that was killed, the next one
//! removes.

use std::{
    env,
    fs::{self, File, Permissions},
    io,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::{config::LONGEST_SOCKET_PATH, say::Failure};

/// What the names of private folders begin with.
const PREFIX: &str = "mantlet-";
/// In each of them, locked for as long as its process lives.
const LOCK: &str = "lock";
/// The app's socket.
const SOCKET: &str = "app.sock";
/// The socket on which the launcher hands over what may be the key of the app's tokens.
const KEY_SOCKET: &str = "key.sock";
/// The socket on which the app says what has happened.
const EVENT_SOCKET: &str = "event.sock";

/// A folder of mode 0700 that is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct PrivateFolder {
    folder: TempDir,
    _lock: File,
}

impl PrivateFolder {
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path().join(SOCKET)
    }

    pub(crate) fn key_socket(&self) -> PathBuf {
        self.path().join(KEY_SOCKET)
    }

    pub(crate) fn event_socket(&self) -> PathBuf {
        self.path().join(EVENT_SOCKET)
    }

    /// Makes one where that is possible: in the folder for temporary files, in another that
    /// programs share, or in this one.
    pub(crate) fn make(last: Option<&Path>) -> Result<Self, Failure> {
        let mut why = Vec::new();
        let mut tried: Vec<PathBuf> = Vec::new();
        for place in places(last) {
            if tried.contains(&place) {
                continue;
            }
            match Self::make_in(&place) {
                Ok(made) => {
                    remove_leftovers(&place);
                    return Ok(made);
                }
                Err(error) => {
                    let text = error.to_string();
                    // The number says nothing that the words do not.
                    let words = text.split(" (os error").next().unwrap_or_default();
                    why.push(format!("  `{}`: {words}", place.display()));
                }
            }
            tried.push(place);
        }
        Err(Failure::new(format!(
            "cannot create a private folder for the app's socket; tried\n{}\n\
             set the variable TMPDIR to a writable folder, for example `TMPDIR=/run/app`;\n\
             in a container with a read-only root, mount one: `docker run --tmpfs /tmp`, or an `emptyDir` at `/tmp`",
            why.join("\n")
        )))
    }

    fn make_in(place: &Path) -> io::Result<Self> {
        // uvicorn creates its socket for every user; the folder keeps all others out.
        let own = Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix(PREFIX).permissions(own).tempdir_in(place)?;
        // Locked before it has its name, so that no other process takes this folder for one that
        // was left behind.
        let (draft, lock) = (folder.path().join("lock.new"), folder.path().join(LOCK));
        let file = File::create_new(&draft)?;
        file.try_lock().map_err(io::Error::from)?;
        fs::rename(draft, lock)?;
        let socket = folder.path().join(SOCKET);
        let length = folder.path().join(EVENT_SOCKET).as_os_str().len();
        if length > LONGEST_SOCKET_PATH {
            let why =
                format!("too long: a socket's path has {LONGEST_SOCKET_PATH} bytes at most, not {length}");
            return Err(io::Error::other(why));
        }
        // Not every file system has sockets.
        drop(UnixListener::bind(&socket)?);
        fs::remove_file(&socket)?;
        Ok(Self { folder, _lock: file })
    }
}

/// What to say if nothing can be written there.
pub(crate) fn cannot_write(error: &io::Error) -> Failure {
    Failure::new(format!("cannot write the private folder: {error}"))
}

/// Where private folders may be made. `$XDG_RUNTIME_DIR` is not the first, for it goes when its
/// user logs out.
fn places(last: Option<&Path>) -> impl Iterator<Item = PathBuf> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let shared = ["/tmp", "/var/tmp", "/dev/shm", "/run"].map(PathBuf::from);
    let last = last.and_then(|folder| folder.canonicalize().ok());
    [env::temp_dir()].into_iter().chain(runtime).chain(shared).chain(last)
}

/// Removes private folders of ours whose processes are gone.
fn remove_leftovers(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let path = entry.path();
        let is_ours = |found: &fs::Metadata| found.uid() == geteuid().as_raw();
        // Neither follows links.
        let is_folder = entry.metadata().is_ok_and(|found| {
            found.is_dir() && is_ours(&found) && found.permissions().mode().trailing_zeros() >= 6
        });
        let lock = path.join(LOCK);
        let has_lock = || fs::symlink_metadata(&lock).is_ok_and(|found| found.is_file() && is_ours(&found));
        if is_folder && has_lock() && File::open(&lock).is_ok_and(|lock| lock.try_lock().is_ok()) {
            // If it cannot be removed it stays, as it did so far.
            let _ = fs::remove_dir_all(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dead_left_is_removed_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let living = PrivateFolder::make_in(place.path()).unwrap();
        let folder = |name: &str, mode: u32, has_lock: bool| {
            let path = place.path().join(name);
            fs::create_dir(&path).unwrap();
            if has_lock {
                fs::write(path.join(LOCK), "").unwrap();
            }
            fs::write(path.join("launcher.py"), "").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        };
        let dead = folder("mantlet-dead", 0o700, true);
        let kept = [
            folder("mantlet-open", 0o755, true),
            folder("mantlet-without", 0o700, false),
            folder("another-dead", 0o700, true),
        ];
        let link = place.path().join("mantlet-link");
        std::os::unix::fs::symlink(&kept[2], &link).unwrap();
        remove_leftovers(place.path());
        assert!(!dead.exists());
        assert!(kept.iter().all(|path| path.join("launcher.py").exists()) && link.is_symlink());
        assert!(living.path().join(LOCK).exists());
        let path = living.path().to_owned();
        drop(living);
        assert!(!path.exists());
    }

    #[test]
    fn a_place_that_is_too_deep_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let deep = place.path().join("a".repeat(100));
        fs::create_dir(&deep).unwrap();
        let says = PrivateFolder::make_in(&deep).unwrap_err().to_string();
        assert!(says.starts_with("too long: a socket's path has 107 bytes at most"), "{says}");
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 0);
    }
}
