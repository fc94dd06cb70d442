use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{MAX_REPORTED, Policy};
use crate::{
    Mode,
    audit::FirstTime,
    config::{Context, Mistake, Networks, Section},
    message::authority,
};

/// Names by which this machine calls itself.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The `[host]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The mode. Default `enforce` with an allow-list, `report` without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Known hosts: `example.com`, `*.example.com`, addresses, networks (`10.0.0.0/8`); without
    /// ports. Default: the loopback names, the listening address and the names of the certificate.
    pub allow: Vec<String>,
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self { mode: Some(Mode::Off), ..Self::default() }
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        let own = &context.deployment.own_hosts;
        let report_only = context.report_only;
        let mut mistakes = Vec::new();
        let (mut exact, mut suffixes) = (HashSet::new(), HashSet::new());
        let (mut networks, mut first) = (Vec::new(), None);
        for (index, host) in self.allow.iter().enumerate() {
            if host.contains('/') && Networks::parse(std::slice::from_ref(host)).is_ok() {
                networks.push(host.clone());
                continue;
            }
            let lower = host.trim_end_matches('.').to_ascii_lowercase();
            let (name, set) = match lower.strip_prefix('*') {
                Some(suffix) if suffix.starts_with('.') => (suffix.trim_start_matches('.'), &mut suffixes),
                _ => (lower.as_str(), &mut exact),
            };
            let plain = authority::name(name);
            let has_port = !name.starts_with('[') && name.contains(':');
            if !authority::is_well_formed(name.as_bytes()) || has_port {
                mistakes.push(
                    Mistake::new(format!("allow[{index}]"), format!("`{host}` is not a host"))
                        .help("write `example.com`, `*.example.com`, an address or `10.0.0.0/8`, without scheme and port"),
                );
                continue;
            }
            if lower.starts_with('*') {
                set.insert(format!(".{plain}"));
            } else {
                first.get_or_insert_with(|| name.into());
                set.insert(plain.into_owned());
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        if self.allow.is_empty() {
            exact.extend(LOOPBACK.map(str::to_owned));
            for host in own {
                match host.to_ascii_lowercase().strip_prefix('*') {
                    Some(suffix) => suffixes.insert(suffix.to_owned()),
                    None => exact.insert(authority::name(host).into_owned()),
                };
            }
        }
        let default = if self.allow.is_empty() { Mode::Report } else { Mode::Enforce };
        let boxed = |set: HashSet<String>| set.into_iter().map(String::into_boxed_str).collect();
        Ok(Policy {
            mode: self.mode.unwrap_or(default).under(report_only),
            exact: boxed(exact),
            suffixes: boxed(suffixes),
            // Each has been read above.
            networks: Networks::parse(&networks).unwrap_or_default(),
            first,
            reported: FirstTime::up_to(MAX_REPORTED),
        })
    }
}
