//! Rules about what a request says: owners that it names, and several objects at once.

use super::{
    Located, Proposal,
    owned::{Owned, is_assumed},
    proposing::Proposing,
    readers::Reader,
    shape,
    words::is_called,
};
use crate::model::{Location, Object, PathItem, Sequence, Shape, ShapeId, ShownAs, Take};

/// Objects that a rule reads for one request.
const MOST: u64 = 100;

/// A list of keys in a request.
struct Keys<'c> {
    /// Where it stands: `query:ids`, `body:/ids`.
    place: String,
    list: &'c Sequence,
}

impl<'p, 'c> Proposing<'p, 'c> {
    /// Rule 6. All operations are in a collection whose objects can be read, and have no parameter in their path:
    /// `/orders/archive`.
    pub(super) fn of_requests(&mut self, own: &Owned<'c>) {
        for reader in self.readers.all(&own.table.name, None) {
            let all = self.all;
            let is_in = |one: &&'p Located<'c>| {
                let path = one.path.as_str();
                let is_collection = path == reader.prefix().trim_end_matches('/') || path == reader.prefix();
                (is_collection || path.starts_with(reader.prefix())) && !path.contains('{') && one.is_open()
            };
            for one in all.iter().filter(is_in) {
                self.new_objects(own, one);
                if !self.is_covered(one) && !self.is_for_all(own) {
                    self.several(own, one, &reader);
                    self.of_an_owner(own, one);
                }
            }
        }
    }

    /// A new object is for its maker: the body may not name another owner.
    fn new_objects(&mut self, own: &Owned<'c>, one: &'p Located<'c>) {
        let Some(step) = own.only_step() else { return };
        let shows =
            one.shows().is_some_and(|shown| shown.table == own.table.name && shown.shown_as == ShownAs::One);
        if !one.is_post() || !shows {
            return;
        }
        let Some(field) =
            body(self.shapes, one).and_then(|body| body.fields.iter().find(|field| field.name == step.field))
        else {
            return;
        };
        // The rule finds it by its other names, too.
        let Some(name) = field.lookup.iter().find_map(|path| key(path)) else { return };
        let why = format!(
            "the body of {} may have `{}.{}`; one that is not JSON, or larger than 64 KiB, is refused",
            one.place(),
            step.table,
            step.column
        );
        let place = format!("body:/{}", name.replace('~', "~0").replace('/', "~1"));
        let draft =
            Proposal { methods: one.methods.to_vec(), passes_nulls: true, ..self.draft_of(own, place, why) };
        self.push(&own.table.name, &one.path, draft);
    }

    /// Several objects at once are all the caller's.
    fn several(&mut self, own: &Owned<'c>, one: &'p Located<'c>, reader: &Reader<'p, 'c>) {
        if own.beside.is_empty()
            && let Some(kind) = parameter(self.shapes, self.readers.0, reader)
            && let Some(keys) = keys(self.shapes, one, &own.table.name, kind)
        {
            if keys.list.max_length.is_none_or(|most| most > MOST) {
                let why = format!("it takes more than {MOST} keys at once, and a rule reads no more");
                self.leave(&own.table.name, format!("{}: {why}", one.place()));
                return;
            }
            let why = format!(
                "{} takes keys of `{}`, whose owner `GET {}` shows",
                one.place(),
                own.table.name,
                reader.path
            );
            let mut draft = self.draft_of(own, format!("response:{}", reader.owner), why);
            draft.is_assumed |= is_assumed(reader.shown);
            draft.read = Some(reader.at(&format!("{{{}}}", keys.place)));
            draft.nullable = own.nullable_column();
            draft.passes_nulls = draft.nullable.is_some() && one.is_read();
            self.add(&own.table.name, &one.path, &[one], draft);
        }
    }

    /// What is asked of one owner is for that owner.
    fn of_an_owner(&mut self, own: &Owned<'c>, one: &'p Located<'c>) {
        let Some(step) = own.only_step().filter(|_| one.is_read()) else { return };
        let mut inputs = one.operation.inputs.iter().filter(|input| input.location == Location::Query);
        let name = inputs.find_map(|input| match &input.take {
            Take::Field { names, multiple: false, .. } => {
                names.iter().find(|name| [&step.field, &step.column].contains(name))
            }
            _ => None,
        });
        if let Some(name) = name {
            let why =
                format!("the parameter `{name}` of {} is `{}.{}`", one.place(), step.table, step.column);
            let draft = self.draft_of(own, format!("query:{name}"), why);
            self.add(&own.table.name, &one.path, &[one], Proposal { passes_missing: true, ..draft });
        }
    }
}

/// The lists of keys in a request, if there is exactly one.
fn keys<'c>(shapes: &'c [Shape], one: &Located<'c>, table: &str, kind: &Shape) -> Option<Keys<'c>> {
    let is_of_keys = |name: &str, id: ShapeId| {
        let Shape::List(list) = bare(shapes, id)? else { return None };
        let item = bare(shapes, list.items?)?;
        let is_alike = std::mem::discriminant(item) == std::mem::discriminant(kind);
        let whose = name.strip_suffix("ids").map(|rest| rest.trim_end_matches(['_', '-']));
        let is_called = whose.is_some_and(|whose| whose.is_empty() || is_called(whose, table));
        Some(list).filter(|_| is_alike && is_called)
    };
    let mut found = Vec::new();
    for field in body(shapes, one).iter().flat_map(|body| &body.fields) {
        if let [lookup] = field.lookup.as_slice()
            && let Some(name) = key(lookup)
            && let Some(list) = is_of_keys(name, field.shape)
        {
            found.push(Keys { place: format!("body:/{name}"), list });
        }
    }
    for input in one.operation.inputs.iter().filter(|input| input.location == Location::Query) {
        if let Take::Field { names, multiple: true, .. } = &input.take
            && let [name] = names.as_slice()
            && let Some(list) = is_of_keys(name, input.shape)
        {
            found.push(Keys { place: format!("query:{name}"), list });
        }
    }
    <[Keys<'c>; 1]>::try_from(found).ok().map(|[keys]| keys)
}

/// What the body is, if it is one object.
fn body<'c>(shapes: &'c [Shape], one: &Located<'c>) -> Option<&'c Object> {
    let mut inputs = one.operation.inputs.iter().filter(|input| input.location == Location::Body);
    let whole = inputs.next().filter(|input| input.take == Take::Whole)?;
    match bare(shapes, whole.shape)? {
        Shape::Object(object) if object.root.is_none() => Some(object),
        _ => None,
    }
}

/// What the key is that an operation reads objects by.
fn parameter<'c>(shapes: &'c [Shape], all: &[Located<'c>], reader: &Reader<'_, 'c>) -> Option<&'c Shape> {
    let one = all.iter().find(|one| one.is_get() && one.path == reader.path)?;
    let mut inputs = one.operation.inputs.iter().filter(|input| input.location == Location::Path);
    let input = inputs.find(|input| input.take.names().any(|name| name == reader.parameter))?;
    bare(shapes, input.shape)
}

/// A shape without what only allows for nothing.
fn bare(shapes: &[Shape], mut id: ShapeId) -> Option<&Shape> {
    for _ in 0..8 {
        match shape(shapes, id)? {
            Shape::Nullable { inner } | Shape::WithDefault { inner } => id = *inner,
            found => return Some(found),
        }
    }
    None
}

fn key(path: &[PathItem]) -> Option<&str> {
    match path {
        [PathItem::Key(key)] => Some(key),
        _ => None,
    }
}
