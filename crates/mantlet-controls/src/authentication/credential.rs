//! Tokens of clients that cannot set headers. A browser opens a WebSocket with a URL, cookies and names
//! of subprotocols alone, and an event stream with a URL and cookies.
//!
//! What is said in the first message of a WebSocket is the app's own business: the gate judges the
//! handshake.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, Request, header};
use mantlet_contract::inputs::in_query;

use super::{Carrier, Policy};
use crate::{Call, message::cookie, operation::TOKEN_PARAMETERS, token::has_its_form};

/// Tokens of one request that are looked at. A client could send thousands.
const MOST: usize = 4;
/// A subprotocol that holds a token, as Kubernetes has it: base64url without padding follows.
const KUBERNETES: &str = "base64url.bearer.authorization.k8s.io.";
/// Subprotocols that are followed by a token.
const NAMES: [&str; 2] = ["bearer", "access_token"];

/// A token outside the `Authorization` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Beside<'r> {
    pub(crate) token: Cow<'r, str>,
    pub(crate) carrier: Carrier,
}

impl Policy {
    /// The tokens of a request outside its `Authorization` header: in the query, where its operation
    /// declares that or a WebSocket is opened; of a WebSocket also those in subprotocols, and signed ones
    /// in `cookies` and in those that the app hands out. What was made for this request comes first.
    pub(crate) fn beside<'r, B>(
        &self,
        call: &Call,
        request: &'r Request<B>,
        cookies: &[String],
    ) -> Vec<Beside<'r>> {
        if !call.opens_websocket {
            let Some(query) = request.uri().query() else { return Vec::new() };
            let declared = call.operation.as_ref().and_then(|own| own.query_token(&call.method));
            return declared.and_then(|declared| of_query(query, declared.name)).into_iter().collect();
        }
        let headers = request.headers();
        let mut found: Vec<_> = of_protocols(headers).into_iter().collect();
        let query = request.uri().query().unwrap_or_default();
        found.extend(TOKEN_PARAMETERS.into_iter().filter_map(|name| of_query(query, name)));
        let known = |name: &str| cookies.iter().any(|own| own == name) || self.sessions.has_cookie(name);
        let pairs = cookie::pairs(headers).filter_map(|(name, value)| {
            let (name, value) = (std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?);
            let is_one = known(name) && has_its_form(value);
            is_one.then(|| Beside { token: value.into(), carrier: Carrier::Cookie(name.into()) })
        });
        found.extend(pairs.take(MOST));
        found
    }
}

fn of_query(query: &str, name: &'static str) -> Option<Beside<'static>> {
    let token = in_query(query.as_bytes(), name).filter(|token| !token.is_empty())?;
    Some(Beside { token: token.into(), carrier: Carrier::Query(name) })
}

fn of_protocols(headers: &HeaderMap) -> Option<Beside<'_>> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut protocols = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let token = loop {
        let protocol = protocols.next()?.trim();
        if let Some(encoded) = protocol.strip_prefix(KUBERNETES) {
            let decoded = URL_SAFE_NO_PAD.decode(encoded).ok();
            break Cow::from(decoded.and_then(|bytes| String::from_utf8(bytes).ok())?);
        }
        if NAMES.iter().any(|name| protocol.eq_ignore_ascii_case(name)) {
            break Cow::from(protocols.next()?.trim());
        }
    };
    (!token.is_empty()).then_some(Beside { token, carrier: Carrier::Protocol })
}

/// The query of a target with another token in this parameter, or without it.
pub(crate) fn with_token(query: &str, name: &str, token: Option<&str>) -> String {
    let is_it = |pair: &&str| in_query(pair.as_bytes(), name).is_some();
    let others = query.split('&').filter(|pair| !is_it(pair)).map(Cow::from);
    // A token in its form needs no escapes.
    let all: Vec<_> = others.chain(token.map(|token| format!("{name}={token}").into())).collect();
    all.join("&")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_token_among_subprotocols_is_found() {
        let encoded = URL_SAFE_NO_PAD.encode("a token");
        for (lines, expected) in [
            (&["chat, superchat"][..], None),
            (&["chat", "Bearer, a.b.c"], Some("a.b.c")),
            (&["bearer", "a.b.c, chat"], Some("a.b.c")),
            (&["access_token,a.b.c"], Some("a.b.c")),
            (&["bearer"], None),
            (&["bearer, "], None),
            (&["v4.channel.k8s.io", &format!("{KUBERNETES}{encoded}")], Some("a token")),
            (&[&format!("{KUBERNETES}{encoded}==")], None),
            (&[&format!("{KUBERNETES}_w")], None),
            (&[KUBERNETES], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(line).unwrap());
            }
            let found = of_protocols(&headers);
            assert_eq!(found.as_ref().map(|found| &*found.token), expected, "{lines:?}");
            assert!(found.is_none_or(|found| found.carrier == Carrier::Protocol));
        }
    }

    #[test]
    fn a_token_in_a_query_is_found_and_replaced() {
        let token = |query| of_query(query, "token").map(|found| found.token.into_owned());
        assert_eq!(token("room=1&token=a.b.c"), Some("a.b.c".into()));
        assert_eq!(token("token=old&%74oken=a%2Eb.c"), Some("a.b.c".into()), "of several the last");
        assert_eq!((token("token="), token("tokens=1"), token("")), (None, None, None));
        let query = "room=1&token=a&%74oken=b&x";
        assert_eq!(with_token(query, "token", Some("c")), "room=1&x&token=c");
        assert_eq!(with_token(query, "token", None), "room=1&x");
    }
}
