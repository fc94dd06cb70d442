//! The road of a request: [`inbound`] to the app, [`outbound`] back to the client. Reading the two is reading the product.

mod actions;
mod app;
mod arrival;
mod ask;
mod authenticate;
mod caller;
mod due;
mod enumeration;
mod inbound;
mod logout;
mod open;
mod outbound;
mod own;
mod pages;
mod pass;
pub mod policy;
mod question;
mod refresh;
pub(crate) mod watch;

use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Body;

#[cfg(test)]
pub(crate) use self::open::open;
pub use self::{
    app::App,
    arrival::{Arrival, WireVerdict},
    policy::{Config, Policy},
};
use self::{
    due::{Due, Reached},
    outbound::Ended,
};
use crate::{
    Call, Mode, Reason, Refusal, RequestBody, ResponseBody,
    audit::{Record, Sink},
    authentication::{
        Carrier, Presented,
        sessions::{Event, Keeper},
    },
    contract, responses,
    route::RoutePolicy,
    throttle::InFlightGuard,
};

/// A request on its way, with everything that its stops need.
struct Road<'r, S> {
    policy: &'r Policy,
    audit: &'r S,
    /// The facts about it.
    call: Call,
    /// The settings for its path.
    settings: Arc<RoutePolicy>,
    /// Its debts.
    due: Due,
}

/// How a request ends before the app.
enum Ending {
    Refused(Refusal),
    /// To the encrypted address.
    Redirected(HeaderValue),
    /// To the page to log in.
    LogIn(HeaderValue),
    /// A preflight, answered with these headers.
    Preflight(HeaderMap),
    /// An issuer has said that a session has ended.
    LoggedOut,
    /// This answer of the app, in the place of another one.
    Instead(Box<Response<Bytes>>),
}

impl From<Refusal> for Ending {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Reason> for Ending {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason.into())
    }
}

/// A request at the beginning of its road.
fn depart<'r, B, A: App<B>, S: Sink>(
    policy: &'r Policy,
    audit: &'r S,
    arrival: &Arrival,
    request: &Request<RequestBody<B>>,
    app: &A,
) -> Road<'r, S> {
    // client: which client has really sent the request. First, because every record names the
    // caller; it refuses nothing.
    let mut call = open::open(policy, arrival, request);
    // trace: which one the request is part of. Before any record of it.
    call.trace = app.trace(request.headers(), call.client.peer_trusted);
    let settings = Arc::clone(policy.routes.fallback());
    Road { policy, audit, call, settings, due: Due::default() }
}

/// Takes a request through every stop, to the app if it passes all, and its response back.
///
/// A panic fails only its own request: the client gets `internal-error`, and it is recorded.
pub async fn handle<B, A>(
    policy: &Policy,
    audit: &impl Sink,
    arrival: &Arrival,
    request: Request<B>,
    mut app: A,
) -> Response<ResponseBody<A::Body>>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
{
    let mut request = request.map(RequestBody::new);
    let mut road = depart(policy, audit, arrival, &request, &app);

    let ended: Ended<A::Body> = {
        // Pinned where it is made: wrapped by value, this future, the largest of a request, would be copied twice.
        let walk = pin!(async {
            if let Err(ending) = inbound::admit(&mut road, arrival, &mut request, &mut app).await {
                // Rare paths are boxed here and in the stops: every request pays for the size of
                // the future.
                return Err(match ending {
                    Ending::Refused(mut refusal) => {
                        let (policy, call) = (road.policy, &road.call);
                        let question = pages::question(policy, call, &request, &refusal);
                        Box::pin(pages::let_read(policy, call, question, &mut app, &mut refusal)).await;
                        refusal.into()
                    }
                    other => other,
                });
            }
            // responses: removes content that clients should not get.
            policy.responses.prepare(&road.subject(), request.headers_mut());
            // refresh tokens: an answer that can be read.
            if policy.refresh_tokens.prepare(&road.call, request.headers_mut()) {
                app.finish_in_any_case();
            }
            // trace: the app's own spans join. Without traces, what a client says of one stays as it came.
            if let Some(trace) = &road.call.trace {
                trace.hand_over(request.headers_mut(), road.call.client.peer_trusted);
            }
            // audit: what the gate knows of it, if the app sends events of its own; and what it is about to do.
            policy.vouchers.write(&road.call, request.headers_mut());
            if actions::concerns(&road) {
                Box::pin(actions::begin(&mut road, &mut request)).await.map_err(Refusal::from)?;
            }
            road.due.reached = Reached::App;
            let answer = app.call(&road.call, request).await;
            let mut answer = road.received(answer)?;
            // accounts: not the app's answer, from which the stops below learn.
            if road.call.is_for_accounts {
                return Ok(answer.map(|body| ResponseBody::App { body }));
            }
            if road.due.own.is_some() {
                Box::pin(own::after_head(&mut road, &mut app, &mut answer)).await?;
            }
            if matches!(road.due.presented, Presented::Good(_)) {
                Box::pin(ask::after_a_good_token(&mut road, &mut app, answer.status())).await;
            }
            let is_shared = app.sessions().is_some_and(|keeper| keeper.is_shared());
            let mut answer = match road.look(answer) {
                Looked::Passes(answer) => {
                    let events = road.course_of((answer.status(), answer.headers()), None, is_shared);
                    if let Some(action) = &mut road.due.action {
                        action.learn(&events, None);
                    }
                    if !events.is_empty() {
                        Box::pin(road.keep(app.sessions().cloned(), events)).await;
                    }
                    answer.map(|body| ResponseBody::App { body })
                }
                Looked::IsConcerned(mut parts) => {
                    parts.read().await?;
                    if road.due.own.is_some() {
                        Box::pin(own::after(&mut road, &mut app, &mut parts)).await?;
                    }
                    let Seen { answer, new_token, mut events, user } = road.judge(parts, is_shared);
                    if let Some(action) = &mut road.due.action {
                        action.learn(&events, user);
                    }
                    if let Some(browser) = road.due.browser.as_ref().filter(|_| !events.is_empty()) {
                        let keeper = app.sessions().cloned();
                        let authentication = &road.policy.authentication;
                        let given = authentication.give_fingerprint(&road.call, browser, &mut events, keeper);
                        road.due.fingerprint = Box::pin(given).await;
                    }
                    if !events.is_empty() {
                        Box::pin(road.keep(app.sessions().cloned(), events)).await;
                    }
                    if let Some(token) = new_token {
                        Box::pin(ask::after_a_login(&road, &mut app, token)).await;
                    }
                    answer
                }
            };
            own::finish(&road, &mut answer);
            // refresh tokens: handles in their place. After sessions, which know the app's own.
            if !policy.refresh_tokens.concerns(&road.call, road.due.refreshed.as_deref()) {
                return Ok(answer);
            }
            let keeper = app.refresh_tokens().cloned();
            Ok(Box::pin(refresh::wrap(&mut road, keeper, answer)).await?)
        });
        AssertUnwindSafe(walk).catch_unwind().await.unwrap_or_else(|_| Err(Reason::InternalError.into()))
    };
    let mut refused = reason_of(&ended);
    let mut answer = outbound::finish(&road, ended);
    // audit: without its record nothing leaves, where that is configured.
    if let Some(settled) = audit.settled()
        && !settled.await
    {
        answer = outbound::unrecorded(&road);
        refused = Some(Reason::AuditUnavailable);
    }
    app.responded(&road.call, answer.status(), refused);
    answer
}

/// Why a request was refused, if it was.
fn reason_of<B>(ended: &Ended<B>) -> Option<Reason> {
    match ended {
        Err(Ending::Refused(refusal)) => Some(refusal.reason),
        _ => None,
    }
}

/// An answer that was looked into, and what it shows.
struct Seen<B> {
    answer: Response<ResponseBody<B>>,
    /// A token by which a new key was found.
    new_token: Option<(Box<str>, Carrier)>,
    /// What it does to sessions.
    events: Vec<Event>,
    /// Whom a token in it is about, if that is to be recorded.
    user: Option<Box<str>>,
}

/// What the head of the app's response says about its body.
enum Looked<B> {
    Passes(Response<B>),
    /// It has to be looked into.
    IsConcerned(responses::Parts<B>),
}

impl<S: Sink> Road<'_, S> {
    /// The call, for what looks at responses.
    fn subject(&self) -> responses::Subject<'_> {
        let (settings, rules) = (&self.settings, &self.settings.rules);
        let trusts_documents = rules.trust == contract::Trust::Document;
        responses::Subject::of(&self.call, settings.responses, rules.posture, trusts_documents)
    }

    /// The app's response.
    fn received<B>(&mut self, answer: Result<Response<B>, Refusal>) -> Result<Response<B>, Ending> {
        match answer {
            Err(refusal) => {
                if refusal.reason.is_unseen() {
                    self.due.reached = Reached::Gate;
                }
                Err(refusal.into())
            }
            Ok(answer) => {
                self.due.reached = Reached::Answered;
                if let Some(action) = &mut self.due.action {
                    action.answered(&self.call, answer.status(), answer.headers());
                }
                caller::answered(self, answer.status());
                own::count_found(self, answer.status());
                // authorization: the app has not looked at it, either.
                if let Some(refusal) = self.due.reported.take().filter(|_| answer.status().is_success()) {
                    self.audit.record(Record::of(&self.call, &refusal, Mode::Report));
                }
                match self.due.absent.take().filter(|_| !answer.status().is_success()) {
                    Some(refusal) => Err((*refusal).into()),
                    None => Ok(answer),
                }
            }
        }
    }

    /// Learns from the head, and returns whether the body must be read.
    fn look<B: Body>(&self, mut answer: Response<B>) -> Looked<B> {
        let status = answer.status();
        let authentication = &self.policy.authentication;
        let is_asked_for_input = self.due.judged.asks_for(status);
        let is_asked_for_tokens = authentication.asks_for(&self.call, &self.due.presented, status);
        let refresh_tokens = &self.policy.refresh_tokens;
        // authorization: a rule that is only proposed; in the body, if that is readable.
        let is_learned_from = own::learn_from_head(self, &answer);
        enumeration::learn_from_head(self, &answer);
        let is_asked = is_asked_for_input
            || is_asked_for_tokens
            || refresh_tokens.asks_for(&self.call, self.due.refreshed.as_deref(), status)
            || is_learned_from
            || enumeration::asks_for(self, &answer);
        let is_needed = self.due.own.as_ref().is_some_and(|own| own.needs(status));
        let asked = match (is_needed, is_asked) {
            (true, _) => responses::Asked::Whole,
            (false, true) => responses::Asked::Gladly,
            (false, false) => responses::Asked::Not,
        };
        let is_concerned = self.policy.responses.concerns(&self.subject(), asked, &mut answer);
        // contract: the app's verdict on input that was passed on. `responses` reads the body, if
        // needed.
        if !(is_concerned && is_asked_for_input) {
            contract::learn(&self.call, &self.due.judged, self.audit, status, None);
        }
        // authentication: the same for its token.
        if !(is_concerned && is_asked_for_tokens) {
            let answer = (status, answer.headers());
            let course = self.due.course.as_deref();
            authentication.learn(&self.call, &self.due.presented, self.audit, answer, None, course);
        }
        if is_concerned {
            Looked::IsConcerned(self.policy.responses.take_apart(&self.subject(), asked, answer))
        } else {
            Looked::Passes(answer)
        }
    }

    /// What an answer does to sessions.
    fn course_of(
        &self,
        answer: (StatusCode, &HeaderMap),
        body: Option<&[u8]>,
        is_shared: bool,
    ) -> Vec<Event> {
        let known = (&self.due.shown, self.due.course.as_deref(), &self.due.sent);
        self.policy.authentication.course(&self.call, known, is_shared, answer, body)
    }

    /// Keeps what an answer does to sessions, before the client has it: what it is told holds.
    /// Whether they are kept.
    async fn keep(&self, keeper: Option<Arc<dyn Keeper>>, events: Vec<Event>) -> bool {
        for event in &events {
            self.policy.authentication.sessions.apply(event);
            if let Event::Ended { session, cause, .. } = event {
                let known = self.policy.authentication.sessions.session(*session);
                let account = known.as_ref().and_then(|session| session.facts.account.as_deref());
                self.audit.record(Record::of_ended_session(&self.call, *session, account, cause.as_str()));
            }
        }
        let ends =
            events.iter().any(|event| matches!(event, Event::Ended { .. } | Event::EndedBefore { .. }));
        match keeper {
            // What is taken back must not come back; what is handed out may be known a moment later,
            // unless another gate may be shown it next.
            Some(keeper) if ends || keeper.is_shared() => keeper.keep_now(events).await,
            Some(keeper) => {
                keeper.keep_soon(events);
                true
            }
            None => true,
        }
    }

    /// Looks into an answer that was read.
    fn judge<B: Body<Data = Bytes>>(&self, parts: responses::Parts<B>, is_shared: bool) -> Seen<B> {
        let status = parts.status();
        let mut new_token = None;
        let (mut events, mut user) = (Vec::new(), None);
        let learn = |headers: &HeaderMap, said: Option<&[u8]>| {
            if self.due.judged.asks_for(status) {
                contract::learn(&self.call, &self.due.judged, self.audit, status, said);
            }
            let (authentication, presented) = (&self.policy.authentication, &self.due.presented);
            if authentication.asks_for(&self.call, &self.due.presented, status) {
                let (answer, course) = ((status, headers), self.due.course.as_deref());
                new_token = authentication.learn(&self.call, presented, self.audit, answer, said, course);
            }
            events = self.course_of((status, headers), said, is_shared);
            // audit: whose login it was.
            if self.due.action.is_some() {
                user = actions::subject_in(said, &events);
            }
            // authorization: the same for a rule that is only proposed.
            own::learn(self, (status, headers), said);
            // authorization: ids that the caller may ask for from now on.
            enumeration::learn(self, (status, headers), said);
        };
        let answer = self.policy.responses.judge(&self.subject(), self.audit, parts, learn);
        Seen { answer, new_token, events, user }
    }
}

/// throttle: requests of one client at once. Called right before the request is sent to the app: a
/// client that is slow to send holds no place. The request counts until the returned guard is
/// dropped, at the end of its response.
pub fn enter(policy: &Policy, audit: &impl Sink, call: &Call) -> Result<Option<InFlightGuard>, Refusal> {
    let (presence, faults) = policy.throttle.enter(call);
    pass::pass(audit, call, faults)?;
    Ok(presence)
}

#[cfg(test)]
mod tests;
