//! Security headers on every answer, refusals included.
//!
//! Defends the people behind browsers: content sniffing, framing (clickjacking), script injection, leaking referrers,
//! windows that reach into each other, shared caches that keep personal data, and servers that announce
//! their version. Follows the OWASP REST Security and HTTP Headers cheat sheets.
//!
//! What is set depends on what is served ([`Kind`]):
//! 1. *Data* (JSON and all that is not below) may load nothing and be framed by nobody.
//! 2. *Docs* (FastAPI's Swagger UI and ReDoc pages) get a policy under which they work, including their CDN.
//! 3. *Page* (the app's own HTML) is not broken: enforced is only what a page rarely notices; the strict policy is sent as
//!    `Content-Security-Policy-Report-Only`.
//! 4. *Media* (images, fonts, scripts, styles, PDF, downloads) may be embedded elsewhere, as before; an SVG may not run scripts.
//!
//! A header that the app set stays as it is. `Server` and `X-Powered-By` are removed.
//!
//! To mind in deployment: HSTS is sent only on HTTPS, which behind a proxy needs that proxy in `client.trusted`.
//!
//! ```
//! use http::{HeaderMap, HeaderValue, header};
//! use mantlet_controls::headers::{Config, Facts};
//!
//! let policy = Config::default().check().expect("a valid configuration");
//! let mut headers = HeaderMap::new();
//! headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
//! headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
//! policy.apply(&mut headers, &Facts { path: "/items", https: false, authenticated: true, not_modified: false });
//! assert_eq!(headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'");
//! assert_eq!(headers["cache-control"], "no-store");
//! assert_eq!(headers["x-frame-options"], "SAMEORIGIN");
//! ```

mod config;
mod kind;

use http::{HeaderMap, HeaderName, HeaderValue, header, header::Entry};

pub use config::{Config, ContentSecurityPolicy, StrictTransportSecurity};
pub use kind::Kind;

use crate::{Mode, path::Spellings};

/// What decides, beside the answer itself, which headers it gets.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The canonical path.
    pub path: &'a str,
    /// The caller used HTTPS.
    pub https: bool,
    /// The request carried a credential.
    pub authenticated: bool,
    /// The answer only confirms what the client has stored (304).
    pub not_modified: bool,
}

/// The checked `[headers]` section: every header ready to be set.
#[derive(Debug, Clone)]
pub struct Policy {
    data: Vec<(HeaderName, HeaderValue)>,
    docs: Vec<(HeaderName, HeaderValue)>,
    docs_popup: Vec<(HeaderName, HeaderValue)>,
    page: Vec<(HeaderName, HeaderValue)>,
    media: Vec<(HeaderName, HeaderValue)>,
    svg: Vec<(HeaderName, HeaderValue)>,
    strict_transport_security: Option<HeaderValue>,
    no_store: bool,
    remove: Vec<HeaderName>,
    docs_paths: Vec<String>,
}

impl Policy {
    /// Applies the control in its mode. Reporting leaves the answer as it is but for the content security policy, which browsers can report themselves.
    pub fn apply_in(&self, mode: Mode, headers: &mut HeaderMap, facts: &Facts<'_>) {
        match mode {
            Mode::Enforce => self.apply(headers, facts),
            Mode::Report => self.report(headers, facts),
            Mode::Off => {}
        }
    }

    /// Sets what the answer lacks and removes what it should not tell.
    pub fn apply(&self, headers: &mut HeaderMap, facts: &Facts<'_>) {
        for name in &self.remove {
            headers.remove(name);
        }
        if facts.not_modified {
            // Its headers replace those of the stored answer (RFC 9111 section 3.2), whose kind it does not tell.
            return;
        }
        let kind = self.kind(headers, facts);
        // An app that says itself who may frame it is not contradicted by the older header.
        let app_decides_framing = headers
            .get(header::CONTENT_SECURITY_POLICY)
            .is_some_and(|csp| memchr::memmem::find(csp.as_bytes(), b"frame-ancestors").is_some());
        let set = self.set_for(kind);
        headers.reserve(set.len() + 3);
        for (name, value) in set {
            if app_decides_framing && name == header::X_FRAME_OPTIONS {
                continue;
            }
            set_default(headers, name, value);
        }
        if let Some(value) = self.strict_transport_security.as_ref().filter(|_| facts.https) {
            set_default(headers, &header::STRICT_TRANSPORT_SECURITY, value);
        }
        if self.no_store && facts.authenticated && kind == Kind::Data && kind::is_json(headers) {
            set_default(headers, &header::CACHE_CONTROL, &HeaderValue::from_static("no-store"));
        }
    }

    fn report(&self, headers: &mut HeaderMap, facts: &Facts<'_>) {
        if facts.not_modified {
            return;
        }
        let kind = self.kind(headers, facts);
        let csp = self.set_for(kind).iter().find(|(name, _)| *name == header::CONTENT_SECURITY_POLICY);
        if let Some((_, value)) = csp {
            set_default(headers, &header::CONTENT_SECURITY_POLICY_REPORT_ONLY, value);
        }
    }

    /// The spelling of a path by which it is that of a documentation page, if it has one; else the app's own.
    pub(crate) fn path_of_docs<'p>(&self, path: Spellings<'p>) -> &'p str {
        let is_docs = |path: &&str| self.docs_paths.iter().any(|docs| docs == path);
        path.iter().find(is_docs).unwrap_or(path.own())
    }

    fn kind(&self, headers: &HeaderMap, facts: &Facts<'_>) -> Kind {
        match Kind::of(headers) {
            Kind::Page if self.docs_paths.iter().any(|path| path == facts.path) => {
                // The page in which an identity provider's pop-up ends must still reach the window that opened it.
                if facts.path.ends_with("/oauth2-redirect") { Kind::DocsPopup } else { Kind::Docs }
            }
            kind => kind,
        }
    }

    fn set_for(&self, kind: Kind) -> &[(HeaderName, HeaderValue)] {
        match kind {
            Kind::Data => &self.data,
            Kind::Docs => &self.docs,
            Kind::DocsPopup => &self.docs_popup,
            Kind::Page => &self.page,
            Kind::Media => &self.media,
            Kind::Svg => &self.svg,
        }
    }
}

fn set_default(headers: &mut HeaderMap, name: &HeaderName, value: &HeaderValue) {
    if let Entry::Vacant(vacant) = headers.entry(name) {
        vacant.insert(value.clone());
    }
}

#[cfg(test)]
mod tests;
