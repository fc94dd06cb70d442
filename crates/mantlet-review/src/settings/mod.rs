//! How an app is set up: debug mode, documentation, CORS, cookies, keys.

use std::collections::BTreeSet;

use mantlet_contract::model::{Cookie, Key, Location, Middleware, SecurityScheme};
use mantlet_controls::{Mode, config::Tolerance, responses::Errors};

use crate::{
    facts::{App, Gate, Located, looked},
    finding::{Finding, Place},
    review::{Review, Row},
    rule::{Level, Owasp, Practice, api},
};

pub(crate) fn review(app: &App<'_>, review: &mut Review) {
    let Some(settings) = &app.facts.contract.app else {
        let why = "the app's settings are not known: its contract was not read from the app itself";
        for practice in [Practice::Cors, Practice::Tokens] {
            review.unjudged(Row::Practice(practice), why);
        }
        return;
    };
    let gate = app.facts.gate.filter(|gate| !gate.config.report_only);
    looked(review, Owasp::Api8, "settings of the app", 1);
    if settings.debug {
        debug(gate, review);
    }
    if !settings.docs.is_empty()
        && gate.is_none_or(|gate| gate.policy.routes.fallback().rules.docs != Tolerance::Reject)
    {
        let message = format!("anyone reads {}", settings.docs.join(", "));
        let finding = Finding::new(&api::DOCS_PUBLIC, "the app", message);
        review.found(finding.closed_by("[contract]\ndocs = \"reject\""));
    }
    for middleware in &settings.middleware {
        match middleware {
            Middleware::Cors { origins, origin_regex, credentials, .. } => {
                cors(app, gate, origins, origin_regex.as_deref(), *credentials, review);
            }
            Middleware::Session { cookie, https_only, same_site, key, .. } => {
                let cookie = Cookie {
                    name: cookie.clone(),
                    secure: Some(*https_only),
                    http_only: Some(true),
                    same_site: same_site.clone(),
                    file: None,
                    line: 0,
                };
                self::cookie(gate, &cookie, "the app", true, review);
                if let Some(found) = key {
                    self::key(found, review);
                }
            }
            _ => {}
        }
    }
    review.looked(Row::Practice(Practice::Cors), "middleware", settings.middleware.len().max(1));
    for found in &settings.keys {
        key(found, review);
    }
    review.looked(Row::Practice(Practice::Tokens), "keys of the app", settings.keys.len());
    let sessions = session_cookies(app);
    for one in &app.operations {
        for found in one.code().into_iter().flat_map(|code| &code.cookies) {
            let is_session = found.name.as_deref().is_some_and(|name| sessions.contains(name));
            cookie(gate, found, &one.name(), is_session, review);
        }
    }
}

fn debug(gate: Option<Gate<'_>>, review: &mut Review) {
    let replaces = gate.is_some_and(|gate| {
        let passes = matches!(gate.config.responses.errors, Some(Errors::Report | Errors::Allow));
        gate.config.responses.mode == Mode::Enforce && !passes
    });
    let finding = Finding::new(&api::DEBUG, "the app", "the app is made with `debug=True`");
    let finding = if replaces {
        finding.level(Level::Low).fact("the gate keeps the pages of errors from clients")
    } else {
        finding
    };
    review.found(finding.mended_by(api::DEBUG.remedy));
}

/// Cookies by which the app knows its callers.
fn session_cookies<'a>(app: &'a App<'_>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    for one in &app.operations {
        found.extend(one.code().into_iter().flat_map(|code| &code.reads_cookies).map(String::as_str));
        for requirement in one.operation.security.iter().flatten() {
            if let SecurityScheme::ApiKey { location: Location::Cookie, name } = &requirement.scheme {
                found.insert(name.as_str());
            }
        }
        found.extend(credential_inputs(one));
    }
    found
}

/// Cookies that a dependency declares, of an operation that may refuse.
fn credential_inputs<'a>(one: &'a Located<'_>) -> impl Iterator<Item = &'a str> {
    let refuses = one.code().is_some_and(|code| code.refuses);
    let inputs =
        one.operation.inputs.iter().filter(move |input| refuses && input.location == Location::Cookie);
    inputs.flat_map(|input| input.take.names())
}

fn cookie(gate: Option<Gate<'_>>, cookie: &Cookie, subject: &str, is_session: bool, review: &mut Review) {
    let name = cookie.name.as_deref().unwrap_or("of a name that is not constant");
    let adds = gate
        .filter(|gate| gate.config.cookies.mode == Mode::Enforce && gate.config.cookies.cookie.is_empty());
    let (secure, script) =
        adds.map_or((false, false), |gate| (gate.config.cookies.secure, gate.config.cookies.http_only));
    let mut lacks = Vec::new();
    if cookie.secure == Some(false) && !secure {
        lacks.push("`Secure`");
    }
    if cookie.http_only == Some(false) && !script {
        lacks.push("`HttpOnly`");
    }
    if cookie.same_site.as_deref() == Some("none") {
        lacks.push("a `SameSite` that keeps other sites out");
    }
    if lacks.is_empty() {
        return;
    }
    let (rule, what) =
        if is_session { (&api::SESSION_COOKIE, "the session") } else { (&api::COOKIE, "a cookie") };
    let message = format!("the cookie `{name}` of {what} lacks {}", lacks.join(", "));
    let place = cookie.file.clone().map(|file| Place { file, line: Some(cookie.line) });
    // The gate adds what is missing, and leaves what the app has said.
    let says_none = lacks.iter().any(|one| one.contains("SameSite"));
    // Over HTTPS alone: the app may run without it on a developer's machine.
    let level = if is_session && lacks == ["`Secure`"] { Level::Low } else { rule.level };
    let finding = Finding::new(rule, subject, message).part(name).at(place).level(level);
    review.found(if says_none {
        finding
            .mended_by("Set `samesite=\"lax\"`; with `none`, a CSRF token must guard what the cookie allows.")
    } else {
        finding.closed_by("[cookies]\nmode = \"enforce\"")
    });
}

fn key(found: &Key, review: &mut Review) {
    let mut why = Vec::new();
    if found.literal {
        why.push("stands in the app's code".to_owned());
    }
    if found.placeholder {
        why.push("is made of words that everyone tries".to_owned());
    }
    if let Some(length) = found.short {
        why.push(format!("has {length} bytes, and 32 are needed"));
    }
    let message = format!("{} {}", found.name, why.join(", "));
    let place = found.file.clone().map(|file| Place { file, line: found.line });
    // A key of the environment is that of this machine; production may have another.
    let level = if found.literal { Level::High } else { Level::Low };
    let finding = Finding::new(&api::WEAK_KEY, "the app", message).part(&found.name).at(place).level(level);
    review.found(finding.mended_by(api::WEAK_KEY.remedy));
}

fn cors(
    app: &App<'_>,
    gate: Option<Gate<'_>>,
    origins: &[String],
    pattern: Option<&str>,
    credentials: bool,
    review: &mut Review,
) {
    if gate.is_some_and(|gate| gate.config.cors.mode == Mode::Enforce && !gate.config.cors.origins.is_empty())
    {
        return;
    }
    let fix = "[cors]\norigins = [\"https://app.example.com\"]\ncredentials = true";
    if origins.iter().any(|origin| origin == "*") || pattern.is_some_and(matches_all) {
        let uses_cookies = !session_cookies(app).is_empty()
            || app
                .facts
                .contract
                .app
                .iter()
                .flat_map(|app| &app.middleware)
                .any(|one| matches!(one, Middleware::Session { .. }));
        let level = match (credentials, uses_cookies) {
            (true, _) => Level::High,
            (false, true) => Level::Low,
            (false, false) => Level::Info,
        };
        let message = if credentials {
            "pages of any origin may send cookies, and read the answers"
        } else {
            "pages of any origin may read answers"
        };
        let finding = Finding::new(&api::CORS_ANY_ORIGIN, "the app", message).level(level);
        review.found(finding.closed_by(fix));
    } else if let Some(pattern) = pattern.filter(|pattern| is_loose(pattern)) {
        let message = format!("the pattern `{pattern}` matches origins of others, too");
        let level = if credentials { Level::Medium } else { Level::Low };
        let finding = Finding::new(&api::CORS_LOOSE_PATTERN, "the app", message).level(level);
        review.found(finding.closed_by(fix));
    }
}

/// Whether a pattern of origins matches each of them.
fn matches_all(pattern: &str) -> bool {
    let bare = pattern.trim_start_matches('^').trim_end_matches('$');
    matches!(
        bare,
        ".*" | ".+"
            | "https?://.*"
            | "https?://.+"
            | "http://.*"
            | "https://.*"
            | "https://.+"
            | "(.*)"
            | "(https?://)?.*"
    )
}

/// Whether a dot of a name is not escaped, or the name may go on: `https://.*example.com`.
fn is_loose(pattern: &str) -> bool {
    let mut previous = ' ';
    let letters: Vec<char> = pattern.chars().collect();
    letters.iter().enumerate().any(|(at, letter)| {
        let before = std::mem::replace(&mut previous, *letter);
        let next = letters.get(at + 1).copied().unwrap_or(' ');
        let is_plain = *letter == '.' && before != '\\' && !matches!(next, '*' | '+' | '?' | '{');
        // `.*example\.com` also means `evilexample.com`.
        let is_open = *letter == '.'
            && before == '/'
            && matches!(next, '*' | '+')
            && letters.get(at + 2).is_some_and(char::is_ascii_alphanumeric);
        is_plain || is_open
    })
}
