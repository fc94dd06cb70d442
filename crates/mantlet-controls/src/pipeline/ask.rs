//! What the app does with tokens that are not good: it is asked, with tokens that the gate has forged.

use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};

use super::{App, Road, question};
use crate::{
    Call,
    audit::Sink,
    authentication::{Answers, Carrier, Presented, Question, forged, said_by, unsigned, with_token},
    dpop,
};

/// For the app's own log.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!(
    "mantlet/",
    env!("CARGO_PKG_VERSION"),
    " (asks whether the app refuses forged tokens)"
));

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
    ) || *name == dpop::DPOP // it is good once, and for its own token
        || text.starts_with("if-")
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
    if !status.is_success() {
        road.policy.authentication.did_not_ask(question.kind);
        return;
    }
    let answers = answers(&road.call, app, &question).await;
    road.policy.authentication.has_asked(question.kind, &road.call, road.audit, answers.as_ref());
}

/// The app has logged a client in, and its key was found: it is asked about the caller with the new
/// token, and with forged ones.
pub(super) async fn after_a_login<B, A: App<B>, S: Sink>(
    road: &Road<'_, S>,
    app: &mut A,
    (token, carrier): (Box<str>, Carrier),
) {
    let (call, authentication) = (&road.call, &road.policy.authentication);
    let Some((target, kind)) = authentication.where_to_ask(call, &carrier, true) else { return };
    let mut headers = HeaderMap::new();
    if let Some(host) = question::host(call) {
        headers.insert(header::HOST, host);
    }
    let question = Question { token, carrier, target, headers, kind };
    let good = app.ask(call, request(call, &question, Some(&question.token))).await;
    let is_accepted = good.is_some_and(|answer| answer.status().is_success());
    let answers = if is_accepted { answers(call, app, &question).await } else { None };
    authentication.has_asked(kind, call, road.audit, answers.as_ref());
}

/// Asks with a forged token, with one that has no signature, and with none.
async fn answers<B, A: App<B>>(call: &Call, app: &mut A, question: &Question) -> Option<Answers> {
    let (forged, unsigned) = (forged(&question.token)?, unsigned(&question.token)?);
    let first = said_by(&app.ask(call, request(call, question, Some(&forged))).await?);
    let second = said_by(&app.ask(call, request(call, question, Some(&unsigned))).await?);
    let missing = said_by(&app.ask(call, request(call, question, None)).await?);
    Some(Answers { bad: [first, second], missing })
}

/// A target with this token in its query, or without any.
fn in_query(target: &Uri, name: &str, token: Option<&str>) -> Uri {
    let query = with_token(target.query().unwrap_or_default(), name, token);
    let path = target.path();
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    target.parse().unwrap_or_default()
}

fn request(call: &Call, question: &Question, token: Option<&str>) -> Request<()> {
    let target = match question.carrier {
        Carrier::Query(name) => in_query(&question.target, name, token),
        _ => question.target.clone(),
    };
    let kept = question.headers.iter().filter(|(name, _)| !is_left_out(name));
    let headers = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    // No client is to be blamed for what we ask.
    let nobody = Some(HeaderValue::from_static("127.0.0.1"));
    let mut request = question::get(call, target, headers, USER_AGENT, nobody);
    let (name, value) = match (&question.carrier, token) {
        // Nothing is shown, or it stands in the target; and the app is not asked about handshakes.
        (_, None) | (Carrier::Query(_) | Carrier::Protocol, Some(_)) => return request,
        (Carrier::Bearer, Some(token)) => (header::AUTHORIZATION, format!("Bearer {token}")),
        (Carrier::Cookie(name), Some(token)) => (header::COOKIE, format!("{name}={token}")),
    };
    if let Ok(mut value) = HeaderValue::try_from(value) {
        value.set_sensitive(true);
        request.headers_mut().insert(name, value);
    }
    request
}
