//! The attributes of cookies that the app sets.
//!
//! Defends users' sessions: a cookie without `Secure` is sent in plain, one without `HttpOnly` is
//! read by injected scripts, one without `SameSite` is sent with requests of foreign pages (in
//! browsers that do not default to `Lax`). Follows the OWASP Session Management cheat sheet.
//!
//! A missing attribute is set or only reported, as `cookies.mode` says; an attribute that the app
//! set is not changed. Cookies that the app removes are left alone.
//!
//! To mind in deployment: a cookie that the app's own scripts read needs `http-only = false`.
//!
//! ```
//! use http::{HeaderMap, HeaderValue};
//! use mantlet_controls::{Context, Mode, Section, cookies::Config};
//!
//! let policy = Config { mode: Mode::Enforce, ..Config::default() }.check(&Context::default()).expect("a valid configuration");
//! let mut answer = HeaderMap::new();
//! answer.insert("set-cookie", HeaderValue::from_static("session=1; Path=/; SameSite=Strict"));
//! policy.apply(&mut answer, true);
//! assert_eq!(answer["set-cookie"], "session=1; Path=/; SameSite=Strict; Secure; HttpOnly");
//! ```

mod config;

use std::collections::HashMap;

use http::{HeaderMap, HeaderValue, header};

pub use config::{Config, CookieConfig, SameSite};

use crate::{Mode, audit::FirstTime, config::Clock, message::cookie::SetCookie};

/// Cookies that are reported, each once. An app can make up any number of names.
const MAX_REPORTED: usize = 256;

/// The checked `[cookies]` section.
#[derive(Debug)]
pub struct Policy {
    pub(crate) mode: Mode,
    by_name: HashMap<Vec<u8>, Wanted>,
    others: Wanted,
    reported: FirstTime,
    /// Cookies that have expired are left alone.
    clock: Clock,
}

/// Attributes that a cookie should have.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    secure: bool,
    http_only: bool,
    same_site: SameSite,
}

impl Policy {
    /// Sets missing attributes.
    pub fn apply(&self, answer: &mut HeaderMap, https: bool) {
        let mut lines = answer.get_all(header::SET_COOKIE).iter();
        if lines.all(|line| self.missing(line, https).is_none()) {
            return;
        }
        let header::Entry::Occupied(entry) = answer.entry(header::SET_COOKIE) else { return };
        let (name, lines) = entry.remove_entry_mult();
        let lines: Vec<_> = lines.map(|line| self.completed(line, https)).collect();
        for line in lines {
            answer.append(name.clone(), line);
        }
    }

    /// Names of cookies that lack an attribute and have not been reported yet.
    pub(crate) fn news(&self, answer: &HeaderMap, https: bool) -> Vec<String> {
        let lines = answer.get_all(header::SET_COOKIE).iter();
        let lacking = lines.filter(|line| self.missing(line, https).is_some());
        let names = lacking.filter_map(|line| Some(SetCookie::parse(line.as_bytes())?.name));
        let names = names.map(|name| String::from_utf8_lossy(name).into_owned());
        names.filter(|name| self.reported.is_new(name)).collect()
    }

    fn completed(&self, line: HeaderValue, https: bool) -> HeaderValue {
        let Some(missing) = self.missing(&line, https) else { return line };
        let completed = [line.as_bytes(), missing.as_bytes()].concat();
        HeaderValue::from_bytes(&completed).unwrap_or(line)
    }

    /// The attributes to add to the line, if any.
    fn missing(&self, line: &HeaderValue, https: bool) -> Option<String> {
        let set = SetCookie::parse(line.as_bytes()).filter(|set| !set.is_removal(self.clock))?;
        let wanted = self.by_name.get(set.name).unwrap_or(&self.others);
        let lacks = |name| set.attribute(name).is_none();
        let mut missing = String::new();
        if https && wanted.secure && lacks("secure") {
            missing.push_str("; Secure");
        }
        if wanted.http_only
            && lacks("httponly")
            && (self.by_name.contains_key(set.name) || !is_for_scripts(set.name))
        {
            missing.push_str("; HttpOnly");
        }
        match wanted.same_site {
            SameSite::Lax if lacks("samesite") => missing.push_str("; SameSite=Lax"),
            SameSite::Strict if lacks("samesite") => missing.push_str("; SameSite=Strict"),
            _ => {}
        }
        (!missing.is_empty()).then_some(missing)
    }
}

/// Scripts must be able to read double-submit cookies.
fn is_for_scripts(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    [&b"csrf"[..], b"xsrf"].iter().any(|part| memchr::memmem::find(&name, part).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Section};

    fn applied(config: &Config, line: &str, https: bool) -> String {
        let policy = Config { mode: Mode::Enforce, ..config.clone() }.check(&Context::default()).unwrap();
        let mut answer = HeaderMap::new();
        answer.append("set-cookie", HeaderValue::from_static("first=1; Secure; HttpOnly; SameSite=None"));
        answer.append("set-cookie", line.parse().unwrap());
        policy.apply(&mut answer, https);
        let lines: Vec<_> = answer.get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
        assert_eq!((lines.len(), lines[0]), (2, "first=1; Secure; HttpOnly; SameSite=None"));
        lines[1].to_owned()
    }

    #[test]
    fn what_is_missing_is_set_and_what_is_there_stays() {
        let default = Config::default();
        for (line, https, expected) in [
            ("a=1", true, "a=1; Secure; HttpOnly; SameSite=Lax"),
            ("a=1", false, "a=1; HttpOnly; SameSite=Lax"),
            (
                "a=1; path=/; secure; HTTPONLY; samesite=none",
                true,
                "a=1; path=/; secure; HTTPONLY; samesite=none",
            ),
            ("a=1; SameSite=None", true, "a=1; SameSite=None; Secure; HttpOnly"),
            ("csrftoken=1", true, "csrftoken=1; Secure; SameSite=Lax"),
            ("XSRF-TOKEN=1; Secure; SameSite=Strict", true, "XSRF-TOKEN=1; Secure; SameSite=Strict"),
            ("a=; Max-Age=0", true, "a=; Max-Age=0"),
            (
                "a=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT",
                true,
                "a=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT",
            ),
            ("no cookie at all", true, "no cookie at all"),
        ] {
            assert_eq!(applied(&default, line, https), expected);
        }
        let named = |name: &str| CookieConfig { name: name.into(), ..CookieConfig::default() };
        let config = Config {
            cookie: vec![
                CookieConfig { http_only: Some(false), ..named("theme") },
                CookieConfig { same_site: Some(SameSite::Strict), ..named("session") },
                CookieConfig { same_site: Some(SameSite::Unset), secure: Some(false), ..named("csrf") },
            ],
            ..Config::default()
        };
        assert_eq!(applied(&config, "theme=dark", true), "theme=dark; Secure; SameSite=Lax");
        assert_eq!(applied(&config, "session=1", true), "session=1; Secure; HttpOnly; SameSite=Strict");
        assert_eq!(applied(&config, "csrf=1", true), "csrf=1; HttpOnly");
    }

    #[test]
    fn each_cookie_is_news_once() {
        let policy = Config::default().check(&Context::default()).unwrap();
        let mut answer = HeaderMap::new();
        for line in ["a=1", "b=1; Secure; HttpOnly; SameSite=Lax", "c=1; Secure; SameSite=Lax"] {
            answer.append("set-cookie", HeaderValue::from_static(line));
        }
        assert_eq!(policy.news(&answer, true), ["a", "c"]);
        assert!(policy.news(&answer, true).is_empty());
    }

    #[test]
    fn a_cookie_is_configured_once_and_by_name() {
        let named = |name: &str| CookieConfig { name: name.into(), ..CookieConfig::default() };
        let config = Config { cookie: vec![named("a"), named(""), named("a")], ..Config::default() };
        let keys: Vec<_> =
            config.check(&Context::default()).unwrap_err().into_iter().map(|mistake| mistake.key).collect();
        assert_eq!(keys, ["cookie[1].name", "cookie[2].name"]);
    }
}
