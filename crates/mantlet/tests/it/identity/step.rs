//! The steps of an app's traffic.

use std::collections::BTreeMap;

/// What was kept of responses, by name.
pub(crate) type Values = BTreeMap<String, String>;

/// One step of an app's traffic. `{name}` in a text stands for a value that was kept.
pub(crate) struct Step {
    pub(super) kind: Kind,
    /// The browser that sends the request, with its cookies. None: a program without cookies.
    pub(super) browser: Option<&'static str>,
    pub(super) lines: Vec<String>,
    pub(super) body: String,
    pub(super) status: u16,
    /// A part of the body of the response.
    pub(super) has: &'static str,
    /// Values to keep of the response: a name, and a JSON pointer or `cookie NAME`.
    pub(super) keeps: Vec<(&'static str, &'static str)>,
    /// The gate refuses the request before the app does, for this reason.
    pub(super) refused: Option<&'static str>,
    /// The app accepts a credential after a logout, a password change or a reset.
    pub(super) is_taken_back: bool,
}

pub(super) enum Kind {
    Request {
        method: &'static str,
        target: &'static str,
    },
    /// A WebSocket and what is said on it; what comes back is the body.
    Socket {
        target: &'static str,
        says: &'static [&'static str],
    },
    /// A value that no response gives.
    Make {
        name: &'static str,
        make: fn(&Values) -> String,
    },
    /// The token of the newest e-mail to this address.
    Mail {
        name: &'static str,
        to: &'static str,
    },
}

fn step(kind: Kind) -> Step {
    Step {
        kind,
        browser: None,
        lines: vec![],
        body: String::new(),
        status: 0,
        has: "",
        keeps: vec![],
        refused: None,
        is_taken_back: false,
    }
}

pub(crate) fn ask(method: &'static str, target: &'static str) -> Step {
    step(Kind::Request { method, target })
}

pub(crate) fn get(target: &'static str) -> Step {
    ask("GET", target)
}

pub(crate) fn post(target: &'static str) -> Step {
    ask("POST", target)
}

pub(crate) fn patch(target: &'static str) -> Step {
    ask("PATCH", target)
}

pub(crate) fn socket(target: &'static str, says: &'static [&'static str]) -> Step {
    step(Kind::Socket { target, says })
}

pub(crate) fn make(name: &'static str, make: fn(&Values) -> String) -> Step {
    step(Kind::Make { name, make })
}

pub(crate) fn mail(name: &'static str, to: &'static str) -> Step {
    step(Kind::Mail { name, to })
}

/// The next second begins. Tokens that an app makes for one account within a second are the same text,
/// so they are one credential.
pub(crate) fn next_second() -> Step {
    make("second", |_| {
        let now = jiff::Timestamp::now().as_second();
        while jiff::Timestamp::now().as_second() == now {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        format!("second {now}")
    })
}

impl Step {
    pub(crate) fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// With a bearer token.
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.line(&format!("Authorization: Bearer {token}"))
    }

    pub(crate) fn form(mut self, form: &str) -> Self {
        form.clone_into(&mut self.body);
        self.line("Content-Type: application/x-www-form-urlencoded")
    }

    pub(crate) fn json(mut self, json: &str) -> Self {
        json.clone_into(&mut self.body);
        self.line("Content-Type: application/json")
    }

    /// As a page of the app sends it from this browser.
    pub(crate) fn by(mut self, browser: &'static str) -> Self {
        self.browser = Some(browser);
        self
    }

    /// What the app answers without a gate.
    pub(crate) fn is(self, status: u16, has: &'static str) -> Self {
        Self { status, has, ..self }
    }

    pub(crate) fn keep(mut self, name: &'static str, place: &'static str) -> Self {
        self.keeps.push((name, place));
        self
    }

    /// A known difference: the app refuses it, and so does the gate, in its own words.
    pub(crate) fn refused_first(self, reason: &'static str) -> Self {
        Self { refused: Some(reason), ..self }
    }

    /// The app accepts a credential after a logout, a password change or a reset.
    pub(crate) fn although_taken_back(self) -> Self {
        Self { is_taken_back: true, ..self }
    }

    /// How it is called in a failure.
    pub(super) fn name(&self) -> String {
        let lines = self.lines.join(", ");
        match &self.kind {
            Kind::Request { method, target } => format!("{method} {target} ({lines}) {}", self.body),
            Kind::Socket { target, .. } => format!("WebSocket {target}"),
            Kind::Make { name, .. } | Kind::Mail { name, .. } => (*name).to_owned(),
        }
    }
}
