//! What all views have in common: head, navigation, foot; buttons, lines of configuration, notes.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    doors::{Said, Token},
    guard::Refused,
    source::Search,
    text::shown,
};

/// The views, in the order of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Now,
    Refusals,
    Ratchet,
    Bans,
    Sessions,
    Objects,
    Contract,
    Audit,
    Record,
}

impl View {
    const ALL: [Self; 8] = [
        Self::Now,
        Self::Refusals,
        Self::Ratchet,
        Self::Bans,
        Self::Sessions,
        Self::Objects,
        Self::Contract,
        Self::Audit,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Refusals => "refusals",
            Self::Ratchet => "ratchet",
            Self::Bans => "bans",
            Self::Sessions => "sessions",
            Self::Objects => "objects",
            Self::Contract => "contract",
            Self::Audit => "audit",
            Self::Record => "record",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().chain([Self::Record]).find(|view| view.name() == name)
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Now => "Now",
            Self::Refusals => "Refusals",
            Self::Ratchet => "Ratchet",
            Self::Bans => "Bans & quotas",
            Self::Sessions => "Sessions",
            Self::Objects => "Objects",
            Self::Contract => "Contract",
            Self::Audit => "Audit",
            Self::Record => "Record",
        }
    }

    /// Whether it shows what changes by itself.
    const fn is_live(self) -> bool {
        !matches!(self, Self::Audit | Self::Record)
    }
}

/// What stands around a view.
pub(crate) struct Frame<'f> {
    pub(crate) view: View,
    /// Whether the app answers, if that is known.
    pub(crate) is_up: Option<bool>,
    pub(crate) said: Option<Said>,
    pub(crate) version: Option<&'f str>,
    /// When this was true.
    pub(crate) at: String,
    /// What all views of this run have, and no page of another program.
    pub(crate) run: &'f str,
}

pub(crate) fn page(frame: &Frame<'_>, content: &Markup) -> String {
    let title = frame.view.title();
    let app = match frame.is_up {
        Some(true) => ("up", "The app responds"),
        Some(false) => ("down", "The app does not respond"),
        None => ("unknown", "Not known whether the app responds"),
    };
    let body = html! {
        a .skip href="#content" { "Skip to the content" }
        header {
            p .brand { (PreEscaped(ICON)) "Mantlet" }
            p #app class={ "pill " (app.0) } role="status" data-part { (app.1) }
            p .live #live data-at=(frame.at) data-run=(frame.run) {
                span #when data-part { "As of " (frame.at) " UTC" }
                " " a href={ "" (frame.view.name()) } { "Reload" }
            }
        }
        nav aria-label="Views" { ul {
            @for view in View::ALL {
                @let is_here = view == frame.view || (view == View::Audit && frame.view == View::Record);
                li { a href=(view.name()) aria-current=[is_here.then_some("page")] { (view.title()) } }
            }
        } }
        main #content tabindex="-1" {
            h1 { (title) }
            @if let Some(said) = &frame.said {
                p class={ "said " (if said.is_done { "done" } else { "failed" }) } role="status" { (told(&said.text)) }
            }
            // What is not in the next one is removed here, too: old figures beside a new time would be believed.
            div #view { (content) }
        }
        footer { p {
            "Mantlet " (frame.version.unwrap_or_default()) " · Times are UTC. This page shows no bodies, headers with tokens or cookies, and it edits no files. A token in a path is seen. What you do here is recorded."
        } }
    };
    document(title, Some(frame.view), &body)
}

/// A page that says why there is no view.
pub(crate) fn refusal(refused: Refused) -> String {
    let body = html! {
        main #content .alone {
            h1 { "Not shown" }
            p { (prose(refused.why)) "." }
        }
    };
    document("Not shown", None, &body)
}

/// A page that leads to the first view, with an address that may be kept.
pub(crate) fn entry(place: &str) -> String {
    let body = html! {
        main #content .alone {
            h1 { "You are in" }
            p { a href=(place) { "To the page" } }
        }
    };
    document("You are in", None, &body)
}

const ICON: &str = include_str!("icon.svg");

fn document(title: &str, view: Option<View>, body: &Markup) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · Mantlet" }
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/page.css";
                @if let Some(view) = view {
                    @if view.is_live() { noscript { meta http-equiv="refresh" content="15"; } }
                    script src="/page.js" defer data-live=[view.is_live().then_some("2")] {}
                }
            }
            body { (body) }
        }
    };
    markup.into_string()
}

/// A button that changes something, which asks once more. Without a script it is a disclosure.
pub(crate) fn act(form: &Token, act: &str, fields: &[(&str, &str)], label: &str, sure: &str) -> Markup {
    html! {
        details .ask {
            summary { (label) }
            form method="post" action="act" {
                input type="hidden" name="form" value=(form.as_str());
                input type="hidden" name="act" value=(act);
                @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
                button type="submit" { (sure) }
            }
        }
    }
}

/// Lines of configuration, to be copied.
pub(crate) fn lines(text: &str) -> Markup {
    let added: Vec<_> = text.lines().map(shown).collect();
    html! { pre .copy tabindex="0" { code { (added.join("\n")) } } }
}

/// The same, as lines that are added to `mantlet.toml`.
pub(crate) fn difference(text: &str) -> Markup {
    html! {
        pre .copy .diff tabindex="0" data-text=(text) aria-label="Lines to add to mantlet.toml" {
            @for line in text.lines() { ins { (shown(line)) } "\n" }
        }
    }
}

/// A text in which what stands between backticks is code, if they are in pairs.
pub(crate) fn prose(text: &str) -> Markup {
    let text = shown(text);
    let is_paired = text.matches('`').count().is_multiple_of(2);
    html! {
        @if is_paired {
            @for (number, part) in text.split('`').enumerate() {
                @if number.is_multiple_of(2) { (part) } @else { code { (part) } }
            }
        } @else { (text) }
    }
}

pub(crate) fn note(text: &str) -> Markup {
    html! { p .note { (told(text)) } }
}

/// A text of one line or several.
fn told(text: &str) -> Markup {
    html! {
        @for (number, line) in text.lines().enumerate() {
            @if number > 0 { br; }
            (prose(line))
        }
    }
}

/// A link to the records that fit.
pub(crate) fn records(name: &str, value: &str, words: &str) -> Markup {
    html! { a href={ "audit?" (name) "=" (encoded(value)) } { (words) } }
}

pub(crate) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The form in which records are searched.
pub(crate) fn search_form(search: &Search) -> Markup {
    let fields = [
        ("user", "User or account", &search.user, "alice"),
        ("ip", "Address", &search.ip, "203.0.113.7"),
        ("code", "Code", &search.code, "rate-limited"),
        ("event", "Event", &search.event, "login-failed"),
        ("object", "Object", &search.object, "orders/17"),
        ("operation", "Operation or path", &search.operation, "/orders/{id}"),
        ("request", "Request id", &search.request, ""),
        ("session", "Session", &search.session, "8 digits"),
        ("since", "Since", &search.since, "2h"),
        ("until", "Until", &search.until, "2026-11-30"),
    ];
    html! {
        form .search method="get" action="audit" role="search" aria-label="Records" {
            @for (name, label, value, hint) in fields {
                label { span { (label) } input name=(name) value=(shown(value)) placeholder=(hint) autocomplete="off" spellcheck="false"; }
            }
            button type="submit" { "Search" }
        }
    }
}
