//! Whether an app has routes of its own where the accounts are.

use mantlet_contract::routes::Routes;

/// What stands outside the path of the accounts.
pub(super) const WELL_KNOWN: [&str; 2] =
    ["/.well-known/jwks.json", "/.well-known/oauth-authorization-server"];

/// The paths that no request for the app reaches.
#[derive(Debug, Clone)]
pub(crate) struct Reserved {
    /// That below which pages and API are.
    pub(crate) path: String,
    /// Tokens are made here, so it is said here how they are verified.
    pub(crate) has_tokens: bool,
}

impl Reserved {
    /// Whether a path is one of them.
    pub(super) fn has(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.path.as_str());
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            || (self.has_tokens && WELL_KNOWN.contains(&path))
    }
}

/// What is to be said of a route of the app that no request would reach.
pub(crate) fn conflict(routes: &Routes, reserved: &Reserved) -> Option<String> {
    let path = reserved.path.as_str();
    let is_below =
        |own: &str| own.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let of_path = routes.http().map(|route| route.own_path()).find(|own| is_below(own));
    if let Some(own) = of_path.or_else(|| routes.named_by(path)) {
        return Some(format!(
            "the app has `{own}` itself, and the accounts are below `{path}`: one of them would not be reached\n\
             move the accounts with `path` under `[accounts]`, such as `path = \"/accounts\"`"
        ));
    }
    let own =
        WELL_KNOWN.into_iter().filter(|_| reserved.has_tokens).find(|own| routes.named_by(own).is_some())?;
    Some(format!(
        "the app has `{own}` itself, where the accounts say how their tokens are verified\n\
         take the route out of the app, or `[accounts]` out of the configuration"
    ))
}

#[cfg(test)]
mod tests {
    use mantlet_contract::document;
    use mantlet_controls::operation::Contract;
    use serde_json::{Map, json};

    use super::*;

    #[test]
    fn a_route_below_the_path_of_the_accounts_is_named() {
        let reserved = Reserved { path: "/auth".to_owned(), has_tokens: true };
        let check = |paths: &[&str], expected: Option<&str>| {
            let paths: Map<_, _> = paths
                .iter()
                .map(|path| ((*path).to_owned(), json!({ "get": { "responses": {} } })))
                .collect();
            let document = json!({ "openapi": "3.1.0", "info": { "title": "O" }, "paths": paths });
            let contract = Contract::compile(&document::read(&document.to_string()).unwrap()).0;
            let why = conflict(contract.routes(), &reserved);
            match expected {
                Some(named) => assert!(why.as_deref().is_some_and(|why| why.contains(named)), "{why:?}"),
                None => assert_eq!(why, None),
            }
        };
        check(&["/", "/items/{id}", "/authors", "/author/auth"], None);
        check(&["/", "/auth"], Some("has `/auth` itself"));
        check(&["/auth/login"], Some("has `/auth/login` itself"));
        check(&["/auth/{provider}/callback"], Some("`path = \"/accounts\"`"));
        check(&["/.well-known/jwks.json"], Some("take the route out of the app"));
    }
}
