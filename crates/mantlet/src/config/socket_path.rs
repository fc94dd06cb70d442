//! How long the path of a unix socket may be.

use std::path::Path;

/// Bytes of a socket's path, without the zero at its end (`sun_path` in unix(7); macOS takes 103).
pub(crate) const LONGEST_SOCKET_PATH: usize = 107;

/// What to say of a path that no socket can have.
pub(super) fn too_long(path: &Path) -> Option<String> {
    let length = path.as_os_str().len();
    (length > LONGEST_SOCKET_PATH).then(|| {
        format!("the path has {length} bytes, but the path of a unix socket has at most {LONGEST_SOCKET_PATH}; try a relative path")
    })
}
