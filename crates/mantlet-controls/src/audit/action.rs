//! Records of actions: what was done, beside what was refused.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::Record;
use crate::{Call, Reason, account, message::foreign::cut};

/// Longest id of an object in a record, in bytes.
const MAX_ID: usize = 64;

/// Events of actions.
pub const ACTIONS: &[&str] = &[
    "login-succeeded",
    "login-failed",
    "login-attempted",
    "logout",
    "password-changed",
    "password-change-failed",
    "password-change-attempted",
    "password-reset",
    "password-reset-failed",
    "password-reset-attempted",
    "password-reset-requested",
    "account-created",
    "token-refreshed",
    "registration-requested",
    "account-verified",
    "account-closed",
    "account-action-refused",
    "address-change-requested",
    "address-changed",
    "address-restored",
    "second-factor-added",
    "second-factor-removed",
    "recovery-codes-renewed",
    "request-recorded",
    "operator-acted",
    "configuration-changed",
    "configuration-reloaded",
    "configuration-refused",
    "gate-started",
    "gate-stopped",
    "app-restarted",
    "app-event",
    "app-events-lost",
];

/// Which actions are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actions {
    /// None.
    Off,
    /// Those that the app's contract knows as sensitive, and those of the operator.
    #[default]
    Sensitive,
    /// The same, and every other request.
    All,
}

/// What is recorded of the requests of one route, if that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OfRoute {
    /// Each request.
    Always,
    /// Each request that has failed.
    Failures,
    /// No request that has succeeded, even if it is sensitive.
    Never,
}

/// Which requests are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// None.
    Nothing,
    /// Sensitive ones.
    Sensitive,
    /// All.
    Everything,
    /// All that have not succeeded.
    Failures,
    /// Sensitive ones that have not succeeded.
    SensitiveFailures,
}

impl Recorded {
    /// The setting for all routes, and for one of them.
    pub const fn of(actions: Actions, of_route: Option<OfRoute>) -> Self {
        match (of_route, actions) {
            (Some(OfRoute::Always), _) | (None, Actions::All) => Self::Everything,
            (Some(OfRoute::Failures), _) => Self::Failures,
            (Some(OfRoute::Never) | None, Actions::Off) => Self::Nothing,
            (Some(OfRoute::Never), _) => Self::SensitiveFailures,
            (None, Actions::Sensitive) => Self::Sensitive,
        }
    }

    /// Whether a request may be recorded by it. The only price of other requests.
    pub(crate) const fn concerns(self, is_sensitive: bool) -> bool {
        match self {
            Self::Nothing => false,
            Self::Sensitive | Self::SensitiveFailures => is_sensitive,
            Self::Everything | Self::Failures => true,
        }
    }

    /// Whether a request with this outcome is recorded.
    pub(crate) fn records(self, is_sensitive: bool, outcome: Outcome) -> bool {
        let is_success = outcome == Outcome::Success;
        self.concerns(is_sensitive)
            && !(is_success && matches!(self, Self::Failures | Self::SensitiveFailures))
    }
}

/// How an action has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was not.
    Failure,
    /// The gate or the app has refused it.
    Denied,
    /// That is not known.
    Unknown,
}

impl Record {
    /// The record of what a request has done, and of which object.
    pub(crate) fn of_action(call: &Call, event: &'static str, outcome: Outcome, status: Option<u16>) -> Self {
        Self {
            security_event: event,
            reason: event,
            status,
            outcome: Some(outcome),
            object: object_of(call),
            ..Self::plain(call, Reason::InternalError)
        }
    }

    /// The record of what has happened to an account that Mantlet keeps.
    pub fn of_account(
        call: &Call,
        code: &'static str,
        outcome: Outcome,
        status: u16,
        (account, address, session): (Option<String>, Option<&str>, Option<u64>),
    ) -> Self {
        let plain = Self::of_action(call, code, outcome, Some(status));
        Self {
            account: address.and_then(hash_of_account),
            user: account.or(plain.user),
            session: session.map(short).or(plain.session),
            ..plain
        }
    }

    /// The record of an act of the operator at the admin socket, on what, and who it was.
    pub fn of_operator(act: &str, operator: String, outcome: Outcome, time: Timestamp) -> Self {
        Self {
            user: Some(operator),
            subject: Some(act.to_owned()),
            ..Self::of_gate("operator-acted", outcome, Map::new(), time)
        }
    }

    /// The record of what the gate itself does, or what happens to it.
    pub fn of_gate(event: &'static str, outcome: Outcome, data: Map<String, Value>, time: Timestamp) -> Self {
        Self {
            security_event: event,
            reason: event,
            action: "pass",
            mode: crate::Mode::Report.as_str(),
            outcome: Some(outcome),
            data: Some(Box::new(data)).filter(|data| !data.is_empty()),
            ..Self::of_connection(None, Reason::InternalError, time)
        }
    }

    /// The same, of a caller and the session with this number.
    #[must_use]
    pub fn by(self, user: Option<String>, session: Option<u64>) -> Self {
        Self { user: user.or(self.user), session: session.map(short).or(self.session), ..self }
    }

    /// Whether it says what was done, and not what was refused.
    pub fn is_of_action(&self) -> bool {
        ACTIONS.contains(&self.security_event)
    }
}

/// An account that a request names, in eight hexadecimal digits: the same as in refusals of its attempts.
pub fn hash_of_account(name: &str) -> Option<String> {
    let name = account::compared(name)?;
    let mut hash = Sha256::new();
    for part in [name.as_bytes(), b""] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let first = hash.finalize().first_chunk().copied().unwrap_or_default();
    Some(format!("{:08x}", u32::from_be_bytes(first)))
}

/// The first eight digits of a session's number.
pub(crate) fn short(session: u64) -> String {
    format!("{:08x}", session >> 32)
}

/// `orders/17`: the object of a request, if its operation has a parameter that says which one it is.
pub(crate) fn object_of(call: &Call) -> Option<String> {
    let matched = call.operation.as_ref()?;
    let id = matched.contract.id_parameters(&matched.route).last()?;
    let (_, _, place) = matched.parameters.iter().find(|(name, ..)| **name == *id.name)?;
    let value = call.path.as_str().get(place.clone())?;
    let (before, _) = matched.route.path.split_once(&format!("{{{}", id.name))?;
    let mut fixed = before.rsplit('/').filter(|segment| !segment.is_empty() && !segment.contains('}'));
    Some(format!("{}/{}", fixed.next().unwrap_or(&id.name), cut(value, MAX_ID)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_says_what_is_recorded_there() {
        use Outcome::{Denied, Failure, Success, Unknown};
        // Each outcome of a sensitive request, and of another one.
        let check = |actions, of_route, expected: &str| {
            let recorded = Recorded::of(actions, of_route);
            let mut found = String::new();
            for is_sensitive in [true, false] {
                for outcome in [Success, Failure, Denied, Unknown] {
                    found.push(if recorded.records(is_sensitive, outcome) { '+' } else { '-' });
                }
            }
            assert_eq!(found, expected, "{actions:?} {of_route:?}");
        };
        check(Actions::Sensitive, None, "++++----");
        check(Actions::Off, None, "--------");
        check(Actions::All, None, "++++++++");
        for actions in [Actions::Sensitive, Actions::Off, Actions::All] {
            check(actions, Some(OfRoute::Always), "++++++++");
            check(actions, Some(OfRoute::Failures), "-+++-+++");
        }
        check(Actions::Sensitive, Some(OfRoute::Never), "-+++----");
        check(Actions::All, Some(OfRoute::Never), "-+++----");
        check(Actions::Off, Some(OfRoute::Never), "--------");
    }

    #[test]
    fn an_account_has_one_hash_however_it_is_written() {
        let hash = hash_of_account("Ann@Example.com ");
        assert_eq!(hash, hash_of_account("ann@example.com"));
        // As docs/audit.md says how to find it.
        assert_eq!(hash_of_account("ann").as_deref(), Some("d053aca7"));
        assert_eq!(hash_of_account(" "), None);
    }
}
