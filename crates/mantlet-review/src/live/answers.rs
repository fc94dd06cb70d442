//! What an answer shows: its values, the objects in it, and whether two answers are about the same.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    operations::{Known, Parameter, kind_of_table, text_of},
    values::Maker,
    words::{parts, rank_of_key, simple, singular},
};
use crate::exchange::Answer;

/// Values of an answer that are looked at.
const MOST: usize = 20_000;
/// Names of the list in a page.
const LISTS: [&str; 11] =
    ["content", "data", "docs", "entries", "hits", "items", "list", "objects", "records", "results", "rows"];

/// An object that an answer shows.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// What it may be, in the singular.
    pub(super) kinds: Vec<String>,
    pub(super) object: Map<String, Value>,
    /// The operation, by its place in the list.
    pub(super) operation: usize,
    /// What was asked.
    pub(super) target: String,
    /// It is one of a list that the operation is for.
    pub(super) is_listed: bool,
}

/// All values of a body that are not objects or lists, by their places.
pub(super) fn leaves(value: &Value) -> BTreeMap<String, &Value> {
    let mut found = BTreeMap::new();
    collect(value, &mut String::new(), &mut found);
    found
}

fn collect<'v>(value: &'v Value, place: &mut String, found: &mut BTreeMap<String, &'v Value>) {
    if found.len() >= MOST || place.len() > 512 {
        return;
    }
    let length = place.len();
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                place.push('.');
                place.push_str(key);
                collect(value, place, found);
                place.truncate(length);
            }
        }
        Value::Array(all) => {
            for (at, value) in all.iter().enumerate() {
                place.push('.');
                place.push_str(&at.to_string());
                collect(value, place, found);
                place.truncate(length);
            }
        }
        leaf => {
            found.insert(place.clone(), leaf);
        }
    }
}

/// The name of the field at a place.
pub(super) fn field_of(place: &str) -> &str {
    let mut names = place.rsplit('.');
    names.find(|name| !name.is_empty() && !name.bytes().all(|byte| byte.is_ascii_digit())).unwrap_or_default()
}

/// The objects in an answer.
pub(super) fn items(known: &Known<'_>, operation: usize, target: &str, body: &Value) -> Vec<Item> {
    let shown = known.operation.objects.as_ref().and_then(|facts| facts.shows.as_ref());
    let mut kinds: Vec<_> = shown.map(|shown| kind_of_table(&shown.table)).into_iter().collect();
    kinds.push(known.noun());
    let list = shown.and_then(|shown| shown.items.as_deref()).and_then(|pointer| body.pointer(pointer));
    let mut found = Found { operation, target, items: Vec::new() };
    match (body, list) {
        (Value::Array(all), _) => found.list(all, &kinds, true),
        (Value::Object(map), list) => {
            let is_page =
                list.is_some() || map.iter().any(|(key, value)| is_list_of_page(key, value, &kinds));
            if !is_page {
                found.object(map, &kinds, false, 0);
            }
            for (key, value) in map {
                let is_it = list
                    .map_or_else(|| is_list_of_page(key, value, &kinds), |list| std::ptr::eq(list, value));
                match value {
                    Value::Array(all) if is_it => found.list(all, &kinds, true),
                    Value::Array(all) if is_page => found.list(all, &[singular(key)], false),
                    _ => {}
                }
            }
        }
        _ => {}
    }
    found.items
}

fn is_list_of_page(key: &str, value: &Value, kinds: &[String]) -> bool {
    value.is_array() && (LISTS.contains(&key.to_ascii_lowercase().as_str()) || kinds.contains(&singular(key)))
}

struct Found<'t> {
    operation: usize,
    target: &'t str,
    items: Vec<Item>,
}

impl Found<'_> {
    fn list(&mut self, all: &[Value], kinds: &[String], is_listed: bool) {
        for one in all.iter().take(500) {
            match one {
                Value::Object(map) => self.object(map, kinds, is_listed, 0),
                // A list of ids.
                Value::String(_) | Value::Number(_) => {
                    self.add([("id".to_owned(), one.clone())].into_iter().collect(), kinds, is_listed);
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, object: Map<String, Value>, kinds: &[String], is_listed: bool) {
        let (operation, target) = (self.operation, self.target.to_owned());
        self.items.push(Item { kinds: kinds.to_vec(), object, operation, target, is_listed });
    }

    fn object(&mut self, map: &Map<String, Value>, kinds: &[String], is_listed: bool, depth: usize) {
        if depth > 3 || self.items.len() > 2000 {
            return;
        }
        for (key, value) in map {
            match value {
                Value::Object(inner) => self.object(inner, &[singular(key)], false, depth + 1),
                Value::Array(all) => {
                    for inner in all.iter().take(100).filter_map(Value::as_object) {
                        self.object(inner, &[singular(key)], false, depth + 1);
                    }
                    // `org_ids`
                    let noun = key.strip_suffix("ids").or_else(|| key.strip_suffix("Ids")).map(singular);
                    if let Some(noun) = noun.filter(|noun| noun.len() >= 2) {
                        for id in all.iter().take(100).filter(|id| scalar(id).is_some()) {
                            self.add(
                                [("id".to_owned(), id.clone())].into_iter().collect(),
                                std::slice::from_ref(&noun),
                                false,
                            );
                        }
                    }
                }
                _ => {}
            }
        }
        self.add(map.clone(), kinds, is_listed);
    }
}

impl Item {
    /// Whether it may be what a parameter means.
    pub(super) fn may_be(&self, parameter: &Parameter) -> bool {
        self.kinds.iter().any(|kind| parameter.kinds.iter().any(|known| is_kind(kind, known)))
    }

    /// Its value for a parameter that means it.
    pub(super) fn key(&self, parameter: &Parameter, maker: &Maker<'_>) -> Option<String> {
        let last = parts(&parameter.name).pop().unwrap_or_default();
        let mut names = vec![simple(&parameter.name), last.clone()];
        names.splice(0..0, parameter.field.as_deref().map(simple));
        if matches!(last.as_str(), "id" | "uuid" | "guid" | "pk") || parameter.kinds.contains(&last) {
            let mut keys: Vec<_> =
                self.object.keys().filter_map(|name| Some((rank_of_key(name)?, simple(name)))).collect();
            keys.sort();
            names.extend(keys.into_iter().map(|(_, name)| name));
        }
        names.iter().find_map(|name| {
            let (_, value) = self.object.iter().find(|(key, _)| simple(key) == *name)?;
            scalar(value).filter(|text| parameter.shape.is_none_or(|shape| maker.accepts_text(shape, text)))
        })
    }

    /// What it says of another object that a parameter means: `user_id` in an order.
    pub(super) fn reference(&self, parameter: &Parameter, maker: &Maker<'_>) -> Option<String> {
        let name = simple(&parameter.name);
        if matches!(name.as_str(), "id" | "uuid" | "pk" | "slug" | "name" | "key" | "code") {
            return None;
        }
        let (_, value) = self.object.iter().find(|(key, _)| simple(key) == name)?;
        scalar(value).filter(|text| parameter.shape.is_none_or(|shape| maker.accepts_text(shape, text)))
    }

    /// Whether one of its own fields has this value.
    pub(super) fn has(&self, text: &str) -> bool {
        self.object.values().any(|value| scalar(value).is_some_and(|own| own == text))
    }
}

/// Whether two nouns are one, which may be shortened: `org` and `organization`.
fn is_kind(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    short == long || short.len() >= 3 && long.len() >= 8 && long.starts_with(short)
}

/// A value that may be an id.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() && text.len() <= 200 => Some(text.clone()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

/// Whether an answer that lists has all there is.
pub(super) fn is_whole(body: &Value, items: usize, asked_for: Option<u64>) -> bool {
    if asked_for.is_some_and(|most| items as u64 >= most) {
        return false;
    }
    let Some(map) = body.as_object() else { return true };
    let has_more = |names: &[&str]| {
        names.iter().filter_map(|name| map.get(*name)).any(|value| match value {
            Value::Bool(more) => *more,
            Value::String(next) => !next.is_empty(),
            _ => false,
        })
    };
    let total =
        ["total", "count", "total_count", "totalCount"].iter().find_map(|name| map.get(*name)?.as_u64());
    !has_more(&["next", "next_page", "nextPage", "has_more", "hasMore", "next_cursor", "nextCursor"])
        && total.is_none_or(|total| total <= items as u64)
}

/// Whether another caller's answer is about the same object as the owner's.
///
/// - The owner was asked twice: what differs then says nothing.
/// - What the app also says of an object that does not exist says nothing.
/// - What the request itself says (`ids`) says something only where the app refuses for an object that does not exist.
pub(super) fn is_same(
    owner: [&Answer; 2],
    other: &Answer,
    absent: &Answer,
    ids: &[String],
) -> Option<Vec<String>> {
    let [first, second] = owner;
    if !first.status.is_success() || !other.status.is_success() {
        return None;
    }
    let is_absent_told = absent.status.is_success();
    let (Some(first_json), Some(second_json), Some(other_json)) = (first.json(), second.json(), other.json())
    else {
        let is_it = !first.body.is_empty()
            && !first.is_cut
            && first.body == second.body
            && first.body == other.body
            && (!is_absent_told || first.body != absent.body);
        return is_it.then(Vec::new);
    };
    let absent_json = absent.json().filter(|_| is_absent_told).unwrap_or_default();
    let (first, second, other, absent) =
        (leaves(&first_json), leaves(&second_json), leaves(&other_json), leaves(&absent_json));
    let says_something = |place: &String, value: &Value| {
        !value.is_null()
            && !value.is_boolean()
            && second.get(place) == Some(&value)
            && absent.get(place) != Some(&value)
            && (!is_absent_told || !ids.contains(&text_of(value)))
    };
    let told: Vec<_> = first.iter().filter(|(place, value)| says_something(place, value)).collect();
    let same: Vec<_> = told.iter().filter(|(place, value)| other.get(*place) == Some(value)).collect();
    let is_it = !same.is_empty() && same.len() * 5 >= told.len() * 4;
    is_it.then(|| same.iter().map(|(place, _)| (*place).clone()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::exchange::answer;

    #[test]
    fn what_says_nothing_is_not_the_same_object() {
        let order = answer(200, json!({"id": 7, "address": "1 Row", "asked_at": 1}));
        let again = answer(200, json!({"id": 7, "address": "1 Row", "asked_at": 2}));
        let gone = answer(404, json!({"detail": "No such order"}));
        let soft = answer(200, json!({"error": "No such order"}));
        let ids = ["7".to_owned()];
        let same = |other: &Answer, absent: &Answer| is_same([&order, &again], other, absent, &ids).is_some();
        assert!(same(&order, &gone));
        assert!(!same(&gone, &gone));
        assert!(!same(&soft, &soft), "200 with an error body");
        assert!(!same(&answer(200, json!({"id": 7})), &soft), "an id that is repeated says nothing");
        // The app says the same of everything.
        let all = answer(200, json!({"id": 9, "address": "1 Row", "asked_at": 3}));
        assert!(!same(&order, &all));
        let empty = answer(200, json!([]));
        assert!(is_same([&empty, &empty], &empty, &gone, &ids).is_none(), "an empty list shows no object");
    }
}
