//! The stop `own`: is the object the caller's? Before the app where that can be told, else by its answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body::Body;
use mantlet_contract::json;

use super::{
    App, Ending, Road,
    due::{Reached, Stranger},
};
use crate::{
    Call, Mode, Reason, Refusal, RequestBody, ResponseBody, account,
    audit::{Record, Sink},
    authorization::{
        evidence::News,
        own::{
            After, Before, Own, SILENT, Sent, Whose,
            absent::{self, hide_times},
        },
    },
    cors,
    operation::Need,
    responses,
    throttle::Tarpit,
};

/// Bytes of the longest answer in which an owner is looked for.
const LONGEST: usize = 1 << 20;
/// When to try again if the app does not answer.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// The rules about the object of a request, whose answer is still to be judged.
#[derive(Debug)]
pub(super) struct Watched {
    /// Those by which its answer is judged.
    by_answer: Vec<Arc<Own>>,
    asked: Asked,
    /// One of the rules is more than a report.
    is_enforced: bool,
    since: Instant,
}

/// The target and the headers of a request, to ask for objects as its caller.
#[derive(Debug)]
struct Asked {
    target: Uri,
    headers: HeaderMap,
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
    let (authorization, query) = (&road.policy.authorization, request.uri().query());
    let rules = authorization.own(&road.call, query);
    let learning = if rules.is_empty() { authorization.learning(&road.call, query) } else { None };
    // Nearly always; only where a rule applies anything is looked up.
    if rules.is_empty() && learning.is_none() {
        return Ok(());
    }
    // A method that the operation does not have is the app's to refuse, and so is a preflight: a browser
    // sends no credential with it.
    let is_exact = || road.policy.contract.in_force().is_some_and(|contract| contract.is_exact());
    if (cors::is_preflight(&road.call.method, request.headers()) && !is_exact())
        || road.policy.contract.lacks_method(&road.call)
    {
        return Ok(());
    }
    if let Some(rule) = learning {
        if let Some(read) = learn_before(road, rule, request) {
            Box::pin(learn_by_reading(road, read, Asked::by(request), app)).await;
        }
        return Ok(());
    }
    // Boxed: rare, and the future of every request would be larger for it.
    Box::pin(judge_before(road, rules, request, app)).await
}

/// What a rule says that nothing depends on is counted once the app has answered. Returns what has to be read
/// for that.
fn learn_before<B, S>(
    road: &mut Road<'_, S>,
    rule: Arc<Own>,
    request: &Request<RequestBody<B>>,
) -> Option<(Arc<Own>, Vec<String>)> {
    if !rule.knows(&road.call) {
        return None;
    }
    let targets = match rule.before(&road.call, request.uri().query(), Sent::Other) {
        Before::Known(whose) => {
            road.due.found.push((rule, whose));
            return None;
        }
        Before::Answer if !rule.leads_elsewhere() => {
            road.due.learning = Some(rule);
            return None;
        }
        Before::Answer | Before::ReadHere => vec![request.uri().path().to_owned()],
        Before::ReadAt(targets) => targets,
    };
    let is_read = road.policy.authorization.reads_to_learn() && !rule.is_contradicted(&road.call);
    is_read.then_some((rule, targets))
}

/// Reads objects only to learn whose they are.
async fn learn_by_reading<B, A, S>(
    road: &mut Road<'_, S>,
    (rule, targets): (Arc<Own>, Vec<String>),
    asked: Asked,
    app: &mut A,
) where
    A: App<B>,
    S: Sink,
{
    // Where nothing is refused, nothing ends the request.
    if let Ok(whose) = read(road, &rule, app, &asked, targets, true).await {
        road.due.found.push((rule, whose));
    }
}

/// Counts what was found before the app had the request, if the app has accepted it. What it refuses proves
/// nothing.
pub(super) fn count_found<S: Sink>(road: &mut Road<'_, S>, status: StatusCode) {
    for (rule, whose) in std::mem::take(&mut road.due.found) {
        if status.is_success() {
            tell(road, &rule, rule.note(&road.call, whose));
        }
    }
}

/// Learns from the head of an answer. Returns whether its body is needed for it.
pub(super) fn learn_from_head<B: Body, S: Sink>(road: &Road<'_, S>, answer: &Response<B>) -> bool {
    let Some(rule) = &road.due.learning else { return false };
    // The client has asked for these: if a rule is in force, it cannot.
    if matches!(
        answer.status(),
        StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE
    ) {
        return false;
    }
    match head_of(&road.call, answer) {
        Head::Nothing => false,
        Head::Json => true,
        Head::Unclear(why) => {
            tell(road, rule, rule.note(&road.call, Whose::Unclear(why)));
            false
        }
    }
}

/// Learns from the body of an answer.
pub(super) fn learn<S: Sink>(road: &Road<'_, S>, answer: (StatusCode, &HeaderMap), said: Option<&[u8]>) {
    let (Some(rule), (status, headers)) = (&road.due.learning, answer) else { return };
    if let Some(said) = said.filter(|_| status.is_success() && responses::is_json(headers)) {
        tell(road, rule, rule.learn(&road.call, said));
    }
}

/// Records what has become of a rule that may be enforced by itself.
fn tell<S: Sink>(road: &Road<'_, S>, rule: &Own, news: Option<News>) {
    let (event, mode) = match news {
        Some(News::Enforced) => ("object-rule-enforced", Mode::Enforce),
        Some(News::Contradicted) => ("object-rule-contradicted", Mode::Report),
        None => return,
    };
    road.audit.record(Record::of_proposed_rule(&road.call, event, mode, &rule.summary(&road.call)));
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
    let is_enforced = rules.iter().any(|rule| rule.mode == Mode::Enforce);
    let mut watched = Watched { by_answer: Vec::new(), asked: Asked::by(request), is_enforced, since };
    if rules.iter().any(|rule| rule.asks_body()) {
        account::read_ahead(request).await?;
    }
    let here = request.uri().path().to_owned();
    for (rule, before) in judged(&road.call, rules, request) {
        let targets = match before {
            Before::Known(whose) => {
                road.due.found.push((Arc::clone(&rule), whose));
                if rule.mode == Mode::Enforce && rule.is_against(whose) && is_left_to_app(road)? {
                    continue;
                }
                if is_against(road, &rule, whose)? {
                    road.due.reached = Reached::Answered;
                    return Err(hidden(road, &watched, &watched.asked.target, app).await);
                }
                continue;
            }
            Before::Answer => {
                watched.by_answer.push(rule);
                continue;
            }
            Before::ReadHere => vec![here.clone()],
            Before::ReadAt(targets) => targets,
        };
        // What does not exist is asked for beside it.
        let beside = targets.first().and_then(|target| target.parse::<Uri>().ok());
        let whose = read(road, &rule, app, &watched.asked, targets, true).await?;
        road.due.found.push((Arc::clone(&rule), whose));
        let is_refused = match whose {
            Whose::Absent => rule.mode == Mode::Enforce && rule.is_against(whose),
            whose => is_against(road, &rule, whose)?,
        };
        if is_refused {
            road.due.reached = Reached::Answered;
            let beside = beside.as_ref().unwrap_or(&watched.asked.target);
            return Err(hidden(road, &watched, beside, app).await);
        }
    }
    if watched.enforces() {
        // The whole object, or it could not be seen whose it is.
        let headers = request.headers_mut();
        for name in [header::RANGE, header::IF_RANGE, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE] {
            headers.remove(name);
        }
    }
    road.due.own = Some(Box::new(watched));
    Ok(())
}

/// What each rule says before the app has the request. The body is read once for all of them.
fn judged<B>(call: &Call, rules: Vec<Arc<Own>>, request: &Request<RequestBody<B>>) -> Vec<(Arc<Own>, Before)>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
{
    let (headers, body) = (request.headers(), request.body());
    let is_whole = body.is_read_ahead() || body.is_end_stream();
    let is_json = !headers.contains_key(header::CONTENT_TYPE) || responses::is_json(headers);
    let parsed = Some(body.ahead()).filter(|_| is_whole && is_json);
    let parsed = parsed.and_then(|body| json::parse(body, json::Limits::default()).ok());
    let sent = match &parsed {
        Some(json) => Sent::Json(json),
        None if is_whole && body.ahead().is_empty() => Sent::Nothing,
        None => Sent::Other,
    };
    let judge = |rule: Arc<Own>| {
        let before = rule.before(call, request.uri().query(), sent);
        (rule, before)
    };
    rules.into_iter().map(judge).collect()
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

/// Whether the app itself refuses this caller, of whom nothing is known; else it is refused here, as a
/// client expects it: by 404 it would not know that it has to log in.
fn is_left_to_app<S>(road: &Road<'_, S>) -> Result<bool, Ending> {
    let security = road.call.operation.as_ref().filter(|matched| matched.contract.exact && !matched.unsure);
    let security = security.and_then(|matched| matched.security());
    let is_required = security.is_some_and(|security| security.bearer == Some(Need::Required));
    match road.due.stranger {
        Some(Stranger::Anonymous) if is_required => Ok(true),
        Some(Stranger::Anonymous) => Err(Reason::CredentialsMissing.into()),
        Some(Stranger::Unknown) => Err(Reason::TokenInvalid.into()),
        None => Ok(false),
    }
}

/// The app does not answer a question of ours.
fn unavailable() -> Ending {
    Refusal::retry(Reason::AppUnavailable, RETRY).into()
}

/// Reads objects as the caller, and says whose they are.
async fn read<B, A, S>(
    road: &Road<'_, S>,
    rule: &Own,
    app: &mut A,
    request: &Asked,
    targets: Vec<String>,
    is_object: bool,
) -> Result<Whose, Ending>
where
    A: App<B>,
    S: Sink,
{
    // Whether each object has shown its owner.
    let mut found = Whose::Callers;
    let is_single = targets.len() == 1;
    let mut pending: Vec<_> = targets.into_iter().map(|target| (target, is_object)).collect();
    while let Some((target, is_object)) = pending.pop() {
        let Ok(target) = target.parse::<Uri>() else {
            return Ok(Whose::Unclear("its path cannot be asked for"));
        };
        // A 404 of something else would say nothing about the object.
        if road.policy.contract.reads(&road.call, target.path()) == Some(false) {
            return Ok(Whose::Unclear("the app has no GET operation for it; name a `read`"));
        }
        let mut asked = request.question(target);
        let headers = asked.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let answer = match app.read(&road.call, asked, LONGEST, None).await {
            Some(answer) if !answer.status().is_server_error() => answer,
            _ if rule.mode == Mode::Enforce => return Err(unavailable()),
            _ => return Ok(Whose::Unclear(SILENT)),
        };
        match answer.status() {
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                let is_new = is_object && is_single && rule.lets_create(&road.call);
                if rule.mode == Mode::Enforce && !is_new {
                    return Ok(Whose::Absent);
                }
                found = Whose::Absent;
            }
            // What may not be seen may not be changed, and the app says so itself.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                if rule.mode == Mode::Enforce {
                    // What has its owner is not what was asked for.
                    if !is_object {
                        return Ok(Whose::Foreign);
                    }
                    return Err(Ending::Instead(Box::new(answer)));
                }
                found = Whose::Absent;
            }
            status if status.is_success() => {
                match rule.after(&road.call, request.target.query(), answer.body(), is_object) {
                    After::Known(Whose::Nothing) if found == Whose::Callers => found = Whose::Nothing,
                    After::Known(Whose::Callers | Whose::Nothing) => {}
                    After::Known(whose) => return Ok(whose),
                    After::ReadAt(more) => pending.extend(more.into_iter().map(|target| (target, false))),
                    After::Removed { .. } => return Ok(Whose::Foreign),
                }
            }
            _ => return Ok(Whose::Unclear("the object cannot be read")),
        }
    }
    Ok(found)
}

/// Headers about a body, a connection, or what the client has already; and those that an app may take for
/// another method.
fn is_left_out(name: &str) -> bool {
    name.starts_with("content-")
        || name.starts_with("if-")
        || name.starts_with("sec-websocket-")
        || matches!(
            name,
            "range"
                | "connection"
                | "upgrade"
                | "transfer-encoding"
                | "expect"
                | "te"
                | "trailer"
                | "x-http-method-override"
                | "x-http-method"
                | "x-method-override"
        )
}

impl Asked {
    fn by<B>(request: &Request<B>) -> Self {
        Self { target: request.uri().clone(), headers: request.headers().clone() }
    }

    /// The request for an object as the same caller, and with nothing of this request's own.
    fn question(&self, target: Uri) -> Request<()> {
        let mut question = Request::new(());
        *question.uri_mut() = target;
        let kept = self.headers.iter().filter(|(name, _)| !is_left_out(name.as_str()));
        question.headers_mut().extend(kept.map(|(name, value)| (name.clone(), value.clone())));
        question
    }
}

impl Watched {
    /// How long the request has taken so far.
    fn passed(&self, call: &Call) -> Duration {
        call.clock.instant().saturating_duration_since(self.since)
    }

    /// Whether the app's answer has to be read.
    pub(super) fn needs(&self, status: StatusCode) -> bool {
        !self.by_answer.is_empty() && status.is_success()
    }

    /// Whether something depends on the answer.
    fn enforces(&self) -> bool {
        self.by_answer.iter().any(|rule| rule.mode == Mode::Enforce)
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
            let is_own = target.is_some_and(|target| {
                target.starts_with('/') && !target.starts_with("//") && !target.starts_with("/\\")
            });
            let is_empty = answer.body().size_hint().exact() == Some(0);
            // What it leads to is judged there.
            if is_own && is_empty { Head::Nothing } else { Head::Unclear("the answer leads elsewhere") }
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
    // Only a rule that enforces asks for all of it.
    let is_partial = matches!(answer.status(), StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT);
    if is_partial && !watched.enforces() {
        watched.by_answer.clear();
    }
    if let Head::Unclear(why) = head_of(&road.call, answer) {
        for rule in std::mem::take(&mut watched.by_answer) {
            tell(road, &rule, rule.note(&road.call, Whose::Unclear(why)));
            if is_against(road, &rule, Whose::Unclear(why))? {
                return Err(hidden(road, &watched, &watched.asked.target, app).await);
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
            let query = watched.asked.target.query();
            let after = match parts.plain() {
                Ok(plain) => rule.after(&road.call, query, &plain, true),
                Err(why) => After::Known(Whose::Unclear(why)),
            };
            let whose = match after {
                After::Known(whose) => whose,
                After::ReadAt(targets) => read(road, &rule, app, &watched.asked, targets, false).await?,
                After::Removed { whose, removed, of, rest } => {
                    tell(road, &rule, rule.note(&road.call, whose));
                    let what = format!("{}: {removed} of {of} items", rule.place());
                    road.audit.record(Record::of_removed(&road.call, rule.mode, what));
                    if rule.mode == Mode::Enforce {
                        if road.due.is_caller_unclear {
                            return Err(unavailable());
                        }
                        if road.due.stranger == Some(Stranger::Unknown) {
                            return Err(Reason::TokenInvalid.into());
                        }
                        parts.replace(rest.into());
                    }
                    continue;
                }
            };
            tell(road, &rule, rule.note(&road.call, whose));
            if is_against(road, &rule, whose)? {
                return Err(hidden(road, &watched, &watched.asked.target, app).await);
            }
        }
    }
    road.due.own = Some(watched);
    Ok(())
}

/// Learns from the answer that the client gets, and holds it back if it says that there is nothing.
pub(super) fn finish<B, S>(road: &Road<'_, S>, answer: &mut Response<ResponseBody<B>>) {
    let Some(watched) = road.due.own.as_ref().filter(|watched| watched.is_enforced) else { return };
    let (times, call) = (&road.policy.authorization.times, &road.call);
    let passed = watched.passed(call);
    // Only what finds an object says how long that takes.
    if answer.status().is_success() {
        times.took(call, passed);
    } else if answer.status() == StatusCode::NOT_FOUND {
        hide_times(answer.headers_mut());
        answer.extensions_mut().insert(Tarpit(times.left(call, passed)));
    }
}

/// The answer in the place of an object that is not the caller's: what the app says to this caller where
/// there is nothing.
async fn hidden<B, A, S>(road: &Road<'_, S>, watched: &Watched, target: &Uri, app: &mut A) -> Ending
where
    A: App<B>,
    S: Sink,
{
    let (times, call) = (&road.policy.authorization.times, &road.call);
    let mut answer = None;
    for other in absent::others(call, target) {
        let said = app.read(call, watched.asked.question(other.target.clone()), absent::LONGEST, None).await;
        if let Some(said) = said.filter(|said| said.status() == StatusCode::NOT_FOUND) {
            answer = Some(said.map(|words| other.renamed(&words)));
            break;
        }
    }
    let mut answer = answer.unwrap_or_else(usual);
    hide_times(answer.headers_mut());
    // Where it stands already, it keeps its place.
    let length = HeaderValue::from(answer.body().len());
    answer.headers_mut().insert(header::CONTENT_LENGTH, length);
    if call.method == Method::HEAD {
        *answer.body_mut() = Bytes::new();
    }
    let passed = watched.passed(call);
    // It has asked the app twice, so steps become long enough for that.
    times.took(call, passed);
    answer.extensions_mut().insert(Tarpit(times.left(call, passed)));
    Ending::Instead(Box::new(answer))
}

/// FastAPI's own answer.
fn usual() -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from_static(absent::USUAL));
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(absent::USUAL.len()));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
