//! Which program is calling?
//!
//! Defends an app that has no keys of its own, or one key for all programs, against a key that leaks:
//! its access could not be taken back without a change for every program. The operator makes a key
//! for each program (`mantlet keys create`). Only digests are kept.
//!
//! A request passes if
//! 1. it has no key of ours, and none is required (`required`). Keys of the app's own are left to the
//!    app. One that begins with `mk_` is not taken for ours, because ours have a checksum;
//! 2. its key was made here, for this environment, was not revoked and has not expired. Then the
//!    caller is known, and the app gets the key that it expects (`upstream-key`), or none;
//! 3. no key was ever made, and none is required.
//!
//! A key is read in the header `X-API-Key`, in `Authorization: Bearer`, and in the header or the
//! query parameter that the operation declares. A request with two different keys is refused.
//!
//! To mind in deployment: set `environment` before the first key is made. Keys of another
//! environment are refused, and such a request is worth a look: its key has leaked from there, or a
//! program has the wrong configuration.
//!
//! ```
//! use http::Request;
//! use jiff::Timestamp;
//! use mantlet_controls::{Context, Deployment, Section, api_keys::{ApiKeys, Change, Config, NewKey}};
//!
//! let deployment = Deployment { environment: "prod".parse().unwrap(), ..Deployment::default() };
//! let keys = deployment.kept.get::<ApiKeys>();
//! let new = NewKey { name: "ci".into(), ..NewKey::default() };
//! let (facts, text) = keys.make(&new, &deployment.environment, Timestamp::now()).unwrap();
//! assert!(text.expose().starts_with("mk_prod_"));
//! keys.apply(&[Change::Created(facts)]);
//! let policy = Config::default().check(&Context { deployment, ..Context::default() }).unwrap();
//! let request = Request::get("/").header("x-api-key", text.expose()).body(()).unwrap();
//! assert_eq!(&*policy.caller(&request, Timestamp::now()).unwrap().subject, "ci");
//! ```

mod config;
mod known;
mod new;
mod places;
mod text;

use std::sync::Arc;

use http::{HeaderName, Request, header};
use jiff::Timestamp;

pub use self::{
    config::{Config, RouteConfig, UpstreamKey},
    known::{ApiKey, ApiKeys, Change, KeyFacts, Listed, SecretDigest, State},
    new::{NewKey, life_of},
    text::id_of,
};
use self::{
    places::Place,
    text::{Parts, Reading},
};
use crate::{
    Call, Mode, Reason, Refusal,
    audit::{Record, Sink},
    call::Known,
    config::Environment,
    refusal::Faults,
};

/// Seconds after which a request may be tried again whose key cannot be looked up.
const RETRY: std::time::Duration = std::time::Duration::from_secs(1);

/// The checked `[api-keys]` section.
#[derive(Debug)]
pub struct Policy {
    mode: Mode,
    header: HeaderName,
    upstream: Option<UpstreamKey>,
    /// The environment for which keys are made and good.
    pub environment: Environment,
    /// The keys that are known.
    pub keys: ApiKeys,
}

/// What a request says of keys.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// The caller, if its key is good.
    pub(crate) caller: Option<Known>,
    /// The key stands in `Authorization`.
    pub(crate) is_bearer: bool,
    pub(crate) faults: Faults,
}

/// What is wrong with a key, in a few words for the operator.
type Fault = (Reason, String);

impl Policy {
    /// Judges the key of a request. `is_needed` is whether it must have one.
    pub(crate) fn judge<B>(
        &self,
        call: &Call,
        is_needed: bool,
        audit: &impl Sink,
        request: &Request<B>,
    ) -> Judged {
        // No key was ever made: what looks like one is the app's own.
        if self.mode == Mode::Off || (self.keys.is_empty() && !self.keys.is_behind() && !is_needed) {
            return Judged::default();
        }
        let now = call.clock.time();
        let fault = match self.look(places::of(call, &self.header), request, now.as_second()) {
            Look::Good(key, place) => {
                if let Some(end) = key.must_be_told(now.as_second()) {
                    audit.record(Record::of_key_ending(call, &key.subject(), end));
                }
                key.note_use(now.as_second());
                let is_bearer = matches!(place, Place::Bearer);
                return Judged { caller: Some(key.principal.clone()), is_bearer, ..Judged::default() };
            }
            Look::Bad(fault) => fault,
            Look::Nothing if is_needed => (Reason::CredentialsMissing, String::new()),
            Look::Damaged if is_needed => {
                (Reason::ApiKeyInvalid, "its checksum is wrong: it was mistyped or cut off".to_owned())
            }
            Look::Nothing | Look::Damaged => return Judged::default(),
        };
        Judged { faults: vec![(self.mode, refusal(fault))], ..Judged::default() }
    }

    /// The caller of a request whose key stands in the header or in `Authorization`; or why it is
    /// refused. None where the request has no key.
    pub fn caller<B>(&self, request: &Request<B>, now: Timestamp) -> Result<Known, Refusal> {
        match self.look(places::usual(&self.header), request, now.as_second()) {
            Look::Good(key, _) => Ok(key.principal.clone()),
            Look::Bad(fault) => Err(refusal(fault)),
            Look::Nothing | Look::Damaged => Err(Reason::CredentialsMissing.into()),
        }
    }

    fn look<'c, B>(
        &self,
        places: impl Iterator<Item = Place<'c>>,
        request: &Request<B>,
        now: i64,
    ) -> Look<'c> {
        let mut found: Option<(String, Place<'c>)> = None;
        let mut is_damaged = false;
        for place in places {
            for shown in place.texts(request) {
                match (text::read(&shown), &found) {
                    (Reading::Foreign, _) => {}
                    (Reading::Damaged, _) => is_damaged = true,
                    (Reading::Key(_), None) => found = Some((shown.into_owned(), place)),
                    (Reading::Key(_), Some((known, _))) if *known == *shown => {}
                    (Reading::Key(_), Some(_)) => {
                        let why = "the request has two different keys".to_owned();
                        return Look::Bad((Reason::ApiKeyInvalid, why));
                    }
                }
            }
        }
        let Some((shown, place)) = found else {
            return if is_damaged { Look::Damaged } else { Look::Nothing };
        };
        match text::read(&shown) {
            Reading::Key(parts) => match self.verify(&parts, now) {
                Ok(key) => Look::Good(key, place),
                Err(fault) => Look::Bad(fault),
            },
            Reading::Foreign | Reading::Damaged => Look::Nothing,
        }
    }

    fn verify(&self, parts: &Parts<'_>, now: i64) -> Result<Arc<ApiKey>, Fault> {
        let bad = |why: String| Err((Reason::ApiKeyInvalid, why));
        if parts.environment != self.environment.as_str() {
            let why = format!("it is of `{}`, and this is `{}`", parts.environment, self.environment);
            return Err((Reason::ApiKeyOfAnotherEnvironment, why));
        }
        let Some(key) = self.keys.find(parts.id) else {
            if self.keys.is_behind() {
                return Err((Reason::StoreUnavailable, "keys of other gates are not known".to_owned()));
            }
            return bad("there is no such key".to_owned());
        };
        let not_it = || bad(format!("it is not the key {}, whose id it has", key.subject()));
        if !key.facts.digest.is_of(parts.secret) {
            return not_it();
        }
        match key.state(&self.environment, now) {
            State::Good => Ok(key),
            State::OfAnotherEnvironment => not_it(),
            State::Revoked => bad(format!("{} was revoked", key.subject())),
            State::Expired => bad(format!("{} has expired", key.subject())),
        }
    }

    /// Takes the key out where the operation does not declare it, and puts the app's own key where it
    /// does. The last thing that is done to the head of a request, so that nothing reads what we have
    /// put there.
    pub(crate) fn hand_over<B>(&self, call: &Call, request: &mut Request<B>) {
        if call.api_key.is_none() {
            return;
        }
        let places = || places::of(call, &self.header);
        let is_ours = |text: &str| matches!(text::read(text), Reading::Key(_));
        let came = places().find(|place| place.texts(request).iter().any(|text| is_ours(text)));
        for place in places() {
            // With a key of the app's own it needs ours nowhere.
            if self.upstream.is_some() || !place.is_declared(call) {
                place.take_out(request, is_ours);
            }
        }
        if let Some(upstream) = &self.upstream {
            places::for_upstream(call, came, &self.header).put(request, upstream);
        }
    }
}

/// Takes a key of ours out of `Authorization`, unless the operation asks for a bearer token. So all
/// that judge tokens see what the app will see.
pub(crate) fn take_bearer<B>(call: &Call, request: &mut Request<B>) {
    if !Place::Bearer.is_declared(call) {
        request.headers_mut().remove(header::AUTHORIZATION);
    }
}

fn refusal((reason, why): Fault) -> Refusal {
    let about = if why.is_empty() { reason.into() } else { Refusal::about(reason, why) };
    match reason {
        Reason::StoreUnavailable => Refusal { headers: Refusal::retry(reason, RETRY).headers, ..about },
        // The client learns no more than that its key is not good here.
        Reason::ApiKeyOfAnotherEnvironment => Refusal { seems: Some(Reason::ApiKeyInvalid), ..about },
        _ => about,
    }
}

/// What a request has to show.
enum Look<'c> {
    /// Nothing of ours.
    Nothing,
    /// Something that looks like a key of ours, but for its checksum.
    Damaged,
    Good(Arc<ApiKey>, Place<'c>),
    Bad(Fault),
}

#[cfg(test)]
mod tests;
