//! The server at the admin socket.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use mantlet_controls::{
    Policy, ResponseBody, api_keys,
    audit::{Outcome, Record, Sink},
    call::Spellings,
    contract::Rules,
};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::net::{UnixListener, UnixStream};

use super::{
    accounts, bans, keys, quotas, sessions,
    socket::{Admin, PAGE, PATIENCE},
    trouble::{Trouble, no_method},
};
use crate::{
    clock,
    scrape::{self, Format},
    shared::Shared,
    small_server,
};

/// Bytes of a name in a record, at most.
const LONGEST_NAME: usize = 128;

/// Serves the socket for as long as it is polled; without a socket it does nothing.
pub(crate) async fn serve(admin: Option<&Admin>, shared: &Arc<Shared>) {
    let Some(admin) = admin else { return std::future::pending().await };
    let listener = match admin.listener.try_clone().and_then(UnixListener::from_std) {
        Ok(listener) => listener,
        Err(error) => {
            crate::tell(&format!("the admin socket cannot be served: {error}"));
            return std::future::pending().await;
        }
    };
    let accept = async || listener.accept().await.map(|(stream, _)| stream);
    small_server::serve(accept, PATIENCE, |stream| {
        let shared = Arc::clone(shared);
        async move {
            let operator = operator(&stream);
            let answer = async |request| respond(answered(&request, &operator, &shared).await);
            small_server::converse(stream, answer).await;
        }
    })
    .await;
}

/// The answer to a request, which is recorded if it changes something.
async fn answered(request: &Request<Incoming>, operator: &str, shared: &Shared) -> Result<Value, Trouble> {
    let uri = request.uri();
    let outcome = answer(request.method(), uri.path(), uri.query(), shared).await;
    if shared.policy.load().records_actions()
        && let Some(mut act) = act(request.method(), uri.path(), uri.query())
    {
        if request.headers().get(header::USER_AGENT).is_some_and(|program| program == PAGE) {
            act.push_str(", on the operator's page");
        }
        let is_done = if outcome.is_ok() { Outcome::Success } else { Outcome::Failure };
        shared.audit.record(Record::of_operator(&act, operator.to_owned(), is_done, clock::now()));
    }
    outcome
}

/// Who asks: the user of the process at the other end, as the system knows it.
fn operator(stream: &UnixStream) -> String {
    stream.peer_cred().map_or_else(|_| "unknown".to_owned(), |found| format!("uid:{}", found.uid()))
}

/// What a request changes, in words; none if it only reads. The key of a quota may be an API key, so it
/// is not repeated.
fn act(method: &Method, path: &str, query: Option<&str>) -> Option<String> {
    let segments = segments(path);
    let segments: Vec<&str> = segments.iter().map(|text| text.get(..LONGEST_NAME).unwrap_or(text)).collect();
    Some(match (segments.as_slice(), method) {
        (["accounts"], &Method::POST) => accounts::act(parameters(query, ["act", "account"]).ok()?)?,
        (["bans"], &Method::DELETE) => "lift all bans".to_owned(),
        (["bans", address], &Method::DELETE) => format!("lift the ban of {address}"),
        (["keys"], &Method::POST) => "create an API key".to_owned(),
        (["keys", id], &Method::DELETE) => {
            format!("revoke the API key {}", api_keys::id_of(id).unwrap_or(id))
        }
        (["quotas", quota, _], &Method::DELETE) => format!("reset a key of the quota {quota}"),
        (["sessions"], &Method::DELETE) => {
            let [account, _] = parameters(query, ["account", "keep"]).ok()?;
            format!("end the sessions of {}", account?)
        }
        (["sessions", id], &Method::DELETE) => format!("end the session {id}"),
        _ => return None,
    })
}

/// The routes of the admin socket.
async fn answer(method: &Method, path: &str, query: Option<&str>, shared: &Shared) -> Result<Value, Trouble> {
    let (policy, audit) = (shared.policy.load_full(), &shared.audit);
    let quotas = quotas::Question { policy: &policy, store: shared.store.as_ref(), now: quotas::now() };
    let bans = policy.throttle.bans();
    let environment = &policy.api_keys.environment;
    let segments = segments(path);
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    match (segments.as_slice(), method) {
        (["accounts"], &Method::POST) => {
            let asked = parameters(query, ["act", "account"])?;
            accounts::changed(shared.config.callers.as_ref(), asked)
        }
        (["agreement"], &Method::GET) => Ok(agreement(&policy)),
        (["contract"], &Method::GET) => Ok(contract(&policy)),
        (["objects"], &Method::GET) => Ok(objects(&policy)),
        (["metrics"], &Method::GET) => {
            let text = scrape::text(shared, Format::Text);
            Ok(json!({ "requests": shared.requests.is_some(), "text": text }))
        }
        (["bans"], &Method::GET) => Ok(bans::list(&policy)),
        (["bans"], &Method::DELETE) => bans::lift_all(bans, audit),
        (["bans", address], &Method::DELETE) => bans::lift(bans, address, audit),
        (["keys"], &Method::GET) => Ok(keys::list(&shared.keys, environment)),
        (["keys"], &Method::POST) => {
            let asked = parameters(query, ["name", "account", "scopes", "expires"])?;
            keys::create(&shared.keys, environment, asked, audit).await
        }
        (["keys", id], &Method::GET) => keys::show(&shared.keys, environment, id),
        (["keys", id], &Method::DELETE) => keys::revoke(&shared.keys, environment, id, audit).await,
        (["quotas"], &Method::GET) => quotas.list().await,
        (["quotas", quota, key], &Method::GET) => quotas.show(quota, key).await,
        (["quotas", quota, key], &Method::DELETE) => quotas.reset(quota, key, audit).await,
        (["sessions"], &Method::GET) => {
            let [account] = parameters(query, ["account"])?;
            Ok(sessions::list(&shared.sessions, account.as_deref()).await)
        }
        (["sessions"], &Method::DELETE) => {
            let [account, keep] = parameters(query, ["account", "keep"])?;
            let account = account.ok_or_else(|| {
                let message = "name a session, `/sessions/{id}`, or an account, `/sessions?account=NAME`";
                Trouble::new(StatusCode::BAD_REQUEST, message)
            })?;
            sessions::end_of_account(&shared.sessions, &account, keep.as_deref(), audit).await
        }
        (["sessions", id], &Method::DELETE) => sessions::end(&shared.sessions, id, audit).await,
        (["agreement" | "contract" | "metrics" | "objects" | "quotas"], _) => {
            Err(no_method(method, path, "GET"))
        }
        (["accounts"], _) => Err(no_method(method, path, "POST")),
        (["keys"], _) => Err(no_method(method, path, "GET, POST")),
        (["bans" | "sessions"] | ["quotas", _, _] | ["keys", _], _) => {
            Err(no_method(method, path, "GET, DELETE"))
        }
        (["bans" | "sessions", _], _) => Err(no_method(method, path, "DELETE")),
        _ => Err(Trouble::new(
            StatusCode::NOT_FOUND,
            format!(
                "`{path}` does not exist; use `/accounts`, `/agreement`, `/bans`, `/bans/{{address}}`, `/contract`, `/keys`, \
                 `/keys/{{id}}`, `/metrics`, `/objects`, `/quotas`, `/quotas/{{quota}}/{{key}}`, `/sessions` or `/sessions/{{id}}`"
            ),
        )),
    }
}

fn respond(outcome: Result<Value, Trouble>) -> Response<ResponseBody<Incoming>> {
    let (status, allow, body) = match outcome {
        Ok(body) => (StatusCode::OK, None, body),
        Err(trouble) => (trouble.status, trouble.allow, json!({ "error": trouble.message })),
    };
    let mut response = Response::new(ResponseBody::own(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(methods) = allow {
        headers.insert(header::ALLOW, HeaderValue::from_static(methods));
    }
    response
}

/// The segments of a path, percent-decoded one by one, because a key may contain any character.
fn segments(path: &str) -> Vec<Cow<'_, str>> {
    path.split('/').skip(1).map(|segment| percent_decode_str(segment).decode_utf8_lossy()).collect()
}

/// The values of these parameters in a query, percent-decoded. Another parameter is a mistake.
fn parameters<const N: usize>(query: Option<&str>, names: [&str; N]) -> Result<[Option<String>; N], Trouble> {
    let mut values = [const { None }; N];
    for part in query.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let place = names.iter().zip(&mut values).find(|(known, _)| **known == name);
        let Some((_, place)) = place else {
            let message = format!("`{name}` is not a parameter here; use `{}`", names.join("` or `"));
            return Err(Trouble::new(StatusCode::BAD_REQUEST, message));
        };
        *place = Some(percent_decode_str(value).decode_utf8_lossy().into_owned());
    }
    Ok(values)
}

/// Rules about owners, in force and proposed, and what traffic says of them.
fn objects(policy: &Policy) -> Value {
    let contract = policy.contract.in_force();
    let objects = policy.authorization.objects(contract.as_deref());
    let learning = policy.authorization.learns();
    json!({ "contract": contract.is_some(), "learning": learning, "objects": objects })
}

/// How the app responded to input that was judged and passed on.
fn agreement(policy: &Policy) -> Value {
    let contract = policy.contract.in_force();
    let operations =
        contract.as_ref().map(|contract| contract.agreement(|method, path| rules_of(policy, method, path)));
    json!({ "contract": contract.is_some(), "operations": operations.unwrap_or_default() })
}

/// The operations of the app, each with what becomes of its invalid input.
fn contract(policy: &Policy) -> Value {
    let contract = policy.contract.in_force();
    let operations =
        contract.as_ref().map(|contract| contract.overview(|method, path| rules_of(policy, method, path)));
    json!({ "contract": contract.is_some(), "operations": operations.unwrap_or_default() })
}

fn rules_of(policy: &Policy, method: &str, path: &str) -> Rules {
    let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
    policy.routes.of(&method, Spellings::one(path)).rules
}
