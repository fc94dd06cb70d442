//! A real Vault, as a process that can be stopped, killed, sealed and started again.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    missing_docs,
    unreachable_pub
)]

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use mantlet_gateway::fetch::{Question, Target, send};
use mantlet_secrets::{Aws, Event, Keeper, Known, Login, Place, Settings, Vault as VaultSettings};
use serde_json::{Value, json};

/// How long anything may take here before a test fails.
pub const LONGEST: Duration = Duration::from_secs(30);

pub struct Vault {
    folder: tempfile::TempDir,
    port: u16,
    tls: Option<(PathBuf, PathBuf)>,
    process: Option<Child>,
    pub root: String,
    unseal: String,
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until something is so.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(start.elapsed() < LONGEST, "not within {LONGEST:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

impl Vault {
    pub fn start() -> Self {
        Self::start_with(None)
    }

    pub fn start_with(tls: Option<(PathBuf, PathBuf)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = Self {
            folder,
            port: free_port(),
            tls,
            process: None,
            root: String::new(),
            unseal: String::new(),
        };
        vault.run();
        let said = vault.ask("PUT", "sys/init", json!({"secret_shares": 1, "secret_threshold": 1}));
        vault.root = said["root_token"].as_str().unwrap().to_owned();
        vault.unseal = said["keys"][0].as_str().unwrap().to_owned();
        vault.unseal();
        vault.ask("POST", "sys/mounts/secret", json!({"type": "kv", "options": {"version": "2"}}));
        vault.ask("POST", "sys/mounts/old", json!({"type": "kv", "options": {"version": "1"}}));
        until("the engine is ready", || {
            vault
                .try_ask("POST", "secret/data/first", json!({"data": {"a": "b"}}))
                .filter(|said| said.0 == 200)
        });
        vault
    }

    /// Starts the process, sealed.
    pub fn run(&mut self) {
        let program = env::var_os("MANTLET_TEST_VAULT").expect("`cargo xtask vault` sets MANTLET_TEST_VAULT");
        let log = fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let mut command = Command::new(program);
        command.arg("-storage").arg(self.folder.path().join("storage"));
        command.args(["-listen", &format!("127.0.0.1:{}", self.port)]);
        if let Some((certificate, key)) = &self.tls {
            command.arg("-tls-cert").arg(certificate).arg("-tls-key").arg(key);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.process = Some(child);
        until("Vault answers", || self.try_ask("GET", "sys/seal-status", Value::Null));
    }

    pub fn unseal(&self) {
        self.ask("PUT", "sys/unseal", json!({"key": self.unseal}));
        until("Vault is unsealed and active", || {
            self.try_ask("GET", "sys/health", Value::Null).filter(|said| said.0 == 200)
        });
    }

    pub fn seal(&self) {
        self.ask("PUT", "sys/seal", Value::Null);
    }

    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    pub fn address(&self) -> String {
        format!("{}://localhost:{}", if self.tls.is_some() { "https" } else { "http" }, self.port)
    }

    pub fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, said) =
            self.try_ask(method, path, body).unwrap_or_else(|| panic!("no answer to {path}"));
        assert!(status < 300, "{path}: {status} {said}");
        said
    }

    pub fn try_ask(&self, method: &str, path: &str, body: Value) -> Option<(u16, Value)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut target = Target::of_url(&format!("{}/v1/{path}", self.address())).unwrap();
        if let Some((certificate, _)) = &self.tls {
            target = target.trusting(fs::read(certificate).unwrap());
        }
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let question =
            Question { method: Method::from_bytes(method.as_bytes()).unwrap(), ..Question::default() };
        let question = Question { body, ..question }
            .with(HeaderName::from_static("x-vault-token"), HeaderValue::from_str(&self.root).unwrap());
        let answer = runtime.block_on(send(&target, question, Duration::from_secs(5), 1 << 20)).ok()?;
        Some((answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or(Value::Null)))
    }

    pub fn put(&self, path: &str, fields: Value) {
        self.ask("POST", &format!("secret/data/{path}"), json!({"data": fields}));
    }

    pub fn policy(&self, name: &str, rules: &str) {
        self.ask("PUT", &format!("sys/policies/acl/{name}"), json!({"policy": rules}));
    }

    /// A token with one policy, that lives so long.
    pub fn token(&self, policy: &str, ttl: &str) -> String {
        let said = self.ask(
            "POST",
            "auth/token/create",
            json!({"policies": [policy], "ttl": ttl, "explicit_max_ttl": ttl}),
        );
        said["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    pub fn settings(&self, login: Login) -> Settings {
        settings(VaultSettings { address: self.address(), login: Some(login), ..VaultSettings::default() })
    }

    /// A keeper that has the root token.
    pub fn keeper(&self) -> Keeper {
        Keeper::start(self.settings(token(&self.root))).unwrap()
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Asks again every 100 ms. A reference is the secret itself here, after `is:`; or a file.
pub fn settings(vault: VaultSettings) -> Settings {
    let read_here = |place: &str| match place.split_once(':') {
        Some(("is", secret)) => Ok(secret.as_bytes().to_vec()),
        Some(("file", path)) => fs::read(path).map_err(|error| error.to_string()),
        _ => Err(format!("`{place}` is not a place")),
    };
    Settings {
        vault,
        aws: Aws::default(),
        refresh: Duration::from_millis(100),
        read_here: Arc::new(read_here),
        variables: Arc::default(),
    }
}

pub fn token(token: &str) -> Login {
    Login::Token(format!("is:{token}"))
}

pub fn read(keeper: &Keeper, place: &str) -> Result<String, String> {
    let known = keeper.read(&Place::of_vault(place).unwrap());
    known.map(|Known { bytes, .. }| String::from_utf8(bytes).unwrap())
}

/// The next event that is one of these.
pub fn wait_for(
    events: &mut tokio::sync::mpsc::UnboundedReceiver<Event>,
    is_it: impl Fn(&Event) -> bool,
) -> Event {
    until("the event", || events.try_recv().ok().filter(|event| is_it(event)))
}

pub fn write(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path
}
