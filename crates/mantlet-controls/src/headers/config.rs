use std::time::Duration;

use http::{HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};

use super::{Policy, Sets};
use crate::{
    Mode,
    config::{Context, Mistake, Posture, Section, header_names, units::Span},
};

/// The `[headers]` section. An empty text switches that header off. Defaults depend on the posture:
/// in `compatible`, a header that could break a page is not sent, or only in its report-only form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// `enforce`, `report` (only `Content-Security-Policy-Report-Only` is sent) or `off`. Default `enforce`.
    pub mode: Mode,
    /// `X-Content-Type-Options`. Default `nosniff`, in `compatible` posture not on what has no Content-Type, and not on what a page of the app loads as a script or style.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type_options: Option<String>,
    /// `Referrer-Policy`. Default `strict-origin-when-cross-origin`, which browsers do by themselves.
    pub referrer_policy: String,
    /// `Permissions-Policy` for data and docs. Default: no powerful feature; in `compatible` posture for data alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions_policy: Option<String>,
    /// `Permissions-Policy` for the app's own pages. Default none, because it would remove what
    /// `<iframe allow=…>` grants to frames. Strict: powerful features for the page itself, not for
    /// frames in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions_policy_page: Option<String>,
    /// `X-Frame-Options` for data and docs; pages and media get `SAMEORIGIN` then. Default none,
    /// because an app may be meant for embedding. Strict `DENY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_options: Option<String>,
    /// `Cross-Origin-Opener-Policy` for the docs pages; the app's own pages get it as report-only, so that logins in pop-ups work. Default `same-origin-allow-popups`, in `compatible`
    /// posture as report-only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_origin_opener_policy: Option<String>,
    /// `Cross-Origin-Resource-Policy` for data and HTML; what elements load may be embedded elsewhere. Default none; strict `same-origin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_origin_resource_policy: Option<String>,
    /// `Cache-Control: no-store` on JSON that sets no Cache-Control, if the request carried a credential; in `compatible` posture not beside an `ETag`, `Last-Modified` or `Expires`. Default yes.
    pub no_store: bool,
    /// Headers of the app that are removed. Default `server` and `x-powered-by`.
    pub remove: Vec<String>,
    /// Where documentation pages are. Default: where the app's contract says that FastAPI's own are; without one `/docs`, `/docs/oauth2-redirect` and `/redoc`.
    pub docs_paths: Vec<String>,
    /// `Content-Security-Policy`, for what is served.
    pub content_security_policy: ContentSecurityPolicy,
    /// `Strict-Transport-Security`, on HTTPS only, and only for public names on port 443.
    pub strict_transport_security: StrictTransportSecurity,
}

/// `[headers.content-security-policy]`. Configured policies are enforced. In `compatible` posture
/// browsers only report default policies, except for data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ContentSecurityPolicy {
    /// For data: nothing may be loaded; strict: and no page may frame it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// For FastAPI's documentation pages: what Swagger UI and ReDoc load, by default from their CDN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
    /// For the app's own pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Sent to the app's own pages as `Content-Security-Policy-Report-Only`: a policy that could be
    /// enforced later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_report_only: Option<String>,
    /// For SVG images: no scripts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub svg: Option<String>,
}

/// `[headers.strict-transport-security]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct StrictTransportSecurity {
    /// How long browsers remember; 0 forgets. Default 365 days (OWASP HSTS cheat sheet).
    pub max_age: Span,
    /// Whether it holds for subdomains. Default no: Mantlet cannot know them.
    pub include_subdomains: bool,
    /// Whether browsers may include the host in their built-in list. Default no: that cannot be
    /// undone quickly.
    pub preload: bool,
}

const NOSNIFF: &str = "nosniff";
const FEATURES: &str = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()";
const FEATURES_OF_A_PAGE: &str = "camera=(self), display-capture=(self), geolocation=(self), microphone=(self), payment=(self), usb=(self)";
const FRAMES: &str = "DENY";
const OPENER: &str = "same-origin-allow-popups";
const RESOURCES: &str = "same-origin";
/// Without `frame-ancestors`: an app may show its texts in a frame.
const DATA_IN_FRAMES: &str = "default-src 'none'";
const DATA: &str = "default-src 'none'; frame-ancestors 'none'";
const DOCS: &str = "default-src 'none'; \
                    script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; \
                    style-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net https://fonts.googleapis.com; \
                    font-src 'self' data: https://fonts.gstatic.com; \
                    img-src 'self' data: https://fastapi.tiangolo.com https://cdn.redoc.ly; \
                    connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'self'; \
                    frame-ancestors 'none'";
const PAGE: &str = "base-uri 'self'; object-src 'none'; frame-ancestors 'self'";
const PAGE_REPORT_ONLY: &str =
    "default-src 'self'; base-uri 'self'; object-src 'none'; frame-ancestors 'self'";
const SVG: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'";

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            content_type_options: None,
            referrer_policy: "strict-origin-when-cross-origin".into(),
            permissions_policy: None,
            permissions_policy_page: None,
            frame_options: None,
            cross_origin_opener_policy: None,
            cross_origin_resource_policy: None,
            no_store: true,
            remove: vec!["server".into(), "x-powered-by".into()],
            docs_paths: Vec::new(),
            content_security_policy: ContentSecurityPolicy::default(),
            strict_transport_security: StrictTransportSecurity::default(),
        }
    }
}

impl Default for StrictTransportSecurity {
    fn default() -> Self {
        Self { max_age: Span(Duration::from_hours(365 * 24)), include_subdomains: false, preload: false }
    }
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        let posture = context.posture;
        let mut mistakes = Vec::new();
        let mut value = |key: &str, text: &str| -> Option<HeaderValue> {
            if text.is_empty() {
                return None;
            }
            HeaderValue::from_str(text)
                .map_err(|_| {
                    mistakes.push(Mistake::new(key, "a header value cannot contain control characters"));
                })
                .ok()
        };
        let csp = &self.content_security_policy;
        let mut choice = |key: &str, set: &Option<String>, default: &'static str| Choice {
            is_set: set.is_some(),
            value: value(key, set.as_deref().unwrap_or(default)),
        };
        let values = Values {
            nosniff: choice("content-type-options", &self.content_type_options, NOSNIFF),
            permissions: choice("permissions-policy", &self.permissions_policy, FEATURES),
            permissions_page: choice(
                "permissions-policy-page",
                &self.permissions_policy_page,
                FEATURES_OF_A_PAGE,
            ),
            frame: choice("frame-options", &self.frame_options, FRAMES),
            opener: choice("cross-origin-opener-policy", &self.cross_origin_opener_policy, OPENER),
            resource: choice("cross-origin-resource-policy", &self.cross_origin_resource_policy, RESOURCES),
            csp_data: choice("content-security-policy.data", &csp.data, DATA),
            csp_docs: choice("content-security-policy.docs", &csp.docs, DOCS),
            csp_page: choice("content-security-policy.page", &csp.page, PAGE),
            csp_report: choice(
                "content-security-policy.page-report-only",
                &csp.page_report_only,
                PAGE_REPORT_ONLY,
            ),
            csp_svg: choice("content-security-policy.svg", &csp.svg, SVG),
            referrer: value("referrer-policy", &self.referrer_policy),
        };
        let hsts = value("strict-transport-security", &self.strict_transport_security.text());
        let remove = header_names("remove", self.remove.iter().enumerate(), &mut mistakes);
        for (index, path) in self.docs_paths.iter().enumerate() {
            mistakes.extend(Mistake::of_path(format!("docs-paths[{index}]"), path));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let strict = posture == Posture::Strict;
        Ok(Policy {
            own: values.sets(true).data,
            sets: values.sets(strict),
            strict,
            always_nosniff: strict || self.content_type_options.is_some(),
            strict_transport_security: hsts,
            no_store: self.no_store,
            remove,
            docs_paths: self.docs_paths.clone(),
        })
    }
}

/// A header's value, and whether the operator has set it.
struct Choice {
    is_set: bool,
    value: Option<HeaderValue>,
}

impl Choice {
    /// The value, if it is sent: set by the operator, or by the posture.
    fn sent(&self, by_posture: bool) -> Option<HeaderValue> {
        self.value.clone().filter(|_| self.is_set || by_posture)
    }
}

struct Values {
    nosniff: Choice,
    permissions: Choice,
    permissions_page: Choice,
    frame: Choice,
    opener: Choice,
    resource: Choice,
    csp_data: Choice,
    csp_docs: Choice,
    csp_page: Choice,
    csp_report: Choice,
    csp_svg: Choice,
    referrer: Option<HeaderValue>,
}

impl Values {
    /// The headers of each kind of response. Unless strict, only headers that cannot break a page,
    /// and those that the operator has set.
    fn sets(&self, strict: bool) -> Sets {
        let permissions = HeaderName::from_static("permissions-policy");
        let opener = HeaderName::from_static("cross-origin-opener-policy");
        let opener_report = HeaderName::from_static("cross-origin-opener-policy-report-only");
        let resource = HeaderName::from_static("cross-origin-resource-policy");
        let (policy, report) = (header::CONTENT_SECURITY_POLICY, header::CONTENT_SECURITY_POLICY_REPORT_ONLY);
        let frame = self.frame.sent(strict);
        let frame_self = frame.as_ref().map(|_| HeaderValue::from_static("SAMEORIGIN"));
        let set = |headers: Vec<(&HeaderName, Option<HeaderValue>)>| -> Vec<(HeaderName, HeaderValue)> {
            let common = [
                (&header::X_CONTENT_TYPE_OPTIONS, self.nosniff.value.clone()),
                (&header::REFERRER_POLICY, self.referrer.clone()),
            ];
            let all = common.into_iter().chain(headers);
            all.filter_map(|(name, value)| Some((name.clone(), value?))).collect()
        };
        // A policy that is not enforced is reported.
        let reported = |choice: &Choice| choice.value.clone().filter(|_| !choice.is_set && !strict);
        let framing = (&header::X_FRAME_OPTIONS, frame.clone());
        let framing_self = (&header::X_FRAME_OPTIONS, frame_self.clone());
        let own_resource = (&resource, self.resource.sent(strict));
        let data_policy = if strict || self.csp_data.is_set {
            self.csp_data.value.clone()
        } else {
            Some(HeaderValue::from_static(DATA_IN_FRAMES))
        };
        let docs_popup = set(vec![
            (&policy, self.csp_docs.sent(strict)),
            (&report, reported(&self.csp_docs)),
            framing.clone(),
            (&permissions, self.permissions.sent(strict)),
            own_resource.clone(),
        ]);
        let mut docs = docs_popup.clone();
        docs.extend(self.opener.sent(strict).map(|value| (opener.clone(), value)));
        docs.extend(reported(&self.opener).map(|value| (opener_report.clone(), value)));
        Sets {
            data: set(vec![
                (&policy, data_policy),
                framing.clone(),
                (&permissions, self.permissions.value.clone()),
                own_resource.clone(),
            ]),
            untyped: set(vec![
                (&policy, self.csp_data.sent(strict)),
                framing,
                (&permissions, self.permissions.sent(strict)),
                own_resource.clone(),
            ]),
            docs,
            docs_popup,
            page: set(vec![
                (&policy, self.csp_page.sent(strict)),
                (&report, self.csp_report.value.clone()),
                framing_self.clone(),
                (&permissions, self.permissions_page.sent(strict)),
                // Reported only: enforced, it would cut a login pop-up off from the page that opened it.
                (&opener_report, self.opener.value.clone()),
                own_resource,
            ]),
            media: set(vec![framing_self.clone()]),
            svg: set(vec![
                (&policy, self.csp_svg.sent(strict)),
                (&report, reported(&self.csp_svg)),
                framing_self,
            ]),
        }
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
