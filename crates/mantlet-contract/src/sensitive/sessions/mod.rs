//! Which operations end, renew and change the session of a caller, and which one says who that is.
//!
//! They have no limits, so they are not a [`Purpose`]. A word alone proves nothing here either:
//! `/cache/refresh` fills a cache, `/devices/revoke` forgets a device, `DELETE /sessions` forgets
//! chats. An operation is [`Evidence::Known`] if a word is about sessions, no other word is about
//! something else, and one of these agrees:
//!
//! 1. The request brings a session: a security scheme, a cookie or a header that carries one.
//! 2. A token is among the inputs; for a change of the password, the passwords.
//! 3. For `logout` and `refresh`: the app's own login is beside it. Many apps read a cookie without
//!    declaring it.
//!
//! Left out are operations on other accounts and on one of several sessions:
//! `DELETE /sessions/{id}`, `PATCH /users/{id}`, `POST /users/{id}/logout`.

mod roles;
mod subject;
mod words;

use std::fmt;

use self::{
    roles::Found,
    subject::{Login, Subject},
};
use super::{Evidence, Place, Purpose, Search};
use crate::{
    model::{Contract, Operation, Route, Router},
    routes::Roots,
};

/// What an operation is to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SessionRole {
    /// It ends the session of the request, or that of a token among its inputs.
    Logout,
    /// It ends the other sessions of the caller's account. An operation that ends all of them by
    /// its name is a [`Logout`](Self::Logout), too. `DELETE /auth/sessions` is not: many apps keep
    /// the caller's own session then.
    LogoutElsewhere,
    /// It gives new tokens for a refresh token, or for a session that is still valid.
    Refresh,
    /// The caller sets a new password for the caller's own account.
    ChangePassword,
    /// It says who the caller is.
    Me,
}

impl SessionRole {
    /// The word in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::LogoutElsewhere => "logout-elsewhere",
            Self::Refresh => "refresh",
            Self::ChangePassword => "change-password",
            Self::Me => "me",
        }
    }
}

/// Where in a request a credential is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialPlace {
    /// In the body, the query or the path.
    Input(Place),
    /// A header.
    Header(String),
    /// A cookie.
    Cookie(String),
}

impl fmt::Display for CredentialPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(place) => place.fmt(f),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

/// An operation with a role in a session, or one that looks so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRoute {
    /// As the app has it, with what it is mounted below.
    pub path: String,
    /// The host that it is there for, as the app has it; none if it is there for any.
    pub host: Option<String>,
    /// Those of its methods that have the role.
    pub methods: Vec<String>,
    /// Its role. One operation may have several, each in an entry of its own.
    pub role: SessionRole,
    /// How that is known: [`Evidence::Known`] or [`Evidence::Word`].
    pub evidence: Evidence,
    /// What shows it: `the word "logout" is in its path; it asks for OAuth2PasswordBearer`.
    pub why: String,
    /// Where the credential may be that the operation is about. `Refresh`: the refresh token.
    /// `Logout`: the token that is given up. `ChangePassword`: the new password. A token may also
    /// come as the operation's security scheme says; if this is empty, it comes nowhere else.
    pub places: Vec<CredentialPlace>,
    /// Only a request with a value at one of these places has the role. `PATCH /users/me` without a
    /// password changes no password. A token endpoint is a login for requests without a refresh
    /// token.
    pub only_if_present: bool,
}

/// All operations of an app that have a role in a session, in the app's order. Those that are
/// [`SessionRole::Me`] come last, the surest of them first.
pub fn session_routes(contract: &Contract) -> Vec<SessionRoute> {
    let mut all = Vec::new();
    operations("", None, &contract.router, &mut all);
    let logins = logins(contract, &all);
    let mut found: Vec<SessionRoute> = Vec::new();
    for one in &all {
        let subject = Subject::new(&contract.shapes, one, &logins);
        for role in roles::of(&subject) {
            add(&mut found, one, role);
        }
    }
    pages_are_not_it(&mut found);
    found.sort_by_key(|route| {
        (route.role == SessionRole::Me).then(|| {
            let is_known = route.evidence == Evidence::Known;
            let last = route.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let unsure = words::rank_of_me(last).filter(|rank| !words::is_surely_me(*rank));
            let segments = route.path.trim_matches('/').split('/').count();
            (!is_known, unsure, segments, route.path.len())
        })
    });
    found
}

/// An operation and its place.
struct Located<'c> {
    path: String,
    /// Without what it is mounted below.
    own_path: &'c str,
    host: Option<&'c str>,
    methods: &'c [String],
    operation: &'c Operation,
}

fn operations<'c>(below: &str, host: Option<&'c str>, router: &'c Router, all: &mut Vec<Located<'c>>) {
    for route in &router.routes {
        match route {
            Route::Http { path: own_path, methods, operation: Some(operation), .. } => {
                let path = format!("{below}{own_path}");
                all.push(Located { path, own_path, host, methods, operation });
            }
            Route::Mount { path, router: Some(router) } => {
                operations(&format!("{below}{path}"), host, router, all);
            }
            Route::Host { host, router: Some(router) } => operations(below, Some(host), router, all),
            _ => {}
        }
    }
}

/// The app's own logins. One that asks for a credential first is a login to something else.
fn logins<'l>(contract: &'l Contract, all: &'l [Located<'l>]) -> Vec<Login<'l>> {
    let roots = contract.root_path.iter().chain(&contract.prefixes);
    let roots = Roots::new(roots.map(String::as_str));
    let mut search = Search { shapes: &contract.shapes, roots, token_urls: Vec::new(), found: Vec::new() };
    search.token_urls_of(&contract.router);
    let is_login = |one: &&Located<'_>| {
        one.operation.security.is_empty()
            && search
                .sensitivity(&one.path, one.methods, one.operation)
                .is_some_and(|found| found.purpose == Purpose::Login && found.evidence == Evidence::Known)
    };
    all.iter().filter(is_login).map(|one| Login::new(&one.path, one.host)).collect()
}

/// Of several routes with one path and one role, the app's code may choose.
fn add(found: &mut Vec<SessionRoute>, one: &Located<'_>, role: Found) {
    let methods: Vec<_> =
        one.methods.iter().filter(|name| role.methods.contains(&name.as_str())).cloned().collect();
    let known = found.iter_mut().find(|known| {
        (&known.path, known.host.as_deref(), &known.methods, known.role)
            == (&one.path, one.host, &methods, role.role)
    });
    if let Some(known) = known {
        for place in role.places {
            if !known.places.contains(&place) {
                known.places.push(place);
            }
        }
        known.only_if_present |= role.only_if_present;
        return;
    }
    found.push(SessionRoute {
        path: one.path.clone(),
        host: one.host.map(str::to_owned),
        methods,
        role: role.role,
        evidence: role.evidence,
        why: role.why,
        places: role.places,
        only_if_present: role.only_if_present,
    });
}

/// Where `POST /logout` is an operation of its own, `GET /logout` may be the page that asks.
fn pages_are_not_it(found: &mut [SessionRoute]) {
    let does_it: Vec<_> = found
        .iter()
        .filter(|route| route.methods.iter().any(|name| name != "GET"))
        .map(|route| (route.path.clone(), route.host.clone(), route.role))
        .collect();
    for route in found.iter_mut().filter(|route| route.methods.iter().all(|name| name == "GET")) {
        let is_it = |(path, host, role): &(String, Option<String>, SessionRole)| {
            (path, host, role) == (&route.path, &route.host, &route.role)
        };
        if does_it.iter().any(is_it) {
            route.evidence = Evidence::Word;
            route.why.push_str("; another method of this path does it");
        }
    }
}

#[cfg(test)]
mod tests;
