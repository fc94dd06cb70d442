//! Whose an object is (API1).
//!
//! An operation with an id in its path is found if all of this holds:
//!
//! 1. its objects belong to users: a foreign key leads to a user, or the app itself chooses them by the caller elsewhere;
//! 2. the gate has no rule about their owner;
//! 3. all of its code was understood, and never looks at who is calling;
//! 4. it is not for some callers only;
//! 5. it changes the object, or no other operation shows such objects to everyone.
//!
//! Where anyone may read it without a login, and no operation beside it shows callers their own alone, that may be
//! meant: it is a question, and no more.

use std::collections::{BTreeMap, BTreeSet};

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
    let shown = ShownToAll::of(app);
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
        let Some(store) = unguarded(app, one, &owned, &shown, users) else { continue };
        let open = one.is_open();
        if !one.is_secured() && !open {
            continue;
        }
        let verb = if one.is_read() { "shows" } else { "changes" };
        let who = if open { "anyone, without a login," } else { "any caller" };
        let is_question = open && one.is_read() && !is_private_beside(app, one, store);
        let message = format!("{} {verb} an object of `{store}`, and {who} may name any", one.name());
        let finding = Finding::new(&api::OBJECT_WITHOUT_RULE, one.name(), message)
            .at(one.place())
            .level(match (open, is_question) {
                (true, true) => Level::Low,
                (true, false) => Level::Critical,
                (false, _) => Level::High,
            })
            .fact(owned_by(app, store))
            .fact("its code never looks at who is calling");
        if is_question {
            let fix =
                "Leave it if all may read it; if not, ask for a login and compare the owner with the caller.";
            review.found(finding.mended_by(fix));
            continue;
        }
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
            format!(
                "the code of {unread} operations with a parameter in their path was not understood as a whole"
            ),
        );
    } else if seen == 0 {
        review.unjudged(Row::Owasp(Owasp::Api1), "no operation has a parameter in its path");
    }
}

/// Tables, and variables in which the app keeps objects, whose objects belong to users.
fn owned<'a>(app: &'a App<'_>) -> BTreeSet<&'a str> {
    let tables = app.facts.contract.objects.iter().flat_map(|objects| &objects.tables);
    let by_keys =
        tables.filter(|table| !matches!(table.owner, Owner::None | Owner::Join | Owner::Ambiguous { .. }));
    let touches = app.operations.iter().filter_map(Located::code).flat_map(|code| &code.touches);
    let by_code = touches.filter(|touch| touch.by_caller || touch.owned);
    by_keys.map(|table| table.name.as_str()).chain(by_code.map(|touch| touch.store.as_str())).collect()
}

/// Stores whose objects some operation shows to each caller, all of them; and for each collection whether
/// that does.
struct ShownToAll<'a> {
    anywhere: BTreeSet<&'a str>,
    collections: BTreeMap<(String, &'a str), bool>,
}

impl<'a> ShownToAll<'a> {
    fn of(app: &'a App<'_>) -> Self {
        let (mut anywhere, mut collections) = (BTreeSet::new(), BTreeMap::new());
        for one in app.operations.iter().filter(|one| one.is("GET")) {
            let Some(code) = one.code() else { continue };
            for touch in code.touches.iter().filter(|touch| touch.how.contains(&How::Read)) {
                let store = touch.store.as_str();
                let to_all = !code.uses_caller && !touch.by_caller && !one.is_restricted();
                collections.insert((one.path.trim_end_matches('/').to_owned(), store), to_all);
                let is_list = one.parameters().next().is_none() && code.answer.is_some();
                if is_list && to_all && !one.looks_administrative() {
                    anywhere.insert(store);
                }
            }
        }
        Self { anywhere, collections }
    }

    /// Whether all see the objects of a store. The collection in which an operation has its object says so, if there
    /// is one.
    fn shows(&self, one: &Located<'_>, store: &'a str) -> bool {
        let collection = one.path.split("/{").next().unwrap_or_default().to_owned();
        match self.collections.get(&(collection, store)) {
            Some(to_all) => *to_all,
            None => self.anywhere.contains(store),
        }
    }
}

/// Whether another operation shows, of the collection or of an object in it, only what is the caller's. What
/// anyone may read without a login is otherwise meant for everyone, however those who write it are known.
fn is_private_beside(app: &App<'_>, one: &Located<'_>, store: &str) -> bool {
    let collection = one.path.split("/{").next().unwrap_or_default();
    let is_beside = |path: &str| {
        let rest = path.strip_prefix(collection).map(|rest| rest.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("/{"))
    };
    app.operations.iter().filter(|other| other.is_read() && other.is_secured() && is_beside(&other.path)).any(
        |other| {
            let touches = other.code().into_iter().flat_map(|code| &code.touches);
            touches.into_iter().any(|touch| touch.store == store && touch.by_caller)
        },
    )
}

/// What an operation does to objects without a look at the caller.
fn unguarded<'a>(
    app: &App<'_>,
    one: &'a Located<'_>,
    owned: &BTreeSet<&str>,
    shown: &ShownToAll<'a>,
    users: Option<&str>,
) -> Option<&'a str> {
    let code = one.whole_code().filter(|code| !code.uses_caller)?;
    let keys =
        one.operation.objects.as_ref().map(|objects| objects.parameters.as_slice()).unwrap_or_default();
    let named: Vec<_> = keys.iter().map(|key| key.table.as_str()).collect();
    let mut touches = code.touches.iter().filter(|touch| {
        let store = touch.store.as_str();
        let changes = touch.how.iter().any(|how| *how != How::Read);
        let is_named = named.is_empty() || named.contains(&store) || changes || is_below(app, store, &named);
        owned.contains(store) && !touch.by_caller && is_named
    });
    let is_about = |touch: &&Touch| {
        let store = touch.store.as_str();
        let changes = touch.how.iter().any(|how| matches!(how, How::Write | How::Delete));
        if one.is_read() {
            touch.how.contains(&How::Read) && !shown.shows(one, store) && users != Some(store)
        } else {
            changes && (!one.is("POST") || !shown.shows(one, store))
        }
    };
    touches.find(is_about).map(|touch| touch.store.as_str())
}

/// Whether the objects of a store belong to objects of one of these tables.
fn is_below(app: &App<'_>, store: &str, tables: &[&str]) -> bool {
    let mut all = app.facts.contract.objects.iter().flat_map(|objects| &objects.tables);
    let Some(table) = all.find(|table| table.name == store) else { return false };
    match &table.owner {
        Owner::Nested { steps, .. } => steps.first().is_some_and(|step| tables.contains(&step.to.as_str())),
        _ => false,
    }
}

fn owned_by(app: &App<'_>, store: &str) -> String {
    let of_table = app.objects.tables.iter().find(|table| table.name == store);
    match of_table {
        Some(table) => format!("the objects of `{store}` {}", table.owned),
        None => format!(
            "other operations choose the objects of `{store}` by the caller, or note who has made them"
        ),
    }
}

/// The rule that is proposed for an operation.
fn proposal<'a>(app: &'a App<'_>, one: &Located<'_>) -> Option<&'a Proposal> {
    let place = Place { path: one.path.clone(), methods: one.methods.to_vec() };
    let mut all = app.objects.tables.iter().flat_map(|table| &table.proposals);
    all.find(|proposal| proposal.is_sure() && proposal.is_for(&place))
}
