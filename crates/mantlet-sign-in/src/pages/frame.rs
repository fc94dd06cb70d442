//! What all pages have in common: head, foot, headers, messages, fields of forms.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use mantlet_accounts::Fault;
use maud::{DOCTYPE, Markup, html};

use super::shared::Place;
use crate::{
    Settings,
    asked::Answer,
    faults::{self, Unavailable},
};

/// Nothing but our style sheet and pictures that stand in the page itself.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";
const STYLE: &str = include_str!("style.css");

/// What a form says beside its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// What was done.
    Done(&'static str),
    /// Why it was not done, and what to do.
    Failed(String),
}

impl Said {
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }

    const fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// A page.
pub(crate) fn page(place: &Place<'_>, title: &str, said: Option<&Said>, content: &Markup) -> Answer {
    let settings = place.settings;
    let has_failed = said.is_some_and(Said::is_failure);
    let status = if has_failed { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { @if has_failed { "Error: " } (title) " – " (settings.app) }
                link rel="stylesheet" href=(settings.at("/style.css"));
            }
            body {
                a .skip href="#content" { "Skip to the content" }
                header { a .brand href=(settings.home) { (settings.app) } }
                main #content tabindex="-1" {
                    h1 { (title) }
                    @match said {
                        Some(Said::Done(text)) => p .said .done role="status" { (text) },
                        Some(Said::Failed(text)) => p .said .failed #problem role="alert" { (text) },
                        None => {}
                    }
                    (content)
                }
                @if place.is_logged_in {
                    footer { nav aria-label="Your account" {
                        a href=(settings.at("/account")) { "Your account" }
                        a href=(settings.at("/logout")) { "Log out" }
                    } }
                }
            }
        }
    };
    answer(status, "text/html; charset=utf-8", Bytes::from(markup.into_string())).into()
}

/// A page that says one thing, with the status that fits.
pub(crate) fn notice(place: &Place<'_>, status: StatusCode, title: &str, content: &Markup) -> Answer {
    let mut answer = page(place, title, None, content);
    *answer.response.status_mut() = status;
    answer
}

/// The accounts are away, or busy.
pub(crate) fn unavailable(place: &Place<'_>, fault: &Fault) -> Answer {
    let (after, detail) = faults::said(fault);
    let content = html! { p { (detail) } p { "Your browser can send the form again: reload this page." } };
    let mut answer = notice(place, StatusCode::SERVICE_UNAVAILABLE, "Try again in a moment", &content);
    answer.response.headers_mut().insert(header::RETRY_AFTER, after);
    answer.response.extensions_mut().insert(Unavailable(fault.to_string()));
    answer
}

/// Leads on after something was done, so that reloading repeats nothing.
pub(crate) fn see_other(to: &str) -> Answer {
    let mut response = answer(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", Bytes::new());
    // What cannot stand in a header was escaped in the query of a page already.
    let to = HeaderValue::from_str(to).unwrap_or_else(|_| HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, to);
    response.into()
}

/// Another method than those of the page.
pub(crate) fn wrong_method(allowed: &'static str) -> Answer {
    let text = Bytes::from(format!("This page takes {allowed}.\n"));
    let mut response = answer(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", text);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response.into()
}

/// The style sheet: ours, and after it the operator's.
pub(crate) fn style(settings: &Settings) -> Answer {
    let own = settings.style.as_deref().unwrap_or_default();
    let mut response =
        answer(StatusCode::OK, "text/css; charset=utf-8", Bytes::from(format!("{STYLE}\n{own}")));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response.into()
}

fn answer(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A field of a form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'f> {
    pub(crate) name: &'f str,
    pub(crate) label: &'f str,
    /// `email`, `password` or `text`.
    pub(crate) kind: &'f str,
    /// What a browser may fill in (HTML, section 4.10.18.7).
    pub(crate) autocomplete: &'f str,
    pub(crate) hint: Option<&'f str>,
    pub(crate) value: Option<&'f str>,
    /// Whether what was entered here was not taken.
    pub(crate) is_wrong: bool,
}

impl<'f> Field<'f> {
    pub(crate) const fn email(value: Option<&'f str>) -> Self {
        Self {
            name: "email",
            label: "E-mail address",
            kind: "email",
            autocomplete: "username",
            hint: None,
            value,
            is_wrong: false,
        }
    }

    pub(crate) const fn password(name: &'f str, label: &'f str) -> Self {
        Self {
            name,
            label,
            kind: "password",
            autocomplete: "current-password",
            hint: None,
            value: None,
            is_wrong: false,
        }
    }

    pub(crate) const fn new_password(hint: &'f str) -> Self {
        Self {
            name: "password",
            label: "New password",
            kind: "password",
            autocomplete: "new-password",
            hint: Some(hint),
            value: None,
            is_wrong: false,
        }
    }

    pub(crate) const fn code(hint: &'f str) -> Self {
        Self {
            name: "code",
            label: "Code",
            kind: "text",
            autocomplete: "one-time-code",
            hint: Some(hint),
            value: None,
            is_wrong: false,
        }
    }

    pub(crate) const fn labelled(self, label: &'f str) -> Self {
        Self { label, ..self }
    }

    pub(crate) const fn wrong(self, is_wrong: bool) -> Self {
        Self { is_wrong, ..self }
    }

    pub(crate) fn show(self) -> Markup {
        self.with_prefix("")
    }

    /// The same beside a field of that name in another form of the page.
    pub(crate) fn with_prefix(self, prefix: &str) -> Markup {
        let id = format!("{prefix}{}", self.name);
        let hint_id = format!("{id}-hint");
        let described = match (self.hint, self.is_wrong) {
            (Some(_), true) => Some(format!("problem {hint_id}")),
            (Some(_), false) => Some(hint_id.clone()),
            (None, true) => Some("problem".to_owned()),
            (None, false) => None,
        };
        html! {
            div .field {
                label for=(id) { (self.label) }
                @if let Some(hint) = self.hint { p .hint id=(hint_id) { (hint) } }
                input id=(id) name=(self.name) type=(self.kind) autocomplete=(self.autocomplete) required
                    value=[self.value] aria-invalid=[self.is_wrong.then_some("true")] aria-describedby=[described]
                    autocapitalize="none" spellcheck="false";
            }
        }
    }
}

/// A form that is sent to a page.
pub(crate) fn form(action: &str, hidden: &[(&str, &str)], fields: &[Field<'_>], button: &str) -> Markup {
    html! {
        form method="post" action=(action) {
            @for (name, value) in hidden { input type="hidden" name=(name) value=(value); }
            @for field in fields { (field.show()) }
            button type="submit" { (button) }
        }
    }
}
