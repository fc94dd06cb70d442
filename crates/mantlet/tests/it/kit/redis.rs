//! A real Redis, on a unix socket; and several of them, which know each other.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Lines, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{PATIENCE, eventually, provided};

/// A server that forgets everything when it ends.
pub(crate) struct Redis {
    folder: tempfile::TempDir,
    running: Option<Child>,
    variables: Vec<(&'static str, OsString)>,
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::start_with(vec![])
    }

    /// With these variables in its environment.
    pub(crate) fn start_with(variables: Vec<(&'static str, OsString)>) -> Self {
        let mut redis = Self { folder: tempfile::tempdir().expect("a folder"), running: None, variables };
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
            .envs(self.variables.iter().cloned())
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

    /// A text that it answers with.
    pub(crate) fn text(&self, command: &[&str]) -> String {
        self.ask(&[command]).next().expect("a text").expect("a line")
    }

    /// Everything that it is asked from now on.
    pub(crate) fn monitor(&self) -> Monitor {
        Monitor(self.ask(&[&["MONITOR"]]))
    }

    fn ask(&self, commands: &[&[&str]]) -> Lines<BufReader<UnixStream>> {
        let stream = UnixStream::connect(self.socket()).expect("redis listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        ask(stream, commands)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }
}

/// What gates tell each other of sessions: the names of their keys, and words of their scripts.
const OF_SESSIONS: [&str; 7] = [
    "mantlet:session",
    "mantlet:credential:",
    "mantlet:account:",
    "mantlet:refresh-",
    "'endless'",
    "'ZREMRANGEBYSCORE'",
    "'HVALS'",
];

/// What a server is asked.
pub(crate) struct Monitor(Lines<BufReader<UnixStream>>);

impl Monitor {
    /// What clients have asked, up to where all of these have been run. What scripts have run is left out, and what is
    /// about sessions.
    pub(crate) fn until(&mut self, all: &[&str]) -> Vec<String> {
        let (mut seen, mut awaited) = (Vec::new(), all.to_vec());
        while !awaited.is_empty() {
            let line = self.0.next().expect("it goes on").expect("a line");
            if OF_SESSIONS.iter().any(|name| line.contains(name)) {
                continue;
            }
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

/// Asks, on one connection; what it goes on to say.
fn ask<S: Read + Write>(mut stream: S, commands: &[&[&str]]) -> Lines<BufReader<S>> {
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

/// One of several servers, on a port of this machine.
pub(crate) struct Node {
    arguments: Vec<String>,
    folder: tempfile::TempDir,
    pub(crate) port: u16,
    running: Option<Child>,
}

impl Node {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::on(free_port(), "", arguments)
    }

    /// One that speaks TLS alone.
    pub(crate) fn with_tls(certificate: &str, key: &str) -> Self {
        let port = free_port();
        let of_tls = ["--tls-port", &port.to_string(), "--tls-cert-file", certificate, "--tls-key-file", key];
        let others = ["--port", "0", "--tls-auth-clients", "no", "--tls-ca-cert-file", certificate];
        Self::on(port, "", &[&of_tls[..], &others[..]].concat())
    }

    /// A master, one that follows it, and who puts that in its place when it is gone.
    pub(crate) fn watched() -> (Self, Self, Self) {
        let master = Self::start(&[]);
        let follower = Self::start(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
        eventually("it follows", || {
            follower.info(&["INFO", "replication"], "master_link_status:up").then_some(())
        });
        let config = format!(
            "sentinel monitor shop 127.0.0.1 {} 1\nsentinel down-after-milliseconds shop 500\n",
            master.port,
        );
        let sentinel = Self::on(free_port(), &config, &["--sentinel"]);
        eventually("it knows who follows", || sentinel.info(&["INFO", "sentinel"], "slaves=1").then_some(()));
        (master, follower, sentinel)
    }

    /// Three that share the slots of keys.
    pub(crate) fn cluster() -> [Self; 3] {
        let slots = [["0", "5460"], ["5461", "10922"], ["10923", "16383"]];
        let mut nodes = slots.map(|[first, last]| {
            let bus = free_port().to_string();
            let node = Self::start(&[
                "--cluster-enabled",
                "yes",
                "--cluster-node-timeout",
                "1000",
                "--cluster-port",
                &bus,
            ]);
            node.tell(&[&["CLUSTER", "ADDSLOTSRANGE", first, last]]);
            (node, bus)
        });
        let [(first, _), others @ ..] = &mut nodes;
        for (other, bus) in others {
            first.tell(&[&["CLUSTER", "MEET", "127.0.0.1", &other.port.to_string(), bus]]);
        }
        let nodes = nodes.map(|(node, _)| node);
        for node in &nodes {
            eventually("they know each other", || {
                let knows = |words| node.info(&["CLUSTER", "INFO"], words);
                (knows("cluster_state:ok") && knows("cluster_known_nodes:3")).then_some(())
            });
        }
        nodes
    }

    fn on(port: u16, config: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("redis.conf"), config).expect("a file");
        let mut all = vec!["redis.conf".to_owned()];
        if !arguments.contains(&"--port") {
            all.extend(["--port".to_owned(), port.to_string()]);
        }
        all.extend(arguments.iter().map(|one| (*one).to_owned()));
        let mut node = Self { arguments: all, folder, port, running: None };
        node.come();
        node
    }

    pub(crate) fn come(&mut self) {
        let mut command = Command::new(provided("MANTLET_TEST_REDIS"));
        command.args(&self.arguments).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.running = Some(command.spawn().expect("redis-server starts"));
        eventually("redis listens", || TcpStream::connect(("127.0.0.1", self.port)).ok().map(drop));
    }

    /// Kills it.
    pub(crate) fn go(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().expect("it runs");
            child.wait().expect("it ends");
        }
    }

    fn tell(&self, commands: &[&[&str]]) -> Lines<BufReader<TcpStream>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("redis listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        ask(stream, commands)
    }

    /// Whether what it tells of itself has these words.
    fn info(&self, command: &[&str], words: &str) -> bool {
        let lines = self.tell(&[command]).map(|line| line.expect("a line"));
        lines.take_while(|line| !line.is_empty()).any(|line| line.contains(words))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(child) = &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that was free a moment ago, and that no connection to elsewhere takes by itself.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id() * 64;
    let mut ports = std::iter::repeat_with(|| {
        let number = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        20_000 + u16::try_from(number).expect("it is small")
    });
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port")
}
