//! Mails that have left the gate: at a mail server, and in a folder.

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use super::site::ISSUER;
use crate::kit::{eventually, gateway::Log, provided};

/// A mail server that keeps what it gets.
pub(super) struct MailServer {
    pub(super) port: u16,
    process: Child,
    output: Log,
    /// Mails that were read.
    read: Cell<usize>,
}

impl MailServer {
    /// On a port, or on a free one if it is 0.
    pub(super) fn start(port: u16) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mantlet-mail/tests/sink.py");
        let mut process = Command::new(provided("MANTLET_TEST_MAIL"))
            .arg(script)
            .arg(json!({ "port": port }).to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interpreter in MANTLET_TEST_MAIL starts");
        let output = Log::follow(process.stdout.take().expect("a pipe"));
        let port = eventually("the mail server listens", || output.text().lines().next()?.parse().ok());
        Self { port, process, output, read: Cell::new(0) }
    }

    /// The next mail; waits for it.
    pub(super) fn next(&self) -> Value {
        // The first line is the port.
        let number = self.read.replace(self.read.get() + 1) + 1;
        let line = eventually("a mail arrives", || self.output.text().lines().nth(number).map(str::to_owned));
        serde_json::from_str(&line).expect("JSON")
    }

    /// All that have arrived by now.
    pub(super) fn count(&self) -> usize {
        self.output.text().lines().count() - 1
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The text of a mail at the server.
pub(super) fn text_of(mail: &Value) -> String {
    let parts = mail["parts"].as_array().expect("parts");
    let text = parts.iter().find(|part| part[0] == "text/plain").expect("a text");
    text[1].as_str().expect("text").to_owned()
}

/// The token of the link in the text of a mail, to a page of the accounts.
pub(super) fn token_of(text: &str, page: &str) -> Option<String> {
    let start = format!("{ISSUER}/auth/{page}?token=");
    let token = text.get(text.find(&start)? + start.len()..)?;
    token.split_whitespace().next().map(str::to_owned)
}

/// The folder of `mail = "file:FOLDER"`.
pub(super) struct Mailbox(PathBuf);

impl Mailbox {
    pub(super) fn of(folder: &Path) -> Self {
        Self(folder.join("mail"))
    }

    pub(super) fn folder(&self) -> &PathBuf {
        &self.0
    }

    /// The line of the configuration that fills it.
    pub(super) fn config(&self) -> String {
        format!("mail = {:?}\n", format!("file:{}", self.0.display()))
    }

    /// The token of the link that an address was sent, to a page of the accounts; waits for it.
    pub(super) fn token(&self, address: &str, page: &str) -> String {
        eventually(&format!("a mail to {address}"), || {
            let files = fs::read_dir(&self.0).ok()?.flatten().map(|entry| entry.path());
            let mut mails = files.filter(|file| file.extension().is_some_and(|end| end == "eml"));
            mails.find_map(|file| {
                // Quoted-printable (RFC 2045 section 6.7).
                let text = fs::read_to_string(file).ok()?.replace("=\r\n", "").replace("=3D", "=");
                let is_to = text.lines().any(|line| line.starts_with("To:") && line.contains(address));
                is_to.then(|| token_of(&text, page))?
            })
        })
    }
}
