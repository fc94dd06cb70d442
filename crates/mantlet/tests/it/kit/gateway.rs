use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use mantlet_controls::{Reason, audit::ACTIONS, reason::EVENTS};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    PATIENCE,
    app::apps,
    command::{Finished, Typed},
    eventually, eventually_within, provided,
};

/// How to start the gateway.
pub(crate) struct Setup {
    arguments: Vec<OsString>,
    config: String,
    listen: Option<String>,
    state: Option<PathBuf>,
    descriptors: Option<u32>,
    has_little_room: bool,
    disk: Option<String>,
    variables: Vec<(&'static str, OsString)>,
    working_folder: PathBuf,
    /// Nothing is added to the configuration but the state folder.
    as_it_is: bool,
    /// What the app writes is kept.
    is_heard: bool,
    patience: Duration,
}

impl Setup {
    /// `mantlet serve` in front of an upstream that is asked for nothing but what clients ask for.
    pub(crate) fn serve(upstream: &str) -> Self {
        Self::serve_with(upstream, &["--openapi", "off"])
    }

    /// `mantlet serve` with these arguments.
    pub(crate) fn serve_with(upstream: &str, arguments: &[&str]) -> Self {
        let arguments = ["serve", "--upstream", upstream].into_iter().chain(arguments.iter().copied());
        Self::new(arguments.map(OsString::from).collect())
    }

    /// `mantlet run` of an app in `tests/apps`.
    pub(crate) fn run(app: &str) -> Self {
        Self::run_with(provided("MANTLET_TEST_PYTHON"), app)
    }

    /// The same, in an environment with other packages.
    pub(crate) fn run_with(python: OsString, app: &str) -> Self {
        Self::new(vec!["run".into(), app.into(), "--python".into(), python])
    }

    fn new(arguments: Vec<OsString>) -> Self {
        Self {
            arguments,
            config: String::new(),
            listen: None,
            state: None,
            descriptors: None,
            has_little_room: false,
            disk: None,
            variables: vec![],
            working_folder: apps(),
            as_it_is: false,
            is_heard: false,
            patience: PATIENCE,
        }
    }

    /// The text of `mantlet.toml`.
    pub(crate) fn config(mut self, config: &str) -> Self {
        config.clone_into(&mut self.config);
        self
    }

    /// In the configuration that is given and no other.
    pub(crate) fn by_default(self) -> Self {
        Self { as_it_is: true, ..self }
    }

    /// For an app that takes its time to start.
    pub(crate) fn patient(self) -> Self {
        Self { patience: 8 * PATIENCE, ..self }
    }

    /// `mantlet run` of an app in this folder, in the configuration that is given and no other.
    pub(crate) fn run_in(folder: &Path, app: &str, arguments: &[String]) -> Self {
        let mut setup = Self::run(app);
        setup.arguments.extend(arguments.iter().map(OsString::from));
        Self { working_folder: folder.to_owned(), as_it_is: true, ..setup }
    }

    /// In this working folder, which is the app's too.
    pub(crate) fn in_folder(self, folder: &Path) -> Self {
        Self { working_folder: folder.to_owned(), ..self }
    }

    /// Keeps what the app writes for [`Gateway::stdout`]: a line for each request that reaches it.
    pub(crate) fn heard(self) -> Self {
        Self { is_heard: true, ..self }
    }

    /// Where to listen, if not on a free port.
    pub(crate) fn listen(mut self, listen: &str) -> Self {
        self.listen = Some(listen.to_owned());
        self
    }

    /// A state folder that outlives it.
    pub(crate) fn state(mut self, folder: &Path) -> Self {
        self.state = Some(folder.to_owned());
        self
    }

    /// The most descriptors that the process may have.
    pub(crate) fn descriptors(mut self, most: u32) -> Self {
        self.descriptors = Some(most);
        self
    }

    /// [`Gateway::set_room`] can be used: what does not fit is an error and not its end.
    pub(crate) fn with_little_room(mut self) -> Self {
        self.has_little_room = true;
        self
    }

    /// Its state folder is a disk of its own, of this size, which only it sees (see [`Gateway::own_state`]).
    pub(crate) fn on_a_disk_of(mut self, size: &str) -> Self {
        self.disk = Some(size.to_owned());
        self
    }

    /// Variables of its environment.
    pub(crate) fn variables(mut self, variables: Vec<(&'static str, OsString)>) -> Self {
        self.variables = variables;
        self
    }

    /// Starts it and waits until it says that it is ready.
    pub(crate) fn start(self) -> Gateway {
        let folder = tempfile::tempdir().expect("a folder");
        let state = self.state.unwrap_or_else(|| folder.path().join("state"));
        let config = if self.as_it_is {
            write_as_it_is(folder.path(), &state, &self.config)
        } else {
            write_config(folder.path(), &state, &self.config)
        };
        let descriptors = self.descriptors.map(|most| format!("ulimit -n {most} && "));
        let room = self.has_little_room.then(|| "trap '' XFSZ && ".to_owned());
        let disk = self.disk.as_ref().map(|size| {
            fs::create_dir_all(&state).expect("a folder");
            format!("mount -t tmpfs -o size={size},mode=700 tmpfs '{}' && ", state.display())
        });
        let before: String = disk.iter().cloned().chain(descriptors).chain(room).collect();
        let mut command = if before.is_empty() {
            Command::new(env!("CARGO_BIN_EXE_mantlet"))
        } else {
            // Mounts are its own: in a namespace, in which it may mount, whoever runs the test.
            let mut shell = Command::new(if disk.is_some() { "unshare" } else { "sh" });
            if disk.is_some() {
                shell.args(["--map-root-user", "--mount", "sh"]);
            }
            shell.args(["-c", &format!("{before}exec \"$0\" \"$@\"")]).arg(env!("CARGO_BIN_EXE_mantlet"));
            shell
        };
        // Variables that begin so are settings.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MANTLET_"))
        {
            command.env_remove(name);
        }
        let mut child = command
            .args(self.arguments)
            .arg("--config")
            .arg(&config)
            .args(["--listen", self.listen.as_deref().unwrap_or("127.0.0.1:0")])
            .current_dir(self.working_folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            // Memory is measured, and pages of 2 MiB would count as a whole.
            .env("MIMALLOC_ALLOW_THP", "0")
            // What it leaves behind goes with it.
            .env("TMPDIR", folder.path())
            .envs(self.variables)
            .stdin(Stdio::null())
            // An app of its own writes a line for each request.
            .stdout(if self.is_heard { Stdio::piped() } else { Stdio::null() })
            .stderr(Stdio::piped())
            .spawn()
            .expect("mantlet starts");
        let stderr = Log::follow(child.stderr.take().expect("a pipe"));
        let stdout = child.stdout.take().map(Log::follow);
        let mut gateway = Gateway { child, folder, state, listen: String::new(), stdout, stderr };
        let ready = gateway.stderr.wait_for_within("ready behind ", self.patience);
        gateway.listen.push_str(ready.rsplit("ready behind ").next().unwrap_or_default().trim());
        gateway
    }
}

fn write_config(folder: &Path, state: &Path, text: &str) -> PathBuf {
    // Tests ask more often than clients may: those that are about that say so.
    let throttle = if text.contains("[throttle") { "" } else { "\n[throttle]\nmode = \"off\"\n" };
    write_as_it_is(folder, state, &format!("{text}{throttle}"))
}

fn write_as_it_is(folder: &Path, state: &Path, text: &str) -> PathBuf {
    let (config, new) = (folder.join("mantlet.toml"), folder.join("mantlet.toml.new"));
    let state = format!("state-folder = {:?}\n", state.to_str().expect("a path that is text"));
    fs::write(&new, state + text).expect("the configuration is written");
    // Whoever reads it sees one of the two, whole.
    fs::rename(&new, &config).expect("the configuration is replaced");
    config
}

/// The real binary, running.
pub(crate) struct Gateway {
    child: Child,
    folder: TempDir,
    state: PathBuf,
    listen: String,
    stdout: Option<Log>,
    stderr: Log,
}

/// What it left behind.
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    pub(crate) audit: Vec<Value>,
    /// How much like it was counted and not recorded.
    pub(crate) sums: Vec<Value>,
}

impl End {
    /// How often something was decided for a reason, recorded or only counted.
    pub(crate) fn count(&self, reason: &str) -> u64 {
        let recorded = self.audit.iter().filter(|record| record["reason"] == reason).count();
        let of_all = |sum: &&Value| sum["reason"] == reason && sum["client_ip"].is_null();
        let counted = self.sums.iter().filter(of_all).filter_map(|sum| sum["summed"]["count"].as_u64());
        u64::try_from(recorded).expect("a count") + counted.sum::<u64>()
    }
}

impl Gateway {
    pub(crate) fn addr(&self) -> SocketAddr {
        self.listen.rsplit("//").next().unwrap_or_default().parse().expect("an address with a port")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn audit_file(&self) -> PathBuf {
        self.state.join("audit.jsonl")
    }

    /// Its state folder as it sees it, also after its end for as long as this is kept open.
    pub(crate) fn own_state(&self) -> (fs::File, PathBuf) {
        use std::os::fd::AsRawFd;
        let seen = format!("/proc/{}/root{}", self.pid(), self.state.display());
        let folder = fs::File::open(seen).expect("its state folder");
        let path = format!("/proc/{}/fd/{}", std::process::id(), folder.as_raw_fd());
        (folder, path.into())
    }

    /// What a command says that asks it.
    pub(crate) fn tell(&self, arguments: &[&str]) -> Finished {
        Typed::mantlet(arguments).argument("--config").argument(&self.config_file()).finish()
    }

    pub(crate) fn config_file(&self) -> String {
        self.folder.path().join("mantlet.toml").to_str().expect("a path that is text").to_owned()
    }

    /// The records of actions with these events, once there are as many as expected.
    pub(crate) fn actions(&self, events: &[&str], count: usize) -> Vec<Value> {
        eventually(&format!("{count} of {events:?}"), || {
            let is_one = |record: &Value| events.iter().any(|event| record["security_event"] == *event);
            let found: Vec<_> = read_all(&self.audit_file()).into_iter().filter(is_one).collect();
            (found.len() >= count).then_some(found)
        })
    }

    /// The audit records of decisions, once there are as many as expected.
    pub(crate) fn audit(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} audit records"), || {
            let (records, _) = read_records(&self.audit_file());
            (records.len() >= count).then_some(records)
        })
    }

    /// The only audit record of a request, once it is there.
    pub(crate) fn audit_of(&self, request_id: &str) -> Value {
        let of_request = |record: &Value| record["request_id"] == request_id;
        eventually(&format!("a record of {request_id}"), || {
            read_records(&self.audit_file()).0.into_iter().find(of_request)
        })
    }

    /// Gives it another `mantlet.toml` and asks it to read it.
    pub(crate) fn reload(&self, config: &str) {
        write_config(self.folder.path(), &self.state, config);
        self.signal(Signal::HUP);
    }

    /// Waits until it has said this so many times.
    pub(crate) fn wait_for(&self, text: &str, times: usize) {
        eventually(&format!("{text:?}, {times} times"), || {
            (self.stderr.text().matches(text).count() >= times).then_some(())
        });
    }

    /// What its app has written so far, if it is heard.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.as_ref().expect("it is heard").text()
    }

    /// What it has said so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the process is there");
    }

    /// From now on there is room for what it writes, or for nothing: to the kernel its files are as long as
    /// files may be.
    pub(crate) fn set_room(&self, has_room: bool) {
        let limit = Rlimit { current: (!has_room).then_some(0), maximum: None };
        prlimit(Some(Pid::from_child(&self.child)), Resource::Fsize, limit).expect("the limit is set");
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> End {
        let status = eventually("mantlet ends", || self.child.try_wait().expect("it can be asked"));
        self.stderr.finish();
        let ((audit, sums), stderr) = (read_records(&self.audit_file()), self.stderr.text());
        assert!(!stderr.contains("panicked"), "a panic:\n{stderr}");
        End { status, audit, sums }
    }

    /// Interrupts it: it finishes what is under way, and every record is written.
    pub(crate) fn end(self) -> End {
        self.signal(Signal::INT);
        self.wait()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself. An app of its own ends with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            // Not so much that the failure above it is not seen.
            let said = self.stderr.text();
            let lines: Vec<_> = said.lines().collect();
            let last = &lines[lines.len().saturating_sub(40)..];
            eprintln!("what mantlet said last:\n{}", last.join("\n"));
        }
    }
}

/// Whether records may have this code. The docs are held against the same list.
pub(crate) fn is_code(code: &str) -> bool {
    Reason::ALL.iter().any(|reason| reason.code() == code)
        || EVENTS.contains(&code)
        || ACTIONS.contains(&code)
}

/// Whether a record says something of the log itself: that it was begun, sealed or closed.
pub(crate) fn is_of_the_log(record: &Value) -> bool {
    record["security_event"].as_str().is_some_and(|event| event.starts_with("log-"))
}

/// What was decided, and what was only counted. What was done is of interest to few tests.
fn read_records(file: &Path) -> (Vec<Value>, Vec<Value>) {
    let decisions = read_all(file).into_iter().filter(|record| !is_of_action(record));
    decisions.partition(|record| record["security_event"] != "records-summed")
}

/// Whether a record, or a sum, says what was done.
pub(crate) fn is_of_action(record: &Value) -> bool {
    let event = record["summed"]["event"].as_str().or_else(|| record["security_event"].as_str());
    event.is_some_and(|event| ACTIONS.contains(&event))
}

/// All records.
pub(crate) fn read_all(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    // The last line may be half written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let records = whole.lines().map(|line| {
        let record: Value = serde_json::from_str(line).expect("a record is JSON");
        assert!(record["seq"].is_u64(), "a record without a number: {record}");
        let is_known = record["reason"].as_str().is_none_or(is_code);
        assert!(is_known, "its code is not in docs/reasons.md: {record}");
        record
    });
    records.filter(|record| !is_of_the_log(record)).collect()
}

/// The lines that a process writes, as they come.
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Log {
    pub(crate) fn follow(source: impl std::io::Read + Send + 'static) -> Self {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let shared = Arc::clone(&lines);
        let reader = thread::spawn(move || {
            for line in BufReader::new(source).lines().map_while(Result::ok) {
                shared.lock().unwrap().push(line);
            }
        });
        Self { lines, reader: Some(reader) }
    }

    pub(crate) fn text(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    pub(super) fn wait_for(&self, text: &str) -> String {
        self.wait_for_within(text, PATIENCE)
    }

    fn wait_for_within(&self, text: &str, patience: Duration) -> String {
        eventually_within(patience, &format!("a line with {text:?}"), || {
            if self.reader.as_ref().is_some_and(JoinHandle::is_finished) {
                assert!(self.text().contains(text), "it ended before it wrote a line with {text:?}");
            }
            self.lines.lock().unwrap().iter().find(|line| line.contains(text)).cloned()
        })
    }

    /// Whether all that will ever be written has been read.
    pub(super) fn is_complete(&self) -> bool {
        self.reader.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Reads to the end; the writer has ended.
    pub(super) fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
