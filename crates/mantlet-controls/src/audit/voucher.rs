//! Facts of a request for the app's own events: sealed in a header, and opened when they come back.
//!
//! The gate keeps no table of requests for it. A request under way costs no lock and no memory, an
//! event may come long after the first byte of the answer (a WebSocket, a task in the background),
//! and the app can name a request that the gate has sent it, but not change what the gate says of it.
//! Nothing is written before the app has asked for it, which it does by its first event.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::short;
use crate::{
    Call,
    call::trace::Trace,
    config::Secret,
    message::foreign::{self, cut},
};

/// The header in which the app gets the facts.
const HEADER: HeaderName = HeaderName::from_static("x-mantlet-request");
/// Longest path and longest name of a caller, in bytes.
const MAX_TEXT: usize = 256;

/// Facts of a request, as the gate knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vouched {
    pub(super) request_id: String,
    pub(super) client_ip: Option<IpAddr>,
    pub(super) user: Option<String>,
    pub(super) session: Option<String>,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) operation: Option<String>,
    pub(super) trace: Option<String>,
}

/// Writes such headers, and reads what comes back. A clone is the same one.
#[derive(Debug, Clone, Default)]
pub struct Vouchers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    is_asked: AtomicBool,
    /// Of this process alone. None without random bytes: then nothing is vouched for.
    key: Option<Secret<Vec<u8>>>,
}

impl Default for Inner {
    fn default() -> Self {
        let mut key = vec![0; 32];
        let key = getrandom::fill(&mut key).is_ok().then(|| key.into());
        Self { is_asked: AtomicBool::new(false), key }
    }
}

impl Vouchers {
    /// The app sends events: from now on it gets the facts of each request.
    pub fn ask(&self) {
        self.0.is_asked.store(true, Relaxed);
    }

    /// Writes the facts of a request, if the app asks for them.
    pub(crate) fn write(&self, call: &Call, headers: &mut HeaderMap) {
        if !self.0.is_asked.load(Relaxed) {
            return;
        }
        // Nothing but JSON in base64 and a seal.
        if let Some(value) = self.seal(&facts_of(call)).and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(HEADER, value);
        }
    }

    fn seal(&self, facts: &Vouched) -> Option<String> {
        let facts = URL_SAFE_NO_PAD.encode(serde_json::to_vec(facts).ok()?);
        let seal = URL_SAFE_NO_PAD.encode(self.mac(&facts)?.finalize().into_bytes());
        Some(format!("{facts}.{seal}"))
    }

    /// The facts, if this gate has sealed them.
    pub(super) fn open(&self, text: &str) -> Option<Vouched> {
        let (facts, seal) = text.split_once('.')?;
        self.mac(facts)?.verify_slice(&URL_SAFE_NO_PAD.decode(seal).ok()?).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(facts).ok()?).ok()
    }

    fn mac(&self, text: &str) -> Option<Hmac<Sha256>> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.0.key.as_ref()?.expose()).ok()?;
        mac.update(text.as_bytes());
        Some(mac)
    }
}

fn facts_of(call: &Call) -> Vouched {
    Vouched {
        request_id: call.request_id.as_str().to_owned(),
        client_ip: call.client.address,
        user: call.user().map(|user| cut(user, MAX_TEXT).to_owned()),
        session: call.session.map(short),
        method: foreign::method(&call.method),
        path: cut(call.path.as_str(), MAX_TEXT).to_owned(),
        operation: call.operation.as_ref().map(|matched| cut(&matched.route.path, MAX_TEXT).to_owned()),
        trace: call.trace.as_ref().map(Trace::text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_this_gate_has_sealed_is_believed() {
        let facts = Vouched {
            request_id: "0190".into(),
            client_ip: Some([203, 0, 113, 7].into()),
            user: Some("ann".into()),
            session: None,
            method: "POST".into(),
            path: "/orders/17".into(),
            operation: Some("/orders/{order_id}".into()),
            trace: None,
        };
        let (own, other) = (Vouchers::default(), Vouchers::default());
        let sealed = own.seal(&facts).unwrap();
        assert_eq!(own.open(&sealed), Some(facts.clone()));
        assert_eq!(own.clone().open(&sealed), Some(facts.clone()));
        assert_eq!(other.open(&sealed), None);
        let (_, seal) = sealed.split_once('.').unwrap();
        let forged = Vouched { user: Some("bob".into()), ..facts };
        let forged = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&forged).unwrap());
        for text in [format!("{forged}.{seal}"), forged, format!("{sealed}a"), String::new(), ".".into()] {
            assert_eq!(own.open(&text), None, "{text}");
        }
    }
}
