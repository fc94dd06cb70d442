//! Asks the app who calls, where a rule needs more than a credential says.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, StatusCode, header};

use super::{App, Road, due::Stranger, question};
use crate::{
    Call,
    audit::Sink,
    authorization::caller::{Callers, LONGEST, Me, PATIENCE, Told},
};

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
    let slot = callers.slot(&credentials, road.call.host.sent());
    let clock = road.call.clock;
    if let Some(known) = slot.known(clock.instant()) {
        return told(road, known);
    }
    let _one_at_a_time = slot.lock().await;
    if let Some(known) = slot.known(clock.instant()) {
        return told(road, known);
    }
    let asked = question(&road.call, me, credentials);
    let answer = app.read(&road.call, asked, LONGEST, Some(PATIENCE)).await;
    let found = answer
        .map_or(Told::Nothing, |answer| callers.read(answer.status(), answer.body(), contract.as_deref()));
    let expires = road.call.principal.as_ref().and_then(|principal| principal.expires);
    let left = expires.map(|end| end.saturating_sub(clock.time().as_second()));
    let left = left.map(|left| Duration::from_secs(u64::try_from(left).unwrap_or_default()));
    slot.keep(found.clone(), clock.instant(), left);
    told(road, found);
}

/// What the app says.
fn told<S>(road: &mut Road<'_, S>, found: Told) {
    match found {
        Told::Attributes(attributes) => road.call.told_by_app = Some(attributes),
        Told::Unknown if road.call.principal.is_none() => road.due.stranger = Some(Stranger::Unknown),
        Told::Unknown => {}
        Told::Nothing => road.due.is_caller_unclear = true,
    }
}

/// The app has answered: does it have to be asked again?
pub(super) fn answered<S>(road: &Road<'_, S>, status: StatusCode) {
    let (policy, call) = (road.policy, &road.call);
    if call.method.is_safe() || !status.is_success() || !policy.authorization.knows_callers() {
        return;
    }
    let contract = call.operation.as_ref().map(|matched| &*matched.contract);
    let me = policy.authorization.me(contract);
    if me.is_some_and(|me| Callers::may_be_changed_by(&call.method, call.own_path(), me)) {
        policy.authorization.callers.forget();
    }
}

fn question(call: &Call, me: Me<'_>, mut headers: HeaderMap) -> Request<()> {
    if let Some(host) = question::host(call) {
        headers.insert(header::HOST, host);
    }
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    // It is asked for this client: what the app says may depend on where it is.
    let client = call.client.address.and_then(|address| HeaderValue::try_from(address.to_string()).ok());
    question::get(call, me.target.parse().unwrap_or_default(), headers, USER_AGENT, client)
}
