//! Bearer tokens that are bound to the browser that has logged in.
//!
//! Defends against a token that was copied out of a page, for example out of `localStorage` by a
//! script that an attacker has got into it ("token sidejacking" in OWASP's JWT cheat sheet). With a
//! login the browser gets a cookie that no script can read; the token is good only beside it.
//!
//! A token is bound if
//! 1. a page of the app's own origin has logged in (`Sec-Fetch-Site: same-origin`), over HTTPS or on
//!    this machine, and the token stands in the body of the answer: then the answer sets the cookie;
//! 2. the cookie came back together with a token of that session on three requests;
//! 3. no token of the session came without it before: servers that render pages, mobile clients and
//!    pages of other origins are never bound.
//!
//! The cookie has one part for each of the newest logins in the browser, and a session knows only its
//! own part: several accounts work in several tabs. A part that a script has planted before a login is
//! of no use to it, because the session gets a new one.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};

use super::{
    Beside, Policy,
    sessions::{Bond, Digest, Event, Keeper, Kind, Session, digest},
    shown::Place,
};
use crate::{
    Call, Mode, Reason, Refusal, Scheme,
    message::{authority, cookie},
};

/// The cookie. Only this host can have set one of this name (RFC 6265bis section 4.1.3.2).
const COOKIE: &str = "__Host-mantlet_fp";
/// Random bytes of a part, and their length in base64.
const RANDOM: usize = 32;
const LENGTH: usize = 43;
/// Logins of one browser whose tokens are bound at a time.
const PARTS: usize = 8;
/// Seconds for which a browser keeps the cookie: 400 days, the longest that it may. `localStorage`
/// outlives the browser, too; without its cookie a token that is kept there would be refused when the
/// browser starts again.
const AGE: u32 = 400 * 86_400;
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a request shows of its browser.
#[derive(Debug, Default)]
pub(crate) struct Browser {
    /// The parts of its cookie, the newest first.
    parts: Vec<Box<str>>,
    /// It is a page of the app's own origin, and a browser that keeps the cookie.
    is_at_home: bool,
}

/// What is to be done about a session whose token a request shows.
#[derive(Debug)]
pub(crate) enum Step {
    /// The cookie came with it often enough.
    Bind(Arc<Session>),
    /// It came without the cookie.
    Differs(Arc<Session>),
}

impl Policy {
    /// Reads the cookie and takes it out of the request; none if nothing is bound here.
    pub(crate) fn read_browser<B>(&self, call: &Call, request: &mut Request<B>) -> Option<Box<Browser>> {
        if self.binding == Mode::Off {
            return None;
        }
        let headers = request.headers_mut();
        let own = cookie::pairs(headers).filter(|(name, _)| *name == COOKIE.as_bytes());
        let parts = own.flat_map(|(_, value)| value.split(|byte| *byte == b'.'));
        let parts =
            parts.filter(|part| part.len() == LENGTH).filter_map(|part| std::str::from_utf8(part).ok());
        let parts: Vec<Box<str>> = parts.take(PARTS).map(Box::from).collect();
        cookie::take_out(headers, COOKIE.as_bytes());
        let mut sites = headers.get_all(&SEC_FETCH_SITE).iter();
        let is_own_page = sites.next().is_some_and(|site| site == "same-origin") && sites.next().is_none();
        let is_here = || call.host.asked().is_some_and(authority::is_loopback);
        let is_at_home = is_own_page && (call.client.scheme == Scheme::Https || is_here());
        Some(Box::new(Browser { parts, is_at_home }))
    }

    /// Holds the tokens of a request against its browser, and says where such a one stands. Nothing
    /// for nearly all.
    pub(crate) fn compare<'r>(
        &'r self,
        headers: &'r HeaderMap,
        beside: &'r [Beside<'_>],
        browser: &Browser,
    ) -> Option<(Step, Place<'r>)> {
        self.credentials(headers, beside).find_map(|(place, token)| {
            let session = self.session_of(&token.digest())?;
            if !browser.is_of(&session) {
                return Some((Step::Differs(session), place));
            }
            (session.bond() == Bond::Open && session.note_match()).then_some((Step::Bind(session), place))
        })
    }

    /// The same for tokens in the body of a renewal.
    pub(crate) fn compare_renewal(&self, tokens: &[String], browser: &Browser) -> Option<Step> {
        let mut sessions = tokens.iter().filter_map(|token| self.session_of(&digest(token.as_bytes())));
        sessions.find(|session| !browser.is_of(session)).map(Step::Differs)
    }

    /// The session of a token, if it may be bound.
    fn session_of(&self, token: &Digest) -> Option<Arc<Session>> {
        let found = self.sessions.find(token)?;
        let session = found.session;
        let is_one = may_be_bound(&session) && found.kind != Kind::Cookie && session.ended().is_none();
        is_one.then_some(session)
    }

    /// Decides about a session, once for all gates. Whether its token is used elsewhere.
    pub(crate) async fn take_step(&self, step: Step, keeper: Option<Arc<dyn Keeper>>) -> bool {
        let (Step::Bind(session) | Step::Differs(session)) = &step;
        // Another gate may know more. While the store does not answer, nothing is decided.
        if let Some(others) = keeper.as_ref().filter(|keeper| keeper.is_shared()) {
            let id = session.facts.id;
            match others.find_session(id).await {
                Some(events) => events.iter().for_each(|event| self.sessions.apply(event)),
                None if session.bond() == Bond::Open => {
                    session.forget_matches();
                    return false;
                }
                None => {}
            }
        }
        let is_bound = matches!(step, Step::Bind(_));
        if session.bond() == Bond::Open {
            let event = Event::Bound { session: session.facts.id, is_bound };
            self.sessions.apply(&event);
            if let Some(keeper) = keeper {
                keeper.keep_now(vec![event]).await;
            }
        }
        !is_bound && session.bond() == Bond::Bound
    }

    /// The refusal of a token that is used elsewhere; and whether the app only does not see the token,
    /// and answers as to a client without one.
    pub(crate) fn elsewhere(&self, call: &Call, place: Place<'_>) -> (Mode, Refusal, bool) {
        let (refusal, is_withheld) = self.kept_from_the_app(call, place, Reason::TokenElsewhere.into());
        (self.binding, refusal, is_withheld && self.binding == Mode::Enforce)
    }

    /// The refusal of a token in the body of a renewal.
    pub(crate) fn renewed_elsewhere(&self) -> (Mode, Refusal) {
        (self.binding, Reason::TokenElsewhere.into())
    }

    /// Gives the browser of a login a cookie, which belongs to the session that it begins. Returns the
    /// `Set-Cookie` line.
    pub(crate) async fn give_fingerprint(
        &self,
        call: &Call,
        browser: &Browser,
        events: &mut Vec<Event>,
        keeper: Option<Arc<dyn Keeper>>,
    ) -> Option<HeaderValue> {
        let began = events.iter().find_map(|event| match event {
            Event::Began(facts) => Some(facts.id),
            _ => None,
        })?;
        let tokens: Vec<_> = events.iter().filter_map(|event| token_of(event, began)).collect();
        if self.are_handed_out_again(call, &tokens, events, keeper).await || !browser.is_at_home {
            return None;
        }
        let ends = |event: &Event| matches!(event, Event::Ended { session, .. } if *session == began);
        if !tokens.iter().any(|(kind, _)| *kind == Kind::Bearer) || events.iter().any(ends) {
            return None;
        }
        let mut random = [0; RANDOM];
        getrandom::fill(&mut random).ok()?;
        let part = BASE64.encode(random);
        events.push(Event::Fingerprinted { session: began, digest: digest(part.as_bytes()) });
        let parts: Vec<_> = std::iter::once(&*part).chain(browser.parts.iter().map(|part| &**part)).collect();
        let value = parts.get(..PARTS.min(parts.len())).unwrap_or_default().join(".");
        let line = format!("{COOKIE}={value}; Path=/; Max-Age={AGE}; Secure; HttpOnly; SameSite=Strict");
        let mut line = HeaderValue::try_from(line).ok()?;
        line.set_sensitive(true);
        Some(line)
    }

    /// Whether the app has handed out one of these at an earlier login, perhaps to another browser. Then
    /// the former session is bound no more.
    async fn are_handed_out_again(
        &self,
        call: &Call,
        tokens: &[(Kind, Digest)],
        events: &mut Vec<Event>,
        keeper: Option<Arc<dyn Keeper>>,
    ) -> bool {
        let all = || tokens.iter().map(|(_, digest)| digest);
        if let Some(others) = keeper.filter(|keeper| keeper.is_shared()) {
            let unknown = all().filter(|token| self.sessions.find(token).is_none());
            self.ask_others(call, unknown.copied().collect(), others).await;
        }
        let former: Vec<_> = all().filter_map(|token| self.sessions.find(token)).collect();
        let may_be_bound = former.iter().map(|found| &found.session).filter(|session| may_be_bound(session));
        let ids = may_be_bound.map(|session| session.facts.id);
        events.extend(ids.map(|session| Event::Bound { session, is_bound: false }));
        !former.is_empty()
    }
}

/// Whether the tokens of a session are bound, or may be later.
fn may_be_bound(session: &Session) -> bool {
    session.fingerprint().is_some() && session.bond() != Bond::Never
}

/// The kind and the digest of a token that an event hands out in a session.
fn token_of(event: &Event, session: u64) -> Option<(Kind, Digest)> {
    match event {
        Event::HandedOut { session: own, kind: kind @ (Kind::Bearer | Kind::Refresh), digest, .. } => {
            (*own == session).then_some((*kind, *digest))
        }
        _ => None,
    }
}

impl Browser {
    /// Whether it has the cookie of a session.
    fn is_of(&self, session: &Session) -> bool {
        let is_own = |own: Digest| self.parts.iter().any(|part| digest(part.as_bytes()) == own);
        session.fingerprint().is_some_and(is_own)
    }
}

/// Sets the cookie on an answer, beside the app's own.
pub(crate) fn set_cookie(headers: &mut HeaderMap, line: &HeaderValue) {
    headers.append(header::SET_COOKIE, line.clone());
}

#[cfg(test)]
#[path = "binding_tests.rs"]
mod tests;
