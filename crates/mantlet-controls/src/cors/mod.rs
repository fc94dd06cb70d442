//! Cross-origin resource sharing: whose pages may read our responses.
//!
//! Defends users whose browsers hold their cookies: without CORS a foreign page can send requests
//! but not read what comes back; a careless CORS response gives up that protection. Follows the
//! Fetch standard and the OWASP REST Security cheat sheet.
//!
//! With `cors.origins` configured,
//! 1. a preflight is answered here, before authentication and throttles: 204 if origin, method and headers are allowed, else 403;
//! 2. every response to an allowed origin, refusals included, says so, and says `Vary: Origin`, for
//!    caches;
//! 3. a request from another origin passes without such headers: its browser does not let the page
//!    read the response.
//!
//! Mantlet's headers then replace the app's; no header is sent twice. Without configuration the
//! app's own CORS headers pass unchanged.
//!
//! `null` cannot be allowed, nor `*` together with credentials; a wildcard stands for exactly one label.
//!
//! ```
//! use http::{HeaderMap, HeaderValue, Method};
//! use mantlet_controls::{Context, Section, cors::Config};
//!
//! let config = Config { origins: vec!["https://app.example.com".into()], ..Config::default() };
//! let policy = config.check(&Context::default()).expect("a valid configuration");
//! let mut request = HeaderMap::new();
//! request.insert("origin", HeaderValue::from_static("https://app.example.com"));
//! let mut answer = HeaderMap::new();
//! policy.dress(&request, &mut answer);
//! assert_eq!(answer["access-control-allow-origin"], "https://app.example.com");
//! assert_eq!(answer["vary"], "origin");
//! ```

mod config;
mod own;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

pub use config::Config;
pub use own::{Own, Silence};

use crate::{
    Mode, Reason,
    message::{origin::Origins, vary},
};

const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// The headers of an app's own CORS response.
const CORS_HEADERS: [HeaderName; 7] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
    ALLOW_PRIVATE_NETWORK,
];

#[derive(Debug, Clone)]
enum Allowed {
    AppDecides,
    Any,
    These(Origins),
}

/// The checked `[cors]` section.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(crate) mode: Mode,
    allowed: Allowed,
    credentials: bool,
    methods: Vec<Method>,
    allow_methods: Option<HeaderValue>,
    any_header: bool,
    headers: Vec<HeaderName>,
    expose: Option<HeaderValue>,
    max_age: HeaderValue,
    private_network: bool,
}

impl Policy {
    /// Whether Mantlet, and not the app, handles CORS.
    pub(crate) const fn is_ours(&self) -> bool {
        matches!(self.mode, Mode::Enforce) && self.is_configured()
    }

    const fn is_configured(&self) -> bool {
        !matches!(self.allowed, Allowed::AppDecides)
    }

    /// Whether pages of this origin may send the user's cookies; for the `csrf` control.
    pub(crate) fn shares_credentials_with(&self, origin: &str) -> bool {
        self.credentials && matches!(&self.allowed, Allowed::These(origins) if origins.contains(origin))
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        match &self.allowed {
            Allowed::AppDecides => false,
            Allowed::Any => true,
            Allowed::These(origins) => origin.to_str().is_ok_and(|origin| origins.contains(origin)),
        }
    }

    /// Judges a preflight (an OPTIONS request with Origin and Access-Control-Request-Method). `None` if it is not one, or
    /// if the app answers those.
    pub fn preflight(&self, method: &Method, request: &HeaderMap) -> Option<Result<HeaderMap, Reason>> {
        if !is_preflight(method, request) || !self.is_configured() {
            return None;
        }
        let origin = request.get(header::ORIGIN)?;
        let wanted = request.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
        Some(self.judge_preflight(origin, wanted, request))
    }

    fn judge_preflight(
        &self,
        origin: &HeaderValue,
        method: &HeaderValue,
        request: &HeaderMap,
    ) -> Result<HeaderMap, Reason> {
        if !self.allows(origin) {
            return Err(Reason::CorsOriginDenied);
        }
        if !self.methods.iter().any(|allowed| allowed.as_str().as_bytes() == method.as_bytes()) {
            return Err(Reason::CorsMethodDenied);
        }
        let wanted = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
        if let Some(wanted) = wanted.filter(|_| !self.any_header) {
            let all_allowed =
                wanted.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).all(|name| {
                    name.is_empty()
                        || self
                            .headers
                            .iter()
                            .any(|allowed| name.eq_ignore_ascii_case(allowed.as_str().as_bytes()))
                });
            if !all_allowed {
                return Err(Reason::CorsHeaderDenied);
            }
        }
        let private = request.contains_key(&REQUEST_PRIVATE_NETWORK);
        if private && !self.private_network {
            return Err(Reason::CorsPrivateNetworkDenied);
        }
        let mut answer = HeaderMap::new();
        let mut set = |name: HeaderName, value: Option<HeaderValue>| {
            if let Some(value) = value {
                answer.insert(name, value);
            }
        };
        set(header::ACCESS_CONTROL_ALLOW_METHODS, self.allow_methods.clone());
        set(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.cloned());
        set(header::ACCESS_CONTROL_MAX_AGE, Some(self.max_age.clone()));
        set(ALLOW_PRIVATE_NETWORK, private.then(|| HeaderValue::from_static("true")));
        let varies = "origin, access-control-request-method, access-control-request-headers";
        set(header::VARY, Some(HeaderValue::from_static(varies)));
        self.allow(origin, &mut answer);
        Ok(answer)
    }

    /// Replaces the app's CORS headers on a response with ours.
    pub fn dress(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        self.set_headers_for(request.get(header::ORIGIN), answer);
    }

    pub(crate) fn set_headers_for(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        if !self.is_ours() {
            return;
        }
        for name in &CORS_HEADERS {
            answer.remove(name);
        }
        if !matches!(self.allowed, Allowed::Any) {
            // Caches must not serve one origin's response to another.
            vary::add(answer, "origin");
        }
        let Some(origin) = origin.filter(|origin| self.allows(origin)) else { return };
        self.allow(origin, answer);
        if let Some(expose) = &self.expose {
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
    }

    fn allow(&self, origin: &HeaderValue, answer: &mut HeaderMap) {
        let value = match self.allowed {
            Allowed::Any => HeaderValue::from_static("*"),
            Allowed::AppDecides | Allowed::These(_) => origin.clone(),
        };
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
        if self.credentials {
            answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

/// Whether the request is a preflight (Fetch standard, CORS-preflight request).
pub(crate) fn is_preflight(method: &Method, request: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && request.contains_key(header::ORIGIN)
        && request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

#[cfg(test)]
mod tests;
