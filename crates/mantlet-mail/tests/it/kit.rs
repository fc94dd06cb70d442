//! A mail server, certificates, and accounts that write mails.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use jiff::{SignedDuration, Timestamp};
use mantlet_accounts::{
    Accounts, Address, SealingKeys, Secret,
    accounts::Settings,
    passwords::{Cost, Passwords, Policy},
    store::Database,
};
use mantlet_mail::{Outcome, Sender, Site, Templates, Transport, next};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

/// A mail server that ends with the test.
pub(crate) struct Sink {
    pub(crate) port: u16,
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Sink {
    pub(crate) fn start(options: &Value) -> Self {
        let python =
            env::var_os("MANTLET_TEST_MAIL").expect("MANTLET_TEST_MAIL is not set: run `cargo xtask test`");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sink.py");
        let mut command = Command::new(python);
        command.arg(script).arg(options.to_string()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut sink = Self { port: 0, process, output };
        sink.port = u16::try_from(sink.line().as_u64().unwrap()).unwrap();
        sink
    }

    /// The next mail; waits for it.
    pub(crate) fn line(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// All mails that were not read yet. It stops.
    pub(crate) fn rest(mut self) -> Vec<Value> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let lines = self.output.by_ref().lines().map(Result::unwrap);
        lines.map(|line| serde_json::from_str(&line).unwrap()).collect()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An authority (PEM), and the options of a server that it has signed for `localhost`.
pub(crate) fn certified(folder: &Path) -> (Vec<u8>, Value) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let (certificate_file, key_file) = (folder.join("server.pem"), folder.join("server.key"));
    fs::write(&certificate_file, certificate.pem()).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    (issuer.pem().into_bytes(), json!({"certificate": certificate_file, "key": key_file}))
}

pub(crate) fn site() -> Site {
    Site::new("Orchard", "https://orchard.example", "/auth").unwrap()
}

pub(crate) fn sender(url: &str, authority: Option<&[u8]>) -> Sender {
    let transport = Transport::open(url, authority, &site()).unwrap();
    Sender::new(site(), "no-reply@orchard.example", Templates::ours(), transport).unwrap()
}

/// To a server on this machine that does not encrypt.
pub(crate) fn plain(port: u16) -> Sender {
    sender(&format!("smtp://127.0.0.1:{port}"), None)
}

pub(crate) async fn accounts(folder: &Path) -> Accounts {
    let cost = Cost { memory: 64, passes: 1, lanes: 1 };
    let passwords = Passwords::start(cost, Policy::default(), Vec::new()).unwrap();
    let keys = SealingKeys::of_file(&folder.join("accounts.key")).unwrap();
    let settings = Settings::new("Orchard", "https://orchard.example");
    Accounts::open(&Database::Sqlite(folder.join("accounts.db")), keys, passwords, settings, now())
        .await
        .unwrap()
}

/// Writes a mail with a link into the outbox.
pub(crate) async fn register(accounts: &Accounts, address: &str) {
    let password = Secret::new("correct horse battery staple".to_owned());
    accounts.register(now(), &Address::read(address).unwrap(), &password).await.unwrap();
}

/// Sends one mail at a time, if there is one.
pub(crate) async fn send(accounts: &Accounts, sender: &Sender, at: Timestamp) -> Option<Outcome> {
    next(accounts, sender, || at).await.unwrap()
}

pub(crate) fn now() -> Timestamp {
    "2026-11-30T12:00:00Z".parse().unwrap()
}

pub(crate) fn later(seconds: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

pub(crate) fn header<'a>(mail: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = mail["headers"].as_array().unwrap().iter();
    headers.filter(|header| header[0] == name).map(|header| header[1].as_str().unwrap()).collect()
}
