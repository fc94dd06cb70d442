//! A client of the site. What the gate does before a request comes here is done for it: its cookie or token is looked up.

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use jiff::Timestamp;
use mantlet_accounts::{Accounts, Secret, outbox::Kind};
use mantlet_sign_in::{Asked, Event, Settings, SignIn, Unavailable};
use serde_json::{Value, json};

use crate::home::{self, Home, now};

pub(crate) const JSON: &str = "application/json";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) fn settings() -> Settings {
    Settings {
        app: "Orchard".to_owned(),
        path: "/auth".to_owned(),
        home: "/".to_owned(),
        registration: true,
        style: None,
        others: Vec::new(),
    }
}

pub(crate) fn site(accounts: Accounts) -> SignIn {
    SignIn::new(accounts, settings()).with_scopes(vec!["read".to_owned(), "write".to_owned()])
}

/// A site with an account of `ada@example.com`.
pub(crate) async fn with_ada(home: &Home) -> SignIn {
    let accounts = home.open().await;
    home::person(&accounts, "ada@example.com").await;
    site(accounts)
}

/// What a client sees, and what the audit log gets.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) event: Option<Event>,
    pub(crate) fault: Option<Unavailable>,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The text of a member.
    pub(crate) fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no `{name}`: {self:?}")).to_owned()
    }

    /// What another client must not be able to tell from it.
    pub(crate) fn told(&self) -> (u16, Vec<(String, String)>, &str) {
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.to_string(), value.to_str().unwrap().to_owned())
        };
        (self.status, self.headers.iter().map(header).collect(), &self.body)
    }
}

/// A client with what it holds.
pub(crate) struct Client<'s> {
    pub(crate) site: &'s SignIn,
    pub(crate) at: Timestamp,
    pub(crate) origin: &'static str,
    pub(crate) cookie: Option<Secret<String>>,
    pub(crate) bearer: Option<String>,
}

impl<'s> Client<'s> {
    pub(crate) fn new(site: &'s SignIn) -> Self {
        Self { site, at: now(), origin: "https://orchard.example", cookie: None, bearer: None }
    }

    /// A browser in which `ada@example.com` is logged in.
    pub(crate) async fn browser(site: &'s SignIn) -> Self {
        let mut browser = Self::new(site);
        let login = browser
            .post("/auth/api/login", &json!({"email": "ada@example.com", "password": home::PASSWORD}))
            .await;
        assert_eq!(login.status, 200, "{login:?}");
        browser
    }

    pub(crate) async fn ask(&mut self, method: &str, path: &str, kind: &str, body: impl Into<Bytes>) -> Seen {
        let mut caller = None;
        if let Some(cookie) = &self.cookie {
            caller = self.site.caller_of_cookie(self.at, cookie).await.ok().flatten();
        }
        if let Some(token) = &self.bearer {
            caller = self.site.caller_of_token(self.at, token).await.ok().flatten();
        }
        let mut request = Request::builder().method(method).uri(path).header("user-agent", "a test");
        if !kind.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let asked = Asked {
            request: request.body(body.into()).unwrap(),
            client: Some("192.0.2.7".parse().unwrap()),
            origin: self.origin.to_owned(),
            session: caller.map(|caller| caller.session),
        };
        let answer = self.site.answer(self.at, asked).await;
        let (parts, body) = answer.response.into_parts();
        let body = String::from_utf8(body.to_vec()).unwrap();
        // Keys are the one thing that is the same for everyone.
        let is_keys = path == "/.well-known/jwks.json" && parts.status.is_success();
        let kept = if is_keys { "public, max-age=3600" } else { "no-store" };
        assert_eq!(parts.headers["cache-control"], kept, "{method} {path}");
        if let Some(set) = parts.headers.get("set-cookie") {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            let value = pair.split_once('=').unwrap().1;
            self.cookie = Some(Secret::new(value.to_owned())).filter(|_| !value.is_empty());
        }
        let fault = parts.extensions.get::<Unavailable>().cloned();
        Seen { status: parts.status.as_u16(), headers: parts.headers, body, event: answer.event, fault }
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Seen {
        self.ask("POST", path, JSON, body.to_string()).await
    }

    pub(crate) async fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let plain = |text: &str| {
            let escape = |byte: u8| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            };
            text.bytes().map(escape).collect::<String>()
        };
        let pairs: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", plain(name), plain(value))).collect();
        self.ask("POST", path, FORM, pairs.join("&")).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Seen {
        self.ask("GET", path, "", "").await
    }
}

/// The token of the only mail of a kind.
pub(crate) async fn mailed(site: &SignIn, at: Timestamp, kind: Kind) -> String {
    home::token(site.accounts(), at, kind).await.expose().clone()
}

/// The code that an authenticator app shows.
pub(crate) fn code_of(secret: &str, at: Timestamp) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let builder = totp_rs::Builder::new()
        .with_algorithm(totp_rs::Algorithm::SHA1)
        .with_digits(6)
        .with_skew(1)
        .with_step_duration(30);
    let totp = builder.with_secret(secret).build().unwrap();
    totp.generate(at.as_second().try_into().unwrap()).to_string()
}
