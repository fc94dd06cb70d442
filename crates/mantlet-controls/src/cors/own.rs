//! The app's own CORS, and how Mantlet asks for it.
//!
//! A page's request that would be refused otherwise may be one that the app's authors have allowed, with a middleware of their own. So the app is asked
//! as the page's browser would ask it, with a preflight that has all that an app may look at: the target byte for byte with its query,
//! the host, the scheme and the client as the app would see them, the method, the names of the headers that the page has set.
//!
//! A response counts for exactly what was asked: another path may be another app, mounted beside
//! this one.

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::{Refusal, message::vary};

/// What the app's own CORS allows to one origin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// `Access-Control-Allow-Origin`; none if its pages may not read.
    pub allow_origin: Option<HeaderValue>,
    /// Whether its pages may send cookies.
    pub credentials: bool,
}

/// Why the app gave no decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Silence {
    /// It could not be asked: it is unavailable, or busy.
    Unasked(Refusal),
    /// Its response is not about CORS.
    Unclear,
}

impl Own {
    /// Reads it from a response of the app.
    pub fn of(answer: &HeaderMap) -> Self {
        let credentials = answer.get(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
        Self {
            allow_origin: answer.get(header::ACCESS_CONTROL_ALLOW_ORIGIN).cloned(),
            credentials: credentials.is_some_and(|value| value == "true"),
        }
    }

    /// Reads the response to a preflight. CORS headers count with a client error, too: a middleware
    /// that allows the origin but not the method responds with 400. Without CORS headers, the
    /// response counts as a no only if the app does not have that method or path, or if its own
    /// handler answers OPTIONS. A redirect, a failure or a demand for credentials does not count.
    pub fn of_preflight(status: StatusCode, answer: &HeaderMap) -> Result<Self, Silence> {
        let speaks = super::CORS_HEADERS.iter().any(|name| answer.contains_key(name));
        let counts = match status {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => true,
            status if status.is_success() => true,
            status if status.is_client_error() => speaks,
            _ => false,
        };
        if counts { Ok(Self::of(answer)) } else { Err(Silence::Unclear) }
    }

    /// Whether pages of this origin may act with the user's cookies.
    pub fn shares_credentials_with(&self, origin: &HeaderValue) -> bool {
        self.credentials && self.allow_origin.as_ref() == Some(origin)
    }

    /// Puts it on a response of ours.
    pub(crate) fn set_headers(self, answer: &mut HeaderMap) {
        let Some(origin) = self.allow_origin else { return };
        if origin != "*" {
            vary::add(answer, "origin");
        }
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials {
            answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_cors_is_an_answer() {
        let allow = ("access-control-allow-origin", "https://app.example");
        let methods = ("access-control-allow-methods", "GET");
        for (status, lines, counts, allowed) in [
            (200, &[allow][..], true, true),
            (400, &[allow, methods], true, true),
            (400, &[methods], true, false),
            (204, &[], true, false),
            (404, &[], true, false),
            (405, &[], true, false),
            (405, &[allow], true, true),
            (400, &[], false, false),
            (401, &[], false, false),
            (401, &[allow], true, true),
            (403, &[], false, false),
            (429, &[], false, false),
            (307, &[], false, false),
            (308, &[allow], false, false),
            (500, &[], false, false),
            (503, &[allow], false, false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            let own = Own::of_preflight(StatusCode::from_u16(status).unwrap(), &headers);
            let seen = own.as_ref().ok().map(|own| own.allow_origin.is_some());
            assert_eq!(seen, counts.then_some(allowed), "{status} {lines:?}");
        }
    }
}
