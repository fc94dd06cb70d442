//! What the mails say, if the operator says nothing else: first the subject, then paragraphs.

use mantlet_accounts::outbox::Kind;

/// All kinds of mail.
pub(crate) const KINDS: [Kind; 15] = [
    Kind::Verify,
    Kind::RegisteredAlready,
    Kind::Reset,
    Kind::ResetUnknown,
    Kind::PasswordChanged,
    Kind::ConfirmAddress,
    Kind::AddressTaken,
    Kind::AddressChangeAsked,
    Kind::AddressChanged,
    Kind::AddressRestored,
    Kind::RefreshReused,
    Kind::SecondFactorOn,
    Kind::SecondFactorOff,
    Kind::RecoveryCodeUsed,
    Kind::Closed,
];

/// The file of a template, as an operator would write it.
#[expect(clippy::too_many_lines, reason = "it is a list of texts")]
pub(crate) fn ours(kind: Kind) -> &'static str {
    match kind {
        Kind::Verify => {
            "Subject: Confirm your address for {app}\n\n\
             An account at {app} was made with the address {address}. Open this page to confirm that it is yours:\n\n\
             {link}\n\n\
             The link is good until {until}.\n\n\
             If it was not you, do nothing. The account is deleted if the address is not confirmed.\n"
        }
        Kind::RegisteredAlready => {
            "Subject: You already have an account at {app}\n\n\
             The address {address} was used to make an account at {app}, and it already has one. Nothing was changed.\n\n\
             If it was you, log in as always. If you have forgotten your password, set a new one here:\n\n\
             {link}\n\n\
             The link is good until {until}.\n\n\
             If it was not you, do nothing.\n"
        }
        Kind::Reset => {
            "Subject: Set a new password for {app}\n\n\
             A new password was asked for the account of {address} at {app}. Set it here:\n\n\
             {link}\n\n\
             The link is good until {until}.\n\n\
             If it was not you, do nothing. Your password stays as it is.\n"
        }
        Kind::ResetUnknown => {
            "Subject: You have no account at {app} with this address\n\n\
             A new password for {app} was asked for the address {address}, which has no account there.\n\n\
             If it was you, perhaps your account has another address.\n\n\
             If it was not you, do nothing.\n"
        }
        Kind::PasswordChanged => {
            "Subject: Your password for {app} was changed\n\n\
             The password of the account of {address} at {app} was changed.\n\n\
             If it was not you, set a new password at once:\n\n\
             {link}\n"
        }
        Kind::ConfirmAddress => {
            "Subject: Confirm your new address for {app}\n\n\
             {address} is to become the address of an account at {app}. Open this page to confirm that it is yours:\n\n\
             {link}\n\n\
             The link is good until {until}.\n\n\
             If it was not you, do nothing. The account then keeps its address.\n"
        }
        Kind::AddressTaken => {
            "Subject: This address already has an account at {app}\n\n\
             Another account at {app} was to get the address {address}, which already has an account. Nothing was changed.\n\n\
             If it was you, log in with this address:\n\n\
             {link}\n\n\
             If it was not you, do nothing.\n"
        }
        Kind::AddressChangeAsked => {
            "Subject: A new address was asked for your account at {app}\n\n\
             The account of {address} at {app} is to get another address. It changes when the new address is confirmed.\n\n\
             If it was not you, set a new password at once. That ends the change, too:\n\n\
             {link}\n"
        }
        Kind::AddressChanged => {
            "Subject: The address of your account at {app} was changed\n\n\
             The account at {app} that had the address {address} has another one now.\n\n\
             If it was not you, undo it here:\n\n\
             {link}\n\n\
             The link is good until {until}.\n\n\
             If it was you, do nothing.\n"
        }
        Kind::AddressRestored => {
            "Subject: Your account at {app} has its address again\n\n\
             The change of the address was undone: the account at {app} has the address {address} again.\n\n\
             If you have not set a new password since, do it now:\n\n\
             {link}\n"
        }
        Kind::RefreshReused => {
            "Subject: A session at {app} was ended\n\n\
             The secret of a session of {address} at {app} was used twice. Perhaps it was copied, so the session was \
             ended. Log in again to go on.\n\n\
             If this happens again, set a new password:\n\n\
             {link}\n"
        }
        Kind::SecondFactorOn => {
            "Subject: {app} now asks for a second factor\n\n\
             A second factor was set up for the account of {address} at {app}. A login asks for a code from now on.\n\n\
             If it was not you, write to {app}. If you are still logged in somewhere, take the second factor away and \
             set a new password:\n\n\
             {link}\n"
        }
        Kind::SecondFactorOff => {
            "Subject: {app} no longer asks for a second factor\n\n\
             The second factor of the account of {address} at {app} was taken away.\n\n\
             If it was not you, set a new password at once:\n\n\
             {link}\n"
        }
        Kind::RecoveryCodeUsed => {
            "Subject: A recovery code was used at {app}\n\n\
             A recovery code was used to log in to the account of {address} at {app}. Codes that are left: {left}.\n\n\
             If it was not you, log in, set a new password and make new codes:\n\n\
             {link}\n"
        }
        Kind::Closed => {
            "Subject: Your account at {app} was closed\n\n\
             The account of {address} at {app} was closed, and its data in the login were deleted.\n\n\
             If it was not you, write to {app}.\n"
        }
    }
}
