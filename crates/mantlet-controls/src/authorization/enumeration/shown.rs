//! Ids that answers have shown a caller.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use uuid::Uuid;

/// The last of them, 1,024: each has a row by its hash, where it takes the place of the oldest.
#[derive(Debug)]
pub(super) struct Shown {
    rows: Box<[[u32; IN_ROW]; ROWS]>,
}

const ROWS: usize = 128;
const IN_ROW: usize = 8;
/// Bytes of the longest id.
const LONGEST: usize = 128;
/// Ids that are looked at in one answer.
const MOST: usize = 4_096;

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
pub(super) fn normal(id: &str) -> Cow<'_, str> {
    if id.len() >= 32
        && let Ok(uuid) = Uuid::try_parse(id)
    {
        return uuid.simple().to_string().into();
    }
    let number = id.trim_start_matches('0');
    if number.len() < id.len() && id.bytes().all(|byte| byte.is_ascii_digit()) {
        return if number.is_empty() { "0" } else { number }.into();
    }
    id.into()
}

/// Calls this with each id in an answer of JSON: what stands under a name such as `id`, `user_id`, `orderIds` or
/// `slug`, and the parts of paths and URLs.
pub(super) fn each_id(answer: &[u8], then: impl FnMut(&str)) {
    let mut reader = serde_json::Deserializer::from_slice(answer);
    let mut found = Found { then, left: MOST };
    // What is not JSON shows what stood before its fault.
    let _ = Walk { found: &mut found, is_id: false }.deserialize(&mut reader);
}

struct Found<F> {
    then: F,
    left: usize,
}

impl<F: FnMut(&str)> Found<F> {
    fn add(&mut self, id: &str) {
        if self.left > 0 && !id.is_empty() && id.len() <= LONGEST {
            self.left -= 1;
            (self.then)(&normal(id));
        }
    }
}

struct Walk<'f, F> {
    found: &'f mut Found<F>,
    /// It stands under the name of an id.
    is_id: bool,
}

impl<'de, F: FnMut(&str)> DeserializeSeed<'de> for Walk<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&str)> Visitor<'de> for Walk<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(is_id) = map.next_key_seed(Name)? {
            map.next_value_seed(Walk { found: &mut *self.found, is_id })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Walk { found: &mut *self.found, is_id: self.is_id })?.is_some() {}
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if text.contains('/') {
            // A link shows all ids in it.
            let path = text.split(['?', '#']).next().unwrap_or_default();
            path.split('/').for_each(|part| self.found.add(part));
        } else if self.is_id {
            self.found.add(text);
        }
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        if self.is_id {
            self.found.add(&number.to_string());
        }
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        if self.is_id {
            self.found.add(&number.to_string());
        }
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

/// Whether a name is that of an id.
struct Name;

/// How such names end.
const ENDINGS: [&str; 14] = [
    "id", "ids", "uuid", "uuids", "guid", "slug", "slugs", "key", "keys", "code", "number", "pk", "name",
    "no",
];

impl<'de> DeserializeSeed<'de> for Name {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<bool, E> {
        let ends = |ending: &str| {
            let start = name.len().checked_sub(ending.len());
            start.and_then(|start| name.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(ending))
        };
        Ok(ENDINGS.iter().any(|ending| ends(ending)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(answer: &str) -> Vec<String> {
        let mut found = Vec::new();
        each_id(answer.as_bytes(), |id| found.push(id.to_owned()));
        found
    }

    #[test]
    fn ids_are_found_wherever_they_stand() {
        let answer = r#"{"data": [{"id": 7, "total": 12, "userId": "b"}, {"_id": "00A0"}], "tag_ids": [1, [2]],
            "next": "/orders/9?page=2", "slug": null, "note": "seven", "ok": true, "weight": 1.5, "pk": -3}"#;
        assert_eq!(ids(answer), ["7", "b", "00A0", "1", "2", "orders", "9", "-3"]);
        assert_eq!(ids("[{\"id\": 1}, {\"id\": 2"), ["1", "2"]);
        assert_eq!(ids(""), Vec::<String>::new());
        assert_eq!(
            ids("{\"id\": \"6B29FC40-CA47-1067-B31D-00DD010662DA\"}"),
            ["6b29fc40ca471067b31d00dd010662da"]
        );
        assert_eq!((normal("007"), normal("0"), normal("07a")), ("7".into(), "0".into(), "07a".into()));
    }

    #[test]
    fn the_last_ids_are_remembered() {
        let mut shown = Shown::default();
        let id = |number: u64| number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for number in 1..=500 {
            shown.add(id(number));
        }
        let known = (1..=500).filter(|number| shown.has(id(*number))).count();
        assert!(known >= 490, "{known}");
        assert!(!shown.has(id(501)));
        for number in 1_000..100_000 {
            shown.add(id(number));
            shown.add(id(1));
        }
        assert!(shown.has(id(1)) && !shown.has(id(2)));
    }
}
