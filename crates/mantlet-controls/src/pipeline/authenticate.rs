//! The stop `authenticate`: who is the caller, and in which session?

use bytes::Bytes;
use http::Request;
use http_body::Body;

use super::{App, Road, pass::pass};
use crate::{
    Reason, Refusal, RequestBody, api_keys,
    audit::{Record, Sink},
    authentication::Presented,
    cors, dpop,
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
    by_proof(road, request, app).await?;
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
        Judged::Bad(mode, mut refusal) => {
            dpop::challenge(request, &mut refusal);
            pass(road.audit, &road.call, vec![(mode, refusal)])
        }
    }
}

/// Asks whether the caller has the key of its token. Each request is asked, whatever is remembered of
/// its token.
async fn by_proof<B, A, S>(
    road: &mut Road<'_, S>,
    request: &mut Request<RequestBody<B>>,
    app: &mut A,
) -> Result<(), Refusal>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
    S: Sink,
{
    let (call, policy) = (&road.call, road.policy);
    let Some(principal) = &call.principal else { return Ok(()) };
    let host = policy.host.to_build_from(road.settings.host, &call.host);
    let proof = match policy.dpop.judge(call, principal, host, request) {
        dpop::Judged::NotAsked => return Ok(()),
        dpop::Judged::Bad(mode, refusal) => return pass(road.audit, call, vec![(mode, refusal)]),
        dpop::Judged::Good(proof) => proof,
    };
    // Boxed: rare, and the future of every request would be larger for it.
    if let Err(fault) = Box::pin(policy.dpop.see(call, principal, proof, app.proofs().cloned())).await {
        return pass(road.audit, call, vec![fault]);
    }
    if policy.dpop.makes_bearer(call) {
        dpop::make_bearer(request);
    } else if let Presented::Good(question) = std::mem::take(&mut road.due.presented) {
        // The app would refuse a forged token for its missing proof: that teaches nothing.
        policy.authentication.did_not_ask(question.kind);
    }
    Ok(())
}

/// Reads what a request names of sessions, if its operation changes them.
pub(super) async fn what_it_names<B, A, S>(
    road: &mut Road<'_, S>,
    request: &mut Request<RequestBody<B>>,
    app: &mut A,
) -> Result<(), Reason>
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
    if let Some(others) = app.sessions().filter(|keeper| keeper.is_shared()).cloned() {
        let names = authentication.accounts_to_end(call, road.due.shown.as_ref(), &course);
        Box::pin(authentication.ask_about_accounts(names, others)).await;
    }
    road.due.course = Some(Box::new(course));
    Ok(())
}
