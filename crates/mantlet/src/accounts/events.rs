//! What has happened to an account, as the audit log says it.

use mantlet_controls::{accounts::Event, audit::Outcome};
use mantlet_sign_in::What;
use sha2::{Digest as _, Sha256};

/// The record of an event.
pub(super) fn of(event: &mantlet_sign_in::Event) -> Event {
    use Outcome::{Failure, Success};
    let (code, outcome, subject) = match event.what {
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
        subject,
    }
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
