//! The API: tokens for OAuth clients, JSON for the app's own front end.
//!
//! A request is judged in this order: path (404), method (405), session (401), kind of its body (415), size (413), fields
//! (422). Then `Accounts` decides. The answers to register, log in, ask for a reset and change of the address are the same,
//! byte for byte, whether an address has an account: each handler does after `Accounts` only what it does in both cases.

mod entry;
mod links;
mod own;
mod published;
mod token;

use http::{HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use mantlet_accounts::{bulk::Summary, sessions::Session};
use serde_json::{Value, json};

use crate::{
    SignIn,
    answers::{self, Stop, detail, unauthorized},
    asked::{Answer, Asked, Event, What as Happened},
    fields::{self, Fields},
    form,
    operations::{self, Body, Operation, What},
};

/// Bytes of a body at most.
const MOST: usize = 64 * 1024;

/// Whether a path below that of the accounts is the API's.
pub(crate) fn owns(below: &str) -> bool {
    matches!(below, "/token" | "/revoke" | "/api") || below.starts_with("/api/")
}

/// Answers a request for a path below that of the accounts, or for one that is well known.
pub(crate) async fn answer(sign_in: &SignIn, now: Timestamp, asked: &Asked, path: &str) -> Answer {
    let here: Vec<&Operation> = operations::at(path).collect();
    if here.is_empty() {
        return detail(StatusCode::NOT_FOUND, "Not Found");
    }
    let method = if *asked.method() == Method::HEAD { &Method::GET } else { asked.method() };
    let Some(operation) = here.iter().find(|operation| operation.method == method.as_str()) else {
        let allowed = here.iter().map(|operation| operation.method);
        let allowed: Vec<&str> =
            allowed.flat_map(|name| if name == "GET" { vec![name, "HEAD"] } else { vec![name] }).collect();
        let refused = detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
        return match HeaderValue::from_str(&allowed.join(", ")) {
            Ok(allowed) => refused.with(header::ALLOW, allowed),
            Err(_) => refused,
        };
    };
    let mut answer = match run(sign_in, now, asked, operation, path).await {
        Ok(answer) => answer,
        Err(stop) => stop.into_answer(),
    };
    if *asked.method() == Method::HEAD {
        answer.response.body_mut().clear();
    }
    answer
}

async fn run(
    sign_in: &SignIn,
    now: Timestamp,
    asked: &Asked,
    operation: &Operation,
    path: &str,
) -> Result<Answer, Stop> {
    let session = asked.session.as_ref();
    if operation.is_own && session.is_none() {
        return Err(unauthorized("Not authenticated").into());
    }
    let fields = read(asked, operation)?;
    let call = Call { sign_in, now, asked, fields: &fields };
    match (operation.what, session) {
        (What::Token, _) => token::token(&call).await,
        (What::Revoke, _) => token::revoke(&call).await,
        (What::Register, _) => entry::register(&call).await,
        (What::Login, _) => entry::login(&call).await,
        (What::LoginSecondFactor, _) => entry::second_factor(&call).await,
        (What::Verify, _) => links::verify(&call).await,
        (What::EmailConfirm, _) => links::confirm(&call).await,
        (What::EmailUndo, _) => links::undo(&call).await,
        (What::ResetRequest, _) => links::request_reset(&call).await,
        (What::Reset, _) => links::reset(&call).await,
        (What::Jwks, _) => published::jwks(&call).await,
        (What::Metadata, _) => Ok(published::metadata(&call)),
        (what, Some(session)) => own::run(&call, what, session, path).await,
        (_, None) => Err(unauthorized("Not authenticated").into()),
    }
}

/// A request that is about to be done.
struct Call<'a> {
    sign_in: &'a SignIn,
    now: Timestamp,
    asked: &'a Asked,
    fields: &'a Fields,
}

/// Reads the body as the table has it.
fn read(asked: &Asked, operation: &Operation) -> Result<Fields, Stop> {
    let body = asked.request.body();
    let (fields, kind) = match operation.body {
        Body::Nothing => return Ok(Fields::default()),
        Body::Json(fields) => (fields, "application/json"),
        Body::Form(fields) => (fields, "application/x-www-form-urlencoded"),
    };
    let is_form = matches!(operation.body, Body::Form(_));
    let refuse = |status: StatusCode, said: &str| {
        let mut answer = if is_form { answers::oauth("invalid_request", said) } else { detail(status, said) };
        *answer.response.status_mut() = status;
        Stop::from(answer)
    };
    let given = asked.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.and_then(|given| given.split(';').next()).unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(kind) {
        let said = format!("The body has to be `{kind}`. Send it with this Content-Type.");
        return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, &said));
    }
    if body.len() > MOST {
        return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "The body has more than 65536 bytes."));
    }
    if !is_form {
        return Ok(fields::of_json(fields, body)?);
    }
    fields::of_form(fields, form::read(body)).map_err(|problems| {
        let said = |problem: &fields::Problem| {
            let field = problem.0.pointer("/loc/1").and_then(Value::as_str).unwrap_or("body");
            let what = problem.0.get("msg").and_then(Value::as_str).unwrap_or_default();
            format!("{field}: {what}")
        };
        let said: Vec<String> = problems.iter().map(said).collect();
        answers::oauth("invalid_request", &said.join("; ")).into()
    })
}

/// An event about a session.
fn of_session(what: Happened, session: &Session) -> Event {
    let (account, session) = (Some(session.account.clone()), Some(session.id.clone()));
    Event { what, account, address: None, session }
}

/// An event about an address that the client has named.
fn of_address(what: Happened, address: &str) -> Event {
    Event { what, account: None, address: Some(address.to_owned()), session: None }
}

/// An event about an account, by a link.
fn of_account(what: Happened, account: Option<String>) -> Event {
    Event { what, account, address: None, session: None }
}

/// An account, as its owner sees it.
fn shown(summary: &Summary, session: &Session) -> Value {
    json!({
        "id": summary.id,
        "email": summary.address,
        "is_verified": summary.verified.is_some(),
        "has_second_factor": summary.has_second_factor,
        "created": summary.created,
        "session": {"id": session.id, "factors": session.factors, "scope": session.scope},
    })
}
