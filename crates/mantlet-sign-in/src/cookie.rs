//! The cookie of a browser's session.
//!
//! `__Host-session` is bound to this host, to every path of it, and to encrypted connections (RFC 6265bis section 4.1.3.2). A
//! browser drops such a cookie on a plain connection. So where the site is plain http on this machine, which is how apps are
//! developed, the cookie is called `mantlet-session` and goes without `Secure`: many
//! apps have one that is called `session`. Anywhere else a plain site gets no login that lasts.

use http::{HeaderValue, Uri};
use mantlet_accounts::{Secret, sessions::Limits};
use mantlet_controls::{accounts::COOKIES, message::authority::is_loopback};

use crate::asked::Asked;

/// Gives a browser its session. The cookie lasts as long as the session may in all.
pub(crate) fn set(asked: &Asked, cookie: &Secret<String>, limits: Limits) -> HeaderValue {
    header(asked, cookie.expose(), limits.absolute.as_secs())
}

/// Takes it away.
pub(crate) fn clear(asked: &Asked) -> HeaderValue {
    header(asked, "", 0)
}

fn header(asked: &Asked, value: &str, seconds: u64) -> HeaderValue {
    let [host, plain] = COOKIES;
    let (name, secure) = if is_plain_and_local(&asked.origin) { (plain, "") } else { (host, "; Secure") };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly{secure}; SameSite=Lax");
    // A session's cookie is base64url: it always is a header.
    let mut header = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
    header.set_sensitive(true);
    header
}

fn is_plain_and_local(origin: &str) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else { return false };
    origin.scheme_str() == Some("http")
        && origin.host().is_some_and(|host| is_loopback(&host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_site_of_this_machine_gets_a_cookie_without_secure() {
        for local in
            ["http://localhost:8000", "http://127.0.0.1", "http://[::1]:8000", "http://shop.localhost"]
        {
            assert!(is_plain_and_local(local), "{local}");
        }
        for other in [
            "https://localhost:8000",
            "http://orchard.example",
            "http://localhost.example",
            "http://192.168.1.2:8000",
            "",
        ] {
            assert!(!is_plain_and_local(other), "{other}");
        }
    }
}
