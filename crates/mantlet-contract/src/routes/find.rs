//! Finds the route of a request.

use std::{ops::Range, sync::Arc};

use super::{
    Convertor, Found, HttpRoute, Kind, Parameter, Route, Routes, Start, Veil, Wanted,
    host::{self, HostFit},
};

/// A request, as far as routes are concerned.
struct Asked<'a> {
    wanted: Wanted<'a>,
    host: Option<&'a str>,
    path: &'a str,
    lacks_root: bool,
    veil: Veil,
}

enum Fit {
    None,
    /// The path fits, the method does not.
    Partial,
    /// Whether it fits, the app's code knows.
    Maybe,
    Full(Vec<Range<usize>>),
}

impl Routes {
    /// Finds the route for a path, decoded as ASGI's `path` is, without a host.
    pub fn find(&self, wanted: Wanted<'_>, path: &str) -> Found<'_> {
        self.find_from(wanted, None, path, self.roots.start_in(path), Veil::default())
    }

    /// The same for a path of which it is known where what is routed by begins, and the Host that the app is sent; what is under the
    /// veil is found to be veiled.
    pub fn find_from(
        &self,
        wanted: Wanted<'_>,
        host: Option<&str>,
        path: &str,
        start: Start,
        veil: Veil,
    ) -> Found<'_> {
        let asked = Asked { wanted, host, path, lacks_root: start.lacks_root, veil };
        self.walk(&asked, start.at, Vec::new(), false)
    }

    /// Routes that could match, in their order.
    fn candidates(&self, asked: &Asked<'_>, own: &str) -> Vec<u32> {
        let mut candidates = Vec::new();
        self.tree.collect(own, &mut candidates);
        candidates.extend_from_slice(&self.anywhere);
        if let (false, Some(host)) = (self.hosts.is_empty(), asked.host) {
            candidates.extend(self.hosts.get(&*host::looked_up(host)).into_iter().flatten());
        }
        candidates.sort_unstable();
        candidates
    }

    /// `base` is where this router's part of the path begins; `unsure` whether something may have answered before.
    fn walk<'r>(
        &'r self,
        asked: &Asked<'_>,
        base: usize,
        outer: Vec<Parameter<'r>>,
        mut unsure: bool,
    ) -> Found<'r> {
        let own = asked.path.get(base..).unwrap_or_default();
        let (mut allowed, mut veiled, mut is_shut) = (Vec::new(), None, false);
        // Whether something may answer 405 by itself, or may not.
        let mut refuses_methods = false;
        for index in self.candidates(asked, own) {
            let Some(route) = self.entries.get(index as usize) else { continue };
            let values = match (route.fit(asked, own), &route.kind) {
                (Fit::None, _) => continue,
                // The app would not come to it.
                (Fit::Maybe | Fit::Full(_), _) if is_shut => continue,
                (Fit::Maybe, _) => {
                    unsure = true;
                    continue;
                }
                // What may be something else is not kept back.
                (fit, Kind::Http(http)) if asked.veil.covers(http) && !unsure => {
                    veiled.get_or_insert(http);
                    is_shut |= matches!(fit, Fit::Full(_));
                    continue;
                }
                (Fit::Partial, Kind::Http(http)) => {
                    allowed.extend(http.methods.iter().map(String::as_str));
                    continue;
                }
                (Fit::Partial, _) => {
                    refuses_methods = true;
                    continue;
                }
                (Fit::Full(values), _) => values,
            };
            let inner = match &route.kind {
                Kind::Http(http) => {
                    let unsure = unsure || !route.is_sure_of(own);
                    return Found::Http {
                        route: http,
                        parameters: route.named(outer, base, &values),
                        unsure,
                    };
                }
                Kind::WebSocket => return Found::WebSocket,
                Kind::Mount(inner) | Kind::Host(_, inner) => inner,
                Kind::Opaque(_) => &None,
            };
            let found = match inner {
                None => Found::Opaque,
                Some(inner) => {
                    let mut outer = route.named(outer.clone(), base, &values);
                    let mut start = base;
                    if !matches!(route.kind, Kind::Host(..)) {
                        // The mount's own parameter is what its router goes on with, from the slash before it. The mount adds its path to the root
                        // path, and where that does not stand, what is mounted sees all of it.
                        outer.pop();
                        let rest = values.last().map_or(own.len(), |place| place.start.saturating_sub(1));
                        start = if asked.lacks_root { 0 } else { base + rest };
                    }
                    inner.walk(asked, start, outer, unsure)
                }
            };
            // What may not have come here may be for something that follows.
            if unsure && !matches!(found, Found::Http { .. } | Found::WebSocket) {
                continue;
            }
            return found;
        }
        if (unsure || refuses_methods) && !is_shut {
            return Found::Opaque;
        }
        allowed.sort_unstable();
        allowed.dedup();
        let veiled = veiled.or_else(|| self.veiled_with_another_slash(asked, own));
        let is_told = |_: &&Arc<HttpRoute>| {
            is_shut || allowed.is_empty() || !self.complete || asked.veil.leaves_methods
        };
        if let Some(route) = veiled.filter(is_told) {
            if !self.complete {
                allowed.clear();
            }
            return Found::Veiled { route, allowed };
        }
        if !allowed.is_empty() && self.complete {
            return Found::MethodNotAllowed(allowed);
        }
        if self.with_another_slash(asked, own).any(|_| true) {
            Found::Redirect
        } else {
            Found::None { certain: self.complete }
        }
    }

    /// Routes to which the router would redirect.
    fn with_another_slash<'r>(&'r self, asked: &Asked<'_>, path: &str) -> impl Iterator<Item = &'r Route> {
        let other = match path.strip_suffix('/') {
            _ if !self.redirect_slashes || path == "/" || asked.wanted == Wanted::WebSocket => None,
            Some(_) => Some(path.trim_end_matches('/').to_owned()),
            None => Some(format!("{path}/")),
        };
        let mut candidates = Vec::new();
        if let Some(other) = &other {
            self.tree.collect(other, &mut candidates);
        }
        candidates.into_iter().filter_map(move |index| {
            let route = self.entries.get(index as usize)?;
            (!matches!(route.fit(asked, other.as_deref()?), Fit::None)).then_some(route)
        })
    }

    /// The route that a redirect would betray, if it is nothing but that.
    fn veiled_with_another_slash(&self, asked: &Asked<'_>, path: &str) -> Option<&Arc<HttpRoute>> {
        if !(asked.veil.hidden || asked.veil.docs) {
            return None;
        }
        let mut found = None;
        for route in self.with_another_slash(asked, path) {
            match &route.kind {
                Kind::Http(http) if asked.veil.covers(http) => {
                    found.get_or_insert(http);
                }
                _ => return None,
            }
        }
        found
    }
}

impl Route {
    fn fit(&self, asked: &Asked<'_>, path: &str) -> Fit {
        let fits_kind = match (&self.kind, asked.wanted) {
            (Kind::Http(_), Wanted::WebSocket) | (Kind::WebSocket, Wanted::Http(_)) => false,
            // What has methods opens no WebSocket.
            (Kind::Opaque(methods), Wanted::WebSocket) => methods.is_empty(),
            _ => true,
        };
        if !fits_kind {
            return Fit::None;
        }
        if let Kind::Host(template, _) = &self.kind {
            return match template.fits(asked.host) {
                HostFit::No => Fit::None,
                HostFit::Maybe => Fit::Maybe,
                HostFit::Yes => Fit::Full(Vec::new()),
            };
        }
        let values = match &self.template {
            None => Vec::new(),
            Some(template) => match template.matches(path) {
                Some(values) => values,
                None => return Fit::None,
            },
        };
        match (&self.kind, asked.wanted) {
            (Kind::Opaque(methods), Wanted::Http(method)) if !allows(methods, method) => Fit::Partial,
            (Kind::Opaque(_), _) => Fit::Maybe,
            (Kind::Http(http), Wanted::Http(method)) if !allows(&http.methods, method) => Fit::Partial,
            _ => Fit::Full(values),
        }
    }

    /// Whether a path that fits does so in Python.
    fn is_sure_of(&self, path: &str) -> bool {
        self.template.as_ref().is_none_or(|template| template.is_sure_of(path))
    }

    /// With its own parameters, of which the values stand in the path after `base`. An inner one takes an outer one's place.
    fn named<'r>(
        &'r self,
        mut all: Vec<Parameter<'r>>,
        base: usize,
        values: &[Range<usize>],
    ) -> Vec<Parameter<'r>> {
        let mut add = |name: &'r str, convertor, place| {
            all.retain(|known| known.name != name);
            all.push(Parameter { name, convertor, place });
        };
        let of_path = self.template.iter().flat_map(|template| &template.parameters);
        for ((name, convertor), place) in of_path.zip(values) {
            add(name, *convertor, place.start + base..place.end + base);
        }
        if let Kind::Host(template, _) = &self.kind {
            for name in &template.parameters {
                add(name, Convertor::Other, 0..0);
            }
        }
        all
    }
}

fn allows(methods: &[String], method: &str) -> bool {
    methods.is_empty() || methods.iter().any(|allowed| allowed == method)
}
