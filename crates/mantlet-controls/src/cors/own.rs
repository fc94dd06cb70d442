use http::{HeaderMap, HeaderValue, header};

use crate::vary;

/// What the app's own CORS answers say to one origin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// `Access-Control-Allow-Origin`; none if its pages may not read.
    pub allow_origin: Option<HeaderValue>,
    /// Whether its pages may send cookies.
    pub credentials: bool,
}

impl Own {
    /// Reads it off an answer of the app.
    pub fn of(answer: &HeaderMap) -> Self {
        let credentials = answer.get(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
        Self {
            allow_origin: answer.get(header::ACCESS_CONTROL_ALLOW_ORIGIN).cloned(),
            credentials: credentials.is_some_and(|value| value == "true"),
        }
    }

    /// Whether pages of this origin may act with the user's cookies.
    pub fn shares_credentials_with(&self, origin: &HeaderValue) -> bool {
        self.credentials && self.allow_origin.as_ref() == Some(origin)
    }

    /// Says it on an answer of ours.
    pub(crate) fn dress(self, answer: &mut HeaderMap) {
        let Some(origin) = self.allow_origin else { return };
        if origin != "*" {
            vary::add(answer, "origin");
        }
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials {
            answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}
