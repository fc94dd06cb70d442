//! The whole configuration of the controls, raw and checked.
//!
//! Each control keeps its own section beside its code. Here they come together: [`Config::check`] turns all of them
//! into one [`Policy`] or reports every mistake at once. A reload swaps the whole policy, never a part of it.

use crate::{
    Call, Mode, accounts,
    audit::{Actions, FirstTime, Recorded, Vouchers},
    client,
    config::{Clock, Context, Deployment, Mistake, Section},
    contract, encoding,
    operation::ContractHandle,
    route, uploads,
};

/// Passes the controls to a macro, each with its description. Code that is needed for each control
/// is made from this list, in the order of the sections of `mantlet.toml`.
#[macro_export]
macro_rules! sections {
    ($make:ident) => {
        $make! {
            /// Which client has really sent the request: which proxies to believe, which forged
            /// headers to drop.
            client
            /// Sizes, counts and times. The server enforces times and limits on connections.
            limits
            /// The canonical path.
            path
            /// Hosts that are ours.
            host
            /// Where HTTPS is required.
            https
            /// What the app accepts.
            contract
            /// Whose pages may read responses.
            cors
            /// How often clients may ask.
            throttle
            /// Keys of programs, made by the operator.
            api_keys
            /// Whose tokens to believe.
            issuer
            /// Whether the caller has the key of its token.
            dpop
            /// Who the caller is.
            authentication
            /// What the caller may do.
            authorization
            /// Whether the app's refresh tokens leave the gate.
            refresh_tokens
            /// Whose pages may act with the user's cookies.
            csrf
            /// Attributes of the app's cookies.
            cookies
            /// What responses may contain.
            responses
            /// Security headers.
            headers
            /// Multipart forms and their files.
            uploads
            /// Compressed bodies.
            encoding
            /// What responses of deprecated operations say.
            deprecation
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
            $($(#[$about])* pub $control: crate::$control::Config,)+
            /// What needs no login, where Mantlet keeps accounts.
            pub accounts: accounts::Config,
            /// Which actions are recorded.
            pub actions: Actions,
            /// `[[route]]`
            pub route: Vec<route::Config>,
            /// Facts outside the configuration.
            pub deployment: Deployment,
        }

        /// The checked configuration: all that the request path reads.
        #[derive(Debug)]
        pub struct Policy {
            $($(#[$about])* pub $control: crate::$control::Policy,)+
            /// What needs no login, where Mantlet keeps accounts.
            pub accounts: accounts::Policy,
            /// Settings of single routes.
            pub routes: route::Routes,
            /// The clock.
            pub(crate) clock: Clock,
            /// Findings in bodies that have been recorded.
            pub(crate) watched: FirstTime,
            /// Headers that were removed, and have been recorded.
            pub(crate) removed: FirstTime,
            /// Facts of requests, for events of the app.
            pub(crate) vouchers: Vouchers,
        }

        /// Each section by itself; the mistakes of the others are told already.
        struct Checked {
            $($control: Result<crate::$control::Policy, ()>,)+
        }

        impl Config {
            /// The names of the sections.
            pub const SECTIONS: &[&str] = &[$(stringify!($control)),+];

            /// Every control does nothing.
            pub fn off() -> Self {
                Self { $($control: Section::off(),)+ actions: Actions::Off, ..Self::default() }
            }

            /// Checks every section; all mistakes are reported, each with its key.
            pub fn check(&self) -> Result<Policy, Vec<Mistake>> {
                let context = Context {
                    report_only: self.report_only,
                    posture: self.contract.posture,
                    deployment: self.deployment.clone(),
                };
                let mut mistakes = Vec::new();
                let mut collect = |section: &str, found: Vec<Mistake>| {
                    // As `mantlet.toml` has it.
                    let section = section.replace('_', "-");
                    mistakes.extend(found.into_iter().map(|mistake| mistake.under(&section)));
                };
                let checked = Checked {
                    $($control: self.$control.check(&context).map_err(|found| collect(stringify!($control), found)),)+
                };
                let accounts = self.accounts.check(self.report_only).map_err(|found| collect("accounts", found));
                let base = self.of_all_routes(&checked);
                let routes = route::Routes::check(&self.route, base, &self.contract, &self.responses, self.actions, self.report_only);
                let routes = routes.map_err(|found| collect("", found));
                let policy = (|| {
                    Ok::<_, ()>(Policy {
                        $($control: checked.$control?,)+
                        accounts: accounts?,
                        routes: routes?,
                        clock: self.deployment.clock,
                        watched: FirstTime::up_to(contract::MAX_REPORTED),
                        removed: FirstTime::up_to(client::MAX_RECORDED),
                        vouchers: self.deployment.kept.get(),
                    })
                })();
                policy.map_err(|()| mistakes)
            }
        }
    };
}

sections!(policy);

impl Policy {
    /// The host of a request, for links that are built from it.
    pub fn host_of_links<'c>(&self, call: &'c Call) -> Option<&'c str> {
        self.host.to_build_from(self.routes.fallback().host, &call.host)
    }

    /// Whether actions are recorded beside refusals.
    pub fn records_actions(&self) -> bool {
        self.routes.fallback().recorded != Recorded::Nothing
    }
}

impl Config {
    /// Where the app's contract is put once it is known.
    pub fn contract_handle(&self) -> ContractHandle {
        self.deployment.kept.get()
    }

    /// The settings of a route without a `[[route]]` section.
    fn of_all_routes(&self, checked: &Checked) -> route::RoutePolicy {
        let posture = self.contract.posture;
        route::RoutePolicy {
            headers: self.headers.mode.under(self.report_only),
            host: checked.host.as_ref().map_or(Mode::Enforce, |host| host.mode),
            csrf: self.csrf.mode.under(self.report_only),
            needs_key: self.api_keys.required,
            csrf_token: self.csrf.token.mode.under(self.report_only),
            input: self.contract.input_mode(self.report_only),
            rules: self.contract.rules(self.report_only),
            responses: self.responses.actions(posture, self.report_only),
            body_size: self.limits.body_sizes(posture),
            response_timeout: None,
            uploads: checked.uploads.clone().unwrap_or_else(|()| uploads::Policy::of(posture)).into(),
            encoding: checked.encoding.clone().unwrap_or_else(|()| encoding::Policy::of(posture)).into(),
            recorded: Recorded::of(self.actions, None),
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
        config.limits.head_size = crate::config::units::Size(10);
        config.route = vec![route::Config { path: "admin".into(), ..route::Config::default() }];
        let keys: Vec<_> = config.check().unwrap_err().into_iter().map(|mistake| mistake.key).collect();
        assert_eq!(
            keys,
            ["client.trusted[1]", "limits.head-size", "headers.referrer-policy", "route[0].path"]
        );
    }
}
