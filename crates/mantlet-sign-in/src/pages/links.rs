//! Links of mails. A GET shows a button, because scanners of mail follow links; the POST uses the link.

use http::{StatusCode, header};
use mantlet_accounts::{Fault, Secret, accounts::PasswordChange};
use maud::html;

use super::{
    Page,
    frame::{Field, Said, form, notice, page as whole, see_other},
    shared::filled,
};
use crate::{
    asked::{Answer, Event, What},
    cookie,
};

/// The page of a link.
pub(super) fn show(page: &Page<'_>, path: &str) -> Answer {
    let Some(token) = filled(&page.form, "token") else { return ended(page) };
    let (title, text, button) = match path {
        "/verify" => ("Verify your address", "One click, and your account is ready.", "Verify my address"),
        "/confirm-address" => (
            "Confirm your new address",
            "Your account gets this address. You are logged out everywhere, and log in with the new one.",
            "Use this address",
        ),
        "/undo-address" => (
            "Undo the change of your address",
            "Your account gets its old address back, all sessions end, and we mail you a link to set a new password.",
            "Undo the change",
        ),
        _ => return password(page, &token, None),
    };
    let content = html! {
        p { (text) }
        (form(&page.place.settings.at(path), &[("token", token.expose())], &[], button))
    };
    whole(&page.place, title, None, &content)
}

/// The link is not good: what to do depends on nothing that the token says.
fn ended(page: &Page<'_>) -> Answer {
    let settings = page.place.settings;
    let content = html! {
        p { "A link is good once, and for a limited time. This one has ended, was used, or is not whole." }
        p { "If you wanted to verify your address, log in: we mail you a new link. If you wanted a new password, ask for it again." }
        p .links {
            a href=(settings.at("/login")) { "Log in" }
            a href=(settings.at("/forgot")) { "Ask for a new password" }
        }
    };
    let mut answer = notice(&page.place, StatusCode::BAD_REQUEST, "This link is not good any more", &content);
    answer.event = page.asked.request.method().eq(&http::Method::POST).then_some(Event {
        what: What::Refused,
        account: None,
        address: None,
        session: None,
    });
    answer
}

fn done(what: What, account: Option<String>) -> Event {
    Event { what, account, address: None, session: None }
}

pub(super) async fn verify(page: &Page<'_>) -> Result<Answer, Fault> {
    let Some(token) = filled(&page.form, "token") else { return Ok(ended(page)) };
    let Some(account) = page.sign_in.accounts.verify(page.now, &token).await? else { return Ok(ended(page)) };
    let mut answer = see_other(&page.place.settings.with("/login", "done", "verified"));
    answer.event = Some(done(What::Verified, Some(account)));
    Ok(answer)
}

fn password(page: &Page<'_>, token: &Secret<String>, said: Option<&Said>) -> Answer {
    let hint = page.length_hint();
    let fields = [Field::new_password(&hint).wrong(said.is_some())];
    let content = html! {
        p { "You are logged out everywhere when it is set." }
        (form(&page.place.settings.at("/reset"), &[("token", token.expose())], &fields, "Set new password"))
    };
    whole(&page.place, "Set a new password", said, &content)
}

pub(super) async fn reset(page: &Page<'_>) -> Result<Answer, Fault> {
    let Some(token) = filled(&page.form, "token") else { return Ok(ended(page)) };
    let Some(new) = filled(&page.form, "password") else {
        return Ok(password(page, &token, Some(&Said::failed("Choose a password."))));
    };
    Ok(match page.sign_in.accounts.reset(page.now, &token, &new).await? {
        PasswordChange::Changed => {
            let mut answer = see_other(&page.place.settings.with("/login", "done", "reset"));
            answer.response.headers_mut().append(header::SET_COOKIE, cookie::clear(page.asked));
            answer.event = Some(done(What::PasswordReset, None));
            answer
        }
        PasswordChange::Weak(weak) => {
            password(page, &token, Some(&Said::failed(super::account::weak_text(&weak))))
        }
        PasswordChange::Refused => ended(page),
    })
}

pub(super) async fn confirm(page: &Page<'_>) -> Result<Answer, Fault> {
    let Some(token) = filled(&page.form, "token") else { return Ok(ended(page)) };
    let Some(account) = page.sign_in.accounts.confirm_address(page.now, &token).await? else {
        return Ok(ended(page));
    };
    let mut answer = see_other(&page.place.settings.with("/login", "done", "address"));
    answer.response.headers_mut().append(header::SET_COOKIE, cookie::clear(page.asked));
    answer.event = Some(done(What::AddressChanged, Some(account)));
    Ok(answer)
}

pub(super) async fn undo(page: &Page<'_>) -> Result<Answer, Fault> {
    let Some(token) = filled(&page.form, "token") else { return Ok(ended(page)) };
    let Some(account) = page.sign_in.accounts.undo_address(page.now, &token).await? else {
        return Ok(ended(page));
    };
    let content = html! {
        p { "Your account has its old address again, and all its sessions have ended." }
        p { "We have mailed you a link to set a new password. The old password is known to the person who changed the address." }
    };
    let mut answer = whole(&page.place, "The change is undone", None, &content);
    answer.response.headers_mut().append(header::SET_COOKIE, cookie::clear(page.asked));
    answer.event = Some(done(What::AddressRestored, Some(account)));
    Ok(answer)
}
