//! Which rules are proposed.
//!
//! 1. An operation below the key of a user is for that user, and one below the key of a group for its
//!    members: `path:user_id`.
//! 2. One that shows an object with its owner is for the owner, and so are the other methods of its path.
//! 3. An object whose owner is that of another one is read there, where its answer has the key of that.
//! 4. What is left below the key of an object is for the owner of the object, which is read first. Where it only
//!    reads and asks for no login, and the object does, that is proposed with a doubt.
//! 5. A list is for the owners of its items.
//! 6. What requests say of owners and of several objects: see [`super::requests`].
//!
//! Where objects are shown without a login, too, all may see them and do something to them: only PUT, PATCH and
//! DELETE of the object itself are for its owner.

use std::collections::{BTreeMap, HashSet};

use super::{
    Located, Proposal,
    caller::{Attribute, Caller, answer},
    owned::{Owned, is_assumed, link},
    readers::Readers,
    text::quoted,
    words::{is_joining, is_private, is_to_others},
};
use crate::model::{Group, Objects, Owner, Shape, Shown, ShownAs, Step, Table, TableSource, User};

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
    pub(super) all: &'p [Located<'c>],
    pub(super) shapes: &'c [Shape],
    pub(super) readers: Readers<'p, 'c>,
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
        let (covered, found) = (HashSet::new(), BTreeMap::new());
        Self { objects, user, caller, all, shapes, readers: Readers(all), covered, found }
    }

    pub(super) fn all(mut self) -> BTreeMap<&'c str, Proposed> {
        self.users();
        self.groups();
        self.lists_of_users();
        let every: Vec<Owned<'c>> = self.objects.tables.iter().filter_map(Owned::of).collect();
        let known = |own: &&Owned<'c>| own.group.is_none_or(|group| self.caller.group(group).is_some());
        let owned: Vec<_> = every.iter().filter(known).copied().collect();
        let rules: [fn(&mut Self, &Owned<'c>); 5] =
            [Self::single, Self::nested, Self::below, Self::lists, Self::of_requests];
        for rule in rules {
            for own in &owned {
                rule(&mut self, own);
            }
        }
        for own in &every {
            self.name_what_is_left(own);
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
            // `/boards/{board_id}/readers/{user_id}`: another than the caller.
            let is_below = all.iter().any(|one| one.parameters().next() != Some(name));
            if is_below || path.split('/').any(is_to_others) {
                self.leave(table, format!("{path}: what a caller does to another user"));
                continue;
            }
            let own: Vec<_> = all.iter().copied().filter(|one| one.is_open()).collect();
            let (public, own): (Vec<_>, Vec<_>) = own.into_iter().partition(|one| self.is_public(one, name));
            for one in public {
                self.leave(table, format!("{}: it shows what a profile for all may have", one.place()));
            }
            let evidence = format!("`{{{name}}}` is `{table}.{field}`");
            let draft = self.draft(format!("path:{name}"), self.caller.attribute(field), vec![evidence]);
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

    /// Rule 1, for groups.
    fn groups(&mut self) {
        for table in &self.objects.tables {
            let Owner::Shared { group: Some(group), .. } = &table.owner else { continue };
            if group.table == table.name {
                self.group(table, group);
            }
        }
    }

    fn group(&mut self, table: &'c Table, group: &'c Group) {
        let Some(attribute) = self.caller.group(group) else {
            self.leave(&table.name, self.caller.no_group(group));
            return;
        };
        for path in self.paths(|one| one.key_of(&table.name).is_some()) {
            let all = self.at(path);
            let Some((name, _)) = all.iter().find_map(|one| one.key_of(&table.name)) else { continue };
            let is_itself = path.trim_end_matches('/').ends_with('}');
            let is_first = all.iter().all(|one| one.parameters().next() == Some(name));
            let segments = || path.split('/').filter(|segment| !segment.starts_with('{'));
            let mut own = Vec::new();
            for one in all.into_iter().filter(|one| one.is_open()) {
                if !is_first {
                    continue;
                }
                let joins = !one.is_read() && !one.is_delete() && segments().any(is_joining);
                if joins || segments().any(is_to_others) {
                    self.leave(&table.name, format!("{}: it may be for those who join", one.place()));
                } else if one.is_read() && is_itself && one.parameters().count() == 1 {
                    self.leave(&table.name, format!("{}: it may be for all", one.place()));
                } else {
                    own.push(one);
                }
            }
            let evidence = format!("`{{{name}}}` is `{}.{}`", table.name, group.key);
            let draft = self.draft(format!("path:{name}"), attribute.clone(), vec![evidence]);
            self.add(&table.name, path, &own, draft);
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
            if one.is_secured() && !self.is_covered(one) {
                let why = "it lists users: `[[authorization.allow]]` says who may call it";
                self.leave(table, format!("{}: {why}", one.place()));
            }
        }
    }

    /// Rule 2.
    fn single(&mut self, own: &Owned<'c>) {
        for path in self.paths(|one| one.is_get() && shows(one, own.table, ShownAs::One)) {
            let all = self.at(path);
            let Some(shown) = all.iter().find(|one| one.is_get()).and_then(|one| one.shows()) else {
                continue;
            };
            let Some(owner) = shown.owner.as_ref().filter(|_| own.beside.is_empty()) else { continue };
            // Without a parameter another method does something to no object that is there already.
            let is_of_one = path.contains('{');
            let open: Vec<_> = all
                .iter()
                .copied()
                .filter(|one| self.is_for_owner(own, one) && (is_of_one || one.is_get()))
                .collect();
            let mut draft = self.draft_of(own, format!("response:{owner}"), link(shown, own.table));
            draft.is_assumed |= is_assumed(shown);
            if shown.varies && is_of_one {
                draft
                    .evidence
                    .push("some answers are made by the handler itself: the object is read first".to_owned());
                draft.read = Some(path.to_owned());
            }
            self.add_where_nobody_owns(own, path, &open, draft);
        }
    }

    /// Rule 3.
    fn nested(&mut self, own: &Owned<'c>) {
        let (first, also) = match (own.steps, own.beside) {
            ([first, _], []) => (first, false),
            ([_], [first, _]) => (first, true),
            _ => return,
        };
        for path in self.paths(|one| one.is_get() && shows(one, own.table, ShownAs::One)) {
            let all = self.at(path);
            let Some(reader) = self.readers.of(&first.to, Some(&first.key), path) else { return };
            let Some(shown) = all.iter().find(|one| one.is_get()).and_then(|one| one.shows()) else {
                continue;
            };
            let Some(parent) = shown.parent.as_ref().filter(|_| also == shown.owner.is_some()) else {
                continue;
            };
            let open: Vec<_> = all.iter().copied().filter(|one| self.is_for_owner(own, one)).collect();
            let mut draft = self.draft_of(own, format!("response:{}", reader.owner), link(shown, own.table));
            draft.is_assumed |= is_assumed(shown) || is_assumed(reader.shown);
            draft.also = shown.owner.as_ref().filter(|_| also).map(|owner| format!("response:{owner}"));
            draft.read = Some(reader.at(&format!("{{response:{parent}}}")));
            self.add_where_nobody_owns(own, path, &open, draft);
        }
    }

    /// Rule 4.
    fn below(&mut self, own: &Owned<'c>) {
        if !own.beside.is_empty() || self.is_for_all(own) {
            return;
        }
        let table = &own.table.name;
        for path in self.paths(|one| one.key_of(table).is_some()) {
            let Some(reader) = self.readers.of(table, None, path) else { continue };
            let all = self.at(path);
            let Some((name, _)) = all.iter().find_map(|one| one.key_of(table)) else { continue };
            let open: Vec<_> = all.iter().copied().filter(|one| one.is_open()).collect();
            let is_below = path.strip_prefix(reader.path).is_some_and(|rest| rest.starts_with('/'));
            let is_bare =
                |one: &&Located<'c>| one.is_read() && !one.is_secured() && !one.is_for_administrators();
            let bare: Vec<_> = all.into_iter().filter(|one| is_below && is_bare(one)).collect();
            let evidence =
                format!("`{{{name}}}` is the key of `{table}`, whose owner `GET {}` shows", reader.path);
            let mut draft = self.draft_of(own, format!("response:{}", reader.owner), evidence);
            draft.is_assumed |= is_assumed(reader.shown);
            draft.read = Some(reader.at(&format!("{{{name}}}")));
            let mut doubtful = draft.clone();
            doubtful.doubts.push("it asks for no login, so it may be for all".to_owned());
            self.add_where_nobody_owns(own, path, &open, draft);
            self.add_where_nobody_owns(own, path, &bare, doubtful);
        }
    }

    /// Rule 5.
    fn lists(&mut self, own: &Owned<'c>) {
        if self.is_for_all(own) {
            return;
        }
        let is_list = |one: &Located<'_>| {
            one.is_get() && (shows(one, own.table, ShownAs::List) || shows(one, own.table, ShownAs::Page))
        };
        for path in self.paths(is_list) {
            let open: Vec<_> =
                self.at(path).into_iter().filter(|one| is_list(one) && one.is_open()).collect();
            let Some(shown) = open.first().and_then(|one| one.shows()) else { continue };
            let Some(owner) = shown.owner.as_ref().filter(|_| own.beside.is_empty()) else { continue };
            let mut draft = self.draft_of(own, format!("item:{owner}"), link(shown, own.table));
            draft.is_assumed |= is_assumed(shown);
            draft.items.clone_from(&shown.items);
            draft.count.clone_from(&shown.count);
            self.add_where_nobody_owns(own, path, &open, draft);
        }
    }

    /// A rule about objects of a table.
    pub(super) fn draft_of(&self, own: &Owned<'c>, owner: String, evidence: String) -> Proposal {
        let attribute = match own.group {
            Some(group) => self.caller.group(group).unwrap_or_else(|| self.caller.attribute(own.key())),
            None => self.caller.attribute(own.key()),
        };
        Proposal { doubts: self.doubts_of(own), ..self.draft(owner, attribute, vec![own.chain(), evidence]) }
    }

    fn draft(&self, owner: String, attribute: Attribute, mut evidence: Vec<String>) -> Proposal {
        let Attribute { condition, assumed, missing, why } = attribute;
        let is_assumed = assumed.is_some();
        evidence.extend(why);
        evidence.extend(assumed);
        evidence.extend(self.caller.guess());
        Proposal {
            owner,
            equals: condition,
            roles: self.caller.roles(),
            is_assumed,
            evidence,
            missing: missing.into_iter().collect(),
            ..Proposal::default()
        }
    }

    /// Adds a rule. An object without an owner is left readable for all, as it is without the rule. It may not
    /// be changed, unless a client without a login may have made it.
    fn add_where_nobody_owns(
        &mut self,
        own: &Owned<'c>,
        path: &'p str,
        open: &[&'p Located<'c>],
        mut draft: Proposal,
    ) {
        draft.nullable = own.nullable_column();
        if draft.nullable.is_none() {
            self.add(&own.table.name, path, open, draft);
            return;
        }
        let (reads, writes): (Vec<_>, Vec<_>) = open.iter().copied().partition(|one| one.is_read());
        let passes_nulls = self.is_made_by_all(own);
        self.add(&own.table.name, path, &reads, Proposal { passes_nulls: true, ..draft.clone() });
        self.add(&own.table.name, path, &writes, Proposal { passes_nulls, ..draft });
    }

    /// Whether an operation that does not ask who is calling shows objects of a table.
    pub(super) fn is_for_all(&self, own: &Owned<'c>) -> bool {
        let shows = |one: &Located<'_>| one.shows().is_some_and(|shown| shown.table == own.table.name);
        self.all.iter().any(|one| one.is_get() && !one.is_secured() && shows(one))
    }

    /// Whether a rule is for an operation at the path of an object itself.
    fn is_for_owner(&self, own: &Owned<'c>, one: &Located<'c>) -> bool {
        one.is_open() && (!self.is_for_all(own) || one.is_change())
    }

    /// Whether an operation that does not ask who is calling writes objects of a table.
    fn is_made_by_all(&self, own: &Owned<'c>) -> bool {
        self.all.iter().any(|one| !one.is_read() && !one.is_secured() && one.is_about(&own.table.name))
    }

    /// Adds a rule for operations of one path, with others that are alike.
    pub(super) fn add(
        &mut self,
        table: &'c str,
        path: &'p str,
        own: &[&'p Located<'c>],
        mut draft: Proposal,
    ) {
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
        // `/users/{user_id}/orders/{order_id}`: whose the order is, is another question.
        if !draft.owner.starts_with("path:") || path.matches('{').count() == 1 {
            self.covered.extend(named.into_iter().map(|method| (path, method)));
        }
        self.push(table, path, draft);
    }

    pub(super) fn push(&mut self, table: &'c str, path: &str, mut draft: Proposal) {
        let known = &mut self.found.entry(table).or_default().proposals;
        draft.paths.push(path.to_owned());
        let is_alike =
            |one: &&mut Proposal| Proposal { paths: draft.paths.clone(), ..(**one).clone() } == draft;
        match known.iter_mut().find(is_alike) {
            Some(alike) if alike.paths.iter().any(|known| known == path) => {}
            Some(alike) => alike.paths.append(&mut draft.paths),
            None => known.push(draft),
        }
    }

    // What is not

    pub(super) fn leave(&mut self, table: &'c str, why: String) {
        let left = &mut self.found.entry(table).or_default().left;
        if !left.contains(&why) {
            left.push(why);
        }
    }

    fn name_what_is_left(&mut self, own: &Owned<'c>) {
        let table = own.table;
        for one in self.all {
            let shown = one.shows().filter(|shown| shown.table == table.name);
            let is_last = one.facts().and_then(|facts| facts.parameters.last());
            let is_key = is_last.is_some_and(|parameter| parameter.table == table.name);
            let is_read = shown.is_some() && one.is_get();
            if !(is_read || is_key) || self.is_covered(one) {
                continue;
            }
            let why = if !one.is_secured() {
                "it does not ask who is calling".to_owned()
            } else if one.is_for_administrators() {
                "it is meant for administrators: `[[authorization.allow]]` says who may call it".to_owned()
            } else if self.is_for_all(own) {
                "its objects are shown without a login, too: it may be for all".to_owned()
            } else if let Some(group) = own.group.filter(|group| self.caller.group(group).is_none()) {
                self.caller.no_group(group)
            } else if own.steps.len() > 2 {
                format!("the owner is {} steps away, and a rule follows two", own.steps.len())
            } else if let [step, _] = own.beside {
                format!(
                    "each may also be of the owner of its {}, which no rule can read here",
                    quoted(std::slice::from_ref(&step.to))
                )
            } else if let Some(shown) = shown.filter(|shown| shown.owner.is_none()) {
                let model = shown.model.as_ref().map_or_else(String::new, |name| format!(" (`{name}`)"));
                format!("its answer{model} does not have the owner: the gate cannot see whose it is")
            } else {
                "it is not clear which operation shows the object with its owner".to_owned()
            };
            self.leave(&table.name, format!("{}: {why}", one.place()));
        }
    }

    // Operations

    pub(super) fn is_covered(&self, one: &Located<'c>) -> bool {
        one.methods.iter().all(|method| self.covered.contains(&(one.path.as_str(), method)))
    }

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

    /// Why the owner may be another one than the foreign keys lead to.
    fn doubts_of(&self, own: &Owned<'c>) -> Vec<String> {
        let steps = || own.steps.iter().chain(own.beside);
        let mut doubts = Vec::new();
        if let Some(part) = steps().find(|step| step.part) {
            let (table, column) = (&part.table, &part.column);
            doubts.push(format!(
                "`{table}.{column}` names a user, and its name does not say that the user is the owner"
            ));
        }
        let is_text = |step: &&Step| self.source_of(&step.table) == Some(TableSource::Statement);
        if let Some(step) = steps().find(is_text) {
            doubts.push(format!("`{}` is known from a text of the app, not from a mapper", step.table));
        }
        doubts
    }

    /// Whether mapper and declared answer say whose the objects of a table are.
    fn is_sure(&self, table: &str, shown: &Shown) -> bool {
        let Some(table) = self.objects.tables.iter().find(|one| one.name == table) else { return false };
        let own = Owned::of(table).filter(|own| own.group.is_none());
        let is_known = table.owner == Owner::User || own.is_some_and(|own| self.doubts_of(&own).is_empty());
        is_known && !is_assumed(shown) && table.source != TableSource::Statement
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

fn shows(one: &Located<'_>, table: &Table, shown_as: ShownAs) -> bool {
    one.shows().is_some_and(|shown| shown.table == table.name && shown.shown_as == shown_as)
}
