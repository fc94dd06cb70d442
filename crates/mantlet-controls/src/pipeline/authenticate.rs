//! The stop `authenticate`: who is the caller, and in which session?

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body::Body;

use super::{App, Road, pass::pass};
use crate::{
    Reason, Refusal, RequestBody,
    accounts::{self, Callers, Credential, Verdict},
    api_keys,
    audit::{Record, Sink},
    authentication::Beside,
    cors, dpop,
    identity::{TokenScheme, access_token_text, token_with_scheme},
    issuer::Judged,
    token::has_its_form,
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
    // accounts: a session or an access token of ours. Before all that judges tokens of others.
    if let Some(callers) = app.callers().cloned() {
        // Boxed: without accounts, the future of every request would be larger for it.
        Box::pin(by_account(road, request, callers)).await?;
    }
    // The cookie of the browser is neither the app's nor a session.
    road.due.browser = road.policy.authentication.read_browser(&road.call, request);
    let is_bearer_ours = by_api_key(road, request)?;
    let authentication = &road.policy.authentication;
    let mut beside = beside(road, request);
    let keeper = app.sessions();
    let others = keeper.filter(|keeper| keeper.is_shared());
    let unknown = others.map(|_| authentication.unknown(&road.call, request, &beside)).unwrap_or_default();
    // Boxed: rare, and the future of every request would be larger for it.
    let is_all_known = match others.filter(|_| !unknown.is_empty()).cloned() {
        Some(others) => Box::pin(authentication.ask_others(&road.call, unknown, others)).await,
        None => true,
    };
    // The token of the header counts before all others.
    let of_header = access_token_text(request.headers()).filter(|_| !is_bearer_ours);
    let mut place = if of_header.is_some() { dpop::Place::Header } else { dpop::Place::Elsewhere };
    let scheme = token_with_scheme(request.headers()).map(|(scheme, _)| scheme);
    let in_scheme = |refusal| dpop::in_scheme(scheme, refusal);
    if !road.policy.issuer.is_empty() {
        place = by_issuer(road, of_header.as_deref(), &beside, app).await.map_err(in_scheme)?;
    }
    if road.call.principal.is_none() {
        let (principal, presented, faults) = authentication.judge(&road.call, request, &beside);
        (road.call.principal, road.due.presented) = (principal, presented);
        pass(road.audit, &road.call, faults).map_err(in_scheme)?;
    }
    let proof = proof_of(road, request, place)?;
    let is_proven = match proof {
        Some(proof) => is_new(road, proof, app).await?,
        None => false,
    };
    if let Some(why) = by_browser(road, request.headers(), &beside, app).await? {
        drop(beside);
        request.headers_mut().remove(header::AUTHORIZATION);
        road.audit.record(Record::of_withheld(&road.call, &why));
        road.call.principal = None;
        beside = self::beside(road, request);
    }
    let authentication = &road.policy.authentication;
    // What a token says of a person counts more than the key of the program.
    if road.call.principal.is_none() {
        road.call.principal.clone_from(&road.call.api_key);
    }
    let (sight, faults) = authentication.find_session(&road.call, request, &beside, is_all_known);
    pass(road.audit, &road.call, faults)?;
    // What came without a header is a credential all the same: caches must not keep the answer.
    road.call.carries_credentials |= road.call.principal.is_some() || sight.shown.own().is_some();
    sight.withhold(request.headers_mut());
    if let Some(why) = &sight.why {
        road.audit.record(Record::of_withheld(&road.call, why));
    }
    if sight.withholds_caller {
        road.call.principal.clone_from(&road.call.api_key);
    }
    if let Some(keeper) = app.sessions().filter(|_| !sight.used.is_empty()) {
        keeper.keep_soon(sight.used);
    }
    let shown = sight.shown.own().map(|shown| shown.session.facts.id);
    road.call.session = shown.or(road.call.session);
    road.due.shown = sight.shown;
    as_the_app_reads_it(road, request, is_proven);
    Ok(())
}

/// Seconds after which a request may be tried again whose credential cannot be judged.
const RETRY_ACCOUNTS: Duration = Duration::from_secs(2);

/// Asks what keeps accounts about the request's credential, if it is one of theirs.
async fn by_account<B, S: Sink>(
    road: &mut Road<'_, S>,
    request: &mut Request<RequestBody<B>>,
    callers: Arc<dyn Callers>,
) -> Result<(), Refusal> {
    let Some(credential) = accounts::credential_of(&*callers, road.call.client.scheme, request.headers())
    else {
        return Ok(());
    };
    let is_token = matches!(credential, Credential::Token(_));
    let verdict = match callers.known(&credential) {
        Some(verdict) => verdict,
        None => callers.ask(credential).await,
    };
    let is_for_accounts = road.call.is_for_accounts;
    match verdict {
        Verdict::Good(caller) => {
            road.call.principal = Some(Arc::clone(&caller.principal));
            road.call.session = Some(caller.session);
            road.due.account = Some(Box::new((callers, caller)));
        }
        // A client that renews a token shows the expired one. The accounts answer for their own faults.
        Verdict::Bad | Verdict::Unknown if is_for_accounts => {}
        Verdict::Bad if is_token => {
            let refusal = Refusal { remedy: Some(Box::default()), ..Reason::TokenInvalid.into() };
            pass(road.audit, &road.call, vec![(road.policy.accounts.mode, refusal)])?;
        }
        Verdict::Bad => {}
        // Never 401: the client would forget a credential that is good.
        Verdict::Unknown => return Err(Refusal::retry(Reason::AccountsUnavailable, RETRY_ACCOUNTS)),
    }
    if is_token && !is_for_accounts {
        request.headers_mut().remove(header::AUTHORIZATION);
    }
    Ok(())
}

/// A token that is bound to a key, for an app that knows bearer tokens alone: its proof was verified.
fn as_the_app_reads_it<B, S>(road: &mut Road<'_, S>, request: &mut Request<B>, is_proven: bool) {
    if is_proven && road.policy.dpop.makes_bearer(&road.call) {
        dpop::make_bearer(request.headers_mut());
    }
    if matches!(token_with_scheme(request.headers()), Some((TokenScheme::Dpop, _)))
        && let Some(question) = road.due.presented.take_question()
    {
        // The app would refuse a forged token for its missing proof: that teaches nothing.
        road.policy.authentication.did_not_ask(question.kind);
    }
}

/// The tokens of a request outside its `Authorization` header.
fn beside<'r, B, S>(road: &Road<'_, S>, request: &'r Request<B>) -> Vec<Beside<'r>> {
    let contract = road.call.opens_websocket.then(|| road.policy.contract.in_force()).flatten();
    let cookies = contract.as_ref().map(|contract| &*contract.session_cookies).unwrap_or_default();
    road.policy.authentication.beside(&road.call, request, cookies)
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

/// Asks the issuers of the configuration about the tokens of a request: a good one says who calls.
/// Returns where the token stands by which the caller is known, or is yet to be known.
async fn by_issuer<B, A, S>(
    road: &mut Road<'_, S>,
    of_header: Option<&str>,
    beside: &[Beside<'_>],
    app: &mut A,
) -> Result<dpop::Place, Refusal>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
    S: Sink,
{
    let issuer = &road.policy.issuer;
    let count = usize::from(of_header.is_some()) + beside.len();
    let place = |is_of_header| if is_of_header { dpop::Place::Header } else { dpop::Place::Elsewhere };
    let mut bad = None;
    for token in of_header.into_iter().chain(beside.iter().map(|one| &*one.token)) {
        let judged = match (issuer.judge(&road.call, token), app.issuers().cloned()) {
            (Some(judged), _) => judged,
            // Boxed: rare, and the future of every request would be larger for it.
            (None, Some(client)) => Box::pin(issuer.ask(&road.call, token, client)).await,
            // A layer in a service of one's own has no network to ask.
            (None, None) => issuer.cannot_ask(&road.call, token),
        };
        match judged {
            Judged::NotOurs => {}
            Judged::Caller(principal) => {
                road.call.principal = Some(principal);
                return Ok(place(of_header == Some(token)));
            }
            // A text in a target that no issuer knows may be something else of the app.
            Judged::Bad(..) if of_header != Some(token) && !has_its_form(token) => {}
            // The app may take another one of them.
            Judged::Bad(mode, mut refusal) => {
                if count > 1 {
                    // No line enforces it.
                    refusal.remedy = Some(Box::default());
                }
                bad.get_or_insert((mode.under(count > 1), refusal));
            }
        }
    }
    pass(road.audit, &road.call, bad.into_iter().collect())?;
    Ok(place(of_header.is_some()))
}

/// Whether the caller has the key of its token: the proof, if it is good. Each request is asked,
/// whatever is remembered of its token.
fn proof_of<B, S: Sink>(
    road: &Road<'_, S>,
    request: &Request<RequestBody<B>>,
    place: dpop::Place,
) -> Result<Option<dpop::Proof>, Refusal> {
    let (call, policy) = (&road.call, road.policy);
    let Some(principal) = &call.principal else { return Ok(None) };
    let host = policy.host.to_build_from(road.settings.host, &call.host);
    match policy.dpop.judge(call, (principal, place), host, request) {
        dpop::Judged::NotAsked => Ok(None),
        dpop::Judged::Good(proof) => Ok(Some(proof)),
        dpop::Judged::Bad(mode, refusal) => {
            pass(road.audit, call, vec![(mode, refusal)])?;
            Ok(None)
        }
    }
}

/// Whether no gate has seen a good proof before.
async fn is_new<B, A, S>(road: &Road<'_, S>, proof: dpop::Proof, app: &mut A) -> Result<bool, Refusal>
where
    A: App<B>,
    S: Sink,
{
    // Boxed: rare, and the future of every request would be larger for it.
    let seen = Box::pin(road.policy.dpop.see(&road.call, proof, app.proofs().cloned())).await;
    // If no more can be remembered and that refuses nothing, the proof is good all the same.
    let is_new = seen.as_ref().err().is_none_or(|(_, refusal)| refusal.reason == Reason::DpopMemoryFull);
    pass(road.audit, &road.call, seen.err().into_iter().collect())?;
    Ok(is_new)
}

/// Whether a token is used in the browser that it is bound to. Else the bearer token may have to be kept
/// from the app, and the refusal says why.
async fn by_browser<B, A, S>(
    road: &mut Road<'_, S>,
    headers: &HeaderMap,
    beside: &[Beside<'_>],
    app: &mut A,
) -> Result<Option<Refusal>, Refusal>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
    S: Sink,
{
    let authentication = &road.policy.authentication;
    let Some(browser) = &road.due.browser else { return Ok(None) };
    let Some((step, place)) = authentication.compare(headers, beside, browser) else { return Ok(None) };
    // Boxed: rare, and the future of every request would be larger for it.
    if !Box::pin(authentication.take_step(step, app.sessions().cloned())).await {
        return Ok(None);
    }
    let (mode, refusal, is_withheld) = authentication.elsewhere(&road.call, place);
    if is_withheld {
        return Ok(Some(refusal));
    }
    pass(road.audit, &road.call, vec![(mode, refusal)])?;
    Ok(None)
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
    if call.is_for_accounts {
        return Ok(());
    }
    if authentication.effects_of(call).is_nothing() {
        road.due.sent = authentication.read_sent(request);
        return Ok(());
    }
    let course = Box::pin(authentication.read_course(call, request)).await?;
    if let Some(browser) = road.due.browser.as_ref().filter(|_| authentication.renews(call))
        && let Some(step) = authentication.compare_renewal(&course.in_body, browser)
        && Box::pin(authentication.take_step(step, app.sessions().cloned())).await
    {
        pass(road.audit, call, vec![authentication.renewed_elsewhere()])?;
    }
    if let Some(others) = app.sessions().filter(|keeper| keeper.is_shared()).cloned() {
        let names = authentication.accounts_to_end(call, &road.due.shown, &course);
        Box::pin(async {
            let unknown = authentication.unknown_in_body(call, &road.due.shown, &course);
            authentication.ask_others(call, unknown, Arc::clone(&others)).await;
            authentication.ask_about_accounts(names, others).await;
        })
        .await;
    }
    road.due.course = Some(Box::new(course));
    Ok(())
}
