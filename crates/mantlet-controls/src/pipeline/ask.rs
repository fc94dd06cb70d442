//! What the app does with tokens that are not good: it is asked, with tokens that the gate has forged.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};

use super::{App, Road};
use crate::{
    Call, Scheme,
    audit::Sink,
    authentication::{Answer, Presented, Question, forged, unsigned},
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Headers of a client's request that a question does not repeat: credentials other than the token,
/// what names the client, and what an answer could depend on beside the token.
fn is_left_out(name: &HeaderName) -> bool {
    let text = name.as_str();
    matches!(
        *name,
        header::COOKIE
            | header::AUTHORIZATION
            | header::RANGE
            | header::CONNECTION
            | header::UPGRADE
            | header::CONTENT_LENGTH
            | header::CONTENT_TYPE
            | header::TRANSFER_ENCODING
            | header::FORWARDED
            | header::ORIGIN
    ) || text.starts_with("if-")
        || text.starts_with("x-forwarded-")
        || text.starts_with("sec-")
        || text == "x-real-ip"
}

/// A client was let in with a good token: what does the app answer to the same request with a forged one?
pub(super) async fn after_a_good_token<B, A: App<B>, S: Sink>(
    road: &mut Road<'_, S>,
    app: &mut A,
    status: StatusCode,
) {
    let Presented::Good(question) = std::mem::take(&mut road.due.presented) else { return };
    let Question { token, target, headers, kind } = *question;
    let authentication = &road.policy.authentication;
    if !status.is_success() {
        authentication.has_not_asked(kind);
        return;
    }
    compare(road, app, &token, &headers, (&target, kind)).await;
}

/// The app has logged a client in, and its key was found: it is asked about the caller with the new
/// token, and with forged ones.
pub(super) async fn after_a_login<B, A: App<B>, S: Sink>(road: &Road<'_, S>, app: &mut A, token: &str) {
    let Some((target, kind)) = road.policy.authentication.where_to_ask(&road.call) else { return };
    let mut headers = HeaderMap::new();
    if let Some(host) = road.call.host.sent().and_then(|host| HeaderValue::from_str(host).ok()) {
        headers.insert(header::HOST, host);
    }
    let good = app.ask(&road.call, question(&road.call, &headers, &target, token)).await;
    if good.is_some_and(|answer| answer.status().is_success()) {
        compare(road, app, token, &headers, (&target, kind)).await;
    } else {
        road.policy.authentication.has_not_asked(kind);
    }
}

/// Asks with a forged token and with one that has no signature.
async fn compare<B, A: App<B>, S: Sink>(
    road: &Road<'_, S>,
    app: &mut A,
    token: &str,
    headers: &HeaderMap,
    (target, kind): (&Uri, u64),
) {
    let mut answers = Vec::with_capacity(2);
    for (of, bad) in
        [("a token with another signature", forged(token)), ("a token without a signature", unsigned(token))]
    {
        let Some(bad) = bad else { break };
        let Some(answer) = app.ask(&road.call, question(&road.call, headers, target, &bad)).await else {
            break;
        };
        let challenge = answer.headers().get(header::WWW_AUTHENTICATE).cloned();
        answers.push(Answer { of, status: answer.status(), challenge, body: answer.into_body().to_vec() });
    }
    let authentication = &road.policy.authentication;
    match <[Answer; 2]>::try_from(answers) {
        Ok(answers) => authentication.has_asked(kind, &road.call, road.audit, &answers),
        Err(_) => authentication.has_not_asked(kind),
    }
}

fn question(call: &Call, headers: &HeaderMap, target: &Uri, token: &str) -> Request<()> {
    let mut question = Request::new(());
    *question.method_mut() = Method::GET;
    *question.uri_mut() = target.clone();
    let asked = question.headers_mut();
    asked.extend(
        headers
            .iter()
            .filter(|(name, _)| !is_left_out(name))
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    // No client is to be blamed for what we ask.
    asked.insert(X_FORWARDED_FOR, HeaderValue::from_static("127.0.0.1"));
    if call.client.scheme == Scheme::Https {
        asked.insert(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
    }
    if let Ok(value) = HeaderValue::from_str(&format!("Bearer {token}")) {
        asked.insert(header::AUTHORIZATION, value);
    }
    question
}
