//! A quick look at an answer: is everything in it the caller's? Nearly always it is, and then nothing else has
//! to be known of it. The text is read once, and no tree is made.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What the caller's attribute is.
#[derive(Debug)]
pub(super) struct Values<'v> {
    pub(super) texts: &'v [String],
    numbers: Vec<u64>,
}

impl<'v> Values<'v> {
    pub(super) fn of(texts: &'v [String]) -> Self {
        let plain = |text: &String| text.parse().ok().filter(|number: &u64| number.to_string() == *text);
        Self { texts, numbers: texts.iter().filter_map(plain).collect() }
    }
}

/// Whether the owner at this place is the caller. `false` if that is not sure.
pub(super) fn is_own(body: &[u8], owner: &[Box<str>], own: &Values<'_>) -> bool {
    read(body, Walk { steps: owner, then: Then::Owner(own) })
}

/// The same for each item of a list.
pub(super) fn are_own(body: &[u8], items: &[Box<str>], owner: &[Box<str>], own: &Values<'_>) -> bool {
    read(body, Walk { steps: items, then: Then::Items(owner, own) })
}

fn read(body: &[u8], walk: Walk<'_>) -> bool {
    let mut reader = serde_json::Deserializer::from_slice(body);
    walk.deserialize(&mut reader).is_ok() && reader.end().is_ok()
}

/// The way to a value, and what it has to be.
#[derive(Clone, Copy)]
struct Walk<'w> {
    steps: &'w [Box<str>],
    then: Then<'w>,
}

#[derive(Clone, Copy)]
enum Then<'w> {
    /// The owner.
    Owner(&'w Values<'w>),
    /// A list of objects with an owner here.
    Items(&'w [Box<str>], &'w Values<'w>),
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what is the caller's")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.steps.split_first() else { return Err(A::Error::custom("an object")) };
        let mut found = 0;
        while let Some(is_it) = map.next_key_seed(Is(step))? {
            if is_it {
                found += 1;
                map.next_value_seed(Walk { steps: rest, ..self })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        // Clients differ in which of two they read.
        if found == 1 { Ok(()) } else { Err(A::Error::custom("not one")) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        match self.then {
            Then::Items(owner, own) if self.steps.is_empty() => {
                let mut is_any = false;
                while items.next_element_seed(Walk { steps: owner, then: Then::Owner(own) })?.is_some() {
                    is_any = true;
                }
                // An empty list shows nothing.
                if is_any { Ok(()) } else { Err(A::Error::custom("no item")) }
            }
            _ => Err(A::Error::custom("a list")),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        match self.then {
            Then::Owner(own) if self.steps.is_empty() && own.texts.iter().any(|own| own == text) => Ok(()),
            _ => Err(E::custom("a text")),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        match self.then {
            Then::Owner(own) if self.steps.is_empty() && own.numbers.contains(&number) => Ok(()),
            _ => Err(E::custom("a number")),
        }
    }
}

/// Whether a key is this one.
struct Is<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        Ok(text == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Vec<Box<str>> {
        text.split('/').filter(|step| !step.is_empty()).map(Into::into).collect()
    }

    #[test]
    fn a_glance_is_sure_or_says_nothing() {
        let texts = ["7".to_owned(), "ann".to_owned()];
        let own = Values::of(&texts);
        for (body, place, expected) in [
            (r#"{"a": 1, "user_id": 7}"#, "user_id", true),
            (r#"{"user_id": "7"}"#, "user_id", true),
            (r#"{"user_id": "ann", "more": {"user_id": 8}}"#, "user_id", true),
            (r#"{"us\u0065r_id": 7}"#, "user_id", true),
            (r#"{"user": {"id": 7}}"#, "user/id", true),
            (r#"{"user_id": 8}"#, "user_id", false),
            (r#"{"user_id": 7, "user_id": 8}"#, "user_id", false),
            (r#"{"user_id": 7, "us\u0065r_id": 7}"#, "user_id", false),
            (r#"{"user_id": [7]}"#, "user_id", false),
            (r#"{"user_id": 7.0}"#, "user_id", false),
            (r#"{"user_id": null}"#, "user_id", false),
            (r#"{"user_id": {}}"#, "user_id", false),
            (r#"{"other": 7}"#, "user_id", false),
            (r#"{"user_id": 7} {"user_id": 8}"#, "user_id", false),
            (r#"{"user_id": 7, "text": NaN}"#, "user_id", false),
            (r#"{"user_id": 7"#, "user_id", false),
            ("7", "user_id", false),
        ] {
            assert_eq!(is_own(body.as_bytes(), &steps(place), &own), expected, "{body}");
        }
        for (body, items, expected) in [
            (r#"[{"user_id": 7}, {"user_id": "ann"}]"#, "", true),
            ("[]", "", false),
            (r#"{"data": [{"user_id": 7}], "count": 1}"#, "data", true),
            (r#"[{"user_id": 7}, {"user_id": 8}]"#, "", false),
            (r#"[{"user_id": 7}, {}]"#, "", false),
            (r#"[{"user_id": 7}, null]"#, "", false),
            (r#"{"data": [{"user_id": 7}], "data": [{"user_id": 7}]}"#, "data", false),
            (r#"{"data": {"user_id": 7}}"#, "data", false),
            (r#"{"user_id": 7}"#, "", false),
        ] {
            assert_eq!(are_own(body.as_bytes(), &steps(items), &steps("user_id"), &own), expected, "{body}");
        }
    }
}
