//! `[metrics]`: the port where metrics are served.

use std::net::{IpAddr, SocketAddr};

use mantlet_controls::config::Mistake;
use mantlet_gateway::Listen;
use serde::{Deserialize, Serialize};

/// `[metrics]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// Where metrics are served, such as `127.0.0.1:9464`; `off` for nowhere. Requests are measured only if
    /// they are served. Default `off`.
    pub(crate) listen: String,
    /// That address may be reached by clients. Without this, a note is said. Default no.
    pub(crate) public: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { listen: "off".into(), public: false }
    }
}

impl Config {
    /// Where to serve, if that is wanted.
    pub(crate) fn address(&self) -> Result<Option<SocketAddr>, Mistake> {
        let wrong = |message: String| Err(Mistake::new("metrics.listen", message));
        match self.listen.as_str() {
            "off" | "" => Ok(None),
            text => match text.parse() {
                Ok(Listen::Tcp(address)) => Ok(Some(address)),
                Ok(Listen::Unix(_)) => wrong(format!(
                    "`{text}` is a socket, and metrics are served on a port; write `127.0.0.1:9464`. The admin socket has them at `/metrics`"
                )),
                Err(_) => wrong(format!("`{text}` is not an address; write `127.0.0.1:9464`, or `off`")),
            },
        }
    }

    /// Whether clients may reach the address although that was not said.
    pub(crate) fn is_exposed(&self, address: SocketAddr) -> bool {
        !self.public && !is_private(address.ip().to_canonical())
    }
}

/// Of this machine, or of a network that the Internet does not reach.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(listen: &str) -> Config {
        Config { listen: listen.into(), ..Config::default() }
    }

    #[test]
    fn addresses_are_read() {
        assert_eq!(Config::default().address().unwrap(), None);
        assert_eq!(config(":9464").address().unwrap().unwrap().to_string(), "0.0.0.0:9464");
        for wrong in ["unix:/run/metrics", "9464", "on"] {
            let mistake = config(wrong).address().unwrap_err();
            assert_eq!(mistake.key, "metrics.listen");
            assert!(mistake.message.contains("127.0.0.1:9464"), "{}", mistake.message);
        }
    }

    #[test]
    fn only_addresses_that_clients_may_reach_are_exposed() {
        for (listen, exposed) in [
            ("127.0.0.1:1", false),
            ("[::1]:1", false),
            ("10.1.2.3:1", false),
            ("[fd00::1]:1", false),
            ("[::ffff:192.168.0.1]:1", false),
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("203.0.113.7:1", true),
        ] {
            let address = config(listen).address().unwrap().unwrap();
            assert_eq!(config(listen).is_exposed(address), exposed, "{listen}");
            assert!(!Config { public: true, ..config(listen) }.is_exposed(address), "{listen}");
        }
    }
}
