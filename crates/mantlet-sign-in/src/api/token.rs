//! Tokens for OAuth clients: RFC 6749 sections 4.3, 5 and 6, RFC 7009.
//!
//! | `grant_type` | what it takes |
//! |---|---|
//! | `password`, or none as many clients of FastAPI send it | `username`, `password`, `scope` |
//! | `refresh_token` | `refresh_token` |
//! | `urn:mantlet:params:oauth:grant-type:mfa-otp` | `mfa_token`, `otp` (a code of the app, or a recovery code) |
//!
//! Where an account has a second factor, the password is answered with 400 and `{"error": "mfa_required", "mfa_token": …}`, as
//! Auth0 has made it known; the client shows the token with the code within five minutes.

use http::{HeaderValue, StatusCode, header};
use mantlet_accounts::{
    Address,
    accounts::{LoggedIn, Login, Renewal, Wants},
};
use serde_json::{Value, json};

use super::{Call, of_account, of_address, of_session};
use crate::{
    answers::{Stop, empty, json, oauth},
    asked::{Answer, Event, What},
    operations::MFA_GRANT,
};

pub(super) async fn token(call: &Call<'_>) -> Result<Answer, Stop> {
    match call.fields.text("grant_type") {
        "" | "password" => password(call).await,
        "refresh_token" => refresh(call).await,
        MFA_GRANT => second_factor(call).await,
        _ => Ok(oauth(
            "unsupported_grant_type",
            &format!("grant_type has to be password, refresh_token or {MFA_GRANT}"),
        )),
    }
}

/// What a grant has to bring.
fn need(call: &Call<'_>, names: &[&str]) -> Result<(), Stop> {
    match names.iter().find(|name| call.fields.text(name).is_empty()) {
        Some(name) => Err(oauth("invalid_request", &format!("{name} is missing or empty")).into()),
        None => Ok(()),
    }
}

async fn password(call: &Call<'_>) -> Result<Answer, Stop> {
    need(call, &["username", "password"])?;
    let username = call.fields.text("username");
    let refused = || {
        oauth("invalid_grant", "Incorrect username or password")
            .telling(of_address(What::LoginRefused, username))
    };
    let Some(address) = Address::read(username) else { return Ok(refused()) };
    let asked: Vec<&str> = call.fields.text("scope").split_ascii_whitespace().collect();
    let granted: Vec<&str> = call.sign_in.granted(&asked);
    let wants = Wants { tokens: true, device: call.asked.device().to_owned(), scope: granted.join(" ") };
    let password = call.fields.secret("password");
    let login = call.sign_in.accounts.log_in(call.now, &address, &password, &wants).await?;
    Ok(match login {
        Login::In(logged_in) => given(call, *logged_in).await?,
        Login::SecondFactor(ticket) => json(
            StatusCode::BAD_REQUEST,
            &json!({
                "error": "mfa_required",
                "error_description": format!(
                    "A code of the second factor is needed: send grant_type={MFA_GRANT} with mfa_token and otp"
                ),
                "mfa_token": ticket.expose(),
            }),
        ),
        Login::Unverified => {
            oauth("invalid_grant", "The address is not verified. A mail with a new link is on its way")
                .telling(of_address(What::LoginRefused, username))
        }
        Login::Locked => locked().telling(of_address(What::LoginRefused, username)),
        Login::Refused => refused(),
    })
}

fn locked() -> Answer {
    oauth("invalid_grant", "Too many codes were wrong. Ask for a new password first")
}

async fn second_factor(call: &Call<'_>) -> Result<Answer, Stop> {
    need(call, &["mfa_token", "otp"])?;
    let (ticket, code) = (call.fields.secret("mfa_token"), call.fields.secret("otp"));
    let event = of_account(What::LoginRefused, None);
    Ok(match call.sign_in.accounts.second_factor(call.now, &ticket, &code).await? {
        Login::In(logged_in) => given(call, *logged_in).await?,
        Login::Locked => locked().telling(event),
        _ => oauth("invalid_grant", "The code is wrong, or the login has taken too long").telling(event),
    })
}

/// The tokens of a login.
async fn given(call: &Call<'_>, logged_in: LoggedIn) -> Result<Answer, Stop> {
    let event = of_session(What::LoggedIn, &logged_in.session);
    if let Some(tokens) = tokens(&logged_in) {
        return Ok(json(StatusCode::OK, &tokens).telling(event));
    }
    // A login that has begun with a cookie ends with one.
    let session = &logged_in.session;
    call.sign_in.accounts.log_out(call.now, &session.account, &session.id).await?;
    Ok(oauth("invalid_grant", "The mfa_token is of a login that ends elsewhere")
        .telling(of_session(What::LoginRefused, session)))
}

fn tokens(logged_in: &LoggedIn) -> Option<Value> {
    let tokens = logged_in.tokens.as_ref()?;
    Some(json!({
        "access_token": tokens.access.expose(),
        "token_type": "bearer",
        "expires_in": tokens.expires_in,
        "refresh_token": tokens.refresh.expose(),
        "scope": logged_in.session.scope,
    }))
}

async fn refresh(call: &Call<'_>) -> Result<Answer, Stop> {
    need(call, &["refresh_token"])?;
    let refused = oauth("invalid_grant", "The refresh token is not good any more. Log in again");
    Ok(match call.sign_in.accounts.refresh(call.now, &call.fields.secret("refresh_token")).await? {
        Renewal::Good(logged_in) => match tokens(&logged_in) {
            Some(tokens) => json(StatusCode::OK, &tokens),
            None => refused,
        },
        Renewal::Reused(reuse) => {
            let (account, session) = (Some(reuse.account), Some(reuse.session));
            refused.telling(Event { what: What::RefreshReused, account, address: None, session })
        }
        Renewal::Refused => refused,
    })
}

/// RFC 7009: a token that is not good is answered as one that was.
pub(super) async fn revoke(call: &Call<'_>) -> Result<Answer, Stop> {
    let given_up = call.sign_in.accounts.give_up(call.now, &call.fields.secret("token")).await?;
    let answer = empty(StatusCode::OK).with(header::PRAGMA, HeaderValue::from_static("no-cache"));
    Ok(match given_up {
        Some((account, session)) => answer.telling(Event {
            what: What::LoggedOut,
            account: Some(account),
            address: None,
            session: Some(session),
        }),
        None => answer,
    })
}
