//! Small texts of HTTP: parameters, cookies, and paths that may be gone to.

use http::{HeaderMap, HeaderValue, header};
use mantlet_controls::message::is_of_this_site;
use oauth2::url::form_urlencoded;

/// Browsers take a cookie whose name begins so over HTTPS alone, for one host (RFC 6265bis section 4.1.3.2).
pub(crate) const HOST: &str = "__Host-";
/// Bytes of a path that a login returns to.
const LONGEST_NEXT: usize = 2048;

/// A parameter of a query or a form. None: it is missing, or there twice (RFC 6749 section 3.1).
pub(crate) fn parameter(form: &str, name: &str) -> Option<String> {
    let mut found = form_urlencoded::parse(form.as_bytes()).filter(|(key, _)| key == name);
    let value = found.next()?.1.into_owned();
    found.next().is_none().then_some(value)
}

/// All cookies, in the order of the request: the oldest first, as browsers send them (RFC 6265 section 5.4).
pub(crate) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    cookies(headers).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// A line that sets a cookie, for so many seconds. `Lax`: the provider's redirect brings the caller back from another site.
pub(crate) fn set_cookie(name: &str, value: &str, seconds: u64) -> Option<HeaderValue> {
    let secure = if name.starts_with(HOST) { "Secure; " } else { "" };
    let line = format!("{name}={value}; Path=/; {secure}HttpOnly; SameSite=Lax; Max-Age={seconds}");
    let mut line = HeaderValue::try_from(line).ok()?;
    line.set_sensitive(true);
    Some(line)
}

/// A path of this site, and nothing that a browser would read as the address of another one. `own` are the addresses of
/// logins, to which no login returns.
pub(crate) fn local(next: &str, own: &str) -> Option<String> {
    let is_local = is_of_this_site(next)
        && next.len() <= LONGEST_NEXT
        // A browser leaves out tabs and line breaks. A header takes no control characters.
        && next.bytes().all(|byte| byte.is_ascii_graphic());
    let is_own =
        next.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
    (is_local && !is_own).then(|| next.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_this_site_is_returned_to() {
        for good in ["/", "/a/b?c=d#e", "/authors", "/%5Cexample.com", "/a//b"] {
            assert_eq!(local(good, "/auth").as_deref(), Some(good));
        }
        let bad = [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "/\t/evil.example",
            "/a\r\nSet-Cookie: x=y",
            "javascript:alert(1)",
            " /a",
            "/ä",
            "/auth",
            "/auth/login/openid",
            "/auth?x",
        ];
        for bad in bad {
            assert_eq!(local(bad, "/auth"), None, "{bad:?}");
        }
        assert_eq!(local(&format!("/{}", "a".repeat(LONGEST_NEXT)), "/auth"), None);
    }

    #[test]
    fn a_parameter_that_is_there_twice_is_not_there() {
        assert_eq!(parameter("a=1&b=%20x+y", "b").as_deref(), Some(" x y"));
        assert_eq!(parameter("a=1&a=2", "a"), None);
        assert_eq!(parameter("a=1", "b"), None);
    }

    #[test]
    fn cookies_keep_their_order() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; b=2=3"));
        headers.append(header::COOKIE, HeaderValue::from_static("c=4"));
        let found: Vec<_> = cookies(&headers).collect();
        assert_eq!(found, [("a", "1"), ("b", "2=3"), ("c", "4")]);
        assert_eq!(cookie(&headers, "b"), Some("2=3"));
    }
}
