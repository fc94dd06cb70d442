//! Settings for a route: modes and limits that the configuration sets for a path template.
//!
//! Templates are written as in FastAPI: `/items/{item_id}`, `/files/{path:path}`. The most specific template wins, whatever
//! the order of the file; looking one up costs the length of the path, not the number of templates. Templates match
//! the canonical path, case-sensitively, as Starlette does.

mod config;

use std::{sync::Arc, time::Duration};

use http::Method;

pub use config::{Config, CsrfConfig, LimitsConfig, ModeConfig};

use crate::{
    Mode,
    audit::{Actions, Recorded},
    call::Spellings,
    config::{
        Mistake,
        template::{as_get, with_empty_rest},
    },
    contract::{self, Rules},
    encoding,
    limits::BodySizes,
    responses, uploads,
};

/// The settings of one route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePolicy {
    /// Mode of the security headers.
    pub headers: Mode,
    /// Mode of the control of hosts.
    pub host: Mode,
    /// Mode of the protection against cross-site request forgery.
    pub csrf: Mode,
    /// Mode of its token.
    pub csrf_token: Mode,
    /// A request needs an API key of ours.
    pub needs_key: bool,
    /// Mode of the validation of inputs.
    pub input: Mode,
    /// Other settings of the contract.
    pub rules: Rules,
    /// The treatment of content that clients should not get.
    pub responses: responses::Actions,
    /// Bytes that a request body may have.
    pub body_size: BodySizes,
    /// Time from the last byte of a request to the first of its response, if it differs here.
    pub response_timeout: Option<Duration>,
    /// Settings for forms and files.
    pub uploads: Arc<uploads::Policy>,
    /// Settings for compressed bodies.
    pub encoding: Arc<encoding::Policy>,
    /// Which requests are recorded that are not refused.
    pub recorded: Recorded,
}

/// All routes that the configuration names, and the settings of all others.
#[derive(Debug, Clone)]
pub struct Routes {
    router: matchit::Router<Vec<Entry>>,
    fallback: Arc<RoutePolicy>,
    is_empty: bool,
}

#[derive(Debug, Clone)]
struct Entry {
    /// Empty means every method.
    methods: Vec<Method>,
    policy: Arc<RoutePolicy>,
}

impl Routes {
    /// The settings of a path that no template names.
    pub const fn fallback(&self) -> &Arc<RoutePolicy> {
        &self.fallback
    }

    /// The settings for a method and a canonical path; a template may use any of the path's
    /// spellings.
    pub fn of(&self, method: &Method, path: Spellings<'_>) -> &Arc<RoutePolicy> {
        if self.is_empty {
            return &self.fallback;
        }
        let entry = path.iter().find_map(|path| {
            let entries = self.router.at(path).ok()?.value;
            let named = |method: &Method| entries.iter().find(|entry| entry.methods.contains(method));
            let any = || entries.iter().find(|entry| entry.methods.is_empty());
            named(method).or_else(|| named(as_get(method)?)).or_else(any)
        });
        entry.map_or(&self.fallback, |entry| &entry.policy)
    }

    /// Checks the `[[route]]` sections, on top of the general settings.
    pub fn check(
        configs: &[Config],
        base: RoutePolicy,
        contract: &contract::Config,
        responses: &responses::Config,
        actions: Actions,
        report_only: bool,
    ) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut by_template: Vec<(usize, String, Vec<Entry>)> = Vec::new();
        for (index, config) in configs.iter().enumerate() {
            match config.check(index, &base, contract, responses, actions, report_only) {
                Err(found) => mistakes.extend(found),
                Ok((template, methods, policy)) => {
                    let entry = Entry { methods, policy: Arc::new(policy) };
                    match by_template.iter_mut().find(|(_, known, _)| *known == template) {
                        Some((_, _, entries)) => entries.push(entry),
                        None => by_template.push((index, template, vec![entry])),
                    }
                }
            }
        }
        let is_named = |path: &str| by_template.iter().any(|(_, known, _)| known == path);
        let with_empty = |(index, template, entries): &(usize, String, Vec<Entry>)| {
            let empty = with_empty_rest(template).filter(|path| !is_named(path))?;
            Some((*index, empty.to_owned(), entries.clone()))
        };
        let empty: Vec<_> = by_template.iter().filter_map(with_empty).collect();
        let mut router = matchit::Router::new();
        for (index, template, entries) in by_template.into_iter().chain(empty) {
            if let Err(error) = router.insert(&template, entries) {
                let key = format!("route[{index}].path");
                let message = match error {
                    matchit::InsertError::Conflict { with } => {
                        format!("`{template}` matches the same paths as `{with}`")
                    }
                    _ => format!("`{template}` is not a path template"),
                };
                mistakes.push(Mistake::of_template(key, message));
            }
        }
        if mistakes.is_empty() {
            Ok(Self { router, fallback: Arc::new(base), is_empty: configs.is_empty() })
        } else {
            Err(mistakes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Posture;

    fn routes(list: &[(&str, &[&str], Mode)]) -> Result<Routes, Vec<Mistake>> {
        let configs: Vec<_> = list
            .iter()
            .map(|(path, methods, mode)| Config {
                path: (*path).to_owned(),
                methods: methods.iter().map(|&m| m.to_owned()).collect(),
                headers: ModeConfig { mode: Some(*mode) },
                ..Config::default()
            })
            .collect();
        Routes::check(
            &configs,
            RoutePolicy {
                headers: Mode::Enforce,
                host: Mode::Enforce,
                csrf: Mode::Enforce,
                csrf_token: Mode::Enforce,
                needs_key: false,
                input: Mode::Enforce,
                rules: contract::Config::default().rules(false),
                responses: responses::Config::default().actions(Posture::Compatible, false),
                body_size: BodySizes::all(crate::config::units::Size(10)),
                response_timeout: None,
                uploads: uploads::Policy::of(Posture::Compatible).into(),
                encoding: encoding::Policy::of(Posture::Compatible).into(),
                recorded: Recorded::Sensitive,
            },
            &contract::Config::default(),
            &responses::Config::default(),
            Actions::Sensitive,
            false,
        )
    }

    #[test]
    fn the_most_specific_template_wins() {
        let routes = routes(&[
            ("/items/{id}", &[], Mode::Off),
            ("/items/special", &[], Mode::Report),
            ("/files/{path:path}", &["post"], Mode::Off),
            ("/pages/{path:path}", &[], Mode::Off),
            ("/pages/", &[], Mode::Report),
        ])
        .unwrap();
        for (method, path, mode) in [
            (Method::GET, "/items/7", Mode::Off),
            (Method::GET, "/items/special", Mode::Report),
            (Method::GET, "/Items/7", Mode::Enforce),
            (Method::GET, "/items/7/", Mode::Enforce),
            (Method::POST, "/files/a/b", Mode::Off),
            (Method::GET, "/files/a/b", Mode::Enforce),
            (Method::POST, "/files/", Mode::Off),
            (Method::GET, "/pages/a", Mode::Off),
            (Method::GET, "/pages/", Mode::Report),
            (Method::GET, "/", Mode::Enforce),
        ] {
            assert_eq!(routes.of(&method, Spellings::one(path)).headers, mode, "{method} {path}");
        }
    }

    #[test]
    fn mistakes_name_the_route() {
        let list: [(&str, &[&str], Mode); 3] =
            [("items", &[], Mode::Off), ("/a/{x}", &["GE T"], Mode::Off), ("/b/{x", &[], Mode::Off)];
        let keys: Vec<_> = routes(&list).unwrap_err().into_iter().map(|mistake| mistake.key).collect();
        assert_eq!(keys, ["route[0].path", "route[1].methods[0]", "route[2].path"]);
    }
}
