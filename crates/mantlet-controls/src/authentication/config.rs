//! The `[authentication]` section.

use std::time::Duration;

use http::HeaderName;
use serde::{Deserialize, Serialize};

use super::{
    Memory, Policy, PrincipalKey,
    ends::Ends,
    principal_header::{MOST_ATTRIBUTES, PrincipalHeader, SHORTEST_KEY},
    sessions::Sessions,
};
use crate::{
    Mode,
    config::{Context, Mistake, Posture, Section, units::Span},
    token::Candidates,
};

/// The shortest limit: use is noted once in a minute.
const SHORTEST: Duration = Duration::from_mins(2);
/// Limits in strict posture. OWASP ASVS 5.0 section 7.3 asks for both, and leaves the numbers to a risk analysis.
const IDLE: Span = Span::secs(12 * 3_600);
const MAX_AGE: Span = Span::secs(30 * 86_400);

/// The `[authentication]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// What becomes of a request whose token is not good. Default `enforce`: it is refused where the
    /// app has been seen to refuse such a token itself, else it is recorded.
    pub mode: Mode,
    /// A forged token where it is not proven that the app refuses each: its code may have another key, or
    /// it was not seen to refuse one. Default `report`; strict `enforce`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unproven: Option<Mode>,
    /// A bad token where the app answers without one, too. Default `report`: the app decides; strict
    /// `enforce`: it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional: Option<Mode>,
    /// What becomes of a credential whose session has ended: its client has logged out, the password
    /// was changed, an operator has ended it. Default `report`: it is recorded; strict `enforce`: the app
    /// does not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Mode>,
    /// What becomes of a good token that the app has not handed out through this gate. Default `report`:
    /// some answers with tokens may not have been understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Mode>,
    /// How long a session may be unused. Default `0s`: for ever; strict `12h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Span>,
    /// A header in which the app gets the proven caller, as JSON in ASCII: `{"iss":"app","sub":"ann"}`. Clients
    /// cannot send it, in no spelling. Default none: `X-Mantlet-Principal` is the name to choose.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub principal_header: String,
    /// Attributes of the caller that stand in that header, too, if they are known: at most 8. Default none:
    /// what is in a header is read by all that stands between gate and app, and by its logs.
    pub principal_attributes: Vec<String>,
    /// Where the key is that signs that header: `env:NAME` or `file:PATH`, with at least 32 bytes. The app
    /// has the same in `MANTLET_PRINCIPAL_KEY`. Default: `mantlet run` makes one at its start, and gives it
    /// to the app; `mantlet serve` signs nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub principal_key: String,
    /// What becomes of a bearer token that is used without the cookie that its browser got at the login
    /// ("token sidejacking" in OWASP's JWT cheat sheet). Default `off`: there is no such cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<Mode>,
    /// How old a session may be. Default `0s`: of any age; strict `30 days`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        let by_posture = context.posture.of_suspicion();
        let mut mistakes = Vec::new();
        let mut limit = |key: &str, span: Option<Span>, in_strict: Span| {
            let span = match (span, context.posture) {
                (Some(span), _) => Some(span),
                (None, Posture::Strict) => Some(in_strict),
                (None, Posture::Compatible) => None,
            };
            let span = span.filter(|span| !span.0.is_zero());
            if span.is_some_and(|span| span.0 < SHORTEST) {
                let message = "is shorter than 2m: use is noted once in a minute";
                mistakes.push(Mistake::new(key, message).help("write `12h`, or `0s` for no limit"));
            }
            span
        };
        let idle = limit("idle", self.idle, IDLE);
        let max_age = limit("max-age", self.max_age, MAX_AGE);
        let header = self.principal_header.parse::<HeaderName>();
        if !self.principal_header.is_empty()
            && !header.as_ref().is_ok_and(|name| name.as_str().starts_with("x-"))
        {
            let message = format!("`{}` is not a name for it", self.principal_header);
            mistakes.push(Mistake::new("principal-header", message).help("write `X-Mantlet-Principal`"));
        }
        if self.principal_attributes.len() > MOST_ATTRIBUTES {
            let message = format!("more than {MOST_ATTRIBUTES} attributes do not fit into a header");
            mistakes.push(
                Mistake::new("principal-attributes", message).help("name those by which the app decides"),
            );
        }
        let key = context.deployment.kept.get::<PrincipalKey>();
        if key.secret().is_some_and(|key| key.expose().len() < SHORTEST_KEY) {
            let message = format!("a key has at least {SHORTEST_KEY} bytes");
            mistakes
                .push(Mistake::new("principal-key", message).help("make one with `openssl rand -hex 32`"));
        }
        let binding = self.binding.filter(|_| self.mode != Mode::Off).unwrap_or(Mode::Off);
        if binding != Mode::Off && self.sessions == Some(Mode::Off) {
            let message = "needs to know the sessions, and `authentication.sessions` is `off`";
            mistakes.push(Mistake::new("binding", message).help("write `sessions = \"report\"`"));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let sessions = self.sessions.unwrap_or(by_posture);
        let sessions = if self.mode == Mode::Off { Mode::Off } else { sessions };
        let kept = &context.deployment.kept;
        Ok(Policy {
            mode: self.mode.under(context.report_only),
            unproven: self.unproven.unwrap_or(by_posture).under(context.report_only),
            optional: self.optional.unwrap_or(by_posture).under(context.report_only),
            unknown: self.unknown.unwrap_or(Mode::Report).under(context.report_only),
            ends: Ends::new(sessions, context.report_only),
            idle,
            max_age,
            principal_header: header
                .ok()
                .and_then(|name| PrincipalHeader::new(name, self.principal_attributes.clone(), key)),
            binding: binding.under(context.report_only),
            sessions: kept.get::<Sessions>(),
            memory: kept.get::<Memory>(),
            candidates: kept.get::<Candidates>(),
        })
    }
}
