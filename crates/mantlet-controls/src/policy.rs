//! The whole configuration of the controls, raw and checked.
//!
//! Each control keeps its own section beside its code. Here they come together: [`Config::check`] turns all of them
//! into one [`Policy`] or reports every mistake at once. A reload swaps the whole policy, never a part of it.

use http::HeaderName;

use crate::{
    Mode, client, contract, cookies, cors, csrf, encoding, headers, host, https, limits,
    news::News,
    path, responses, route,
    section::{Context, Section},
    throttle, uploads,
};

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

/// Hands the controls to a macro, each with what it is about: where something is needed for each control, it is made from this list, which is
/// in the order of the sections of `mantlet.toml`.
#[macro_export]
macro_rules! sections {
    ($make:ident) => {
        $make! {
            /// Who is really calling: which proxies to believe, which forged headers to drop.
            client
            /// Sizes, counts and times. The times and the limits on connections are the server's to keep.
            limits
            /// The canonical path.
            path
            /// Hosts that are ours.
            host
            /// Where HTTPS is required.
            https
            /// What the app accepts.
            contract
            /// Whose pages may read answers.
            cors
            /// How often clients may ask.
            throttle
            /// Whose pages may act with the user's cookies.
            csrf
            /// Attributes of the app's cookies.
            cookies
            /// What answers may hold.
            responses
            /// Security headers.
            headers
            /// Multipart forms and their files.
            uploads
            /// Compressed bodies.
            encoding
        }
    };
}

/// The raw and the checked configuration of all controls.
macro_rules! policy {
    ($($(#[$about:meta])* $control:ident)+) => {
        /// The raw sections of every control.
        #[derive(Debug, Clone, Default)]
        pub struct Config {
            /// Turns every `enforce` into `report`.
            pub report_only: bool,
            $($(#[$about])* pub $control: $control::Config,)+
            /// `[[route]]`
            pub route: Vec<route::Config>,
            /// What the configuration does not say.
            pub surroundings: Surroundings,
        }

        /// The checked configuration: all that the request path reads.
        #[derive(Debug)]
        pub struct Policy {
            $($(#[$about])* pub $control: $control::Policy,)+
            /// What differs for a route.
            pub routes: route::Routes,
            /// What was seen in bodies and has been recorded.
            pub(crate) watched: News,
            /// Headers that were removed, and have been recorded.
            pub(crate) removed: News,
        }

        /// Each section by itself; the mistakes of the others are told already.
        struct Checked {
            $($control: Result<$control::Policy, ()>,)+
        }

        impl Config {
            /// The names of the sections.
            pub const SECTIONS: &[&str] = &[$(stringify!($control)),+];

            /// Every control does nothing.
            pub fn off() -> Self {
                Self { $($control: Section::off(),)+ ..Self::default() }
            }

            /// Checks every section; all mistakes are reported, each with its key.
            pub fn check(&self) -> Result<Policy, Vec<Mistake>> {
                let context = Context {
                    report_only: self.report_only,
                    posture: self.contract.posture,
                    surroundings: self.surroundings.clone(),
                };
                let mut mistakes = Vec::new();
                let mut collect = |section: &str, found: Vec<Mistake>| {
                    mistakes.extend(found.into_iter().map(|mistake| mistake.under(section)));
                };
                let checked = Checked {
                    $($control: self.$control.check(&context).map_err(|found| collect(stringify!($control), found)),)+
                };
                let base = self.of_all_routes(&checked);
                let routes = route::Routes::check(&self.route, base, &self.contract, &self.responses, self.report_only);
                let routes = routes.map_err(|found| collect("", found));
                let policy = (|| {
                    Ok::<_, ()>(Policy {
                        $($control: checked.$control?,)+
                        routes: routes?,
                        watched: News::up_to(contract::MAX_REPORTED),
                        removed: News::up_to(client::MAX_RECORDED),
                    })
                })();
                policy.map_err(|()| mistakes)
            }
        }
    };
}

sections!(policy);

impl Config {
    /// What holds for a route of which `[[route]]` says nothing.
    fn of_all_routes(&self, checked: &Checked) -> route::RoutePolicy {
        let posture = self.contract.posture;
        route::RoutePolicy {
            headers: self.headers.mode.under(self.report_only),
            host: checked.host.as_ref().map_or(Mode::Enforce, |host| host.mode),
            csrf: self.csrf.mode.under(self.report_only),
            csrf_token: self.csrf.token.mode.under(self.report_only),
            contract: self.contract.input_mode(self.report_only),
            rules: self.contract.rules(self.report_only),
            responses: self.responses.actions(posture, self.report_only),
            body_size: self.limits.body_sizes(posture),
            response_timeout: None,
            uploads: checked.uploads.clone().unwrap_or_else(|()| uploads::Policy::of(posture)),
            encoding: checked.encoding.clone().unwrap_or_else(|()| encoding::Policy::of(posture)),
        }
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
