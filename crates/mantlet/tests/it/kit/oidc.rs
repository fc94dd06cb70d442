//! A real OIDC provider, oidc-provider, with its own port, keys and store.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use super::{Answer, Client, PATIENCE, gateway::Log, provided, redis::free_port};

const CLIENT: &str = "gate";

/// Its characters must be encoded as in a form before base64 (RFC 6749 section 2.3.1).
const SECRET: &str = "a:b+c%20d/e";

/// Runs until it is dropped.
pub(crate) struct Provider {
    folder: tempfile::TempDir,
    port: u16,
    running: Mutex<Option<Running>>,
}

struct Running {
    process: Child,
    commands: ChildStdin,
    answers: Receiver<String>,
    stderr: Log,
}

/// A token to ask for.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    audience: &'a str,
    scope: &'a str,
    algorithm: &'a str,
    lifetime: Duration,
    opaque: bool,
    /// A user, and a session.
    owner: Option<(&'a str, &'a str)>,
}

impl<'a> Wanted<'a> {
    /// For the client itself, as a JWT under ES256, good for an hour.
    pub(crate) fn new(audience: &'a str, scope: &'a str) -> Self {
        let lifetime = Duration::from_hours(1);
        Self { audience, scope, algorithm: "ES256", lifetime, opaque: false, owner: None }
    }

    /// For a user and a session, as after a login.
    pub(crate) fn of(mut self, subject: &'a str, session: &'a str) -> Self {
        self.owner = Some((subject, session));
        self
    }

    /// `RS256`, `ES256` or `EdDSA`.
    pub(crate) fn under(mut self, algorithm: &'a str) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Whole seconds, at least one.
    pub(crate) fn lasting(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// A random text, whose meaning only the provider knows.
    pub(crate) fn opaque(mut self) -> Self {
        self.opaque = true;
        self
    }
}

impl Provider {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let provider = Self { folder, port: free_port(), running: Mutex::default() };
        provider.restart();
        provider
    }

    /// Starts it again on the same port, with its keys and tokens.
    pub(crate) fn restart(&self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc/provider.mjs");
        let mut process = Command::new(provided("MANTLET_TEST_NODE"))
            .arg(script)
            .arg(provided("MANTLET_TEST_OIDC_PROVIDER"))
            .arg(self.folder.path())
            .arg(self.port.to_string())
            .env("CLIENT_SECRET", SECRET)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the Node in MANTLET_TEST_NODE starts");
        let (send, answers) = channel();
        let stdout = BufReader::new(process.stdout.take().expect("a pipe"));
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let commands = process.stdin.take().expect("a pipe");
        let stderr = Log::follow(process.stderr.take().expect("a pipe"));
        let running = Running { process, commands, answers, stderr };
        assert_eq!(running.answer(), json!({"ready": true}));
        *self.running.lock().unwrap() = Some(running);
    }

    /// Kills it.
    pub(crate) fn kill(&self) {
        drop(self.running.lock().unwrap().take());
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.address())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// The address of its keys.
    pub(crate) fn keys(&self) -> String {
        format!("{}/jwks", self.issuer())
    }

    /// An access token, as [`Wanted::new`] says.
    pub(crate) fn token(&self, audience: &str, scope: &str) -> String {
        self.issue(Wanted::new(audience, scope))
    }

    /// The same as an opaque token.
    pub(crate) fn opaque_token(&self, audience: &str, scope: &str) -> String {
        self.issue(Wanted::new(audience, scope).opaque())
    }

    pub(crate) fn issue(&self, wanted: Wanted<'_>) -> String {
        let Wanted { audience, scope, algorithm, lifetime, opaque, owner } = wanted;
        let opaque = if opaque { "&opaque" } else { "" };
        let resource = format!(
            "https://api.test/?audience={}&alg={algorithm}&ttl={}{opaque}",
            encoded(audience),
            lifetime.as_secs(),
        );
        let mut form = vec![("scope", scope), ("resource", &resource)];
        match owner {
            Some((subject, session)) => {
                form.extend([("grant_type", "urn:mantlet:user"), ("subject", subject), ("sid", session)]);
            }
            None => form.push(("grant_type", "client_credentials")),
        }
        let answer = self.post("/token", &form);
        let token = answer.json()["access_token"].as_str().map(str::to_owned);
        token.unwrap_or_else(|| panic!("no token: {:?}", String::from_utf8_lossy(&answer.body)))
    }

    /// A token with this header, which names an `alg`, and these claims, under the key that signs now.
    /// `kid` and `iss` are added where the test has none.
    pub(crate) fn signed(&self, header: &Value, claims: &Value) -> String {
        let said = self.tell(&json!({"command": "sign", "header": header, "claims": claims}));
        said.as_str().expect("a token").to_owned()
    }

    /// Revokes an opaque token (RFC 7009).
    pub(crate) fn revoke(&self, token: &str) {
        assert_eq!(self.post("/token/revocation", &[("token", token)]).status, 200);
    }

    /// The address for introspection (RFC 7662), and the id and the secret of a client that may ask.
    pub(crate) fn introspection(&self) -> (String, &'static str, &'static str) {
        (format!("{}/token/introspection", self.issuer()), CLIENT, SECRET)
    }

    /// The provider's answer about a token.
    pub(crate) fn introspect(&self, token: &str) -> Value {
        let answer = self.post("/token/introspection", &[("token", token)]);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// A logout token (OIDC Back-Channel Logout 1.0) for the client `gate`: it ends one session of a
    /// user, or all.
    pub(crate) fn logout_token(&self, algorithm: &str, subject: &str, session: Option<&str>) -> String {
        let command = json!({"command": "logOut", "alg": algorithm, "subject": subject, "sid": session});
        self.tell(&command)["token"].as_str().expect("a token").to_owned()
    }

    /// Sends such a token under ES256 to an address, and returns the status of the answer.
    pub(crate) fn log_out(&self, to: &str, subject: &str, session: Option<&str>) -> u16 {
        let said = self.tell(
            &json!({"command": "logOut", "alg": "ES256", "subject": subject, "sid": session, "to": to}),
        );
        said["status"].as_u64().and_then(|status| status.try_into().ok()).expect("a status")
    }

    /// Signs with new keys from now on, and still publishes the former ones.
    pub(crate) fn rotate(&self) {
        self.tell(&json!({"command": "rotate"}));
    }

    /// Publishes only the keys that sign.
    pub(crate) fn forget(&self) {
        self.tell(&json!({"command": "forget"}));
    }

    /// Delays each answer, except those with new tokens, until the next call or start.
    pub(crate) fn slow(&self, delay: Duration) {
        self.tell(&json!({"command": "slow", "milliseconds": delay.as_millis()}));
    }

    /// Number of requests for its keys since the first start.
    pub(crate) fn fetches(&self) -> u32 {
        self.asked("GET /jwks")
    }

    /// Number of requests to introspect a token since the first start.
    pub(crate) fn introspections(&self) -> u32 {
        self.asked("POST /token/introspection")
    }

    fn asked(&self, what: &str) -> u32 {
        let asked = fs::read_to_string(self.folder.path().join("asked")).unwrap_or_default();
        asked.lines().filter(|line| *line == what).count().try_into().expect("a number")
    }

    fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let form = [form, &[("client_id", CLIENT), ("client_secret", SECRET)]].concat();
        let form: Vec<_> = form.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let body = form.join("&");
        Client::connect(self.address()).ask(format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address(),
            body.len(),
        ))
    }

    fn tell(&self, command: &Value) -> Value {
        let mut running = self.running.lock().unwrap();
        let running = running.as_mut().expect("it runs");
        writeln!(running.commands, "{command}").expect("it takes it");
        let answer = running.answer();
        answer.get("said").unwrap_or_else(|| panic!("{command}: {answer:#}")).clone()
    }
}

impl Running {
    fn answer(&self) -> Value {
        let line = self.answers.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{}", self.stderr.text()));
        serde_json::from_str(&line).expect("JSON")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            eprintln!("what the provider said:\n{}", self.stderr.text());
        }
    }
}

/// The spelling of a text in a form.
fn encoded(text: &str) -> String {
    let keep = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes()
        .map(|byte| if keep(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
