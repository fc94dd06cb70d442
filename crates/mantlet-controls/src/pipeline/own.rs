//! The stop `own`: is the object the caller's? Before the app where that can be told, else by its answer.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body::Body;
use mantlet_contract::json;

use super::{App, Ending, Road, due::Reached};
use crate::{
    Call, Mode, Reason, Refusal, RequestBody, ResponseBody, account,
    audit::{Record, Sink},
    authorization::own::{
        After, Before, Own, Whose,
        absent::{self, NotFound, hide_times},
    },
    cors, responses,
    throttle::Tarpit,
};

/// Bytes of the longest answer in which an owner is looked for.
const LONGEST: usize = 1 << 20;
/// When to try again if the app does not answer.
pub(super) const RETRY: std::time::Duration = std::time::Duration::from_secs(1);

/// The rules about the object of a request, whose answer is still to be judged.
#[derive(Debug)]
pub(super) struct Watched {
    /// Those by which its answer is judged.
    by_answer: Vec<Arc<Own>>,
    /// A request like this one, to ask for other objects.
    /// None if none will be.
    question: Option<Request<()>>,
    since: Instant,
}

/// What the head of an answer says about its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// It has nothing of the object.
    Nothing,
    /// It may be read.
    Json,
    Unclear(&'static str),
}

/// Judges what is known before the app has the request.
pub(super) async fn before<B, A, S>(
    road: &mut Road<'_, S>,
    request: &mut Request<RequestBody<B>>,
    app: &mut A,
) -> Result<(), Ending>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
    S: Sink,
{
    // A browser sends no credential with a preflight. A method that the operation does not have is the
    // app's to refuse.
    if cors::is_preflight(&road.call.method, request.headers())
        || road.call.method == Method::OPTIONS
        || road.policy.contract.lacks_method(&road.call)
    {
        return Ok(());
    }
    let rules = road.policy.authorization.own(&road.call, request.uri().query());
    if rules.is_empty() {
        return Ok(());
    }
    // Boxed: rare, and the future of every request would be larger for it.
    Box::pin(judge_before(road, rules, request, app)).await
}

async fn judge_before<B, A, S>(
    road: &mut Road<'_, S>,
    rules: Vec<Arc<Own>>,
    request: &mut Request<RequestBody<B>>,
    app: &mut A,
) -> Result<(), Ending>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
    S: Sink,
{
    let since = road.call.clock.instant();
    let mut watched = Watched { by_answer: Vec::new(), question: None, since };
    if rules.iter().any(|rule| rule.asks_body()) {
        account::read_ahead(request).await?;
    }
    let query = request.uri().query().map(str::to_owned);
    for rule in rules {
        let before = {
            let body = request.body();
            let is_whole = body.is_read_ahead() || body.is_end_stream();
            let body = Some(body.ahead()).filter(|_| is_whole);
            let body = body.and_then(|body| json::parse(body, json::Limits::default()).ok());
            rule.before(&road.call, query.as_deref(), body.as_ref())
        };
        let is_needed = match before {
            Before::Known(whose) => rule.is_against(whose),
            // What the app says where there is nothing may have to be asked for.
            Before::Answer => {
                rule.leads_elsewhere() || road.policy.authorization.absent.find(&road.call).is_none()
            }
            Before::ReadHere | Before::ReadAt(_) => true,
        };
        if is_needed && watched.question.is_none() {
            watched.question = Some(question(request));
        }
        let found = match before {
            Before::Known(whose) => (whose, None),
            Before::Answer => {
                watched.by_answer.push(rule);
                continue;
            }
            Before::ReadHere => {
                let target = request.uri().path().to_owned();
                read(road, &rule, app, &watched, vec![target], true).await?
            }
            Before::ReadAt(targets) => read(road, &rule, app, &watched, targets, true).await?,
        };
        let (whose, actual) = found;
        if is_against(road, &rule, whose)? {
            road.due.reached = Reached::Answered;
            return Err(hidden(road, &watched, actual.as_ref(), app).await);
        }
    }
    if !watched.by_answer.is_empty() {
        // The whole object, or it could not be seen whose it is.
        let headers = request.headers_mut();
        for name in [header::RANGE, header::IF_RANGE, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE] {
            headers.remove(name);
        }
    }
    road.due.own = Some(Box::new(watched));
    Ok(())
}

/// Records what a rule says against a request. Returns whether that ends it.
fn is_against<S: Sink>(road: &Road<'_, S>, rule: &Own, whose: Whose) -> Result<bool, Ending> {
    if !rule.is_against(whose) {
        return Ok(false);
    }
    let is_enforced = rule.mode == Mode::Enforce;
    if road.due.is_caller_unclear && is_enforced {
        return Err(unavailable());
    }
    road.audit.record(Record::of(&road.call, &rule.refusal(whose), rule.mode));
    Ok(is_enforced)
}

/// The app does not answer a question of ours.
fn unavailable() -> Ending {
    Refusal::retry(Reason::AppUnavailable, RETRY).into()
}

/// Reads objects as the caller, and says whose they are; and what the app has answered about the last.
async fn read<B, A, S>(
    road: &Road<'_, S>,
    rule: &Own,
    app: &mut A,
    watched: &Watched,
    targets: Vec<String>,
    is_object: bool,
) -> Result<(Whose, Option<HeaderMap>), Ending>
where
    A: App<B>,
    S: Sink,
{
    let mut last = None;
    let Some(question) = &watched.question else {
        return Ok((Whose::Unclear("it cannot be asked for"), None));
    };
    let mut pending: Vec<_> = targets.into_iter().map(|target| (target, is_object)).collect();
    while let Some((target, is_object)) = pending.pop() {
        let Ok(target) = target.parse::<Uri>() else {
            return Ok((Whose::Unclear("its path cannot be asked for"), last));
        };
        // A 404 of something else would say nothing about the object.
        if road.policy.contract.reads(&road.call, target.path()) == Some(false) {
            return Ok((Whose::Unclear("the app has no GET operation for it; name a `read`"), last));
        }
        let mut asked = question.clone();
        *asked.uri_mut() = target;
        let answer = match app.read(&road.call, asked, LONGEST).await {
            Some(answer) if !answer.status().is_server_error() => answer,
            _ if rule.mode == Mode::Enforce => return Err(unavailable()),
            _ => return Ok((Whose::Unclear("the app does not answer"), last)),
        };
        match answer.status() {
            // There is nothing to protect.
            StatusCode::NOT_FOUND | StatusCode::GONE => {}
            // What may not be seen may not be changed, and the app says so itself.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                if rule.mode == Mode::Enforce {
                    return Err(Ending::Instead(Box::new(answer)));
                }
            }
            status if status.is_success() => {
                match rule.after(&road.call, question.uri().query(), answer.body(), is_object) {
                    After::Known(Whose::Callers) => {}
                    After::Known(whose) => return Ok((whose, Some(answer.headers().clone()))),
                    After::ReadAt(more) => pending.extend(more.into_iter().map(|target| (target, false))),
                    After::Removed { .. } => return Ok((Whose::Foreign, Some(answer.headers().clone()))),
                }
            }
            _ => return Ok((Whose::Unclear("the object cannot be read"), Some(answer.headers().clone()))),
        }
        last = Some(answer.headers().clone());
    }
    Ok((Whose::Callers, last))
}

/// The request for an object as the same caller, and with nothing of this request's own.
fn question<B>(request: &Request<B>) -> Request<()> {
    let mut question = Request::new(());
    *question.method_mut() = Method::GET;
    *question.uri_mut() = request.uri().clone();
    for (name, value) in request.headers().iter().filter(|(name, _)| !is_left_out(name.as_str())) {
        question.headers_mut().append(name.clone(), value.clone());
    }
    let headers = question.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    question
}

/// Headers about a body, a connection, or what the client has already.
fn is_left_out(name: &str) -> bool {
    name.starts_with("content-")
        || name.starts_with("if-")
        || name.starts_with("sec-websocket-")
        || matches!(
            name,
            "range" | "connection" | "upgrade" | "transfer-encoding" | "expect" | "te" | "trailer"
        )
}

impl Watched {
    /// Whether the app's answer has to be read.
    pub(super) fn needs(&self, status: StatusCode) -> bool {
        status == StatusCode::NOT_FOUND || (!self.by_answer.is_empty() && status.is_success())
    }
}

fn head_of<B: Body>(call: &Call, answer: &Response<B>) -> Head {
    let status = answer.status();
    let headers = answer.headers();
    match status {
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT => Head::Nothing,
        StatusCode::PARTIAL_CONTENT => Head::Unclear("the answer is a part"),
        status if status.is_redirection() => {
            let target = headers.get(header::LOCATION).and_then(|target| target.to_str().ok());
            let is_own = target.and_then(|target| target.parse::<Uri>().ok()).is_some_and(|target| {
                target.host().is_none_or(|host| {
                    call.host.sent().is_some_and(|own| own.split(':').next() == Some(host))
                })
            });
            // What it leads to is judged there.
            if is_own { Head::Nothing } else { Head::Unclear("the answer leads elsewhere") }
        }
        status if !status.is_success() => Head::Nothing,
        _ if call.method == Method::HEAD => Head::Nothing,
        _ if responses::is_json(headers) => {
            if answer.body().size_hint().lower() > LONGEST as u64 {
                Head::Unclear("the answer is too large")
            } else {
                Head::Json
            }
        }
        _ => Head::Unclear("the answer is not JSON"),
    }
}

/// Judges the head of the app's answer.
pub(super) async fn after_head<B, A, S>(
    road: &mut Road<'_, S>,
    app: &mut A,
    answer: &mut Response<A::Body>,
) -> Result<(), Ending>
where
    A: App<B>,
    S: Sink,
{
    let Some(mut watched) = road.due.own.take() else { return Ok(()) };
    if let Head::Unclear(why) = head_of(&road.call, answer) {
        for rule in std::mem::take(&mut watched.by_answer) {
            if is_against(road, &rule, Whose::Unclear(why))? {
                return Err(hidden(road, &watched, Some(answer.headers()), app).await);
            }
        }
    }
    if road.call.method == Method::HEAD && !watched.by_answer.is_empty() {
        // It tells of all items.
        responses::forget_bytes(answer.headers_mut());
    }
    road.due.own = Some(watched);
    Ok(())
}

/// Judges an answer that was read.
pub(super) async fn after<B, A, S>(
    road: &mut Road<'_, S>,
    app: &mut A,
    parts: &mut responses::Parts<A::Body>,
) -> Result<(), Ending>
where
    A: App<B>,
    S: Sink,
{
    let Some(mut watched) = road.due.own.take() else { return Ok(()) };
    if parts.status().is_success() {
        for rule in std::mem::take(&mut watched.by_answer) {
            let query = watched.question.as_ref().and_then(|question| question.uri().query());
            let after = match parts.plain() {
                Ok(plain) => rule.after(&road.call, query, &plain, true),
                Err(why) => After::Known(Whose::Unclear(why)),
            };
            let whose = match after {
                After::Known(whose) => whose,
                After::ReadAt(targets) => read(road, &rule, app, &watched, targets, false).await?.0,
                After::Removed { removed, of, rest } => {
                    let what = format!("{}: {removed} of {of} items", rule.place());
                    road.audit.record(Record::of_removed(&road.call, rule.mode, what));
                    if rule.mode == Mode::Enforce {
                        parts.replace(rest.into());
                    }
                    Whose::Callers
                }
            };
            if is_against(road, &rule, whose)? {
                return Err(hidden(road, &watched, Some(parts.headers()), app).await);
            }
        }
    }
    road.due.own = Some(watched);
    Ok(())
}

/// Learns from the answer that the client gets, and holds it back if it says that there is nothing.
pub(super) fn finish<B, S>(road: &Road<'_, S>, answer: &mut Response<ResponseBody<B>>) {
    let Some(watched) = &road.due.own else { return };
    let (absent, call) = (&road.policy.authorization.absent, &road.call);
    if answer.status() == StatusCode::NOT_FOUND {
        hide_times(answer.headers_mut());
        if let Some(body) = answer.body().whole() {
            absent.learn(call, answer.headers(), body);
        }
    }
    let passed = call.clock.instant().saturating_duration_since(watched.since);
    absent.took(call, passed);
    if answer.status() == StatusCode::NOT_FOUND {
        answer.extensions_mut().insert(Tarpit(absent.left(call, passed)));
    }
}

/// The answer in the place of an object that is not the caller's: what the app says where there is
/// nothing.
async fn hidden<B, A, S>(
    road: &Road<'_, S>,
    watched: &Watched,
    actual: Option<&HeaderMap>,
    app: &mut A,
) -> Ending
where
    A: App<B>,
    S: Sink,
{
    let (absent, call) = (&road.policy.authorization.absent, &road.call);
    // The app is asked for something that does not exist, if it is not known yet what it says to that.
    if absent.find(call).is_none()
        && let Some(question) = &watched.question
        && let Some(other) = absent::another(call, question.uri())
    {
        let mut asked = question.clone();
        *asked.uri_mut() = other.target.clone();
        if let Some(answer) = app.read(call, asked, absent::LONGEST).await
            && answer.status() == StatusCode::NOT_FOUND
        {
            absent.learn_of(call, &other, answer.headers(), answer.body());
        }
    }
    let known = absent.find(call).unwrap_or_else(|| Arc::new(NotFound::usual()));
    let body = known.body(call);
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::NOT_FOUND;
    *answer.headers_mut() = known.headers(actual);
    let length = known.headers.get(header::CONTENT_LENGTH).filter(|_| call.method == Method::HEAD).cloned();
    let length = length.unwrap_or_else(|| HeaderValue::from(body.len()));
    answer.headers_mut().insert(header::CONTENT_LENGTH, length);
    if call.method != Method::HEAD {
        *answer.body_mut() = body;
    }
    let passed = call.clock.instant().saturating_duration_since(watched.since);
    absent.took(call, passed);
    answer.extensions_mut().insert(Tarpit(absent.left(call, passed)));
    Ending::Instead(Box::new(answer))
}
