//! One host, one spelling.
//!
//! A client may write a host in many ways that mean the same: in capitals, with an empty port, with
//! zeros before the port. The next reader may not know all of them: Starlette discards a Host with
//! an empty port, and then builds links from the address of our socket.

use std::{borrow::Cow, net::IpAddr};

use super::without_port;

/// The canonical spelling of a well-formed host with or without a port: lower case, the port a plain number or not there
/// (RFC 3986 sections 6.2.2.1 and 6.2.3). `None` if it is spelt so already.
///
/// A dot at the end stays: to a browser `example.com.` is another site than `example.com`.
pub(crate) fn respelled(host: &str) -> Option<String> {
    let (name, port) = split(host);
    let plain = port.map(|digits| digits.trim_start_matches('0')).filter(|digits| !digits.is_empty());
    // `:0` is a number too, if not a port.
    let plain = plain.or_else(|| port.filter(|digits| !digits.is_empty()).map(|_| "0"));
    if plain == port && !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let name = name.to_ascii_lowercase();
    Some(plain.map_or_else(|| name.clone(), |port| format!("{name}:{port}")))
}

/// The name (an IPv6 address in its brackets) and the port, which may be empty.
pub(crate) fn split(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    }
}

/// The form of a host for lookups: a name in lower case, without the port and the final dot; an
/// address in its shortest text.
pub(crate) fn name(host: &str) -> Cow<'_, str> {
    let name = without_port(host);
    match name.parse::<IpAddr>() {
        // Four numbers without zeros before them: there is no other spelling.
        Ok(IpAddr::V4(_)) => return name.into(),
        Ok(address) => return address.to_canonical().to_string().into(),
        Err(_) => {}
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return name.to_ascii_lowercase().into();
    }
    name.into()
}

/// The address that a host is, if it is one.
pub(crate) fn address(host: &str) -> Option<IpAddr> {
    without_port(host).parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Whether a host, without its port, is always this machine: `localhost`, a name below it (RFC 6761
/// section 6.3), or a loopback address.
pub fn is_loopback(host: &str) -> bool {
    if let Some(address) = address(host) {
        return address.is_loopback();
    }
    let name = name(host);
    name == "localhost" || name.strip_suffix(".localhost").is_some_and(|rest| !rest.is_empty())
}

/// Whether two well-formed hosts, with or without ports, are the same, where `port` stands for none. Letter case, an empty port and zeros before
/// the port do not matter.
pub fn is_same(one: impl AsRef<[u8]>, other: impl AsRef<[u8]>, port: &str) -> bool {
    fn plain<'h>(host: &'h [u8], port: &'h str) -> (&'h [u8], &'h [u8]) {
        let colon = memchr::memrchr(b':', host).filter(|_| host.last() != Some(&b']'));
        let (name, own) = host.split_at(colon.unwrap_or(host.len()));
        let own = own.get(1..).unwrap_or_default();
        let zeros = own.iter().take_while(|digit| **digit == b'0').count();
        let own = own.get(zeros..).unwrap_or_default();
        (name, if own.is_empty() { port.as_bytes() } else { own })
    }
    let ((name, own), (other, other_own)) = (plain(one.as_ref(), port), plain(other.as_ref(), port));
    own == other_own && name.eq_ignore_ascii_case(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_spelling() {
        for (host, spelling) in [
            ("localhost", None),
            ("localhost:8000", None),
            ("localhost:", Some("localhost")),
            ("localhost:08000", Some("localhost:8000")),
            ("localhost:0", None),
            ("localhost:00", Some("localhost:0")),
            ("Shop.Example:80", Some("shop.example:80")),
            ("shop.example.", None),
            ("shop.example..", None),
            ("[::1]", None),
            ("[::1]:", Some("[::1]")),
            ("[2001:DB8::1]:8000", Some("[2001:db8::1]:8000")),
        ] {
            assert_eq!(respelled(host).as_deref(), spelling, "{host}");
        }
    }

    #[test]
    fn a_host_has_one_name() {
        for (host, expected) in [
            ("Shop.Example.:80", "shop.example"),
            ("shop.example..", "shop.example."),
            ("[0:0:0:0:0:0:0:1]:8000", "::1"),
            ("[::ffff:192.0.2.1]", "192.0.2.1"),
            ("192.0.2.1:", "192.0.2.1"),
            ("127.1", "127.1"),
        ] {
            assert_eq!(name(host), expected, "{host}");
        }
    }

    #[test]
    fn this_machine_has_few_names() {
        for (host, expected) in [
            ("localhost", true),
            ("LOCALHOST.:5173", true),
            ("app.localhost:3000", true),
            ("127.0.0.1:8000", true),
            ("127.8.8.8", true),
            ("[::1]:8000", true),
            ("[::ffff:127.0.0.1]", true),
            (".localhost", false),
            ("localhost.evil.example", false),
            ("evil-localhost", false),
            ("127.0.0.1.evil.example", false),
            ("127.1", false),
            ("0.0.0.0", false),
            ("192.168.0.1", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(host), expected, "{host}");
        }
    }

    #[test]
    fn the_port_of_the_scheme_need_not_be_said() {
        for (one, other, same) in [
            ("a.example", "A.example:80", true),
            ("a.example:", "a.example:080", true),
            ("a.example:8000", "a.example:8000", true),
            ("a.example:8000", "a.example", false),
            ("a.example", "a.example.", false),
            ("[::1]:80", "[::1]", true),
        ] {
            assert_eq!(is_same(one, other, "80"), same, "{one} {other}");
        }
    }
}
