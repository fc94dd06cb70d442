//! A key that is to be made.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    KeyFacts, SecretDigest,
    known::ApiKeys,
    text::{self, Made},
};
use crate::config::{Environment, Secret};

/// How long a key is good if nothing else is said: 90 days.
const LIFE: Duration = Duration::from_hours(90 * 24);
/// The longest life that is not `never`.
const LONGEST: Duration = Duration::from_hours(100 * 366 * 24);
/// Characters of a name or an account, and of a scope.
const NAME: usize = 128;
const SCOPE: usize = 64;
/// Scopes of one key.
const SCOPES: usize = 64;

/// A key that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Names the program for people. It is the caller, unless there is an account. Several keys may
    /// have one name: so a key is replaced without a change of who calls.
    pub name: String,
    /// The account in the app that the program acts for.
    pub account: Option<String>,
    /// Attributes of the caller.
    pub scopes: Vec<String>,
    /// How long it is good; none: until it is revoked. Default 90 days.
    pub life: Option<Duration>,
}

impl Default for NewKey {
    fn default() -> Self {
        Self { name: String::new(), account: None, scopes: Vec::new(), life: Some(LIFE) }
    }
}

impl NewKey {
    /// What is wrong with it, if anything is.
    fn check(&self) -> Result<(), String> {
        let is_name = |text: &str| {
            text.trim() == text
                && (1..=NAME).contains(&text.chars().count())
                && !text.chars().any(char::is_control)
        };
        if !is_name(&self.name) {
            return Err(format!(
                "a name has 1 to {NAME} characters, without control characters and spaces around it"
            ));
        }
        if self.account.as_ref().is_some_and(|account| !is_name(account)) {
            return Err(format!("an account has 1 to {NAME} characters, without control characters"));
        }
        // RFC 6749 section 3.3
        let is_scope = |text: &String| {
            (1..=SCOPE).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
        };
        if let Some(scope) = self.scopes.iter().find(|scope| !is_scope(scope)) {
            return Err(format!("`{}` is not a scope, such as `orders:read`", scope.escape_debug()));
        }
        if self.scopes.len() > SCOPES {
            return Err(format!("a key has at most {SCOPES} scopes"));
        }
        if self.life.is_some_and(|life| life.is_zero()) {
            return Err("a key cannot expire at once; write `90d`, or `never`".to_owned());
        }
        Ok(())
    }
}

/// How long a key is to be good, as people write it: `90d`, `12h`; none for `never`.
pub fn life_of(text: &str) -> Result<Option<Duration>, String> {
    if text == "never" {
        return Ok(None);
    }
    match humantime::parse_duration(text) {
        Ok(life) if life > LONGEST => Err(format!("`{text}` is too long; write `never`")),
        Ok(life) => Ok(Some(life)),
        Err(_) => Err(format!("`{text}` is not a time; write `90d`, `12h` or `never`")),
    }
}

impl ApiKeys {
    /// Makes a key, and does not add it yet: what is to be kept of it, and its text, which is shown
    /// once. An error is a sentence for the operator.
    pub fn make(
        &self,
        new: &NewKey,
        environment: &Environment,
        now: Timestamp,
    ) -> Result<(KeyFacts, Secret<String>), String> {
        new.check()?;
        let Made { id, secret, text } = loop {
            let made = text::make(environment).map_err(|error| format!("no random bytes: {error}"))?;
            if self.find(&made.id).is_none() {
                break made;
            }
        };
        let created = now.as_second();
        let seconds = |life: Duration| i64::try_from(life.as_secs()).unwrap_or(i64::MAX).max(1);
        let facts = KeyFacts {
            id: id.into(),
            name: new.name.as_str().into(),
            account: new.account.as_deref().map(Into::into),
            environment: environment.clone(),
            scopes: new.scopes.iter().map(|scope| scope.as_str().into()).collect(),
            digest: SecretDigest::of(&secret),
            created,
            expires: new.life.map(|life| created.saturating_add(seconds(life))),
        };
        Ok((facts, text))
    }
}
