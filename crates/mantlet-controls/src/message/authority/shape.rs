//! The form of a Host header or `:authority` (RFC 9110 section 7.2, RFC 3986 section 3.2).
//!
//! Another control decides which hosts are known; this is only the form: no userinfo, no path, no
//! list, not empty.

use std::net::Ipv6Addr;

/// Whether the bytes are `host` or `host:port`, where host is a name, an IPv4 address or a bracketed IPv6 address.
pub fn is_well_formed(value: &[u8]) -> bool {
    let (host, port) = match value {
        [b'[', rest @ ..] => {
            let Some(end) = memchr::memchr(b']', rest) else { return false };
            let (address, tail) = rest.split_at(end);
            let is_address = std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
            if !is_address {
                return false;
            }
            (None, tail.get(1..).unwrap_or_default())
        }
        _ => match memchr::memchr(b':', value) {
            Some(colon) => (value.get(..colon), value.get(colon..).unwrap_or_default()),
            None => (Some(value), &[][..]),
        },
    };
    let host_is_fine = host.is_none_or(|name| {
        // reg-name, without percent-encoding and sub-delims, which no host in use has; `_` is in use.
        !name.is_empty()
            && name.len() <= 255
            && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
    });
    host_is_fine
        && match port {
            [] => true,
            // An empty port is allowed by the grammar (RFC 3986 section 3.2.3).
            [b':', digits @ ..] => {
                digits.len() <= 5
                    && digits.iter().all(u8::is_ascii_digit)
                    && digits.iter().fold(0_u32, |n, d| n * 10 + u32::from(d - b'0')) <= 65_535
            }
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    #[test]
    fn row_23_only_a_host_and_a_port() {
        for (host, expected) in [
            ("example.com", true),
            ("example.com:8000", true),
            ("127.0.0.1", true),
            ("[::1]:8000", true),
            ("[::1]", true),
            ("my_service", true),
            ("example.com.", true),
            ("", false),
            (":80", false),
            ("user@example.com", false),
            ("example.com/path", false),
            ("a.example, b.example", false),
            ("exa mple", false),
            ("example.com:80:80", false),
            ("example.com:65536", false),
            ("example.com:+80", false),
            ("[::1", false),
            ("[::g]", false),
            ("[::1]x", false),
            ("::1", false),
            ("exa\u{7f}mple", false),
            ("ex%61mple", false),
        ] {
            assert_eq!(super::is_well_formed(host.as_bytes()), expected, "{host:?}");
        }
    }
}
