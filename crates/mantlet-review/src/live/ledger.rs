//! What check creates, and removes again.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use mantlet_contract::model::{Shape, ShapeId};
use serde_json::{Value, json};

use super::{
    accounts::ids_of,
    answers::{Item, scalar},
    asker::{Asker, Exchange, Identity},
    operations::{Known, Parameter, kind_of_table},
    sights::{self, Sight},
    values::Amount,
    words::{is_id, is_owner, noun_of_id, simple, singular},
    world::{App, Seen},
};

/// Objects that one operation creates at most.
const MOST: usize = 24;

/// An operation that creates objects which other operations name.
pub(super) struct Creator {
    /// By its place in the list.
    pub(super) at: usize,
    pub(super) kinds: Vec<String>,
}

/// An object that check created.
#[derive(Clone)]
pub(super) struct Created {
    /// By its place in the list of operations.
    pub(super) creator: usize,
    /// Values of the creator's path, and the object's own id.
    pub(super) values: Vec<String>,
    pub(super) kinds: Vec<String>,
    pub(super) by: Identity,
    pub(super) made: Exchange,
    is_gone: bool,
    /// Why it could not be removed.
    why: String,
}

/// What was created, in order.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) all: Vec<Created>,
    /// What may have been created: the app did not answer, or not with an id.
    pub(super) unknown: Vec<String>,
}

/// A path without the names of its parameters: `/orders/{}`.
pub(super) fn template(path: &str) -> String {
    let mut plain = String::new();
    let mut is_inside = false;
    for c in path.trim_end_matches('/').chars() {
        match c {
            '{' => {
                is_inside = true;
                plain.push_str("{}");
            }
            '}' => is_inside = false,
            _ if is_inside => {}
            c => plain.push(c),
        }
    }
    plain
}

/// Operations that create objects, what lies above before what lies below it.
pub(super) fn creators(app: &App<'_>) -> Vec<Creator> {
    let mut found: Vec<Creator> = Vec::new();
    for (at, known) in app.known.iter().enumerate() {
        let is_collection = known.method == Method::POST
            && known.purpose.is_none()
            && known.is_secured()
            && !known.is_for_administrators()
            && !known.path.trim_end_matches('/').ends_with('}');
        if !is_collection {
            continue;
        }
        let shown = known.operation.objects.as_ref().and_then(|facts| facts.shows.as_ref());
        let kinds: Vec<_> =
            shown.map(|shown| kind_of_table(&shown.table)).into_iter().chain([known.noun()]).collect();
        let creator = Creator { at, kinds };
        // An action on an object stands below it: only what has ids of its own creates.
        if !consumers(app, &creator, known).is_empty() {
            found.push(creator);
        }
    }
    found.sort_by_key(|creator| app.known.get(creator.at).map_or(0, |known| known.parameters.len()));
    found
}

/// Operations that name what a creator creates by its id, and how many values of the creator's path they take first.
///
/// INVARIANT: one that changes something names nothing else. It stands below the creator's own path; or the contract says
/// that both are about one table; or the ids are UUIDs; or its path has all segments of the creator's, as
/// `/admin/orders/{id}` has those of `/orders`.
pub(super) fn consumers(app: &App<'_>, creator: &Creator, made_by: &Known<'_>) -> Vec<(usize, usize)> {
    let collection = template(&made_by.path);
    let mut found = Vec::new();
    for (at, known) in app.known.iter().enumerate() {
        let Some(last) = known.parameters.last() else { continue };
        let is_below = template(&last.below) == collection;
        // What stands below an object of the same kind is an action on it.
        let is_action =
            made_by.parameters.iter().any(|above| above.kinds.iter().any(|kind| last.kinds.contains(kind)));
        let is_flat = known.parameters.len() == 1
            && last.kinds.iter().any(|kind| creator.kinds.contains(kind))
            && !is_below
            && !is_action
            && (known.is_safe() || is_surely_of(app, known, last, made_by));
        if is_below && known.parameters.len() == made_by.parameters.len() + 1 {
            found.push((at, made_by.parameters.len()));
        } else if is_flat {
            found.push((at, 0));
        }
    }
    found
}

/// Whether an operation elsewhere surely names what a creator creates.
fn is_surely_of(app: &App<'_>, known: &Known<'_>, last: &Parameter, made_by: &Known<'_>) -> bool {
    let facts = known.operation.objects.iter().flat_map(|facts| &facts.parameters);
    let table = facts.filter(|fact| fact.name == last.name).map(|fact| fact.table.as_str()).next();
    let shown = made_by.operation.objects.as_ref().and_then(|facts| facts.shows.as_ref());
    if let (Some(table), Some(shown)) = (table, shown) {
        return shown.table == table;
    }
    let is_uuid = last.shape.is_some_and(|shape| matches!(app.maker.bare(shape), Some(Shape::Uuid { .. })));
    let segments =
        |path: &str| path.split('/').filter(|part| !part.contains('{')).map(singular).collect::<Vec<_>>();
    let own = segments(&known.path);
    is_uuid || segments(&made_by.path).iter().all(|segment| own.contains(segment))
}

impl Created {
    /// Values for an operation that names it, which takes so many values of the creator's path first.
    pub(super) fn values_for(&self, above: usize) -> Vec<String> {
        let Some((own, before)) = self.values.split_last() else { return Vec::new() };
        before.iter().take(above).chain([own]).cloned().collect()
    }

    /// As an object that its creator was shown.
    pub(super) fn item(&self) -> Item {
        let mut object =
            self.made.answer.json().and_then(|body| body.as_object().cloned()).unwrap_or_default();
        object.insert("id".to_owned(), json!(self.id()));
        let target = self.made.question.target.clone();
        Item { kinds: self.kinds.clone(), object, operation: self.creator, target, is_listed: false }
    }

    fn by_what(&self) -> Creator {
        Creator { at: self.creator, kinds: self.kinds.clone() }
    }

    /// As a caller sees it now.
    async fn look(&self, app: &App<'_>, asker: &mut Asker<'_>, caller: Option<&Identity>) -> Option<Sight> {
        sights::look(app, asker, &self.by_what(), self, caller).await
    }

    pub(super) fn id(&self) -> &str {
        self.values.last().map_or("", String::as_str)
    }
}

impl Ledger {
    /// It is there no more.
    pub(super) fn is_gone(&mut self, at: usize) {
        if let Some(created) = self.all.get_mut(at) {
            created.is_gone = true;
        }
    }

    /// Creates an object as a caller. What lies above it must have been created, too. More may be sent than the
    /// contract asks for.
    pub(super) async fn create(
        &mut self,
        app: &App<'_>,
        asker: &mut Asker<'_>,
        creator: &Creator,
        caller: &Identity,
        seen: &Seen,
        more: &[(String, Value)],
    ) -> Option<usize> {
        let known = app.known.get(creator.at)?;
        let is_unknown = self.unknown.contains(&known.name());
        if is_unknown || self.all.iter().filter(|created| created.creator == creator.at).count() >= MOST {
            return None;
        }
        let above = self.above(app, known, caller)?;
        let text = app.maker.text();
        let wishes = |name: &str| self.wishes(app, seen, caller, name, None);
        let mut found = None;
        // What need not be there may be what the app needs nevertheless.
        for amount in [Amount::Required, Amount::All] {
            let mut question = known.request(&app.maker, &above, amount, &wishes)?;
            if !more.is_empty() {
                let mut body: Value = serde_json::from_slice(&question.body).ok()?;
                let map = body.as_object_mut()?;
                map.extend(more.iter().cloned());
                question = question.json(&body);
            }
            let Some(made) = asker.ask(&known.name(), Some(caller), question).await else {
                if !asker.is_over() {
                    self.unknown.push(known.name());
                }
                return None;
            };
            if made.is_success() {
                found = Some(made);
                break;
            }
        }
        let made = found?;
        let mut id = self.id_in(app, creator, known, &made);
        if id.is_none() {
            // What was created must be found, even after the operator's Ctrl-C.
            let was_cleaning = asker.clean(true);
            id = self.id_by_listing(app, asker, creator, known, caller, &above, &text).await;
            asker.clean(was_cleaning);
        }
        let Some(id) = id else {
            self.unknown.push(known.name());
            return None;
        };
        // It is the object that it was asked about.
        if above.contains(&id) {
            return None;
        }
        let mut values = above;
        values.push(id);
        let kinds = creator.kinds.clone();
        self.all.push(Created {
            creator: creator.at,
            values,
            kinds,
            by: caller.clone(),
            made,
            is_gone: false,
            why: String::new(),
        });
        Some(self.all.len() - 1)
    }

    /// The id of what was created, as the answer says it.
    fn id_in(
        &self,
        app: &App<'_>,
        creator: &Creator,
        made_by: &Known<'_>,
        made: &Exchange,
    ) -> Option<String> {
        let ids = ids_of(made).into_iter();
        let body = made.answer.json();
        let named = consumers(app, creator, made_by).into_iter().find_map(|(at, _)| {
            let parameter = app.known.get(at)?.parameters.last()?;
            let object = body.as_ref()?.as_object()?;
            let named = object.iter().find(|(name, _)| {
                simple(name) == simple(&parameter.name) || creator.kinds.contains(&singular(name))
            });
            let id = named.and_then(|(_, value)| scalar(value))?;
            parameter.shape.is_none_or(|shape| app.maker.accepts_text(shape, &id)).then_some(id)
        });
        ids.chain(named).find(|id| !self.has_of(creator, id))
    }

    fn has_of(&self, creator: &Creator, id: &str) -> bool {
        self.all.iter().any(|created| created.creator == creator.at && created.id() == id && !created.is_gone)
    }

    /// The values of a creator's path: of what this caller created last.
    fn above(&self, app: &App<'_>, known: &Known<'_>, caller: &Identity) -> Option<Vec<String>> {
        let mut values: Vec<String> = Vec::new();
        for parameter in &known.parameters {
            let is_it = |created: &&Created| {
                let path =
                    app.known.get(created.creator).map(|made_by| template(&made_by.path)).unwrap_or_default();
                !created.is_gone
                    && created.by.name == caller.name
                    && (path == template(&parameter.below)
                        || created.kinds.iter().any(|kind| parameter.kinds.contains(kind)))
            };
            values.push(self.all.iter().rev().find(is_it)?.id().to_owned());
        }
        Some(values)
    }

    /// What should stand in a field: an id of what it names.
    pub(super) fn wishes(
        &self,
        app: &App<'_>,
        seen: &Seen,
        caller: &Identity,
        name: &str,
        shape: Option<ShapeId>,
    ) -> Vec<Value> {
        if !is_id(name) && !is_owner(name) {
            return Vec::new();
        }
        let noun = noun_of_id(name);
        let own = self.all.iter().rev().filter(|created| {
            created.by.name == caller.name
                && !created.is_gone
                && noun.as_ref().is_some_and(|noun| created.kinds.contains(noun))
        });
        let own: Vec<_> = own.map(|created| created.id().to_owned()).collect();
        let parameter = Parameter {
            below: String::new(),
            shape,
            kinds: noun.into_iter().collect(),
            field: None,
            name: "id".to_owned(),
        };
        let names = seen.names.iter().filter(|_| is_owner(name)).cloned();
        let shown = seen.items.iter().filter(|item| item.may_be(&parameter));
        let shown = shown.filter_map(|item| item.key(&parameter, &app.maker)).take(5);
        let all = own.into_iter().chain(names).chain(shown);
        all.flat_map(|text| {
            let number = text.parse::<i64>().ok().map(Value::from);
            number.into_iter().chain([json!(text)])
        })
        .collect()
    }

    /// The id of what was created where the answer does not say it: of the object in the caller's list that is new.
    #[expect(clippy::too_many_arguments, reason = "each is a fact of its own")]
    async fn id_by_listing(
        &self,
        app: &App<'_>,
        asker: &mut Asker<'_>,
        creator: &Creator,
        made_by: &Known<'_>,
        caller: &Identity,
        above: &[String],
        text: &str,
    ) -> Option<String> {
        let (at, _) = consumers(app, creator, made_by).into_iter().next()?;
        let parameter = app.known.get(at)?.parameters.last()?;
        let list = app.known.iter().position(|known| {
            known.method == Method::GET && template(&known.path) == template(&made_by.path)
        })?;
        let mut seen = Seen::default();
        app.read(asker, Some(caller), list, above, &mut seen).await?;
        // Texts are numbered: what was made for this object has a number from that one on.
        let begins = text.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_new = |id: &String| !self.has_of(creator, id);
        let marked = seen.items.iter().filter(|item| {
            item.object.values().any(|value| value.as_str().is_some_and(|own| own.starts_with(begins)))
        });
        marked.rev().filter_map(|item| item.key(parameter, &app.maker)).find(is_new)
    }

    /// Removes everything that is still there, the newest first.
    pub(super) async fn clean(&mut self, app: &App<'_>, asker: &mut Asker<'_>) {
        let was_cleaning = asker.clean(true);
        for at in (0..self.all.len()).rev() {
            let Some(created) = self.all.get(at).filter(|created| !created.is_gone).cloned() else {
                continue;
            };
            let removed = remove(app, asker, &created).await;
            if let Some(created) = self.all.get_mut(at) {
                created.is_gone = removed.is_ok();
                created.why = removed.err().unwrap_or_default();
            }
        }
        asker.clean(was_cleaning);
    }

    /// Forgets what went away with something else: a comment with its article. For what is left, who but its creator is
    /// shown it; the place of each in the ledger.
    pub(super) async fn witnesses<'i>(
        &mut self,
        app: &App<'_>,
        asker: &mut Asker<'_>,
        identities: &'i [Identity],
    ) -> BTreeMap<usize, Option<&'i Identity>> {
        let was_cleaning = asker.clean(true);
        let mut witnesses = BTreeMap::new();
        for at in 0..self.all.len() {
            let Some(created) = self.all.get(at).filter(|created| !created.is_gone).cloned() else {
                continue;
            };
            let own = created.look(app, asker, Some(&created.by)).await;
            if own.is_some_and(|own| own.is_missing()) {
                self.is_gone(at);
                continue;
            }
            for caller in [None].into_iter().chain(identities.iter().map(Some)) {
                let seen = created.look(app, asker, caller).await;
                if seen.is_some_and(|seen| seen.is_there()) {
                    witnesses.insert(at, caller);
                    break;
                }
            }
        }
        asker.clean(was_cleaning);
        witnesses
    }

    /// Says what is left, once the accounts that these names have are closed.
    pub(super) async fn left(
        &mut self,
        app: &App<'_>,
        asker: &mut Asker<'_>,
        witnesses: &BTreeMap<usize, Option<&Identity>>,
        closed: &BTreeSet<&str>,
    ) -> Vec<String> {
        let was_cleaning = asker.clean(true);
        let mut objects: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for at in 0..self.all.len() {
            let Some(created) = self.all.get(at).filter(|created| !created.is_gone).cloned() else {
                continue;
            };
            let is_closed = closed.contains(created.by.name.as_str());
            let caller = witnesses.get(&at).copied();
            let caller = if is_closed { caller } else { Some(Some(&created.by)) };
            let seen = match caller {
                Some(caller) => created.look(app, asker, caller).await,
                None => None,
            };
            if seen.as_ref().is_some_and(Sight::is_missing) {
                self.is_gone(at);
                continue;
            }
            let name = app.known.get(created.creator).map(Known::name).unwrap_or_default();
            let why = &created.why;
            let what = match () {
                () if seen.is_some_and(|seen| seen.is_there()) => format!(", still there: {why}"),
                () if is_closed => format!(
                    ". The account that made it is closed, and no other user is shown whether that removed it: {why}"
                ),
                () => format!(", which may still be there: {why}"),
            };
            objects.entry((name, what)).or_default().push(format!("`{}`", created.id()));
        }
        let mut left: Vec<String> = objects
            .into_iter()
            .map(|((name, what), ids)| format!("`{name}` made {}{what}", ids.join(", ")))
            .collect();
        for name in std::mem::take(&mut self.unknown) {
            left.push(format!(
                "`{name}` may have made an object whose id its answer does not say, and which may still be there"
            ));
        }
        asker.clean(was_cleaning);
        left
    }
}

/// Removes an object, or says why it could not be removed.
async fn remove(app: &App<'_>, asker: &mut Asker<'_>, created: &Created) -> Result<(), String> {
    let mut why = "the contract has no operation that removes it".to_owned();
    let (creator, Some(made_by)) = (created.by_what(), app.known.get(created.creator)) else {
        return Err(why);
    };
    for (remover, values) in consumers(app, &creator, made_by) {
        let known = app.known.get(remover);
        let Some(known) = known.filter(|known| known.method == Method::DELETE && known.is_about_itself())
        else {
            continue;
        };
        let values = created.values_for(values);
        let Some(question) = known.request(&app.maker, &values, Amount::Required, &|_| Vec::new()) else {
            continue;
        };
        match asker.ask(&known.name(), Some(&created.by), question).await {
            Some(removed) if removed.is_success() || matches!(removed.answer.status.as_u16(), 404 | 410) => {
                return Ok(());
            }
            Some(removed) => {
                why = format!("`{}` answered {}", known.name(), removed.answer.status.as_u16());
            }
            None => why = format!("`{}` did not answer", known.name()),
        }
    }
    Err(why)
}
