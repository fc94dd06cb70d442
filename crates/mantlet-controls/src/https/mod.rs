//! Is it HTTPS where it must be?
//!
//! Defends against eavesdropping and tampering on the way: a plain request is sent to the encrypted address before it carries
//! anything worth reading.
//!
//! A request passes if
//! 1. it came over TLS, to us or to a proxy in `client.trusted` that says so, or
//! 2. HTTPS is not required: `https.required` says `never`, or `auto` and Mantlet has no certificate, or
//! 3. its path is exempt: ACME challenges and health checks come in plain by design.
//!
//! A plain GET, HEAD or OPTIONS is redirected with 308 to the same URL with `https`. Anything else
//! is refused with 403: its body and credentials have been exposed already, and a redirect would
//! hide that.
//!
//! To mind in deployment: behind a proxy that ends TLS, set `required = "always"` and name the proxy in `client.trusted`.
//!
//! ```
//! use mantlet_controls::{Context, Section, https::{Config, Required}};
//!
//! let config = Config { required: Required::Always, port: Some(8443), ..Config::default() };
//! assert!(config.check(&Context::default()).is_ok());
//! let mistakes = Config { exempt: vec!["health".into()], ..config }.check(&Context::default()).unwrap_err();
//! assert_eq!(mistakes[0].key, "exempt[0]");
//! ```

mod config;

use http::{HeaderValue, Method, uri::PathAndQuery};

use crate::call::Spellings;

pub use config::{Config, Required};

/// The checked `[https]` section.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub(crate) required: bool,
    port: Option<u16>,
    exempt: Vec<String>,
}

/// The decision about a plain request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Pass,
    /// It is sent to this URL.
    Redirect(HeaderValue),
    /// It is refused.
    Refuse,
}

impl Policy {
    /// Decides about a plain request for a path, in any of its spellings.
    pub fn verify(
        &self,
        method: &Method,
        host: Option<&str>,
        target: &PathAndQuery,
        path: Spellings<'_>,
    ) -> Verdict {
        if !self.required || path.iter().any(|path| self.exempts(path)) {
            return Verdict::Pass;
        }
        if !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Verdict::Refuse;
        }
        let Some(host) = host else { return Verdict::Refuse };
        let (name, named_port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, None),
        };
        let port = match self.port.or(named_port) {
            None | Some(80 | 443) => String::new(),
            Some(port) => format!(":{port}"),
        };
        // The wire and the path stop have judged the target, so it contains nothing that a header
        // must not contain.
        HeaderValue::try_from(format!("https://{name}{port}{target}"))
            .map_or(Verdict::Refuse, Verdict::Redirect)
    }

    fn exempts(&self, path: &str) -> bool {
        self.exempt.iter().any(|exempt| match exempt.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path == exempt,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Deployment, Section};

    #[test]
    fn plain_requests_are_redirected_if_safe_and_refused_if_not() {
        let policy = |port| {
            let config = Config { required: Required::Always, port, ..Config::default() };
            config.check(&Context::default()).unwrap()
        };
        let check = |method: Method, host: &str, target: &'static str, port, expected: &str| {
            let target = PathAndQuery::from_static(target);
            let verdict = policy(port).verify(&method, Some(host), &target, Spellings::one(target.path()));
            let shown = match verdict {
                Verdict::Pass => "pass".to_owned(),
                Verdict::Refuse => "refuse".to_owned(),
                Verdict::Redirect(to) => to.to_str().unwrap().to_owned(),
            };
            assert_eq!(shown, expected, "{method} {host} {target}");
        };
        check(Method::GET, "a.example:80", "/x?y=1", None, "https://a.example/x?y=1");
        check(Method::GET, "a.example:8443", "/", None, "https://a.example:8443/");
        check(Method::HEAD, "a.example", "/", Some(8443), "https://a.example:8443/");
        check(Method::HEAD, "a.example:8000", "/", Some(443), "https://a.example/");
        check(Method::OPTIONS, "[::1]:8000", "/", None, "https://[::1]:8000/");
        check(Method::OPTIONS, "[::1]", "/", None, "https://[::1]/");
        check(Method::POST, "a.example", "/login", None, "refuse");
        check(Method::DELETE, "a.example", "/x", None, "refuse");
        check(Method::GET, "a.example", "/.well-known/acme-challenge/abc", None, "pass");
        check(Method::GET, "a.example", "/health", None, "pass");
        check(Method::GET, "a.example", "/healthy", None, "https://a.example/healthy");
    }

    #[test]
    fn auto_means_with_a_certificate() {
        let deployment = Deployment { has_certificate: true, ..Deployment::default() };
        let encrypted = Context { deployment, ..Context::default() };
        assert!(!Config::default().check(&Context::default()).unwrap().required);
        assert!(Config::default().check(&encrypted).unwrap().required);
        let never = Config { required: Required::Never, ..Config::default() };
        assert!(!never.check(&encrypted).unwrap().required);
    }
}
