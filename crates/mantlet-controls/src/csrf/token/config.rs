use std::time::Duration;

use http::HeaderName;
use serde::{Deserialize, Serialize};

use super::{Tokens, value::Signer};
use crate::{
    Mode,
    config::{Clock, Mistake, Secret, units::Span},
};

/// Shortest key: as long as what HMAC-SHA-256 gives (RFC 2104 section 3).
pub const KEY_LENGTH: usize = 32;

/// The `[csrf.token]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The mode. Default `enforce`.
    pub mode: Mode,
    /// The cookies that identify a session: a request that changes something and carries one of
    /// them needs a token, which is valid for this session alone. Default: in strict posture those
    /// that the app's contract declares as security, on the routes that declare them; else none,
    /// and no token is required.
    pub session_cookies: Vec<String>,
    /// The cookie that carries the token, readable by scripts; over HTTPS with `__Host-` before it. Default `csrf_token`.
    pub cookie: String,
    /// The header in which a script sends it back. Default `x-csrf-token`.
    pub header: String,
    /// The field in which a form sends it back. Default `csrf_token`.
    pub field: String,
    /// Age at which a token is replaced; the one before it stays valid until the next. Default 1 h.
    pub rotate_after: Span,
    /// A file with keys, one on a line, in hexadecimal: the first signs, all are accepted. Default empty: a key of its own in the
    /// state folder. Several Mantlets before one app need the same.
    pub key_file: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            session_cookies: Vec::new(),
            cookie: "csrf_token".into(),
            header: "x-csrf-token".into(),
            field: "csrf_token".into(),
            rotate_after: Span(Duration::from_hours(1)),
            key_file: String::new(),
        }
    }
}

/// A secret that signs tokens.
#[derive(Debug, Clone)]
pub struct Key(Secret<Box<[u8]>>);

impl Key {
    /// From bytes that an attacker cannot guess; `None` if they are fewer than [`KEY_LENGTH`].
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= KEY_LENGTH).then(|| Self(Secret::new(bytes.into())))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.expose()
    }
}

impl Config {
    /// Checks the section; keys in mistakes are relative to it. Without signing keys the policy makes one of its own.
    pub(in crate::csrf) fn check(&self, keys: &[Key], clock: Clock) -> Result<Tokens, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        for (index, name) in self.session_cookies.iter().enumerate() {
            mistakes.extend(not_a_cookie_name(format!("session-cookies[{index}]"), name));
        }
        mistakes.extend(not_a_cookie_name("cookie".to_owned(), &self.cookie));
        if self.cookie.starts_with("__") {
            mistakes.push(
                Mistake::new("cookie", format!("`{}` begins with a prefix", self.cookie))
                    .help("leave it out: over HTTPS `__Host-` is put before the name"),
            );
        }
        // Bytes that are the same in every form: none that browsers would encode.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte);
        if self.field.is_empty() || !self.field.bytes().all(is_plain) {
            mistakes.push(
                Mistake::new("field", format!("`{}` is not a simple field name", self.field))
                    .help("use letters, digits, `-`, `_` and `.`"),
            );
        }
        let host_cookie = format!("__Host-{}", self.cookie);
        if [&self.cookie, &host_cookie].into_iter().any(|name| self.session_cookies.contains(name)) {
            mistakes.push(Mistake::new("cookie", "the token cannot be the session that it is bound to"));
        }
        let header = self.header.parse::<HeaderName>();
        match &header {
            Err(_) => {
                mistakes.push(Mistake::new("header", format!("`{}` is not a header name", self.header)));
            }
            Ok(name) if !name.as_str().starts_with("x-") || self.header.contains('_') => mistakes.push(
                Mistake::new(
                    "header",
                    format!("`{}` has another meaning, or may be removed on the way", self.header),
                )
                .help("choose a name that begins with `x-` and has no underscore"),
            ),
            Ok(_) => {}
        }
        let Some(header) = header.ok().filter(|_| mistakes.is_empty()) else { return Err(mistakes) };
        let signer = Signer::new(keys).map_err(|error| {
            vec![Mistake::new("key-file", format!("cannot get random bytes for a key: {error}"))]
        })?;
        Ok(Tokens {
            session_cookies: self.session_cookies.as_slice().into(),
            cookie: self.cookie.clone(),
            host_cookie,
            header,
            field: self.field.clone(),
            rotate_after: self.rotate_after.0,
            signer,
            clock,
        })
    }
}

/// RFC 6265 section 4.1.1.
fn not_a_cookie_name(key: String, name: &str) -> Option<Mistake> {
    let is_token = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    (!is_token).then(|| Mistake::new(key, format!("`{name}` is not a cookie name")))
}
