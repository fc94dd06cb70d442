//! Is an answer one by which the app tells of its inside?

use http::StatusCode;
use memchr::memmem;

use super::message::Kind;
use crate::{Call, Mode, contract::Posture};

/// How Python begins to tell where it failed. Starlette's debugging pages for browsers have a heading instead.
const TRACEBACKS: [&[u8]; 2] = [b"Traceback (most recent call last)", b"<h2>Traceback</h2>"];

/// Whether the answer should not leave as it is. What cannot be read is none that the app meant, from 500 on.
pub(super) fn is_failure(call: &Call, status: StatusCode, kind: Kind, body: Option<&[u8]>) -> bool {
    if status.as_u16() < 400 || call.route.responses.errors() == Mode::Off {
        return false;
    }
    let tells = |body: &[u8]| TRACEBACKS.iter().any(|text| memmem::find(body, text).is_some());
    if body.is_some_and(tells) {
        return true;
    }
    if !status.is_server_error() {
        return false;
    }
    if kind != Kind::Json || body.is_none() {
        return true;
    }
    let declared = call.operation.as_ref().and_then(|matched| matched.declared(status.as_u16()));
    match call.route.rules.posture {
        // A handler that answers 503 with JSON means it; nobody means 500 who does not say so.
        Posture::Compatible => {
            status == StatusCode::INTERNAL_SERVER_ERROR
                && declared.is_none_or(|response| response.shape.is_none())
        }
        Posture::Strict => declared.is_none(),
    }
}
