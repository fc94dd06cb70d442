//! Whose an object is (API1).
//!
//! An operation with an id in its path is found if all of this holds:
//!
//! 1. its objects are somebody's: a foreign key leads to a user, or the app itself chooses them by the caller elsewhere;
//! 2. the gate has no rule about their owner;
//! 3. all of its code was understood, and never looks at who is calling;
//! 4. it is not for some callers only;
//! 5. it changes the object, or no other operation shows such objects to everyone.

use std::collections::BTreeSet;

use mantlet_contract::{
    model::{How, Owner, Touch},
    objects::{Place, Proposal},
};

use crate::{
    facts::{App, Located, looked},
    finding::Finding,
    review::{Review, Row},
    rule::{Level, Owasp, api},
};

pub(super) fn review(app: &App<'_>, review: &mut Review) {
    let owned = owned(app);
    let users = app.facts.contract.objects.as_ref().and_then(|objects| objects.user.as_ref());
    let users = users.map(|user| user.table.as_str());
    let shown = shown_to_all(app);
    let (mut seen, mut unread) = (0, 0);
    for one in app.operations.iter().filter(|one| one.parameters().next().is_some()) {
        if one.code().is_none_or(|code| code.partial) {
            unread += usize::from(one.parameters().next().is_some());
            continue;
        }
        seen += 1;
        if app.has_own_rule(one) || one.is_restricted() || app.purpose(one).is_some() {
            continue;
        }
        let Some(store) = unguarded(one, &owned, &shown, users) else { continue };
        let open = one.is_open();
        if !one.is_secured() && !open {
            continue;
        }
        let verb = if one.is_read() { "shows" } else { "changes" };
        let who = if open { "anyone, without a login," } else { "any caller" };
        let message = format!("{} {verb} an object of `{store}`, and {who} may name any", one.name());
        let finding = Finding::new(&api::OBJECT_WITHOUT_RULE, one.name(), message)
            .at(one.place())
            .level(if open { Level::Critical } else { Level::High })
            .fact(owned_by(app, store))
            .fact("its code never looks at who is calling");
        review.found(match proposal(app, one).filter(|_| !open) {
            Some(proposal) => finding.closed_by(proposal.to_toml()),
            None => finding.mended_by(format!(
                "Compare the owner of the object with the caller in the handler, or choose `{store}` by the caller."
            )),
        });
    }
    looked(review, Owasp::Api1, "operations with a parameter in their path", seen);
    if unread > 0 {
        review.unjudged(
            Row::Owasp(Owasp::Api1),
            format!("the code of {unread} operations with a parameter in their path was not understood as a whole"),
        );
    } else if seen == 0 {
        review.unjudged(Row::Owasp(Owasp::Api1), "no operation has a parameter in its path");
    }
}

/// Tables, and variables in which the app keeps objects, whose objects are somebody's.
fn owned<'a>(app: &'a App<'_>) -> BTreeSet<&'a str> {
    let tables = app.facts.contract.objects.iter().flat_map(|objects| &objects.tables);
    let by_keys = tables.filter(|table| !matches!(table.owner, Owner::None | Owner::Join | Owner::Ambiguous { .. }));
    let touches = app.operations.iter().filter_map(Located::code).flat_map(|code| &code.touches);
    let by_code = touches.filter(|touch| touch.by_caller || touch.owned);
    by_keys.map(|table| table.name.as_str()).chain(by_code.map(|touch| touch.store.as_str())).collect()
}

/// Those whose objects some operation shows to each caller, all of them.
fn shown_to_all<'a>(app: &'a App<'_>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    for one in &app.operations {
        let Some(code) = one.code().filter(|code| code.answer.is_some() && !code.uses_caller) else { continue };
        if !one.is("GET") || one.is_restricted() || one.looks_administrative() || one.parameters().next().is_some() {
            continue;
        }
        found.extend(code.touches.iter().filter(|touch| is_read(touch)).map(|touch| touch.store.as_str()));
    }
    found
}

fn is_read(touch: &Touch) -> bool {
    touch.how.contains(&How::Read) && !touch.by_caller
}

/// What an operation does to objects without a look at the caller.
fn unguarded<'a>(
    one: &'a Located<'_>,
    owned: &BTreeSet<&str>,
    shown: &BTreeSet<&str>,
    users: Option<&str>,
) -> Option<&'a str> {
    let code = one.whole_code().filter(|code| !code.uses_caller)?;
    let keys = one.operation.objects.as_ref().map(|objects| objects.parameters.as_slice()).unwrap_or_default();
    let named: Vec<_> = keys.iter().map(|key| key.table.as_str()).collect();
    let mut touches = code.touches.iter().filter(|touch| {
        let store = touch.store.as_str();
        let is_named = named.is_empty() || named.contains(&store) || touch.how.iter().any(|how| *how != How::Read);
        owned.contains(store) && !touch.by_caller && is_named
    });
    let is_about = |touch: &&Touch| {
        let store = touch.store.as_str();
        let changes = touch.how.iter().any(|how| matches!(how, How::Write | How::Delete));
        if one.is_read() {
            touch.how.contains(&How::Read) && !shown.contains(store) && users != Some(store)
        } else {
            changes && (!one.is("POST") || !shown.contains(store))
        }
    };
    touches.find(is_about).map(|touch| touch.store.as_str())
}

fn owned_by(app: &App<'_>, store: &str) -> String {
    let of_table = app.objects.tables.iter().find(|table| table.name == store);
    match of_table {
        Some(table) => format!("the objects of `{store}` {}", table.owned),
        None => format!("other operations choose the objects of `{store}` by the caller, or note who has made them"),
    }
}

/// The rule that is proposed for an operation.
fn proposal<'a>(app: &'a App<'_>, one: &Located<'_>) -> Option<&'a Proposal> {
    let place = Place { path: one.path.clone(), methods: one.methods.to_vec() };
    let mut all = app.objects.tables.iter().flat_map(|table| &table.proposals);
    all.find(|proposal| {
        proposal.missing.is_empty()
            && proposal.paths.contains(&place.path)
            && (proposal.methods.is_empty()
                || place.methods.iter().all(|method| proposal.methods.contains(method)))
    })
}
