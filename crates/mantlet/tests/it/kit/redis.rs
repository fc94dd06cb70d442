//! A real Redis, on a unix socket.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{PATIENCE, eventually, provided};

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

    /// `[store]` of a configuration. A machine that is busy is no store that is away.
    pub(crate) fn config(&self) -> String {
        format!("[store]\ntimeout = \"500ms\"\nurl = \"{}\"\n", self.url())
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
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

    /// Tells it something, which it must take.
    pub(crate) fn tell(&self, commands: &[&[&str]]) {
        self.ask(commands);
    }

    /// Everything that it is asked from now on.
    pub(crate) fn monitor(&self) -> Monitor {
        Monitor(self.ask(&[&["MONITOR"]]))
    }

    /// Asks, on one connection; what it goes on to say.
    fn ask(&self, commands: &[&[&str]]) -> Lines<BufReader<UnixStream>> {
        let mut stream = UnixStream::connect(self.socket()).expect("redis listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        for words in commands {
            write!(stream, "*{}\r\n", words.len()).expect("it takes it");
            for word in *words {
                write!(stream, "${}\r\n{word}\r\n", word.len()).expect("it takes it");
            }
        }
        let mut lines = BufReader::new(stream).lines();
        for answer in lines.by_ref().take(commands.len()) {
            let answer = answer.expect("an answer");
            assert!(!answer.starts_with('-'), "{answer}");
        }
        lines
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }
}

/// What a server is asked.
pub(crate) struct Monitor(Lines<BufReader<UnixStream>>);

impl Monitor {
    /// What clients have asked, up to where all of these have been run; what scripts have run in between is left out.
    pub(crate) fn until(&mut self, all: &[&str]) -> Vec<String> {
        let (mut seen, mut awaited) = (Vec::new(), all.to_vec());
        while !awaited.is_empty() {
            let line = self.0.next().expect("it goes on").expect("a line");
            awaited.retain(|one| !line.contains(one));
            if !line.contains("[0 lua]") {
                seen.push(line);
            }
        }
        seen
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
