//! The account of who is logged in: what it is, its password, its address, its sessions, its end.

use http::header;
use jiff::{Timestamp, tz::TimeZone};
use mantlet_accounts::{
    Address, Fault,
    accounts::{AddressChange, PasswordChange},
    passwords::Weak,
    sessions::Session,
};
use maud::html;

use super::{
    Own,
    device::in_words,
    frame::{Field, Said, form, page as whole, see_other},
    shared::filled,
};
use crate::{
    asked::{Answer, Event, What},
    cookie,
};

pub(super) const WRONG_PASSWORD: &str = "Your current password is not right. Nothing was changed.";

/// Why a password may not be chosen, and what to do.
pub(super) fn weak_text(weak: &Weak) -> String {
    match weak {
        Weak::TooShort(least) => {
            format!("The password needs at least {least} characters. Add a word or two.")
        }
        Weak::TooLong(most) => {
            format!("The password may have {most} characters at most. Choose a shorter one.")
        }
        Weak::Common => "Attackers try this password first. Choose another one.".to_owned(),
        Weak::Context => {
            "This password is little more than your address or our name. Choose another one.".to_owned()
        }
    }
}

/// Something was done in a session.
pub(super) fn event(what: What, session: &Session) -> Event {
    let (account, session) = (Some(session.account.clone()), Some(session.id.clone()));
    Event { what, account, address: None, session }
}

/// A day and a time, as people write them; the zone is said, because a server knows no other.
fn when(time: Timestamp) -> String {
    time.to_zoned_datetime(TimeZone::UTC).strftime("%-d %b %Y, %H:%M UTC").to_string()
}

pub(super) async fn show(own: &Own<'_>) -> Result<Answer, Fault> {
    let (page, session) = (&own.page, own.session);
    let settings = page.place.settings;
    let accounts = &page.sign_in.accounts;
    let Some(summary) = accounts.summary(&session.account).await? else {
        return Ok(see_other(&settings.at("/login")));
    };
    let sessions = accounts.sessions(page.now, &session.account).await?;
    let said = match page.form.get("done") {
        Some("password") => Some("Your password was changed. All other sessions have ended."),
        Some("email") => Some("We have sent a mail to your new address. Open the link in it to finish."),
        Some("session") => Some("The session has ended."),
        Some("factor-off") => Some("Codes are no longer asked for."),
        _ => None,
    };
    let at = |page: &str| settings.at(page);
    let content = html! {
        dl {
            dt { "Address" } dd { (summary.address) " " a href=(at("/account/email")) { "Change" } }
            dt { "Password" } dd { a href=(at("/account/password")) { "Change" } }
            dt { "Second step" } dd {
                @if summary.has_second_factor { "On " } @else { "Off " }
                a href=(at("/account/second-factor")) { @if summary.has_second_factor { "Manage" } @else { "Set up" } }
            }
        }
        h2 { "Where you are logged in" }
        ul .sessions {
            @for one in &sessions {
                li {
                    div {
                        strong { (in_words(&one.device)) }
                        @if one.id == session.id { " (this one)" }
                        br;
                        span .soft { "Since " (when(one.created)) ", last used " (when(one.seen)) }
                    }
                    @if one.id != session.id {
                        form method="post" action=(at("/account/sessions")) {
                            input type="hidden" name="session" value=(one.id);
                            button .plain type="submit" aria-label={ "End the session of " (in_words(&one.device)) ", begun " (when(one.created)) } { "End" }
                        }
                    }
                }
            }
        }
        @if sessions.len() > 1 {
            form method="post" action=(at("/account/sessions")) {
                input type="hidden" name="session" value="others";
                button .plain type="submit" { "End all others" }
            }
        }
        p .links { a href=(at("/account/close")) { "Delete my account" } }
    };
    Ok(whole(&page.place, "Your account", said.map(Said::Done).as_ref(), &content))
}

pub(super) async fn end_sessions(own: &Own<'_>) -> Result<Answer, Fault> {
    let (page, session) = (&own.page, own.session);
    let accounts = &page.sign_in.accounts;
    let what = match page.form.get("session") {
        Some("others") => {
            accounts.log_out_everywhere(page.now, &session.account, Some(&session.id)).await?;
            Some(What::LoggedOutEverywhere)
        }
        Some(id) => accounts.revoke(page.now, &session.account, id).await?.then_some(What::SessionRevoked),
        None => None,
    };
    let mut answer = see_other(&page.place.settings.with("/account", "done", "session"));
    answer.event = what.map(|what| event(what, session));
    Ok(answer)
}

pub(super) fn show_password(own: &Own<'_>) -> Answer {
    change_password(own, None, false)
}

fn change_password(own: &Own<'_>, said: Option<&Said>, is_new_wrong: bool) -> Answer {
    let hint = own.page.length_hint();
    let fields = [
        Field::password("current", "Current password").wrong(said.is_some() && !is_new_wrong),
        Field::new_password(&hint).wrong(is_new_wrong),
    ];
    let content = html! {
        p { "All your other sessions end." }
        (form(&own.page.place.settings.at("/account/password"), &[], &fields, "Change password"))
    };
    whole(&own.page.place, "Change your password", said, &content)
}

pub(super) async fn password(own: &Own<'_>) -> Result<Answer, Fault> {
    let (page, session) = (&own.page, own.session);
    let (Some(old), Some(new)) = (filled(&page.form, "current"), filled(&page.form, "password")) else {
        return Ok(change_password(own, Some(&Said::failed("Fill in both fields.")), false));
    };
    let changed = page
        .sign_in
        .accounts
        .change_password(page.now, &session.account, (&old, &new), Some(&session.id))
        .await?;
    Ok(match changed {
        PasswordChange::Changed => {
            let mut answer = see_other(&page.place.settings.with("/account", "done", "password"));
            answer.event = Some(event(What::PasswordChanged, session));
            answer
        }
        PasswordChange::Weak(weak) => change_password(own, Some(&Said::failed(weak_text(&weak))), true),
        PasswordChange::Refused => {
            refused(own, change_password(own, Some(&Said::failed(WRONG_PASSWORD)), false))
        }
    })
}

/// A password was asked for again, and was wrong.
pub(super) fn refused(own: &Own<'_>, mut answer: Answer) -> Answer {
    answer.event = Some(event(What::Refused, own.session));
    answer
}

pub(super) fn show_email(own: &Own<'_>) -> Answer {
    change_email(own, None, false)
}

fn change_email(own: &Own<'_>, said: Option<&Said>, is_address_wrong: bool) -> Answer {
    let address = own.page.form.get("email");
    let fields = [
        Field::email(address).labelled("New e-mail address").wrong(is_address_wrong),
        Field::password("current", "Current password").wrong(said.is_some() && !is_address_wrong),
    ];
    let content = html! {
        p { "We mail a link to the new address, and tell the old one, which can undo the change for seven days." }
        (form(&own.page.place.settings.at("/account/email"), &[], &fields, "Mail me a link"))
    };
    whole(&own.page.place, "Change your address", said, &content)
}

pub(super) async fn email(own: &Own<'_>) -> Result<Answer, Fault> {
    let (page, session) = (&own.page, own.session);
    let Some(address) = page.form.get("email").and_then(Address::read) else {
        return Ok(change_email(own, Some(&Said::failed("This is not an e-mail address.")), true));
    };
    let Some(password) = filled(&page.form, "current") else {
        return Ok(change_email(own, Some(&Said::failed("Enter your current password, too.")), false));
    };
    let asked = page.sign_in.accounts.change_address(page.now, &session.account, &password, &address).await?;
    Ok(match asked {
        AddressChange::Mailed => {
            let mut answer = see_other(&page.place.settings.with("/account", "done", "email"));
            answer.event = Some(event(What::AddressChangeAsked, session));
            answer
        }
        AddressChange::Refused => refused(own, change_email(own, Some(&Said::failed(WRONG_PASSWORD)), false)),
    })
}

pub(super) fn show_close(own: &Own<'_>) -> Answer {
    closing(own, None)
}

fn closing(own: &Own<'_>, said: Option<&Said>) -> Answer {
    let fields = [Field::password("current", "Current password").wrong(said.is_some())];
    let content = html! {
        p { "Your address, your password and all your sessions are deleted at once. This cannot be undone." }
        (form(&own.page.place.settings.at("/account/close"), &[], &fields, "Delete my account"))
    };
    whole(&own.page.place, "Delete your account", said, &content)
}

pub(super) async fn close(own: &Own<'_>) -> Result<Answer, Fault> {
    let (page, session) = (&own.page, own.session);
    let is_closed = match filled(&page.form, "current") {
        Some(password) => page.sign_in.accounts.close(page.now, &session.account, &password).await?,
        None => false,
    };
    if !is_closed {
        return Ok(refused(own, closing(own, Some(&Said::failed(WRONG_PASSWORD)))));
    }
    let mut answer = see_other(&page.place.settings.with("/login", "done", "closed"));
    answer.response.headers_mut().append(header::SET_COOKIE, cookie::clear(page.asked));
    answer.event = Some(event(What::Closed, session));
    Ok(answer)
}
