//! The stop `authenticate`: who is the caller, and in which session?

use bytes::Bytes;
use http::{Request, header};
use http_body::Body;

use super::{App, Road, pass::pass};
use crate::{
    Reason, Refusal, RequestBody, api_keys,
    audit::{Record, Sink},
    cors,
    identity::bearer,
    issuer::Judged,
};

/// Finds the caller and its session.
pub(super) async fn who_calls<B, A, S>(
    road: &mut Road<'_, S>,
    request: &mut Request<RequestBody<B>>,
    app: &mut A,
) -> Result<(), Refusal>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
    S: Sink,
{
    // First: the cookie is neither the app's nor a session.
    road.due.browser = road.policy.authentication.read_browser(&road.call, request);
    let is_bearer_ours = by_api_key(road, request)?;
    let authentication = &road.policy.authentication;
    let keeper = app.sessions();
    let others = keeper.filter(|keeper| keeper.is_shared());
    let unknown = others.map(|_| authentication.unknown(request)).unwrap_or_default();
    // Boxed: rare, and the future of every request would be larger for it.
    if let Some(others) = others.filter(|_| !unknown.is_empty()).cloned() {
        Box::pin(authentication.ask_others(unknown, others)).await;
    }
    if !road.policy.issuer.is_empty() && !is_bearer_ours {
        by_issuer(road, request, app).await?;
    }
    if road.call.principal.is_none() {
        let (principal, presented, faults) = authentication.judge(&road.call, request);
        (road.call.principal, road.due.presented) = (principal, presented);
        pass(road.audit, &road.call, faults)?;
    }
    by_browser(road, request, app).await?;
    let authentication = &road.policy.authentication;
    // What a token says of a person counts more than the key of the program.
    if road.call.principal.is_none() {
        road.call.principal.clone_from(&road.call.api_key);
    }
    let (sight, faults) = authentication.find_session(&road.call, request);
    pass(road.audit, &road.call, faults)?;
    sight.withhold(request.headers_mut());
    if let Some(why) = &sight.why {
        road.audit.record(Record::of_withheld(&road.call, why));
        road.call.principal = None;
    }
    if let (Some(used), Some(keeper)) = (sight.used, app.sessions()) {
        keeper.keep_soon(vec![used]);
    }
    road.due.shown = sight.shown;
    Ok(())
}

/// Verifies the API key, if the request has one of ours. Returns whether it is the bearer token.
fn by_api_key<B, S>(road: &mut Road<'_, S>, request: &mut Request<RequestBody<B>>) -> Result<bool, Refusal>
where
    S: Sink,
{
    let api_keys = &road.policy.api_keys;
    // A browser sends no credential with a preflight, and the app's own CORS may answer it.
    let is_needed = road.settings.needs_key && !cors::is_preflight(&road.call.method, request.headers());
    let judged = api_keys.judge(&road.call, is_needed, road.audit, request);
    pass(road.audit, &road.call, judged.faults)?;
    if judged.caller.is_some() {
        (road.call.api_key, road.call.carries_credentials) = (judged.caller, true);
        if judged.is_bearer {
            api_keys::take_bearer(&road.call, request);
        }
    }
    Ok(judged.is_bearer)
}

/// Asks the issuers of the configuration about the token.
async fn by_issuer<B, A, S>(
    road: &mut Road<'_, S>,
    request: &mut Request<RequestBody<B>>,
    app: &mut A,
) -> Result<(), Refusal>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
    S: Sink,
{
    let issuer = &road.policy.issuer;
    let judged = issuer.judge(&road.call, request);
    let token = bearer(request.headers()).filter(|_| judged.is_none()).map(str::to_owned);
    let judged = match (judged, token, app.issuers().cloned()) {
        (Some(judged), ..) => judged,
        (None, Some(token), Some(client)) => Box::pin(issuer.ask(&road.call, &token, client)).await,
        // A layer in a service of one's own has no network to ask.
        (None, Some(token), None) => issuer.cannot_ask(&road.call, &token),
        (None, None, _) => Judged::NotOurs,
    };
    match judged {
        Judged::NotOurs => Ok(()),
        Judged::Caller(principal) => {
            road.call.principal = Some(principal);
            Ok(())
        }
        Judged::Bad(mode, refusal) => pass(road.audit, &road.call, vec![(mode, refusal)]),
    }
}

/// Whether the bearer token is used in the browser that it is bound to.
async fn by_browser<B, A, S>(
    road: &mut Road<'_, S>,
    request: &mut Request<RequestBody<B>>,
    app: &mut A,
) -> Result<(), Refusal>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
    S: Sink,
{
    let authentication = &road.policy.authentication;
    let Some(browser) = &road.due.browser else { return Ok(()) };
    let tokens = bearer(request.headers()).into_iter();
    let Some(step) = authentication.compare(tokens, browser) else { return Ok(()) };
    if !Box::pin(authentication.take_step(step, app.sessions().cloned())).await {
        return Ok(());
    }
    let (mode, refusal, is_withheld) = authentication.elsewhere(&road.call, false);
    if !is_withheld {
        return pass(road.audit, &road.call, vec![(mode, refusal)]);
    }
    request.headers_mut().remove(header::AUTHORIZATION);
    road.audit.record(Record::of_withheld(&road.call, &refusal));
    road.call.principal = None;
    Ok(())
}

/// Reads what a request names of sessions, if its operation changes them.
pub(super) async fn what_it_names<B, A, S>(
    road: &mut Road<'_, S>,
    request: &mut Request<RequestBody<B>>,
    app: &mut A,
) -> Result<(), Refusal>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
    S: Sink,
{
    let (call, authentication) = (&road.call, &road.policy.authentication);
    if authentication.effects_of(call).is_nothing() {
        return Ok(());
    }
    let course = Box::pin(authentication.read_course(call, request)).await?;
    if let Some(browser) = road.due.browser.as_ref().filter(|_| authentication.renews(call))
        && let Some(step) = authentication.compare_renewal(&course.in_body, browser)
        && Box::pin(authentication.take_step(step, app.sessions().cloned())).await
    {
        let (mode, refusal, _) = authentication.elsewhere(call, true);
        pass(road.audit, call, vec![(mode, refusal)])?;
    }
    if let Some(others) = app.sessions().filter(|keeper| keeper.is_shared()).cloned() {
        let names = authentication.accounts_to_end(call, road.due.shown.as_ref(), &course);
        Box::pin(authentication.ask_about_accounts(names, others)).await;
    }
    road.due.course = Some(Box::new(course));
    Ok(())
}
