//! The operations of the app, from its contract: facts that many controls need. The controls draw
//! the conclusions.

mod contract;
mod handle;
pub(crate) mod place;
mod promise;
mod security;
mod tally;

use std::{ops::Range, sync::Arc};

use http::Method;
use mantlet_contract::{
    routes::{Convertor, Found, HttpRoute, Visibility, Wanted},
    sensitive::{Evidence, SensitiveRoute, Sensitivity, SessionRoute},
};

use self::contract::cookies_of;
pub use self::{contract::Contract, handle::ContractHandle, tally::Contradiction};
pub(crate) use self::{
    contract::address,
    handle::State,
    promise::Promised,
    security::{Need, QueryToken, Security, TOKEN_PARAMETERS},
};

/// The route of a request.
#[derive(Debug, Clone)]
pub struct Matched {
    pub(crate) contract: Arc<Contract>,
    /// The route.
    pub route: Arc<HttpRoute>,
    /// Something before it may answer instead: nothing is refused or changed because of its
    /// contract, but protections stay.
    pub(crate) unsure: bool,
    /// An operation of this path is sensitive or changes sessions.
    pub(crate) is_sensitive: bool,
    /// Path parameters: their names, their types, and the place of their values in the path.
    pub(crate) parameters: Vec<(String, Convertor, Range<usize>)>,
}

impl Matched {
    /// The route of a request for something that no app is behind.
    pub(crate) fn of(contract: &Arc<Contract>, method: &Method, path: &str) -> Option<Self> {
        let Found::Http { route, parameters, unsure } =
            contract.routes.find(Wanted::Http(method.as_str()), path)
        else {
            return None;
        };
        let parameters =
            parameters.into_iter().map(|found| (found.name.to_owned(), found.convertor, found.place));
        Some(Self {
            contract: Arc::clone(contract),
            route: Arc::clone(route),
            unsure,
            is_sensitive: contract.is_sensitive(route),
            parameters: parameters.collect(),
        })
    }

    /// What the operation does to sessions. That it says who the caller is, is known elsewhere.
    pub(crate) fn session_roles(&self, method: &Method) -> impl Iterator<Item = &SessionRoute> {
        let path = self.is_sensitive.then_some(&self.route.path);
        let found = path.and_then(|path| self.contract.session_roles.get(path)).into_iter().flatten();
        found.filter(|found| {
            found.host.as_deref() == self.route.host.as_deref()
                && found.evidence == Evidence::Known
                && found.methods.iter().any(|name| name == method.as_str())
        })
    }

    /// The credentials that the operation asks for, if it does.
    pub(crate) fn security(&self) -> Option<&Security> {
        self.contract.security.get(&address(&self.route))
    }

    /// The parameter of the query in which the operation takes a token, if it does. The token of a link
    /// in a mail is for something else.
    pub(crate) fn query_token(&self, method: &Method) -> Option<QueryToken> {
        let found = self.contract.query_tokens.get(&address(&self.route))?;
        self.sensitivity(method).is_none().then_some(*found)
    }

    /// Why the operation is sensitive, if it is.
    pub(crate) fn sensitivity(&self, method: &Method) -> Option<&Sensitivity> {
        if !self.is_sensitive {
            return None;
        }
        let found = self.contract.sensitive.get(&self.route.path)?;
        let of_method = |found: &&SensitiveRoute| {
            found.host.as_deref() == self.route.host.as_deref()
                && found.methods.iter().any(|name| name == method.as_str())
        };
        found.iter().find(of_method).map(|found| &found.sensitivity)
    }
}

/// Whether an operation is the app's documentation, such as its OpenAPI document.
pub fn is_documentation(matched: &Matched) -> bool {
    matched.route.visibility == Visibility::Docs
}

/// Whether a route declares a cookie as security.
pub(crate) fn declares_cookies(route: &HttpRoute) -> bool {
    route.operation.as_ref().is_some_and(|operation| cookies_of(operation).next().is_some())
}

/// Whether a route declares a header of this name, in lower case: as a parameter, or as what a key comes in.
pub(crate) fn declares_header(route: &HttpRoute, name: &str) -> bool {
    let is_it = |own: &str| own.eq_ignore_ascii_case(name);
    route.operation.as_ref().is_some_and(|operation| operation.header_names().any(is_it))
}
