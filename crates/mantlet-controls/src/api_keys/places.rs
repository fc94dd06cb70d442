//! Where keys stand in a request.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue, Request, header};
use mantlet_contract::{
    inputs::in_query,
    model::{Location, SecurityScheme},
};
use zeroize::Zeroizing;

use super::config::UpstreamKey;
use crate::{Call, identity::bearer, message::query, operation};

/// A place in which a key may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'c> {
    /// `Authorization: Bearer`.
    Bearer,
    /// A header.
    Header(&'c str),
    /// A parameter of the query.
    Query(&'c str),
}

/// The places in which every operation has them.
pub(super) fn usual(header: &HeaderName) -> impl Iterator<Item = Place<'_>> + Clone {
    [Place::Header(header.as_str()), Place::Bearer].into_iter()
}

/// The places in which the operation of a request may have them.
pub(super) fn of<'c>(call: &'c Call, header: &'c HeaderName) -> impl Iterator<Item = Place<'c>> + Clone {
    let is_other = |place: &Place<'_>| match place {
        Place::Header(name) => !header.as_str().eq_ignore_ascii_case(name),
        Place::Query(_) | Place::Bearer => true,
    };
    usual(header).chain(declared(call).filter(is_other))
}

/// The places in which the operation asks for a key.
fn declared(call: &Call) -> impl Iterator<Item = Place<'_>> + Clone {
    schemes(call).filter_map(|scheme| match scheme {
        SecurityScheme::ApiKey { location: Location::Header, name } => Some(Place::Header(name)),
        SecurityScheme::ApiKey { location: Location::Query, name } => Some(Place::Query(name)),
        _ => None,
    })
}

fn schemes(call: &Call) -> impl Iterator<Item = &SecurityScheme> + Clone {
    let operation = call.operation.as_ref().and_then(|matched| matched.route.operation.as_ref());
    let alternatives = operation.map(|operation| operation.security.as_slice()).unwrap_or_default();
    alternatives.iter().flatten().map(|requirement| &requirement.scheme)
}

/// Where the app expects a key of its own: where the client's stood, if its operation declares that;
/// else in the first place that it declares, else where clients have theirs.
pub(super) fn for_upstream<'c>(call: &'c Call, came: Option<Place<'c>>, header: &'c HeaderName) -> Place<'c> {
    let came = came.filter(|came| declared(call).any(|place| place.is_as(*came)));
    let takes_bearer = || {
        let is_plain = |scheme: &SecurityScheme| matches!(scheme, SecurityScheme::Bearer { token_url: None });
        schemes(call).any(is_plain).then_some(Place::Bearer)
    };
    came.or_else(|| declared(call).next()).or_else(takes_bearer).unwrap_or(Place::Header(header.as_str()))
}

impl Place<'_> {
    fn is_as(self, other: Self) -> bool {
        match (self, other) {
            (Self::Header(one), Self::Header(other)) => one.eq_ignore_ascii_case(other),
            (one, other) => one == other,
        }
    }

    /// Whether the operation of a request reads this place.
    pub(super) fn is_declared(self, call: &Call) -> bool {
        let reads = |name: &str| {
            call.operation.as_ref().is_some_and(|matched| operation::declares_header(&matched.route, name))
        };
        match self {
            Self::Header(name) => reads(name),
            Self::Bearer => {
                schemes(call).any(|scheme| matches!(scheme, SecurityScheme::Bearer { .. }))
                    || reads(header::AUTHORIZATION.as_str())
            }
            // Elsewhere it is not looked for.
            Self::Query(_) => true,
        }
    }

    /// The texts that stand there.
    pub(super) fn texts<B>(self, request: &Request<B>) -> Vec<Cow<'_, str>> {
        match self {
            Self::Bearer => bearer(request.headers()).map(Cow::Borrowed).into_iter().collect(),
            Self::Header(name) => {
                let values = request.headers().get_all(name).iter();
                values.filter_map(|value| Some(Cow::Borrowed(value.to_str().ok()?.trim()))).collect()
            }
            Self::Query(name) => {
                pieces(request).filter_map(|piece| in_query(piece.as_bytes(), name).map(Cow::Owned)).collect()
            }
        }
    }

    /// Takes out the keys that stand there.
    pub(super) fn take_out<B>(self, request: &mut Request<B>, is_key: impl Fn(&str) -> bool) {
        if !self.texts(request).iter().any(|text| is_key(text)) {
            return;
        }
        match self {
            Self::Bearer => drop(request.headers_mut().remove(header::AUTHORIZATION)),
            Self::Header(name) => {
                let Ok(name) = name.parse::<HeaderName>() else { return };
                let is_other = |value: &&HeaderValue| !value.to_str().is_ok_and(|text| is_key(text.trim()));
                let others: Vec<_> =
                    request.headers().get_all(&name).iter().filter(is_other).cloned().collect();
                request.headers_mut().remove(&name);
                for value in others {
                    request.headers_mut().append(&name, value);
                }
            }
            Self::Query(name) => {
                let is_other =
                    |piece: &&str| !in_query(piece.as_bytes(), name).is_some_and(|text| is_key(&text));
                let others = pieces(request).filter(is_other).collect::<Vec<_>>().join("&");
                query::set(request, others.as_bytes());
            }
        }
    }

    /// Puts a key of the app's own there, in the place of all that stands there.
    pub(super) fn put<B>(self, request: &mut Request<B>, key: &UpstreamKey) {
        let header = |text: &str| {
            let mut value = HeaderValue::try_from(text).ok()?;
            value.set_sensitive(true);
            Some(value)
        };
        match self {
            Self::Bearer => {
                let text = Zeroizing::new(format!("Bearer {}", key.expose()));
                if let Some(value) = header(&text) {
                    request.headers_mut().insert(header::AUTHORIZATION, value);
                }
            }
            Self::Header(name) => {
                if let (Ok(name), Some(value)) = (name.parse::<HeaderName>(), header(key.expose())) {
                    request.headers_mut().insert(name, value);
                }
            }
            Self::Query(name) => {
                let is_other = |piece: &&str| in_query(piece.as_bytes(), name).is_none();
                let own =
                    Zeroizing::new(format!("{}={}", *query::escaped(name), *query::escaped(key.expose())));
                let all: Vec<_> = pieces(request).filter(is_other).chain([own.as_str()]).collect();
                query::set(request, all.join("&").as_bytes());
            }
        }
    }
}

/// The parameters of a query as they were sent.
fn pieces<B>(request: &Request<B>) -> impl Iterator<Item = &str> {
    request.uri().query().unwrap_or_default().split('&').filter(|piece| !piece.is_empty())
}
