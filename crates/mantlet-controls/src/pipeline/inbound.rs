//! The way in: the stops before the app, in their order.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, header, uri::PathAndQuery};
use http_body::Body;

use super::{
    App, Arrival, Ending, Road, WireVerdict, authenticate, caller,
    due::Stranger,
    enumeration, logout, own,
    pages::{foreign, of_origin, suspect},
    pass::{pass, stop},
    refresh,
    watch::{self, Watch},
};
use crate::{
    Mode, Reason, Refusal, RequestBody, Scheme, accounts,
    audit::{Record, Sink},
    call::CanonicalPath,
    client, cors, csrf, host, https, limits,
    message::Findings,
    operation::{self, Matched},
    refresh_tokens::Part,
    refusal::refuses,
    throttle::bans::traps::Sprung,
    wire,
};

/// What is asked before anything is judged.
fn begin<B, S: Sink>(road: &mut Road<'_, S>, request: &Request<RequestBody<B>>) -> Result<(), Ending> {
    // audit: can a record of this request be kept? Before anything is done that would need one.
    if road.audit.is_failing() {
        return Err(Reason::AuditUnavailable.into());
    }
    // bans: is this address banned? Before anything else is judged, so that it costs next to
    // nothing.
    let policy = road.policy;
    road.due.may_be_banned = policy.throttle.banned(&road.call, request.headers(), &policy.client.trusted)?;
    Ok(())
}

/// Takes a request through every stop.
pub(super) async fn admit<B, A, S>(
    road: &mut Road<'_, S>,
    arrival: &Arrival,
    request: &mut Request<RequestBody<B>>,
    app: &mut A,
) -> Result<(), Ending>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
    S: Sink,
{
    let (policy, audit) = (road.policy, road.audit);

    begin(road, request)?;

    // wire: is this exactly one well-formed request? Nothing else can be judged about bytes that are not.
    if let WireVerdict::Refused(refusal) = &arrival.wire {
        return Err(refusal.clone().into());
    }
    if arrival.wire != WireVerdict::NotAsked {
        wire::verify_method(request.method())?;
    }
    if arrival.wire == WireVerdict::Unread {
        let most = (policy.limits.header_count, policy.limits.target_length);
        wire::verify(most, policy.path.takes_raw_bytes(), request)?;
    }

    // host: normalised, then judged and sent. Before anything reads it.
    respell_host(road, request);

    // path: can it be read in only one way? Before anything that depends on where the request goes.
    let path = stop(audit, &road.call, policy.path.mode, || CanonicalPath::of(request.uri(), &policy.path))?;
    road.call.path = path.unwrap_or_else(|| CanonicalPath::unjudged(request.uri(), &policy.path));
    retarget(request, road.call.path.target(request.uri()));
    // The place in the app, with or without a root path. Everything below uses the place; the app
    // gets the path as it came.
    road.call.place = policy.contract.place_of(road.call.path.as_str(), policy.path.roots.as_ref());

    // accounts: is it for them? Before anything asks whose operation it is.
    road.call.is_for_accounts = app.callers().is_some_and(|callers| callers.owns(road.call.path.as_str()));

    // route: the configuration for this path. All later stops get their mode from it.
    road.settings = policy.routes.of(&road.call.method, road.call.spellings()).clone();
    road.call.response_timeout = road.settings.response_timeout;

    // host: is it known? Before anything is built from its name, such as a redirect.
    verify_host(road, request)?;

    // transport: is it HTTPS, if required? Before a plain request gets any other response.
    verify_transport(road, request)?;

    // cors: preflights end here. They carry no credentials, so nothing later could judge them.
    let call = &road.call;
    if let Some(judged) = policy.cors.preflight(&call.method, request.headers())
        && let Some(headers) =
            stop(audit, call, policy.cors.mode, || judged.map_err(|reason| of_origin(reason, call)))?
        && policy.cors.is_ours()
    {
        return Err(Ending::Preflight(headers));
    }

    // throttle: has this address used up a limit? Before anything more expensive.
    let verdict = policy.throttle.early(call, request, app.store()).await;
    let faults = road.due.owe(verdict);
    pass(audit, &road.call, faults)?;

    // issuer: does an issuer say that a session has ended? Before the contract, which does not know it.
    if logout::is_one(road, request) {
        return Box::pin(logout::of_issuer(road, request, app)).await;
    }

    // traps: does no client of the app ask for this? Before the contract, which refuses it as unknown.
    spring(road, request)?;

    // contract: is it an operation of the app? Before anything that depends on which one.
    let declared_cookies = if road.call.is_for_accounts {
        find_own_operation(road, app);
        None
    } else {
        find_operation(road, request)?
    };

    // refresh tokens: the app's own in the place of a handle. Before anything judges tokens.
    refresh::unwrap(road, request, app, Part::Head).await?;

    // authentication: who is the caller? Before all that counts or decides by caller, and before
    // anything is said about the input.
    authenticate::who_calls(road, request, app).await?;

    // accounts: is a login needed? Before anything else is said about what the request is for.
    if app.callers().is_some() {
        log_in_first(road, request, app)?;
    }

    // authorization: may the caller do this? Once it is known who calls, and before the request counts as
    // the caller's.
    may_do(road, request, app).await?;

    // csrf: could a foreign page have sent this with the user's cookies? After the route, which may have a mode of its own.
    let (call, settings, tokens) = (&road.call, &road.settings, &policy.csrf.tokens);
    // The accounts' own pages know nothing of tokens for the app's.
    let has_tokens = settings.csrf_token != Mode::Off && !call.is_for_accounts;
    let names = tokens.names(declared_cookies.as_ref()).filter(|_| has_tokens);
    let mut forged = match suspect(road, arrival, request) {
        Some(suspect) => Box::pin(foreign(call, *suspect, app)).await?,
        None => None,
    };
    // A refusal that a token may still avert waits for it.
    if let Some(refusal) = forged.take_if(|refusal| {
        refusal.reason != Reason::CsrfCrossSite || names.is_none_or(|names| !tokens.may_prove(names, request))
    }) {
        stop(audit, call, settings.csrf, || Err::<(), _>(*refusal))?;
    }

    // limits: is the body within its limit? Declared sizes here; undeclared ones are counted as they arrive. Before the first
    // stop that reads a body.
    let body_size = settings.body_size.of(call.operation.as_ref());
    limits::declared_size(request.headers(), body_size)?;
    request.body_mut().limit_to(body_size);

    // uploads, encoding: a form or a compressed body is watched as it passes. Before the first stop
    // that reads a body, too.
    if watch::concerns(request.headers()) && !request.body().is_end_stream() {
        watch_body(road, request)?;
    }

    // csrf token: can the page read our cookie? The last part of csrf, because it may have to read
    // a form.
    let (call, settings) = (&road.call, &road.settings);
    if let Some(names) = names {
        let held = tokens.read(names, request.headers(), call.client.scheme, csrf::is_safe(&call.method));
        // Noted at once: a refusal sets the cookie too, so that the next attempt can succeed.
        let held = &**road.due.csrf.insert(Box::new(held));
        let concerns = tokens.is_configured()
            || call.operation.as_ref().is_some_and(|matched| operation::declares_cookies(&matched.route));
        if (concerns || forged.is_some()) && held.is_asked(request.headers()) {
            let verdict = Box::pin(tokens.verify(held, request)).await?.map_err(Refusal::from);
            // The token proves the page, whatever its origin: no foreign page knows it.
            let (mode, verdict) = match forged.take() {
                Some(refusal) => (settings.csrf, verdict.or(Err(*refusal))),
                None => (settings.csrf_token, verdict),
            };
            stop(audit, call, mode, || verdict)?;
        }
        tokens.show_to_app(held, request.headers_mut());
    }
    if let Some(refusal) = forged {
        stop(audit, call, settings.csrf, || Err::<(), _>(*refusal))?;
    }

    // throttle: has this user or account used up a limit? After csrf, so that no foreign page can
    // use up theirs.
    if policy.throttle.has_late(call) {
        let stores = (app.store(), app.answers());
        let (verdict, attempt, taken) = Box::pin(policy.throttle.late(call, request, stores)).await?;
        (road.due.attempt, road.due.taken) = (attempt.map(Box::new), taken.map(Box::new));
        let faults = road.due.owe(verdict);
        pass(audit, call, faults)?;
    }

    // refresh tokens: the same in the body. Before anything reads tokens there, and before the input is
    // judged: the app's own token is what its contract describes.
    refresh::unwrap(road, request, app, Part::Rest).await?;

    // authentication: what does it name of sessions? Before the app reads it.
    authenticate::what_it_names(road, request, app).await?;
    hand_over(road, request, app).await
}

/// The last stops: they make of the request what the app will get, and judge that.
async fn hand_over<B, A, S>(
    road: &mut Road<'_, S>,
    request: &mut Request<RequestBody<B>>,
    app: &mut A,
) -> Result<(), Ending>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
    S: Sink,
{
    let (policy, audit, call, settings) = (road.policy, road.audit, &road.call, &road.settings);

    // client: only we tell the app who the client is. After the other stops, so that none reads
    // headers that we wrote.
    for header in
        client::prepare(request.headers_mut(), call, &policy.client, || policy.contract.folds_headers())
    {
        if policy.removed.is_new(header.name.as_str()) {
            audit.record(header.record(call));
        }
    }

    if road.call.is_for_accounts {
        // It knows no app, and judges by itself.
        return Ok(());
    }
    // accounts: the app does not get the cookie. After csrf, which has to know of it.
    if let Some(callers) = app.callers() {
        accounts::take_cookie(&**callers, call.client.scheme, request.headers_mut());
    }

    policy.authentication.name_principal(&road.call, request.headers_mut());
    // api keys: the app gets its own key, or none, in place of one of ours. With the other headers
    // that we write.
    policy.api_keys.hand_over(call, request);

    // validate: is the input valid? It judges what will be sent.
    if call.operation.is_some() && settings.input != Mode::Off {
        Box::pin(validate(road, request)).await?;
    }

    // authorization: is the object the caller's? The very last, because it may have to ask the app, which
    // validates first, too.
    look_at_objects(road, request, app).await
}

/// Judges whose an object is, and notes what the request names itself.
async fn look_at_objects<B, A, S>(
    road: &mut Road<'_, S>,
    request: &mut Request<RequestBody<B>>,
    app: &mut A,
) -> Result<(), Ending>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
    S: Sink,
{
    if let Some(caller) = enumeration::noted(road) {
        // Boxed: rare, and the future of every request would be larger for it.
        Box::pin(enumeration::note(road, caller, request)).await?;
    }
    own::before(road, request, app).await
}

/// Reads the host as the app will see it.
fn respell_host<B, S: Sink>(road: &mut Road<'_, S>, request: &mut Request<B>) {
    if road.policy.client.leaves_headers || !host::respell(request) {
        road.call.host.read_if_new(request.headers());
    } else {
        road.call.host.read_again(request.headers());
    }
}

/// Judges the host. If only the host from a trusted proxy is known, the app gets that one.
fn verify_host<B, S: Sink>(road: &mut Road<'_, S>, request: &mut Request<B>) -> Result<(), Refusal> {
    let Road { policy, audit, call, settings, .. } = road;
    let mode = settings.host;
    let verify = || policy.host.verify(mode, &call.host, &call.method, call.own_path());
    let known = stop(*audit, call, mode, verify)?;
    if known == Some(host::Known::AsForwarded) && mode == Mode::Enforce && !policy.client.leaves_headers {
        call.host.send_forwarded(request.headers_mut());
    }
    Ok(())
}

/// Redirects or refuses a plain request where HTTPS is required.
fn verify_transport<B, S>(road: &Road<'_, S>, request: &Request<B>) -> Result<(), Ending> {
    let Road { policy, call, settings, .. } = road;
    let Some(target) = request.uri().path_and_query().filter(|_| call.client.scheme == Scheme::Http) else {
        return Ok(());
    };
    let host = policy.host.to_build_from(settings.host, &call.host);
    match policy.https.verify(&call.method, host, target, call.spellings()) {
        https::Verdict::Pass => Ok(()),
        https::Verdict::Redirect(location) => Err(Ending::Redirected(location)),
        https::Verdict::Refuse => Err(Reason::HttpsRequired.into()),
    }
}

/// Bans an address that has sprung a trap.
fn spring<B, S: Sink>(road: &Road<'_, S>, request: &Request<B>) -> Result<(), Refusal> {
    let Road { policy, audit, call, due, .. } = road;
    if !due.may_be_banned || cors::is_preflight(&call.method, request.headers()) {
        return Ok(());
    }
    let is_named = || policy.contract.may_name(call.own_path());
    match policy.throttle.sprung(call, request.headers(), is_named) {
        Some(Sprung { record, refusal }) => {
            audit.record(record);
            refusal.map_or(Ok(()), Err)
        }
        None => Ok(()),
    }
}

/// Finds the operation of the request; returns the cookies that the app declares as security.
fn find_operation<B, S: Sink>(
    road: &mut Road<'_, S>,
    request: &Request<B>,
) -> Result<Option<Arc<[String]>>, Refusal> {
    let Road { policy, audit, call, settings, due } = road;
    let (host, path, rules) = (call.host.sent(), call.path.as_str(), &settings.rules);
    // A preflight that gets here is for the app's own CORS, which answers it for any path. Any
    // other response could reveal a route that clients must not know.
    if cors::is_preflight(&call.method, request.headers()) {
        due.absent = policy.contract.absent(host, path, &call.place, rules).map(Box::new);
        return Ok(None);
    }
    let verdict = policy.contract.route(&call.method, call.opens_websocket, host, (path, &call.place), rules);
    call.operation = verdict.route;
    pass(*audit, call, verdict.faults)?;
    Ok(verdict.session_cookies)
}

/// Judges what the caller may do.
async fn may_do<B, A, S>(
    road: &mut Road<'_, S>,
    request: &mut Request<RequestBody<B>>,
    app: &mut A,
) -> Result<(), Refusal>
where
    A: App<B>,
    S: Sink,
{
    // A browser sends no credential with a preflight. And rules are about the app.
    if cors::is_preflight(&road.call.method, request.headers()) || road.call.is_for_accounts {
        return Ok(());
    }
    if road.policy.authorization.asks_about(&road.call) {
        // Boxed: rare, and the future of every request would be larger for it.
        Box::pin(caller::ask(road, request.headers(), app)).await;
    } else if road.policy.authorization.asks_to_learn(&road.call) {
        Box::pin(caller::ask(road, request.headers(), app)).await;
        // Nothing depends on it.
        road.due.is_caller_unclear = false;
    }
    let (call, headers) = (&road.call, request.headers());
    // A cookie may be anything.
    let is_anonymous = call.principal.is_none()
        && call.certificate.is_none()
        && road.due.shown.own().is_none()
        && !headers.contains_key(header::AUTHORIZATION);
    let judged = road.policy.authorization.judge(call, request.uri().query(), is_anonymous);
    road.due.reported = judged.reported;
    if is_anonymous {
        road.due.stranger = Some(Stranger::Anonymous);
    }
    if refuses(&judged.faults) {
        if road.due.is_caller_unclear {
            return Err(Refusal::retry(Reason::AppUnavailable, own::RETRY));
        }
        // A client knows by 401 that it has to get a new token.
        if road.due.stranger == Some(Stranger::Unknown) {
            return Err(Reason::TokenInvalid.into());
        }
    }
    pass(road.audit, &road.call, judged.faults)?;
    pass(road.audit, &road.call, enumeration::judge(road))
}

/// Finds the operation of a request that is for the accounts. What is not one, they answer themselves.
fn find_own_operation<B, A: App<B>, S>(road: &mut Road<'_, S>, app: &A) {
    let call = &mut road.call;
    let contract = app.callers().and_then(|callers| callers.contract());
    call.operation = contract.and_then(|contract| Matched::of(contract, &call.method, call.path.as_str()));
}

/// Refuses a request that needs a login and comes without one. A person is led to the page to log in.
fn log_in_first<B, A: App<B>, S: Sink>(
    road: &Road<'_, S>,
    request: &Request<RequestBody<B>>,
    app: &A,
) -> Result<(), Ending> {
    let Road { policy, call, audit, .. } = road;
    let Some(callers) = app.callers() else { return Ok(()) };
    let is_proven = call.principal.is_some() || call.is_for_accounts;
    if is_proven || cors::is_preflight(&call.method, request.headers()) || policy.accounts.lets_pass(call) {
        return Ok(());
    }
    let mode = policy.accounts.mode;
    let login = accounts::login_of(&**callers, call, (request.uri(), request.headers()));
    if let Some(login) = login.filter(|_| mode == Mode::Enforce) {
        return Err(Ending::LogIn(login));
    }
    pass(*audit, call, vec![(mode, accounts::refusal(call))])?;
    Ok(())
}

/// Begins to watch a body as it passes.
fn watch_body<B, S>(road: &mut Road<'_, S>, request: &mut Request<RequestBody<B>>) -> Result<(), Reason>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
{
    // Noted at once: findings in the head are recorded too.
    let findings = Arc::clone(road.due.findings.insert(Arc::<Findings>::default()));
    if let Some(watch) = Watch::begin(&road.call, &road.settings, request.headers(), &findings)? {
        request.body_mut().observe_with(Box::new(watch));
    }
    Ok(())
}

/// Judges the input, if the operation is known and takes input.
async fn validate<B, S: Sink>(
    road: &mut Road<'_, S>,
    request: &mut Request<RequestBody<B>>,
) -> Result<(), Refusal>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
{
    let Road { policy, audit, call, settings, due } = road;
    let Some(matched) = &call.operation else { return Ok(()) };
    let about = (call.path.as_str(), Some(policy.csrf.tokens.field()));
    let verdict = policy.contract.input(matched, settings.input, &settings.rules, about, request).await?;
    pass(*audit, call, verdict.faults)?;
    if let Some(stripped) = &verdict.stripped {
        audit.record(Record::of_stripped(call, stripped));
    }
    due.judged = verdict.judged;
    Ok(())
}

/// Makes the target origin-form: the app is asked for a path on itself, whatever form the client used.
fn retarget<B>(request: &mut Request<B>, target: Option<PathAndQuery>) {
    if let Some(target) = target {
        *request.uri_mut() = target.into();
    }
}
