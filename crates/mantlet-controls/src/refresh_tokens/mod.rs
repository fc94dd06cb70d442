//! Do the app's refresh tokens leave the gate?
//!
//! Defends against a refresh token that was copied: from a browser's storage, a log, a backup. It
//! is good for weeks, and most apps do not notice that two clients use it. With `mode = "enforce"`
//! the app's own token stays in the gate, and its client holds a *handle* that changes with every
//! use.
//!
//! A request to an operation that takes a refresh token passes if it has
//! 1. no handle: a token that the app has handed out before is left to the app;
//! 2. the current handle of its family: the app gets its own token, and the client the next handle;
//! 3. the handle before it, whose successor was not used, for five minutes: an answer was lost, or
//!    another tab has asked at the same time. The client gets the same successor again;
//! 4. the one before that, for ten seconds after its successor was used: parallel tabs again.
//!
//! Any older handle is a copy: its family and its session end. A handle of another environment, of
//! a session that has ended, or one that was made up, is refused, and ends nothing.
//!
//! Requests of one family are served one after another, so an app that rotates its own tokens never
//! sees the same one twice. The next handle is made when the app has answered with a refresh token:
//! a request that the app refuses, or an answer with an access token only, costs no handle.
//!
//! To mind in deployment: it needs the app's contract, and something that keeps families beyond
//! this process: the gateway does, a layer in a service of one's own does not. What is lost with
//! the state folder logs clients out. `report` is the way back.
//!
//! ```
//! use mantlet_controls::{Context, Mode, Section, refresh_tokens::Config};
//!
//! let config = Config { mode: Mode::Enforce };
//! assert!(config.check(&Context::default()).is_ok());
//! ```

mod answer;
mod config;
mod family;
mod handle;
mod keeper;
mod places;
mod seal;

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use mantlet_contract::sensitive::{Purpose, SessionRole};
use zeroize::Zeroizing;

pub(crate) use self::places::Part;
use self::{
    answer::Readable,
    family::{Opened, Verdict},
    handle::Handle,
    places::{At, Ways},
};
pub use self::{
    config::Config,
    family::Family,
    handle::FamilyId,
    keeper::{Keeper, Kept, NoTurn, Turn},
};
use crate::{
    Call, Mode, Reason, Refusal, RequestBody, ResponseBody, account,
    audit::{FirstTime, Record, Sink},
    config::Environment,
    token,
};

/// `Retry-After` while a family is busy or cannot be kept.
const RETRY: Duration = Duration::from_secs(1);
/// How often a rotation is tried again that another gate has overtaken.
const TRIES: usize = 3;

/// The checked `[refresh-tokens]` section.
#[derive(Debug)]
pub struct Policy {
    mode: Mode,
    environment: Environment,
    recorded: FirstTime,
}

/// A handle that a request shows.
pub(crate) struct Shown {
    text: Zeroizing<String>,
    at: Vec<At>,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("at", &self.at).finish_non_exhaustive()
    }
}

/// A request whose handle was good: the app gets its own token.
#[derive(Debug)]
pub(crate) struct Unwrapped {
    shown: Shown,
    family: Family,
    opened: Opened,
    /// Others wait for it to end.
    _turn: Turn,
}

/// Why a handle is not good.
#[derive(Debug)]
pub(crate) enum Bad {
    /// The request is refused, as its mode has it.
    Refused(Refusal),
    /// It is a copy: its family is to be ended.
    Reused(Box<Family>),
    /// It is not the client's fault.
    Unavailable(Refusal),
}

/// What an answer of the app has become.
pub(crate) enum Wrapped<B> {
    /// It goes to the client.
    Passes(Response<ResponseBody<B>>),
    /// It cannot, because the next handle cannot be kept.
    Refused(Refusal),
}

impl Policy {
    /// Whether a request may be one that has to be finished although its client has left
    /// ([`crate::App::finish_in_any_case`]).
    pub fn may_finish_without_client(&self, method: &Method) -> bool {
        self.mode != Mode::Off && !method.is_safe()
    }

    /// Whether an operation takes refresh tokens.
    pub(crate) fn may_unwrap(&self, call: &Call) -> bool {
        self.mode != Mode::Off && has_role(call, places::is_concerned)
    }

    /// Whether an operation hands out refresh tokens.
    fn may_wrap(&self, call: &Call) -> bool {
        let purpose = || {
            let sensitivity = call.operation.as_ref()?.sensitivity(&call.method)?;
            Some(matches!(sensitivity.purpose, Purpose::Login | Purpose::Register | Purpose::Verify))
        };
        self.mode != Mode::Off
            && (has_role(call, |role| role == SessionRole::Refresh) || purpose().unwrap_or(false))
    }

    /// Whether the body of an answer is needed.
    pub(crate) fn asks_for(&self, call: &Call, unwrapped: Option<&Unwrapped>, status: StatusCode) -> bool {
        unwrapped.is_some() || (status.is_success() && self.may_wrap(call))
    }

    /// Whether an answer is to be looked at.
    pub(crate) fn concerns(&self, call: &Call, unwrapped: Option<&Unwrapped>) -> bool {
        unwrapped.is_some() || self.may_wrap(call)
    }

    /// Asks the app for an answer that can be read. Whether it may have a refresh token.
    pub(crate) fn prepare(&self, call: &Call, headers: &mut HeaderMap) -> bool {
        let may_wrap = self.may_wrap(call);
        if may_wrap && headers.contains_key(header::ACCEPT_ENCODING) {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        may_wrap
    }

    /// The handle that a request shows, if it does.
    pub(crate) async fn shown<B>(
        &self,
        call: &Call,
        request: &mut Request<RequestBody<B>>,
        part: Part,
    ) -> Result<Option<Shown>, Reason>
    where
        B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
    {
        let places = places::of(call, part);
        if part == Part::Rest && !places.is_empty() {
            account::read_ahead(request).await?;
        }
        let mut shown: Option<Shown> = None;
        for at in places {
            let Some(text) = places::text(call, request, &at).filter(|text| Handle::read(text).is_some())
            else {
                continue;
            };
            match &mut shown {
                None => shown = Some(Shown { text, at: vec![at] }),
                Some(shown) if shown.text == text => shown.at.push(at),
                // The app sees a text that it does not know.
                Some(_) => {}
            }
        }
        Ok(shown)
    }

    /// Waits for the turn of a handle, and judges it. `has_ended` says why a session has, if it
    /// has.
    pub(crate) async fn judge(
        &self,
        call: &Call,
        shown: Shown,
        keeper: &Arc<dyn Keeper>,
        has_ended: impl AsyncFnOnce(u64) -> Option<&'static str>,
    ) -> Result<Unwrapped, Bad> {
        let invalid = |why: &str| Bad::Refused(Refusal::about(Reason::RefreshTokenInvalid, why));
        let Some(handle) = Handle::read(&shown.text) else { return Err(invalid("it is not a handle")) };
        if handle.environment != self.environment.as_str() {
            let why = format!("it is of `{}`, and this is `{}`", handle.environment, self.environment);
            let refusal = Refusal::about(Reason::RefreshTokenOfAnotherEnvironment, why);
            return Err(Bad::Refused(Refusal { seems: Some(Reason::RefreshTokenInvalid), ..refusal }));
        }
        let turn = keeper.enter(handle.family).await.map_err(|why| {
            Bad::Unavailable(unavailable(match why {
                NoTurn::Busy => "other requests with it have taken too long",
                NoTurn::Unavailable => "it is not known whether it was used: the store does not respond",
            }))
        })?;
        let unknown = async |why: &str| {
            if keeper.is_complete().await {
                return invalid(why);
            }
            Bad::Unavailable(unavailable("another gate may know it, and has not told the store yet"))
        };
        let Some(family) = turn.family.clone() else {
            return Err(unknown("it is not known: its family was forgotten").await);
        };
        if !family.has_made(&handle) {
            return Err(invalid("it was made up"));
        }
        if let Some(session) = family.session.filter(|_| !family.has_ended())
            && let Some(why) = has_ended(session).await
        {
            return Err(invalid(&format!("its session has ended: {why}")));
        }
        match family.judge(&handle, call.clock.time().as_second()) {
            Verdict::Good(opened) => Ok(Unwrapped { shown, family, opened, _turn: turn }),
            Verdict::Reused => Err(Bad::Reused(Box::new(family))),
            Verdict::Ended => Err(invalid("its family has ended")),
            Verdict::Unknown => Err(invalid("it was never handed out")),
            Verdict::Ahead => Err(unknown("it is newer than what is kept: older state was restored").await),
        }
    }

    /// Ends a family of which a copy was used. What its request is refused with.
    pub(crate) async fn end_reused(&self, call: &Call, family: &Family, keeper: &Arc<dyn Keeper>) -> Refusal {
        if self.mode == Mode::Enforce {
            end(call, family, keeper).await;
        }
        Refusal::about(Reason::RefreshTokenReused, format!("the family {}", family.id))
    }

    /// Puts handles into an answer, in the place of the app's own tokens. `session` finds the
    /// session of a token, and its account.
    pub(crate) async fn wrap<B: Body>(
        &self,
        call: &Call,
        audit: &impl Sink,
        (unwrapped, keeper): (Option<&mut Unwrapped>, Option<&Arc<dyn Keeper>>),
        mut answer: Response<ResponseBody<B>>,
        session: impl Fn(&[u8]) -> (Option<u64>, Option<Box<str>>),
    ) -> Wrapped<B> {
        let status = answer.status();
        let is_done = status.is_success() || status.is_redirection();
        let mut body = Readable::of(&answer);
        let Some(matched) = call.operation.as_ref() else { return Wrapped::Passes(answer) };
        let hands_out = is_done && self.may_wrap(call);
        let ways = if hands_out { Ways::of(&matched.contract) } else { Ways::default() };
        let named = answer::members(&body);
        let found = answer::tokens(answer.headers(), &named, &ways, call.clock);
        if hands_out && let Some(why) = self.left((&body, &named), &found, keeper.is_some()) {
            self.tell(call, audit, why);
        }
        let Some(keeper) = keeper else { return Wrapped::Passes(answer) };
        let found = if self.mode == Mode::Enforce { found } else { Vec::new() };
        let mut family = unwrapped;
        for token in &found {
            let handle = match family.take() {
                Some(unwrapped) => {
                    let handle = match next(&self.environment, call, unwrapped, token, keeper).await {
                        Ok(handle) => handle,
                        Err(refusal) => return Wrapped::Refused(refusal),
                    };
                    // What the app was sent stays in the gate, too.
                    let sent = &unwrapped.opened.token;
                    answer::replace(&mut answer, &mut body, sent, &handle);
                    handle
                }
                None => match self.begin(call, token, session(token.as_bytes()), keeper).await {
                    Some(handle) => handle,
                    // The client may log in again; a token that has left the gate does not come
                    // back.
                    None => return Wrapped::Refused(unavailable("the first handle cannot be kept")),
                },
            };
            if !answer::replace(&mut answer, &mut body, token, &handle) {
                self.tell(call, audit, "the token is written in an unusual way");
            }
        }
        if let Some(unwrapped) = family {
            let is_over = is_done && has_role(call, |role| role == SessionRole::Logout);
            // The client has the app's own token now.
            let is_released = self.mode == Mode::Report && !named.is_empty();
            if is_over || is_released && is_done {
                end(call, &unwrapped.family, keeper).await;
            }
            if !is_released {
                let handle = &unwrapped.shown.text;
                answer::replace(&mut answer, &mut body, &unwrapped.opened.token, handle);
            }
        }
        Wrapped::Passes(answer)
    }

    /// Why the refresh tokens of an answer are not wrapped, if they are not.
    fn left(
        &self,
        (body, named): (&Readable, &[Zeroizing<String>]),
        found: &[Zeroizing<String>],
        is_kept: bool,
    ) -> Option<&'static str> {
        match body {
            _ if !(is_kept || found.is_empty() && named.is_empty()) => {
                Some("nothing keeps handles here: a layer has no state folder")
            }
            _ if self.mode != Mode::Enforce => {
                (!found.is_empty()).then_some("`refresh-tokens.mode` is `report`")
            }
            Readable::Hidden(why) => Some(*why),
            Readable::Json(_) if found.is_empty() && !named.is_empty() => {
                Some("no operation is known that takes it, or it is too short")
            }
            Readable::Json(_) | Readable::Nothing => None,
        }
    }

    /// A new family for a token of the app, and its first handle.
    async fn begin(
        &self,
        call: &Call,
        token: &str,
        session: (Option<u64>, Option<Box<str>>),
        keeper: &Arc<dyn Keeper>,
    ) -> Option<Zeroizing<String>> {
        let now = call.clock.time().as_second();
        let (family, handle) =
            Family::begin(&self.environment, session, (token, expiry_of(token)), now).ok()?;
        matches!(keeper.keep(family).await, Kept::Yes).then_some(handle)
    }

    /// Records once for each route that its refresh tokens are not wrapped.
    fn tell(&self, call: &Call, audit: &impl Sink, why: &'static str) {
        let route = call.operation.as_ref().map_or("", |matched| matched.route.path.as_str());
        if self.recorded.is_new(&format!("{} {route} {why}", call.method)) {
            audit.record(Record::of_refresh_token_left(call, why));
        }
    }

    /// What becomes of a request whose handle is not good.
    pub(crate) const fn mode(&self) -> Mode {
        self.mode
    }
}

/// Puts the app's own token into a request, at those places of a part where the handle stands.
pub(crate) fn put<B>(call: &Call, request: &mut Request<RequestBody<B>>, unwrapped: &Unwrapped, part: Part)
where
    B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
{
    let (handle, token) = (&*unwrapped.shown.text, &*unwrapped.opened.token);
    for at in places::of(call, part) {
        if places::text(call, request, &at).is_some_and(|text| **text == **handle) {
            places::put(call, request, &at, (handle, token));
        }
    }
}

/// Keeps the token that the app has handed out; returns the handle that the client gets for it.
async fn next(
    environment: &Environment,
    call: &Call,
    unwrapped: &mut Unwrapped,
    token: &str,
    keeper: &Arc<dyn Keeper>,
) -> Result<Zeroizing<String>, Refusal> {
    let now = call.clock.time().as_second();
    let failed = |_| Refusal::from(Reason::InternalError);
    let token = (token, expiry_of(token));
    for _ in 0..TRIES {
        let (family, opened) = (&unwrapped.family, &unwrapped.opened);
        let (changed, handle) = match &opened.again {
            None => family.rotate(environment, &opened.current, token, now).map_err(failed)?,
            Some(again) => (family.renew(&opened.current, token, now).map_err(failed)?, again.clone()),
        };
        match keeper.keep(changed).await {
            Kept::Yes => return Ok(handle),
            Kept::No => return Err(unavailable("the next one cannot be kept")),
            Kept::Overtaken(newer) => {
                let shown = Handle::read(&unwrapped.shown.text);
                match shown.map(|handle| newer.judge(&handle, now)) {
                    Some(Verdict::Good(opened)) => (unwrapped.family, unwrapped.opened) = (*newer, opened),
                    _ => return Err(Refusal::about(Reason::RefreshTokenInvalid, "its family has ended")),
                }
            }
        }
    }
    Err(unavailable("other gates use it at the same time"))
}

/// Ends a family, whatever other gates make of it meanwhile.
async fn end(call: &Call, family: &Family, keeper: &Arc<dyn Keeper>) {
    let now = call.clock.time().as_second();
    let mut ended = family.end(now);
    for _ in 0..TRIES {
        match keeper.keep(ended).await {
            Kept::Overtaken(newer) if !newer.has_ended() => ended = newer.end(now),
            Kept::Yes | Kept::No | Kept::Overtaken(_) => return,
        }
    }
}

fn unavailable(why: &str) -> Refusal {
    let retry = Refusal::retry(Reason::RefreshTokenUnavailable, RETRY);
    Refusal { subject: Some(why.into()), ..retry }
}

fn has_role(call: &Call, is_it: impl Fn(SessionRole) -> bool) -> bool {
    let mut roles = call.operation.iter().flat_map(|matched| matched.session_roles(&call.method));
    roles.any(|found| is_it(found.role))
}

/// When a token of the app expires, if it says so.
fn expiry_of(text: &str) -> Option<i64> {
    token::unverified(text)?.expires
}
