//! Does the caller have the key that its token is bound to (DPoP, RFC 9449)?
//!
//! Defends against a token that was stolen: one that is bound to a key (`cnf.jkt`) is good only with a
//! proof that the client has signed with that key, for this request alone.
//!
//! A request passes if
//! 1. its token is not bound to a key, and does not come as `Authorization: DPoP`. What else stands in
//!    the header `DPoP` is then not looked at;
//! 2. its token comes as `Authorization: DPoP`, with exactly one proof in the header `DPoP`, which is
//!    signed with the token's key (an asymmetric one, without private parts), and names the method and
//!    the public URL of the request, the token (`ath`) and a time within 60 s of ours; and no gate has
//!    seen the proof before;
//! 3. its operation does not need a token. The app decides;
//! 4. the app itself has signed the token (in `compatible` posture): that is only recorded.
//!
//! Only tokens that were verified are judged here: by `[[issuer]]` or with the app's own key. A verdict
//! on a token is remembered; a verdict on a proof never.
//!
//! To mind in deployment: the public URL is that of the host that was accepted, and of the client's
//! scheme. A proxy in front that ends TLS must be in `client.trusted` and name both. Nonces
//! (RFC 9449 section 9) are those of the app, unless `nonce-key` is set.
//!
//! ```
//! use mantlet_controls::{Context, Mode, Section, dpop::Config};
//!
//! let config = Config { app_tokens: Some(Mode::Enforce), ..Config::default() };
//! assert!(config.check(&Context::default()).is_ok());
//! ```

mod config;
mod nonce;
mod proof;
mod seen;
mod url;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Request, header};

pub use self::{
    config::{Config, ToApp},
    seen::{ProofId, REMEMBERED, Seen, SeenByAll},
};
use self::{
    nonce::Nonces,
    proof::{About, Fault},
    seen::Sight,
};
use crate::{
    Call, Mode, Reason, Refusal,
    call::Principal,
    identity::{TokenScheme, token_with_scheme},
    operation,
};

/// The header that carries a proof.
pub const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Seconds after which a request may be tried again while no proof can be remembered.
const RETRY: Duration = Duration::from_secs(5);

/// RFC 9449 section 7.1: what is wrong, and the algorithms that are known.
static INVALID_TOKEN: HeaderValue = HeaderValue::from_static(
    "DPoP error=\"invalid_token\", algs=\"ES256 ES384 EdDSA PS256 PS384 PS512 RS256 RS384 RS512\"",
);
static INVALID_PROOF: HeaderValue = HeaderValue::from_static(
    "DPoP error=\"invalid_dpop_proof\", algs=\"ES256 ES384 EdDSA PS256 PS384 PS512 RS256 RS384 RS512\"",
);

static USE_NONCE: HeaderValue = HeaderValue::from_static(
    "DPoP error=\"use_dpop_nonce\", error_description=\"The proof needs the nonce of this response\"",
);

/// The header that carries a nonce for the next proof.
const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The lines that report and that enforce: for tokens of issuers, of the app, and outside `Authorization`.
const OF_ISSUERS: [&str; 2] = ["dpop.mode = \"report\"", "dpop.mode = \"enforce\""];
const APP_TOKENS: [&str; 2] = ["dpop.app-tokens = \"report\"", "dpop.app-tokens = \"enforce\""];
const ELSEWHERE: [&str; 2] = ["dpop.elsewhere = \"report\"", "dpop.elsewhere = \"enforce\""];

/// The checked `[dpop]` section.
#[derive(Debug)]
pub struct Policy {
    mode: Mode,
    app_tokens: Mode,
    elsewhere: Mode,
    /// Where the operation does not declare that it reads the token.
    undeclared: Mode,
    to_app: ToApp,
    nonces: Option<Nonces>,
    seen: Seen,
}

/// Where the token of the caller stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In `Authorization`.
    Header,
    /// In the query, a cookie or a subprotocol. There is no scheme, and so no proof.
    Elsewhere,
}

/// A good proof, unless it was seen before.
#[derive(Debug)]
pub(crate) struct Proof {
    id: ProofId,
    treatment: Treatment,
}

/// What becomes of a request whose proof is bad, and the line that changes that.
#[derive(Debug, Clone, Copy)]
struct Treatment {
    mode: Mode,
    line: Option<&'static str>,
}

/// What is known of the proof of a request.
#[derive(Debug)]
pub(crate) enum Judged {
    /// Its token needs none.
    NotAsked,
    /// It is good, unless it was seen before.
    Good(Proof),
    /// What is wrong, in this mode.
    Bad(Mode, Refusal),
}

impl Policy {
    /// Judges whether a caller may use its token, which stands in this place. `host` is the one that it
    /// has asked for.
    pub(crate) fn judge<B>(
        &self,
        call: &Call,
        (principal, place): (&Principal, Place),
        host: Option<&str>,
        request: &Request<B>,
    ) -> Judged {
        let treatment = self.treatment(call, principal, place);
        if treatment.mode == Mode::Off {
            return Judged::NotAsked;
        }
        let shown = token_with_scheme(request.headers()).filter(|_| place == Place::Header);
        let (token, thumbprint) = match (shown, key_of(principal)) {
            (Some((TokenScheme::Dpop, token)), Some(thumbprint)) => (token, thumbprint),
            (Some((TokenScheme::Dpop, _)), None) => {
                return treatment.bad(Reason::DpopKeyMismatch, "the token is bound to no key");
            }
            (Some((TokenScheme::Bearer, _)), Some(_)) => {
                return treatment.bad(Reason::DpopRequired, "the token came as a bearer token");
            }
            (None, Some(_)) => {
                return treatment.bad(Reason::DpopRequired, "the token did not come in `Authorization`");
            }
            (_, None) => return Judged::NotAsked,
        };
        let mut proofs = request.headers().get_all(DPOP).iter();
        let proof = match (proofs.next(), proofs.next()) {
            (None, _) => return treatment.bad(Reason::DpopRequired, "the token came without a proof"),
            (Some(proof), None) => proof.to_str().ok(),
            (Some(_), Some(_)) => return treatment.bad(Reason::DpopProofInvalid, "there are two proofs"),
        };
        let (Some(proof), Some(host)) = (proof, host) else {
            let why = if host.is_none() { "the request names no host" } else { "it is not text" };
            return treatment.bad(Reason::DpopProofInvalid, why);
        };
        let others: Vec<_> = call.spellings().iter().collect();
        let others = if others.len() > 1 { others } else { Vec::new() };
        let about = About {
            method: &call.method,
            url: url::Asked { scheme: call.client.scheme, host, path: request.uri().path(), others },
            token,
            thumbprint,
            nonces: self.nonces.as_ref(),
            now: call.clock.time(),
        };
        match proof::verify(proof, &about) {
            Ok(id) => Judged::Good(Proof { id, treatment }),
            Err(Fault::Bad(why)) => treatment.bad(Reason::DpopProofInvalid, why),
            Err(Fault::Url(why)) => treatment.bad(Reason::DpopProofInvalid, why),
            Err(Fault::OtherKey) => {
                treatment.bad(Reason::DpopKeyMismatch, "the proof is of another key than the token")
            }
            Err(Fault::Nonce(new)) => {
                let mut refusal = treatment.refusal(Reason::DpopNonceRequired, "");
                refusal.headers_mut().extend(HeaderValue::try_from(new).ok().map(|new| (NONCE, new)));
                Judged::Bad(treatment.mode, refusal)
            }
        }
    }

    /// Whether no gate has seen a good proof before. Where the store does not respond, each gate
    /// remembers its own.
    pub(crate) async fn see(
        &self,
        call: &Call,
        proof: Proof,
        others: Option<Arc<dyn SeenByAll>>,
    ) -> Result<(), (Mode, Refusal)> {
        let Proof { id, treatment } = proof;
        let again = || (treatment.mode, treatment.refusal(Reason::DpopProofReplayed, ""));
        match self.seen.see(id, call.clock.instant()) {
            Sight::New => {}
            Sight::Again => return Err(again()),
            Sight::Full => return Err((treatment.mode, Refusal::retry(Reason::DpopMemoryFull, RETRY))),
        }
        match others {
            Some(others) if others.is_new(id).await == Some(false) => Err(again()),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether the app is to get the token of a good proof as a bearer token: it does not know DPoP.
    pub(crate) fn makes_bearer(&self, call: &Call) -> bool {
        match self.to_app {
            ToApp::Bearer => true,
            ToApp::AsSent => false,
            // Where an operation declares no bearer token, what it reads may be for others.
            ToApp::Auto => call.operation.as_ref().is_some_and(|matched| {
                matched.contract.is_without_dpop()
                    && matched.security().is_some_and(|security| security.bearer.is_some())
            }),
        }
    }

    fn treatment(&self, call: &Call, principal: &Principal, place: Place) -> Treatment {
        let of_signer =
            if principal.is_of_app { (self.app_tokens, APP_TOKENS) } else { (self.mode, OF_ISSUERS) };
        let (mode, [to_report, to_enforce]) = match place {
            Place::Elsewhere if of_signer.0 == Mode::Enforce => (self.elsewhere, ELSEWHERE),
            Place::Elsewhere if self.elsewhere == Mode::Off => (Mode::Off, ELSEWHERE),
            Place::Header | Place::Elsewhere => of_signer,
        };
        // An operation that asks for no token does not read it.
        let is_read = place == Place::Elsewhere
            || call.opens_websocket
            || call.operation.as_ref().is_none_or(|matched| {
                let declares = |name: &str| operation::declares_header(&matched.route, name);
                matched.security().is_some_and(|own| own.bearer.is_some())
                    || declares(DPOP.as_str())
                    || declares(header::AUTHORIZATION.as_str())
            });
        if mode == Mode::Enforce && !is_read && self.undeclared == Mode::Report {
            return Treatment { mode: Mode::Report, line: Some("contract.posture = \"strict\"") };
        }
        let line = if mode == Mode::Enforce { to_report } else { to_enforce };
        Treatment { mode, line: Some(line) }
    }
}

impl Treatment {
    fn bad(self, reason: Reason, why: impl Into<Arc<str>>) -> Judged {
        Judged::Bad(self.mode, self.refusal(reason, why))
    }

    fn refusal(self, reason: Reason, why: impl Into<Arc<str>>) -> Refusal {
        let why = why.into();
        let subject = (!why.is_empty()).then_some(why);
        let mut refusal = Refusal { subject, remedy: self.line.map(Into::into), ..reason.into() };
        let challenge = match reason {
            Reason::DpopProofInvalid | Reason::DpopProofReplayed => &INVALID_PROOF,
            Reason::DpopNonceRequired => &USE_NONCE,
            _ => &INVALID_TOKEN,
        };
        refusal.headers_mut().insert(header::WWW_AUTHENTICATE, challenge.clone());
        refusal
    }
}

/// The thumbprint of the key that a token is bound to (RFC 9449 section 6.1). A `jkt` that is not a text
/// binds it to a key that no client has.
fn key_of(principal: &Principal) -> Option<&str> {
    let bound = principal.attribute("cnf")?.get("jkt")?;
    Some(bound.as_str().unwrap_or_default())
}

/// Makes the token of a good proof a bearer token. The proof is for us: no one else could use it.
pub(crate) fn make_bearer(headers: &mut HeaderMap) {
    let Some((TokenScheme::Dpop, token)) = token_with_scheme(headers) else { return };
    if let Ok(mut value) = HeaderValue::try_from(format!("Bearer {token}")) {
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
        headers.remove(DPOP);
    }
}

/// The refusal of a bad token, in the scheme with which the token came.
pub(crate) fn in_scheme(scheme: Option<TokenScheme>, mut refusal: Refusal) -> Refusal {
    if scheme == Some(TokenScheme::Dpop) && refusal.reason == Reason::TokenInvalid {
        refusal.headers_mut().insert(header::WWW_AUTHENTICATE, INVALID_TOKEN.clone());
    }
    refusal
}

#[cfg(test)]
mod tests;
