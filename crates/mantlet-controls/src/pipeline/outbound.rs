//! The way back, in order: responses (looked at where they come in) · audit · settle · throttle · deprecation · cookies · authentication · cors · csrf · headers.

use bytes::Bytes;
use http::{Response, StatusCode, Version, header};
use http_body::Body;
use mantlet_contract::routes::Visibility;

use super::{Ending, Road, actions, due::Outcome};
use crate::{
    Mode, Reason, Refusal, ResponseBody, Scheme,
    audit::{Record, Sink},
    authentication,
    call::request_id::X_REQUEST_ID,
    headers,
    refusal::response,
};

/// The outcome of a request.
pub(super) type Ended<B> = Result<Response<ResponseBody<B>>, Ending>;

/// The work after the outcome is known: records, debts, and headers of every response.
pub(super) fn finish<B: Body<Data = Bytes>, S: Sink>(
    road: &Road<'_, S>,
    ended: Ended<B>,
) -> Response<ResponseBody<B>> {
    let (policy, call, audit) = (road.policy, &road.call, road.audit);
    // audit: what was seen in the body.
    let seen = road.due.tell_findings(policy, call, audit);
    let is_refused = ended.is_err();
    let (mut answer, refusal) = match ended {
        Ok(answer) => (answer, None),
        Err(Ending::Redirected(location)) => (response::redirect(location).map(ResponseBody::own), None),
        Err(Ending::LogIn(location)) => (response::log_in(location).map(ResponseBody::own), None),
        Err(Ending::Instead(answer)) => (answer.map(ResponseBody::read), None),
        Err(Ending::LoggedOut) => (response::done().map(ResponseBody::own), None),
        Err(Ending::Preflight(headers)) => {
            let mut answer = response::preflight(headers).map(ResponseBody::own);
            set_headers(road, &mut answer);
            return answer;
        }
        Err(Ending::Refused(refusal)) => {
            // audit: one record of the decision.
            tell(road, &refusal, seen);
            (response::refuse(call, &refusal).map(ResponseBody::own), Some(refusal))
        }
    };
    // audit: what was done.
    actions::tell(road, answer.status(), is_refused);
    // Settle once the response is known. After the refusal's own record, which shows the cause of a
    // ban.
    road.due.settle(
        policy,
        call,
        audit,
        &Outcome {
            reason: refusal.as_ref().map(|refusal| refusal.reason),
            status: answer.status(),
            headers: answer.headers(),
        },
    );
    if let Some(refusal) = refusal {
        // throttle: a client that goes on after a refusal waits for the next one.
        if let Some(tarpit) = policy.throttle.tarpit(call, &refusal) {
            answer.extensions_mut().insert(tarpit);
        }
    } else {
        // throttle: the client's standing.
        if let Some(standing) = &road.due.standing {
            standing.set_headers(answer.headers_mut());
        }
        // deprecation: for the client's developers.
        policy.deprecation.apply(call.operation.as_ref(), answer.headers_mut());
        // cookies: the app's own, before others are set beside them.
        mend_cookies(road, &mut answer);
        // authentication: a WebSocket or a stream ends with the session that has opened it.
        if goes_on(&answer) {
            let account = road.due.account.as_deref();
            let account = account.map(|(callers, caller)| (policy.accounts.mode, callers.follow(caller)));
            if let Some(tenure) = policy.authentication.tenure(call, road.due.shown.own(), account) {
                answer.extensions_mut().insert(tenure);
            }
        }
    }
    // cors: refusals too, or a browser shows its user "CORS error" instead of what went wrong.
    policy.cors.set_headers_for(call.origin.as_ref(), answer.headers_mut());
    set_headers(road, &mut answer);
    answer
}

/// The response in the place of one whose record could not be kept.
pub(super) fn unrecorded<B: Body<Data = Bytes>, S: Sink>(road: &Road<'_, S>) -> Response<ResponseBody<B>> {
    let mut answer = response::refuse(&road.call, &Reason::AuditUnavailable.into()).map(ResponseBody::own);
    road.policy.cors.set_headers_for(road.call.origin.as_ref(), answer.headers_mut());
    set_headers(road, &mut answer);
    answer
}

/// Bytes of a response that a client may take long to read.
const LONG: u64 = 1 << 20;

/// Whether a response may go on for a while: a WebSocket, a stream, a large file.
fn goes_on<B: Body<Data = Bytes>>(answer: &Response<ResponseBody<B>>) -> bool {
    answer.status() == StatusCode::SWITCHING_PROTOCOLS
        || answer.body().size_hint().exact().is_none_or(|length| length > LONG)
}

/// Records a refusal. A client that has left was not refused.
fn tell<S: Sink>(road: &Road<'_, S>, refusal: &Refusal, seen: Option<&str>) {
    if refusal.reason == Reason::AuditUnavailable {
        // There is nowhere to record it.
    } else if refusal.repeated {
        road.audit.repeated(&road.call, refusal.reason, Mode::Enforce);
    } else if refusal.reason != Reason::BodyIncomplete || road.call.version == Version::HTTP_2 {
        road.audit.record(Record::of(&road.call, refusal, Mode::Enforce).about(seen));
    }
}

fn mend_cookies<B, S: Sink>(road: &Road<'_, S>, answer: &mut Response<B>) {
    let cookies = &road.policy.cookies;
    let https = road.call.client.scheme == Scheme::Https;
    match cookies.mode {
        Mode::Enforce => cookies.apply(answer.headers_mut(), https),
        Mode::Report => {
            for name in cookies.news(answer.headers(), https) {
                road.audit.record(Record::of_cookie(&road.call, name));
            }
        }
        Mode::Off => {}
    }
}

/// The headers of every response, refusals too.
fn set_headers<B: Body<Data = Bytes>, S>(road: &Road<'_, S>, answer: &mut Response<ResponseBody<B>>) {
    let (policy, call) = (road.policy, &road.call);
    // csrf: the token's cookie; a refusal sets it too, so that the next try can succeed.
    if let Some(held) = &road.due.csrf {
        policy.csrf.tokens.set_headers(held, answer);
    }
    // authentication: the cookie of a browser that has logged in. After csrf: it is not a session of the app.
    if let Some(line) = &road.due.fingerprint {
        authentication::set_cookie(answer.headers_mut(), line);
    }
    // headers: last, because they depend on the response after all other controls.
    let facts = headers::Facts {
        path: policy.headers.path_of_docs(call.spellings()),
        https: call.client.scheme == Scheme::Https,
        carries_credentials: call.carries_credentials,
        not_modified: answer.status() == StatusCode::NOT_MODIFIED,
        own: answer.body().is_own(),
        docs: call.operation.as_ref().map(|matched| matched.route.visibility == Visibility::Docs),
        public_host: call.client.scheme == Scheme::Https && call.host.asked().is_some_and(headers::is_public),
        loaded_as_code: call.loaded_as_code,
        empty: answer.body().size_hint().exact() == Some(0),
    };
    let headers = answer.headers_mut();
    policy.headers.apply_in(road.settings.headers, headers, &facts);
    if let header::Entry::Vacant(vacant) = headers.entry(X_REQUEST_ID) {
        vacant.insert(call.request_id.header().clone());
    }
}
