//! What is done to an account by who is logged in. Where a thief of a session would do harm, the password is asked for again.

use http::{StatusCode, header};
use mantlet_accounts::{
    Secret,
    accounts::{AddressChange, FactorChange, PasswordChange},
    sessions::Session,
};
use serde_json::{Value, json};

use super::{Call, of_session, shown};
use crate::{
    answers::{Stop, detail, empty, json, unauthorized, weak},
    asked::{Answer, What as Happened},
    cookie,
    operations::{SESSION, What},
};

pub(super) async fn run(call: &Call<'_>, what: What, session: &Session, path: &str) -> Result<Answer, Stop> {
    match what {
        What::Me => me(call, session).await,
        What::Sessions => sessions(call, session).await,
        What::SessionEnd => end_session(call, session, path).await,
        What::Logout => {
            call.sign_in.accounts.log_out(call.now, &session.account, &session.id).await?;
            Ok(gone(call, session, Happened::LoggedOut))
        }
        What::LogoutEverywhere => {
            call.sign_in.accounts.log_out_everywhere(call.now, &session.account, None).await?;
            Ok(gone(call, session, Happened::LoggedOutEverywhere))
        }
        What::Password => password(call, session).await,
        What::Email => email(call, session).await,
        What::FactorEnrol | What::FactorConfirm | What::FactorRemove | What::FactorRecoveryCodes => {
            factor(call, what, session).await
        }
        What::Close => {
            let password = call.fields.secret("password");
            let is_closed = call.sign_in.accounts.close(call.now, &session.account, &password).await?;
            Ok(if is_closed { gone(call, session, Happened::Closed) } else { wrong_password(session) })
        }
        // The others need no session, and are not asked for here.
        _ => Ok(detail(StatusCode::NOT_FOUND, "Not Found")),
    }
}

/// The session is over: the browser forgets its cookie.
fn gone(call: &Call<'_>, session: &Session, what: Happened) -> Answer {
    empty(StatusCode::NO_CONTENT)
        .with(header::SET_COOKIE, cookie::clear(call.asked))
        .telling(of_session(what, session))
}

fn wrong(session: &Session, said: &str) -> Answer {
    detail(StatusCode::BAD_REQUEST, said).telling(of_session(Happened::Refused, session))
}

fn wrong_password(session: &Session) -> Answer {
    wrong(session, "The password is wrong.")
}

async fn me(call: &Call<'_>, session: &Session) -> Result<Answer, Stop> {
    Ok(match call.sign_in.accounts.summary(&session.account).await? {
        Some(summary) => json(StatusCode::OK, &shown(&summary, session)),
        None => unauthorized("Not authenticated"),
    })
}

async fn sessions(call: &Call<'_>, own: &Session) -> Result<Answer, Stop> {
    let sessions = call.sign_in.accounts.sessions(call.now, &own.account).await?;
    let shown = |session: &Session| {
        json!({
            "id": session.id,
            "kind": session.kind,
            "device": session.device,
            "factors": session.factors,
            "scope": session.scope,
            "created": session.created,
            "last_seen": session.seen,
            "is_current": session.id == own.id,
        })
    };
    Ok(json(StatusCode::OK, &Value::Array(sessions.iter().map(shown).collect())))
}

async fn end_session(call: &Call<'_>, own: &Session, path: &str) -> Result<Answer, Stop> {
    let id = SESSION.split_once("{id}").and_then(|(before, _)| path.strip_prefix(before)).unwrap_or_default();
    // An id is a UUID. The database is not asked about anything else.
    let is_id = id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if !is_id || !call.sign_in.accounts.revoke(call.now, &own.account, id).await? {
        return Ok(detail(StatusCode::NOT_FOUND, "This account has no such session."));
    }
    let mut event = of_session(Happened::SessionRevoked, own);
    event.session = Some(id.to_owned());
    let answer = empty(StatusCode::NO_CONTENT).telling(event);
    Ok(if id == own.id { answer.with(header::SET_COOKIE, cookie::clear(call.asked)) } else { answer })
}

async fn password(call: &Call<'_>, session: &Session) -> Result<Answer, Stop> {
    let (old, new) = (call.fields.secret("current_password"), call.fields.secret("new_password"));
    let changed = call
        .sign_in
        .accounts
        .change_password(call.now, &session.account, (&old, &new), Some(&session.id))
        .await?;
    Ok(match changed {
        PasswordChange::Changed => {
            empty(StatusCode::NO_CONTENT).telling(of_session(Happened::PasswordChanged, session))
        }
        PasswordChange::Weak(why) => weak("new_password", &why),
        PasswordChange::Refused => wrong_password(session),
    })
}

async fn email(call: &Call<'_>, session: &Session) -> Result<Answer, Stop> {
    let new = call.fields.address("email")?;
    let password = call.fields.secret("password");
    let asked = call.sign_in.accounts.change_address(call.now, &session.account, &password, &new).await?;
    Ok(match asked {
        AddressChange::Mailed => {
            let mut event = of_session(Happened::AddressChangeAsked, session);
            event.address = Some(new.as_written().to_owned());
            let said =
                "A mail is on its way to the new address. The change counts once it is confirmed there.";
            detail(StatusCode::ACCEPTED, said).telling(event)
        }
        AddressChange::Refused => wrong_password(session),
    })
}

async fn factor(call: &Call<'_>, what: What, session: &Session) -> Result<Answer, Stop> {
    let (accounts, account) = (&call.sign_in.accounts, session.account.as_str());
    let (password, code) = (call.fields.secret("password"), call.fields.secret("code"));
    let codes = |codes: &Vec<Secret<String>>| {
        let codes: Vec<&String> = codes.iter().map(Secret::expose).collect();
        json(StatusCode::OK, &json!({ "recovery_codes": codes }))
    };
    Ok(match what {
        What::FactorEnrol => match accounts.enrol_factor(account, &password).await? {
            FactorChange::Done(made) => {
                json(StatusCode::OK, &json!({"secret": made.secret.expose(), "url": made.url.expose()}))
            }
            _ => wrong(session, "The password is wrong, or there is a second factor already."),
        },
        What::FactorConfirm => match accounts.confirm_factor(call.now, account, &code).await? {
            FactorChange::Done(made) => codes(&made).telling(of_session(Happened::SecondFactorOn, session)),
            _ => wrong(session, "The code is wrong, or no second factor waits to be confirmed."),
        },
        What::FactorRemove => match accounts.remove_factor(call.now, account, &password, &code).await? {
            FactorChange::Done(()) => {
                empty(StatusCode::NO_CONTENT).telling(of_session(Happened::SecondFactorOff, session))
            }
            FactorChange::Weak(why) => weak("password", &why),
            FactorChange::Refused => wrong_factor(session),
        },
        _ => match accounts.new_recovery_codes(call.now, account, &password, &code).await? {
            FactorChange::Done(made) => {
                codes(&made).telling(of_session(Happened::RecoveryCodesRenewed, session))
            }
            _ => wrong_factor(session),
        },
    })
}

fn wrong_factor(session: &Session) -> Answer {
    wrong(session, "The password or the code is wrong, or there is no second factor.")
}
