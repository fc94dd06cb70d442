//! The signed double-submit token (OWASP CSRF cheat sheet): proof that a page could read our cookie.
//!
//! The second line behind what browsers say of themselves: for users of browsers that do not, and against pages of neighbouring
//! hosts. A page reads the cookie `csrf_token` and sends its value back, in the header `x-csrf-token` or in the form field
//! `csrf_token`; a foreign page can do neither.
//!
//! A request passes if
//! 1. its method is safe, or it carries no session cookie (`csrf.token.session-cookies`), or it carries a bearer credential;
//! 2. its token cookie is signed by us for exactly this session, and
//! 3. it sends the token's nonce back: in the header, else in a form's field among the first 64 KiB of the body.
//!
//! The cookie is set, and replaced, on answers: when a session begins or changes, when the token is older than
//! `csrf.token.rotate-after`, when it is not this session's. The app finds the token in the cookie `csrf_token` of every request
//! that has a session, to put it into its forms, even of the one whose answer sets it.
//!
//! To mind in deployment: a front end on another origin cannot read the cookie; it is trusted by name, and the token switched off
//! for the routes that it uses. Shared caches must not keep what carries a `Set-Cookie`; answers that say `public` get none.

mod answer;
mod config;
mod form;
mod value;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body::Body;

pub use config::{Config, KEY_LENGTH, Key};

use self::{
    form::{Finder, READ_AHEAD},
    value::{Signer, Value},
};
use crate::{Reason, RequestBody, Scheme, cookie};

/// The checked `[csrf.token]` section.
#[derive(Debug, Clone)]
pub struct Tokens {
    session_cookies: Vec<String>,
    cookie: String,
    /// Browsers accept it from this host alone (RFC 6265bis section 4.1.3.2).
    host_cookie: String,
    header: HeaderName,
    field: String,
    rotate_after: Duration,
    signer: Signer,
}

/// What a request holds of session and token.
#[derive(Debug)]
pub struct Held {
    /// The session cookies, by which the session is known.
    session: Vec<(usize, Vec<u8>)>,
    /// The token in the cookie, if it is ours and this session's.
    current: Option<Value>,
    /// What the answer will set, if it has to.
    next: Option<Value>,
    scheme: Scheme,
    is_safe: bool,
}

impl Tokens {
    /// Reads what a request holds.
    pub(crate) fn read(&self, headers: &HeaderMap, scheme: Scheme, is_safe: bool) -> Held {
        let mut session = Vec::new();
        for (name, value) in cookie::pairs(headers) {
            if let Some(index) = self.session_cookies.iter().position(|known| known.as_bytes() == name) {
                session.push((index, value.to_vec()));
            }
        }
        session.sort_by_key(|(index, _)| *index);
        let id = session_id(&session);
        let own = self.cookie_name(scheme);
        // A neighbouring host may have planted others of the same name: ours is the one that is signed for this session.
        let current = cookie::pairs(headers)
            .filter(|(name, _)| !session.is_empty() && *name == own.as_bytes())
            .find_map(|(_, value)| self.signer.verify(value, &id));
        let next = match current {
            Some(current) if current.age() < self.rotate_after => None,
            _ if session.is_empty() => None,
            Some(current) => self.signer.successor(&current),
            None => Value::new(),
        };
        Held { session, current, next, scheme, is_safe }
    }

    /// Decides whether the request proves that its page could read the cookie. Reads a form's first bytes ahead; fails if that does.
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
        let mut read = 0;
        while read < READ_AHEAD {
            let Some(data) = body.read_ahead().await else {
                return Ok(finder.end().map_or(Err(Reason::CsrfTokenMissing), judge));
            };
            let data = data?;
            read += data.len();
            if let Some(submitted) = finder.feed(&data) {
                return Ok(judge(submitted));
            }
        }
        Ok(Err(Reason::CsrfTokenMissing))
    }

    /// Shows the app the token that its forms should carry, under its plain name.
    pub(crate) fn show_to_app(&self, held: &Held, headers: &mut HeaderMap) {
        let id = session_id(&held.session);
        let shown = held.next.or(held.current).and_then(|value| self.signer.sign(&value, &id));
        let Some(token) = shown else { return };
        let mut line = Vec::new();
        for (name, value) in cookie::pairs(headers).filter(|(name, _)| *name != self.cookie.as_bytes()) {
            line.extend_from_slice(name);
            line.push(b'=');
            line.extend_from_slice(value);
            line.extend_from_slice(b"; ");
        }
        line.extend_from_slice(format!("{}={token}", self.cookie).as_bytes());
        if let Ok(line) = HeaderValue::from_bytes(&line) {
            headers.insert(header::COOKIE, line);
        }
    }

    fn cookie_name(&self, scheme: Scheme) -> &str {
        match scheme {
            Scheme::Https => &self.host_cookie,
            Scheme::Http => &self.cookie,
        }
    }
}

impl Held {
    /// Whether this request needs a token: it may change something, in the name of a session.
    pub(crate) fn is_asked(&self, headers: &HeaderMap) -> bool {
        !self.is_safe && !self.session.is_empty() && super::carries_ambient_credentials(headers)
    }
}

/// Bytes that no other session has: the cookies, each with its length.
fn session_id(session: &[(usize, Vec<u8>)]) -> Vec<u8> {
    let mut id = Vec::new();
    for (index, value) in session {
        id.extend_from_slice(&(*index as u64).to_be_bytes());
        id.extend_from_slice(&(value.len() as u64).to_be_bytes());
        id.extend_from_slice(value);
    }
    id
}

#[cfg(test)]
mod tests;
