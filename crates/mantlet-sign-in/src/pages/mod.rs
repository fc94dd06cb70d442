//! The pages: plain HTML, made here, without a script.
//!
//! A POST is done if
//! 1. it comes from a page of this site (`Sec-Fetch-Site`, else `Origin`): the gate judges that, too, and this room does not
//!    depend on it;
//! 2. it is a form that can be read in one way;
//! 3. it has a session, where it is about the account of who is logged in.
//!
//! What was done leads on with 303, so that reloading a page repeats nothing. What was not is the same page again, with what is
//! wrong. A GET changes nothing: scanners of mail follow links.

mod account;
mod device;
mod entry;
mod factor;
mod frame;
mod links;
mod next;
mod shared;

use http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;
use mantlet_accounts::{Fault, sessions::Session};
use maud::html;

use self::shared::Place;
use crate::{
    SignIn,
    asked::{Answer, Asked},
    form::{self, Form},
};

/// The forms of the pages, by their paths: what a POST takes.
pub(crate) const FORMS: &[(&str, &[&str])] = &[
    ("/register", &["email", "password"]),
    ("/verify", &["token"]),
    ("/login", &["email", "password", "next"]),
    ("/second-factor", &["ticket", "code", "next"]),
    ("/forgot", &["email"]),
    ("/reset", &["token", "password"]),
    ("/confirm-address", &["token"]),
    ("/undo-address", &["token"]),
    ("/logout", &[]),
    ("/account/password", &["current", "password"]),
    ("/account/email", &["current", "email"]),
    ("/account/sessions", &["session"]),
    ("/account/close", &["current"]),
    ("/account/second-factor", &["current"]),
    ("/account/second-factor/confirm", &["code"]),
    ("/account/second-factor/codes", &["current", "code"]),
    ("/account/second-factor/remove", &["current", "code"]),
];

/// A request for a page, read.
pub(crate) struct Page<'p> {
    pub(crate) sign_in: &'p SignIn,
    pub(crate) now: Timestamp,
    pub(crate) asked: &'p Asked,
    pub(crate) place: Place<'p>,
    /// The query of a GET, the form of a POST.
    pub(crate) form: Form,
}

/// A request of a client that is logged in.
pub(crate) struct Own<'p> {
    pub(crate) page: Page<'p>,
    pub(crate) session: &'p Session,
}

/// Answers a request for a page.
pub(crate) async fn answer(sign_in: &SignIn, now: Timestamp, asked: Asked) -> Answer {
    let settings = &sign_in.settings;
    let place = Place { settings, is_logged_in: asked.session.is_some() };
    let path = asked.uri().path().strip_prefix(settings.path.as_str()).unwrap_or_default().to_owned();
    if path == "/style.css" {
        return frame::style(settings);
    }
    let is_post = match *asked.method() {
        Method::POST => true,
        Method::GET | Method::HEAD => false,
        _ => return frame::wrong_method("GET, POST"),
    };
    if is_post && !is_of_this_site(asked.headers(), &asked.origin) {
        return foreign(&place);
    }
    let form = if is_post { form::read(asked.request.body()) } else { Ok(shared::query(asked.uri())) };
    let form = match form {
        Ok(form) => form,
        Err(trouble) => {
            let content = html! { p { "Nothing was done: " (trouble.to_string()) "." } };
            return frame::notice(&place, StatusCode::BAD_REQUEST, "That form could not be read", &content);
        }
    };
    let page = Page { sign_in, now, asked: &asked, place, form };
    let answered = if path == "/account" || path.starts_with("/account/") {
        match &asked.session {
            Some(session) => own(Own { page, session }, &path, is_post).await,
            None => Ok(frame::see_other(&settings.with("/login", "next", asked.uri().path()))),
        }
    } else {
        open(page, &path, is_post).await
    };
    answered.unwrap_or_else(|fault| frame::unavailable(&place, &fault))
}

/// Pages for all.
async fn open(page: Page<'_>, path: &str, is_post: bool) -> Result<Answer, Fault> {
    match (path, is_post) {
        ("/register", false) => Ok(entry::show_register(&page)),
        ("/register", true) => entry::register(&page).await,
        ("/login", false) => Ok(entry::show_login(&page)),
        ("/login", true) => entry::log_in(&page).await,
        // Without the password before it there is nothing to show.
        ("/second-factor", false) => Ok(frame::see_other(&page.place.settings.at("/login"))),
        ("/second-factor", true) => entry::second_factor(&page).await,
        ("/forgot", false) => Ok(entry::show_forgot(&page)),
        ("/forgot", true) => entry::forgot(&page).await,
        ("/logout", false) => Ok(entry::show_logout(&page)),
        ("/logout", true) => entry::log_out(&page).await,
        ("/verify" | "/reset" | "/confirm-address" | "/undo-address", false) => Ok(links::show(&page, path)),
        ("/verify", true) => links::verify(&page).await,
        ("/reset", true) => links::reset(&page).await,
        ("/confirm-address", true) => links::confirm(&page).await,
        ("/undo-address", true) => links::undo(&page).await,
        _ => Ok(missing(&page.place)),
    }
}

/// Pages of who is logged in.
async fn own(own: Own<'_>, path: &str, is_post: bool) -> Result<Answer, Fault> {
    match (path, is_post) {
        ("/account", false) => account::show(&own).await,
        ("/account", true) => Ok(frame::wrong_method("GET")),
        ("/account/password", false) => Ok(account::show_password(&own)),
        ("/account/password", true) => account::password(&own).await,
        ("/account/email", false) => Ok(account::show_email(&own)),
        ("/account/email", true) => account::email(&own).await,
        ("/account/sessions", true) => account::end_sessions(&own).await,
        ("/account/close", false) => Ok(account::show_close(&own)),
        ("/account/close", true) => account::close(&own).await,
        ("/account/second-factor", false) => factor::show(&own).await,
        ("/account/second-factor", true) => factor::begin(&own).await,
        ("/account/second-factor/confirm", true) => factor::confirm(&own).await,
        ("/account/second-factor/codes", true) => factor::renew(&own).await,
        ("/account/second-factor/remove", true) => factor::remove(&own).await,
        // A reload of the answer to a form.
        (
            "/account/sessions"
            | "/account/second-factor/confirm"
            | "/account/second-factor/codes"
            | "/account/second-factor/remove",
            false,
        ) => Ok(frame::see_other(&own.page.place.settings.at("/account"))),
        _ => Ok(missing(&own.page.place)),
    }
}

/// Whether a browser says that a page of this site sends this. A client that sends neither header is not a browser of today: a
/// cookie that it has was put there by its own program.
fn is_of_this_site(headers: &HeaderMap, origin: &str) -> bool {
    match (headers.get("sec-fetch-site"), headers.get(header::ORIGIN)) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(named)) => named.to_str().is_ok_and(|named| named.eq_ignore_ascii_case(origin)),
        (None, None) => true,
    }
}

fn foreign(place: &Place<'_>) -> Answer {
    let content = html! {
        p { "Another site has sent this form, so nothing was done." }
        p { "If you want to do it, begin here: " a href=(place.settings.at("/account")) { "your account" } "." }
    };
    frame::notice(place, StatusCode::FORBIDDEN, "That did not come from this site", &content)
}

fn missing(place: &Place<'_>) -> Answer {
    let content = html! {
        p { "There is no page at this address." }
        p .links { a href=(place.settings.home) { "To the start" } a href=(place.settings.at("/account")) { "Your account" } }
    };
    frame::notice(place, StatusCode::NOT_FOUND, "Not found", &content)
}
