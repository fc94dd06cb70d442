//! Where refresh tokens stand in requests, and how one is put in the place of another.

use http::{HeaderName, HeaderValue, Request, header};
use http_body::Body;
use mantlet_contract::sensitive::{CredentialPlace, Evidence, Place, SessionRole};
use memchr::memmem;
use zeroize::Zeroizing;

use crate::{
    Call, Reason, RequestBody, account,
    identity::bearer,
    message::{
        cookie,
        media_type::{MediaType, is_multipart},
        query,
    },
    operation::Contract,
};

/// The parts of a request in which handles are looked for, the head first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Headers and cookies: before anything judges tokens.
    Head,
    /// The body and the query: when the body may be read.
    Rest,
}

/// A place in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum At {
    Bearer,
    Place(CredentialPlace),
}

impl At {
    fn part(&self) -> Part {
        match self {
            Self::Bearer | Self::Place(CredentialPlace::Header(_) | CredentialPlace::Cookie(_)) => Part::Head,
            Self::Place(CredentialPlace::Input(_)) => Part::Rest,
        }
    }
}

/// The ways in which the app takes a refresh token, as its contract has them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ways {
    /// As a text: in a body, a query, a header.
    pub(super) as_text: bool,
    /// In these cookies.
    pub(super) cookies: Vec<Box<str>>,
}

impl Ways {
    pub(super) fn of(contract: &Contract) -> Self {
        let mut ways = Self::default();
        let all = contract.session_roles.values().flatten();
        for found in all.filter(|one| one.role == SessionRole::Refresh && one.evidence == Evidence::Known) {
            // Without a place it comes as its security scheme says.
            ways.as_text |= found.places.is_empty();
            for place in &found.places {
                match place {
                    CredentialPlace::Cookie(name) => ways.cookies.push(name.as_str().into()),
                    // A token in a path is in every log already.
                    CredentialPlace::Input(Place::Path(_)) => {}
                    CredentialPlace::Input(Place::Body(_) | Place::Query(_)) | CredentialPlace::Header(_) => {
                        ways.as_text = true;
                    }
                }
            }
        }
        ways
    }
}

/// The places of a request in which its operation takes the token that it is about.
pub(super) fn of(call: &Call, part: Part) -> Vec<At> {
    let roles = call.operation.iter().flat_map(|matched| matched.session_roles(&call.method));
    let roles = roles.filter(|found| is_concerned(found.role));
    let mut all: Vec<At> = Vec::new();
    for role in roles {
        let places = role.places.iter().cloned().map(At::Place);
        for at in places.chain([At::Bearer]).filter(|at| at.part() == part) {
            if !all.contains(&at) {
                all.push(at);
            }
        }
    }
    all
}

/// Whether an operation of this role takes refresh tokens.
pub(super) const fn is_concerned(role: SessionRole) -> bool {
    matches!(role, SessionRole::Refresh | SessionRole::Logout)
}

/// The text in a place.
pub(super) fn text<B>(call: &Call, request: &Request<RequestBody<B>>, at: &At) -> Option<Zeroizing<String>>
where
    B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
{
    let text = match at {
        At::Bearer => bearer(request.headers()).map(str::to_owned),
        At::Place(place) => account::credential(call, request, place),
    };
    text.map(Zeroizing::new)
}

/// Puts a token in the place of a handle. False if that is not possible: then the request is as it
/// was.
pub(super) fn put<B>(
    call: &Call,
    request: &mut Request<RequestBody<B>>,
    at: &At,
    (handle, token): (&str, &str),
) -> bool
where
    B: Body<Data = bytes::Bytes, Error = Reason> + Unpin,
{
    match at {
        At::Bearer => {
            let text = Zeroizing::new(format!("Bearer {token}"));
            insert(request, header::AUTHORIZATION, &text)
        }
        At::Place(CredentialPlace::Header(name)) => {
            name.parse().is_ok_and(|name: HeaderName| insert(request, name, token))
        }
        At::Place(CredentialPlace::Cookie(name)) => {
            cookie::take_out(request.headers_mut(), name.as_bytes());
            cookie::append(request.headers_mut(), &Zeroizing::new(format!("{name}={token}")));
            true
        }
        At::Place(CredentialPlace::Input(Place::Body(_))) => {
            let content_type = MediaType::of(request.headers());
            let written = if content_type.is_some_and(|kind| kind.is("application/x-www-form-urlencoded")) {
                query::escaped(token)
            } else if is_multipart(request.headers()) {
                Zeroizing::new(token.to_owned())
            } else {
                in_json(token)
            };
            let before = Zeroizing::new(request.body().ahead().to_vec());
            let Some(after) = replaced(&before, handle, &written) else { return false };
            request.body_mut().replace_ahead(&after);
            // What stands in that place must be the token now, and nothing else may have become it.
            if text(call, request, at).is_none_or(|found| **found != *token) {
                request.body_mut().replace_ahead(&before);
                return false;
            }
            let length = HeaderValue::from(request.body().ahead().len());
            if request.headers().contains_key(header::CONTENT_LENGTH) {
                request.headers_mut().insert(header::CONTENT_LENGTH, length);
            }
            true
        }
        At::Place(CredentialPlace::Input(Place::Query(_))) => {
            let before = request.uri().clone();
            let written = before.query().unwrap_or_default();
            let Some(after) = replaced(written.as_bytes(), handle, &query::escaped(token)) else {
                return false;
            };
            if !query::set(request, &after) || text(call, request, at).is_none_or(|found| **found != *token) {
                *request.uri_mut() = before;
                return false;
            }
            true
        }
        At::Place(CredentialPlace::Input(Place::Path(_))) => false,
    }
}

fn insert<B>(request: &mut Request<B>, name: HeaderName, text: &str) -> bool {
    let Ok(mut value) = HeaderValue::try_from(text) else { return false };
    value.set_sensitive(true);
    request.headers_mut().insert(name, value);
    true
}

/// A text with another in the place of a handle that it has exactly once: a second one could stand
/// where the app keeps or repeats it, and the app's own token would get out there.
fn replaced(text: &[u8], handle: &str, by: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut found = memmem::find_iter(text, handle);
    let (Some(at), None) = (found.next(), found.next()) else { return None };
    let (before, rest) = text.split_at_checked(at)?;
    let (_, after) = rest.split_at_checked(handle.len())?;
    Some(Zeroizing::new([before, by.as_bytes(), after].concat()))
}

/// As it stands between the quotes of a JSON text.
pub(super) fn in_json(text: &str) -> Zeroizing<String> {
    let quoted = Zeroizing::new(serde_json::Value::from(text).to_string());
    Zeroizing::new(
        quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned(),
    )
}
