//! Registration, and the login of the app's own front end.

use http::{StatusCode, header};
use mantlet_accounts::accounts::{LoggedIn, Login, Registration, Wants};
use serde_json::json;

use super::{Call, of_account, of_address, of_session, shown};
use crate::{
    answers::{Stop, detail, json, unauthorized, weak},
    asked::{Answer, What},
    cookie,
};

pub(super) async fn register(call: &Call<'_>) -> Result<Answer, Stop> {
    if !call.sign_in.settings.registration {
        return Ok(detail(StatusCode::FORBIDDEN, "Registration is closed."));
    }
    let address = call.fields.address("email")?;
    let registered =
        call.sign_in.accounts.register(call.now, &address, &call.fields.secret("password")).await?;
    Ok(match registered {
        Registration::Mailed => {
            detail(StatusCode::ACCEPTED, "A mail is on its way to this address. It says how to go on.")
                .telling(of_address(What::Registered, address.as_written()))
        }
        Registration::Weak(why) => weak("password", &why),
    })
}

pub(super) async fn login(call: &Call<'_>) -> Result<Answer, Stop> {
    let address = call.fields.address("email")?;
    let wants = Wants { tokens: false, device: call.asked.device().to_owned(), scope: String::new() };
    let login =
        call.sign_in.accounts.log_in(call.now, &address, &call.fields.secret("password"), &wants).await?;
    let refused = of_address(What::LoginRefused, address.as_written());
    Ok(match login {
        Login::In(logged_in) => given(call, *logged_in).await?,
        Login::SecondFactor(ticket) => json(
            StatusCode::FORBIDDEN,
            &json!({
                "detail": "A code of the second factor is needed.",
                "error": "mfa_required",
                "mfa_token": ticket.expose(),
            }),
        ),
        Login::Unverified => detail(
            StatusCode::FORBIDDEN,
            "The address is not verified. A mail with a new link is on its way.",
        )
        .telling(refused),
        Login::Locked => locked().telling(refused),
        Login::Refused => unauthorized("Incorrect username or password").telling(refused),
    })
}

pub(super) async fn second_factor(call: &Call<'_>) -> Result<Answer, Stop> {
    let (ticket, code) = (call.fields.secret("mfa_token"), call.fields.secret("code"));
    let event = of_account(What::LoginRefused, None);
    Ok(match call.sign_in.accounts.second_factor(call.now, &ticket, &code).await? {
        Login::In(logged_in) => given(call, *logged_in).await?,
        Login::Locked => locked().telling(event),
        _ => unauthorized("The code is wrong, or the login has taken too long.").telling(event),
    })
}

fn locked() -> Answer {
    detail(StatusCode::FORBIDDEN, "Too many codes were wrong. Ask for a new password first.")
}

/// The cookie of a login.
async fn given(call: &Call<'_>, logged_in: LoggedIn) -> Result<Answer, Stop> {
    let (accounts, session) = (&call.sign_in.accounts, &logged_in.session);
    let Some(cookie) = &logged_in.cookie else {
        // A login that has begun with tokens ends with them.
        accounts.log_out(call.now, &session.account, &session.id).await?;
        return Ok(unauthorized("The `mfa_token` is of a login that ends at the token endpoint.")
            .telling(of_session(What::LoginRefused, session)));
    };
    let Some(summary) = accounts.summary(&session.account).await? else {
        return Ok(
            unauthorized("Incorrect username or password").telling(of_session(What::LoginRefused, session))
        );
    };
    let header = cookie::set(call.asked, cookie, accounts.limits());
    Ok(json(StatusCode::OK, &shown(&summary, session))
        .with(header::SET_COOKIE, header)
        .telling(of_session(What::LoggedIn, session)))
}
