use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

use serde_json::Value;

use super::{eventually, provided};

/// Serves the recorder as Mantlet's launcher would; ends, and cleans up, when the tests do.
const SERVER: &str = r#"
import os, shutil, sys, threading

apps, folder = sys.argv[1:]
sys.path.insert(0, apps)

def end_with_the_tests():
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)

threading.Thread(target=end_with_the_tests, daemon=True).start()
import uvicorn
uvicorn.run(
    "recorder:app",
    uds=f"{folder}/app.sock",
    proxy_headers=True,
    forwarded_allow_ips="*",
    server_header=False,
    timeout_keep_alive=75,
    log_level="critical",
)
"#;

/// The apps that tests run.
pub(crate) fn apps() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps")
}

/// A real FastAPI app on a real uvicorn that writes down what reaches it. All tests share it.
pub(crate) struct App {
    socket: PathBuf,
    file: PathBuf,
    /// Holds the pipe by which the app learns that the tests have ended.
    _process: Child,
}

impl App {
    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<App> = LazyLock::new(App::start);
        &SHARED
    }

    fn start() -> Self {
        let python = provided("MANTLET_TEST_PYTHON");
        let folder = tempfile::Builder::new().prefix("mantlet-it-").tempdir().expect("a folder").keep();
        let (socket, file) = (folder.join("app.sock"), folder.join("records.jsonl"));
        let process = Command::new(python)
            .arg("-c")
            .arg(SERVER)
            .args([&apps(), &folder])
            .env("RECORDER_FILE", &file)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .spawn()
            .expect("the interpreter in MANTLET_TEST_PYTHON starts");
        eventually("the app accepts connections", || UnixStream::connect(&socket).ok());
        Self { socket, file, _process: process }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// What reached the app and holds this text anywhere, in the order in which it came.
    pub(crate) fn records(&self, marker: &str) -> Vec<Value> {
        let lines = fs::read_to_string(&self.file).unwrap_or_default();
        let marked = lines.lines().filter(|line| line.contains(marker));
        marked.map(|line| serde_json::from_str(line).expect("a record is JSON")).collect()
    }
}
