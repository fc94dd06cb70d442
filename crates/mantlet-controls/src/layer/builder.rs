use std::{fmt, net::SocketAddr, sync::Arc};

use http::Extensions;

use super::{Audit, FindPeer, MantletLayer, Shared};
use crate::{
    Config, Mode, Scheme, Surroundings, Wire, audit::Record, client, cookies, cors, csrf, encoding, headers,
    host, https, limits, path, policy::Mistake, responses, route, units::Size, uploads,
};

/// Sets a [`MantletLayer`] up. Each control takes its own typed section, the same that `mantlet.toml` has.
pub struct Builder {
    config: Config,
    leaves_headers: bool,
    wire: Wire,
    audit: Audit,
    peer: FindPeer,
    scheme: Scheme,
}

/// A configuration that cannot be: every mistake with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidConfig(pub Vec<Mistake>);

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            write!(f, "{line}{}: {}", mistake.key, mistake.message)?;
            if let Some(help) = &mistake.help {
                write!(f, "; {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for InvalidConfig {}

impl Builder {
    pub(super) fn all() -> Self {
        Self {
            config: Config::default(),
            leaves_headers: false,
            wire: Wire::Unread,
            audit: Audit(Arc::new(drop)),
            peer: Box::new(|extensions| extensions.get::<SocketAddr>().copied()),
            scheme: Scheme::Http,
        }
    }

    pub(super) fn none() -> Self {
        let config = Config {
            path: path::Config { mode: Mode::Off, ..path::Config::default() },
            host: host::Config { mode: Some(Mode::Off), ..host::Config::default() },
            https: https::Config { required: https::Required::Never, ..https::Config::default() },
            csrf: csrf::Config { mode: Mode::Off, ..csrf::Config::default() },
            responses: responses::Config { mode: Mode::Off, ..responses::Config::default() },
            cookies: cookies::Config { mode: Mode::Off, ..cookies::Config::default() },
            headers: headers::Config { mode: Mode::Off, ..headers::Config::default() },
            uploads: uploads::Config { mode: Some(Mode::Off), ..uploads::Config::default() },
            encoding: encoding::Config { mode: Some(Mode::Off), ..encoding::Config::default() },
            limits: limits::Config {
                header_count: limits::MOST_HEADERS,
                target_length: limits::LONGEST_TARGET,
                body_size: Some(Size(u64::MAX)),
                ..limits::Config::default()
            },
            ..Config::default()
        };
        Self { config, leaves_headers: true, wire: Wire::NotAsked, ..Self::all() }
    }

    /// All sections at once, as `mantlet.toml` has them.
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        Self { config, leaves_headers: false, wire: Wire::Unread, ..self }
    }

    /// Who is really calling: which proxies to believe, which forged headers to drop.
    #[must_use]
    pub fn client(mut self, section: client::Config) -> Self {
        self.config.client = section;
        self.leaves_headers = false;
        self
    }

    /// Sizes and counts of a request. The times and the limits on connections are the server's to keep.
    #[must_use]
    pub fn limits(mut self, section: limits::Config) -> Self {
        self.config.limits = section;
        self.wire = Wire::Unread;
        self
    }

    /// The canonical path.
    #[must_use]
    pub fn path(mut self, section: path::Config) -> Self {
        self.config.path = section;
        self
    }

    /// Hosts that are ours.
    #[must_use]
    pub fn host(mut self, section: host::Config) -> Self {
        self.config.host = section;
        self
    }

    /// Where HTTPS is required.
    #[must_use]
    pub fn https(mut self, section: https::Config) -> Self {
        self.config.https = section;
        self
    }

    /// Whose pages may read answers.
    #[must_use]
    pub fn cors(mut self, section: cors::Config) -> Self {
        self.config.cors = section;
        self
    }

    /// Whose pages may act with the user's cookies.
    #[must_use]
    pub fn csrf(mut self, section: csrf::Config) -> Self {
        self.config.csrf = section;
        self
    }

    /// What answers may hold.
    #[must_use]
    pub fn responses(mut self, section: responses::Config) -> Self {
        self.config.responses = section;
        self
    }

    /// Attributes of the service's cookies.
    #[must_use]
    pub fn cookies(mut self, section: cookies::Config) -> Self {
        self.config.cookies = section;
        self
    }

    /// Multipart forms and their files.
    #[must_use]
    pub fn uploads(mut self, section: uploads::Config) -> Self {
        self.config.uploads = section;
        self
    }

    /// Compressed bodies.
    #[must_use]
    pub fn encoding(mut self, section: encoding::Config) -> Self {
        self.config.encoding = section;
        self
    }

    /// Security headers.
    #[must_use]
    pub fn headers(mut self, section: headers::Config) -> Self {
        self.config.headers = section;
        self
    }

    /// What differs for a route; once for each.
    #[must_use]
    pub fn route(mut self, section: route::Config) -> Self {
        self.config.route.push(section);
        self
    }

    /// Turns every `enforce` into `report`.
    #[must_use]
    pub fn report_only(mut self) -> Self {
        self.config.report_only = true;
        self
    }

    /// What decides about defaults: names that are ours, whether the server ends TLS.
    #[must_use]
    pub fn surroundings(mut self, surroundings: Surroundings) -> Self {
        self.config.surroundings = surroundings;
        self
    }

    /// The scheme that the server speaks. Default [`Scheme::Http`].
    #[must_use]
    pub fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self.config.surroundings.has_certificate |= scheme == Scheme::Https;
        self
    }

    /// Where audit records go. It must not block. Default: nowhere.
    #[must_use]
    pub fn audit(mut self, sink: impl Fn(Record) + Send + Sync + 'static) -> Self {
        self.audit = Audit(Arc::new(sink));
        self
    }

    /// How to find the address of the connection in a request's extensions. Default: a [`SocketAddr`] in them. For axum:
    /// `|extensions| extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0)`.
    #[must_use]
    pub fn peer(mut self, find: impl Fn(&Extensions) -> Option<SocketAddr> + Send + Sync + 'static) -> Self {
        self.peer = Box::new(find);
        self
    }

    /// Checks everything; all mistakes are reported at once.
    pub fn build(self) -> Result<MantletLayer, InvalidConfig> {
        let mut policy = self.config.check().map_err(InvalidConfig)?;
        policy.client.leaves_headers = self.leaves_headers;
        let Self { wire, audit, peer, scheme, .. } = self;
        Ok(MantletLayer { shared: Arc::new(Shared { policy, wire, audit, peer, scheme }) })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("config", &self.config).finish_non_exhaustive()
    }
}
