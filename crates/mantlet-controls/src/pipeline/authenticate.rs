//! The stop `authenticate`: who is the caller, and in which session?

use bytes::Bytes;
use http::Request;
use http_body::Body;

use super::{App, Road, pass::pass};
use crate::{
    Reason, Refusal, RequestBody,
    audit::{Record, Sink},
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
    let authentication = &road.policy.authentication;
    let keeper = app.sessions();
    let others = keeper.filter(|keeper| keeper.is_shared());
    let unknown = others.map(|_| authentication.unknown(request)).unwrap_or_default();
    // Boxed: rare, and the future of every request would be larger for it.
    if let Some(others) = others.filter(|_| !unknown.is_empty()).cloned() {
        Box::pin(authentication.ask_others(unknown, others)).await;
    }
    if !road.policy.issuer.is_empty() {
        by_issuer(road, request, app).await?;
    }
    if road.call.principal.is_none() {
        let (principal, presented, faults) = authentication.judge(&road.call, request);
        (road.call.principal, road.due.presented) = (principal, presented);
        pass(road.audit, &road.call, faults)?;
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
