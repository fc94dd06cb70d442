//! What an app has, and whether anyone looks after it (API9).

use std::collections::BTreeMap;

use mantlet_controls::{Mode, config::Tolerance};

use crate::{
    facts::{App, Located, looked},
    finding::Finding,
    review::Review,
    rule::{Level, Owasp, api},
};

/// What paths of probes end in.
const PROBES: [&str; 20] = [
    "alive",
    "health",
    "healthcheck",
    "healthz",
    "heartbeat",
    "live",
    "liveness",
    "livez",
    "metrics",
    "ping",
    "probe",
    "ready",
    "readiness",
    "readyz",
    "selftest",
    "startup",
    "startupz",
    "status",
    "up",
    "uptime",
];

pub(super) fn review(app: &App<'_>, review: &mut Review) {
    let gate = app.facts.gate.filter(|gate| !gate.config.report_only);
    let all = gate.is_some_and(|gate| gate.policy.routes.fallback().rules.hidden_routes == Tolerance::Reject);
    let rejects = |path: &str| {
        let mut routes = gate.into_iter().flat_map(|gate| &gate.config.route);
        let own = routes.find(|route| route.path == path).and_then(|route| route.contract.hidden_routes);
        own.map_or(all, |own| own == Tolerance::Reject)
    };
    let tells = gate.is_some_and(|gate| {
        gate.config.deprecation.mode == Mode::Enforce && !gate.config.deprecation.sunset.is_empty()
    });
    for one in &app.operations {
        if one.hidden && !rejects(&one.path) && is_data(one) && !is_other_spelling(app, one) {
            let message = format!("{} is in no document, and answers all the same", one.name());
            let finding = Finding::new(&api::HIDDEN_OPERATION, one.name(), message).at(one.place());
            // Of this route alone: a load balancer may ask another that is hidden.
            review.found(if is_probe(one) {
                finding.level(Level::Info).mended_by(
                    "Leave it hidden if it is for probes; keep it from the internet, or document it.",
                )
            } else {
                let path = toml_edit::Value::from(one.path.as_str());
                finding.closed_by(format!("[[route]]\npath = {path}\ncontract.hidden-routes = \"reject\""))
            });
        }
        if one.operation.deprecated && !tells {
            let message = format!("{} is deprecated, and does not say until when it is there", one.name());
            let finding = Finding::new(&api::DEPRECATED_WITHOUT_SUNSET, one.name(), message).at(one.place());
            review.found(finding.mended_by("Set `mode`, `since` and `sunset` under `[deprecation]`."));
        }
    }
    versions(app, review);
    looked(review, Owasp::Api9, "operations", app.operations.len());
}

/// Whether a machine asks it whether the app is well: it is called like that, or is shown to touch nothing of
/// the app's.
fn is_probe(one: &Located<'_>) -> bool {
    let touches_nothing =
        one.whole_code().is_some_and(|code| code.touches.is_empty() && code.signs.is_empty());
    let last = one.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_lowercase();
    let plain: String = last.chars().filter(char::is_ascii_alphanumeric).collect();
    one.is_read() && (touches_nothing || PROBES.contains(&plain.as_str()))
}

/// Whether a path differs from a documented one by its last slash alone.
fn is_other_spelling(app: &App<'_>, one: &Located<'_>) -> bool {
    let bare = one.path.trim_end_matches('/');
    let mut all = app.operations.iter();
    all.any(|other| !other.hidden && other.methods == one.methods && other.path.trim_end_matches('/') == bare)
}

/// Whether it answers with data, rather than with a page.
fn is_data(one: &Located<'_>) -> bool {
    !one.is_read()
        || one.operation.responses.iter().any(|response| response.shape.is_some())
        || one.path != "/"
}

/// Operations by what they are called without their version, and each one's version.
type Versions<'a> = BTreeMap<(String, &'a [String]), Vec<(u32, &'a Located<'a>)>>;

/// The same operation in several versions.
fn versions(app: &App<'_>, review: &mut Review) {
    let mut found = Versions::new();
    for one in &app.operations {
        let Some((rest, number)) = version(&one.path) else { continue };
        found.entry((rest, one.methods)).or_default().push((number, one));
    }
    for versions in found.values() {
        let Some(newest) = versions.iter().map(|(number, _)| *number).max() else { continue };
        for (_, one) in versions.iter().filter(|(number, one)| *number < newest && !one.operation.deprecated)
        {
            let message =
                format!("{} stands beside version {newest}, and is not marked as deprecated", one.name());
            let finding = Finding::new(&api::OLD_VERSION, one.name(), message).at(one.place());
            review.found(finding.mended_by("Mark it `deprecated=True`, or remove it."));
        }
    }
}

/// A path without its version, and that: `/v1/items`.
fn version(path: &str) -> Option<(String, u32)> {
    let mut number = None;
    let rest: Vec<_> = path
        .split('/')
        .map(|segment| match segment.strip_prefix('v').and_then(|digits| digits.parse().ok()) {
            Some(found) if number.is_none() => {
                number = Some(found);
                "v"
            }
            _ => segment,
        })
        .collect();
    number.map(|number| (rest.join("/"), number))
}
