//! Whether two URLs are the same, after they are normalised (RFC 3986 section 6.2).

use http::Uri;

use crate::{
    Scheme,
    message::{
        authority,
        percent::{decoded, read},
    },
};

/// The URL that a client has asked for, as far as a proof names it.
#[derive(Debug, Clone)]
pub(super) struct Asked<'c> {
    pub(super) scheme: Scheme,
    /// With its port, if that is not the usual one.
    pub(super) host: &'c str,
    /// As it was sent.
    pub(super) path: &'c str,
    /// Other spellings of the same operation, decoded: with a root path that a proxy takes off.
    pub(super) others: Vec<&'c str>,
}

impl Asked<'_> {
    /// Whether a `htu` names it. Query and fragment do not count (RFC 9449 section 4.3).
    ///
    /// `https` counts where we see `http`: a proxy that is not declared may have ended TLS, and the owner
    /// of a name has both. In the handshake of a WebSocket, clients may name its scheme.
    pub(super) fn is(&self, htu: &str) -> bool {
        let Ok(uri) = htu.parse::<Uri>() else { return false };
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.authority()) else { return false };
        let is_scheme = |names: [&str; 2]| names.iter().any(|name| scheme.eq_ignore_ascii_case(name));
        let port = match self.scheme {
            Scheme::Http | Scheme::Https if is_scheme(["https", "wss"]) => "443",
            Scheme::Http if is_scheme(["http", "ws"]) => "80",
            Scheme::Http | Scheme::Https => return false,
        };
        if host.as_str().contains('@') || !authority::is_same(host.as_str(), self.host, port) {
            return false;
        }
        normal(uri.path()) == normal(self.path)
            || (!self.others.is_empty() && {
                let decoded = decoded(uri.path());
                self.others.iter().any(|other| other.as_bytes() == decoded)
            })
    }
}

impl std::fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host)
    }
}

/// A path with its unreserved characters plain, its other encodings in upper case, and without dot
/// segments. An empty one is `/`.
fn normal(path: &str) -> Vec<u8> {
    let mut plain = Vec::with_capacity(path.len());
    for (byte, is_encoded) in read(path) {
        let is_unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if is_encoded && !is_unreserved {
            plain.extend(format!("%{byte:02X}").bytes());
        } else {
            plain.push(byte);
        }
    }
    // RFC 3986 section 5.2.4
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut ends_in_slash = true;
    for segment in plain.split(|byte| *byte == b'/').skip(1) {
        ends_in_slash = matches!(segment, b"." | b"..");
        match segment {
            b"." => {}
            b".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    let mut whole = Vec::with_capacity(plain.len() + 1);
    for segment in &segments {
        whole.push(b'/');
        whole.extend_from_slice(segment);
    }
    if ends_in_slash {
        whole.push(b'/');
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_compared_after_they_are_normalised() {
        let asked = |path| Asked { scheme: Scheme::Https, host: "api.example.com", path, others: Vec::new() };
        for (path, htu) in [
            ("/items/1", "https://api.example.com/items/1"),
            ("/items/1", "HTTPS://API.Example.com:443/items/1?page=2#top"),
            ("/items/1", "https://api.example.com:/x/../items/./1"),
            ("/", "https://api.example.com"),
            ("/a%2fb/%7Eann", "https://api.example.com/a%2Fb/~ann"),
            ("/a/", "https://api.example.com/a/b/.."),
            ("/caf%C3%A9", "https://api.example.com/caf%c3%a9"),
        ] {
            assert!(asked(path).is(htu), "{path} {htu}");
        }
        for (path, htu) in [
            ("/items/1", "http://api.example.com/items/1"),
            ("/items/1", "http://api.example.com:443/items/1"),
            ("/items/1", "ftp://api.example.com/items/1"),
            ("/items/1", "https://api.example.com:8443/items/1"),
            ("/items/1", "https://evil.example/items/1"),
            ("/items/1", "https://ann@api.example.com/items/1"),
            ("/items/1", "https://api.example.com/items/1/"),
            ("/items/1", "https://api.example.com/items/2"),
            ("/items/a", "https://api.example.com/items/A"),
            ("/a%2Fb", "https://api.example.com/a/b"),
            ("/items/1", "/items/1"),
            ("/items/1", ""),
        ] {
            assert!(!asked(path).is(htu), "{path} {htu}");
        }
        let plain = |host| Asked { scheme: Scheme::Http, host, ..asked("/") };
        for (host, htu, expected) in [
            ("api.example.com", "http://api.example.com/", true),
            ("api.example.com", "http://api.example.com:80/", true),
            ("api.example.com", "https://api.example.com/", true),
            ("api.example.com:8000", "https://api.example.com:8000/", true),
            ("api.example.com:8000", "https://api.example.com/", false),
            ("api.example.com", "http://api.example.com:443/", false),
            ("api.example.com", "wss://api.example.com/", true),
            ("api.example.com", "ws://api.example.com/", true),
        ] {
            assert_eq!(plain(host).is(htu), expected, "{host} {htu}");
        }
        let below = Asked { others: vec!["/api/a b"], ..asked("/a%20b") };
        assert!(below.is("https://api.example.com/api/a%20b"));
        assert!(!below.is("https://api.example.com/other/a%20b"));
    }
}
