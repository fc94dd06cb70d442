//! The sessions whose credentials a request shows.

use std::{borrow::Cow, cmp::Reverse, sync::Arc};

use http::{HeaderMap, Request, header};

use super::{
    Beside, Carrier, Course, Policy, need_of, own_words,
    sessions::{
        Cause, Digest, Event, HandedOut, Keeper, Session, Sessions, digest, digest_of_cookie, name_at_issuer,
        name_of_subject, session_at_issuer,
    },
    strangers,
};
use crate::{
    Call, Mode, Reason, Refusal,
    config::{Clock, units::Span},
    identity::{access_token, access_token_text, cache, words},
    message::cookie::{self, SetCookie},
    operation::Need,
    refusal::Faults,
    token::has_its_form,
};

/// Credentials of one request that are looked up. A client could send thousands of cookies.
const MOST: usize = 8;

/// A session that a request shows, and how.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) session: Arc<Session>,
    /// The cookie that shows it; none: a bearer token does.
    pub(crate) cookie: Option<Arc<str>>,
    /// The credential.
    pub(super) digest: Digest,
}

/// The sessions that a request shows: nearly always one.
#[derive(Debug, Default)]
pub(crate) struct AllShown {
    own: Option<Shown>,
    others: Vec<Shown>,
    /// Of several, the client's own is the one whose credential the operation asks for.
    is_asked_for: bool,
}

impl AllShown {
    /// The client's, as the app reads the request.
    pub(crate) const fn own(&self) -> Option<&Shown> {
        self.own.as_ref()
    }

    /// Those that a logout ends whose answer sets these cookies, to other values or to none. If the
    /// operation asks for another credential, its answer may only go on with the cookie of a session.
    pub(super) fn ended_with(&self, sets: &[SetCookie<'_>], clock: Clock, sessions: &Sessions) -> Vec<u64> {
        let ends = |set: &&SetCookie<'_>| !self.is_asked_for || set.is_removal(clock);
        let by_cookie: Vec<_> = sets.iter().filter(ends).filter_map(|set| self.by_cookie(set.name)).collect();
        let own = self.own().filter(|_| by_cookie.is_empty() || self.is_asked_for);
        // Another gate may have handed the credential out again since it was shown.
        let id = |shown: &Shown| {
            let now = sessions.find(&shown.digest).map(|found| found.session.facts.id);
            now.unwrap_or(shown.session.facts.id)
        };
        by_cookie.into_iter().chain(own).map(id).collect()
    }

    /// The credentials that show them.
    pub(super) fn digests(&self) -> impl Iterator<Item = Digest> {
        self.own.iter().chain(&self.others).map(|shown| shown.digest)
    }

    /// The one that a cookie of this name shows.
    pub(super) fn by_cookie(&self, name: &[u8]) -> Option<&Shown> {
        let mut all = self.own.iter().chain(&self.others);
        all.find(|shown| shown.cookie.as_deref().is_some_and(|own| own.as_bytes() == name))
    }
}

/// What a request shows of sessions.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    pub(crate) shown: AllShown,
    /// Cookies that the app must not see: their sessions have ended.
    pub(crate) withheld: Vec<Box<[u8]>>,
    /// The bearer token must not be seen, either.
    pub(crate) withholds_bearer: bool,
    /// One of these says who calls.
    pub(crate) withholds_caller: bool,
    /// Why.
    pub(crate) why: Option<Refusal>,
    /// Sessions that are in use, and have not been for a minute.
    pub(crate) used: Vec<Event>,
}

impl Policy {
    /// Credentials of a request that another gate may know more about: this one does not know them, has
    /// not seen their session for too long, or knows that it has ended, and the app may have handed them
    /// out again.
    pub(crate) fn unknown<B>(&self, call: &Call, request: &Request<B>, beside: &[Beside<'_>]) -> Vec<Digest> {
        if self.ends.usual == Mode::Off {
            return Vec::new();
        }
        let now = call.clock.time().as_second();
        let may_be_known = |digest: &Digest| match self.sessions.find(digest) {
            Some(found) if self.sessions.ended(&found.session).is_none() => self.is_idle(&found.session, now),
            _ => !strangers::is_one(digest, now),
        };
        // Another word may be a password, or another text in each request.
        let may_be_one = |(place, credential): &(Place<'_>, Credential<'_>)| match (place, credential) {
            (Place::Word, Credential::Token(token)) => has_its_form(token),
            _ => true,
        };
        let all = self.credentials(request.headers(), beside).filter(may_be_one);
        all.map(|(_, credential)| credential.digest()).filter(may_be_known).collect()
    }

    /// The same, of those in a body: a token for new tokens. Of what a logout ends others are asked in
    /// any case: the app may have handed it out at another gate, too.
    pub(crate) fn unknown_in_body(&self, call: &Call, shown: &AllShown, course: &Course) -> Vec<Digest> {
        let is_logout = self.ends(call);
        let in_body = course.in_body.iter().take(MOST).map(|token| digest(token.as_bytes()));
        let in_body = in_body.filter(|digest| is_logout || self.sessions.find(digest).is_none());
        let in_head = shown.digests().filter(|_| is_logout);
        in_body.chain(in_head).collect()
    }

    /// Asks what others know of them. Returns whether they have answered.
    pub(crate) async fn ask_others(
        &self,
        call: &Call,
        unknown: Vec<Digest>,
        keeper: Arc<dyn Keeper>,
    ) -> bool {
        let now = call.clock.time().as_second();
        for digest in unknown {
            let Some(events) = keeper.find(digest).await else { return false };
            for event in &events {
                self.sessions.apply(event);
            }
            if self.sessions.find(&digest).is_none_or(|found| self.sessions.ended(&found.session).is_some()) {
                strangers::remember(digest, now);
            }
        }
        true
    }

    /// Asks what others know of the sessions of accounts.
    pub(crate) async fn ask_about_accounts(&self, names: Vec<Digest>, keeper: Arc<dyn Keeper>) {
        for name in names {
            for event in keeper.find_account(name).await.unwrap_or_default() {
                self.sessions.apply(&event);
            }
        }
    }

    /// The credentials of a request, and where each stands.
    pub(super) fn credentials<'h>(
        &'h self,
        headers: &'h HeaderMap,
        beside: &'h [Beside<'_>],
    ) -> impl Iterator<Item = (Place<'h>, Credential<'h>)> {
        let token = access_token_text(headers);
        // Most requests have no other.
        let is_other = |word: &Cow<'_, str>| token.as_ref() != Some(word);
        let words: Vec<_> =
            words(headers).filter(is_other).map(|word| (Place::Word, Credential::Token(word))).collect();
        let token = token.map(|token| (Place::Header, Credential::Token(token)));
        let beside = beside.iter().filter(|one| !matches!(one.carrier, Carrier::Cookie(_)));
        let beside =
            beside.map(|one| (Place::Beside(&one.carrier), Credential::Token(Cow::Borrowed(&*one.token))));
        let cookies = self.sessions.has_cookies().then(|| self.cookies(headers)).into_iter().flatten();
        let cookies = cookies.map(|(name, value)| (Place::Cookie(name), Credential::Cookie(value)));
        token.into_iter().chain(words).chain(beside).take(MOST).chain(cookies)
    }

    /// The cookies of a request that may show sessions. Of several with one name the app reads the last.
    fn cookies<'h>(&self, headers: &'h HeaderMap) -> Vec<(&'h [u8], &'h [u8])> {
        let mut found: Vec<(&[u8], &[u8])> = Vec::new();
        for (name, value) in cookie::pairs(headers) {
            if !std::str::from_utf8(name).is_ok_and(|name| self.sessions.has_cookie(name)) {
                continue;
            }
            match found.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => found.push((name, value)),
            }
        }
        found
    }

    /// Finds the session of a request; a session that has ended is refused, or its cookie is withheld.
    ///
    /// `is_all_known`: other gates were asked about what is not known here, and have answered.
    pub(crate) fn find_session<B>(
        &self,
        call: &Call,
        request: &Request<B>,
        beside: &[Beside<'_>],
        is_all_known: bool,
    ) -> (Sight, Faults) {
        let (mut sight, mut faults) = (Sight::default(), Faults::new());
        if let Some(cause) = self.ended_at_issuer(call) {
            // The operator has given the issuer the address at which it says so.
            let mode = self.mode.under(self.mode == Mode::Report);
            let other = if mode == Mode::Enforce { "report" } else { "enforce" };
            let remedy = Some(format!("authentication.mode = \"{other}\"").into());
            faults.push((mode, Refusal { remedy, ..Refusal::about(Reason::SessionEnded, cause.text()) }));
            return (sight, faults);
        }
        if self.ends.usual == Mode::Off || self.sessions.count() == 0 {
            return (sight, faults);
        }
        let now = call.clock.time().as_second();
        let (mut own, mut others) = (None, Vec::new());
        for (place, credential) in self.credentials(request.headers(), beside) {
            let digest = credential.digest();
            let Some(found) = self.sessions.find(&digest) else {
                let is_of_principal = match place {
                    Place::Header => true,
                    Place::Beside(_) => beside.len() == 1 && access_token(request.headers()).is_none(),
                    Place::Word | Place::Cookie(_) => false,
                };
                if is_of_principal && is_all_known {
                    faults.extend(self.judge_unknown(call, place, now));
                }
                continue;
            };
            if found.cookie.as_ref().is_some_and(|cookie| found.session.has_left(cookie)) {
                continue;
            }
            let judged = self.judge_session(&found, now);
            let goes_on = match judged {
                None => true,
                // Its use counts, or each of its requests would be recorded.
                Some((mode, reason, _)) => reason == Reason::SessionExpired && mode == Mode::Report,
            };
            if goes_on {
                sight.used.extend(self.sessions.note_use(&found.session, now));
                let shown = Shown { session: found.session, cookie: found.cookie, digest };
                match own {
                    None => own = Some((place, shown)),
                    Some(_) => others.push((place, shown)),
                }
            }
            let Some((mode, reason, why)) = judged else { continue };
            let by_operator = reason == Reason::SessionEnded && why == Cause::Operator.text();
            // No line gives back what an operator has taken.
            let remedy = by_operator.then(Box::default);
            let refusal = Refusal { remedy, ..Refusal::about(reason, why) };
            match self.treatment(call, place) {
                Treatment::Refuse => {
                    faults.push((mode, self.in_own_words(call, place, refusal)));
                }
                Treatment::Withhold if mode == Mode::Enforce => {
                    match place {
                        Place::Cookie(name) => sight.withheld.push(name.into()),
                        Place::Header | Place::Word | Place::Beside(_) => sight.withholds_bearer = true,
                    }
                    // The token of the header counts before that of a cookie.
                    let is_of_cookie = matches!(place, Place::Cookie(_));
                    sight.withholds_caller |= !is_of_cookie || access_token_text(request.headers()).is_none();
                    sight.why.get_or_insert(refusal);
                }
                Treatment::Withhold => faults.push((mode, refusal)),
            }
        }
        sight.shown = own.map(|own| in_order(call, own, others)).unwrap_or_default();
        (sight, faults)
    }

    /// Why the issuer of the caller's token has ended its session, if it has.
    fn ended_at_issuer(&self, call: &Call) -> Option<Cause> {
        // Without this, names would be made for each request.
        let (names, made) = self.sessions.has_ended_before().then(|| names_at_issuer(call)).flatten()?;
        self.sessions.ended_before(&names, made)
    }

    /// What is wrong with a session, if anything is, and the mode for that.
    fn judge_session(&self, found: &HandedOut, now: i64) -> Option<(Mode, Reason, &'static str)> {
        let session = &found.session;
        if let Some((_, cause)) = self.sessions.ended(session) {
            return Some((self.ends.mode_of(cause), Reason::SessionEnded, cause.text()));
        }
        let mode = self.ends.usual;
        if self.is_idle(session, now) {
            let why = "it was not in use for longer than `authentication.idle`";
            return Some((mode, Reason::SessionExpired, why));
        }
        if is_over(self.max_age, session.facts.began, now) {
            return Some((mode, Reason::SessionExpired, "it is older than `authentication.max-age`"));
        }
        None
    }

    fn is_idle(&self, session: &Session, now: i64) -> bool {
        is_over(self.idle, session.used(), now)
    }

    /// A good token that the app has not handed out through this gate, although it says that it was
    /// made since the gate learns.
    fn judge_unknown(&self, call: &Call, place: Place<'_>, now: i64) -> Option<(Mode, Refusal)> {
        let principal = call.principal.as_ref().filter(|principal| principal.is_of_app)?;
        let began = self.sessions.began();
        let issued = principal.attribute("iat").and_then(serde_json::Value::as_i64)?;
        let is_made_since = began != 0 && issued > began + SETTLED && issued + SETTLED < now;
        if !is_made_since || self.sessions.is_incomplete() {
            return None;
        }
        Some((self.unknown, self.in_own_words(call, place, Reason::TokenUnknown.into())))
    }

    /// How a credential of an ended session is kept from the app.
    #[expect(clippy::unused_self, reason = "it stands beside what asks")]
    fn treatment(&self, call: &Call, place: Place<'_>) -> Treatment {
        let is_needed = || matches!(need_of(call, &Carrier::Bearer), Some((Need::Required, _)));
        match place {
            // Nothing is cut out of a target.
            Place::Beside(_) => Treatment::Refuse,
            Place::Header | Place::Word if is_needed() => Treatment::Refuse,
            // The app answers as to a client that has logged out.
            Place::Header | Place::Word | Place::Cookie(_) => Treatment::Withhold,
        }
    }

    /// How a credential is kept from the app: the refusal, in the app's own words where it needs one;
    /// and whether the app only does not see it, and answers as to a client without one.
    pub(super) fn kept_from_the_app(
        &self,
        call: &Call,
        place: Place<'_>,
        refusal: Refusal,
    ) -> (Refusal, bool) {
        match self.treatment(call, place) {
            Treatment::Refuse => (self.in_own_words(call, place, refusal), false),
            Treatment::Withhold => (refusal, true),
        }
    }

    /// A refusal in the app's own words for a token that it refuses, if they are known.
    fn in_own_words(&self, call: &Call, place: Place<'_>, refusal: Refusal) -> Refusal {
        let carrier = match place {
            Place::Beside(carrier) => carrier,
            Place::Header | Place::Word | Place::Cookie(_) => &Carrier::Bearer,
        };
        let words = need_of(call, carrier).and_then(|(_, kind)| own_words(&self.memory, kind));
        Refusal { words, ..refusal }
    }
}

/// Of several sessions that a request shows, the client's comes first: the one whose credential its
/// operation asks for, else the one of the cookie in which the app keeps sessions, else the caller's.
fn in_order<'h>(call: &Call, own: (Place<'h>, Shown), mut others: Vec<(Place<'h>, Shown)>) -> AllShown {
    if others.is_empty() {
        return AllShown { own: Some(own.1), ..AllShown::default() };
    }
    let name = call.principal.as_ref().map(|principal| name_of_subject(&principal.subject));
    let matched = call.operation.as_ref();
    let rank = |(place, shown): &(Place<'_>, Shown)| {
        let is_asked_for = need_of(call, &place.carrier()).is_some();
        let cookies = matched.map(|matched| &*matched.contract.session_cookies).unwrap_or_default();
        let is_of_sessions = cookies.iter().any(|cookie| Some(&**cookie) == shown.cookie.as_deref());
        (is_asked_for, is_of_sessions, name.is_some_and(|name| shown.session.has_name(&name)))
    };
    others.insert(0, own);
    // The first of equals stays before the others.
    others.sort_by_key(|one| Reverse(rank(one)));
    let is_asked_for = others.first().is_some_and(|first| rank(first).0);
    let mut all = others.into_iter().map(|(_, shown)| shown);
    AllShown { own: all.next(), others: all.collect(), is_asked_for }
}

/// The names by which the issuer of the caller's token may end its session, and when that token was made.
pub(super) fn names_at_issuer(call: &Call) -> Option<(Vec<Digest>, i64)> {
    let principal = call.principal.as_ref().filter(|principal| !principal.is_of_app)?;
    let made = principal.attribute("iat").and_then(serde_json::Value::as_i64)?;
    let session = principal.attribute("sid").and_then(serde_json::Value::as_str);
    let of_session = session.map(|session| session_at_issuer(&principal.issuer, session));
    let names = [Some(name_at_issuer(&principal.issuer, &principal.subject)), of_session];
    Some((names.into_iter().flatten().collect(), made))
}

fn is_over(limit: Option<Span>, since: i64, now: i64) -> bool {
    limit
        .is_some_and(|limit| now.saturating_sub(since) > i64::try_from(limit.0.as_secs()).unwrap_or(i64::MAX))
}

/// Seconds by which clocks may differ.
const SETTLED: i64 = 60;

/// Where a credential stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'h> {
    /// The token of `Authorization`.
    Header,
    /// Another word there, which an app that takes it apart itself may read as a token.
    Word,
    /// A cookie of this name.
    Cookie(&'h [u8]),
    /// The query, or a subprotocol.
    Beside(&'h Carrier),
}

impl Place<'_> {
    fn carrier(&self) -> Carrier {
        match *self {
            Self::Header | Self::Word => Carrier::Bearer,
            Self::Cookie(name) => Carrier::Cookie(String::from_utf8_lossy(name).into()),
            Self::Beside(carrier) => carrier.clone(),
        }
    }
}

/// What may show a session.
pub(super) enum Credential<'h> {
    Token(Cow<'h, str>),
    Cookie(&'h [u8]),
}

impl Credential<'_> {
    pub(super) fn digest(&self) -> Digest {
        match self {
            Self::Token(token) => Digest(cache::digest(token, |token| digest(token).0)),
            Self::Cookie(value) => digest_of_cookie(value),
        }
    }
}

enum Treatment {
    Refuse,
    Withhold,
}

impl Sight {
    /// Takes the credentials of ended sessions out of a request.
    pub(crate) fn withhold(&self, headers: &mut HeaderMap) {
        for name in &self.withheld {
            cookie::take_out(headers, name);
        }
        if self.withholds_bearer {
            headers.remove(header::AUTHORIZATION);
        }
    }
}
