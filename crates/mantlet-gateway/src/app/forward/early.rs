//! Interim responses (RFC 9110 section 15.2), such as 103 Early Hints: passed on to clients over
//! HTTP/1.1.
//!
//! hyper's server writes none, so the wire does, between two responses. Over HTTP/2 they would need
//! hyper's own header encoder, which has no interface for them.

use std::sync::Arc;

use http::Request;

use super::client;
use crate::{app::request_body::AppRequestBody, connection_state::ConnectionState};

/// Bytes of an interim response that are passed on.
const LONGEST: usize = 16 << 10;

/// Passes interim responses to this request on to the client.
pub(super) fn pass_on(request: &mut Request<AppRequestBody>, connection: &Arc<ConnectionState>) {
    let connection = Arc::clone(connection);
    hyper::ext::on_informational(request, move |interim| {
        let status = interim.status();
        // 100 concerns only the two ends of a connection.
        if status.as_u16() == 100 {
            return;
        }
        let reason = status.canonical_reason().unwrap_or_default();
        let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
        for (name, value) in interim.headers() {
            let is_framing = matches!(name.as_str(), "content-length" | "trailer" | "set-cookie");
            if !is_framing && !client::HOP_BY_HOP.contains(name) {
                for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                    bytes.extend_from_slice(piece);
                }
            }
        }
        bytes.extend_from_slice(b"\r\n");
        if bytes.len() <= LONGEST {
            connection.hint(&bytes);
        }
    });
}
