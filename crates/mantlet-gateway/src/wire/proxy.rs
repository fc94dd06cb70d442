//! The PROXY protocol (v1 and v2), by which a load balancer names the client before the first byte of HTTP.

use std::{
    net::SocketAddr,
    task::{Context, Poll, ready},
};

use ppp::{HeaderResult, PartialResult, v1, v2};
use tokio::io::AsyncRead;

use super::{SCRATCH, Wire};

/// Longest header accepted, in bytes. v1 has at most 107; v2 with every address type and some extensions fits as well.
const MAX_HEADER: usize = 1024;

/// The header was malformed, too long, or did not come.
#[derive(Debug)]
pub(crate) struct NoProxyHeader;

impl<T: AsyncRead + Unpin> Wire<T> {
    /// Reads the header. `None` if the load balancer connects for itself (`LOCAL`, `UNKNOWN`): then
    /// the socket's address counts.
    pub(crate) fn poll_proxy_header(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<SocketAddr>, NoProxyHeader>> {
        loop {
            match parse(&self.stash) {
                Parsed::Header { length, source } => {
                    self.stash.drain(..length);
                    return Poll::Ready(Ok(source));
                }
                Parsed::Incomplete if self.stash.len() < MAX_HEADER => {}
                Parsed::Incomplete | Parsed::Malformed => return Poll::Ready(Err(NoProxyHeader)),
            }
            match ready!(self.poll_fill(cx, SCRATCH)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(NoProxyHeader)),
                Ok(_) => {}
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Parsed {
    Header { length: usize, source: Option<SocketAddr> },
    Incomplete,
    Malformed,
}

fn parse(bytes: &[u8]) -> Parsed {
    if begins_like(bytes, b"PROXY ") {
        // The parser reports some lines as malformed that are only incomplete.
        if memchr::memmem::find(bytes, b"\r\n").is_none() {
            return Parsed::Incomplete;
        }
    } else if !begins_like(bytes, b"\r\n\r\n\0\r\nQUIT\n") {
        return Parsed::Malformed;
    }
    let result = HeaderResult::parse(bytes);
    if result.is_incomplete() {
        return Parsed::Incomplete;
    }
    match result {
        HeaderResult::V1(Ok(header)) => {
            let source = match header.addresses {
                v1::Addresses::Unknown => None,
                v1::Addresses::Tcp4(ip) => Some((ip.source_address, ip.source_port).into()),
                v1::Addresses::Tcp6(ip) => Some((ip.source_address, ip.source_port).into()),
            };
            Parsed::Header { length: header.header.len(), source }
        }
        HeaderResult::V2(Ok(header)) => {
            let source = match (header.command, header.addresses) {
                (v2::Command::Proxy, v2::Addresses::IPv4(ip)) => {
                    Some((ip.source_address, ip.source_port).into())
                }
                (v2::Command::Proxy, v2::Addresses::IPv6(ip)) => {
                    Some((ip.source_address, ip.source_port).into())
                }
                _ => None,
            };
            Parsed::Header { length: header.len(), source }
        }
        _ => Parsed::Malformed,
    }
}

fn begins_like(bytes: &[u8], prefix: &[u8]) -> bool {
    let common = bytes.len().min(prefix.len());
    bytes.get(..common) == prefix.get(..common)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_both_versions_name_the_client() {
        let check = |bytes: &[u8], expected: &str| {
            let with_rest = [bytes, b"GET / HTTP/1.1\r\n"].concat();
            let source = expected.parse().ok();
            assert_eq!(parse(&with_rest), Parsed::Header { length: bytes.len(), source }, "{bytes:?}");
            for end in 0..bytes.len() {
                assert_eq!(parse(&bytes[..end]), Parsed::Incomplete, "{bytes:?} up to {end}");
            }
        };
        check(b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\r\n", "203.0.113.7:4711");
        check(b"PROXY TCP6 2001:db8::1 ::1 4711 443\r\n", "[2001:db8::1]:4711");
        check(b"PROXY UNKNOWN\r\n", "nobody");
        let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x07\x0a\x00\x00\x01\x12\x67\x01\xbb";
        check(v2, "203.0.113.7:4711");
        check(b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00", "nobody");
    }

    #[test]
    fn anything_else_is_refused() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 203.0.113.7 10.0.0.1 99999 443\r\n",
            b"PROXY TCP5 203.0.113.7 10.0.0.1 1 443\r\n",
            b"PROXX",
            b"\r\n\r\n\0\r\nQUIT\n\x31\x11\x00\x0c",
        ] {
            assert_eq!(parse(bytes), Parsed::Malformed, "{bytes:?}");
        }
    }
}
