//! The record of a header that the app does not receive.

use std::net::IpAddr;

use super::{
    headers::{Removed, Why},
    names,
};
use crate::{Call, Mode, Reason, audit::Record, message::foreign, refusal::remedy::quoted};

impl Removed {
    /// For the audit log: the app does not receive the header, or would not in `strict` posture.
    pub(crate) fn record(&self, call: &Call) -> Record {
        let (security_event, action, mode) = if self.stays {
            ("request-would-be-changed", "pass", Mode::Report)
        } else {
            ("request-changed", "strip", Mode::Enforce)
        };
        Record {
            security_event,
            action,
            mode: mode.as_str(),
            subject: Some(told(call, self)),
            remedy: remedy(call, self),
            ..Record::plain(call, Reason::HeaderRemoved)
        }
    }
}

/// The name of a header. If a client may have made it up, only a name in the app's contract is
/// shown, in either spelling.
fn told(call: &Call, removed: &Removed) -> String {
    let name = removed.name.as_str();
    let is_known = match removed.why {
        Why::Forgeable => {
            let known = super::names::known_part(name);
            let rest = name.strip_prefix(known).filter(|rest| !rest.is_empty());
            return rest.map_or_else(|| known.to_owned(), |rest| format!("{known}{}", foreign::shape(rest)));
        }
        Why::Configured | Why::MethodOverride => true,
        Why::Underscore | Why::Named => call.operation.as_ref().is_some_and(|matched| {
            let has = |name: &str| matched.contract.has_name(name);
            has(name) || has(&name.replace('_', "-")) || has(&name.replace('-', "_"))
        }),
    };
    foreign::name(name, is_known)
}

/// The remedy: it lets a removed header through, or removes one that passes. A nearby peer that
/// writes headers of proxies may be a proxy. Headers of Mantlet itself have none.
fn remedy(call: &Call, removed: &Removed) -> Option<String> {
    if removed.name.as_str().replace('_', "-").starts_with(names::MANTLET) {
        // Only a forger sends these.
        return None;
    }
    let listed = |key: &str| Some(format!("client.{key} = [{}]", quoted(removed.name.as_str())));
    match removed.why {
        Why::MethodOverride => listed(if removed.stays { "drop" } else { "keep" }),
        Why::Forgeable => {
            let peer = call.client.address.filter(|address| match address {
                IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
                IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
            })?;
            Some(format!("client.trusted = [{}]", quoted(&peer.to_string())))
        }
        Why::Underscore => Some("client.underscore-headers = \"pass\"".to_owned()),
        Why::Configured | Why::Named => None,
    }
}
