//! A real OpenID provider, oidc-provider, with its own port, keys, accounts and store.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

use mantlet_controls::config::{Material, Secret};
use mantlet_providers::Login;
use serde_json::{Value, json};

use super::provided;

const CLIENT: &str = "orchard";
/// Its characters must be encoded as in a form before base64 (RFC 6749 section 2.3.1).
const SECRET: &str = "a:b+c%20d/e";
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs until it is dropped.
pub(crate) struct Provider {
    folder: tempfile::TempDir,
    port: u16,
    options: Value,
    running: Mutex<Option<Running>>,
}

struct Running {
    process: Child,
    commands: ChildStdin,
    answers: Receiver<String>,
}

impl Provider {
    /// One whose ID tokens hold all claims.
    pub(crate) fn start() -> Self {
        Self::with(&json!({"idTokenClaims": true}), &json!({}))
    }

    /// One with other options, and other metadata of its client.
    pub(crate) fn with(options: &Value, client: &Value) -> Self {
        let at = |path: &str| format!("https://orchard.example{path}");
        let mut all = json!({
            "client": {
                "client_id": CLIENT,
                "client_secret": SECRET,
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "redirect_uris": [at("/auth/callback/openid"), at("/auth/callback/other")],
                "post_logout_redirect_uris": [at("/goodbye")],
                "backchannel_logout_uri": at("/auth/backchannel-logout/openid"),
                "backchannel_logout_session_required": true,
                "scope": "openid offline_access email profile groups",
            },
        });
        merge(&mut all, options);
        merge(&mut all["client"], client);
        // The kernel knows a port that is free; it is free again until the provider takes it.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let provider = Self { folder, port, options: all, running: Mutex::default() };
        provider.restart();
        provider
    }

    /// Starts it again on the same port, with its keys, tokens and sessions.
    pub(crate) fn restart(&self) {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../mantlet-providers/tests/oidc/provider.mjs");
        let mut process = Command::new(provided("MANTLET_TEST_NODE"))
            .arg(script)
            .arg(provided("MANTLET_TEST_OIDC_PROVIDER"))
            .arg(self.folder.path())
            .arg(self.port.to_string())
            .arg(self.options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(fs::File::create(self.folder.path().join("log")).unwrap()))
            .spawn()
            .expect("the Node in MANTLET_TEST_NODE starts");
        let (send, answers) = channel();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let commands = process.stdin.take().unwrap();
        let running = Running { process, commands, answers };
        assert_eq!(self.answer(&running), json!({"ready": true}));
        *self.running.lock().unwrap() = Some(running);
    }

    /// Kills it.
    pub(crate) fn kill(&self) {
        drop(self.running.lock().unwrap().take());
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The section that names it: three lines, and what makes this provider give refresh tokens.
    pub(crate) fn section(&self) -> Login {
        Login {
            issuer: self.issuer(),
            client_id: CLIENT.to_owned(),
            client_secret: "env:SECRET".to_owned(),
            material: Some(Material(Secret::new(format!("{SECRET}\n").into_bytes()))),
            parameters: [("prompt".to_owned(), "consent".to_owned())].into(),
            ..Login::default()
        }
    }

    /// The token endpoint takes so long.
    pub(crate) fn slow(&self, milliseconds: u64) {
        self.tell(&json!({"command": "slow", "milliseconds": milliseconds}));
    }

    /// The token endpoint answers with this status, until it is 0.
    pub(crate) fn breaks(&self, status: u16) {
        self.tell(&json!({"command": "breaks", "status": status}));
    }

    /// Another key signs. Those before are still published, or not.
    pub(crate) fn rotate(&self, forget: bool) {
        self.tell(&json!({"command": "rotate", "forget": forget}));
    }

    /// Other claims of an account; null: it is gone.
    pub(crate) fn account(&self, name: &str, claims: &Value) {
        self.tell(&json!({"command": "account", "name": name, "claims": claims}));
    }

    /// A token with these claims under the key that signs. `iss` and the header are added where they are missing.
    pub(crate) fn signed(&self, header: &Value, claims: &Value) -> String {
        text(&self.tell(&json!({"command": "sign", "header": header, "claims": claims})))
    }

    /// The same under a key that is not the provider's.
    pub(crate) fn forged(&self, claims: &Value) -> String {
        text(&self.tell(&json!({"command": "sign", "header": {}, "claims": claims, "forged": true})))
    }

    /// The logout tokens that it has sent since its start.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.tell(&json!({"command": "sent"})).as_array().unwrap().iter().map(text).collect()
    }

    /// Number of requests such as `POST /token` since the first start.
    pub(crate) fn asked(&self, what: &str) -> usize {
        let asked = fs::read_to_string(self.folder.path().join("asked")).unwrap_or_default();
        asked.lines().filter(|line| *line == what).count()
    }

    fn tell(&self, command: &Value) -> Value {
        let mut running = self.running.lock().unwrap();
        let running = running.as_mut().expect("it runs");
        writeln!(running.commands, "{command}").unwrap();
        let answer = self.answer(running);
        answer.get("said").unwrap_or_else(|| panic!("{command}: {answer:#}")).clone()
    }

    fn answer(&self, running: &Running) -> Value {
        let line = running.answers.recv_timeout(PATIENCE);
        let said = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        serde_json::from_str(&line.unwrap_or_else(|_| panic!("{}", said()))).unwrap()
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// Null takes a member away.
fn merge(into: &mut Value, from: &Value) {
    for (name, value) in from.as_object().unwrap() {
        into[name] = value.clone();
    }
    into.as_object_mut().unwrap().retain(|_, value| !value.is_null());
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
