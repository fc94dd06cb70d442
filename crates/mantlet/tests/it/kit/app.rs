use std::{
    ffi::OsStr,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

use serde_json::Value;

use super::{Client, PATIENCE, eventually, eventually_within, provided};

/// Serves an app as Mantlet's launcher would; ends, and cleans up, when whoever started it does.
const SERVER: &str = r#"
import os, shutil, socket, sys, threading

apps, folder, app, kind = sys.argv[1:]
sys.path.insert(0, apps)

def end_with_the_starter():
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)

threading.Thread(target=end_with_the_starter, daemon=True).start()
import uvicorn
options = dict(
    proxy_headers=True,
    forwarded_allow_ips="*",
    server_header=False,
    timeout_keep_alive=75,
    log_level="critical",
)
if kind == "unix":
    uvicorn.run(app, uds=f"{folder}/app.sock", **options)
else:
    listening = socket.create_server(("127.0.0.1", 0))
    with open(f"{folder}/new", "w") as file:
        file.write("%s:%s" % listening.getsockname())
    os.rename(f"{folder}/new", f"{folder}/address")
    uvicorn.Server(uvicorn.Config(app, **options)).run([listening])
"#;

/// The apps that tests run.
pub(crate) fn apps() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps")
}

/// A real FastAPI app on a real uvicorn, without Mantlet.
pub(crate) struct App {
    socket: PathBuf,
    file: PathBuf,
    /// Holds the pipe by which the app learns that it is not needed any more.
    process: Child,
}

impl App {
    /// The one that writes down what reaches it. All tests share it.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<App> = LazyLock::new(|| App::start("recorder:app"));
        &SHARED
    }

    /// One of the apps in `tests/apps`.
    pub(crate) fn start(app: &str) -> Self {
        let app = Self::spawn(&provided("MANTLET_TEST_PYTHON"), &apps(), app, "unix");
        eventually("the app accepts connections", || UnixStream::connect(&app.socket).ok());
        app
    }

    /// The same, in an environment with other packages, and for clients that need an address.
    pub(crate) fn over_tcp(python: &OsStr, app: &str) -> (Self, SocketAddr) {
        Self::of_folder(python, &apps(), app)
    }

    /// The same, of an app in another folder.
    pub(crate) fn of_folder(python: &OsStr, apps: &Path, app: &str) -> (Self, SocketAddr) {
        let app = Self::spawn(python, apps, app, "tcp");
        let address = app.socket.with_file_name("address");
        let address = eventually_within(8 * PATIENCE, "the app listens", || {
            fs::read_to_string(&address).ok()?.parse().ok()
        });
        // It listens before it is imported, and clients have less patience.
        let mut first = TcpStream::connect(address).expect("a connection");
        first.set_read_timeout(Some(8 * PATIENCE)).expect("a timeout");
        first.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("the bytes are taken");
        first.read_exact(&mut [0]).expect("the app answers");
        (app, address)
    }

    fn spawn(python: &OsStr, apps: &Path, app: &str, kind: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("mantlet-it-").tempdir().expect("a folder").keep();
        let (socket, file) = (folder.join("app.sock"), folder.join("records.jsonl"));
        let process = Command::new(python)
            .arg("-c")
            .arg(SERVER)
            .args([apps, &folder])
            .args([app, kind])
            .current_dir(apps)
            .env("RECORDER_FILE", &file)
            .env("TMPDIR", &folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .spawn()
            .expect("the interpreter starts");
        Self { socket, file, process }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect_unix(self.socket.to_str().expect("a path that is text"))
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

impl Drop for App {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
