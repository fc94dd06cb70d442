//! The account that a request names: at a login, a reset, a change of a password.

mod spelling;

use http::{HeaderValue, Request, header};
use http_body::Body;
use mantlet_contract::{
    inputs::{Named, in_cookies, in_query, named},
    sensitive::{CredentialPlace, Place},
};

pub(crate) use self::spelling::compared;
use crate::{Call, Reason, RequestBody};

/// Longest body in which a field is looked for: forms of logins are short.
const READ_AHEAD: usize = 64 << 10;

/// Accounts of one request that are counted.
pub(crate) const MOST_ACCOUNTS: usize = 8;

/// Reads a body ahead that may name an account.
pub(crate) async fn read_ahead<B>(request: &mut Request<RequestBody<B>>) -> Result<(), Reason>
where
    B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
{
    let body = request.body_mut();
    if body.size_hint().lower() > READ_AHEAD as u64 {
        return Ok(());
    }
    while body.ahead().len() <= READ_AHEAD && body.read_ahead().await? {}
    Ok(())
}

/// The accounts that a request names: one in each of the first of these places, for any of them may
/// be the one that the app looks for; if it has none, the first in the others. Clients that hide it
/// in a body that is not read here share one account, or long bodies would evade the limit; so do
/// requests with more than [`MOST_ACCOUNTS`].
pub(crate) fn accounts<B>(
    call: &Call,
    request: &Request<RequestBody<B>>,
    places: &[Place],
    each: usize,
) -> Vec<String>
where
    B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
{
    let (each, others) = places.split_at_checked(each).unwrap_or((places, &[]));
    let mut found = Vec::new();
    for name in each.iter().filter_map(|place| account(call, request, place)) {
        let name = if found.len() + 1 < MOST_ACCOUNTS { name } else { String::new() };
        if !found.contains(&name) {
            found.push(name);
        }
    }
    if found.is_empty() {
        found.extend(others.iter().find_map(|place| account(call, request, place)));
    }
    found
}

/// The account that a request names in a place.
fn account<B>(call: &Call, request: &Request<RequestBody<B>>, place: &Place) -> Option<String>
where
    B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
{
    match place {
        Place::Body(keys) => match field(request, keys) {
            Named::Text(text) => Some(text),
            Named::Nothing => None,
            Named::Unsure => Some(String::new()),
        },
        Place::Query(name) => compared(&in_query(request.uri().query()?.as_bytes(), name)?),
        Place::Path(name) => {
            let (_, _, place) = call.operation.as_ref()?.parameters.iter().find(|(own, ..)| own == name)?;
            compared(call.path.as_str().get(place.clone())?)
        }
    }
}

/// A field of a body that has been read ahead, as accounts are compared.
pub(crate) fn field<B>(request: &Request<RequestBody<B>>, keys: &[impl AsRef<str>]) -> Named
where
    B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
{
    let body = request.body();
    if body.size_hint().lower() > READ_AHEAD as u64 {
        return Named::Unsure;
    }
    let content_type = request.headers().get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    match named(content_type, body.ahead(), keys) {
        Named::Text(text) => compared(&text).map_or(Named::Nothing, Named::Text),
        other => other,
    }
}

/// A credential that a request has in a place, as it is written.
pub(crate) fn credential<B>(
    call: &Call,
    request: &Request<RequestBody<B>>,
    place: &CredentialPlace,
) -> Option<String>
where
    B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
{
    let headers = request.headers();
    match place {
        CredentialPlace::Input(Place::Body(keys)) => {
            let body = request.body();
            if body.size_hint().lower() > READ_AHEAD as u64 {
                return None;
            }
            let content_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
            match named(content_type, body.ahead(), keys) {
                Named::Text(text) => Some(text),
                Named::Nothing | Named::Unsure => None,
            }
        }
        CredentialPlace::Input(Place::Query(name)) => in_query(request.uri().query()?.as_bytes(), name),
        CredentialPlace::Input(Place::Path(name)) => {
            let (_, _, place) = call.operation.as_ref()?.parameters.iter().find(|(own, ..)| own == name)?;
            call.path.as_str().get(place.clone()).map(str::to_owned)
        }
        CredentialPlace::Header(name) => {
            headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        }
        CredentialPlace::Cookie(name) => {
            in_cookies(headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes), name)
        }
    }
}
