//! The path of a request, as it is sent and as it is judged.

use http::{Uri, uri::PathAndQuery};

/// A path in the two forms in which it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalPath {
    /// As sent to the app.
    pub(crate) sent: Sent,
    /// Decoded, if that differs: what routes and records use.
    pub(crate) decoded: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The request's own bytes; shared with the request, not copied.
    Request(PathAndQuery),
    /// Unreserved characters plain, other encodings in upper-case hex (RFC 3986 section 6.2.2).
    Own(String),
}

impl Sent {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Request(target) => target.path(),
            Self::Own(path) => path,
        }
    }
}

impl CanonicalPath {
    /// The path before it was judged.
    pub fn as_sent(uri: &Uri) -> Self {
        let sent = match uri.path_and_query() {
            Some(target) => Sent::Request(target.clone()),
            None => Sent::Own("/".to_owned()),
        };
        Self { sent, decoded: None }
    }

    /// Decoded: what routes match and records show.
    pub fn as_str(&self) -> &str {
        self.decoded.as_deref().unwrap_or_else(|| self.sent.as_str())
    }

    /// The target for the app: this path with the request's query.
    pub fn target(&self, uri: &Uri) -> Option<PathAndQuery> {
        match &self.sent {
            Sent::Request(target) => Some(target.clone()),
            Sent::Own(path) => match uri.query() {
                Some(query) => format!("{path}?{query}").try_into().ok(),
                None => path.as_str().try_into().ok(),
            },
        }
    }
}
