//! A real PostgreSQL, on a unix socket.

use std::{
    fs,
    os::unix::{fs::chown, net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use super::{eventually, provided};

/// The user and group that a server runs as where tests run as root, which it refuses: `nobody`.
const NOBODY: u32 = 65_534;

/// A server that forgets everything when it ends. The user `postgres` needs no password.
pub(crate) struct Postgres {
    folder: tempfile::TempDir,
    running: Child,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        if geteuid().is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("it is given away");
        }
        let data = folder.path().join("data");
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        let made = program("initdb", folder.path())
            .args([
                "--username",
                "postgres",
                "--auth",
                "trust",
                "--no-sync",
                "--encoding",
                "UTF8",
                "--locale",
                "C",
            ])
            .arg("--pgdata")
            .arg(&data)
            .output()
            .expect("initdb starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let running = program("postgres", folder.path())
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-k"])
            .arg(folder.path())
            .arg("-D")
            .arg(&data)
            .stderr(Stdio::from(log))
            .spawn()
            .expect("postgres starts");
        let postgres = Self { folder, running };
        let socket = postgres.folder().join(".s.PGSQL.5432");
        let pid = data.join("postmaster.pid");
        eventually("PostgreSQL listens", || UnixStream::connect(&socket).ok().map(drop));
        eventually("PostgreSQL is ready", || fs::read_to_string(&pid).ok()?.contains("ready").then_some(()));
        postgres
    }

    /// Where its socket is.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs SQL as a user; it must succeed.
    pub(crate) fn tell(&self, user: &str, sql: &str) -> String {
        let mut psql = program("psql", self.folder());
        psql.args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "-v",
            "ON_ERROR_STOP=1",
            "--user",
            user,
        ]);
        psql.arg("--host").arg(self.folder()).args(["--dbname", "postgres", "--command", sql]);
        let output = psql.output().expect("psql starts");
        assert!(output.status.success(), "{sql}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }
}

fn program(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(PathBuf::from(provided("MANTLET_TEST_POSTGRES")).join(name));
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once, without waiting for clients; its processes end with it.
        if let Some(pid) = i32::try_from(self.running.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::QUIT);
        }
        let _ = self.running.wait();
    }
}
