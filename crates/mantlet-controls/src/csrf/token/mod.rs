//! The signed double-submit token (OWASP CSRF cheat sheet): proof that a page could read our cookie.
//!
//! The second defence behind the headers of browsers: for browsers that do not send them, and
//! against pages of neighbouring hosts. A page reads the cookie `csrf_token` and sends its value
//! back, in the header `x-csrf-token` or in the form field `csrf_token`; a foreign page can do
//! neither.
//!
//! A request passes if
//! 1. its method is safe, or it carries no session cookie (`csrf.token.session-cookies`), or it carries a bearer credential;
//! 2. its token cookie is signed by us for exactly this session, and
//! 3. it sends the token's nonce back: in the header, else in a form's field among the first 64 KiB of the body.
//!
//! The cookie is set, and replaced, on responses: when a session begins or changes, when the token
//! is older than `csrf.token.rotate-after`, when it is not this session's. The app finds the token
//! in the cookie `csrf_token` of every request that has a session, to put it into its forms, even
//! of the one whose response sets it.
//!
//! To mind in deployment: a front end on another origin cannot read the cookie; it is trusted by
//! name, and the token switched off for the routes that it uses. Shared caches must not store a
//! response with a `Set-Cookie`, so responses that say `public` get none.

mod config;
mod form;
mod set_cookie;
mod value;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, header};
use http_body::Body;

pub use config::{Config, KEY_LENGTH, Key};

use self::{
    form::{Finder, READ_AHEAD},
    value::{Session, Signer, Value},
};
use crate::{Reason, RequestBody, Scheme, config::Clock, message::cookie};

/// The checked `[csrf.token]` section.
#[derive(Debug, Clone)]
pub struct Tokens {
    session_cookies: Arc<[String]>,
    cookie: String,
    /// Browsers accept it from this host alone (RFC 6265bis section 4.1.3.2).
    host_cookie: String,
    header: HeaderName,
    field: String,
    rotate_after: Duration,
    signer: Signer,
    clock: Clock,
}

/// Cookies with the token's name that are tried: a neighbouring host may plant any number.
const MOST_TRIED: usize = 4;

/// The session and the token of a request.
#[derive(Debug)]
pub struct Held {
    /// The session cookies, with their places in the configuration.
    cookies: Vec<(usize, Vec<u8>)>,
    /// The names that were looked for.
    names: Arc<[String]>,
    /// The session that they identify; none without a login.
    session: Option<Session>,
    /// The token in the cookie, if we signed it for this session.
    current: Option<Value>,
    /// The token that the response will set, if it must.
    next: Option<Value>,
    scheme: Scheme,
    is_safe: bool,
}

impl Tokens {
    /// The form's field in which a token comes.
    pub(crate) fn field(&self) -> &str {
        &self.field
    }

    /// The session cookies: as configured, or as the app declares.
    pub(crate) fn names<'n>(&'n self, declared: Option<&'n Arc<[String]>>) -> Option<&'n Arc<[String]>> {
        let configured = self.is_configured().then_some(&self.session_cookies);
        configured.or(declared.filter(|declared| !declared.is_empty()))
    }

    /// Whether the configuration names session cookies.
    pub(crate) fn is_configured(&self) -> bool {
        !self.session_cookies.is_empty()
    }

    /// Whether a token may prove the page: the request has a session, a token cookie, and a place
    /// for the token.
    pub(crate) fn may_prove<B>(&self, names: &[String], request: &Request<B>) -> bool {
        let headers = request.headers();
        let has = |is_it: &dyn Fn(&[u8]) -> bool| cookie::pairs(headers).any(|(name, _)| is_it(name));
        let form = || {
            let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            content_type.is_some_and(|text| Finder::for_content_type(text, &self.field).is_some())
        };
        has(&|name| names.iter().any(|known| known.as_bytes() == name))
            && has(&|name| name == self.cookie.as_bytes() || name == self.host_cookie.as_bytes())
            && (headers.contains_key(&self.header) || form())
    }

    /// Reads these session cookies of a request.
    pub(crate) fn read(
        &self,
        names: &Arc<[String]>,
        headers: &HeaderMap,
        scheme: Scheme,
        is_safe: bool,
    ) -> Held {
        let mut cookies = Vec::new();
        for (name, value) in cookie::pairs(headers).filter(|(_, value)| !value.is_empty()) {
            if let Some(index) = names.iter().position(|known| known.as_bytes() == name) {
                cookies.push((index, value.to_vec()));
            }
        }
        cookies.sort_by_key(|(index, _)| *index);
        let session = (!cookies.is_empty()).then(|| Session::of(&cookies));
        let own = self.cookie_name(scheme).as_bytes();
        // A neighbouring host may have planted others of the same name. Ours is signed for this
        // session.
        let current = session.as_ref().and_then(|session| {
            let named = cookie::pairs(headers).filter(|(name, _)| *name == own).take(MOST_TRIED);
            let mut values = named.map(|(_, value)| value);
            values.find_map(|value| self.signer.verify(value, session))
        });
        let next = match (&session, current) {
            (None, _) => None,
            (Some(_), Some(current)) if current.age(self.clock.time()) < self.rotate_after => None,
            (Some(_), Some(current)) => self.signer.successor(&current, self.clock.time()),
            (Some(session), None) => self.signer.first(session, self.clock.time()),
        };
        Held { cookies, names: Arc::clone(names), session, current, next, scheme, is_safe }
    }

    /// Decides whether the request proves that its page could read the cookie. Reads a form's first
    /// bytes ahead, and fails if that fails.
    pub(crate) async fn verify<B>(
        &self,
        held: &Held,
        request: &mut Request<RequestBody<B>>,
    ) -> Result<Result<(), Reason>, Reason>
    where
        B: Body<Data = Bytes, Error = Reason> + Unpin,
    {
        let judge = |submitted: &[u8]| match &held.current {
            Some(current) if current.is_answered_by(submitted) => Ok(()),
            _ => Err(Reason::CsrfTokenInvalid),
        };
        if let Some(submitted) = request.headers().get(&self.header) {
            return Ok(judge(submitted.as_bytes()));
        }
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let finder = content_type.and_then(|text| Finder::for_content_type(text, &self.field));
        let Some(mut finder) = finder else { return Ok(Err(Reason::CsrfTokenMissing)) };
        let body = request.body_mut();
        let mut ended = false;
        while !ended && body.ahead().len() < READ_AHEAD {
            ended = !body.read_ahead().await?;
            if let Some(submitted) = finder.find(body.ahead(), ended) {
                return Ok(judge(submitted));
            }
        }
        Ok(Err(Reason::CsrfTokenMissing))
    }

    /// Shows the app the token that its forms should carry, under its plain name.
    pub(crate) fn show_to_app(&self, held: &Held, headers: &mut HeaderMap) {
        let Some(session) = &held.session else { return };
        // The token that the page can send back even if the cookie changes: a replaced one is still
        // accepted.
        let shown = held.current.or(held.next).and_then(|value| self.signer.sign(&value, session));
        let Some(token) = shown else { return };
        cookie::take_out(headers, self.cookie.as_bytes());
        cookie::append(headers, &format!("{}={token}", self.cookie));
    }

    fn cookie_name(&self, scheme: Scheme) -> &str {
        match scheme {
            Scheme::Https => &self.host_cookie,
            Scheme::Http => &self.cookie,
        }
    }
}

impl Held {
    /// Whether this request needs a token: it may change something, and has a session.
    pub(crate) fn is_asked(&self, headers: &HeaderMap) -> bool {
        !self.is_safe && self.session.is_some() && super::carries_ambient_credentials(headers)
    }
}

#[cfg(test)]
mod tests;
