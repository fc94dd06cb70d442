//! A real Redis, on a unix socket.

use std::{
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{eventually, provided};

/// A server that forgets everything when it ends.
pub(crate) struct Redis {
    folder: tempfile::TempDir,
    running: Option<Child>,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let mut redis = Self { folder: tempfile::tempdir().expect("a folder"), running: None };
        redis.come();
        redis
    }

    /// `[store]` of a configuration.
    pub(crate) fn config(&self) -> String {
        format!("[store]\nurl = \"redis+unix://{}\"\n", self.socket().display())
    }

    /// Starts it again, where it was.
    pub(crate) fn come(&mut self) {
        let mut command = Command::new(provided("MANTLET_TEST_REDIS"));
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]).arg(self.socket());
        command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.running = Some(command.spawn().expect("redis-server starts"));
        eventually("redis listens", || UnixStream::connect(self.socket()).ok().map(drop));
    }

    /// Kills it: no connection is closed in good order.
    pub(crate) fn go(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().expect("it runs");
            child.wait().expect("it ends");
        }
    }

    /// It keeps its connections and says nothing any more; or goes on.
    pub(crate) fn pause(&self, pause: bool) {
        let id = self.running.as_ref().map(Child::id).expect("it runs");
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, if pause { Signal::STOP } else { Signal::CONT }).expect("the signal is taken");
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(child) = &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
