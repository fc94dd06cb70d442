//! From `paths` and `servers` to routes:
//!
//! - The list is complete if all of it could be read. That is the document's claim: if it is not
//!   trusted, nothing is refused for it.
//! - FastAPI's own pages are not in its document, and are added. One slash more or less may be redirected.
//! - A path is known with each server's prefix and without: the proxy that strips it is in front of
//!   Mantlet or behind it.
//! - A parameter never spans slashes, as the standard has it. FastAPI's `:path` is lost in its document, so
//!   what it would have matched is unknown, and the app's.
//! - Where two templates fit the same path, the app's order decides, which is that of FastAPI's
//!   document; the standard lets paths without parameters win. If order and precision do not agree
//!   on the winner, paths that both fit are not checked.

mod overlap;
mod template;

pub(super) use self::template::Names;
use std::collections::BTreeMap;

use self::{overlap::Overlaps, template::Template};
use super::{Reader, dialect::Dialect, operation::METHODS, place::Place, tree::Node};
use crate::model::{Route, Router};

/// Prefixes of servers that are looked at.
const MAX_PREFIXES: usize = 8;

impl<'d> Reader<'d> {
    /// The routes, how many operations the document has, and the prefixes with which paths are known beside their own.
    pub(super) fn router(&mut self) -> (Router, usize, Vec<String>) {
        let root = Place::root(self.root);
        let of_document = self.prefixes(&root).unwrap_or_default();
        let mut overlaps = Overlaps::new(self.dialect);
        let (mut routes, mut operations, mut is_whole) = (Vec::new(), 0, true);
        let paths: Vec<_> = root.get("paths").iter().flat_map(Place::each).collect();
        let mut known_prefixes: Vec<String> = Vec::new();
        for (path, item) in paths {
            if path.starts_with("x-") {
                continue;
            }
            let template = match Template::read(path) {
                Ok(template) => template,
                Err(why) => {
                    self.note(&item.at, why);
                    is_whole = false;
                    continue;
                }
            };
            let Some(target) = self.follow(&item) else {
                is_whole = false;
                continue;
            };
            let of_path = self.prefixes(&target);
            for method in METHODS {
                // What stands beside a reference counts more.
                let (Some(operation), parent) = (match item.get(method) {
                    Some(own) => (Some(own), &item),
                    None => (target.get(method), &target),
                }) else {
                    continue;
                };
                if operation.members().is_none() {
                    self.note(&operation.at, "this is not an operation");
                    is_whole = false;
                    continue;
                }
                operations += 1;
                let method = method.to_ascii_uppercase();
                let prefixes = self.prefixes(&operation);
                let prefixes = prefixes.as_ref().or(of_path.as_ref()).unwrap_or(&of_document);
                for prefix in prefixes {
                    if !known_prefixes.contains(prefix) {
                        known_prefixes.push(prefix.clone());
                    }
                }
                // The standard knows no references here; they are written all the same.
                let made = self.follow(&operation);
                let made =
                    made.map(|operation| self.operation(&method, path, parent, &operation, template.names()));
                for prefix in std::iter::once("").chain(prefixes.iter().map(String::as_str)) {
                    let path = template.below(prefix);
                    overlaps.add(prefix, &path, &method, &operation.at);
                    let operation = made.clone().map(Box::new);
                    let methods = vec![method.clone()];
                    routes.push(Route::Http {
                        path,
                        methods,
                        hidden: false,
                        docs: false,
                        convertors: BTreeMap::new(),
                        operation,
                    });
                }
            }
        }
        // What is a path by itself is not another one's with a prefix.
        let is_own = |prefix: &String| {
            let begins =
                |path: &str| path.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('/'));
            root.get("paths").iter().flat_map(Place::each).any(|(path, _)| begins(path))
        };
        known_prefixes.retain(|prefix| !is_own(prefix));
        let mut routes = overlaps.resolve(routes, |at, why| self.note(at, why));
        if self.dialect == Dialect::FastApi {
            for prefix in std::iter::once("").chain(of_document.iter().map(String::as_str)) {
                add_pages(prefix, &mut routes);
            }
        }
        // A server's prefix that could not be read stands before paths that are not known.
        is_whole &= self.unread_prefixes == 0;
        if !is_whole {
            routes.push(Route::Opaque {
                why: "some paths of the document could not be read".to_owned(),
                path: None,
                methods: Vec::new(),
            });
        }
        // A document does not say which code there is and in which words it answers. An operator
        // who trusts the document wants it enforced.
        let (answers_invalid, rewrites) = (false, false);
        let router = Router {
            routes,
            redirect_slashes: true,
            complete: is_whole,
            answers_invalid,
            answers_unsayable: false,
            rewrites,
            refuses_first: None,
            handles: Vec::new(),
        };
        (router, operations, known_prefixes)
    }

    /// The prefixes that servers give to paths; none if no servers are named here.
    fn prefixes(&mut self, place: &Place<'d>) -> Option<Vec<String>> {
        let servers = place.get("servers")?;
        let mut prefixes: Vec<String> = Vec::new();
        for server in servers.items() {
            let Some(url) = server.text("url") else { continue };
            let Some(url) = substituted(url, &server) else {
                self.note(&server.at, "an address with a variable whose default is not known");
                self.unread_prefixes += 1;
                continue;
            };
            let path = match url.split_once("://") {
                Some((_, rest)) => rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or_default(),
                None if url.starts_with('/') || url.is_empty() => &url,
                None => {
                    self.note(
                        &server.at,
                        format!("`{url}` is relative to where the document lies, which is not known"),
                    );
                    self.unread_prefixes += 1;
                    continue;
                }
            };
            let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
            if path.is_empty() || prefixes.iter().any(|known| known == path) {
                continue;
            }
            if path.contains(['{', '}', '%']) || prefixes.len() == MAX_PREFIXES {
                self.note(&server.at, format!("the prefix `{path}` is not checked"));
                self.unread_prefixes += 1;
                continue;
            }
            prefixes.push(path.to_owned());
        }
        Some(prefixes)
    }
}

/// FastAPI's own pages where they are by default; they come before what the app's author wrote.
fn add_pages(prefix: &str, routes: &mut Vec<Route>) {
    for page in ["/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"] {
        let page = format!("{prefix}{page}");
        if routes.iter().any(|route| matches!(route, Route::Http { path, .. } if *path == page)) {
            continue;
        }
        let methods = vec!["GET".to_owned(), "HEAD".to_owned()];
        routes.insert(
            0,
            Route::Http {
                path: page,
                methods,
                hidden: true,
                docs: true,
                convertors: BTreeMap::new(),
                operation: None,
            },
        );
    }
}

/// A server's address with the defaults of its variables.
fn substituted(url: &str, server: &Place<'_>) -> Option<String> {
    let mut url = url.to_owned();
    for (name, variable) in server.get("variables").iter().flat_map(Place::each) {
        let default = match variable.node.get("default") {
            Some(Node::Text(text)) => text.clone(),
            Some(Node::Number(number)) => number.to_string(),
            _ => return None,
        };
        url = url.replace(&format!("{{{name}}}"), &default);
    }
    Some(url)
}
