//! The host that a request is for.

use http::{HeaderMap, HeaderValue, header};

/// The host of a request: as the client sent it, and as a trusted proxy received it.
#[derive(Debug, Clone, Default)]
pub struct Host {
    sent: Option<HeaderValue>,
    forwarded: Option<HeaderValue>,
}

impl Host {
    /// Reads it; `forwarded` comes from a trusted proxy.
    pub fn of(headers: &HeaderMap, forwarded: Option<HeaderValue>) -> Self {
        Self { sent: headers.get(header::HOST).cloned(), forwarded }
    }

    /// Reads the header again, after it was normalised.
    pub(crate) fn read_again(&mut self, headers: &HeaderMap) {
        self.sent = headers.get(header::HOST).cloned();
    }

    /// Reads the header, if there was none before: the host may have come with the target.
    pub(crate) fn read_if_new(&mut self, headers: &HeaderMap) {
        if self.sent.is_none() {
            self.read_again(headers);
        }
    }

    /// The `Host` header, as the app gets it.
    pub fn sent(&self) -> Option<&str> {
        self.sent.as_ref().and_then(|host| host.to_str().ok())
    }

    /// The host that a trusted proxy received, with its port if it names one; well-formed.
    pub fn forwarded(&self) -> Option<&str> {
        self.forwarded.as_ref().and_then(|host| host.to_str().ok())
    }

    /// The host that the client asked for, if it is known.
    pub fn asked(&self) -> Option<&str> {
        self.forwarded().or_else(|| self.sent())
    }

    /// Makes the app get the host that the proxy received, not the one that the proxy sent.
    pub(crate) fn send_forwarded(&mut self, headers: &mut HeaderMap) {
        if let Some(host) = &self.forwarded {
            headers.insert(header::HOST, host.clone());
            self.sent = Some(host.clone());
        }
    }
}
