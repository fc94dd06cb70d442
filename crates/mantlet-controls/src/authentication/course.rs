//! The course of sessions: what an answer of the app begins, goes on with, or ends.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body::Body;
use mantlet_contract::sensitive::{CredentialPlace, Evidence, Place, Purpose, SessionRole};
use serde_json::Value;

use super::{
    Policy, claims_of,
    sent::{Sent, tokens_in_text},
    sessions::{
        Cause, Digest, Event, Kind, SessionFacts, digest, digest_of_cookie, name_of_login, name_of_subject,
    },
    shown::Shown,
    trial,
};
use crate::{
    Call, Mode, Reason, RequestBody, account,
    identity::{TokenUse, Verdict, access_token, tokens_in},
    message::cookie::SetCookie,
};

/// What is known of a request that may change sessions, before the app has answered.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// The accounts that it names, as accounts are compared.
    pub(crate) accounts: Vec<String>,
    /// Credentials in its body: a token for new tokens, or a link of a mail.
    pub(crate) in_body: Vec<String>,
    /// The bearer token.
    pub(crate) stray: Option<Digest>,
    /// Tokens that the client has sent itself.
    pub(super) sent: Sent,
    /// It sets a new password, if its operation may.
    pub(crate) changes_password: bool,
}

/// The same, with the session that the request shows.
struct Seen<'r> {
    shown: Option<&'r Shown>,
    course: &'r Course,
}

impl std::ops::Deref for Seen<'_> {
    type Target = Course;

    fn deref(&self) -> &Course {
        self.course
    }
}

/// What an answer hands out.
#[derive(Clone, Copy)]
struct Found<'a> {
    tokens: &'a [(TokenUse, &'a str)],
    cookies: &'a [(&'a str, &'a [u8])],
}

/// What an operation does to sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "one operation may do several of these")]
pub(crate) struct Effects {
    /// It begins one.
    begins: bool,
    /// It goes on with one, under new credentials.
    renews: bool,
    /// It ends the client's.
    ends: bool,
    /// It ends all others of the account.
    ends_others: bool,
    /// It sets a new password, which ends all others of the account.
    changes_password: bool,
    /// It resets the password of an account that it names, which ends all of that account.
    resets_password: bool,
}

impl Effects {
    /// Whether it does nothing to sessions.
    pub(crate) fn is_nothing(self) -> bool {
        self == Self::default()
    }

    const fn hands_out(self) -> bool {
        self.begins || self.renews || self.changes_password || self.resets_password
    }
}

impl Policy {
    /// What the operation of a request does to sessions.
    pub(crate) fn effects_of(&self, call: &Call) -> Effects {
        let mut effects = Effects::default();
        let Some(matched) = call.operation.as_ref().filter(|_| self.sessions_mode != Mode::Off) else {
            return effects;
        };
        let sensitivity = matched.sensitivity(&call.method);
        let is_known = sensitivity.is_some_and(|found| found.evidence == Evidence::Known);
        match sensitivity.map(|found| found.purpose) {
            Some(Purpose::Login | Purpose::Register | Purpose::Verify) => effects.begins = true,
            Some(Purpose::Reset) => effects.resets_password = is_known,
            Some(Purpose::Redeem | Purpose::Checkout) | None => {}
        }
        for found in matched.session_roles(&call.method) {
            match found.role {
                SessionRole::Logout => effects.ends = true,
                SessionRole::LogoutElsewhere => effects.ends_others = true,
                SessionRole::Refresh => effects.renews = true,
                SessionRole::ChangePassword => {
                    (effects.changes_password, effects.resets_password) = (true, false);
                }
                SessionRole::Me => {}
            }
        }
        effects
    }

    /// Whether a request asks for new tokens with an earlier one.
    pub(crate) fn renews(&self, call: &Call) -> bool {
        self.effects_of(call).renews
    }

    /// The names of accounts whose sessions a request may end: other gates may know some.
    pub(crate) fn accounts_to_end(&self, call: &Call, shown: Option<&Shown>, course: &Course) -> Vec<Digest> {
        let effects = self.effects_of(call);
        let course = &Seen { shown, course };
        let mut names = Vec::new();
        if effects.ends_others || effects.changes_password {
            names.extend(names_of(call, course));
        }
        if effects.resets_password {
            names.extend(self.names_named(course));
        }
        names
    }

    /// Whether the body of the answer is needed for it.
    pub(crate) fn asks_for_tokens(&self, call: &Call, status: StatusCode) -> bool {
        status.is_success() && self.effects_of(call).hands_out()
    }

    /// New tokens in any answer, and in the address to which it sends the client, that the app's key
    /// verifies, and the subject of each.
    fn good_tokens(
        &self,
        call: &Call,
        sent: &Sent,
        (body, location): (Option<&[u8]>, Option<&[u8]>),
    ) -> Vec<(Box<str>, String)> {
        // Nearly all answers end here.
        let may_hold_one = |text: &[u8]| memchr::memmem::find(text, b"eyJ").is_some();
        let body = body.filter(|text| may_hold_one(text));
        let location = location.filter(|text| may_hold_one(text));
        if body.is_none() && location.is_none() {
            return Vec::new();
        }
        let pinned = self.memory.pinned();
        let Some(pinned) = &*pinned else { return Vec::new() };
        let answer: Option<Value> = body.and_then(|body| serde_json::from_slice(body).ok());
        let of_body = answer.as_ref().map(tokens_in).unwrap_or_default().into_iter();
        let of_body = of_body.filter(|(own, _)| *own == TokenUse::Access).map(|(_, token)| token);
        let of_location = location.into_iter().flat_map(tokens_in_text).take(MOST_LINKS);
        let is_new =
            |token: &str| !sent.has(token) && self.sessions.find(&digest(token.as_bytes())).is_none();
        let judged = of_body.chain(of_location).filter(|token| is_new(token));
        let good = judged.filter_map(|token| match pinned.judge(token, call.clock.time()) {
            Verdict::Good(principal) => Some((principal.subject.clone(), token.to_owned())),
            Verdict::Bad(..) | Verdict::Unjudged => None,
        });
        good.collect()
    }

    /// The tokens that a request has sent, if its answer may teach something.
    pub(crate) fn read_sent<B>(&self, request: &Request<RequestBody<B>>) -> Sent
    where
        B: Body<Data = Bytes, Error = Reason> + Unpin,
    {
        let may_learn = self.sessions_mode != Mode::Off && self.memory.pinned().is_some();
        if may_learn { Sent::by(request) } else { Sent::default() }
    }

    /// Reads what a request names of sessions, before the app reads it.
    pub(crate) async fn read_course<B>(
        &self,
        call: &Call,
        request: &mut Request<RequestBody<B>>,
    ) -> Result<Course, Reason>
    where
        B: Body<Data = Bytes, Error = Reason> + Unpin,
    {
        account::read_ahead(request).await?;
        let matched = call.operation.as_ref();
        let sensitivity = matched.and_then(|matched| matched.sensitivity(&call.method));
        // As they are written: two accounts that look alike are two.
        let places = sensitivity.iter().flat_map(|found| found.accounts.iter().take(found.each.max(1)));
        let places = places.map(|place| CredentialPlace::Input(place.clone()));
        let accounts: Vec<_> =
            places.filter_map(|place| account::credential(call, request, &place)).collect();
        let mut in_body = Vec::new();
        let mut new_password = None;
        for role in matched.iter().flat_map(|matched| matched.session_roles(&call.method)) {
            let found: Vec<_> =
                role.places.iter().filter_map(|place| account::credential(call, request, place)).collect();
            match role.role {
                SessionRole::ChangePassword => {
                    new_password = Some(!found.is_empty() || !role.only_if_present);
                }
                _ => in_body.extend(found),
            }
        }
        // The link of a mail that resets a password is a token in the body.
        if sensitivity.is_some_and(|found| found.purpose == Purpose::Reset) {
            in_body.extend(tokens_in_text(request.body().ahead()).take(MOST_LINKS).map(str::to_owned));
        }
        // Who only asks for a reset has not reset anything.
        let sets_password = || {
            let mut names = NEW_PASSWORDS.iter().map(|name| Place::Body(vec![(*name).to_owned()]));
            names.any(|name| account::credential(call, request, &CredentialPlace::Input(name)).is_some())
        };
        let changes_password = new_password.unwrap_or_else(sets_password);
        let stray = access_token(request.headers()).map(|token| digest(token.as_bytes()));
        let sent = Sent::by(request);
        Ok(Course { accounts, in_body, stray, sent, changes_password })
    }

    /// What an answer does to sessions. Empty for nearly all.
    ///
    /// A cookie that is signed anew with every answer is not kept each time, unless several gates share
    /// what is kept.
    pub(crate) fn course(
        &self,
        call: &Call,
        known: (Option<&Shown>, Option<&Course>, &Sent),
        is_shared: bool,
        (status, headers): (StatusCode, &HeaderMap),
        body: Option<&[u8]>,
    ) -> Vec<Event> {
        if self.sessions_mode == Mode::Off {
            return Vec::new();
        }
        let nothing = Course::default();
        let course = &Seen { shown: known.0, course: known.1.unwrap_or(&nothing) };
        if !(status.is_success() || status.is_redirection()) {
            return Vec::new();
        }
        let now = call.clock.time().as_second();
        let effects = self.effects_of(call);
        let current = course.shown.map(|shown| shown.session.facts.id);
        let mut events = Vec::new();
        if effects.ends {
            events.extend(self.end(call, course, now));
        }
        if status.is_success() && effects.ends_others {
            events.extend(self.end_account(&names_of(call, course), current, now, Cause::Logout));
        }
        if status.is_success() && effects.changes_password && course.changes_password {
            events.extend(self.end_account(&names_of(call, course), current, now, Cause::PasswordChanged));
        }
        if status.is_success() && effects.resets_password && course.changes_password {
            events.extend(self.end_account(&self.names_named(course), None, now, Cause::PasswordReset));
        }
        if effects.hands_out() {
            let answer: Option<Value> = body.and_then(|body| serde_json::from_slice(body).ok());
            let tokens = answer.as_ref().map(tokens_in).unwrap_or_default();
            let found = Found { tokens: &tokens, cookies: &set_cookies(call, headers) };
            events.extend(self.hand_out(call, course, effects, found, now));
        }
        if !effects.hands_out() || status.is_redirection() {
            let location = headers.get(header::LOCATION).map(HeaderValue::as_bytes);
            let body = body.filter(|_| !effects.hands_out());
            let sent = known.1.map_or(known.2, |course| &course.sent);
            let found = self.good_tokens(call, sent, (body, location));
            events.extend(hand_out_found(call, known.0, found, now));
        }
        if !effects.ends {
            events.extend(self.go_on(course, headers, now, is_shared));
        }
        events
    }

    /// New credentials in the answer to a login, or to a renewal.
    fn hand_out(
        &self,
        call: &Call,
        course: &Seen<'_>,
        effects: Effects,
        found: Found<'_>,
        now: i64,
    ) -> Vec<Event> {
        let mut credentials: Vec<Credential> = Vec::new();
        let mut subject = None;
        for (own, token) in found.tokens.iter().filter(|(_, token)| !course.sent.has(token)) {
            let kind = if *own == TokenUse::Refresh { Kind::Refresh } else { Kind::Bearer };
            let claims = claims_of(token);
            let expires = claims.as_ref().and_then(|claims| claims.expires);
            subject = subject.or_else(|| subject_of(&claims?));
            credentials.push((kind, None, digest(token.as_bytes()), expires));
        }
        for &(name, value) in found.cookies {
            let claims = std::str::from_utf8(value).ok().and_then(claims_of);
            let expires = claims.as_ref().and_then(|claims| claims.expires);
            subject = subject.or_else(|| subject_of(&claims?));
            credentials.push((Kind::Cookie, Some(name.into()), digest_of_cookie(value), expires));
        }
        if credentials.is_empty() {
            return Vec::new();
        }
        // A renewal goes on with the session of what was shown for it.
        let renews =
            effects.changes_password || (effects.renews && (!effects.begins || !course.in_body.is_empty()));
        let known = renews.then(|| self.renewed_session(course)).flatten();
        let mut events = Vec::new();
        let id = known.unwrap_or_else(|| {
            let mut names: Vec<_> = course.accounts.iter().map(|account| name_of_login(account)).collect();
            names.extend(subject.as_deref().map(name_of_subject));
            let account = course.accounts.first().filter(|name| !name.is_empty()).cloned().or(subject);
            let address = call.client.address;
            let facts =
                SessionFacts { id: new_id(), account: account.map(Into::into), names, began: now, address };
            let id = facts.id;
            events.push(Event::Began(facts));
            id
        });
        events.extend(credentials.into_iter().map(|(kind, cookie, digest, expires)| Event::HandedOut {
            session: id,
            digest,
            kind,
            cookie,
            at: now,
            expires,
        }));
        events
    }

    /// The session of a renewal: of the token in its body, else of the credential in its head.
    fn renewed_session(&self, course: &Seen<'_>) -> Option<u64> {
        let of_body = course.in_body.iter().find_map(|token| self.sessions.find(&digest(token.as_bytes())));
        let of_body = of_body.map(|found| found.session.facts.id);
        of_body.or_else(|| course.shown.map(|shown| shown.session.facts.id))
    }

    /// The client has logged out.
    fn end(&self, call: &Call, course: &Seen<'_>, now: i64) -> Vec<Event> {
        let of_body = course.in_body.iter().filter_map(|token| self.sessions.find(&digest(token.as_bytes())));
        let mut ids: Vec<_> = of_body.map(|found| found.session.facts.id).collect();
        ids.extend(course.shown.map(|shown| shown.session.facts.id));
        ids.sort_unstable();
        ids.dedup();
        let mut events = Vec::new();
        // Handed out before the gate was there, and verified by the app's own key.
        if let (true, Some(stray), Some(principal)) = (ids.is_empty(), course.stray, &call.principal)
            && principal.is_of_app
            && let Some(expires) = principal.expires
        {
            let names = vec![name_of_subject(&principal.subject)];
            let account = Some(principal.subject.clone());
            let facts =
                SessionFacts { id: new_id(), account, names, began: now, address: call.client.address };
            let session = facts.id;
            events.push(Event::Began(facts));
            let (kind, expires) = (Kind::Bearer, Some(expires));
            events.push(Event::HandedOut { session, digest: stray, kind, cookie: None, at: now, expires });
            ids.push(session);
        }
        events.extend(ids.into_iter().flat_map(|id| self.ended(id, now, Cause::Logout)));
        events
    }

    /// The end of a session, with all that must be known to be ended.
    pub(crate) fn ended(&self, session: u64, now: i64, cause: Cause) -> Vec<Event> {
        let mut events = self.sessions.handed_out_in(session);
        events.push(Event::Ended { session, at: now, cause });
        events
    }

    /// Ends the sessions of an account, but one.
    pub(crate) fn end_account(
        &self,
        names: &[Digest],
        but: Option<u64>,
        now: i64,
        cause: Cause,
    ) -> Vec<Event> {
        let mut ids: Vec<_> = names
            .iter()
            .flat_map(|name| self.sessions.list(Some(name)))
            .map(|session| session.facts.id)
            .filter(|id| Some(*id) != but)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().flat_map(|id| self.ended(id, now, cause)).collect()
    }

    /// Names of an account that a request names: with a code, or by the link of a mail that the app has
    /// signed.
    fn names_named(&self, course: &Seen<'_>) -> Vec<Digest> {
        let mut names: Vec<_> = course.accounts.iter().map(|account| name_of_login(account)).collect();
        let (candidates, _) = self.candidates.get();
        for token in course.in_body.iter().filter(|token| trial::is_of_the_app(token, &candidates)) {
            if let Some(subject) = claims_of(token).and_then(|claims| subject_of(&claims)) {
                names.extend([name_of_subject(&subject), name_of_login(&subject)]);
            }
        }
        names
    }

    /// A cookie that is signed anew with every answer: its new value belongs to the same session.
    fn go_on(&self, course: &Seen<'_>, headers: &HeaderMap, now: i64, is_shared: bool) -> Vec<Event> {
        let Some(Shown { session, cookie: Some(own) }) = course.shown else { return Vec::new() };
        let mut events = Vec::new();
        for line in headers.get_all(header::SET_COOKIE) {
            let Some(set) = SetCookie::parse(line.as_bytes()).filter(|set| set.name == own.as_bytes()) else {
                continue;
            };
            let digest = digest_of_cookie(set.value);
            let Ok(name) = std::str::from_utf8(set.name) else { continue };
            if !set.value.is_empty() && self.sessions.find(&digest).is_none() {
                let (id, cookie) = (session.facts.id, Some(name.into()));
                let (kind, expires) = (Kind::Cookie, None);
                let event = Event::HandedOut { session: id, digest, kind, cookie, at: now, expires };
                if is_shared || session.is_to_be_kept(now) {
                    events.push(event);
                } else {
                    self.sessions.apply(&event);
                }
            }
        }
        events
    }
}

/// Tokens in an answer that no word of the app calls a login: the way back from another provider, a
/// link in a mail, a new token for each request. Those of the client's own account belong to its
/// session, and those of another account to one of their own.
fn hand_out_found(
    call: &Call,
    shown: Option<&Shown>,
    found: Vec<(Box<str>, String)>,
    now: i64,
) -> Vec<Event> {
    let mut events = Vec::new();
    let mut sessions: Vec<(Box<str>, u64)> = Vec::new();
    for (subject, token) in found {
        let name = name_of_subject(&subject);
        let own = shown.filter(|shown| shown.session.has_name(&name)).map(|shown| shown.session.facts.id);
        let known = sessions.iter().find(|(known, _)| *known == subject).map(|(_, session)| *session);
        let session = own.or(known).unwrap_or_else(|| {
            let (account, names) = (Some(subject.clone()), vec![name]);
            let facts =
                SessionFacts { id: new_id(), account, names, began: now, address: call.client.address };
            let id = facts.id;
            events.push(Event::Began(facts));
            sessions.push((subject.clone(), id));
            id
        });
        let (kind, digest) = (Kind::Bearer, digest(token.as_bytes()));
        let expires = claims_of(&token).and_then(|claims| claims.expires);
        events.push(Event::HandedOut { session, digest, kind, cookie: None, at: now, expires });
    }
    events
}

/// The names of the account of a request's session.
fn names_of(call: &Call, course: &Seen<'_>) -> Vec<Digest> {
    let mut names = course.shown.map(|shown| shown.session.facts.names.clone()).unwrap_or_default();
    names.extend(call.principal.as_ref().map(|principal| name_of_subject(&principal.subject)));
    names
}

/// A credential that the app hands out: its kind, the name of its cookie, its digest, its end.
type Credential = (Kind, Option<Box<str>>, Digest, Option<i64>);

/// Tokens in the body of a reset that are looked at.
const MOST_LINKS: usize = 4;

/// The cookies of an answer to a login that may be its session: those that the app declares, else
/// those that scripts cannot read, else the only one. A cookie with a short value is a preference.
pub(super) fn set_cookies<'h>(call: &Call, headers: &'h HeaderMap) -> Vec<(&'h str, &'h [u8])> {
    let all: Vec<_> = headers
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|line| SetCookie::parse(line.as_bytes()))
        .filter(|set| set.value.len() >= SHORTEST && !set.is_removal(call.clock))
        .filter_map(|set| Some((std::str::from_utf8(set.name).ok()?, set)))
        .collect();
    let declared =
        call.operation.as_ref().map(|matched| &*matched.contract.session_cookies).unwrap_or_default();
    let is_declared = |name: &str| declared.iter().any(|own| own == name);
    let chosen = |is_it: &dyn Fn(&str, &SetCookie<'h>) -> bool| {
        let those = all.iter().filter(|(name, set)| is_it(name, set));
        those.map(|(name, set)| (*name, set.value)).collect::<Vec<_>>()
    };
    let of_contract = chosen(&|name, _| is_declared(name));
    if !of_contract.is_empty() {
        return of_contract;
    }
    let hidden = chosen(&|_, set| set.attribute("httponly").is_some());
    if hidden.is_empty() && all.len() == 1 { chosen(&|_, _| true) } else { hidden }
}

/// Names of a new password.
const NEW_PASSWORDS: [&str; 8] = [
    "new_password",
    "newPassword",
    "password",
    "password1",
    "new_password1",
    "password_new",
    "passwd",
    "passphrase",
];
/// Bytes of the shortest value that can be a session: 96 bits in base64.
const SHORTEST: usize = 16;

fn subject_of(claims: &crate::token::Claims) -> Option<String> {
    match claims.all.get("sub")? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A number that is not guessed.
fn new_id() -> u64 {
    let mut bytes = [0; 8];
    // Without random bytes the system has failed in every other way, too.
    let _ = getrandom::fill(&mut bytes);
    u64::from_be_bytes(bytes).max(1)
}
