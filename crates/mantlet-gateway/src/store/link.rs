//! The connection to a store: one server, a cluster, or the master that sentinels name.

use std::collections::HashMap;

use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, IntoConnectionInfo, Pipeline, RedisFuture, RedisResult,
    TlsCertificates, TlsMode, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo},
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};

use super::StoreConfig;

/// How often to follow a cluster that says the key is on another node.
const REDIRECTIONS: u32 = 3;

/// Keys that a node scans in one step, between other commands.
const AT_ONCE: usize = 1_000;

/// Where a store is.
pub(super) enum Target {
    One(Client),
    Cluster(Box<ClusterClient>),
    Sentinels(Sentinels),
}

/// The sentinels that know where the store is.
pub(super) struct Sentinels {
    hosts: Vec<String>,
    name: String,
    database: i64,
    user: Option<String>,
    password: Option<String>,
    authority: Option<Vec<u8>>,
    tls: bool,
}

/// A connection, which many requests share.
#[derive(Clone)]
pub(super) enum Link {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Target {
    pub(super) fn new(config: &StoreConfig) -> RedisResult<Self> {
        let roots = || TlsCertificates { client_tls: None, root_cert: config.authority.clone() };
        let Some((scheme, rest)) = config.url.expose().split_once("://") else {
            return Err((ErrorKind::InvalidClientConfig, "no URL").into());
        };
        let Some((plain, kind)) = scheme.split_once('+').filter(|(_, kind)| *kind != "unix") else {
            // An authority is for TLS alone.
            let url = config.url.expose().as_str();
            let has_roots = speaks_tls(scheme) && config.authority.is_some();
            let client = if has_roots { Client::build_with_tls(url, roots()) } else { Client::open(url) };
            return client.map(Self::One);
        };
        let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = place.rsplit_once('@').map_or((None, place), |(user, hosts)| (Some(user), hosts));
        let user = user.map_or_else(String::new, |user| format!("{user}@"));
        let with_port = |host: &str, port| {
            let has_port = host
                .rsplit_once(':')
                .is_some_and(|(before, _)| !before.contains(':') || before.ends_with(']'));
            if has_port { host.to_owned() } else { format!("{host}:{port}") }
        };
        match kind {
            "cluster" => {
                let nodes = hosts.split(',').map(|host| format!("{plain}://{user}{}", with_port(host, 6379)));
                let mut cluster = ClusterClient::builder(nodes).retries(REDIRECTIONS);
                if speaks_tls(plain) && config.authority.is_some() {
                    cluster = cluster.certs(roots());
                }
                cluster.build().map(|client| Self::Cluster(Box::new(client)))
            }
            "sentinel" => {
                let (name, database) = path.split_once('/').unwrap_or((path, "0"));
                let of_master = format!("{plain}://{user}master/{database}").into_connection_info()?;
                let (of_master, tls) = (of_master.redis_settings(), speaks_tls(plain));
                let sentinels = Sentinels {
                    hosts: hosts
                        .split(',')
                        .map(|host| format!("{plain}://{}", with_port(host, 26379)))
                        .collect(),
                    name: name.to_owned(),
                    database: of_master.db(),
                    user: of_master.username().map(str::to_owned),
                    password: of_master.password().map(str::to_owned),
                    authority: config.authority.clone(),
                    tls,
                };
                if sentinels.name.is_empty() {
                    return Err((ErrorKind::InvalidClientConfig, "the URL has no master name").into());
                }
                sentinels.client()?;
                Ok(Self::Sentinels(sentinels))
            }
            _ => Err((ErrorKind::InvalidClientConfig, "unknown kind of store").into()),
        }
    }

    /// Connects to the server, to the nodes of the cluster, or to the current master.
    pub(super) async fn connect(&self) -> RedisResult<Link> {
        // The caller sets a timeout.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        match self {
            Self::One(client) => {
                client.get_multiplexed_async_connection_with_config(&config).await.map(Link::One)
            }
            Self::Cluster(client) => client.get_async_connection().await.map(Link::Cluster),
            // Asked each time, because the master may have changed.
            Self::Sentinels(sentinels) => {
                sentinels.client()?.get_async_connection_with_config(&config).await.map(Link::One)
            }
        }
    }
}

/// A URL without its user and password: before the hosts, or in the query of a path.
pub(super) fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let hosts = place.rsplit_once('@').map_or(place, |(_, hosts)| hosts);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let of_server = |part: &&str| !part.starts_with("user=") && !part.starts_with("pass=");
    let query: Vec<_> = query.split('&').filter(of_server).collect();
    format!("{scheme}://{hosts}{path}?{}", query.join("&"))
}

fn speaks_tls(scheme: &str) -> bool {
    matches!(scheme, "rediss" | "valkeys")
}

impl Sentinels {
    fn client(&self) -> RedisResult<SentinelClient> {
        let hosts: RedisResult<Vec<_>> =
            self.hosts.iter().map(|host| Ok(host.as_str().into_connection_info()?.addr().clone())).collect();
        let mut client = SentinelClientBuilder::new(hosts?, &self.name, SentinelServerType::Master)?
            .set_client_to_redis_db(self.database);
        if let Some(user) = &self.user {
            client = client.set_client_to_redis_username(user);
        }
        if let Some(password) = &self.password {
            client = client.set_client_to_redis_password(password);
        }
        if self.tls {
            client = client.set_client_to_redis_tls_mode(TlsMode::Secure);
            if self.authority.is_some() {
                let roots = TlsCertificates { client_tls: None, root_cert: self.authority.clone() };
                client = client.set_client_to_redis_certificates(roots.clone());
                client = client.set_client_to_sentinel_certificates(roots);
            }
        }
        client.build()
    }
}

impl Link {
    /// The names of all keys that match the pattern, on every node.
    pub(super) async fn names(&mut self, pattern: &str) -> RedisResult<Vec<String>> {
        type Part = (u64, Vec<String>);
        let scan = |cursor: u64| {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(AT_ONCE);
            scan
        };
        let mut names = Vec::new();
        match self {
            Self::One(link) => {
                let mut cursor = 0;
                loop {
                    let (next, found): Part = scan(cursor).query_async(link).await?;
                    names.extend(found);
                    cursor = next;
                    if cursor == 0 {
                        break;
                    }
                }
            }
            Self::Cluster(link) => {
                // Each node has a cursor of its own.
                let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
                let parts: HashMap<String, Part> =
                    redis::from_redis_value(link.route_command(scan(0), all).await?)?;
                for (address, (mut cursor, found)) in parts {
                    names.extend(found);
                    let (host, port) = address.rsplit_once(':').unwrap_or((&address, ""));
                    let node = SingleNodeRoutingInfo::ByAddress {
                        host: host.to_owned(),
                        port: port.parse().unwrap_or_default(),
                    };
                    while cursor != 0 {
                        let node = RoutingInfo::SingleNode(node.clone());
                        let (next, found): Part =
                            redis::from_redis_value(link.route_command(scan(cursor), node).await?)?;
                        names.extend(found);
                        cursor = next;
                    }
                }
            }
        }
        Ok(names)
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(link) => link.req_packed_command(command),
            Self::Cluster(link) => link.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(link) => link.req_packed_commands(commands, offset, count),
            Self::Cluster(link) => link.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(link) => link.get_db(),
            Self::Cluster(link) => link.get_db(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn target(url: &str) -> RedisResult<Target> {
        let (url, prefix) = (url.to_owned().into(), String::new());
        Target::new(&StoreConfig { url, authority: None, timeout: Duration::ZERO, prefix })
    }

    #[test]
    fn a_password_is_not_the_place() {
        let place = without_password;
        assert_eq!(place("redis://me:old@a:1/2"), place("redis://you:new@a:1/2"));
        assert_eq!(place("redis://:old@a,b/2"), place("redis://a,b/2"));
        assert_eq!(place("redis+unix:///run/r?db=1&pass=old"), place("redis+unix:///run/r?db=1&pass=new"));
        for other in ["redis://:old@b:1/2", "rediss://:old@a:1/2", "redis://:old@a:1/3", "redis://:old@a:2/2"]
        {
            assert_ne!(place("redis://:old@a:1/2"), place(other), "{other}");
        }
    }

    #[test]
    fn a_url_says_what_kind_of_store_it_is() {
        for url in
            ["redis://a", "rediss://user:secret@a:1/2", "redis+unix:///run/redis.sock", "valkey://[::1]:1"]
        {
            assert!(matches!(target(url), Ok(Target::One(_))), "{url}");
        }
        for url in ["redis+cluster://a", "rediss+cluster://:secret@a:1,b,[::1]", "valkey+cluster://[::1]:1,a"]
        {
            assert!(matches!(target(url), Ok(Target::Cluster(_))), "{url}");
        }
        let Ok(Target::Sentinels(known)) = target("rediss+sentinel://me:secret@a,b:1,[::1]/shop/3") else {
            panic!("these are sentinels");
        };
        assert_eq!(known.hosts, ["rediss://a:26379", "rediss://b:1", "rediss://[::1]:26379"]);
        assert_eq!((&*known.name, known.database, known.tls), ("shop", 3, true));
        assert_eq!((known.user.as_deref(), known.password.as_deref()), (Some("me"), Some("secret")));
        for url in [
            "",
            "a",
            "http://a",
            "redis+a://a",
            "redis+cluster://",
            "redis+cluster://a,,b",
            "redis+sentinel://a",
            "redis+sentinel://a/shop/b",
        ] {
            assert!(target(url).is_err(), "{url}");
        }
    }
}
