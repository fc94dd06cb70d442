//! Which rules are proposed.
//!
//! 1. An operation below the key of a user is for that user: `path:user_id`.
//! 2. One that shows an object with its owner is for the owner, and so are the other methods of its path.
//! 3. A list is for the owners of its items.
//! 4. An object whose owner is that of another one is read there, where its answer has the key of that.
//! 5. What is left below the key of an object is for the owner of the object, which is read first.

use std::collections::{BTreeMap, HashSet};

use super::{
    Located, Proposal,
    caller::{Attribute, Caller, answer},
    text::quoted,
    words::{is_private, is_to_others},
};
use crate::model::{LinkEvidence, Objects, Owner, Shape, Shown, ShownAs, Step, Table, TableSource, User};

/// What is proposed for a table.
#[derive(Default)]
pub(super) struct Proposed {
    pub(super) proposals: Vec<Proposal>,
    pub(super) left: Vec<String>,
}

pub(super) struct Proposing<'p, 'c> {
    objects: &'c Objects,
    user: &'c User,
    caller: &'p Caller<'c>,
    all: &'p [Located<'c>],
    shapes: &'c [Shape],
    /// Paths and methods for which there is a rule.
    covered: HashSet<(&'p str, &'c str)>,
    found: BTreeMap<&'c str, Proposed>,
}

impl<'p, 'c> Proposing<'p, 'c> {
    pub(super) fn new(
        objects: &'c Objects,
        user: &'c User,
        caller: &'p Caller<'c>,
        all: &'p [Located<'c>],
        shapes: &'c [Shape],
    ) -> Self {
        Self { objects, user, caller, all, shapes, covered: HashSet::new(), found: BTreeMap::new() }
    }

    pub(super) fn all(mut self) -> BTreeMap<&'c str, Proposed> {
        self.users();
        self.lists_of_users();
        let owned: Vec<(&'c Table, &'c [Step], bool)> =
            self.objects.tables.iter().filter_map(owned).collect();
        for (table, steps, nullable) in &owned {
            self.single(table, steps, *nullable);
            self.lists(table, steps, *nullable);
        }
        for (table, steps, nullable) in &owned {
            self.nested(table, steps, *nullable);
        }
        for (table, steps, nullable) in &owned {
            self.below(table, steps, *nullable);
        }
        for (table, steps, _) in &owned {
            self.name_what_is_left(table, steps);
        }
        self.found
    }

    // What is proposed

    /// Rule 1.
    fn users(&mut self) {
        let table = self.user.table.as_str();
        for path in self.paths(|one| one.key_of(table).is_some()) {
            let all = self.at(path);
            let Some((name, field)) = all.iter().find_map(|one| one.key_of(table)) else { continue };
            if path.split('/').any(is_to_others) {
                self.leave(table, format!("{path}: what a caller does to another user"));
                continue;
            }
            let own: Vec<_> = all.iter().copied().filter(|one| one.is_open()).collect();
            let (public, own): (Vec<_>, Vec<_>) = own.into_iter().partition(|one| self.is_public(one, name));
            for one in public {
                self.leave(table, format!("{}: it shows what a profile for all may have", one.place()));
            }
            let evidence = format!("`{{{name}}}` is `{table}.{field}`");
            let draft = self.draft(format!("path:{name}"), field, vec![evidence], false);
            // What an answer shows of the user agrees with the path.
            let shows_user = |one: &Located<'c>| {
                let shown = one.shows().filter(|shown| shown.owner.is_some());
                shown.is_some_and(|shown| self.is_sure(&shown.table, shown))
            };
            let (sure, unsure): (Vec<_>, Vec<_>) = own.into_iter().partition(|one| shows_user(one));
            let doubts =
                vec!["only the path says so: the declared answer does not show whose it is".to_owned()];
            self.add(table, path, &sure, draft.clone());
            self.add(table, path, &unsure, Proposal { doubts, ..draft });
        }
    }

    /// With a rule for owners, a list of users would show the caller alone.
    fn lists_of_users(&mut self) {
        let table = self.user.table.as_str();
        let lists = self.all.iter().filter(|one| {
            let shows = one.shows().filter(|shown| shown.table == table);
            one.is_get() && shows.is_some_and(|shown| shown.shown_as != ShownAs::One)
        });
        for one in lists {
            let is_covered =
                one.methods.iter().all(|method| self.covered.contains(&(one.path.as_str(), method)));
            if one.is_secured() && !is_covered {
                let why = "it lists users: `[[authorization.allow]]` says who may call it";
                self.leave(table, format!("{}: {why}", one.place()));
            }
        }
    }

    /// Rule 2.
    fn single(&mut self, table: &'c Table, steps: &'c [Step], nullable: bool) {
        for path in self.paths(|one| one.is_get() && shows(one, table, ShownAs::One)) {
            let all = self.at(path);
            let Some(shown) = all.iter().find(|one| one.is_get()).and_then(|one| one.shows()) else {
                continue;
            };
            let (Some(owner), Some(last)) = (&shown.owner, steps.last()) else { continue };
            // Without a parameter another method does something to no object that is there already.
            let is_of_one = path.contains('{');
            let own: Vec<_> =
                all.iter().copied().filter(|one| one.is_open() && (is_of_one || one.is_get())).collect();
            let evidence = vec![chain(steps), link(shown, table)];
            let mut draft = self.draft(format!("response:{owner}"), &last.key, evidence, is_assumed(shown));
            draft.nullable = nullable.then(|| nullable_column(steps));
            draft.doubts = self.doubts(steps);
            self.add(&table.name, path, &own, draft);
        }
    }

    /// Rule 3.
    fn lists(&mut self, table: &'c Table, steps: &'c [Step], nullable: bool) {
        let is_list = |one: &Located<'_>| {
            one.is_get() && (shows(one, table, ShownAs::List) || shows(one, table, ShownAs::Page))
        };
        for path in self.paths(is_list) {
            let own: Vec<_> = self.at(path).into_iter().filter(|one| is_list(one) && one.is_open()).collect();
            let Some(shown) = own.first().and_then(|one| one.shows()) else { continue };
            let (Some(owner), Some(last)) = (&shown.owner, steps.last()) else { continue };
            let evidence = vec![chain(steps), link(shown, table)];
            let mut draft = self.draft(format!("item:{owner}"), &last.key, evidence, is_assumed(shown));
            draft.items.clone_from(&shown.items);
            draft.count.clone_from(&shown.count);
            draft.nullable = nullable.then(|| nullable_column(steps));
            draft.doubts = self.doubts(steps);
            self.add(&table.name, path, &own, draft);
        }
    }

    /// Rule 4.
    fn nested(&mut self, table: &'c Table, steps: &'c [Step], nullable: bool) {
        let [first, _] = steps else { return };
        let Some((at, parameter, owner)) = self.readable(&first.to, Some(&first.key)) else { return };
        for path in self.paths(|one| one.is_get() && shows(one, table, ShownAs::One)) {
            let all = self.at(path);
            let Some(shown) = all.iter().find(|one| one.is_get()).and_then(|one| one.shows()) else {
                continue;
            };
            let Some(parent) = shown.parent.as_ref().filter(|_| shown.owner.is_none()) else { continue };
            let own: Vec<_> = all.iter().copied().filter(|one| one.is_open()).collect();
            let evidence = vec![chain(steps), link(shown, table)];
            let key = steps.last().map_or("", |step| &step.key);
            let mut draft = self.draft(format!("response:{owner}"), key, evidence, is_assumed(shown));
            draft.read = Some(with_parameter(at, parameter, &format!("{{response:{parent}}}")));
            draft.nullable = nullable.then(|| nullable_column(steps));
            draft.doubts = self.doubts(steps);
            self.add(&table.name, path, &own, draft);
        }
    }

    /// Rule 5.
    fn below(&mut self, table: &'c Table, steps: &'c [Step], nullable: bool) {
        let Some((at, parameter, owner)) = self.readable(&table.name, None) else { return };
        let Some(last) = steps.last() else { return };
        let shown = self.at(at).into_iter().find(|one| one.is_get()).and_then(Located::shows);
        let is_below = |one: &Located<'_>| one.key_of(&table.name).is_some();
        for path in self.paths(is_below) {
            let own: Vec<_> = self.at(path).into_iter().filter(|one| one.is_open()).collect();
            let Some((name, _)) = own.iter().find_map(|one| one.key_of(&table.name)) else { continue };
            let evidence = vec![
                chain(steps),
                format!("`{{{name}}}` is the key of `{}`, whose owner `GET {at}` shows", table.name),
            ];
            let assumed = shown.is_some_and(is_assumed);
            let mut draft = self.draft(format!("response:{owner}"), &last.key, evidence, assumed);
            draft.read = Some(with_parameter(at, parameter, &format!("{{{name}}}")));
            draft.nullable = nullable.then(|| nullable_column(steps));
            draft.doubts = self.doubts(steps);
            self.add(&table.name, path, &own, draft);
        }
    }

    fn draft(&self, owner: String, key: &str, mut evidence: Vec<String>, assumed: bool) -> Proposal {
        let Attribute { condition, assumed: also, missing } = self.caller.attribute(key);
        let is_assumed = assumed || also.is_some();
        evidence.extend(also);
        let doubts = Vec::new();
        Proposal {
            paths: Vec::new(),
            methods: Vec::new(),
            owner,
            equals: condition,
            read: None,
            items: None,
            count: None,
            nullable: None,
            roles: self.caller.roles(),
            is_assumed,
            doubts,
            evidence,
            missing: missing.into_iter().collect(),
        }
    }

    /// Adds a rule for operations of one path, with others that are alike.
    fn add(&mut self, table: &'c str, path: &'p str, own: &[&'p Located<'c>], mut draft: Proposal) {
        let methods = |all: &[&'p Located<'c>]| -> Vec<&'c str> {
            all.iter().flat_map(|one| one.methods).map(String::as_str).collect()
        };
        let mut named = methods(own);
        named.retain(|method| !self.covered.contains(&(path, *method)));
        if named.is_empty() {
            return;
        }
        if methods(&self.at(path)).iter().any(|method| !named.contains(method)) {
            draft.methods = named.iter().map(|method| (*method).to_owned()).collect();
        }
        self.covered.extend(named.into_iter().map(|method| (path, method)));
        let known = &mut self.found.entry(table).or_default().proposals;
        draft.paths.push(path.to_owned());
        let is_alike =
            |one: &&mut Proposal| Proposal { paths: draft.paths.clone(), ..(**one).clone() } == draft;
        match known.iter_mut().find(is_alike) {
            Some(alike) => alike.paths.append(&mut draft.paths),
            None => known.push(draft),
        }
    }

    // What is not

    fn leave(&mut self, table: &'c str, why: String) {
        let left = &mut self.found.entry(table).or_default().left;
        if !left.contains(&why) {
            left.push(why);
        }
    }

    fn name_what_is_left(&mut self, table: &'c Table, steps: &'c [Step]) {
        for one in self.all {
            let shown = one.shows().filter(|shown| shown.table == table.name);
            let is_last = one.facts().and_then(|facts| facts.parameters.last());
            let is_key = is_last.is_some_and(|parameter| parameter.table == table.name);
            let is_read = shown.is_some() && one.is_get();
            let is_covered =
                one.methods.iter().all(|method| self.covered.contains(&(one.path.as_str(), method)));
            if is_covered || !(is_read || is_key) {
                continue;
            }
            let why = if !one.is_secured() {
                "it does not ask who is calling".to_owned()
            } else if one.is_for_administrators() {
                "it is meant for administrators: `[[authorization.allow]]` says who may call it".to_owned()
            } else if steps.len() > 2 {
                format!("the owner is {} steps away, and a rule follows two", steps.len())
            } else if let Some(shown) = shown {
                let model = shown.model.as_ref().map_or_else(String::new, |name| format!(" (`{name}`)"));
                format!("its answer{model} does not have the owner: the gate cannot see whose it is")
            } else {
                "no other operation shows the object with its owner".to_owned()
            };
            self.leave(&table.name, format!("{}: {why}", one.place()));
        }
    }

    // Operations

    /// Paths of operations of a kind, in the app's order.
    fn paths(&self, is_it: impl Fn(&Located<'c>) -> bool) -> Vec<&'p str> {
        let mut paths: Vec<&'p str> = Vec::new();
        for one in self.all.iter().filter(|one| is_it(one)) {
            if !paths.contains(&one.path.as_str()) {
                paths.push(&one.path);
            }
        }
        paths
    }

    fn at(&self, path: &str) -> Vec<&'p Located<'c>> {
        self.all.iter().filter(|one| one.path == path).collect()
    }

    /// Where an object of a table is shown with its owner by its key alone -> (the path, the parameter, where the owner is)
    fn readable(&self, table: &str, by: Option<&str>) -> Option<(&'p str, &'c str, &'c str)> {
        self.all.iter().find_map(|one| {
            let shown = one
                .shows()
                .filter(|shown| one.is_get() && shown.table == table && shown.shown_as == ShownAs::One)?;
            let (parameter, field) = one.key_of(table)?;
            let is_alone = one.parameters().eq([parameter]) && by.is_none_or(|by| by == field);
            Some((one.path.as_str(), parameter, shown.owner.as_deref()?)).filter(|_| is_alone)
        })
    }

    /// Why the owner may be another one than these foreign keys lead to.
    fn doubts(&self, steps: &[Step]) -> Vec<String> {
        let mut doubts = Vec::new();
        if let Some(part) = steps.iter().find(|step| step.part) {
            let (table, column) = (&part.table, &part.column);
            doubts.push(format!(
                "`{table}.{column}` names a user, and its name does not say that the user is the owner"
            ));
        }
        let is_text = |step: &&Step| self.source_of(&step.table) == Some(TableSource::Statement);
        if let Some(step) = steps.iter().find(is_text) {
            doubts.push(format!("`{}` is known from a text of the app, not from a mapper", step.table));
        }
        doubts
    }

    /// Whether mapper and declared answer say whose the objects of a table are.
    fn is_sure(&self, table: &str, shown: &Shown) -> bool {
        let owner = self.objects.tables.iter().find(|one| one.name == table).map(|one| &one.owner);
        let steps = match owner {
            Some(Owner::User) => &[][..],
            Some(Owner::Column { step, .. }) => std::slice::from_ref(step),
            Some(Owner::Nested { steps, .. }) => steps,
            _ => return false,
        };
        !is_assumed(shown)
            && self.source_of(table) != Some(TableSource::Statement)
            && self.doubts(steps).is_empty()
    }

    fn source_of(&self, table: &str) -> Option<TableSource> {
        self.objects.tables.iter().find(|one| one.name == table).map(|one| one.source)
    }

    /// Whether what it shows of a user may be for all: something else than the user is shown of
    /// themselves, and nothing private.
    fn is_public(&self, one: &Located<'c>, parameter: &str) -> bool {
        let is_last =
            one.parameters().last() == Some(parameter) && one.path.trim_end_matches('/').ends_with('}');
        let (Some(answer), Some(me)) = (answer(self.shapes, one), self.caller.answer) else { return false };
        one.is_get() && is_last && answer != me && !answer.fields.iter().any(|field| is_private(&field.name))
    }
}

/// A table with an owner, and the way to it.
fn owned(table: &Table) -> Option<(&Table, &[Step], bool)> {
    match &table.owner {
        Owner::Column { step, nullable } => Some((table, std::slice::from_ref(step), *nullable)),
        Owner::Nested { steps, nullable } => Some((table, steps, *nullable)),
        _ => None,
    }
}

fn shows(one: &Located<'_>, table: &Table, shown_as: ShownAs) -> bool {
    one.shows().is_some_and(|shown| shown.table == table.name && shown.shown_as == shown_as)
}

const fn is_assumed(shown: &Shown) -> bool {
    matches!(shown.evidence, LinkEvidence::Path)
}

/// `` `comments.post_id` is `posts.id`, `posts.author_id` is `users.id` ``
fn chain(steps: &[Step]) -> String {
    let said = |step: &Step| format!("`{}.{}` is `{}.{}`", step.table, step.column, step.to, step.key);
    steps.iter().map(said).collect::<Vec<_>>().join(", ")
}

/// What shows that an answer is of a table.
fn link(shown: &Shown, table: &Table) -> String {
    let (name, model) = (&table.name, shown.model.as_deref().unwrap_or_default());
    match shown.evidence {
        LinkEvidence::Table => format!("the answer is `{model}`, the class of `{name}`"),
        LinkEvidence::Base => format!("`{model}` has a base in common with the class of `{name}`"),
        LinkEvidence::Attributes | LinkEvidence::Fields => format!(
            "`{model}` is called like `{name}`, which has {} % of its fields",
            shown.overlap.unwrap_or_default()
        ),
        LinkEvidence::Path => {
            format!(
                "the answer is not declared: that it shows {} as stored is assumed",
                quoted(std::slice::from_ref(name))
            )
        }
    }
}

/// The column that may be null.
fn nullable_column(steps: &[Step]) -> String {
    let step = steps.iter().find(|step| step.nullable);
    step.map(|step| format!("{}.{}", step.table, step.column)).unwrap_or_default()
}

/// A path with something else in the place of a parameter.
fn with_parameter(path: &str, name: &str, instead: &str) -> String {
    let is_it = |segment: &str| {
        segment.strip_prefix('{').and_then(|inside| inside.split([':', '}']).next()) == Some(name)
    };
    path.split('/')
        .map(|segment| if is_it(segment) { instead } else { segment })
        .collect::<Vec<_>>()
        .join("/")
}
