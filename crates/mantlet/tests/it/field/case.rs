//! What a file in `field/` may say. `field/README.md` explains it to people.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// One case: an app, and requests with what the bare app says and what the gate must say.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Case {
    /// What must hold, in a sentence.
    pub(super) about: String,
    /// Of what it is a sample.
    pub(super) kind: String,
    /// The module whose `app` is served.
    pub(super) app: String,
    /// Further files beside it.
    #[serde(default)]
    pub(super) files: BTreeMap<String, String>,
    /// `mantlet.toml`; none is the default configuration.
    #[serde(default)]
    pub(super) config: String,
    /// Further arguments of `mantlet run`.
    #[serde(default)]
    pub(super) arguments: Vec<String>,
    #[serde(rename = "request")]
    pub(super) requests: Vec<Request>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Request {
    /// Method and target.
    #[serde(default)]
    send: String,
    #[serde(default)]
    headers: BTreeMap<String, OneOrMany>,
    body: Option<String>,
    json: Option<Value>,
    /// The bytes of the request as they are, instead of all that.
    raw: Option<String>,
    #[serde(default = "once")]
    pub(super) repeat: usize,
    #[serde(default)]
    pub(super) bare: Expected,
    #[serde(default)]
    pub(super) gate: Gate,
    /// The reasons that are recorded for it, beside its refusal's own.
    #[serde(default)]
    pub(super) records: Vec<String>,
}

fn once() -> usize {
    1
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// What the gate must say.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Gate {
    /// `same`: as the bare app says it.
    Word(Same),
    Other(Box<Expected>),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Same {
    Same,
}

impl Default for Gate {
    fn default() -> Self {
        Self::Word(Same::Same)
    }
}

/// An answer, as far as it matters.
#[derive(Deserialize, Default, Clone)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Expected {
    pub(super) status: Option<u16>,
    /// The gate refuses for this reason.
    pub(super) reason: Option<String>,
    pub(super) body: Option<String>,
    pub(super) json: Option<Value>,
    /// A part of the body.
    pub(super) has: Option<String>,
    /// Not a part of the body.
    pub(super) lacks: Option<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) lacks_headers: Vec<String>,
    /// A part of the line of configuration that the record of the refusal names.
    pub(super) remedy: Option<String>,
}

impl Request {
    pub(super) fn method(&self) -> &str {
        let line = self.raw.as_deref().unwrap_or(&self.send).trim_start();
        line.split_whitespace().next().unwrap_or_default()
    }

    /// How it is called in a failure.
    pub(super) fn name(&self) -> String {
        self.raw.as_deref().unwrap_or(&self.send).lines().next().unwrap_or_default().to_owned()
    }

    /// As it is sent.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, String> {
        if let Some(raw) = &self.raw {
            return Ok(raw.clone().into_bytes());
        }
        let Some((method, target)) = self.send.split_once(' ') else {
            return Err(format!("`send = {:?}` is not a method, a space and a target", self.send));
        };
        let names = |name: &str| self.headers.keys().any(|known| known.eq_ignore_ascii_case(name));
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        let mut add = |name: &str, value: &str| head.extend([name, ": ", value, "\r\n"]);
        if !names("host") {
            add("Host", "localhost");
        }
        for (name, value) in &self.headers {
            match value {
                OneOrMany::One(value) => add(name, value),
                OneOrMany::Many(values) => values.iter().for_each(|value| add(name, value)),
            }
        }
        let body = match (&self.body, &self.json) {
            (Some(_), Some(_)) => return Err("`body` and `json` in one request".to_owned()),
            (Some(body), None) => Some(body.clone()),
            (None, Some(json)) => {
                if !names("content-type") {
                    add("Content-Type", "application/json");
                }
                Some(json.to_string())
            }
            (None, None) => None,
        };
        if let Some(body) = &body
            && !names("content-length")
            && !names("transfer-encoding")
        {
            add("Content-Length", &body.len().to_string());
        }
        head.push_str("\r\n");
        head.push_str(&body.unwrap_or_default());
        Ok(head.into_bytes())
    }
}
