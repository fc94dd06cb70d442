//! Is the caller logged in, with an account that Mantlet keeps?
//!
//! Defends an app that has no login: each of its operations needs a caller that is proven, unless the operator has made it
//! public. Accounts themselves are not kept here. What has them is asked through [`Callers`].
//!
//! A request passes if
//! 1. there are no accounts;
//! 2. its caller is proven, by a session or an access token of an account, or by anything else that proves callers;
//! 3. its path is one of `accounts.public`, or of the app's documentation (`accounts.public-docs`);
//! 4. it is for the accounts' own pages and API, which never reach the app;
//! 5. it is a preflight, with which browsers send no credential.
//!
//! An access token counts before the cookie, as any other header does. One that is not good is refused; a cookie that is not
//! good is none. The app gets neither of them. If it cannot be known whether a credential is good, the answer is 503.
//!
//! To mind in deployment: what is public is public for every method. A check of the app's health by another machine needs an
//! entry.

use std::{borrow::Cow, fmt::Debug, sync::Arc};

use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode};

use crate::{
    Call, Mode, Reason, Refusal, Scheme,
    audit::{Outcome, Record},
    call::{Known, Spellings},
    config::{Mistake, Secret},
    identity::{Epoch, access_token_text},
    message::{cookie, is_navigation, is_of_this_site},
    operation::Contract,
    refusal::remedy,
    selection::{Selection, Target},
    token::Jws,
};
use mantlet_contract::routes::Visibility;

pub use crate::identity::Followed;

/// The cookie of a browser's session: its name over HTTPS, and over plain HTTP on this machine, where browsers refuse the first.
pub const COOKIES: [&str; 2] = ["__Host-session", "mantlet-session"];
/// What the value of that cookie begins with, if the session began at a provider.
pub const OF_PROVIDER: &str = "p.";
/// Bytes of the longest target to which a login leads back.
const LONGEST_RETURN: usize = 2 << 10;

/// What the operator says of the app's operations. The other keys of `[accounts]` are not about requests to the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Path templates that need no login. Default none.
    pub public: Vec<String>,
    /// The app's documentation needs no login. Default yes.
    pub public_docs: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { public: Vec::new(), public_docs: true }
    }
}

impl Config {
    pub(crate) fn check(&self, report_only: bool) -> Result<Policy, Vec<Mistake>> {
        let mut public = Selection::default();
        let mut mistakes = Vec::new();
        for (index, path) in self.public.iter().enumerate() {
            let key = format!("public[{index}]");
            if let Some(mistake) = Mistake::of_path(&key, path) {
                mistakes.push(mistake);
                continue;
            }
            let target = Target { paths: std::slice::from_ref(path), methods: Vec::new(), tags: &[] };
            if let Err(why) = public.add((), &target) {
                mistakes.push(Mistake::of_template(key, why));
            }
        }
        let mode = Mode::Enforce.under(report_only);
        if mistakes.is_empty() {
            let number = Epoch::default();
            Ok(Policy { mode, public, has_public_docs: self.public_docs, number })
        } else {
            Err(mistakes)
        }
    }
}

/// The checked configuration.
#[derive(Debug)]
pub struct Policy {
    pub(crate) mode: Mode,
    public: Selection<()>,
    has_public_docs: bool,
    number: Epoch,
}

impl Policy {
    /// Whether an operation needs no login. The path is a template, or that of a request.
    pub fn is_public(&self, path: &str) -> bool {
        self.has(Spellings::one(path))
    }

    /// No other policy of this process has this number.
    pub fn number(&self) -> u64 {
        self.number.number()
    }

    /// Whether a request needs none.
    pub(crate) fn lets_pass(&self, call: &Call) -> bool {
        let is_docs = call
            .operation
            .as_ref()
            .is_some_and(|matched| matched.route.visibility == Visibility::Docs && !matched.unsure);
        (is_docs && self.has_public_docs) || self.has(call.spellings())
    }

    fn has(&self, path: Spellings<'_>) -> bool {
        !self.public.is_empty() && self.public.of(&Method::GET, path, &[]).next().is_some()
    }
}

/// A credential of an account.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The value of the session's cookie.
    Cookie(Secret<String>),
    /// An access token.
    Token(Secret<String>),
}

/// Whose a credential is.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It is good.
    Good(Arc<Caller>),
    /// It is not.
    Bad,
    /// That cannot be known at the moment.
    Unknown,
}

/// A caller with an account.
#[derive(Debug)]
pub struct Caller {
    /// Who it is.
    pub principal: Known,
    /// The number of its session in records.
    pub session: u64,
    /// Its session, as what keeps it names it.
    pub id: Box<str>,
}

/// What keeps accounts: who has a credential, and which requests are for the accounts themselves.
pub trait Callers: Debug + Send + Sync {
    /// `iss` of its access tokens; none if it gives none.
    fn issuer(&self) -> Option<&str>;

    /// The name of its cookie in requests under a scheme.
    fn cookie(&self, scheme: Scheme) -> &str;

    /// The path of the page to log in.
    fn login(&self) -> &str;

    /// Whether requests for a path are for the accounts. They never reach the app.
    fn owns(&self, path: &str) -> bool;

    /// The operations of the accounts.
    fn contract(&self) -> Option<&Arc<Contract>>;

    /// The verdict on a credential, if it is known without waiting.
    fn known(&self, credential: &Credential) -> Option<Verdict>;

    /// Follows the session of a caller.
    fn follow(&self, caller: &Arc<Caller>) -> Arc<dyn Followed>;

    /// An account was changed from elsewhere: what is remembered of it counts no more. Without one, of all.
    fn forget(&self, account: Option<&str>);

    /// The verdict on a credential.
    fn ask(&self, credential: Credential) -> BoxFuture<'static, Verdict>;
}

/// What has happened to an account, for the audit log.
#[derive(Debug, Clone)]
pub struct Event {
    /// The code of the record.
    pub code: &'static str,
    /// How it has ended.
    pub outcome: Outcome,
    /// The account's id, if one is concerned.
    pub account: Option<String>,
    /// The address that the client has named. Only its hash is recorded.
    pub address: Option<String>,
    /// The number of the session.
    pub session: Option<u64>,
    /// Details.
    pub subject: Option<Cow<'static, str>>,
}

impl Event {
    /// Its record.
    pub fn record(self, call: &Call, status: StatusCode) -> Record {
        let who = (self.account, self.address.as_deref(), self.session);
        Record::of_account(call, self.code, self.outcome, status.as_u16(), who).about(self.subject.as_deref())
    }
}

/// The credential of a request that counts, if it has one.
pub fn credential_of(callers: &dyn Callers, scheme: Scheme, headers: &HeaderMap) -> Option<Credential> {
    if let Some(token) = access_token_text(headers)
        && callers.issuer().is_some_and(|issuer| is_of(issuer, &token))
    {
        return Some(Credential::Token(Secret::new(token.into_owned())));
    }
    let value = session_of(callers.cookie(scheme), headers)?;
    Some(Credential::Cookie(Secret::new(value.to_owned())))
}

/// The value of the session's cookie, if a request has one.
pub fn session_of<'h>(name: &str, headers: &'h HeaderMap) -> Option<&'h str> {
    let named = cookie::pairs(headers).filter(|(own, _)| *own == name.as_bytes());
    let mut values = named.map(|(_, value)| value);
    // Of two, one was set by another host or page: which one is not told.
    let value = values.next().filter(|value| values.all(|other| other == *value))?;
    std::str::from_utf8(value).ok().filter(|value| has_form_of_session(value))
}

/// Whether a token says that it is of this issuer. Nothing is believed of it yet.
fn is_of(issuer: &str, token: &str) -> bool {
    Jws::issuer_of_payload(token).is_some_and(|own| own == issuer)
}

/// 32 random bytes in base64url, after what tells sessions of providers from others.
fn has_form_of_session(value: &str) -> bool {
    let value = value.strip_prefix(OF_PROVIDER).unwrap_or(value);
    value.len() == 43 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Takes our cookie out of a request for the app. Without TLS its name has no prefix, and an app may have a cookie of the
/// same name: only what has the form of ours is taken then.
pub(crate) fn take_cookie(callers: &dyn Callers, scheme: Scheme, headers: &mut HeaderMap) {
    let name = callers.cookie(scheme);
    let is_ours = |value: &[u8]| {
        name.starts_with("__Host-") || std::str::from_utf8(value).is_ok_and(has_form_of_session)
    };
    let has_ours = cookie::pairs(headers).any(|(own, value)| own == name.as_bytes() && is_ours(value));
    if has_ours {
        cookie::take_out(headers, name.as_bytes());
    }
}

/// The refusal of a request that needs a login.
pub(crate) fn refusal(call: &Call) -> Refusal {
    let path = call.operation.as_ref().map_or(call.own_path(), |matched| &matched.route.path);
    let line = format!("accounts.public = [{}]", remedy::quoted(path));
    Refusal { remedy: Some(line.into()), ..Reason::CredentialsMissing.into() }
}

/// Where a browser that shows a page to a person is led: to the login, and back from there. None for anything else.
pub(crate) fn login_of(
    callers: &dyn Callers,
    call: &Call,
    (uri, headers): (&http::Uri, &HeaderMap),
) -> Option<http::HeaderValue> {
    if call.method != Method::GET || call.opens_websocket || !is_navigation(headers) {
        return None;
    }
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let login = callers.login();
    let location =
        if is_led_back_to(target) { format!("{login}?next={}", in_query(target)) } else { login.to_owned() };
    location.parse().ok()
}

fn is_led_back_to(target: &str) -> bool {
    is_of_this_site(target) && target.len() <= LONGEST_RETURN && target != "/"
}

/// A text as the value of a parameter.
fn in_query(text: &str) -> String {
    use std::fmt::Write;
    let mut query = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~') {
            query.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(query, "%{byte:02X}");
        }
    }
    query
}

#[cfg(test)]
mod tests;
