//! Security headers on every response, refusals included.
//!
//! Defends users of browsers against content sniffing, framing (clickjacking), script injection,
//! leaking referrers, windows that reach into each other, shared caches that keep personal data,
//! and servers that announce their version. Follows the OWASP REST Security and HTTP Headers cheat
//! sheets.
//!
//! The headers depend on the kind of the response ([`Kind`]), and on the posture. In `compatible`
//! posture a header is not set, or only in its report-only form, if it could break a page, a frame,
//! a pop-up, an embedding site or a download:
//! 1. *Data* (JSON and text) may load nothing.
//! 2. *Docs* (FastAPI's Swagger UI and ReDoc pages) and *pages* (the app's own HTML) get their policies as
//!    `Content-Security-Policy-Report-Only`.
//! 3. *Media* (whatever elements of a page load) is left alone.
//!
//! In `strict` posture the policies are enforced, no page frames data, and only the same origin
//! loads it. Refusals always get all headers of data.
//!
//! A header that the app set stays as it is. `Server` and `X-Powered-By` are removed.
//!
//! To mind in deployment: HSTS is sent only on HTTPS, which behind a proxy needs that proxy in `client.trusted`.
//!
//! ```
//! use http::{HeaderMap, HeaderValue, header};
//! use mantlet_controls::{Context, Section, config::Posture, headers::{Config, Facts}};
//!
//! let strict = Context { posture: Posture::Strict, ..Context::default() };
//! let policy = Config::default().check(&strict).expect("a valid configuration");
//! let mut headers = HeaderMap::new();
//! headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
//! headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
//! policy.apply(&mut headers, &Facts { path: "/items", carries_credentials: true, ..Facts::default() });
//! assert_eq!(headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'");
//! assert_eq!(headers["cache-control"], "no-store");
//! assert_eq!(headers["x-frame-options"], "SAMEORIGIN");
//! ```

mod config;
mod kind;
mod public;

use http::{HeaderMap, HeaderName, HeaderValue, header, header::Entry};

pub use config::{Config, ContentSecurityPolicy, StrictTransportSecurity};
pub use kind::Kind;
pub(crate) use public::is_public;

use crate::{Mode, call::Spellings, message::media_type::MediaType};

/// The facts that decide, besides the response itself, which headers it gets.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Facts<'a> {
    /// The canonical path.
    pub path: &'a str,
    /// The caller used HTTPS.
    pub https: bool,
    /// The request carried a credential.
    pub carries_credentials: bool,
    /// The response only confirms a stored one (304).
    pub not_modified: bool,
    /// Mantlet wrote the response, not the app.
    pub own: bool,
    /// The contract says whether this is one of FastAPI's documentation pages; none if there is no contract.
    pub docs: Option<bool>,
    /// The caller used a public name, on the port that it is known by.
    pub public_host: bool,
    /// A page of the same site loads it as a script or a style.
    pub loaded_as_code: bool,
    /// There is no body whose type a browser could guess.
    pub empty: bool,
}

/// Paths of documentation pages, if neither the contract nor the configuration names any.
const DOCS_PATHS: [&str; 3] = ["/docs", "/docs/oauth2-redirect", "/redoc"];

/// Headers by what is served, ready to be set.
#[derive(Debug, Clone)]
struct Sets {
    data: Vec<(HeaderName, HeaderValue)>,
    untyped: Vec<(HeaderName, HeaderValue)>,
    docs: Vec<(HeaderName, HeaderValue)>,
    docs_popup: Vec<(HeaderName, HeaderValue)>,
    page: Vec<(HeaderName, HeaderValue)>,
    media: Vec<(HeaderName, HeaderValue)>,
    svg: Vec<(HeaderName, HeaderValue)>,
}

/// The checked `[headers]` section.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The headers of Mantlet's own responses.
    own: Vec<(HeaderName, HeaderValue)>,
    sets: Sets,
    strict: bool,
    always_nosniff: bool,
    strict_transport_security: Option<HeaderValue>,
    no_store: bool,
    remove: Vec<HeaderName>,
    docs_paths: Vec<String>,
}

impl Policy {
    /// Applies the control in its mode. In report mode only the content security policy is set, in
    /// its report-only form.
    pub fn apply_in(&self, mode: Mode, headers: &mut HeaderMap, facts: &Facts<'_>) {
        match mode {
            Mode::Enforce => self.apply(headers, facts),
            Mode::Report => self.report(headers, facts),
            Mode::Off => {}
        }
    }

    /// Sets missing headers and removes those that reveal too much.
    pub fn apply(&self, headers: &mut HeaderMap, facts: &Facts<'_>) {
        for name in &self.remove {
            headers.remove(name);
        }
        if facts.not_modified {
            // A 304's headers replace those of the stored response (RFC 9111 section 3.2), and it
            // does not show that response's kind.
            return;
        }
        let kind = self.kind(headers, facts);
        // If the app itself says which sites may frame it, the older header must not contradict
        // that.
        let app_decides_framing = headers
            .get(header::CONTENT_SECURITY_POLICY)
            .is_some_and(|csp| memchr::memmem::find(csp.as_bytes(), b"frame-ancestors").is_some());
        let set = if facts.own { &self.own } else { self.set_for(kind) };
        let may_sniff = !facts.own && !self.always_nosniff && {
            // Without the header, a script with a wrong type runs and a page without a type is
            // shown.
            facts.loaded_as_code || (kind == Kind::Untyped && !facts.empty)
        };
        headers.reserve(set.len() + 3);
        for (name, value) in set {
            if (app_decides_framing && name == header::X_FRAME_OPTIONS)
                || (may_sniff && name == header::X_CONTENT_TYPE_OPTIONS)
            {
                continue;
            }
            set_default(headers, name, value);
        }
        if let Some(value) =
            self.strict_transport_security.as_ref().filter(|_| facts.https && facts.public_host)
        {
            set_default(headers, &header::STRICT_TRANSPORT_SECURITY, value);
        }
        let may_be_stored = |headers: &HeaderMap| {
            // Without these headers, caches do not reuse the response, so `no-store` costs nothing.
            !self.strict
                && !facts.own
                && [header::ETAG, header::LAST_MODIFIED, header::EXPIRES]
                    .iter()
                    .any(|name| headers.contains_key(name))
        };
        if self.no_store
            && facts.carries_credentials
            && MediaType::of(headers).is_some_and(MediaType::is_json)
            && !may_be_stored(headers)
        {
            set_default(headers, &header::CACHE_CONTROL, &HeaderValue::from_static("no-store"));
        }
    }

    fn report(&self, headers: &mut HeaderMap, facts: &Facts<'_>) {
        if facts.not_modified {
            return;
        }
        let kind = self.kind(headers, facts);
        let is_policy = |name: &HeaderName| {
            [header::CONTENT_SECURITY_POLICY, header::CONTENT_SECURITY_POLICY_REPORT_ONLY].contains(name)
        };
        let csp = self.set_for(kind).iter().find(|(name, _)| is_policy(name));
        if let Some((_, value)) = csp {
            set_default(headers, &header::CONTENT_SECURITY_POLICY_REPORT_ONLY, value);
        }
    }

    /// The spelling of a path that is a documentation page, if one is; else the app's own.
    pub(crate) fn path_of_docs<'p>(&self, path: Spellings<'p>) -> &'p str {
        let is_docs = |path: &&str| self.docs_paths.iter().any(|docs| docs == path);
        path.iter().find(is_docs).unwrap_or(path.own())
    }

    fn kind(&self, headers: &HeaderMap, facts: &Facts<'_>) -> Kind {
        match Kind::of(headers) {
            Kind::Page if self.is_docs(facts) => {
                // The page in which an identity provider's pop-up ends must still reach the window that opened it.
                if facts.path.ends_with("/oauth2-redirect") { Kind::DocsPopup } else { Kind::Docs }
            }
            kind => kind,
        }
    }

    fn is_docs(&self, facts: &Facts<'_>) -> bool {
        match facts.docs {
            _ if !self.docs_paths.is_empty() => self.docs_paths.iter().any(|path| path == facts.path),
            Some(docs) => docs,
            None => DOCS_PATHS.contains(&facts.path),
        }
    }

    fn set_for(&self, kind: Kind) -> &[(HeaderName, HeaderValue)] {
        match kind {
            Kind::Data => &self.sets.data,
            Kind::Xml | Kind::Untyped => &self.sets.untyped,
            Kind::Docs => &self.sets.docs,
            Kind::DocsPopup => &self.sets.docs_popup,
            Kind::Page => &self.sets.page,
            Kind::Media => &self.sets.media,
            Kind::Svg => &self.sets.svg,
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
