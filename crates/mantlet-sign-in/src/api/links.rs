//! What is done with the links of mails, and how a reset is asked for. None of them logs in.

use http::StatusCode;
use mantlet_accounts::accounts::PasswordChange;

use super::{Call, of_account, of_address};
use crate::{
    answers::{Stop, detail, weak},
    asked::{Answer, What},
};

/// What a link that is not good is answered with.
fn ended() -> Answer {
    detail(StatusCode::BAD_REQUEST, "The link is not good any more. Ask for a new one.")
        .telling(of_account(What::Refused, None))
}

/// The answer to a link: what it did, if it was good.
fn done(account: Option<String>, (what, said): (What, &str)) -> Answer {
    match account {
        Some(_) => detail(StatusCode::OK, said).telling(of_account(what, account)),
        None => ended(),
    }
}

pub(super) async fn verify(call: &Call<'_>) -> Result<Answer, Stop> {
    let account = call.sign_in.accounts.verify(call.now, &call.fields.secret("token")).await?;
    Ok(done(account, (What::Verified, "The address is verified. Log in now.")))
}

pub(super) async fn confirm(call: &Call<'_>) -> Result<Answer, Stop> {
    let account = call.sign_in.accounts.confirm_address(call.now, &call.fields.secret("token")).await?;
    Ok(done(account, (What::AddressChanged, "The address is changed. Log in with the new one.")))
}

pub(super) async fn undo(call: &Call<'_>) -> Result<Answer, Stop> {
    let account = call.sign_in.accounts.undo_address(call.now, &call.fields.secret("token")).await?;
    let said = "The old address is back. A mail with a link to set a new password is on its way to it.";
    Ok(done(account, (What::AddressRestored, said)))
}

pub(super) async fn request_reset(call: &Call<'_>) -> Result<Answer, Stop> {
    let address = call.fields.address("email")?;
    call.sign_in.accounts.request_reset(call.now, &address).await?;
    Ok(detail(
        StatusCode::ACCEPTED,
        "If this address has an account, a mail with a link is on its way to it.",
    )
    .telling(of_address(What::ResetAsked, address.as_written())))
}

pub(super) async fn reset(call: &Call<'_>) -> Result<Answer, Stop> {
    let (token, new) = (call.fields.secret("token"), call.fields.secret("password"));
    // A link that is not good has none, and is refused below.
    let account = call.sign_in.accounts.account_of_reset(call.now, &token).await?;
    Ok(match call.sign_in.accounts.reset(call.now, &token, &new).await? {
        PasswordChange::Changed => {
            detail(StatusCode::OK, "The password is set, and all sessions have ended. Log in now.")
                .telling(of_account(What::PasswordReset, account))
        }
        PasswordChange::Weak(why) => weak("password", &why),
        PasswordChange::Refused => ended(),
    })
}
