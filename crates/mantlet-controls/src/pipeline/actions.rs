//! audit: what a request has done that an incident is asked about, and how it has ended.
//!
//! What an operation is for the contract says, and how it has ended the app's answer. A word in a
//! path alone makes no event.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body::Body;
use mantlet_contract::sensitive::{Evidence, Purpose, SessionRole};
use serde_json::Value;

use super::Road;
use crate::{
    Call, Reason, RequestBody,
    audit::{self, Keep, Outcome, Record, Sink},
    authentication::{
        Course,
        sessions::{Cause, Event, digest},
    },
    identity::tokens_in,
    throttle::has_succeeded,
    token::unverified,
};

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A login. One that only takes an account and a password is one if its answer says so.
    Login {
        is_known: bool,
    },
    /// A code after the password.
    SecondStep,
    Registration,
    PasswordChange,
    PasswordReset,
    /// It asks for a link or a code.
    ResetRequest,
    Logout,
    /// It ends the other sessions of the account.
    LogoutElsewhere,
    Refresh,
    /// The configuration asks for a record.
    Other,
}

/// A request that is to be recorded.
#[derive(Debug)]
pub(super) struct Action {
    kind: Kind,
    /// The account that it names.
    named: Option<String>,
    /// The app has answered, and how, if that is clear.
    has_answered: bool,
    answered: Option<Outcome>,
    /// The answer is a page, which may be the form again.
    is_page: bool,
    /// The session that has begun, gone on or ended.
    session: Option<u64>,
    has_ended: bool,
    /// Whose session has begun or gone on.
    user: Option<Box<str>>,
    /// Whose session the request shows.
    caller: Option<Box<str>>,
    /// What is recorded if the client leaves before the answer.
    unanswered: Option<Unanswered>,
}

/// Whether a request may be one. The only price of other requests.
pub(super) fn concerns<S>(road: &Road<'_, S>) -> bool {
    let is_sensitive = road.call.operation.as_ref().is_some_and(|matched| matched.is_sensitive);
    // What happens to accounts they say themselves.
    !road.call.is_for_accounts && road.settings.recorded.concerns(is_sensitive)
}

/// Notes what a request is about to do, right before the app has it.
pub(super) async fn begin<B, S>(
    road: &mut Road<'_, S>,
    request: &mut Request<RequestBody<B>>,
) -> Result<(), Reason>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    S: Sink,
{
    let call = &road.call;
    let is_sensitive = call.operation.as_ref().is_some_and(|matched| matched.is_sensitive && !matched.unsure);
    let (kind, named) = if is_sensitive {
        let read;
        let course = if let Some(course) = road.due.course.as_deref() {
            course
        } else {
            read = road.policy.authentication.read_course(call, request).await?;
            &read
        };
        (kind_of(call, course), course.accounts.first().cloned())
    } else {
        (Kind::Other, None)
    };
    if !road.settings.recorded.concerns(kind != Kind::Other) {
        return Ok(());
    }
    let mut action = Action {
        kind,
        named,
        has_answered: false,
        answered: None,
        is_page: false,
        session: None,
        has_ended: false,
        user: None,
        caller: road.due.shown.own().and_then(|shown| shown.session.facts.account.clone()),
        unanswered: None,
    };
    let record = action.record(road, Outcome::Unknown, None);
    action.unanswered = record.zip(road.audit.keep()).map(|(record, keep)| Unanswered {
        record: Some(record),
        keep,
        is_over: AtomicBool::new(false),
    });
    road.due.action = Some(Box::new(action));
    Ok(())
}

/// What an operation is for, as far as that is certain.
fn kind_of(call: &Call, course: &Course) -> Kind {
    let Some(matched) = &call.operation else { return Kind::Other };
    let sensitivity = matched.sensitivity(&call.method);
    let purpose = sensitivity.filter(|found| found.evidence == Evidence::Known).map(|found| found.purpose);
    let (mut ends, mut ends_others) = (false, false);
    for found in matched.session_roles(&call.method) {
        match found.role {
            SessionRole::Refresh if purpose != Some(Purpose::Login) || !course.in_body.is_empty() => {
                return Kind::Refresh;
            }
            SessionRole::ChangePassword if course.changes_password => return Kind::PasswordChange,
            SessionRole::Logout => ends = true,
            SessionRole::LogoutElsewhere => ends_others = true,
            SessionRole::Refresh | SessionRole::ChangePassword | SessionRole::Me => {}
        }
    }
    if ends {
        return Kind::Logout;
    }
    if ends_others {
        return Kind::LogoutElsewhere;
    }
    match (purpose, sensitivity) {
        (Some(Purpose::Login), _) => Kind::Login { is_known: true },
        (None, Some(found)) if found.purpose == Purpose::Login && found.evidence == Evidence::Inputs => {
            Kind::Login { is_known: false }
        }
        (Some(Purpose::Verify), _) => Kind::SecondStep,
        // An invitation or a place in a course takes no password.
        (Some(Purpose::Register), Some(found)) if found.takes_password => Kind::Registration,
        (Some(Purpose::Reset), _) if course.changes_password => Kind::PasswordReset,
        (Some(Purpose::Reset), _) => Kind::ResetRequest,
        _ => Kind::Other,
    }
}

impl Action {
    /// Learns the app's answer.
    pub(super) fn answered(&mut self, call: &Call, status: StatusCode, headers: &HeaderMap) {
        let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        self.is_page = kind.get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"text/html"));
        let outcome = match self.kind {
            Kind::Other if status == StatusCode::SWITCHING_PROTOCOLS => Some(Outcome::Success),
            Kind::Other if status.is_success() || status.is_redirection() => Some(Outcome::Success),
            Kind::Other if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                Some(Outcome::Denied)
            }
            Kind::Other => Some(Outcome::Failure),
            Kind::Login { is_known: false } if !status.is_success() => {
                (status == StatusCode::UNAUTHORIZED).then_some(Outcome::Failure)
            }
            _ if status.is_client_error() => Some(Outcome::Failure),
            // Pages lead to the login from there.
            Kind::Logout | Kind::LogoutElsewhere if status.is_redirection() => None,
            _ => match has_succeeded(status, headers, call.own_path()) {
                Some(true) => Some(Outcome::Success),
                Some(false) => Some(Outcome::Failure),
                None => None,
            },
        };
        (self.has_answered, self.answered) = (true, outcome);
    }

    /// Learns what the answer has done to sessions, and the `sub` of a token that it has handed out.
    pub(super) fn learn(&mut self, events: &[Event], user: Option<Box<str>>) {
        for event in events {
            match event {
                Event::Began(facts) => {
                    self.session = Some(facts.id);
                    self.user.clone_from(&facts.account);
                }
                Event::HandedOut { session, .. } if self.hands_out() && self.session.is_none() => {
                    self.session = Some(*session);
                }
                Event::Ended { session, cause: Cause::Logout, .. } if self.kind == Kind::Logout => {
                    (self.session, self.has_ended) = (Some(*session), true);
                }
                _ => {}
            }
        }
        self.user = user.or_else(|| self.user.take());
    }

    /// How it has ended, as far as the answer says.
    fn outcome(&self) -> Outcome {
        match (self.kind, self.answered) {
            // A form that is shown again says 200, too.
            (Kind::Login { .. }, Some(Outcome::Success)) if self.is_page && self.session.is_none() => {
                Outcome::Unknown
            }
            (Kind::Login { .. } | Kind::SecondStep, None) if self.session.is_some() => Outcome::Success,
            (Kind::Logout, None) if self.has_ended => Outcome::Success,
            (
                Kind::Registration | Kind::PasswordChange | Kind::PasswordReset | Kind::ResetRequest,
                Some(Outcome::Success),
            ) if self.is_page => Outcome::Unknown,
            (_, outcome) => outcome.unwrap_or(Outcome::Unknown),
        }
    }

    /// The event; none if there is nothing certain to say.
    fn event(&self, outcome: Outcome) -> Option<&'static str> {
        use Outcome::{Denied, Failure, Success, Unknown};
        let [success, failure, unknown] = match self.kind {
            Kind::Login { is_known: true } => {
                [Some("login-succeeded"), Some("login-failed"), Some("login-attempted")]
            }
            Kind::Login { is_known: false } => {
                [self.session.map(|_| "login-succeeded"), Some("login-failed"), None]
            }
            Kind::SecondStep => [self.session.map(|_| "login-succeeded"), None, None],
            Kind::Registration => [Some("account-created"), None, None],
            Kind::PasswordChange => {
                [Some("password-changed"), Some("password-change-failed"), Some("password-change-attempted")]
            }
            Kind::PasswordReset => {
                [Some("password-reset"), Some("password-reset-failed"), Some("password-reset-attempted")]
            }
            Kind::ResetRequest => [Some("password-reset-requested"), None, None],
            Kind::Logout | Kind::LogoutElsewhere => [Some("logout"), None, Some("logout")],
            Kind::Refresh => [Some("token-refreshed"), None, None],
            Kind::Other => [None; 3],
        };
        match outcome {
            Success => success,
            Failure | Denied => failure,
            Unknown => unknown,
        }
    }

    /// Whether its success says who it was.
    const fn proves_account(&self) -> bool {
        self.hands_out() || matches!(self.kind, Kind::PasswordReset)
    }

    /// Whether its answer may hand out credentials of a session.
    const fn hands_out(&self) -> bool {
        matches!(self.kind, Kind::Login { .. } | Kind::SecondStep | Kind::Registration | Kind::Refresh)
    }

    /// The record, if the settings of the route ask for one.
    fn record<S: Sink>(&self, road: &Road<'_, S>, outcome: Outcome, status: Option<u16>) -> Option<Record> {
        let (call, recorded) = (&road.call, road.settings.recorded);
        let event = self.event(outcome);
        if !recorded.records(event.is_some(), outcome) {
            return None;
        }
        let mut record = Record::of_action(call, event.unwrap_or("request-recorded"), outcome, status);
        if outcome == Outcome::Success && self.proves_account() {
            let user = self.user.as_deref().or(self.named.as_deref()).filter(|user| !user.is_empty());
            record.user = user.map(str::to_owned).or(record.user);
        } else {
            record.account = self.named.as_deref().and_then(audit::hash_of_account);
        }
        record.user = record.user.or_else(|| self.caller.as_deref().map(str::to_owned));
        record.session = self.session.map(audit::short).or(record.session);
        if self.kind == Kind::LogoutElsewhere {
            record.subject = Some("other sessions of the account".to_owned());
        }
        Some(record)
    }
}

/// The `sub` of a token that an answer hands out.
pub(super) fn subject_in(body: Option<&[u8]>, events: &[Event]) -> Option<Box<str>> {
    let answer: Value = serde_json::from_slice(body?).ok()?;
    let is_new = |token: &str| {
        let own = digest(token.as_bytes());
        events.iter().any(|event| matches!(event, Event::HandedOut { digest, .. } if *digest == own))
    };
    tokens_in(&answer)
        .into_iter()
        .filter(|(_, token)| is_new(token))
        .find_map(|(_, token)| unverified(token)?.subject())
}

/// Records how an action has ended. One that the gate has refused has its record already, unless the app
/// has done it.
pub(super) fn tell<S: Sink>(road: &Road<'_, S>, status: StatusCode, is_refused: bool) {
    let Some(action) = road.due.action.as_deref() else { return };
    if let Some(unanswered) = &action.unanswered {
        unanswered.is_over.store(true, Relaxed);
    }
    if is_refused && (!action.has_answered || action.kind == Kind::Other) {
        return;
    }
    if let Some(record) = action.record(road, action.outcome(), Some(status.as_u16())) {
        road.audit.record(record);
    }
}

/// Records an action whose client has left before the app has answered. It may have been done.
struct Unanswered {
    record: Option<Record>,
    keep: Keep,
    is_over: AtomicBool,
}

impl std::fmt::Debug for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unanswered").finish_non_exhaustive()
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(record) = self.record.take().filter(|_| !*self.is_over.get_mut()) {
            (self.keep)(record);
        }
    }
}
