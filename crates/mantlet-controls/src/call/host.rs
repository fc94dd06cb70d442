//! The host that a request is for.

use http::{HeaderMap, HeaderValue, header};

/// The host that a request is for: as the client sent it, and as a trusted proxy says that it was asked for.
#[derive(Debug, Clone, Default)]
pub struct Host {
    sent: Option<HeaderValue>,
    forwarded: Option<HeaderValue>,
}

impl Host {
    /// Reads it; `forwarded` is a trusted proxy's word.
    pub fn of(headers: &HeaderMap, forwarded: Option<HeaderValue>) -> Self {
        Self { sent: headers.get(header::HOST).cloned(), forwarded }
    }

    /// Reads anew what is sent, after it was put into its one spelling.
    pub(crate) fn read_again(&mut self, headers: &HeaderMap) {
        self.sent = headers.get(header::HOST).cloned();
    }

    /// Reads what is sent, if there was none before: it may have come with the target.
    pub(crate) fn read_if_new(&mut self, headers: &HeaderMap) {
        if self.sent.is_none() {
            self.read_again(headers);
        }
    }

    /// The `Host` header, which is the one that the app is sent.
    pub fn sent(&self) -> Option<&str> {
        self.sent.as_ref().and_then(|host| host.to_str().ok())
    }

    /// What a trusted proxy says that it was asked for, with the port if it says one; well-formed.
    pub fn forwarded(&self) -> Option<&str> {
        self.forwarded.as_ref().and_then(|host| host.to_str().ok())
    }

    /// What the client asked for, as far as it is known.
    pub fn asked(&self) -> Option<&str> {
        self.forwarded().or_else(|| self.sent())
    }

    /// Has the app sent what the proxy says, in the place of what the proxy sent.
    pub(crate) fn send_forwarded(&mut self, headers: &mut HeaderMap) {
        if let Some(host) = &self.forwarded {
            headers.insert(header::HOST, host.clone());
            self.sent = Some(host.clone());
        }
    }
}
