//! Do clients know that an operation is going away?
//!
//! Defends clients against an end without notice: the app marks an operation `deprecated` only in
//! its document, which a running program does not read. With this control its responses say so,
//! too.
//!
//! A response gets the headers if
//! 1. the configuration says since when such operations are deprecated, and
//! 2. the app's contract marks the operation, and it is certain that no other one responds in its
//!    place;
//!
//! and it keeps each of them that the app has set itself. `Deprecation` is a date (RFC 9745),
//! `Sunset` the time from which the operation may not respond any more (RFC 8594), `Link` with the
//! relation `deprecation` leads to a page for people.
//!
//! To mind in deployment: both dates hold for all marked operations. Those of one operation are for the app to set.
//!
//! ```
//! use http::HeaderMap;
//! use mantlet_controls::{Context, Mode, Section, deprecation::Config};
//!
//! let config = Config { mode: Mode::Enforce, since: "2026-12-01".into(), ..Config::default() };
//! let policy = config.check(&Context::default()).expect("a valid configuration");
//! let mut headers = HeaderMap::new();
//! policy.set_headers(true, &mut headers);
//! assert_eq!(headers["deprecation"], "@1796083200");
//! let mistakes = Config { since: String::new(), ..config }.check(&Context::default()).unwrap_err();
//! assert_eq!(mistakes[0].key, "since");
//! ```

mod config;

use http::{HeaderMap, HeaderName, HeaderValue, header};

pub use config::{Config, Policy};

use crate::operation::Matched;

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// The headers of their responses.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Notice {
    deprecation: HeaderValue,
    sunset: Option<HeaderValue>,
    link: Option<HeaderValue>,
}

impl Policy {
    /// Tells the client of an operation, if it is deprecated.
    pub(crate) fn apply(&self, operation: Option<&Matched>, headers: &mut HeaderMap) {
        self.set_headers(operation.is_some_and(is_deprecated), headers);
    }

    /// The same, for a response of which it is known whether its operation is deprecated.
    pub fn set_headers(&self, is_deprecated: bool, headers: &mut HeaderMap) {
        let Some(notice) = self.notice.as_ref().filter(|_| is_deprecated) else { return };
        headers.entry(DEPRECATION).or_insert_with(|| notice.deprecation.clone());
        if let Some(sunset) = &notice.sunset {
            headers.entry(SUNSET).or_insert_with(|| sunset.clone());
        }
        // An app has links of its own.
        if let Some(link) = &notice.link {
            headers.append(header::LINK, link.clone());
        }
    }
}

/// Whether the operation is deprecated, and no other one may respond in its place.
fn is_deprecated(matched: &Matched) -> bool {
    !matched.unsure && matched.route.operation.as_ref().is_some_and(|operation| operation.deprecated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Mode, Section};

    fn config() -> Config {
        Config {
            mode: Mode::Enforce,
            since: "2026-12-01".into(),
            sunset: "2027-06-30T12:00:00+02:00".into(),
            documentation: "https://example.com/v2?from=v1".into(),
        }
    }

    #[test]
    fn a_deprecated_operation_says_so_and_what_the_app_says_stays() {
        let policy = config().check(&Context::default()).unwrap();
        let mut headers = HeaderMap::new();
        policy.set_headers(false, &mut headers);
        assert!(headers.is_empty());
        headers.insert("sunset", HeaderValue::from_static("Sat, 01 Jan 2028 00:00:00 GMT"));
        headers.insert("link", HeaderValue::from_static("</next>; rel=\"next\""));
        policy.set_headers(true, &mut headers);
        assert_eq!(headers["deprecation"], "@1796083200");
        assert_eq!(headers["sunset"], "Sat, 01 Jan 2028 00:00:00 GMT");
        let links: Vec<_> = headers.get_all("link").iter().collect();
        assert_eq!(links, ["</next>; rel=\"next\"", "<https://example.com/v2?from=v1>; rel=\"deprecation\""]);
        let mut headers = HeaderMap::new();
        policy.set_headers(true, &mut headers);
        assert_eq!(headers["sunset"], "Wed, 30 Jun 2027 10:00:00 GMT");
    }

    #[test]
    fn it_sleeps_until_it_is_told_a_date() {
        for config in [Config::default(), Config::off(), Config { mode: Mode::Report, ..config() }] {
            let policy = config.check(&Context::default()).unwrap();
            let mut headers = HeaderMap::new();
            policy.set_headers(true, &mut headers);
            assert!(headers.is_empty(), "{config:?}");
        }
    }

    #[test]
    fn dates_and_addresses_that_cannot_be_are_mistakes() {
        for (change, key) in [
            (&(|config: &mut Config| config.since = String::new()) as &dyn Fn(&mut Config), "since"),
            (&|config| config.since = "soon".into(), "since"),
            (&|config| config.since = "2026-02-30".into(), "since"),
            (&|config| config.sunset = "2026-11-30".into(), "sunset"),
            (&|config| config.sunset = "30.6.2027".into(), "sunset"),
            (&|config| config.documentation = "example.com".into(), "documentation"),
            (&|config| config.documentation = "https://a/> b".into(), "documentation"),
        ] {
            let mut config = config();
            change(&mut config);
            let mistakes = config.check(&Context::default()).unwrap_err();
            let keys: Vec<_> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
            assert_eq!(keys, [key], "{config:?}");
        }
    }
}
