//! The course of sessions: what an answer of the app begins, goes on with, or ends.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body::Body;
use mantlet_contract::sensitive::{CredentialPlace, Evidence, Place, Purpose, SessionRole};
use serde_json::Value;

use super::{
    Policy,
    handing_out::{Login, set_cookies},
    sent::{MOST_LINKS, Sent, tokens_in_text},
    sessions::{Cause, Digest, Event, Kind, digest, digest_of_cookie, name_of_login, name_of_subject},
    shown::{AllShown, Shown},
    trial,
};
use crate::{
    Call, Mode, Reason, RequestBody, account,
    identity::{access_token, tokens_in},
    message::cookie::SetCookie,
    token::unverified,
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

/// The same, with the sessions that the request shows.
pub(super) struct Seen<'r> {
    pub(super) shown: &'r AllShown,
    course: &'r Course,
}

impl std::ops::Deref for Seen<'_> {
    type Target = Course;

    fn deref(&self) -> &Course {
        self.course
    }
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
        let Some(matched) = call.operation.as_ref().filter(|_| self.ends.usual != Mode::Off) else {
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

    /// Whether a request is a logout.
    pub(super) fn ends(&self, call: &Call) -> bool {
        self.effects_of(call).ends
    }

    /// The names of accounts whose sessions a request may end: other gates may know some.
    pub(crate) fn accounts_to_end(&self, call: &Call, shown: &AllShown, course: &Course) -> Vec<Digest> {
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

    /// The tokens that a request has sent, if its answer may teach something.
    pub(crate) fn read_sent<B>(&self, request: &Request<RequestBody<B>>) -> Sent
    where
        B: Body<Data = Bytes, Error = Reason> + Unpin,
    {
        let may_learn = self.ends.usual != Mode::Off && self.memory.pinned().is_some();
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
        known: (&AllShown, Option<&Course>, &Sent),
        is_shared: bool,
        (status, headers): (StatusCode, &HeaderMap),
        body: Option<&[u8]>,
    ) -> Vec<Event> {
        if self.ends.usual == Mode::Off {
            return Vec::new();
        }
        let nothing = Course::default();
        let course = &Seen { shown: known.0, course: known.1.unwrap_or(&nothing) };
        if !(status.is_success() || status.is_redirection()) {
            return Vec::new();
        }
        let now = call.clock.time().as_second();
        let effects = self.effects_of(call);
        let current = course.shown.own().map(|shown| shown.session.facts.id);
        let mut events = Vec::new();
        if effects.ends {
            events.extend(self.end(call, course, headers, now));
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
            // A renewal goes on with the session of what was shown for it.
            let renews = effects.changes_password
                || (effects.renews && (!effects.begins || !course.in_body.is_empty()));
            let login = Login {
                accounts: &course.accounts,
                sent: &course.sent,
                renewed: renews.then(|| self.renewed_session(course)).flatten(),
                shown: known.0,
            };
            events.extend(login.hand_out(call, &tokens, &set_cookies(call, headers), now));
        }
        if !effects.hands_out() || status.is_redirection() {
            let location = headers.get(header::LOCATION).map(HeaderValue::as_bytes);
            let body = body.filter(|_| !effects.hands_out());
            let sent = known.1.map_or(known.2, |course| &course.sent);
            let found = self.good_tokens(call, sent, (body, location));
            events.extend(self.hand_out_found(call, known.0.own(), &found, now));
        }
        let ended: Vec<u64> = events.iter().filter_map(Event::session_that_ended).collect();
        events.extend(self.go_on(course, headers, (now, is_shared), &ended));
        events
    }

    /// The session of a renewal: of the token in its body, else of the credential in its head.
    fn renewed_session(&self, course: &Seen<'_>) -> Option<u64> {
        let of_body = course.in_body.iter().find_map(|token| self.sessions.find(&digest(token.as_bytes())));
        let of_body = of_body.map(|found| found.session.facts.id);
        of_body.or_else(|| course.shown.own().map(|shown| shown.session.facts.id))
    }

    /// The end of a session, with all that must be known to be ended.
    pub(crate) fn ended(&self, session: u64, now: i64, cause: Cause) -> Vec<Event> {
        self.ended_but(session, now, cause, &[])
    }

    /// The same, without cookies that are left to the client.
    pub(super) fn ended_but(&self, session: u64, at: i64, cause: Cause, left: &[Box<str>]) -> Vec<Event> {
        let all = self.sessions.with_all_within(session).into_iter();
        let one = |session| {
            let mut events = self.sessions.handed_out_in(session);
            events.push(Event::Ended { session, at, cause, left: left.to_vec() });
            events
        };
        all.flat_map(one).collect()
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
            if let Some(subject) = unverified(token).and_then(|claims| claims.subject()) {
                names.extend([name_of_subject(&subject), name_of_login(&subject)]);
            }
        }
        names
    }

    /// A cookie that is signed anew with every answer: its new value belongs to the same session.
    fn go_on(
        &self,
        course: &Seen<'_>,
        headers: &HeaderMap,
        (now, is_shared): (i64, bool),
        ended: &[u64],
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for line in headers.get_all(header::SET_COOKIE) {
            let Some(set) = SetCookie::parse(line.as_bytes()) else { continue };
            let Some(Shown { session, .. }) = course.shown.by_cookie(set.name) else { continue };
            if ended.contains(&session.facts.id) {
                continue;
            }
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

/// The names of the account of a request's session.
fn names_of(call: &Call, course: &Seen<'_>) -> Vec<Digest> {
    let own = course.shown.own();
    let mut names = own.map(|shown| shown.session.names()).unwrap_or_default();
    // Beside the cookie of a session the token may be of another account.
    let may_be_another = own.is_some_and(|shown| shown.cookie.is_some());
    let of_token = call.principal.as_ref().filter(|_| !may_be_another);
    names.extend(of_token.map(|principal| name_of_subject(&principal.subject)));
    names
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
