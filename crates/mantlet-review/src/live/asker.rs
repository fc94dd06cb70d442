//! Asks an app for the reviewers: as whom, how often, and until when. It keeps what all of them look for in every
//! answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use http::{HeaderName, HeaderValue, StatusCode, header};

use super::secrets::{self, Secret};
use crate::{
    client::Client,
    exchange::{Answer, Question},
    finding::Evidence,
};

/// Requests that are sent at most.
const MOST: usize = 6000;
/// How long one 429 is waited for, and all of them together.
const LONGEST_WAIT: u64 = 10;
const LONGEST_WAITS: u64 = 60;

/// A user who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name in the report.
    pub name: String,
    /// What is sent.
    pub credential: Credential,
}

/// How an identity shows who it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A header.
    Header(HeaderName, HeaderValue),
    /// Cookies.
    Cookies(String),
}

impl Identity {
    /// Reads what an operator gives: a token, `Header: value`, or `cookie:NAME=VALUE`.
    pub fn read(name: &str, text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = |what: &str| format!("the credential of `{name}` {what}");
        if text.is_empty() {
            return Err(wrong("is empty"));
        }
        let credential = if let Some(cookies) = text.strip_prefix("cookie:") {
            HeaderValue::try_from(cookies.trim())
                .map_err(|_| wrong("is not a cookie; write `cookie:NAME=VALUE`"))?;
            Credential::Cookies(cookies.trim().to_owned())
        } else if let Some((header, value)) = text.split_once(':') {
            let header = HeaderName::try_from(header.trim())
                .map_err(|_| wrong("is not a header; write `Header: value`"))?;
            let value =
                HeaderValue::try_from(value.trim()).map_err(|_| wrong("cannot be sent in a header"))?;
            Credential::Header(header, value)
        } else {
            let value = HeaderValue::try_from(format!("Bearer {text}"))
                .map_err(|_| wrong("cannot be sent in a header"))?;
            Credential::Header(header::AUTHORIZATION, value)
        };
        Ok(Self { name: name.to_owned(), credential })
    }

    /// Whether it is that of an administrator, by its name.
    pub(super) fn is_administrator(&self) -> bool {
        super::words::is_for_administrators(&self.name)
    }

    /// The token in `Authorization: Bearer`.
    pub(super) fn bearer(&self) -> Option<&str> {
        match &self.credential {
            Credential::Header(name, value) if *name == header::AUTHORIZATION => {
                value.to_str().ok()?.strip_prefix("Bearer ")
            }
            _ => None,
        }
    }

    pub(super) fn put_into(&self, question: &mut Question) {
        match &self.credential {
            Credential::Header(name, value) => {
                question.headers.insert(name, value.clone());
            }
            Credential::Cookies(cookies) => {
                if let Ok(value) = HeaderValue::try_from(cookies.as_str()) {
                    question.headers.insert(header::COOKIE, value);
                }
            }
        }
    }

    /// What must not be shown.
    fn secrets(&self) -> Vec<String> {
        match &self.credential {
            Credential::Header(_, value) => {
                let text = value.to_str().unwrap_or_default();
                vec![text.split_once(' ').map_or(text, |(_, token)| token).to_owned()]
            }
            Credential::Cookies(cookies) => {
                let pairs = cookies.split(';').filter_map(|pair| pair.split_once('='));
                pairs.map(|(_, value)| value.trim().to_owned()).collect()
            }
        }
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A question, who asked it, and the answer.
#[derive(Clone)]
pub(super) struct Exchange {
    pub(super) caller: String,
    pub(super) question: Question,
    pub(super) answer: Answer,
}

impl Exchange {
    pub(super) fn is_success(&self) -> bool {
        self.answer.status.is_success()
    }

    /// Whether the app said that this caller may not.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self.answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
    }

    pub(super) fn is_throttled(&self) -> bool {
        self.answer.status == StatusCode::TOO_MANY_REQUESTS
    }
}

/// Asks.
pub(super) struct Asker<'a> {
    client: Client,
    base: String,
    is_over: &'a (dyn Fn() -> bool + Sync),
    /// What is removed is removed also after the end.
    is_cleaning: bool,
    left: usize,
    waits_left: u64,
    secrets: BTreeSet<String>,
    /// Operations that did not answer are not asked again.
    silent: BTreeMap<String, String>,
    throttled: usize,
    /// What the environment of the app has as secrets.
    environment: Vec<String>,
    /// Every answer that may be of interest to all.
    pub(super) kept: Vec<Kept>,
}

/// An answer that is kept, and the secrets that it shows, by their fields.
pub(super) struct Kept {
    pub(super) operation: String,
    pub(super) exchange: Exchange,
    pub(super) secrets: BTreeMap<String, Secret>,
}

impl<'a> Asker<'a> {
    pub(super) fn new(client: Client, is_over: &'a (dyn Fn() -> bool + Sync)) -> Self {
        let base = client.target().base();
        Self {
            client,
            base,
            is_over,
            is_cleaning: false,
            left: MOST,
            waits_left: LONGEST_WAITS,
            secrets: BTreeSet::new(),
            silent: BTreeMap::new(),
            throttled: 0,
            environment: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// What must not be shown in evidence.
    pub(super) fn hide(&mut self, secret: impl Into<String>) {
        let secret = secret.into();
        // Short texts would be cut out of words.
        if secret.len() >= 6 {
            self.secrets.insert(secret);
        }
    }

    /// What the environment of the app has as secrets must not be shown, and is looked for; but for credentials, which answers
    /// may repeat to those whose they are.
    pub(super) fn look_for(&mut self, environment: &[String]) {
        let is_credential =
            |value: &&String| self.secrets.iter().any(|secret| value.contains(secret.as_str()));
        self.environment = environment.iter().filter(|value| !is_credential(value)).cloned().collect();
        for value in environment {
            self.hide(value.clone());
        }
    }

    pub(super) fn hide_credential(&mut self, identity: &Identity) {
        for secret in identity.secrets() {
            self.hide(secret);
        }
    }

    /// Whether nothing new is to be begun.
    pub(super) fn is_over(&self) -> bool {
        !self.is_cleaning && ((self.is_over)() || self.left == 0)
    }

    /// From now on, what was begun is ended and what was created is removed, also after the operator's Ctrl-C. Whether it
    /// was so before.
    pub(super) const fn clean(&mut self, is_cleaning: bool) -> bool {
        std::mem::replace(&mut self.is_cleaning, is_cleaning)
    }

    /// How many requests the app refused because there were too many, in the end.
    pub(super) const fn throttled(&self) -> usize {
        self.throttled
    }

    /// How many requests were sent.
    pub(super) const fn asked(&self) -> usize {
        self.client.asked()
    }

    /// Whether all requests that may be sent were sent.
    pub(super) const fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// What did not answer, and why.
    pub(super) fn silent(&self) -> impl Iterator<Item = (&str, &str)> {
        self.silent.iter().map(|(operation, why)| (operation.as_str(), why.as_str()))
    }

    /// How long the last answer took.
    pub(super) const fn took(&self) -> Duration {
        self.client.took()
    }

    /// The name or the address by which the app is asked.
    pub(super) fn name(&self) -> &str {
        self.client.name()
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.client.target().is_loopback()
    }

    pub(super) const fn target(&self) -> &crate::client::Target {
        self.client.target()
    }

    pub(super) fn is_https(&self) -> bool {
        self.base.starts_with("https://")
    }

    /// Asks about an operation, as an identity or as nobody. A 429 is waited for once.
    pub(super) async fn ask(
        &mut self,
        about: &str,
        caller: Option<&Identity>,
        question: Question,
    ) -> Option<Exchange> {
        let first = self.once(about, caller, question.clone()).await?;
        if !first.is_throttled() {
            return Some(first);
        }
        let wait =
            first.answer.header("retry-after").and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(1);
        if wait > LONGEST_WAIT || wait > self.waits_left {
            self.throttled += 1;
            return Some(first);
        }
        self.waits_left -= wait;
        tokio::time::sleep(Duration::from_secs(wait)).await;
        let second = self.once(about, caller, question).await?;
        self.throttled += usize::from(second.is_throttled());
        Some(second)
    }

    /// Asks, and takes the answer as it is.
    pub(super) async fn once(
        &mut self,
        about: &str,
        caller: Option<&Identity>,
        mut question: Question,
    ) -> Option<Exchange> {
        if self.is_over() || (!self.is_cleaning && self.silent.contains_key(about)) {
            return None;
        }
        self.left = self.left.saturating_sub(1);
        if let Some(caller) = caller {
            caller.put_into(&mut question);
        }
        let name = caller.map_or("nobody", |caller| &caller.name).to_owned();
        match self.client.ask(&question).await {
            Ok(answer) => {
                let exchange = Exchange { caller: name, question, answer };
                let secrets = secrets::shown(&exchange, &self.environment);
                for secret in secrets.values() {
                    self.hide(secret.value.clone());
                }
                if !secrets.is_empty() || super::errors::is_of_interest(&exchange) {
                    let (operation, exchange) = (about.to_owned(), exchange.clone());
                    self.kept.push(Kept { operation, exchange, secrets });
                }
                Some(exchange)
            }
            Err(silence) => {
                self.silent.insert(about.to_owned(), silence.to_string());
                None
            }
        }
    }

    /// An exchange as evidence.
    pub(super) fn evidence(&self, exchange: &Exchange) -> Evidence {
        let secrets: Vec<_> = self.secrets.iter().map(String::as_str).collect();
        Evidence::of(&exchange.caller, &self.base, &exchange.question, &exchange.answer, &secrets)
    }
}
