//! Does a response reveal the app's internals?

use http::StatusCode;
use memchr::memmem;

use super::{Subject, message::Kind};
use crate::{Mode, config::Posture};

/// The response of Starlette and uvicorn if a handler raises.
const BARE: &[u8] = b"Internal Server Error";
/// The page that Starlette shows with `debug=True`.
const DEBUGGING_PAGE: &[u8] = b"<title>Starlette Debugger</title>";
/// The first line of a Python traceback.
const TRACEBACK: &[u8] = b"Traceback (most recent call last)";
/// Its next line: `File "main.py", line 3`, with quotes as JSON or HTML escapes them.
const FRAME: [&[u8]; 2] = [b"File ", b", line "];

/// Whether the client should not get the response unchanged.
pub(super) fn is_failure(call: &Subject<'_>, status: StatusCode, kind: Kind, body: Option<&[u8]>) -> bool {
    let actions = call.actions;
    if status.as_u16() < 400 || actions.errors() == Mode::Off {
        return false;
    }
    let means = || call.operation.as_ref().is_some_and(|matched| matched.means(status.as_u16()));
    if actions.only_internal() {
        let Some(body) = body.filter(|_| status.is_server_error()) else { return false };
        return match kind {
            Kind::Text => (is_bare(status, body) && !means()) || tells(body),
            Kind::Json => is_traceback(body) && !declares_traceback(call, status),
            Kind::Stream | Kind::Other => false,
        };
    }
    if body.is_some_and(tells) {
        return true;
    }
    if !status.is_server_error() || means() {
        return false;
    }
    if kind != Kind::Json || body.is_none() {
        // A response that cannot be read was not intended.
        return true;
    }
    match call.posture {
        // A handler that responds 503 with JSON intends it; a 500 is intended only if it is
        // declared.
        Posture::Compatible => status == StatusCode::INTERNAL_SERVER_ERROR,
        Posture::Strict => true,
    }
}

/// Whether it only says that the app has failed.
pub(super) fn is_bare(status: StatusCode, body: &[u8]) -> bool {
    status == StatusCode::INTERNAL_SERVER_ERROR && body.trim_ascii() == BARE
}

/// Whether a failure of so many bytes, of which only the head is seen, is such a one.
pub(super) fn may_be_bare(status: StatusCode, kind: Kind, length: Option<u64>) -> bool {
    status == StatusCode::INTERNAL_SERVER_ERROR && kind == Kind::Text && length == Some(BARE.len() as u64)
}

fn tells(body: &[u8]) -> bool {
    is_traceback(body) || memmem::find(body, DEBUGGING_PAGE).is_some()
}

/// The heading alone is not a traceback: a response may mention tracebacks.
fn is_traceback(body: &[u8]) -> bool {
    let mut rest = body;
    [TRACEBACK, FRAME[0], FRAME[1]].into_iter().all(|text| match memmem::find(rest, text) {
        Some(at) => {
            rest = rest.get(at + text.len()..).unwrap_or_default();
            true
        }
        None => false,
    })
}

/// Whether the operation declares the status, and somewhere a field for a traceback: then showing one is what it is for.
fn declares_traceback(call: &Subject<'_>, status: StatusCode) -> bool {
    let is_for_one = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["trace", "stack"].iter().any(|word| name.contains(word))
    };
    call.operation
        .as_ref()
        .is_some_and(|matched| matched.means(status.as_u16()) && matched.declares(is_for_one))
}
