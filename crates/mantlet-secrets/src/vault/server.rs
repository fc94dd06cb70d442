//! One question to the server.

use std::{
    fmt::{self, Write as _},
    fs,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use mantlet_controls::config::Secret;
use mantlet_gateway::fetch::{Question, Target, send};
use serde_json::Value;

use crate::{PATIENCE, found::Trouble, settings::Vault as Settings};

/// Bytes of an answer, at most.
const LONGEST: usize = 1 << 20;

/// Where it is.
pub(super) struct Server {
    address: String,
    namespace: String,
    authority: Option<Vec<u8>>,
}

/// What it has said.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Answer {
    pub(super) const fn is_good(&self) -> bool {
        matches!(self.status, 200..300)
    }

    pub(super) fn seconds(&self, at: &str) -> Option<Duration> {
        self.body.pointer(at)?.as_u64().filter(|seconds| *seconds > 0).map(Duration::from_secs)
    }

    /// What it says is wrong, in one line.
    pub(super) fn errors(&self) -> String {
        let errors = self.body.get("errors").and_then(Value::as_array);
        let errors = errors.into_iter().flatten().chain(self.body.get("warnings").and_then(|w| w.get(0)));
        let words: Vec<_> = errors.filter_map(Value::as_str).map(one_line).collect();
        if words.is_empty() { "it gives no reason".to_owned() } else { words.join("; ") }
    }
}

/// Errors of several lines are lists.
fn one_line(text: &str) -> String {
    let parts = text.lines().map(|line| line.trim().trim_start_matches("* ").trim_end_matches(':'));
    parts.filter(|line| !line.is_empty() && !line.ends_with("occurred")).collect::<Vec<_>>().join(": ")
}

impl Server {
    pub(super) fn of(settings: &Settings) -> Result<Self, Trouble> {
        if settings.address.is_empty() {
            let why = "`vault:` needs the address of the server: set `VAULT_ADDR`, or `address` under `[secrets.vault]`";
            return Err(Trouble::Refused(why.to_owned()));
        }
        let authority = match settings.authority.as_str() {
            "" => None,
            path => {
                let wrong = |why: String| {
                    Trouble::Refused(format!("the authorities in `{path}` (`VAULT_CACERT`) {why}"))
                };
                let pem = fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
                if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
                    return Err(wrong("are not certificates in PEM".to_owned()));
                }
                Some(pem)
            }
        };
        let address = settings.address.trim_end_matches('/').to_owned();
        Ok(Self { address, namespace: settings.namespace.clone(), authority })
    }

    /// Asks. An answer may be a refusal; a server that cannot answer now is away.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        token: Option<&Secret<String>>,
        body: Option<&Value>,
    ) -> Result<Answer, Trouble> {
        let wrong = |why: &str| Trouble::Refused(format!("{self}: {why}"));
        let url = format!("{}/v1/{}", self.address, encoded(path));
        let mut target = Target::of_url(&url).map_err(|_| wrong("its address cannot be used"))?;
        if let Some(authority) = &self.authority {
            target = target.trusting(authority.clone());
        }
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let mut question = Question { method, ..Question::post("application/json", body) }
            .with(HeaderName::from_static("x-vault-request"), HeaderValue::from_static("true"));
        let mut add = |name: &'static str, value: &str, what: &str| {
            let mut value = HeaderValue::from_str(value).map_err(|_| wrong(what))?;
            value.set_sensitive(true);
            question.headers.insert(HeaderName::from_static(name), value);
            Ok(())
        };
        if let Some(token) = token {
            add("x-vault-token", token.expose(), "the token has characters that no token has")?;
        }
        if !self.namespace.is_empty() {
            add("x-vault-namespace", &self.namespace, "the namespace cannot be sent")?;
        }
        let answer = send(&target, question, PATIENCE, LONGEST).await;
        let answer = answer.map_err(|error| Trouble::Away(format!("{self} does not respond: {error}")))?;
        let status = answer.status.as_u16();
        let body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        let said = Answer { status, body };
        match status {
            300..400 => Err(wrong("it redirects to another server; write the address of that one")),
            503 if said.errors().contains("sealed") => {
                Err(Trouble::Away(format!("{self} is sealed; an operator has to unseal it")))
            }
            // 500 is an answer: "past the max TTL" is one.
            429 | 501..600 => Err(Trouble::Away(format!("{self} says {status}: {}", said.errors()))),
            _ => Ok(said),
        }
    }

    /// What it means that a path was denied.
    pub(super) fn may_not(&self, path: &str, answer: &Answer) -> String {
        let why = answer.errors();
        format!("{self} denies `read` on `{path}` ({why}); add it to a policy of the token")
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server at {}", self.address)
    }
}

/// Everything but what a path may have, in percent.
fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}
