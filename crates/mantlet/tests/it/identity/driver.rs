//! Takes the steps of an app's traffic at one address.

use std::{collections::BTreeMap, fmt::Write, fs, net::SocketAddr, path::PathBuf};

use super::step::{Kind, Step, Values};
use crate::kit::{
    Answer, Client,
    websocket::{FINAL, TEXT, WebSocket, handshake},
};

/// What differs between two answers to the same request, wherever they come from.
const NEVER_ALIKE: [&str; 4] = ["date", "server", "connection", "content-length"];

/// Clients of one server, and what they remember.
pub(crate) struct Driver {
    address: SocketAddr,
    /// One for all requests, as from a proxy that all clients share: a connection is not a caller.
    connection: Option<Client>,
    /// Where the app runs, and leaves its e-mails.
    folder: PathBuf,
    pub(crate) values: Values,
    /// Credentials that were taken back are refused.
    pub(super) is_strict: bool,
    /// The cookies of each browser.
    cookies: BTreeMap<&'static str, BTreeMap<String, String>>,
}

/// What a client sees: values that differ each time are replaced by their names.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Driver {
    pub(crate) fn new(address: SocketAddr, folder: PathBuf) -> Self {
        Self {
            address,
            connection: None,
            folder,
            values: Values::new(),
            is_strict: false,
            cookies: BTreeMap::new(),
        }
    }

    /// Takes a step. Requests are answered as the step says; other steps see nothing.
    pub(super) fn take(&mut self, step: &Step) -> Option<Seen> {
        let answer = match &step.kind {
            Kind::Make { name, make } => {
                let value = make(&self.values);
                self.keep(name, value);
                return None;
            }
            Kind::Mail { name, to } => {
                let file = self.folder.join(format!("outbox/{to}.txt"));
                let text = fs::read_to_string(file).expect("an e-mail");
                let token = text.split("token: ").nth(1).expect("a token in the e-mail").trim().to_owned();
                self.keep(name, token);
                return None;
            }
            Kind::Request { method, target } => {
                let body = self.filled(&step.body);
                let mut head = format!("{method} {} HTTP/1.1\r\n", self.filled(target));
                if !body.is_empty() || *method != "GET" {
                    let _ = write!(head, "Content-Length: {}\r\n", body.len());
                }
                head += &self.lines(step);
                let mut client = self.connection.take().unwrap_or_else(|| Client::connect(self.address));
                client.send(format!("{head}\r\n{body}"));
                let answer = if *method == "HEAD" { client.answer_to_head() } else { client.answer() };
                if answer.header("connection") != Some("close") {
                    self.connection = Some(client);
                }
                answer
            }
            Kind::Socket { target, says } => self.talk(&self.filled(target), says),
        };
        Some(self.note(step, answer))
    }

    /// Opens a WebSocket, says these texts and takes what comes back.
    fn talk(&self, target: &str, says: &[&str]) -> Answer {
        let mut client = Client::connect(self.address);
        let mut answer = client.ask(handshake(target));
        if answer.status == 101 {
            let mut socket = WebSocket { client };
            for text in says {
                socket.send(FINAL | TEXT, text.as_bytes());
                answer.body.extend(socket.next().1);
                answer.body.push(b'\n');
            }
        }
        answer
    }

    fn lines(&self, step: &Step) -> String {
        let mut lines = format!("Host: {}\r\nUser-Agent: driver\r\n", self.address);
        for line in &step.lines {
            lines += &self.filled(line);
            lines += "\r\n";
        }
        if let Some(browser) = step.browser {
            // What browsers say of requests of a page of the same site.
            let _ = write!(lines, "Origin: http://{}\r\nSec-Fetch-Site: same-origin\r\n", self.address);
            let cookies = self.cookies.get(browser).into_iter().flatten();
            let cookies: Vec<_> = cookies.map(|(name, value)| format!("{name}={value}")).collect();
            if !cookies.is_empty() {
                let _ = write!(lines, "Cookie: {}\r\n", cookies.join("; "));
            }
        }
        lines
    }

    /// The text with the values that were kept.
    fn filled(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for (name, value) in &self.values {
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
        // A misspelt name would be refused by the app like a forged token.
        let is_letter = |letter: char| letter.is_ascii_lowercase() || letter == ' ';
        for rest in filled.split('{').skip(1) {
            let name = rest.split('}').next().unwrap_or_default();
            assert!(!name.chars().all(is_letter), "no value `{name}` was kept for {text}");
        }
        filled
    }

    fn keep(&mut self, name: &str, value: String) {
        // A short one would be found in places that it does not come from.
        assert!(value.len() >= 8, "{name}: {value:?}");
        self.values.insert(name.to_owned(), value);
    }

    fn note(&mut self, step: &Step, answer: Answer) -> Seen {
        let text = String::from_utf8(answer.body).expect("text");
        let shown = format!("{}: {} {:?} {text}", step.name(), answer.status, answer.headers);
        if self.is_strict && matches!(step.status, 401 | 403) && answer.status == step.status {
            // Who refuses it first says it in its own words.
            return Seen { status: answer.status, headers: Vec::new(), body: text };
        }
        if self.is_strict && step.is_taken_back {
            // A page sends its visitor to the login.
            assert!(matches!(answer.status, 401 | 403 | 302 | 303 | 307), "{shown}");
            return Seen { status: answer.status, headers: Vec::new(), body: text };
        }
        assert_eq!(answer.status, step.status, "{shown}");
        let refused = step.refused.map(|reason| format!("\"code\":\"{reason}\""));
        let is_refused = refused.is_some_and(|refused| text.contains(&refused));
        assert!(is_refused || text.contains(step.has), "{:?} is not in {shown}", step.has);
        let set: Vec<_> =
            answer.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value).collect();
        let mut new = Vec::new();
        for (name, place) in &step.keeps {
            let value = match place.strip_prefix("cookie ") {
                Some(cookie) => set.iter().find_map(|line| {
                    let (known, value) = line.split(';').next()?.split_once('=')?;
                    (known == cookie).then(|| value.to_owned())
                }),
                None => serde_json::from_str::<serde_json::Value>(&text)
                    .ok()
                    .and_then(|json| json.pointer(place)?.as_str().map(str::to_owned)),
            };
            let value = value.unwrap_or_else(|| panic!("{place} is not in {shown}"));
            new.push((*name, value.clone()));
            self.keep(name, value);
        }
        if let Some(browser) = step.browser {
            let jar = self.cookies.entry(browser).or_default();
            for line in set {
                let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
                let (name, value) = pair.split_once('=').expect("a cookie");
                if is_deletion(attributes) {
                    jar.remove(name);
                } else {
                    jar.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        let named = |text: &str| {
            let mut named = text.to_owned();
            // Two values may be the same: then those of this response count.
            let older = self.values.iter().map(|(name, value)| (name.as_str(), value));
            for (name, value) in new.iter().map(|(name, value)| (*name, value)).chain(older) {
                named = named.replace(value.as_str(), &format!("{{{name}}}"));
            }
            named
        };
        let mut headers = Vec::new();
        for (name, value) in &answer.headers {
            if !NEVER_ALIKE.contains(&name.as_str()) {
                let value = value.replace(&self.address.to_string(), "{host}");
                let value = if name == "set-cookie" { without_value(&value) } else { named(&value) };
                headers.push((name.clone(), value));
            }
        }
        Seen { status: answer.status, headers, body: named(&text) }
    }
}

/// Whether a cookie with these attributes is to be forgotten.
fn is_deletion(attributes: &str) -> bool {
    let attributes = attributes.to_ascii_lowercase();
    attributes.contains("max-age=0") || attributes.contains("expires=thu, 01 jan 1970")
}

/// A `Set-Cookie` line without the value, and without the time at which it was sent.
fn without_value(line: &str) -> String {
    let parts = line.split(';').enumerate().map(|(at, part)| {
        let part = part.trim();
        let name = part.split('=').next().unwrap_or_default();
        if at == 0 || name.eq_ignore_ascii_case("expires") { name } else { part }
    });
    parts.collect::<Vec<_>>().join("; ")
}

impl Seen {
    /// Asserts that a client behind the gate sees all of this, and perhaps more headers.
    pub(super) fn is_kept_in(&self, behind: &Self, what: &str) {
        assert_eq!(
            (self.status, &self.body),
            (behind.status, &behind.body),
            "{what}: {self:#?} became {behind:#?}"
        );
        for (name, value) in &self.headers {
            let now: Vec<_> =
                behind.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value).collect();
            let kept = if name == "vary" {
                let now = format!("{now:?}").to_ascii_lowercase();
                value.split(',').all(|word| now.contains(&word.trim().to_ascii_lowercase()))
            } else {
                now.contains(&value)
            };
            assert!(kept, "{what}: the header `{name}: {value}` has not come, but {now:?}");
        }
        let cookies = |seen: &Self| seen.headers.iter().filter(|(name, _)| name == "set-cookie").count();
        assert_eq!(cookies(self), cookies(behind), "{what}: other cookies: {behind:#?}");
    }
}
