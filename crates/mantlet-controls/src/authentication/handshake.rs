//! What the app does with tokens in the handshakes of WebSockets.
//!
//! A WebSocket has no operation that says what the app asks for, and many apps refuse a token only
//! after they have accepted the handshake. To ask the app with a forged token, as for an operation,
//! could show an event to others. So only what was seen counts: a bad token is refused where the app
//! has accepted a good one for the same target, has refused two bad ones alike, and has accepted none.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, PoisonError, RwLock},
};

use http::{HeaderMap, Request, StatusCode};

use super::{
    Beside, Carrier, Policy, Presented, credential::with_token, is_refusal, memory::Agreement, said,
    trial::Pinned,
};
use crate::{
    Call, Mode, Reason, Refusal, identity::bearer, message::cookie, refusal::Faults, token::TokenFault,
};

/// Targets of handshakes that are told apart. Only a client with a good token adds one.
const MOST: usize = 256;

/// The app's answers to handshakes, by their targets.
#[derive(Debug, Default)]
pub(super) struct Handshakes(RwLock<HashMap<u64, Arc<Agreement>>>);

impl Handshakes {
    fn find(&self, target: u64) -> Option<Arc<Agreement>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&target).cloned()
    }

    /// The app has accepted a good token there.
    fn accepts(&self, target: u64) {
        if self.find(target).is_none() {
            let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if all.len() < MOST {
                all.entry(target).or_default();
            }
        }
    }

    pub(super) fn forget(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The target of a handshake apart from its token, and where that stands.
pub(super) fn target_of<B>(call: &Call, request: &Request<B>, carrier: &Carrier) -> u64 {
    let query = request.uri().query().unwrap_or_default();
    let (name, query) = match carrier {
        Carrier::Query(name) => (*name, with_token(query, name, None)),
        Carrier::Cookie(name) => (&**name, query.to_owned()),
        Carrier::Bearer => ("bearer", query.to_owned()),
        Carrier::Protocol => ("protocol", query.to_owned()),
    };
    let mut target = DefaultHasher::new();
    (call.host.sent(), call.path.as_str(), query, name).hash(&mut target);
    target.finish()
}

/// Whether a handshake has no other credential than the token in this place. A cookie may be one.
pub(super) fn is_alone(headers: &HeaderMap, beside: &[Beside<'_>], carrier: &Carrier) -> bool {
    let tokens = usize::from(bearer(headers).is_some()) + beside.len();
    let cookies = usize::from(matches!(carrier, Carrier::Cookie(_)));
    tokens == 1 && cookie::pairs(headers).count() == cookies
}

impl Policy {
    /// A bad token in a handshake.
    pub(super) fn bad_handshake(
        &self,
        pinned: &Pinned,
        (fault, age): (TokenFault, Option<i64>),
        (target, is_alone): (u64, bool),
    ) -> (Presented, Faults) {
        let agreement = self.memory.handshakes().find(target);
        // Whether the app refuses what has expired, and how long after, is not known.
        let words = agreement.filter(|_| age.is_none()).and_then(|agreement| agreement.forged.words());
        let (mode, line) = if !is_alone || age.is_some() {
            (Mode::Report, None)
        } else if words.is_some() && pinned.is_only {
            (self.mode, None)
        } else {
            (self.unproven, Some("authentication.unproven = \"enforce\""))
        };
        let remedy = line.filter(|_| mode == Mode::Report).map(Into::into);
        let mode = if self.mode == Mode::Report { Mode::Report } else { mode };
        let refusal = Refusal { remedy, words, ..Refusal::about(Reason::TokenInvalid, fault.text()) };
        (Presented::BadHandshake { target, age }, vec![(mode, refusal)])
    }

    /// Whether the body of the app's answer to a handshake is needed.
    pub(super) fn asks_about_handshake(&self, target: u64, status: StatusCode) -> bool {
        let is_open = |agreement: Arc<Agreement>| agreement.is_open();
        is_refusal(status) && self.memory.handshakes().find(target).is_some_and(is_open)
    }

    /// Learns from the app's answer to a handshake with a good token.
    pub(super) fn learn_good_handshake(&self, target: u64, status: StatusCode) {
        if status == StatusCode::SWITCHING_PROTOCOLS {
            self.memory.handshakes().accepts(target);
        }
    }

    /// The same, with a bad token. That it is accepted contradicts nothing: the app may still close.
    pub(super) fn learn_bad_handshake(
        &self,
        target: u64,
        has_expired: bool,
        (status, headers): (StatusCode, &HeaderMap),
        body: Option<&[u8]>,
    ) {
        let Some(agreement) = self.memory.handshakes().find(target).filter(|_| !has_expired) else { return };
        if status == StatusCode::SWITCHING_PROTOCOLS {
            agreement.forged.is_accepted();
        } else if is_refusal(status) {
            // A body that was not read is not repeated.
            agreement.refuses_forged(said(status, headers, body.unwrap_or_default()));
        }
    }
}
