//! The way in and out: register, log in, second factor, forgotten passwords, log out.

use http::{StatusCode, header};
use mantlet_accounts::{
    Address, Fault,
    accounts::{LoggedIn, Login, Registration, Wants},
};
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    Page,
    frame::{Field, Said, form, notice, page as whole, see_other},
    next,
    shared::filled,
};
use crate::{
    asked::{Answer, Event, What},
    cookie,
};

const NO_ADDRESS: &str =
    "This is not an e-mail address. It needs a name, an @ and a domain, such as ada@example.com.";
const NOT_IN: &str = "Address and password do not fit together. Check both, or set a new password.";

impl Page<'_> {
    /// The address that the form names.
    pub(super) fn address(&self) -> Option<Address> {
        self.form.get("email").and_then(Address::read)
    }

    /// How long a password has to be, for people.
    pub(super) fn length_hint(&self) -> String {
        let shortest = self.sign_in.accounts.passwords().policy().shortest;
        format!("At least {shortest} characters. A few words that you choose by chance are easy to remember.")
    }
}

fn event(what: What, page: &Page<'_>) -> Event {
    Event { what, account: None, address: page.address().map(|address| address.to_string()), session: None }
}

pub(super) fn show_register(page: &Page<'_>) -> Answer {
    registration(page, None)
}

fn registration(page: &Page<'_>, said: Option<&Said>) -> Answer {
    let settings = page.place.settings;
    if !settings.registration {
        let content =
            html! { p { "New accounts are not made here. Ask the people who run " (settings.app) "." } };
        return notice(&page.place, StatusCode::NOT_FOUND, "No registration", &content);
    }
    let is_wrong = said.is_some();
    let has_address = page.address().is_some();
    let hint = page.length_hint();
    let fields = [
        Field::email(page.form.get("email")).wrong(is_wrong && !has_address),
        Field::new_password(&hint).labelled("Password").wrong(is_wrong && has_address),
    ];
    let content = html! {
        (form(&settings.at("/register"), &[], &fields, "Create account"))
        p .links { a href=(settings.at("/login")) { "I have an account" } }
    };
    whole(&page.place, "Create an account", said, &content)
}

pub(super) async fn register(page: &Page<'_>) -> Result<Answer, Fault> {
    if !page.place.settings.registration {
        return Ok(registration(page, None));
    }
    let Some(address) = page.address() else {
        return Ok(registration(page, Some(&Said::failed(NO_ADDRESS))));
    };
    let Some(password) = filled(&page.form, "password") else {
        return Ok(registration(page, Some(&Said::failed("Choose a password."))));
    };
    match page.sign_in.accounts.register(page.now, &address, &password).await? {
        Registration::Mailed => {
            let content = html! {
                p { "We have sent a mail to " strong { (address.as_written()) } "." }
                p { "Open the link in it to finish. It is good for one day." }
                p .soft { "No mail after a few minutes? Look among the spam, and check the address. Then "
                    a href=(page.place.settings.at("/register")) { "begin again" } "." }
            };
            let mut answer = whole(&page.place, "Look into your mailbox", None, &content);
            answer.event = Some(event(What::Registered, page));
            Ok(answer)
        }
        Registration::Weak(weak) => {
            Ok(registration(page, Some(&Said::failed(super::account::weak_text(&weak)))))
        }
    }
}

pub(super) fn show_login(page: &Page<'_>) -> Answer {
    let next = next::local(page.form.get("next"));
    if page.place.is_logged_in {
        return see_other(next.unwrap_or(&page.place.settings.home));
    }
    let done = match page.form.get("done") {
        Some("verified") => Some("Your address is verified. You can log in now."),
        Some("reset") => Some("Your new password is set. Log in with it."),
        Some("address") => Some("Your address was changed. Log in with the new one."),
        Some("out") => Some("You are logged out."),
        Some("everywhere") => Some("You are logged out everywhere."),
        Some("closed") => Some("Your account was deleted."),
        _ => None,
    };
    login(page, done.map(Said::Done).as_ref())
}

fn login(page: &Page<'_>, said: Option<&Said>) -> Answer {
    let settings = page.place.settings;
    let next = next::local(page.form.get("next"));
    let is_wrong = matches!(said, Some(Said::Failed(_)));
    let fields = [
        Field::email(page.form.get("email")).wrong(is_wrong),
        Field::password("password", "Password").wrong(is_wrong),
    ];
    let hidden: Vec<_> = next.map(|next| ("next", next)).into_iter().collect();
    let content = html! {
        (form(&settings.at("/login"), &hidden, &fields, "Log in"))
        p .links {
            a href=(settings.at("/forgot")) { "Forgot your password?" }
            @if settings.registration { a href=(settings.at("/register")) { "Create an account" } }
        }
        @if !settings.others.is_empty() {
            nav .links aria-label="Other logins" {
                @for (title, path) in &settings.others {
                    a href=(with_next(path, next)) { "Log in with " (title) }
                }
            }
        }
    };
    whole(&page.place, "Log in", said, &content)
}

/// Another login, which leads on to the same page.
fn with_next(path: &str, next: Option<&str>) -> String {
    match next {
        Some(next) => format!("{path}?next={}", utf8_percent_encode(next, NON_ALPHANUMERIC)),
        None => path.to_owned(),
    }
}

pub(super) async fn log_in(page: &Page<'_>) -> Result<Answer, Fault> {
    let refused = |text: &str| {
        let mut answer = login(page, Some(&Said::failed(text)));
        answer.event = Some(event(What::LoginRefused, page));
        answer
    };
    let (Some(address), Some(password)) = (page.address(), filled(&page.form, "password")) else {
        return Ok(refused(NOT_IN));
    };
    let wants = Wants { tokens: false, device: page.asked.device().to_owned(), scope: String::new() };
    let outcome = page.sign_in.accounts.log_in(page.now, &address, &password, &wants).await?;
    Ok(match outcome {
        Login::In(logged_in) => enter(page, &logged_in),
        Login::SecondFactor(ticket) => ask_code(page, ticket.expose(), None),
        Login::Unverified => refused(
            "Your address is not verified yet. We have sent you a new mail: open the link in it, then log in.",
        ),
        Login::Locked => refused(LOCKED),
        Login::Refused => refused(NOT_IN),
    })
}

const LOCKED: &str = "Too many codes were wrong. Set a new password first: “Forgot your password?” below.";

fn ask_code(page: &Page<'_>, ticket: &str, said: Option<&Said>) -> Answer {
    let settings = page.place.settings;
    let hint = "Six digits from your authenticator app, or one of your recovery codes.";
    let mut hidden = vec![("ticket", ticket)];
    hidden.extend(next::local(page.form.get("next")).map(|next| ("next", next)));
    let content = html! {
        (form(&settings.at("/second-factor"), &hidden, &[Field::code(hint).wrong(said.is_some())], "Log in"))
        p .links { a href=(settings.at("/login")) { "Begin again" } }
    };
    whole(&page.place, "One more step", said, &content)
}

pub(super) async fn second_factor(page: &Page<'_>) -> Result<Answer, Fault> {
    let (Some(ticket), Some(code)) = (filled(&page.form, "ticket"), filled(&page.form, "code")) else {
        return Ok(see_other(&page.place.settings.at("/login")));
    };
    let outcome = page.sign_in.accounts.second_factor(page.now, &ticket, &code).await?;
    let text = match outcome {
        Login::In(logged_in) => return Ok(enter(page, &logged_in)),
        Login::Locked => LOCKED,
        _ => {
            "This code is not right. Wait for the next one and enter that. After five tries or five minutes, begin again."
        }
    };
    let mut answer = ask_code(page, ticket.expose(), Some(&Said::failed(text)));
    answer.event = Some(event(What::LoginRefused, page));
    Ok(answer)
}

/// Logged in: the cookie, and on to where the client was.
fn enter(page: &Page<'_>, logged_in: &LoggedIn) -> Answer {
    let to = next::local(page.form.get("next")).unwrap_or(&page.place.settings.home);
    let mut answer = see_other(to);
    if let Some(value) = &logged_in.cookie {
        let limits = page.sign_in.accounts.limits();
        answer.response.headers_mut().append(header::SET_COOKIE, cookie::set(page.asked, value, limits));
    }
    let session = &logged_in.session;
    answer.event = Some(Event {
        account: Some(session.account.clone()),
        session: Some(session.id.clone()),
        ..event(What::LoggedIn, page)
    });
    answer
}

pub(super) fn show_forgot(page: &Page<'_>) -> Answer {
    forgotten(page, None)
}

fn forgotten(page: &Page<'_>, said: Option<&Said>) -> Answer {
    let settings = page.place.settings;
    let content = html! {
        p { "Enter your address. We mail you a link to set a new password." }
        (form(&settings.at("/forgot"), &[], &[Field::email(page.form.get("email")).wrong(said.is_some())], "Mail me a link"))
        p .links { a href=(settings.at("/login")) { "Back to the login" } }
    };
    whole(&page.place, "Forgot your password?", said, &content)
}

pub(super) async fn forgot(page: &Page<'_>) -> Result<Answer, Fault> {
    let Some(address) = page.address() else { return Ok(forgotten(page, Some(&Said::failed(NO_ADDRESS)))) };
    page.sign_in.accounts.request_reset(page.now, &address).await?;
    let content = html! {
        p { "If " strong { (address.as_written()) } " has an account here, a mail is on its way." }
        p { "Open the link in it within 30 minutes." }
    };
    let mut answer = whole(&page.place, "Look into your mailbox", None, &content);
    answer.event = Some(event(What::ResetAsked, page));
    Ok(answer)
}

pub(super) fn show_logout(page: &Page<'_>) -> Answer {
    if !page.place.is_logged_in {
        return see_other(&page.place.settings.with("/login", "done", "out"));
    }
    whole(&page.place, "Log out", None, &buttons(page))
}

fn buttons(page: &Page<'_>) -> Markup {
    html! {
        p { "You will be logged out in this browser." }
        (form(&page.place.settings.at("/logout"), &[], &[], "Log out"))
    }
}

pub(super) async fn log_out(page: &Page<'_>) -> Result<Answer, Fault> {
    let mut answer = see_other(&page.place.settings.with("/login", "done", "out"));
    if let Some(session) = &page.asked.session {
        page.sign_in.accounts.log_out(page.now, &session.account, &session.id).await?;
        answer.event = Some(super::account::event(What::LoggedOut, session));
    }
    answer.response.headers_mut().append(header::SET_COOKIE, cookie::clear(page.asked));
    Ok(answer)
}
