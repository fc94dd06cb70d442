//! A site with accounts, and what its users do.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mantlet_accounts::{
    Accounts, SealingKeys,
    accounts::Settings,
    outbox::{Kind, Mail},
    passwords::{Cost, Passwords, Policy},
    store::Database,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kit::{Answer, Client, Gateway, Setup, command::Finished};

pub(super) const PASSWORD: &str = "correct horse battery staple";
pub(super) const ISSUER: &str = "https://orchard.example";
/// Where a browser has its session, with this issuer.
pub(super) const COOKIE: &str = "__Host-session";

/// A gate with accounts in front of an app.
pub(super) struct Site {
    pub(super) gate: Gateway,
    state: PathBuf,
    _folder: TempDir,
}

/// What a user has got by logging in.
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) refresh: String,
}

impl Site {
    /// In front of an app that says what it has got.
    pub(super) fn start(keys: &str) -> Self {
        Self::of(Setup::run("recorder:app"), keys)
    }

    /// With these lines in `[accounts]`, and sections after them.
    pub(super) fn of(setup: Setup, keys: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state");
        let gate = setup.state(&state).config(&config(keys)).start();
        Self { gate, state, _folder: folder }
    }

    /// Of a gate that runs with this state folder.
    pub(super) fn around(gate: Gateway, state: &Path) -> Self {
        Self { gate, state: state.to_owned(), _folder: tempfile::tempdir().expect("a folder") }
    }

    /// A request with these lines in its head.
    pub(super) fn ask(&self, request_line: &str, lines: &str) -> Answer {
        Client::connect(self.gate.addr())
            .ask(format!("{request_line} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"))
    }

    pub(super) fn get(&self, path: &str, lines: &str) -> Answer {
        self.ask(&format!("GET {path}"), lines)
    }

    pub(super) fn post_json(&self, path: &str, body: &Value, lines: &str) -> Answer {
        self.post(path, "application/json", &body.to_string(), lines)
    }

    pub(super) fn post(&self, path: &str, kind: &str, body: &str, lines: &str) -> Answer {
        let length = body.len();
        Client::connect(self.gate.addr()).ask(format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{lines}\r\n{body}"
        ))
    }

    /// The mails that wait.
    pub(super) fn mails(&self) -> Vec<Mail> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let accounts = self.database().await;
            let mails = accounts.mails(Timestamp::now(), std::time::Duration::ZERO, 100).await;
            accounts.close_store().await;
            mails.expect("mails")
        })
    }

    async fn database(&self) -> Accounts {
        let keys = SealingKeys::of_file(&self.state.join("accounts.key")).expect("a key");
        let passwords = Passwords::start(Cost::default(), Policy::default(), Vec::new()).expect("threads");
        let database = Database::Sqlite(self.state.join("accounts.db"));
        let settings = Settings::new("orchard.example", ISSUER);
        Accounts::open(&database, keys, passwords, settings, Timestamp::now()).await.expect("the database")
    }

    /// Registers an address, and takes the link out of its mail.
    pub(super) fn register(&self, email: &str) {
        let answer =
            self.post_json("/auth/api/register", &json!({ "email": email, "password": PASSWORD }), "");
        assert_eq!(answer.status, 202, "{answer:?}");
        let mails = self.mails();
        let mail = mails.iter().find(|mail| mail.kind == Kind::Verify && mail.address == email);
        let link = mail.and_then(|mail| mail.facts.token.as_ref()).expect("a link");
        let verified = self.post_json("/auth/api/verify", &json!({ "token": link.expose() }), "");
        assert_eq!(verified.status, 200, "{verified:?}");
    }

    /// Tokens, as FastAPI's `/docs` asks for them.
    pub(super) fn tokens(&self, email: &str) -> Tokens {
        let form = format!("username={}&password={}", email.replace('@', "%40"), PASSWORD.replace(' ', "+"));
        let answer = self.post("/auth/token", "application/x-www-form-urlencoded", &form, "");
        assert_eq!(answer.status, 200, "{answer:?}");
        let said = answer.json();
        let text = |name: &str| said[name].as_str().expect("a token").to_owned();
        Tokens { access: text("access_token"), refresh: text("refresh_token") }
    }

    /// The value of a browser's cookie.
    pub(super) fn cookie(&self, email: &str) -> String {
        let answer = self.post_json("/auth/api/login", &json!({ "email": email, "password": PASSWORD }), "");
        assert_eq!(answer.status, 200, "{answer:?}");
        let line = answer.header("set-cookie").expect("a cookie");
        let value = line.split(';').next().and_then(|pair| pair.strip_prefix("__Host-session="));
        value.expect("the session").to_owned()
    }

    /// `mantlet accounts` with its configuration.
    pub(super) fn tell(&self, arguments: &[&str]) -> Finished {
        self.gate.tell(&[&["accounts"], arguments].concat())
    }
}

/// A configuration with accounts.
pub(super) fn config(keys: &str) -> String {
    format!(
        "[authentication]\nprincipal-header = \"X-Mantlet-Principal\"\nprincipal-attributes = [\"email\"]\n\
         [accounts]\nurl = \"{ISSUER}\"\n{keys}"
    )
}

/// The head of a request with an access token.
pub(super) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// The head of a request of a browser with a session.
pub(super) fn session(cookie: &str) -> String {
    format!("Cookie: {COOKIE}={cookie}\r\n")
}

/// What the app was told of the caller.
pub(super) fn principal(answer: &Answer) -> Option<Value> {
    header_of_app(answer, "x-mantlet-principal").map(|text| serde_json::from_str(&text).expect("JSON"))
}

/// A header as the app has got it.
pub(super) fn header_of_app(answer: &Answer, name: &str) -> Option<String> {
    let record = answer.record();
    let headers = record["headers"].as_array().expect("headers");
    let found = headers.iter().find(|pair| pair[0] == name)?;
    found[1].as_str().map(str::to_owned)
}
