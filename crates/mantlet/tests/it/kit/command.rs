use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{PATIENCE, app::apps, eventually, eventually_within, gateway::Log, processes, provided};

/// A FastAPI app as small as they come.
pub(crate) const THREE_LINES: &str =
    "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/')\ndef root(): return {'hello': 'world'}\n";

/// The command as a person types it: in a folder of its own, with the app's environment activated.
pub(crate) struct Typed {
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(String, OsString)>,
    folder: TempDir,
    /// Where it is typed, if not in that folder.
    place: Option<PathBuf>,
    /// Where private folders are made.
    runtime: TempDir,
}

/// It runs.
pub(crate) struct Process {
    child: Child,
    folder: Arc<TempDir>,
    runtime: Arc<TempDir>,
    stdout: Log,
    stderr: Log,
}

/// It has ended.
pub(crate) struct Finished {
    /// None if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) folder: Arc<TempDir>,
    pub(crate) runtime: Arc<TempDir>,
}

/// The folder of the environment that `cargo xtask test` provides.
pub(crate) fn environment() -> PathBuf {
    let python = PathBuf::from(provided("MANTLET_TEST_PYTHON"));
    python.parent().and_then(Path::parent).expect("ENVIRONMENT/bin/python").to_owned()
}

impl Typed {
    pub(crate) fn mantlet<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let active = environment();
        Self {
            program: env!("CARGO_BIN_EXE_mantlet").into(),
            arguments: arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect(),
            variables: vec![],
            folder: tempfile::tempdir().expect("a folder"),
            place: None,
            runtime: tempfile::tempdir().expect("a folder"),
        }
        .variable("PATH", with_path(&active.join("bin")))
        .variable("VIRTUAL_ENV", active)
    }

    /// `mantlet run` on a free port, then these arguments.
    pub(crate) fn run(arguments: &[&str]) -> Self {
        Self::mantlet(["run", "--listen", "127.0.0.1:0"].iter().chain(arguments))
    }

    /// Another program instead of the one that was built.
    pub(crate) fn program(mut self, program: impl Into<OsString>) -> Self {
        self.program = program.into();
        self
    }

    /// A file in the folder.
    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
        self
    }

    /// One of the apps of the tests, in the folder.
    pub(crate) fn app(self, name: &str) -> Self {
        let content = fs::read_to_string(apps().join(name)).expect("an app");
        self.file(name, &content)
    }

    /// In `tests/apps` itself.
    pub(crate) fn among_the_apps(mut self) -> Self {
        self.place = Some(apps());
        self
    }

    /// In a folder that is there already.
    pub(crate) fn at(mut self, folder: &Path) -> Self {
        self.place = Some(folder.to_owned());
        self
    }

    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// The example shop, in the folder.
    pub(crate) fn shop(self) -> Self {
        copy_shop(self.folder.path());
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn start(self) -> Process {
        let mut command = Command::new(&self.program);
        for (name, _) in env::vars_os() {
            // Variables that begin so are settings.
            if name.to_string_lossy().starts_with("MANTLET_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .args(&self.arguments)
            .current_dir(self.place.as_deref().unwrap_or(self.folder.path()))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("TMPDIR", self.runtime.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let stdout = Log::follow(child.stdout.take().expect("a pipe"));
        let stderr = Log::follow(child.stderr.take().expect("a pipe"));
        let (folder, runtime) = (Arc::new(self.folder), Arc::new(self.runtime));
        Process { child, folder, runtime, stdout, stderr }
    }

    /// Starts it and waits for its end.
    pub(crate) fn finish(self) -> Finished {
        self.start().wait()
    }
}

/// Copies the example shop, without what it leaves behind where it runs.
pub(crate) fn copy_shop(to: &Path) {
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop");
    let mut files = 0;
    for entry in fs::read_dir(shop).expect("the shop") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|kind| kind == "py" || kind == "html") {
            fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("a file");
            files += 1;
        }
    }
    assert!(files >= 8, "{files}");
}

/// `PATH` with a folder before all others.
pub(crate) fn with_path(folder: &Path) -> OsString {
    let known = env::var_os("PATH").unwrap_or_default();
    env::join_paths([folder.to_owned()].into_iter().chain(env::split_paths(&known))).expect("a path")
}

impl Process {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn runtime(&self) -> &Path {
        self.runtime.path()
    }

    /// Waits for a line on standard error that holds this text.
    pub(crate) fn line(&self, text: &str) -> String {
        self.stderr.wait_for(text)
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Waits until it says that it is ready; where it listens.
    pub(crate) fn ready(&self) -> SocketAddr {
        let line = self.line("ready behind http");
        line.rsplit("//").next().and_then(|address| address.parse().ok()).expect("an address")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the process is there");
    }

    /// What it has started.
    pub(crate) fn descendants(&self) -> Vec<u32> {
        processes::descendants(self.pid())
    }

    pub(crate) fn wait(self) -> Finished {
        self.wait_within(PATIENCE)
    }

    /// The same, of what takes longer than all else.
    pub(crate) fn wait_within(mut self, patience: Duration) -> Finished {
        let ended = || self.child.try_wait().expect("it can be asked");
        let status = eventually_within(patience, "the command ends", ended);
        eventually("its output ends", || {
            (self.stdout.is_complete() && self.stderr.is_complete()).then_some(())
        });
        let (stdout, stderr) = (self.stdout.text(), self.stderr.text());
        assert!(!stderr.contains("panicked at"), "a panic:\n{stderr}");
        let (folder, runtime) = (Arc::clone(&self.folder), Arc::clone(&self.runtime));
        Finished { code: status.code(), stdout, stderr, folder, runtime }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself. An app of its own ends with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("what it said:\n{}\n{}", self.stdout.text(), self.stderr.text());
        }
    }
}
