//! What answers show and inputs set (API3).

use std::collections::{BTreeMap, BTreeSet};

use mantlet_contract::model::{How, SignKind};
use mantlet_controls::Mode;

use crate::{
    facts::{App, Located, is_right, looked},
    finding::{Finding, Place},
    review::{Review, Row},
    rule::{Level, Owasp, Practice, api},
};

pub(super) fn review(app: &App<'_>, review: &mut Review) {
    let seen = app.operations.iter().filter(|one| one.whole_code().is_some()).count();
    answers(app, review);
    inputs(app, review);
    looked(review, Owasp::Api3, "operations", seen);
    review.looked(Row::Practice(Practice::Input), "operations", seen);
    if seen == 0 {
        review.unjudged(Row::Owasp(Owasp::Api3), "the app's code is not known");
    }
}

fn answers(app: &App<'_>, review: &mut Review) {
    let declared = declared(app);
    let hashes_well =
        !app.operations.iter().filter_map(Located::code).flat_map(|code| &code.signs).any(|sign| {
            let kinds = [SignKind::WeakPasswordHash, SignKind::PasswordInPlain, SignKind::OwnPasswordHash];
            kinds.contains(&sign.kind)
        });
    for one in &app.operations {
        let Some(answer) = one.code().and_then(|code| code.answer.as_ref()) else { continue };
        if !answer.secrets.is_empty() {
            let names: Vec<_> = answer.secrets.iter().map(|name| format!("`{name}`")).collect();
            let message = format!("the answer of {} has {}", one.name(), names.join(", "));
            let closed = hashes_well && takes_out_hashes(app);
            let finding = Finding::new(&api::PASSWORD_IN_ANSWER, one.name(), message).at(one.place());
            let finding = finding.fact(match &answer.rows {
                Some(rows) => format!("it shows rows of `{rows}` as they are"),
                None => "the declared model has it".to_owned(),
            });
            let finding = if closed {
                finding
                    .level(Level::Low)
                    .fact("the gate takes out hashes whose form it knows: those of well-known libraries")
            } else {
                finding
            };
            review.found(finding.mended_by("Declare a response model without it (`response_model=`)."));
            continue;
        }
        let Some(rows) = answer.rows.as_deref() else { continue };
        let (Some(columns), Some((fields, other))) = (columns(app, rows), declared.get(rows)) else {
            continue;
        };
        let beyond: Vec<_> = columns.iter().filter(|column| !fields.contains(column.as_str())).collect();
        let known = columns.len() - beyond.len();
        let is_head = one.methods.iter().all(|method| method == "HEAD");
        if is_head
            || beyond.is_empty()
            || known * 2 < columns.len()
            || one.is_restricted()
            || other == &one.name()
        {
            continue;
        }
        let names: Vec<_> = beyond.iter().map(|name| format!("`{name}`")).collect();
        let message =
            format!("{} shows {} of `{rows}`, which {other} leaves out", one.name(), names.join(", "));
        let finding = Finding::new(&api::MORE_THAN_THE_MODEL, one.name(), message).at(one.place());
        review.found(finding.mended_by("Declare the response model that the other operation has."));
    }
}

/// Fields of the models that operations declare for rows, and one of those operations.
fn declared<'a>(app: &'a App<'_>) -> BTreeMap<&'a str, (BTreeSet<&'a str>, String)> {
    let mut found: BTreeMap<&str, (BTreeSet<&str>, String)> = BTreeMap::new();
    for one in app.operations.iter().filter(|one| !one.is_restricted()) {
        let Some(code) = one.code() else { continue };
        let Some(answer) = code.answer.as_ref().filter(|answer| !answer.declared.is_empty()) else {
            continue;
        };
        for touch in code.touches.iter().filter(|touch| touch.how.contains(&How::Read)) {
            let Some(columns) = columns(app, &touch.store) else { continue };
            let own = answer.declared.iter().filter(|field| columns.contains(field)).count();
            if own * 2 < columns.len() {
                continue;
            }
            let entry = found.entry(&touch.store).or_insert_with(|| (BTreeSet::new(), one.name()));
            entry.0.extend(answer.declared.iter().map(String::as_str));
        }
    }
    found
}

fn columns<'a>(app: &'a App<'_>, store: &str) -> Option<&'a Vec<String>> {
    app.facts.contract.app.as_ref()?.columns.get(store)
}

fn takes_out_hashes(app: &App<'_>) -> bool {
    let Some(gate) = app.facts.gate else { return false };
    let allows = matches!(
        gate.config.responses.sensitive_fields,
        Some(mantlet_controls::responses::Secrets::Report | mantlet_controls::responses::Secrets::Allow)
    );
    gate.config.responses.mode == Mode::Enforce && !gate.config.report_only && !allows
}

/// Attributes that decide about rights: those of the table of users, and those that the app asks for.
fn rights<'a>(app: &'a App<'_>) -> BTreeSet<&'a str> {
    let user = app.facts.contract.objects.as_ref().and_then(|objects| objects.user.as_ref());
    let roles = user.into_iter().flat_map(|user| &user.roles).map(|role| role.name.as_str());
    let asked = app
        .operations
        .iter()
        .filter_map(Located::code)
        .flat_map(|code| code.asks.iter().chain(&code.excuses));
    roles.chain(asked.map(String::as_str)).filter(|name| is_right(name)).collect()
}

fn inputs(app: &App<'_>, review: &mut Review) {
    let rights = rights(app);
    let owners = owners(app);
    let users = app.facts.contract.objects.as_ref().and_then(|objects| objects.user.as_ref());
    let users = users.map(|user| user.table.as_str());
    for one in &app.operations {
        let Some(code) = one.code() else { continue };
        // A caller who may set rights is asked for one. No client should set columns that no model names.
        let is_restricted = one.is_restricted();
        for assign in code.assigns.iter().filter(|assign| !is_restricted || assign.field == "*") {
            let store = assign.store.as_str();
            let place = assign.file.clone().map(|file| Place { file, line: Some(assign.line) });
            let has =
                |name: &str| columns(app, store).is_some_and(|columns| columns.iter().any(|one| one == name));
            let is_users =
                users.map_or_else(|| rights.iter().any(|right| has(right)), |users| users == store);
            if assign.field == "*" {
                let message = format!("{} writes whatever fields a client sends into `{store}`", one.name());
                let level = if is_users && !is_restricted { Level::High } else { Level::Medium };
                let finding =
                    Finding::new(&api::ANY_FIELD_WRITTEN, one.name(), message).part(store).level(level);
                review.found(
                    finding
                        .at(place)
                        .mended_by("Set `extra=\"forbid\"` in the input model, and name its fields."),
                );
            } else if is_users && rights.contains(assign.field.as_str()) {
                let message =
                    format!("{} sets `{}` of `{store}` to what the client sends", one.name(), assign.field);
                let finding = Finding::new(&api::ROLE_FROM_INPUT, one.name(), message).part(&assign.field);
                let finding = finding.fact(format!("`{}` decides about rights", assign.field));
                review.found(finding.at(place).mended_by("Take the field out of the input model."));
            } else if owners.contains(&(store, assign.field.as_str()))
                && !code.uses_caller
                && one.is_secured()
            {
                let message = format!("{} takes `{}` of `{store}` from the client", one.name(), assign.field);
                let finding = Finding::new(&api::OWNER_FROM_INPUT, one.name(), message).part(&assign.field);
                let finding = finding.fact(format!("`{}` says whose the object is", assign.field));
                review.found(finding.at(place).mended_by("Set it to the caller in the handler."));
            }
        }
    }
}

/// Fields that hold who has made an object, as other operations see to it.
fn owners<'a>(app: &'a App<'_>) -> BTreeSet<(&'a str, &'a str)> {
    let touches = app.operations.iter().filter_map(Located::code).flat_map(|code| &code.touches);
    touches
        .flat_map(|touch| touch.owners.iter().map(|owner| (touch.store.as_str(), owner.as_str())))
        .collect()
}
