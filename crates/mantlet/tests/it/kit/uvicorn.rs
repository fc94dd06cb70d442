use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::{app::apps, eventually, provided};

/// Ends when the tests do, however they end.
const SERVER: &str = r#"
import os, sys, threading

apps, app, socket = sys.argv[1:]
sys.path.insert(0, apps)

def end_with_the_tests():
    sys.stdin.read()
    os._exit(0)

threading.Thread(target=end_with_the_tests, daemon=True).start()
import uvicorn
uvicorn.run(app, uds=socket, proxy_headers=True, forwarded_allow_ips="*", log_level="critical")
"#;

/// One of the apps in `tests/apps` on a uvicorn of its own, as somebody else would run it.
pub(crate) struct Uvicorn(Child);

impl Uvicorn {
    /// Serves `module:app` on a socket in this folder, once it accepts connections.
    pub(crate) fn serve(app: &str, folder: &Path) -> Self {
        let socket = Self::socket(folder);
        // A server that is gone leaves its socket behind.
        let _ = fs::remove_file(&socket);
        let process = Command::new(provided("MANTLET_TEST_PYTHON"))
            .arg("-c")
            .arg(SERVER)
            .arg(apps())
            .arg(app)
            .arg(&socket)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .spawn()
            .expect("the interpreter in MANTLET_TEST_PYTHON starts");
        let server = Self(process);
        eventually("uvicorn accepts connections", || UnixStream::connect(&socket).ok());
        server
    }

    pub(crate) fn socket(folder: &Path) -> PathBuf {
        folder.join("app.sock")
    }

    /// As `--upstream` wants it.
    pub(crate) fn url(folder: &Path) -> String {
        format!("unix:{}", Self::socket(folder).display())
    }
}

impl Drop for Uvicorn {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
