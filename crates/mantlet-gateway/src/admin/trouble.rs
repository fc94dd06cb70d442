//! Why a request to the admin socket failed.

use http::{Method, StatusCode};

/// Why a request to the admin socket failed.
pub(super) struct Trouble {
    pub(super) status: StatusCode,
    pub(super) message: String,
    /// Methods that the path accepts.
    pub(super) allow: Option<&'static str>,
}

impl Trouble {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), allow: None }
    }
}

pub(super) fn no_method(method: &Method, path: &str, allow: &'static str) -> Trouble {
    let message = format!("`{path}` does not accept {method}; it accepts {allow}");
    Trouble { allow: Some(allow), ..Trouble::new(StatusCode::METHOD_NOT_ALLOWED, message) }
}
