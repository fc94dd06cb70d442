//! Web origins (RFC 6454): the identity of a page to a browser.

use std::collections::HashSet;

use super::authority::{self, is_well_formed, without_port};

/// Schemes of pages that are not web sites but have an origin: browser extensions, and programs
/// that are made of pages.
const APPS: [&str; 7] = [
    "capacitor",
    "chrome-extension",
    "ionic",
    "moz-extension",
    "safari-web-extension",
    "tauri",
    "vscode-webview",
];

/// A pattern of origins in a configuration: exact, or with `*` for exactly one label of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OriginPattern {
    /// `https://app.example.com`
    Exact(String),
    /// `https://*.example.com`: what stands before and after the label.
    OneLabel { before: String, after: String },
}

impl OriginPattern {
    /// Reads a pattern; the error says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        if lower == "null" {
            return Err("`null` is the origin of every sandboxed or local page and cannot be allowed".into());
        }
        let (scheme, host) = lower
            .split_once("://")
            .ok_or_else(|| format!("`{text}` is not an origin; write `https://HOST`"))?;
        if !matches!(scheme, "http" | "https") && !APPS.contains(&scheme) {
            return Err(format!("`{text}` is not a web origin; write `https://HOST`"));
        }
        let port = match scheme {
            "https" => ":443",
            "http" => ":80",
            _ => "",
        };
        let host = host.strip_suffix(port).unwrap_or(host);
        match host.strip_prefix("*.") {
            None if is_well_formed(host.as_bytes()) => Ok(Self::Exact(format!("{scheme}://{host}"))),
            Some(rest) if is_well_formed(rest.as_bytes()) && without_port(rest).contains('.') => {
                Ok(Self::OneLabel { before: format!("{scheme}://"), after: format!(".{rest}") })
            }
            Some(_) => Err(format!("`{text}` would allow every site below a public suffix")),
            None => Err(format!("`{text}` is not an origin; write `https://HOST`, without a path")),
        }
    }
}

/// Many patterns; finding one costs the length of the origin, not their number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origins {
    exact: HashSet<Box<str>>,
    /// `https://` + `.example.com`: an origin with its first label taken out.
    one_label: HashSet<Box<str>>,
}

impl Origins {
    pub(crate) fn insert(&mut self, pattern: OriginPattern) {
        match pattern {
            OriginPattern::Exact(origin) => self.exact.insert(origin.into()),
            OriginPattern::OneLabel { before, after } => {
                self.one_label.insert(format!("{before}{after}").into())
            }
        };
    }

    /// Whether the origin, as a browser writes it, is one of them.
    pub(crate) fn contains(&self, origin: &str) -> bool {
        if self.exact.contains(origin) {
            return true;
        }
        let Some((scheme, host)) = origin.split_once("://").filter(|_| !self.one_label.is_empty()) else {
            return false;
        };
        let Some((label, rest)) = host.split_once('.') else { return false };
        let is_label = !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        is_label && self.one_label.contains(format!("{scheme}://.{rest}").as_str())
    }
}

/// Whether an origin names the host that the request was sent to. Schemes are not compared: a proxy may end TLS.
pub(crate) fn is_host(origin: &str, host: &str) -> bool {
    parts(origin).is_some_and(|(authority, port)| authority::is_same(authority, host, port))
}

/// Whether the page is always of this machine: a loopback name or address.
pub(crate) fn is_loopback(origin: &str) -> bool {
    parts(origin).is_some_and(|(authority, _)| authority::is_loopback(authority))
}

/// An origin as records may show it: it is one that could be trusted by name, or `null`. Anything else is the client's own text.
pub(crate) fn shown(origin: &str) -> Option<&str> {
    (origin == "null" || is_name(origin)).then_some(origin)
}

/// Whether a configuration can name this origin.
pub(crate) fn is_name(origin: &str) -> bool {
    !origin.contains('*') && OriginPattern::parse(origin).is_ok()
}

/// The host and port of a web origin, and the port that stands for none.
fn parts(origin: &str) -> Option<(&str, &'static str)> {
    let (scheme, authority) = origin.split_once("://")?;
    let port = match scheme {
        "https" => "443",
        "http" => "80",
        _ => return None,
    };
    is_well_formed(authority.as_bytes()).then_some((authority, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_63_suffix_and_subdomain_tricks_do_not_match() {
        let mut origins = Origins::default();
        for pattern in [
            "https://app.example.com",
            "https://*.example.org",
            "http://localhost:3000",
            "https://x.example:443",
            "chrome-extension://abcdefghijklmnop",
            "capacitor://localhost",
        ] {
            origins.insert(OriginPattern::parse(pattern).unwrap());
        }
        for (origin, allowed) in [
            ("https://app.example.com", true),
            ("https://a.example.org", true),
            ("http://localhost:3000", true),
            ("https://x.example", true),
            ("http://app.example.com", false),
            ("https://app.example.com.evil.net", false),
            ("https://evilapp.example.com", false),
            ("https://app.example.com:8443", false),
            ("https://a.b.example.org", false),
            ("https://.example.org", false),
            ("https://example.org", false),
            ("https://evil.net/.example.org", false),
            ("https://evil.net#.example.org", false),
            ("https://evil_.example.org", false),
            ("http://localhost:3001", false),
            ("chrome-extension://abcdefghijklmnop", true),
            ("chrome-extension://other", false),
            ("capacitor://localhost", true),
            ("http://localhost", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(origins.contains(origin), allowed, "{origin}");
        }
    }

    #[test]
    fn patterns_that_allow_too_much_are_mistakes() {
        for bad in [
            "null",
            "*",
            "https://*",
            "https://*.com",
            "https://a.*.com",
            "example.com",
            "ftp://a",
            "https://a/b",
            "https://",
        ] {
            assert!(OriginPattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn records_show_origins_and_no_other_text() {
        for (origin, expected) in [
            ("https://evil.example:8443", true),
            ("http://[::1]:5173", true),
            ("moz-extension://0f0f", true),
            ("null", true),
            ("sk_live_abc", false),
            ("https://*.example.com", false),
            ("https://user:password@a.example", false),
            ("https://a.example/?token=x", false),
            ("", false),
        ] {
            assert_eq!(shown(origin).is_some(), expected, "{origin}");
        }
    }

    #[test]
    fn an_origin_names_a_host_with_its_port() {
        for (origin, host, same) in [
            ("https://a.example", "a.example", true),
            ("https://a.example", "A.example:443", true),
            ("http://a.example:8000", "a.example:8000", true),
            ("http://a.example:3000", "a.example:8000", false),
            ("https://b.example", "a.example", false),
            ("null", "null", false),
        ] {
            assert_eq!(is_host(origin, host), same, "{origin} {host}");
        }
    }
}
