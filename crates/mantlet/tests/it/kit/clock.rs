//! The wall clock of a process, which jumps when somebody sets it.

use std::{ffi::OsString, fs, path::PathBuf};

use tempfile::TempDir;

use super::provided;

/// A clock that shows the real time until it is set. The monotonic clock goes on as it does on a machine whose time is set.
pub(crate) struct Clock {
    folder: TempDir,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let clock = Self { folder: tempfile::tempdir().expect("a folder") };
        clock.set(0);
        clock
    }

    /// So many seconds from the real time.
    pub(crate) fn set(&self, seconds: i64) {
        let new = self.folder.path().join("new");
        fs::write(&new, format!("{seconds:+}")).expect("a file");
        // Whoever reads it sees one of the two, whole.
        fs::rename(new, self.file()).expect("a file");
    }

    /// The environment of a process that goes by it.
    pub(crate) fn variables(&self) -> Vec<(&'static str, OsString)> {
        let mut preload = provided("MANTLET_TEST_FAKETIME");
        // Redis brings jemalloc, which asks for the time before libfaketime is ready: glibc's allocator takes its place.
        preload.push(" libc.so.6");
        vec![
            ("LD_PRELOAD", preload),
            ("FAKETIME_TIMESTAMP_FILE", self.file().into()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ]
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("time")
    }
}
