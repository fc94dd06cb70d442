//! Is the host's name public: owned by one owner for the whole world?
//!
//! Browsers keep `Strict-Transport-Security` by name alone, whatever the port and the network: for
//! `localhost` they would refuse every plain server on the developer's machine for a year.

use std::net::Ipv4Addr;

/// Last labels without an owner (RFC 6761, RFC 6762, RFC 8375, ICANN's `.internal`), and those that
/// private networks use.
const PRIVATE: [&str; 17] = [
    "localhost",
    "local",
    "internal",
    "test",
    "invalid",
    "localdomain",
    "lan",
    "home",
    "corp",
    "intranet",
    "private",
    "domain",
    "workgroup",
    "router",
    "box",
    "docker",
    "cluster",
];

/// Domains whose names stand for addresses of private networks, or loopback.
const SHARED: [&str; 8] =
    ["home.arpa", "nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me", "lacolhost.com", "cluster.local"];

/// Whether a Host header has a public name and the default port.
pub(crate) fn is_public(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        _ if host.starts_with('[') => return false,
        Some((name, port)) => (name, port),
        None => (host, ""),
    };
    if !matches!(port, "" | "443") {
        // On the default port there may be another server, which speaks plain HTTP.
        return false;
    }
    let name = name.trim_end_matches('.');
    if name.parse::<Ipv4Addr>().is_ok() || !name.is_ascii() {
        return false;
    }
    let Some((_, last)) = name.rsplit_once('.') else { return false };
    let is_below = |parent: &str| {
        let at = name.len().checked_sub(parent.len());
        at.is_some_and(|at| {
            name.get(at..).is_some_and(|end| end.eq_ignore_ascii_case(parent))
                && (at == 0 || name.as_bytes().get(at - 1) == Some(&b'.'))
        })
    };
    // The last label of a name has a letter; anything else is an address in one of its old forms.
    last.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !last.starts_with("0x")
        && !PRIVATE.iter().any(|known| known.eq_ignore_ascii_case(last))
        && !SHARED.iter().any(|parent| is_below(parent))
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_names_that_the_world_knows() {
        for (host, expected) in [
            ("shop.example.com", true),
            ("example.com", true),
            ("EXAMPLE.com.", true),
            ("example.com:443", true),
            ("example.com:8443", false),
            ("localhost", false),
            ("localhost:443", false),
            ("app.localhost", false),
            ("nas.local", false),
            ("api.internal", false),
            ("shop.test", false),
            ("printer.home.arpa", false),
            ("nas.lan", false),
            ("nas", false),
            ("127.0.0.1", false),
            ("10.0.0.7", false),
            ("192.0.2.7", false),
            ("[::1]", false),
            ("[2001:db8::1]:443", false),
            ("127.1", false),
            ("0x7f.0x1", false),
            ("127.0.0.1.nip.io", false),
            ("myhome.arpa", true),
            ("notlocalhost.com", true),
            ("", false),
        ] {
            assert_eq!(super::is_public(host), expected, "{host}");
        }
    }
}
