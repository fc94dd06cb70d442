//! Who may call an operation (API2, API5), and how often (API2, API6).

use std::collections::{BTreeMap, BTreeSet};

use mantlet_contract::{
    model::{How, Middleware, RoleKind},
    sensitive::{Evidence, Purpose},
};
use mantlet_controls::{Mode, throttle::attempts::EffectiveLimit};

use crate::{
    facts::{App, Located, is_right, looked},
    finding::Finding,
    review::{Review, Row},
    rule::{Level, Owasp, Practice, api},
};

pub(super) fn review(app: &App<'_>, review: &mut Review) {
    writes(app, review);
    reads(app, review);
    credentials(app, review);
    functions(app, review);
    attempts(app, review);
}

/// Stores that an operation changes.
fn changed<'a>(one: &'a Located<'_>) -> impl Iterator<Item = &'a str> {
    let touches = one.code().into_iter().flat_map(|code| &code.touches);
    let changes = touches.filter(|touch| touch.how.iter().any(|how| *how != How::Read));
    changes.map(|touch| touch.store.as_str())
}

/// Changes without a login of what other operations change with one.
fn writes(app: &App<'_>, review: &mut Review) {
    let secured: BTreeMap<&str, String> = app
        .operations
        .iter()
        .filter(|one| one.is_secured() && !one.is_read() && app.purpose(one).is_none())
        .flat_map(|one| changed(one).map(|store| (store, one.name())))
        .collect();
    let owned: BTreeSet<&str> = app
        .operations
        .iter()
        .filter_map(Located::code)
        .flat_map(|code| &code.touches)
        .filter(|touch| touch.owned)
        .map(|touch| touch.store.as_str())
        .collect();
    let (mut seen, mut unread) = (0, 0);
    for one in app.operations.iter().filter(|one| !one.is_read()) {
        let judged = one.is_secured() || one.whole_code().is_some();
        seen += usize::from(judged);
        unread += usize::from(!judged);
        let makes_account = one.code().is_some_and(|code| code.makes_account);
        if !one.is_open()
            || makes_account
            || app.purpose(one).is_some()
            || app.has_allow_rule(one)
            || needs_key(app, one)
        {
            continue;
        }
        let found = changed(one).find(|store| secured.contains_key(store) || owned.contains(store));
        let Some(store) = found else { continue };
        let message = format!("{} changes `{store}`, and asks for no credential", one.name());
        let fact = match secured.get(store) {
            Some(other) => format!("{other} changes it for callers with a credential only"),
            None => format!("other operations note who has made what is in `{store}`"),
        };
        let finding = Finding::new(&api::WRITE_WITHOUT_LOGIN, one.name(), message).at(one.place()).fact(fact);
        review.found(finding.mended_by(
            "Depend on the caller, as its neighbours do; for another service, verify a signature of the body or an API key.",
        ));
    }
    looked(review, Owasp::Api2, "operations that change something", seen);
    if unread > 0 {
        let why = format!(
            "the code of {unread} operations without a declared credential was not understood as a whole"
        );
        review.unjudged(Row::Owasp(Owasp::Api2), why);
    }
}

/// Reads without a login of what all others read with one, and by who is calling.
fn reads(app: &App<'_>, review: &mut Review) {
    // By store: whether it is read by who is calling, and those that read it without a login.
    let mut stores: BTreeMap<&str, (bool, Vec<&Located<'_>>)> = BTreeMap::new();
    for one in app.operations.iter().filter(|one| one.is("GET")) {
        let Some(code) = one.code() else { continue };
        for touch in code.touches.iter().filter(|touch| touch.how.contains(&How::Read)) {
            let entry = stores.entry(&touch.store).or_default();
            entry.0 |= touch.by_caller && one.is_secured();
            if !one.is_secured() {
                entry.1.push(one);
            }
        }
    }
    for (store, (is_private, open)) in stores {
        let [one] = open.as_slice() else { continue };
        let plain = one.parameters().next().is_none() && one.is_open();
        if !is_private
            || !plain
            || app.purpose(one).is_some()
            || app.has_allow_rule(one)
            || needs_key(app, one)
        {
            continue;
        }
        let message = format!("{} reads `{store}`, and asks for no credential", one.name());
        let finding = Finding::new(&api::READ_WITHOUT_LOGIN, one.name(), message).at(one.place());
        let finding = finding.fact(format!("all others that read `{store}` ask for one"));
        review.found(finding.mended_by(api::READ_WITHOUT_LOGIN.remedy));
    }
}

/// Credentials that nothing looks at.
fn credentials(app: &App<'_>, review: &mut Review) {
    let settings = app.facts.contract.app.as_ref();
    let mut middleware = settings.into_iter().flat_map(|settings| &settings.middleware);
    if middleware.any(|one| matches!(one, Middleware::Other { .. })) {
        return; // It may look at them.
    }
    let unchecked = app.operations.iter().filter(|one| one.code().is_some_and(|code| code.unchecked));
    for one in unchecked.filter(|one| !one.is_guarded && !app.has_allow_rule(one) && !needs_key(app, one)) {
        let message = format!("{} asks for a credential, and never looks at it", one.name());
        let finding = Finding::new(&api::CREDENTIAL_NOT_CHECKED, one.name(), message).at(one.place());
        review.found(finding.mended_by(api::CREDENTIAL_NOT_CHECKED.remedy));
    }
}

/// Whether the gate asks for an API key.
fn needs_key(app: &App<'_>, one: &Located<'_>) -> bool {
    let Some(gate) = app.facts.gate else { return false };
    let of_route = gate.config.route.iter().find(|route| route.path == one.path);
    of_route.and_then(|route| route.api_keys.required).unwrap_or(gate.config.api_keys.required)
}

/// Functions that look meant for some, and those whose neighbours ask for a role.
fn functions(app: &App<'_>, review: &mut Review) {
    let mut seen = 0;
    let guarded: Vec<_> = app.operations.iter().filter(|one| !one.is_read() && one.is_restricted()).collect();
    for one in &app.operations {
        let Some(code) = one.whole_code() else { continue };
        seen += 1;
        if one.is_restricted() || app.has_allow_rule(one) || app.has_own_rule(one) {
            continue;
        }
        let changes = !one.is_read() && one.is_secured() && !code.uses_caller && app.purpose(one).is_none();
        if let Some((guard, level)) = less_than_its_neighbours(app, one) {
            let (own, other) = (one.name(), guard.name());
            let message = format!("{own} asks for no role, and {other} does for the same objects");
            let finding = Finding::new(&api::LESS_GUARDED, own, message).level(level).at(one.place());
            let finding = finding.fact(asks(guard)).fact("of the caller, both look at the same besides");
            review.found(finding.mended_by("Depend on the same role in both operations."));
            continue;
        }
        let neighbour = guarded.iter().find(|other| changes && changes_same(one, other));
        if let Some(neighbour) = neighbour {
            let (own, other) = (one.name(), neighbour.name());
            let message = format!("{own} asks for no role, and {other} does for the same objects");
            let finding =
                Finding::new(&api::LESS_GUARDED, own, message).at(one.place()).fact(asks(neighbour));
            review.found(finding.mended_by("Depend on the same role in both operations."));
            continue;
        }
        if one.looks_administrative() && !code.uses_caller && app.purpose(one).is_none() && !one.is_guarded {
            let who = if one.is_secured() { "any caller with a credential" } else { "anyone" };
            if !one.is_secured() && !one.is_open() {
                continue;
            }
            let message = format!("{} looks meant for administrators, and {who} may call it", one.name());
            let finding = Finding::new(&api::ADMIN_WITHOUT_ROLE, one.name(), message).at(one.place());
            let finding = finding.fact("a word in its path or its tags says so");
            review.found(match allow(app, one) {
                Some(rule) => finding.closed_by(rule),
                None => finding.mended_by("Depend on the role of administrators in the operation."),
            });
        }
    }
    looked(review, Owasp::Api5, "operations", seen);
    if seen == 0 {
        review.unjudged(Row::Owasp(Owasp::Api5), "the app's code is not known");
    }
}

/// The collection in which an operation has its object: `/members` of `/members/{id}`.
fn collection(path: &str) -> &str {
    let fixed = path.trim_end_matches('/');
    fixed.rsplit_once('/').filter(|(_, last)| last.starts_with('{')).map_or(fixed, |(head, _)| head)
}

/// An operation that changes or removes an object of a group, such as a tenant, and asks for no role where its
/// neighbours do. All of this holds:
///
/// 1. it asks for a login, all of its code was understood, it is no sensitive operation and has no excuse of its own;
/// 2. what it looks at of the caller, its guarded neighbours look at, too: so that is not what lets it do without;
/// 3. of the operations that change the same objects in its collection, the one that makes them asks for a role;
/// 4. so do all others that change or remove one, and there is one.
///
/// -> a neighbour; that a member removes what only others make and change is surer than that members change it
fn less_than_its_neighbours<'a, 'f>(app: &'a App<'f>, one: &Located<'_>) -> Option<(&'a Located<'f>, Level)> {
    let code = one.whole_code()?;
    let in_scope = code.uses_caller && code.excuses.is_empty() && !code.chosen_by.is_empty();
    let is_object = one.path.trim_end_matches('/').ends_with('}') && !one.is("POST") && !one.is_read();
    if !in_scope || !is_object || !one.is_secured() || app.purpose(one).is_some() {
        return None;
    }
    let below = collection(&one.path);
    let neighbours = app.operations.iter().filter(|other| {
        let inside =
            other.path.strip_prefix(below).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let is_other = other.path != one.path || other.methods != one.methods;
        let is_same = changed(one).any(|store| changed(other).any(|theirs| theirs == store));
        inside && is_other && is_same && !other.is_read()
    });
    let (makers, others): (Vec<_>, Vec<_>) =
        neighbours.partition(|other| other.path.trim_end_matches('/') == below);
    let guards = |other: &&&Located<'_>| {
        let theirs = other.code().map(|code| code.chosen_by.as_slice()).unwrap_or_default();
        other.is_restricted() && code.chosen_by.iter().all(|name| name != "*" && theirs.contains(name))
    };
    let is_guarded = !makers.is_empty() && makers.iter().all(|other| other.is_restricted());
    if !is_guarded || others.is_empty() || !others.iter().all(|other| other.is_restricted()) {
        return None;
    }
    let guard = others.iter().find(guards)?;
    Some((*guard, if one.is("DELETE") { api::LESS_GUARDED.level } else { Level::Low }))
}

/// Whether two operations change the same objects, in the same collection.
fn changes_same(one: &Located<'_>, other: &Located<'_>) -> bool {
    if collection(&one.path) != collection(&other.path) {
        return false;
    }
    changed(one).any(|store| changed(other).any(|theirs| theirs == store))
}

fn asks(one: &Located<'_>) -> String {
    let asks = one.code().map(|code| code.asks.as_slice()).unwrap_or_default();
    let named: Vec<_> = asks.iter().map(|name| format!("`{name}`")).collect();
    if named.is_empty() {
        format!("{} asks for a scope", one.name())
    } else {
        format!("{} asks for {}", one.name(), named.join(", "))
    }
}

/// A rule for administrators, where the table of users says how they are known.
fn allow(app: &App<'_>, one: &Located<'_>) -> Option<String> {
    let user = app.facts.contract.objects.as_ref()?.user.as_ref()?;
    let role = user.roles.iter().find(|role| is_right(&role.name))?;
    let name = &role.name;
    let who = match role.kind {
        RoleKind::Flag => format!("principal:{name}"),
        RoleKind::Number => format!("principal:{name} = 1"),
        RoleKind::Choice => {
            let choice = role.choices.iter().find(|choice| choice.to_lowercase().contains("admin"))?;
            format!("principal:{name} = {choice}")
        }
    };
    let (path, methods) = (&one.path, quoted(one.methods));
    Some(format!(
        "[[authorization.allow]]\npaths   = [\"{path}\"]\nmethods = [{methods}]\nwho     = [\"{who}\"]"
    ))
}

/// As a list in TOML has them.
fn quoted(texts: &[String]) -> String {
    texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", ")
}

/// Attempts on what an attacker repeats.
fn attempts(app: &App<'_>, review: &mut Review) {
    let limited = app.facts.gate.map(|gate| gate.policy.throttle.sensitive_operations(&app.sensitive));
    let (mut logins, mut flows) = (0, 0);
    for found in &app.sensitive {
        let purpose = found.sensitivity.purpose;
        let is_login = purpose.has_accounts();
        let (row, rule) = if is_login {
            (&mut logins, &api::LOGIN_WITHOUT_LIMIT)
        } else {
            (&mut flows, &api::FLOW_WITHOUT_LIMIT)
        };
        *row += 1;
        let is_limited = limited.as_ref().is_some_and(|all| {
            all.iter().any(|one| {
                let here =
                    one.path == found.path && found.methods.iter().all(|method| one.methods.contains(method));
                here && matches!(&one.gets, EffectiveLimit::Limits { mode: Mode::Enforce, .. })
            })
        });
        let Some(one) =
            app.operations.iter().find(|one| one.path == found.path && one.methods == found.methods)
        else {
            continue;
        };
        if is_limited
            || limits_itself(one)
            || (!is_login && one.is_restricted())
            || is_known_to_be_for_callers(purpose, one)
        {
            continue;
        }
        let level = if found.sensitivity.evidence == Evidence::Known { rule.level } else { Level::Low };
        let message = format!("{} ({}) may be called as often as anyone likes", one.name(), purpose.name());
        let finding = Finding::new(rule, one.name(), message).level(level).at(one.place());
        review.found(finding.fact(format!("what shows it: {}", found.sensitivity.why)).closed_by(format!(
            "[[throttle.operation]]\npaths   = [\"{}\"]\nmethods = [{}]\npurpose = \"{}\"\nmode    = \"enforce\"",
            one.path,
            quoted(one.methods),
            purpose.name(),
        )));
    }
    looked(review, Owasp::Api2, "operations that take a password or a code", logins);
    looked(review, Owasp::Api6, "flows that scripts abuse", flows);
    review.looked(Row::Practice(Practice::Limits), "sensitive operations", logins + flows);
    if flows == 0 {
        review.unjudged(
            Row::Owasp(Owasp::Api6),
            "no flow that scripts abuse was found (register, order, redeem)",
        );
    }
}

/// Whether a limit of the app's own stands before it.
fn limits_itself(one: &Located<'_>) -> bool {
    one.is_guarded || one.operation.refuses_first.is_some()
}

/// Buying needs an account, whose login is limited. And a caller who makes an account for another, invites: that is
/// not what a script does without one.
fn is_known_to_be_for_callers(purpose: Purpose, one: &Located<'_>) -> bool {
    matches!(purpose, Purpose::Checkout | Purpose::Register) && one.is_secured()
}
