//! Ids that answers have shown a caller.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    fmt,
    hash::{BuildHasher, RandomState},
};

use mantlet_contract::{
    inputs::unquoted,
    objects::{Kind, KindNumber, Kinds, Meaning},
};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use uuid::Uuid;

/// The last 1,024 of them, nearly always: each has a row by its hash, where it takes the place of the oldest.
#[derive(Debug)]
pub(super) struct Shown {
    rows: Box<[[u32; IN_ROW]; ROWS]>,
}

const ROWS: usize = 64;
/// Twice what there is of 1,024 ids in a row.
const IN_ROW: usize = 32;
/// Bytes of the longest id.
const LONGEST: usize = 128;
/// Ids that are looked at in one answer, or in one request.
const MOST: usize = 4_096;
/// Names whose meaning is kept while an answer is read.
const MOST_NAMES: usize = 512;

impl Default for Shown {
    fn default() -> Self {
        Self { rows: Box::new([[0; IN_ROW]; ROWS]) }
    }
}

/// Its row, and what stands there for it.
const fn place(id: u64) -> (usize, u32) {
    let [a, b, c, d, row, ..] = id.to_le_bytes();
    // 0 stands for nothing.
    ((row as usize) % ROWS, u32::from_le_bytes([a, b, c, d]) | 1)
}

impl Shown {
    pub(super) fn add(&mut self, id: u64) {
        let (row, mark) = place(id);
        let Some(row) = self.rows.get_mut(row) else { return };
        // The newest comes first.
        let end = row.iter().position(|known| *known == mark).map_or(IN_ROW, |place| place + 1);
        if let Some(moved) = row.get_mut(..end) {
            moved.rotate_right(1);
        }
        if let Some(first) = row.first_mut() {
            *first = mark;
        }
    }

    pub(super) fn has(&self, id: u64) -> bool {
        let (row, mark) = place(id);
        self.rows.get(row).is_some_and(|row| row.contains(&mark))
    }
}

/// An id in one spelling of those that an app takes for the same.
fn normal(id: &str) -> Cow<'_, str> {
    if id.len() >= 32
        && let Ok(uuid) = Uuid::try_parse(id)
    {
        return uuid.simple().to_string().into();
    }
    let number = id.trim_start_matches('0');
    if number.len() < id.len() && is_number(id) {
        return if number.is_empty() { "0" } else { number }.into();
    }
    id.into()
}

fn is_number(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// An id of any kind, as it is kept.
pub(super) fn of_any_kind(hasher: &RandomState, id: &str) -> u64 {
    hasher.hash_one((0 as KindNumber, &*normal(id)))
}

/// An id of a kind, as it is kept. Texts and UUIDs cannot be counted upwards: for these the kind does not matter.
pub(super) fn of_kind(hasher: &RandomState, kind: KindNumber, id: &str) -> u64 {
    let kind = if is_number(id) { kind } else { 0 };
    hasher.hash_one((kind, &*normal(id)))
}

/// What a request has named itself: its answer does not show that.
#[derive(Debug, Default)]
pub(crate) struct Named {
    ids: HashSet<u64>,
    /// Its body was not read.
    pub(crate) is_unread: bool,
}

impl Named {
    /// Takes each word of a text.
    pub(super) fn add(&mut self, hasher: &RandomState, text: &str) {
        let is_in_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_');
        for word in text.split(|letter| !is_in_word(letter)).filter(|word| !word.is_empty()) {
            if self.ids.len() >= MOST {
                self.is_unread = true;
                return;
            }
            self.ids.insert(of_any_kind(hasher, word));
            self.ids.insert(of_any_kind(hasher, word.trim_start_matches('-')));
        }
    }

    /// Takes a body: what is in JSON, however it is written, or the words of another text.
    pub(super) fn add_body(&mut self, hasher: &RandomState, body: &[u8], is_json: bool) {
        let json = is_json.then(|| serde_json::from_slice::<serde_json::Value>(body).ok()).flatten();
        match json {
            Some(json) => self.add_value(hasher, &json),
            None => self.add(hasher, &unquoted(body)),
        }
    }

    fn add_value(&mut self, hasher: &RandomState, value: &serde_json::Value) {
        match value {
            serde_json::Value::String(text) => self.add(hasher, text),
            serde_json::Value::Number(number) => match number.as_f64().filter(|number| number.fract() == 0.0)
            {
                // `5.0` and `5e0` are 5, too.
                Some(whole) if number.is_f64() => self.add(hasher, &format!("{whole:.0}")),
                _ => self.add(hasher, &number.to_string()),
            },
            serde_json::Value::Array(items) => items.iter().for_each(|item| self.add_value(hasher, item)),
            serde_json::Value::Object(members) => {
                for (name, value) in members {
                    self.add(hasher, name);
                    self.add_value(hasher, value);
                }
            }
            serde_json::Value::Null | serde_json::Value::Bool(_) => {}
        }
    }
}

/// Collects the ids in an answer.
pub(super) struct Finding<'f> {
    hasher: &'f RandomState,
    kinds: &'f Kinds,
    named: &'f Named,
    names: HashMap<String, Meaning>,
    pub(super) found: Vec<u64>,
}

impl<'f> Finding<'f> {
    pub(super) fn new(hasher: &'f RandomState, kinds: &'f Kinds, named: &'f Named) -> Self {
        Self { hasher, kinds, named, names: HashMap::new(), found: Vec::new() }
    }

    /// Those in an answer of JSON of an operation: what stands under a name such as `id`, `user_id` or `orderIds`,
    /// or under that of a parameter; names that are numbers or UUIDs; and parts of paths.
    pub(super) fn read(&mut self, path: &str, answer: &[u8]) {
        let below = self.kinds.of_path(path);
        let value = Some(below).filter(|kind| matches!(kind, Kind::Of(_)));
        let mut reader = serde_json::Deserializer::from_slice(answer);
        // What is not JSON shows what stood before its fault.
        let _ = Walk { finding: self, meaning: Meaning { value, below } }.deserialize(&mut reader);
    }

    /// Those in a path or a URL: what stands behind a segment that is called like a kind.
    pub(super) fn link(&mut self, link: &str) {
        if !["/", "http://", "https://"].iter().any(|start| link.starts_with(start)) {
            return;
        }
        let path = link.split(['?', '#']).next().unwrap_or_default();
        let segments = || path.split('/').filter(|segment| !segment.is_empty());
        for (before, id) in segments().zip(segments().skip(1)) {
            if let Some(kind) = self.kinds.of_segment(before) {
                self.add(Kind::Of(kind), id);
            }
        }
    }

    pub(super) fn add(&mut self, kind: Kind, id: &str) {
        let number = match kind {
            Kind::Of(number) => number,
            Kind::Other if is_number(id) => return,
            Kind::Other | Kind::Any | Kind::Around => 0,
        };
        let is_named = || self.named.ids.contains(&of_any_kind(self.hasher, id));
        if self.found.len() < MOST && !id.is_empty() && id.len() <= LONGEST && !is_named() {
            self.found.push(of_kind(self.hasher, number, id));
        }
    }

    fn meaning(&mut self, name: &str) -> Meaning {
        if let Some(known) = self.names.get(name) {
            return *known;
        }
        let meaning = self.kinds.meaning(name);
        if self.names.len() < MOST_NAMES {
            self.names.insert(name.to_owned(), meaning);
        }
        meaning
    }
}

/// A value of JSON.
struct Walk<'w, 'f> {
    finding: &'w mut Finding<'f>,
    /// What its name says of it.
    meaning: Meaning,
}

impl<'f> Walk<'_, 'f> {
    fn at(&mut self, meaning: Meaning) -> Walk<'_, 'f> {
        Walk { finding: self.finding, meaning }
    }

    fn scalar(self, id: &str) {
        if let Some(kind) = self.meaning.value {
            self.finding.add(kind, id);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let around = self.meaning.below;
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let meaning = if is_number(&name) || Uuid::try_parse(&name).is_ok() {
                self.finding.add(around, &name);
                Meaning { value: None, below: around }
            } else {
                let Meaning { value, below } = self.finding.meaning(&name);
                Meaning { value: value.map(|kind| kind.within(around)), below: below.within(around) }
            };
            map.next_value_seed(self.at(meaning))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let meaning = self.meaning;
        while items.next_element_seed(self.at(meaning))?.is_some() {}
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if text.contains('/') {
            self.finding.link(text);
        } else {
            self.scalar(text);
        }
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.scalar(&number.to_string());
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.scalar(&number.to_string());
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds() -> Kinds {
        let mut kinds = Kinds::default();
        for path in ["/orders", "/products", "/dashboard", "/carts", "/tags", "/posts"] {
            kinds.add_path(path);
        }
        for (path, name) in [
            ("/orders/{order_id}", "order_id"),
            ("/users/{user_id}", "user_id"),
            ("/carts/{cart_id}", "cart_id"),
            ("/tickets/{ticket}", "ticket"),
            ("/posts/{slug}", "slug"),
        ] {
            kinds.add_parameter(path, name);
        }
        kinds
    }

    /// Whether an answer at a path shows an id of an order, after a request that has named these.
    fn shows(path: &str, answer: &str, (what, id): (&str, &str), named: &[&str]) -> bool {
        let (kinds, hasher) = (kinds(), RandomState::new());
        let mut own = Named::default();
        for text in named {
            own.add_body(&hasher, text.as_bytes(), text.starts_with('{'));
        }
        let mut finding = Finding::new(&hasher, &kinds, &own);
        finding.read(path, answer.as_bytes());
        let mut known = Shown::default();
        finding.found.iter().for_each(|id| known.add(*id));
        let kind = kinds.of_segment(what).unwrap();
        known.has(of_kind(&hasher, kind, id)) || known.has(of_any_kind(&hasher, id))
    }

    #[test]
    fn an_id_is_shown_as_what_it_is_of() {
        let uuid = "6b29fc40-ca47-1067-b31d-00dd010662da";
        for (path, answer, what, expected) in [
            ("/orders", r#"[{"id": 7}]"#, ("orders", "7"), true),
            ("/orders", r#"{"data": {"items": [{"id": "007"}]}}"#, ("orders", "7"), true),
            ("/orders", "[7]", ("orders", "7"), true),
            (
                "/orders",
                r#"{"note": 7, "total": 7, "paid": 7, "valid": 7, "casino": 7}"#,
                ("orders", "7"),
                false,
            ),
            // Of another kind.
            ("/products", r#"[{"id": 7}]"#, ("orders", "7"), false),
            ("/orders", r#"[{"id": 7}]"#, ("users", "7"), false),
            ("/orders", r#"[{"id": 1, "user_id": 7}]"#, ("users", "7"), true),
            ("/orders", r#"[{"id": 1, "user": {"id": 7}}]"#, ("users", "7"), true),
            ("/orders", r#"[{"id": 1, "tag_ids": [7]}]"#, ("orders", "7"), false),
            // What it is of is not said.
            ("/dashboard", r#"{"recent": [{"id": 7}]}"#, ("orders", "7"), true),
            ("/dashboard", r#"{"recentOrders": [{"id": 7}]}"#, ("users", "7"), false),
            ("/orders", r#"[{"id": 1, "parent_id": 7}]"#, ("orders", "7"), true),
            // Names that are ids, and lists of ids.
            ("/carts", r#"{"carts": {"7": {"total": 1}}}"#, ("carts", "7"), true),
            ("/dashboard", r#"{"tickets": [6, 7]}"#, ("tickets", "7"), true),
            // Links, and texts that only have slashes.
            ("/dashboard", r#"{"next": "https://x.example/v1/orders/7?page=2"}"#, ("orders", "7"), true),
            ("/dashboard", r#"{"next": "/users/7/edit"}"#, ("orders", "7"), false),
            ("/dashboard", r#"{"bio": "orders/6/orders/7", "made": "7/8"}"#, ("orders", "7"), false),
            ("/dashboard", r#"{"image": "/media/orders.d/7/8.png"}"#, ("orders", "7"), false),
            // Texts are of any kind.
            ("/products", r#"[{"slug": "a-b"}]"#, ("posts", "a-b"), true),
            ("/products", r#"[{"id": "6B29FC40CA471067B31D00DD010662DA"}]"#, ("orders", uuid), true),
            ("/orders", r#"[{"id": 7}, {"id": 8"#, ("orders", "7"), true),
            ("/orders", "", ("orders", "7"), false),
        ] {
            assert_eq!(shows(path, answer, what, &[]), expected, "{path} {answer}");
        }
    }

    #[test]
    fn a_request_is_not_shown_what_it_has_named_itself() {
        let answer = r#"{"id": 7, "links": ["/orders/8"], "order_ids": [9], "uuid": "A-b"}"#;
        for (id, named) in [
            ("7", "ids=6,7"),
            ("7", "ids=6%2C7"),
            ("7", r#"{"id": "\u0037"}"#),
            ("7", r#"{"id": 7.0}"#),
            ("7", r#"{"a": [{"7": null}]}"#),
            ("7", r#"{"id": "007"}"#),
            ("8", r#"{"links": ["/orders/8"]}"#),
            ("9", "order_ids: [9]"),
            ("A-b", r#"{"uuid": "A-b"}"#),
        ] {
            assert!(shows("/orders", answer, ("orders", id), &[]), "{id}");
            assert!(!shows("/orders", answer, ("orders", id), &[named]), "{named}");
        }
        assert!(shows("/orders", answer, ("orders", "9"), &[r#"{"quantity": 99}"#]));
    }

    #[test]
    fn the_last_ids_are_remembered() {
        let hasher = RandomState::new();
        let id = |number: u64| of_kind(&hasher, 1, &number.to_string());
        let mut shown = Shown::default();
        for number in 1..=1_024 {
            shown.add(id(number));
        }
        let known = (1..=1_024).filter(|number| shown.has(id(*number))).count();
        assert!(known >= 1_020, "{known}");
        assert!(!shown.has(id(2_000)));
        for number in 2_000..100_000 {
            shown.add(id(number));
            shown.add(id(1));
        }
        assert!(shown.has(id(1)) && !shown.has(id(2)));
    }
}
