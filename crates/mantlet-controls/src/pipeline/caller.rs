//! Asks the app who calls, where a rule needs more than a credential says.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};

use super::{App, Road};
use crate::{
    Call, Scheme,
    audit::Sink,
    authorization::caller::{Callers, LONGEST, Me},
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// For the app's own log.
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("mantlet/", env!("CARGO_PKG_VERSION"), " (asks who calls)"));

/// Asks, unless it is known. Nothing is known of a caller whom the app does not know, or if it does not
/// answer.
pub(super) async fn ask<B, A: App<B>, S: Sink>(road: &mut Road<'_, S>, headers: &HeaderMap, app: &mut A) {
    let policy = road.policy;
    let of_request = road.call.operation.as_ref().map(|matched| matched.contract.clone());
    let contract = of_request.or_else(|| policy.contract.in_force());
    let Some(me) = policy.authorization.me(contract.as_deref()) else { return };
    let credentials = me.credentials(headers);
    if credentials.is_empty() {
        return;
    }
    let callers = &policy.authorization.callers;
    let slot = callers.slot(&credentials);
    let clock = road.call.clock;
    if let Some(known) = slot.known(clock.instant()) {
        road.call.told_by_app = known;
        return;
    }
    let _one_at_a_time = slot.lock().await;
    if let Some(known) = slot.known(clock.instant()) {
        road.call.told_by_app = known;
        return;
    }
    let question = question(&road.call, &me, credentials);
    let answer = app.read(&road.call, question, LONGEST).await;
    let told = answer.and_then(|answer| callers.read(answer.status(), answer.body()));
    let Some(told) = told else {
        road.due.is_caller_unclear = true;
        return;
    };
    let expires = road.call.principal.as_ref().and_then(|principal| principal.expires);
    let left = expires.map(|end| end.saturating_sub(clock.time().as_second()));
    let left = left.map(|left| Duration::from_secs(u64::try_from(left).unwrap_or_default()));
    slot.keep(told.clone(), clock.instant(), left);
    road.call.told_by_app = told;
}

/// The app has answered: does it have to be asked again?
pub(super) fn answered<S>(road: &Road<'_, S>, status: StatusCode) {
    let (policy, call) = (road.policy, &road.call);
    if call.method.is_safe() || !status.is_success() || !policy.authorization.knows_callers() {
        return;
    }
    let contract = call.operation.as_ref().map(|matched| &*matched.contract);
    if policy
        .authorization
        .me(contract)
        .is_some_and(|me| Callers::may_be_changed_by(&call.method, call.own_path(), &me))
    {
        policy.authorization.callers.forget();
    }
}

fn question(call: &Call, me: &Me, credentials: HeaderMap) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = me.target.clone();
    let headers = request.headers_mut();
    *headers = credentials;
    if let Some(host) = call.host.sent().and_then(|host| HeaderValue::from_str(host).ok()) {
        headers.insert(header::HOST, host);
    }
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, USER_AGENT);
    // No client is to be blamed for what we ask.
    headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("127.0.0.1"));
    if call.client.scheme == Scheme::Https {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
    }
    request
}
