//! What has happened to an account, as the audit log says it.

use std::borrow::Cow;

use jiff::Timestamp;
use mantlet_controls::{
    accounts::Event,
    audit::{Outcome, Record},
};
use mantlet_providers::{What as AtProvider, Why};
use mantlet_sign_in::What;
use serde_json::Map;
use sha2::{Digest as _, Sha256};

/// The record of an event.
pub(super) fn of(event: &mantlet_sign_in::Event) -> Event {
    use Outcome::{Failure, Success};
    let (code, outcome, subject): (_, _, Option<&'static str>) = match event.what {
        What::Registered => ("registration-requested", Success, None),
        What::Verified => ("account-verified", Success, None),
        What::LoggedIn => ("login-succeeded", Success, None),
        What::LoginRefused => ("login-failed", Failure, None),
        What::LoggedOut => ("logout", Success, None),
        What::LoggedOutEverywhere => ("logout", Success, Some("all sessions of the account")),
        What::SessionRevoked => ("logout", Success, Some("another session of the account")),
        What::RefreshReused => {
            ("token-refreshed", Failure, Some("a refresh token was used again; its session has ended"))
        }
        What::PasswordChanged => ("password-changed", Success, None),
        What::ResetAsked => ("password-reset-requested", Success, None),
        What::PasswordReset => ("password-reset", Success, None),
        What::AddressChangeAsked => ("address-change-requested", Success, None),
        What::AddressChanged => ("address-changed", Success, None),
        What::AddressRestored => ("address-restored", Success, None),
        What::SecondFactorOn => ("second-factor-added", Success, None),
        What::SecondFactorOff => ("second-factor-removed", Success, None),
        What::RecoveryCodesRenewed => ("recovery-codes-renewed", Success, None),
        What::Closed => ("account-closed", Success, None),
        What::Refused => ("account-action-refused", Failure, None),
    };
    Event {
        code,
        outcome,
        account: event.account.clone(),
        address: event.address.clone(),
        session: event.session.as_deref().map(number_of),
        subject: subject.map(Cow::Borrowed),
    }
}

/// The record of an event at a provider.
pub(super) fn of_provider(event: &mantlet_providers::Event) -> Event {
    let (code, outcome, subject) = said_of_provider(event);
    Event {
        code,
        outcome,
        account: event.caller.clone(),
        address: None,
        session: event.session.as_deref().map(number_of),
        subject: Some(subject.into()),
    }
}

/// The record of an event at a provider that no request has caused; none if it is not of a caller.
pub(super) fn of_background(event: &mantlet_providers::Event, now: Timestamp) -> Option<Record> {
    event.session.as_ref()?;
    let (code, outcome, subject) = said_of_provider(event);
    let data = Map::from_iter([("why".to_owned(), subject.into())]);
    let session = event.session.as_deref().map(number_of);
    Some(Record::of_gate(code, outcome, data, now).by(event.caller.clone(), session))
}

/// What of a provider the operator is told at once; none if the audit log says enough.
pub(super) fn news(event: &mantlet_providers::Event) -> Option<String> {
    let provider = &event.provider;
    match event.what {
        AtProvider::ProviderAway => Some(format!(
            "the provider `{provider}` does not respond: {}\n\
             sessions stay good for `grace` under `[login]`; trying again",
            event.detail.as_deref().unwrap_or("no more is known")
        )),
        AtProvider::ProviderBack => Some(format!("the provider `{provider}` responds again")),
        // The configuration is wrong: no login can succeed until it is mended.
        AtProvider::LoginRefused(Why::ClientRefused) => Some(format!(
            "the provider `{provider}` does not accept this app: {}\n\
             compare `client-id`, `client-secret` and the address of the callback with what is registered there",
            event.detail.as_deref().unwrap_or("no more is known")
        )),
        _ => None,
    }
}

fn said_of_provider(event: &mantlet_providers::Event) -> (&'static str, Outcome, String) {
    use Outcome::{Failure, Success};
    let provider = &event.provider;
    let (code, outcome, said) = match event.what {
        AtProvider::LoggedIn => ("login-succeeded", Success, format!("at `{provider}`")),
        AtProvider::LoginRefused(why) => {
            ("login-failed", Failure, format!("at `{provider}`: {}", why.code()))
        }
        AtProvider::LoggedOut => ("logout", Success, format!("of a session of `{provider}`")),
        AtProvider::LoggedOutByProvider => ("logout", Success, format!("by `{provider}`")),
        AtProvider::LogoutRefused => {
            ("logout", Failure, format!("a logout token of `{provider}` was refused"))
        }
        AtProvider::SessionEnded(why) => {
            ("logout", Success, format!("`{provider}` does not confirm the session: {}", why.code()))
        }
        AtProvider::ProviderAway => ("logout", Failure, format!("`{provider}` is away")),
        AtProvider::ProviderBack => ("logout", Success, format!("`{provider}` is back")),
    };
    let said = match &event.detail {
        Some(detail) => format!("{said}: {detail}"),
        None => said,
    };
    (code, outcome, said)
}

/// The subject of an event's caller; none if it may be of several.
pub(super) fn subject_of(event: &mantlet_providers::Event) -> Option<&str> {
    // An address has no `|` (RFC 3986); a subject may have.
    event.caller.as_deref()?.split_once('|').map(|(_, subject)| subject)
}

/// Whether an event at a provider may have ended a session.
pub(super) const fn ends_sessions(what: AtProvider) -> bool {
    matches!(what, AtProvider::LoggedOut | AtProvider::LoggedOutByProvider | AtProvider::SessionEnded(_))
}

/// Whether it may have ended a session, or changed what is said of its account.
pub(super) const fn changes_callers(what: What) -> bool {
    !matches!(
        what,
        What::Registered
            | What::LoggedIn
            | What::LoginRefused
            | What::ResetAsked
            | What::AddressChangeAsked
            | What::Refused
    )
}

/// The number of a session in records, of which they have the first digits. Nothing can be done with it.
pub(super) fn number_of(session: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(session.as_bytes()).into();
    digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}
