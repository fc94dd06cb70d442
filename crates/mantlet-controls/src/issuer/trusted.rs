//! An issuer whose tokens are believed.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{Introspected, Introspection, Remote, remote::STALE};
use crate::{
    Mode,
    identity::{Verdict, principal},
    refusal::remedy,
    token::{Algorithm, Audience, Claims, Jws, KeySet, TokenFault},
};

/// How the tokens of an issuer are verified.
#[derive(Debug)]
pub(super) enum Source {
    Keys(KeySet),
    Remote(Arc<Remote>),
    Introspection(Arc<Introspection>),
}

/// An issuer whose tokens are believed.
#[derive(Debug)]
pub(super) struct Trusted {
    pub(super) issuer: Box<str>,
    /// Our name there; empty if we have none.
    pub(super) client_id: Box<str>,
    pub(super) audience: Audience,
    /// Empty: all that its keys take.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) leeway: Duration,
    pub(super) mode: Mode,
    pub(super) source: Source,
}

/// What is known of a token without asking anyone.
#[derive(Debug)]
pub(super) enum Outcome {
    Judged(Verdict),
    /// Its key is not there: the issuer may have a new one.
    KeyUnknown,
    /// No key was ever fetched, or none for too long.
    NoKeys,
    /// The issuer is to be asked about it.
    Opaque,
}

/// The end of a session at an issuer, or of all of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logout {
    /// The issuer.
    pub(crate) issuer: String,
    /// The account, if all of it has ended, or to whom the session belongs.
    pub(crate) subject: Option<String>,
    /// The session, if only one has ended.
    pub(crate) session: Option<String>,
    /// When, in seconds since 1970.
    pub(crate) at: i64,
}

/// Seconds for which the answer about a token that is not signed is remembered.
const ACTIVE: i64 = 30;

impl Trusted {
    /// The line that changes what becomes of a bad token. Its place is the section of the issuer: a second
    /// one would be a mistake.
    pub(super) fn line(&self) -> Box<str> {
        let other = if self.mode == Mode::Enforce { Mode::Report } else { Mode::Enforce };
        let issuer = remedy::quoted(&self.issuer);
        format!("mode = \"{}\" # in the [[issuer]] section of {issuer}", other.as_str()).into()
    }

    /// Judges a token that says that it is of this issuer.
    pub(super) fn judge(&self, token: &Jws<'_>, now: Timestamp) -> Outcome {
        // RFC 9068 section 2.1, RFC 8725 section 3.11: another kind of token is not an access token.
        if token.kind.as_deref().is_some_and(|kind| !matches!(kind, "jwt" | "at+jwt")) {
            return Outcome::Judged(Verdict::Bad(TokenFault::Type, None));
        }
        let is_allowed =
            |algorithm: Algorithm| self.algorithms.is_empty() || self.algorithms.contains(&algorithm);
        if !token.algorithm.is_some_and(is_allowed) {
            return Outcome::Judged(Verdict::Bad(TokenFault::Algorithm, None));
        }
        let verified = match &self.source {
            Source::Keys(keys) => keys.verify(token),
            Source::Remote(remote) => {
                let Some(fetched) = remote.keys() else { return Outcome::NoKeys };
                if now.as_second().saturating_sub(fetched.at) > STALE {
                    return Outcome::NoKeys;
                }
                match fetched.keys.verify(token) {
                    Err(TokenFault::KeyUnknown) => return Outcome::KeyUnknown,
                    // Without a name any new key could be meant; its old ones were tried.
                    Err(TokenFault::Signature) if token.key_id.is_none() => return Outcome::KeyUnknown,
                    verified => verified,
                }
            }
            Source::Introspection(_) => return Outcome::Opaque,
        };
        Outcome::Judged(match verified.and_then(|()| Claims::read(token)) {
            Ok(claims) => self.judge_claims(claims, now),
            Err(fault) => Verdict::Bad(fault, None),
        })
    }

    fn judge_claims(&self, claims: Claims, now: Timestamp) -> Verdict {
        if claims.text("iss") != Some(&self.issuer) {
            return Verdict::Bad(TokenFault::Issuer, None);
        }
        if claims.expires.is_none() {
            return Verdict::Bad(TokenFault::Endless, None);
        }
        let judged =
            claims.verify_time(now, self.leeway).and_then(|()| claims.verify_audience(&self.audience));
        if let Err(fault) = judged {
            let age = claims.expired_for(now).filter(|_| fault == TokenFault::Expired);
            return Verdict::Bad(fault, age);
        }
        principal(claims, false).map_or(Verdict::Bad(TokenFault::Claim, None), Verdict::Good)
    }

    /// Reads a token by which the issuer says that a session has ended (OIDC Back-Channel Logout 1.0 section 2.6).
    /// None: its key is not known yet.
    pub(super) fn read_logout(&self, token: &Jws<'_>, now: Timestamp) -> Option<Result<Logout, TokenFault>> {
        const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
        /// Seconds for which such a token may be on its way.
        const FRESH: i64 = 600;
        if token.kind.as_deref().is_some_and(|kind| !matches!(kind, "jwt" | "logout+jwt")) {
            return Some(Err(TokenFault::Type));
        }
        let verified = match &self.source {
            Source::Keys(keys) => keys.verify(token),
            Source::Remote(remote) => remote.keys()?.keys.verify(token),
            Source::Introspection(_) => Err(TokenFault::KeyUnknown),
        };
        if verified == Err(TokenFault::KeyUnknown) && matches!(self.source, Source::Remote(_)) {
            return None;
        }
        Some(verified.and_then(|()| {
            let claims = Claims::read(token)?;
            let audience = Audience::OneOf(vec![self.client_id.to_string()]);
            claims.verify_time(now, self.leeway)?;
            claims.verify_audience(&audience)?;
            let text = |name: &str| claims.text(name).map(str::to_owned);
            let issued = claims.issued.filter(|issued| (now.as_second() - issued).abs() <= FRESH);
            let says_so = claims
                .all
                .get("events")
                .and_then(|events| events.get(EVENT))
                .is_some_and(serde_json::Value::is_object);
            // A `nonce` is in an ID token: it must not be taken for this one.
            let is_one = says_so && claims.text("jti").is_some() && !claims.all.contains_key("nonce");
            let (subject, session) = (text("sub"), text("sid"));
            match issued {
                _ if claims.text("iss") != Some(&self.issuer) => Err(TokenFault::Issuer),
                Some(at) if is_one && (subject.is_some() || session.is_some()) => {
                    Ok(Logout { issuer: self.issuer.to_string(), subject, session, at })
                }
                Some(_) => Err(TokenFault::Claim),
                None => Err(TokenFault::Expired),
            }
        }))
    }

    /// Judges a token about which the issuer was asked. None: it did not answer.
    pub(super) fn judge_introspected(&self, said: Introspected, now: Timestamp) -> Option<Verdict> {
        let mut all = match said {
            Introspected::Active(all) => all,
            Introspected::Inactive => return Some(Verdict::Bad(TokenFault::Signature, None)),
            Introspected::Unavailable => return None,
        };
        // RFC 7662 section 2.2: `iss` and `exp` are optional there. It may be revoked at any time.
        all.entry("iss").or_insert_with(|| (&*self.issuer).into());
        if !all.contains_key("sub")
            && let Some(name) = all.get("username").or_else(|| all.get("client_id")).cloned()
        {
            all.insert("sub".into(), name);
        }
        let Some(mut claims) = Claims::of(all) else { return Some(Verdict::Bad(TokenFault::Claim, None)) };
        let soon = now.as_second() + ACTIVE;
        let until = claims.expires.unwrap_or(soon);
        claims.expires = Some(until);
        Some(match self.judge_claims(claims, now) {
            Verdict::Good(principal) => {
                let mut known = crate::call::Principal::clone(&principal);
                known.expires = Some(until.min(soon));
                Verdict::Good(Arc::new(known))
            }
            other => other,
        })
    }
}
