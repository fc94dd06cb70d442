//! Responses with the headers that all of them have, and the fields of queries and forms.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use crate::{frame, guard::Refused};

/// Nothing but what lies beside the page, and no page around it. `Referrer-Policy` is `same-origin`: with
/// `no-referrer` browsers send `Origin: null` with forms, and there would be nothing to judge them by.
const HEADERS: [(&str, &str); 8] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("cache-control", "no-store"),
    ("referrer-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

/// A response before it has the headers of all.
pub(crate) struct Answer {
    status: StatusCode,
    kind: &'static str,
    body: Vec<u8>,
    pub(crate) extra: Vec<(header::HeaderName, String)>,
}

impl Answer {
    pub(crate) fn page(status: StatusCode, body: String) -> Self {
        Self { status, kind: "text/html; charset=utf-8", body: body.into(), extra: Vec::new() }
    }

    pub(crate) fn file(kind: &'static str, body: &str) -> Self {
        Self { status: StatusCode::OK, kind, body: body.into(), extra: Vec::new() }
    }

    pub(crate) fn elsewhere(place: String) -> Self {
        let extra = vec![(header::LOCATION, place)];
        Self { extra, ..Self::page(StatusCode::SEE_OTHER, String::new()) }
    }
}

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Self {
        let mut answer = Self::page(refused.status, frame::refusal(refused));
        if refused.status == StatusCode::METHOD_NOT_ALLOWED {
            answer.extra.push((header::ALLOW, "GET, POST".to_owned()));
        }
        answer
    }
}

/// What has the parameters of a query or of a form.
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(crate) fn read(text: &str) -> Self {
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
        };
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(name, value)| (decoded(name), decoded(value))).collect())
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.trim())
    }
}

impl From<Answer> for Response<Full<Bytes>> {
    fn from(answer: Answer) -> Self {
        let mut response = Response::new(Full::from(answer.body));
        *response.status_mut() = answer.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.kind));
        for (name, value) in HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        for (name, value) in answer.extra {
            // All of them are made here, of letters and digits.
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        response
    }
}
