use std::{fmt, net::SocketAddr, sync::Arc};

use http::Extensions;

use super::{Audit, FindPeer, MantletLayer, Shared};
use crate::{
    Config, Deployment, Scheme, WireVerdict,
    audit::Record,
    config::{Mistake, Section},
    limits, route, sections,
};

/// Sets a [`MantletLayer`] up. Each control takes its own typed section, the same that `mantlet.toml` has.
pub struct Builder {
    config: Config,
    audit: Audit,
    peer: FindPeer,
    scheme: Scheme,
}

/// An invalid configuration: every mistake with its key.
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
            audit: Audit(Arc::new(drop)),
            peer: Box::new(|extensions| extensions.get::<SocketAddr>().copied()),
            scheme: Scheme::Http,
        }
    }

    pub(super) fn none() -> Self {
        Self { config: Config::off(), ..Self::all() }
    }

    /// All sections at once, as `mantlet.toml` has them.
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// The settings of a route; call it once for each route.
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

    /// Facts that decide about defaults: our own names, and whether the server ends TLS.
    #[must_use]
    pub fn deployment(mut self, deployment: Deployment) -> Self {
        self.config.deployment = deployment;
        self
    }

    /// The scheme that the server speaks. Default [`Scheme::Http`].
    #[must_use]
    pub fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self.config.deployment.has_certificate |= scheme == Scheme::Https;
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
        let policy = self.config.check().map_err(InvalidConfig)?;
        // Strict parsing is a limit like the others.
        let wire = if self.config.limits == limits::Config::off() {
            WireVerdict::NotAsked
        } else {
            WireVerdict::Unread
        };
        let Self { audit, peer, scheme, .. } = self;
        Ok(MantletLayer { shared: Arc::new(Shared { policy, wire, audit, peer, scheme }) })
    }
}

/// A method for each control.
macro_rules! methods {
    ($($(#[$about:meta])* $control:ident)+) => {
        impl Builder {
            $($(#[$about])* #[must_use]
            pub fn $control(mut self, section: crate::$control::Config) -> Self {
                self.config.$control = section;
                self
            })+
        }
    };
}

sections!(methods);

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("config", &self.config).finish_non_exhaustive()
    }
}
