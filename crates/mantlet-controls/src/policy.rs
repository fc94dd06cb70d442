//! The whole configuration of the controls, raw and checked.
//!
//! Each control keeps its own section beside its code. Here they come together: [`Config::check`] turns all of them
//! into one [`Policy`] or reports every mistake at once. A reload swaps the whole policy, never a part of it.

use http::HeaderName;

use crate::{
    client,
    contract::{self, Posture},
    cookies, cors, csrf, encoding, headers, host, https, limits,
    news::News,
    path, responses, route, throttle, uploads,
};

/// The raw sections of every control.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Turns every `enforce` into `report`.
    pub report_only: bool,
    /// `[client]`
    pub client: client::Config,
    /// `[limits]`
    pub limits: limits::Config,
    /// `[path]`
    pub path: path::Config,
    /// `[host]`
    pub host: host::Config,
    /// `[https]`
    pub https: https::Config,
    /// `[contract]`
    pub contract: contract::Config,
    /// `[cors]`
    pub cors: cors::Config,
    /// `[throttle]`
    pub throttle: throttle::Config,
    /// `[csrf]`
    pub csrf: csrf::Config,
    /// `[responses]`
    pub responses: responses::Config,
    /// `[cookies]`
    pub cookies: cookies::Config,
    /// `[headers]`
    pub headers: headers::Config,
    /// `[uploads]`
    pub uploads: uploads::Config,
    /// `[encoding]`
    pub encoding: encoding::Config,
    /// `[[route]]`
    pub route: Vec<route::Config>,
    /// What the configuration does not say.
    pub surroundings: Surroundings,
}

/// The server that stands behind: how it reads what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Server {
    /// Any: what one of them may read in another way counts.
    #[default]
    Unknown,
    /// uvicorn, which Mantlet has started itself: its reading is known.
    Uvicorn,
}

/// What decides about defaults and is known only where Mantlet runs.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// What stands behind.
    pub server: Server,
    /// Mantlet ends TLS itself.
    pub has_certificate: bool,
    /// Names and addresses that are ours: of the listening socket and of the certificate; `*.example.com` as certificates have it.
    pub own_hosts: Vec<String>,
    /// What signs tokens against request forgery: the first signs, all are accepted. Without one the policy makes its own.
    pub csrf_keys: Vec<csrf::token::Key>,
    /// What rules of `[throttle]` remember.
    pub throttle: throttle::Memory,
    /// Where the app's contract is put once it is known.
    pub contract: contract::Slot,
}

/// The checked configuration: all that the request path reads.
#[derive(Debug)]
pub struct Policy {
    /// Who is really calling.
    pub client: client::Policy,
    /// Sizes, counts and times.
    pub limits: limits::Policy,
    /// The canonical path.
    pub path: path::Policy,
    /// Hosts that are ours.
    pub host: host::Policy,
    /// Where HTTPS is required.
    pub https: https::Policy,
    /// What the app accepts.
    pub contract: contract::Policy,
    /// Whose pages may read answers.
    pub cors: cors::Policy,
    /// How often clients may ask.
    pub throttle: throttle::Policy,
    /// Whose pages may act with the user's cookies.
    pub csrf: csrf::Policy,
    /// What answers may hold.
    pub responses: responses::Policy,
    /// Attributes of the app's cookies.
    pub cookies: cookies::Policy,
    /// Security headers.
    pub headers: headers::Policy,
    /// What differs for a route.
    pub routes: route::Routes,
    /// What was seen in bodies and has been recorded.
    pub(crate) watched: News,
    /// Headers that were removed, and have been recorded.
    pub(crate) removed: News,
}

impl Config {
    /// Checks every section; all mistakes are reported, each with its key.
    pub fn check(&self) -> Result<Policy, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut collect = |section: &str, found: Vec<Mistake>| {
            mistakes.extend(found.into_iter().map(|mistake| mistake.under(section)));
        };
        let (server, posture) = (self.surroundings.server, self.contract.posture);
        let path =
            self.path.check(server, posture, self.report_only).map_err(|found| collect("path", found)).ok();
        let client = self.client.check(server, posture).map_err(|found| collect("client", found)).ok();
        let limits = self.limits.check().map_err(|found| collect("limits", found)).ok();
        let surroundings = &self.surroundings;
        let contract = self.contract.check(surroundings.contract.clone(), self.report_only);
        let contract = contract.map_err(|found| collect("contract", found)).ok();
        let host = self.host.check(&surroundings.own_hosts, self.report_only);
        let host = host.map_err(|found| collect("host", found)).ok();
        let https =
            self.https.check(surroundings.has_certificate).map_err(|found| collect("https", found)).ok();
        let cors = self.cors.check(self.report_only).map_err(|found| collect("cors", found)).ok();
        let throttle =
            self.throttle.under(self.contract.posture).check(&surroundings.throttle, self.report_only);
        let throttle = throttle.map_err(|found| collect("throttle", found)).ok();
        let loopback = self.csrf.loopback.or((self.contract.posture == Posture::Strict).then_some(false));
        let csrf = csrf::Config { loopback, ..self.csrf.clone() }.check(&surroundings.csrf_keys);
        let csrf = csrf.map_err(|found| collect("csrf", found)).ok();
        let cookies = self.cookies.check(self.report_only).map_err(|found| collect("cookies", found)).ok();
        let responses = self.responses.check();
        let responses = responses.map_err(|found| collect("responses", found)).ok();
        let headers = self.headers.check(posture).map_err(|found| collect("headers", found)).ok();
        let uploads = uploads::Policy::of(posture).with(&self.uploads, self.report_only);
        let uploads = uploads.map_err(|found| collect("uploads", found)).ok();
        let encoding = encoding::Policy::of(posture).with(&self.encoding, self.report_only);
        let encoding = encoding.map_err(|found| collect("encoding", found)).ok();
        let base = route::RoutePolicy {
            headers: self.headers.mode.under(self.report_only),
            host: host.as_ref().map_or(crate::Mode::Enforce, |host| host.mode),
            csrf: self.csrf.mode.under(self.report_only),
            csrf_token: self.csrf.token.mode.under(self.report_only),
            contract: self.contract.input_mode(self.report_only),
            rules: self.contract.rules(self.report_only),
            responses: self.responses.actions(posture, self.report_only),
            body_size: self.limits.body_sizes(posture),
            response_timeout: None,
            uploads: uploads.clone().unwrap_or_else(|| uploads::Policy::of(posture)),
            encoding: encoding.clone().unwrap_or_else(|| encoding::Policy::of(posture)),
        };
        let routes =
            route::Routes::check(&self.route, base, &self.contract, &self.responses, self.report_only)
                .map_err(|found| collect("", found))
                .ok();
        if let (Some(client), Some(limits), Some(host), Some(https), Some(cors), Some(csrf)) =
            (client, limits, host, https, cors, csrf)
            && let (Some(cookies), Some(headers), Some(routes), Some(contract), Some(responses)) =
                (cookies, headers, routes, contract, responses)
            && let (Some(throttle), Some(path)) = (throttle, path)
            && uploads.is_some()
            && encoding.is_some()
        {
            return Ok(Policy {
                client,
                limits,
                path,
                host,
                https,
                contract,
                cors,
                throttle,
                csrf,
                responses,
                cookies,
                headers,
                routes,
                watched: News::up_to(contract::MAX_REPORTED),
                removed: News::up_to(client::MAX_RECORDED),
            });
        }
        Err(mistakes)
    }
}

impl Default for Policy {
    fn default() -> Self {
        // The default configuration is checked by a test; it cannot fail.
        #[expect(clippy::expect_used, reason = "the defaults are constants, and a test checks them")]
        Config::default().check().expect("the defaults are valid")
    }
}

/// Something in the configuration that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The key, such as `limits.head-size` or `route[1].path`.
    pub key: String,
    /// What is wrong, in lower case, without a period.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Mistake {
    /// A mistake without help.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), help: None }
    }

    /// With a word on what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A path that does not begin with `/`.
    pub(crate) fn of_path(key: impl Into<String>, path: &str) -> Option<Self> {
        let mistake =
            || Self::new(key, format!("`{path}` has no leading `/`")).help(format!("write `/{path}`"));
        (!path.starts_with('/')).then(mistake)
    }

    pub(crate) fn under(mut self, section: &str) -> Self {
        if !section.is_empty() {
            self.key = format!("{section}.{}", self.key);
        }
        self
    }
}

/// Reads a list of header names; what is none is a mistake.
pub(crate) fn header_names<'a>(
    key: &str,
    names: impl Iterator<Item = (usize, &'a String)>,
    mistakes: &mut Vec<Mistake>,
) -> Vec<HeaderName> {
    let mut read = Vec::new();
    for (index, name) in names {
        match name.parse() {
            Ok(name) => read.push(name),
            Err(_) => mistakes
                .push(Mistake::new(format!("{key}[{index}]"), format!("`{name}` is not a header name"))),
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert!(Config::default().check().is_ok());
    }

    #[test]
    fn all_mistakes_are_reported_at_once_with_their_keys() {
        let mut config = Config::default();
        config.client.trusted = vec!["10.0.0.0/8".into(), "everybody".into()];
        config.headers.referrer_policy = "no\nreferrer".into();
        config.limits.head_size = crate::units::Size(10);
        config.route = vec![route::Config { path: "admin".into(), ..route::Config::default() }];
        let keys: Vec<_> = config.check().unwrap_err().into_iter().map(|mistake| mistake.key).collect();
        assert_eq!(
            keys,
            ["client.trusted[1]", "limits.head-size", "headers.referrer-policy", "route[0].path"]
        );
    }
}
