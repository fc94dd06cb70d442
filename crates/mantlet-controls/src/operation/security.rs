//! How operations ask for credentials.

use std::hash::{DefaultHasher, Hash, Hasher};

use mantlet_contract::model::{Location, Operation, SecurityRequirement, SecurityScheme};

/// Parameters of a query that hold a token, where a client cannot set headers: a browser opens event
/// streams and WebSockets with a URL alone.
pub(crate) const TOKEN_PARAMETERS: [&str; 3] = ["access_token", "token", "jwt"];

/// Whether an operation can do without a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// The app refuses a request that has none.
    Required,
    /// It answers without one, too.
    Optional,
}

/// The credentials that an operation asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Security {
    /// A bearer token.
    pub(crate) bearer: Option<Need>,
    /// Cookies, by their names.
    pub(crate) cookies: Vec<(Box<str>, Need)>,
    /// Something else counts as well: a key in a header or in the query, Basic, or what is not known.
    pub(crate) has_others: bool,
    /// The scopes that a bearer token needs: those of any one list. None if there is a way without any.
    pub(crate) scopes: Option<Vec<Vec<Box<str>>>>,
    /// Operations that ask alike have the same number: one answer of the app speaks for all of them.
    pub(crate) kind: u64,
}

impl Security {
    /// None if the operation asks for no bearer token and no cookie.
    pub(crate) fn of(operation: &Operation) -> Option<Self> {
        let alternatives = &operation.security;
        let all = || alternatives.iter().flatten();
        let need = |is_it: &dyn Fn(&SecurityScheme) -> bool| {
            let asks = |requirement: &SecurityRequirement| is_it(&requirement.scheme);
            let must = |requirement: &SecurityRequirement| requirement.auto_error && asks(requirement);
            let is_required = !alternatives.is_empty() && alternatives.iter().all(|one| one.iter().any(must));
            let need = if is_required { Need::Required } else { Need::Optional };
            all().any(asks).then_some(need)
        };
        let bearer = need(&|scheme| matches!(scheme, SecurityScheme::Bearer { .. }));
        let mut cookies: Vec<(Box<str>, Need)> = Vec::new();
        for requirement in all() {
            let SecurityScheme::ApiKey { location: Location::Cookie, name } = &requirement.scheme else {
                continue;
            };
            let is_it = |scheme: &SecurityScheme| matches!(scheme, SecurityScheme::ApiKey { location: Location::Cookie, name: own } if own == name);
            if !cookies.iter().any(|(known, _)| **known == **name) {
                cookies.extend(need(&is_it).map(|need| (name.as_str().into(), need)));
            }
        }
        if bearer.is_none() && cookies.is_empty() {
            return None;
        }
        let mut kind = DefaultHasher::new();
        for alternative in alternatives {
            alternative.len().hash(&mut kind);
            for requirement in alternative {
                (&requirement.name, requirement.auto_error, &requirement.scopes).hash(&mut kind);
            }
        }
        operation.authenticators.hash(&mut kind);
        let is_of_another_kind = |requirement: &SecurityRequirement| match &requirement.scheme {
            SecurityScheme::Bearer { .. } => false,
            SecurityScheme::ApiKey { location, .. } => *location != Location::Cookie,
            SecurityScheme::Basic | SecurityScheme::Digest | SecurityScheme::Other => true,
        };
        // What must be there beside the token changes nothing about a bad token.
        let has_others = all().any(|one| is_of_another_kind(one) && !one.auto_error);
        Some(Self { bearer, cookies, has_others, scopes: scopes_of(alternatives), kind: kind.finish() })
    }
}

fn scopes_of(alternatives: &[Vec<SecurityRequirement>]) -> Option<Vec<Vec<Box<str>>>> {
    let of_bearer = |alternative: &Vec<SecurityRequirement>| {
        let bearer = alternative.iter().filter(|one| matches!(one.scheme, SecurityScheme::Bearer { .. }));
        let mut scopes: Vec<Box<str>> =
            bearer.flat_map(|one| &one.scopes).map(|scope| scope.as_str().into()).collect();
        scopes.sort_unstable();
        scopes.dedup();
        Some(scopes).filter(|scopes| !scopes.is_empty())
    };
    alternatives.iter().map(of_bearer).collect::<Option<Vec<_>>>().filter(|all| !all.is_empty())
}

/// The parameter of the query in which an operation takes a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueryToken {
    /// Its name.
    pub(crate) name: &'static str,
    /// Whether the operation can do without it.
    pub(crate) need: Need,
    /// The number of this way to ask: one for each operation.
    pub(crate) kind: u64,
}

impl QueryToken {
    /// None if an operation declares no such parameter.
    pub(crate) fn of(path: &str, operation: &Operation) -> Option<Self> {
        let of_schemes = operation.security.iter().flatten().filter_map(|one| match &one.scheme {
            SecurityScheme::ApiKey { location: Location::Query, name } => Some((&**name, one.auto_error)),
            _ => None,
        });
        let inputs = operation.inputs.iter().filter(|input| input.location == Location::Query);
        let of_inputs = inputs.flat_map(|input| input.take.names().map(move |name| (name, input.required)));
        let declared: Vec<_> = of_schemes.chain(of_inputs).collect();
        let find = |name: &str| declared.iter().find(|(own, _)| *own == name);
        let (name, (_, required)) =
            TOKEN_PARAMETERS.into_iter().find_map(|name| Some((name, find(name)?)))?;
        let need = if *required { Need::Required } else { Need::Optional };
        let mut kind = DefaultHasher::new();
        ("query", path, &operation.id, name).hash(&mut kind);
        Some(Self { name, need, kind: kind.finish() })
    }
}
