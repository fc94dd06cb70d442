use std::time::Duration;

use http::{HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};

use super::Policy;
use crate::{
    Mode,
    policy::{Mistake, header_names},
    units::Span,
};

/// The `[headers]` section. An empty text switches that header off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// `enforce`, `report` (only `Content-Security-Policy-Report-Only` is sent) or `off`. Default `enforce`.
    pub mode: Mode,
    /// `X-Content-Type-Options`. Default `nosniff`.
    pub content_type_options: String,
    /// `Referrer-Policy`. Default `strict-origin-when-cross-origin` (OWASP HTTP Headers cheat sheet).
    pub referrer_policy: String,
    /// `Permissions-Policy` for data and docs. Default: no powerful feature.
    pub permissions_policy: String,
    /// `Permissions-Policy` for the app's own pages. Default: powerful features for the page itself, as browsers do anyway, not for frames in it.
    pub permissions_policy_page: String,
    /// `X-Frame-Options` for data and docs; pages and media get `SAMEORIGIN`. Default `DENY`.
    pub frame_options: String,
    /// `Cross-Origin-Opener-Policy` for the docs pages; the app's own pages get it as report-only, so that logins in pop-ups work. Default `same-origin-allow-popups`.
    pub cross_origin_opener_policy: String,
    /// `Cross-Origin-Resource-Policy` for data and HTML; media may be embedded elsewhere. Default `same-origin`.
    pub cross_origin_resource_policy: String,
    /// `Cache-Control: no-store` on JSON that sets no Cache-Control, if the request carried a credential. Default yes.
    pub no_store: bool,
    /// Headers of the app that are removed. Default `server` and `x-powered-by`.
    pub remove: Vec<String>,
    /// Where FastAPI's documentation pages are. Default `/docs`, `/docs/oauth2-redirect` and `/redoc`.
    pub docs_paths: Vec<String>,
    /// `Content-Security-Policy`, for what is served.
    pub content_security_policy: ContentSecurityPolicy,
    /// `Strict-Transport-Security`, on HTTPS only.
    pub strict_transport_security: StrictTransportSecurity,
}

/// `[headers.content-security-policy]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ContentSecurityPolicy {
    /// For data: nothing may be loaded, nobody may frame it.
    pub data: String,
    /// For FastAPI's documentation pages: what Swagger UI and ReDoc load, by default from their CDN.
    pub docs: String,
    /// Enforced on the app's own pages.
    pub page: String,
    /// Sent to the app's own pages as `Content-Security-Policy-Report-Only`: what could be enforced.
    pub page_report_only: String,
    /// For SVG images: no scripts.
    pub svg: String,
}

/// `[headers.strict-transport-security]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct StrictTransportSecurity {
    /// How long browsers remember; 0 forgets. Default 365 days (OWASP HSTS cheat sheet).
    pub max_age: Span,
    /// Whether it holds for subdomains. Default no: Mantlet cannot know them.
    pub include_subdomains: bool,
    /// Whether browsers may ship it built in. Default no: it cannot be undone quickly.
    pub preload: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            content_type_options: "nosniff".into(),
            referrer_policy: "strict-origin-when-cross-origin".into(),
            permissions_policy: "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"
                .into(),
            permissions_policy_page:
                "camera=(self), display-capture=(self), geolocation=(self), microphone=(self), payment=(self), usb=(self)"
                    .into(),
            frame_options: "DENY".into(),
            cross_origin_opener_policy: "same-origin-allow-popups".into(),
            cross_origin_resource_policy: "same-origin".into(),
            no_store: true,
            remove: vec!["server".into(), "x-powered-by".into()],
            docs_paths: vec!["/docs".into(), "/docs/oauth2-redirect".into(), "/redoc".into()],
            content_security_policy: ContentSecurityPolicy::default(),
            strict_transport_security: StrictTransportSecurity::default(),
        }
    }
}

impl Default for ContentSecurityPolicy {
    fn default() -> Self {
        Self {
            data: "default-src 'none'; frame-ancestors 'none'".into(),
            docs: "default-src 'none'; \
                   script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; \
                   style-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net https://fonts.googleapis.com; \
                   font-src 'self' data: https://fonts.gstatic.com; \
                   img-src 'self' data: https://fastapi.tiangolo.com https://cdn.redoc.ly; \
                   connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'self'; \
                   frame-ancestors 'none'"
                .into(),
            page: "base-uri 'self'; object-src 'none'; frame-ancestors 'self'".into(),
            page_report_only:
                "default-src 'self'; base-uri 'self'; object-src 'none'; frame-ancestors 'self'".into(),
            svg: "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'".into(),
        }
    }
}

impl Default for StrictTransportSecurity {
    fn default() -> Self {
        Self { max_age: Span(Duration::from_hours(365 * 24)), include_subdomains: false, preload: false }
    }
}

impl Config {
    /// Checks the section; keys in mistakes are relative to it.
    pub fn check(&self) -> Result<Policy, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut value = |key: &str, text: &str| -> Option<HeaderValue> {
            if text.is_empty() {
                return None;
            }
            HeaderValue::from_str(text)
                .map_err(|_| {
                    mistakes.push(Mistake::new(key, "a header value cannot hold control characters"));
                })
                .ok()
        };
        let csp = &self.content_security_policy;
        let nosniff = value("content-type-options", &self.content_type_options);
        let referrer = value("referrer-policy", &self.referrer_policy);
        let permissions = value("permissions-policy", &self.permissions_policy);
        let permissions_page = value("permissions-policy-page", &self.permissions_policy_page);
        let frame = value("frame-options", &self.frame_options);
        let frame_self = frame.as_ref().map(|_| HeaderValue::from_static("SAMEORIGIN"));
        let opener = value("cross-origin-opener-policy", &self.cross_origin_opener_policy);
        let resource = value("cross-origin-resource-policy", &self.cross_origin_resource_policy);
        let csp_data = value("content-security-policy.data", &csp.data);
        let csp_docs = value("content-security-policy.docs", &csp.docs);
        let csp_page = value("content-security-policy.page", &csp.page);
        let csp_report = value("content-security-policy.page-report-only", &csp.page_report_only);
        let csp_svg = value("content-security-policy.svg", &csp.svg);
        let hsts = value("strict-transport-security", &self.strict_transport_security.text());
        let remove = header_names("remove", self.remove.iter().enumerate(), &mut mistakes);
        for (index, path) in self.docs_paths.iter().enumerate() {
            mistakes.extend(Mistake::of_path(format!("docs-paths[{index}]"), path));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }

        let set = |headers: &[(HeaderName, &Option<HeaderValue>)]| -> Vec<(HeaderName, HeaderValue)> {
            let common = [(header::X_CONTENT_TYPE_OPTIONS, &nosniff), (header::REFERRER_POLICY, &referrer)];
            let all = common.iter().chain(headers);
            all.filter_map(|(name, value)| Some((name.clone(), (*value).clone()?))).collect()
        };
        let (policy_header, frame_header) = (header::CONTENT_SECURITY_POLICY, header::X_FRAME_OPTIONS);
        let permissions_header = HeaderName::from_static("permissions-policy");
        let opener_header = HeaderName::from_static("cross-origin-opener-policy");
        let resource_header = HeaderName::from_static("cross-origin-resource-policy");
        // Data and docs differ in their policy alone.
        let strict = |policy| {
            set(&[
                (policy_header.clone(), policy),
                (frame_header.clone(), &frame),
                (permissions_header.clone(), &permissions),
                (resource_header.clone(), &resource),
            ])
        };
        let docs_popup = strict(&csp_docs);
        let mut docs = docs_popup.clone();
        docs.extend(opener.clone().map(|value| (opener_header.clone(), value)));
        Ok(Policy {
            data: strict(&csp_data),
            docs,
            docs_popup,
            page: set(&[
                (policy_header.clone(), &csp_page),
                (header::CONTENT_SECURITY_POLICY_REPORT_ONLY, &csp_report),
                (frame_header.clone(), &frame_self),
                (permissions_header.clone(), &permissions_page),
                // Reported only: enforced, it would cut a login pop-up off from the page that opened it.
                (HeaderName::from_static("cross-origin-opener-policy-report-only"), &opener),
                (resource_header.clone(), &resource),
            ]),
            media: set(&[(frame_header.clone(), &frame_self)]),
            svg: set(&[(policy_header.clone(), &csp_svg), (frame_header.clone(), &frame_self)]),
            strict_transport_security: hsts,
            no_store: self.no_store,
            remove,
            docs_paths: self.docs_paths.clone(),
        })
    }
}

impl StrictTransportSecurity {
    fn text(&self) -> String {
        let mut text = format!("max-age={}", self.max_age.0.as_secs());
        if self.include_subdomains {
            text.push_str("; includeSubDomains");
        }
        if self.preload {
            text.push_str("; preload");
        }
        text
    }
}
