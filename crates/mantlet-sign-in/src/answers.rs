//! Responses of the API, in the shapes in which FastAPI answers.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use mantlet_accounts::{Fault, passwords::Weak};
use serde_json::{Value, json};

use crate::{
    asked::{Answer, Event},
    faults,
    fields::Problem,
};

/// Why a request is answered before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    Fault(Fault),
    Answer(Box<Answer>),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Answer> for Stop {
    fn from(answer: Answer) -> Self {
        Self::Answer(Box::new(answer))
    }
}

impl From<Vec<Problem>> for Stop {
    fn from(problems: Vec<Problem>) -> Self {
        let detail: Vec<Value> = problems.into_iter().map(|problem| problem.0).collect();
        json(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "detail": detail })).into()
    }
}

impl Stop {
    pub(crate) fn into_answer(self) -> Answer {
        match self {
            Self::Fault(fault) => faults::unavailable(&fault).into(),
            Self::Answer(answer) => *answer,
        }
    }
}

impl Answer {
    /// With a header.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.response.headers_mut().append(name, value);
        self
    }

    /// With what has happened.
    pub(crate) fn telling(mut self, event: Event) -> Self {
        self.event = Some(event);
        self
    }
}

/// JSON.
pub(crate) fn json(status: StatusCode, body: &Value) -> Answer {
    text(status, body.to_string(), HeaderValue::from_static("application/json"))
}

/// A text of some kind.
pub(crate) fn text(status: StatusCode, body: String, kind: HeaderValue) -> Answer {
    let mut answer = empty(status);
    answer.response.headers_mut().insert(header::CONTENT_TYPE, kind);
    *answer.response.body_mut() = Bytes::from(body);
    answer
}

/// Nothing but a status.
pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.into()
}

/// `{"detail": …}`.
pub(crate) fn detail(status: StatusCode, detail: &str) -> Answer {
    json(status, &json!({ "detail": detail }))
}

/// 401, with what RFC 9110 section 11.6.1 wants beside it.
pub(crate) fn unauthorized(said: &str) -> Answer {
    detail(StatusCode::UNAUTHORIZED, said).with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// An error of a token request (RFC 6749 section 5.2).
pub(crate) fn oauth(error: &str, description: &str) -> Answer {
    // The characters that the RFC allows.
    let is_plain = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
    let description: String = description.chars().filter(is_plain).collect();
    json(StatusCode::BAD_REQUEST, &json!({"error": error, "error_description": description}))
}

/// 422 for a password that may not be chosen.
pub(crate) fn weak(field: &str, weak: &Weak) -> Answer {
    Stop::from(vec![Problem::value(field, &weak.to_string())]).into_answer()
}
