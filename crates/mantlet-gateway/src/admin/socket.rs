//! The socket itself: its place and its permissions.

use std::{
    fs::{self, File, Permissions},
    io,
    os::{
        fd::AsRawFd,
        unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
            net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream},
        },
    },
    path::{Path, PathBuf},
    time::Duration,
};

use crate::guarded;

/// How the operator's page names itself, so that the records of its acts say where they came from.
pub const PAGE: &str = "mantlet-page";
/// Longest path of a socket, in bytes; Linux takes 107, macOS 103.
const MAX_PATH: usize = 100;
/// Time for a request and its response.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// A socket that is listened on.
#[derive(Debug)]
pub struct Admin {
    pub(super) listener: StdUnixListener,
    path: PathBuf,
    /// Tells our socket from a newer one at the same path.
    inode: u64,
}

impl Admin {
    /// Creates the socket in an existing folder. A socket that accepts a connection is in use; one
    /// left over from a dead Mantlet is replaced.
    pub fn open(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            // Do not remove a file that Mantlet did not create.
            Ok(found) if !found.file_type().is_socket() => return Err(io::ErrorKind::AlreadyExists.into()),
            // Do not connect to a socket that another user has put there.
            Ok(found) if !guarded::is_trusted(found.uid()) => {
                let why = format!("the socket there belongs to the user {}; remove it", found.uid());
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
            }
            Ok(_) => match connect_now(path) {
                Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // Created in a folder that no other user can enter, and moved into place once it has its
        // mode. So other users cannot open it at any moment.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let draft = tempfile::Builder::new()
            .prefix(".admin-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(folder)?;
        let drafted = draft.path().join("socket");
        let listener = StdUnixListener::bind(Reach::of(&drafted)?.path)?;
        listener.set_nonblocking(true)?;
        fs::set_permissions(&drafted, Permissions::from_mode(0o600))?;
        let inode = fs::symlink_metadata(&drafted)?.ino();
        fs::rename(&drafted, path)?;
        Ok(Self { listener, path: path.to_owned(), inode })
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        // By now the socket of another Mantlet may be there.
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A path that is short enough for a socket.
struct Reach {
    path: PathBuf,
    /// Open for as long as the path leads through it.
    _folder: Option<File>,
}

impl Reach {
    fn of(path: &Path) -> io::Result<Self> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if path.as_os_str().len() <= MAX_PATH {
            return Ok(Self { path: path.to_owned(), _folder: None });
        }
        // Linux lets an open folder stand for its own path.
        if !Path::new("/proc/self/fd").exists() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let folder = File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
        Ok(Self { path, _folder: Some(folder) })
    }
}

pub(super) fn connect_now(path: &Path) -> io::Result<StdUnixStream> {
    StdUnixStream::connect(&Reach::of(path)?.path)
}
