//! One operation as it is judged: its words below those of the app's logins, what it takes, and
//! what it asks for.

use super::{
    CredentialPlace, Located,
    words::{is_any_token, is_id, is_of_something_else, is_refresh_token, joined, may_carry_a_session},
};
use crate::{
    model::{Location, Operation, SecurityScheme, Shape},
    sensitive::{
        Place,
        taken::{Taken, Value, taken},
        words::rank_of_account,
    },
};

/// One of the app's own logins.
pub(super) struct Login<'c> {
    path: &'c str,
    host: Option<&'c str>,
    /// The segments of the place where it stands: `/api/auth` for `/api/auth/login/access-token`.
    below: Vec<&'c str>,
}

impl<'c> Login<'c> {
    pub(super) fn new(path: &'c str, host: Option<&'c str>) -> Self {
        let mut below: Vec<_> = segments(path).collect();
        below.pop();
        let words = ["login", "signin", "token"];
        while below.last().is_some_and(|last| words.contains(&joined(last).concat().as_str())) {
            below.pop();
        }
        Self { path, host, below }
    }
}

pub(super) struct Subject<'c> {
    pub(super) shapes: &'c [Shape],
    pub(super) operation: &'c Operation,
    pub(super) methods: &'c [String],
    /// The last segment of its path.
    pub(super) last: &'c str,
    /// Words of its path, below the segments that it shares with a login of the app.
    pub(super) words: Vec<String>,
    /// All words of its path but those of the last segment.
    pub(super) above: Vec<String>,
    /// Words of its function's name, or of an operation id of another kind.
    pub(super) name: Vec<String>,
    pub(super) taken: Vec<Taken>,
    /// Parameters of its path, below the segments that it shares with a login.
    parameters: Vec<&'c str>,
    /// Its path has parameters, there or above.
    pub(super) has_parameters: bool,
    /// A login of the app in the same place: its path.
    pub(super) beside_login: Option<&'c str>,
    /// The app's login has the same path.
    pub(super) at_login: bool,
}

impl<'c> Subject<'c> {
    pub(super) fn new(shapes: &'c [Shape], one: &'c Located<'c>, logins: &[Login<'c>]) -> Self {
        let all: Vec<&str> = segments(&one.path).collect();
        let shared = logins.iter().map(|login| shared(&all, &login.below)).max().unwrap_or_default();
        let own = all.get(shared..).unwrap_or_default();
        let (parameters, fixed): (Vec<&str>, Vec<&str>) =
            own.iter().partition(|segment| segment.contains('{'));
        let words = fixed.iter().flat_map(|segment| joined(segment)).collect();
        let last = all.last().copied().unwrap_or_default();
        let below = all.split_last().map_or(&all[..], |(_, below)| below);
        let beside = logins.iter().find(|login| login.host == one.host && login.below == below);
        Self {
            shapes,
            operation: one.operation,
            methods: one.methods,
            last,
            words,
            above: below
                .iter()
                .filter(|segment| !segment.contains('{'))
                .flat_map(|one| joined(one))
                .collect(),
            name: joined(function_name(&one.operation.id, one.own_path, one.methods)),
            taken: taken(shapes, one.operation).taken,
            parameters,
            has_parameters: all.iter().any(|segment| segment.contains('{')),
            beside_login: beside.map(|login| login.path),
            at_login: logins.iter().any(|login| (login.path, login.host) == (one.path.as_str(), one.host)),
        }
    }

    /// `words` without those of the last segment.
    pub(super) fn words_above(&self) -> &[String] {
        let last = joined(self.last).len();
        self.words.get(..self.words.len().saturating_sub(last)).unwrap_or_default()
    }

    pub(super) fn has_method(&self, methods: &[&str]) -> bool {
        self.methods.iter().any(|name| methods.contains(&name.as_str()))
    }

    /// What it takes from the body, the query and the path.
    pub(super) fn values(&self) -> impl Iterator<Item = &Taken> {
        self.taken.iter().filter(|taken| taken.value != Value::Other)
    }

    /// Where values stand whose names are of a kind.
    pub(super) fn places(&self, of_kind: impl Fn(&str) -> bool) -> Vec<CredentialPlace> {
        let all = self.values().filter(|taken| taken.is(&of_kind));
        all.flat_map(|taken| taken.places.iter().cloned().map(CredentialPlace::Input)).collect()
    }

    /// Headers and cookies that are declared.
    fn beside_the_body(&self) -> impl Iterator<Item = CredentialPlace> {
        let inputs = self.operation.inputs.iter().flat_map(|input| {
            let place = at(input.location);
            input.take.names().filter_map(move |name| place.map(|place| place(name.to_owned())))
        });
        let keys = self.schemes().filter_map(|(_, scheme)| match scheme {
            SecurityScheme::ApiKey { location, name } => at(*location).map(|place| place(name.clone())),
            _ => None,
        });
        inputs.chain(keys)
    }

    /// Where a refresh token stands.
    pub(super) fn refresh_tokens(&self) -> Vec<CredentialPlace> {
        let mut all = self.places(is_refresh_token);
        let beside = self.beside_the_body().filter(|place| match place {
            CredentialPlace::Header(name) | CredentialPlace::Cookie(name) => is_refresh_token(name),
            CredentialPlace::Input(_) => false,
        });
        all.extend(beside);
        all
    }

    /// Where a token stands beside the caller's own credential.
    pub(super) fn tokens(&self) -> Vec<CredentialPlace> {
        let refresh = self.refresh_tokens();
        if refresh.is_empty() { self.places(is_any_token) } else { refresh }
    }

    /// A session that comes with the request, as it is declared.
    pub(super) fn session(&self) -> Option<String> {
        let scheme = self.schemes().find(|(_, scheme)| match scheme {
            SecurityScheme::Bearer { .. } | SecurityScheme::Other => true,
            // A key that a browser sends by itself is that of a session.
            SecurityScheme::ApiKey { location: Location::Cookie, name } => !is_of_something_else(name),
            SecurityScheme::ApiKey { name, .. } => may_carry_a_session(name),
            SecurityScheme::Basic | SecurityScheme::Digest => false,
        });
        let asked = || {
            self.beside_the_body().find(|place| match place {
                CredentialPlace::Header(name) | CredentialPlace::Cookie(name) => may_carry_a_session(name),
                CredentialPlace::Input(_) => false,
            })
        };
        match scheme {
            Some((name, _)) => Some(format!("it asks for `{name}`")),
            None => asked().map(|place| format!("it takes `{place}`")),
        }
    }

    /// Anything by which the caller is known, as it is declared.
    pub(super) fn caller(&self) -> Option<String> {
        let scheme = || self.schemes().next().map(|(name, _)| format!("it asks for `{name}`"));
        self.session().or_else(scheme)
    }

    fn schemes(&self) -> impl Iterator<Item = (&'c str, &'c SecurityScheme)> {
        let all = self.operation.security.iter().flatten();
        all.map(|requirement| (requirement.name.as_str(), &requirement.scheme))
    }

    /// It is about one of several things, or about an account, that its path names.
    pub(super) fn path_names_one(&self) -> bool {
        self.parameters.iter().any(|segment| {
            let name = segment.trim_matches(['{', '}']);
            !is_refresh_token(name) && !is_any_token(name)
        })
    }

    /// What it takes from the body and the query.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Taken> {
        self.values().filter(|taken| taken.places.iter().any(|place| !matches!(place, Place::Path(_))))
    }

    /// It is about one of several things that its body or its query names.
    pub(super) fn takes_id(&self) -> bool {
        self.inputs().any(|taken| taken.is(is_id))
    }

    /// It is about an account that its body or its query names.
    pub(super) fn takes_account(&self) -> bool {
        self.inputs().any(|taken| taken.is(|name| rank_of_account(name).is_some()))
    }
}

fn at(location: Location) -> Option<fn(String) -> CredentialPlace> {
    match location {
        Location::Header => Some(CredentialPlace::Header),
        Location::Cookie => Some(CredentialPlace::Cookie),
        Location::Path | Location::Query | Location::Body => None,
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// How many segments a path shares with those that a login stands below. An account that is named
/// there is not a place.
fn shared(path: &[&str], below: &[&str]) -> usize {
    let is_account = |segment: &str| {
        let name = segment.trim_matches(['{', '}']);
        segment.starts_with('{') && rank_of_account(name).is_some()
    };
    let same = path.iter().zip(below).take_while(|(one, other)| one == other && !is_account(one));
    // The last segment says what an operation does.
    same.count().min(path.len().saturating_sub(1))
}

/// FastAPI makes the operation id of the function's name, the path and the method.
fn function_name<'i>(id: &'i str, path: &str, methods: &[String]) -> &'i str {
    let mut plain = String::with_capacity(path.len());
    let mut is_convertor = false;
    for c in path.chars() {
        is_convertor = (is_convertor || c == ':') && c != '}';
        if !is_convertor {
            plain.push(if c.is_alphanumeric() { c } else { '_' });
        }
    }
    let without = |method: &String| {
        id.strip_suffix(&method.to_ascii_lowercase())?.strip_suffix('_')?.strip_suffix(plain.as_str())
    };
    methods.iter().find_map(without).unwrap_or(id)
}
