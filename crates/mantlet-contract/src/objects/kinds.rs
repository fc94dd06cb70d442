//! Of which kind an id is: `order_id` is that of an order, and so is the `id` of what stands in `orders`.
//!
//! A kind is a word that the app itself has for what its parameters name: their stem, or the last fixed segment
//! before them. Where a name says nothing, the id may be of any kind.

use std::collections::{HashMap, HashSet};

use super::words::{is_id, is_wrapper, last_word, singular, stem};

/// A kind, as its number; 0 is none.
pub type KindNumber = u32;

/// What a name says of the ids below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// They are of this one.
    Of(KindNumber),
    /// They are of something that no operation takes ids of.
    Other,
    /// It does not say.
    Any,
    /// They are of what stands around it.
    Around,
}

impl Kind {
    /// The same, in something that is about `around`.
    #[must_use]
    pub const fn within(self, around: Self) -> Self {
        match self {
            Self::Around => around,
            known => known,
        }
    }
}

/// What the name of a member of JSON says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// Its value is an id; none: it is not.
    pub value: Option<Kind>,
    /// Of which kind an `id` in its value is.
    pub below: Kind,
}

/// The kinds of an app.
#[derive(Debug, Default)]
pub struct Kinds {
    all: HashMap<String, KindNumber>,
    /// The names of parameters, as one word.
    parameters: HashMap<String, KindNumber>,
    /// What the app's paths are about, in the singular.
    nouns: HashSet<String>,
}

impl Kinds {
    /// Knows the path of an operation.
    pub fn add_path(&mut self, path: &str) {
        let fixed = path.split('/').filter(|segment| !segment.contains('{'));
        self.nouns
            .extend(fixed.filter(|segment| is_plural(segment)).map(last_word).map(|word| singular(&word)));
    }

    /// Knows a parameter that is an id, and returns its kinds.
    pub fn add_parameter(&mut self, path: &str, name: &str) -> Vec<KindNumber> {
        let start = path.split_once(&format!("{{{name}")).map_or("", |(start, _)| start);
        let mut fixed = start.rsplit('/').filter(|segment| !segment.is_empty() && !segment.contains('}'));
        let segment = fixed.next().map(|segment| singular(&last_word(segment)));
        let words = [stem(name), segment];
        let mut kinds: Vec<_> = words.into_iter().flatten().map(|word| self.number(word)).collect();
        kinds.dedup();
        if let Some(kind) = kinds.first() {
            self.parameters.entry(as_one(name)).or_insert(*kind);
        }
        kinds
    }

    fn number(&mut self, word: String) -> KindNumber {
        let next = KindNumber::try_from(self.all.len()).unwrap_or(KindNumber::MAX).saturating_add(1);
        *self.all.entry(word).or_insert(next)
    }

    /// What the name of a member says of ids in its value.
    pub fn meaning(&self, name: &str) -> Meaning {
        let word = last_word(name);
        let one = singular(&word);
        let below = if is_wrapper(&word) { Kind::Around } else { self.of(&one) };
        let value = if is_id(&one) {
            Some(stem(name).map_or(Kind::Around, |stem| self.of(&stem)))
        } else {
            let kind = self.all.get(&one).or_else(|| self.parameters.get(&as_one(name)));
            kind.map(|kind| Kind::Of(*kind))
        };
        Meaning { value, below }
    }

    /// What the path of an operation says of ids in its answer.
    pub fn of_path(&self, path: &str) -> Kind {
        let segments = path.rsplit('/').filter(|segment| !segment.is_empty() && !segment.contains('{'));
        for segment in segments.take_while(|segment| *segment != "me") {
            match self.of(&singular(&last_word(segment))) {
                Kind::Any => {}
                known => return known,
            }
        }
        Kind::Any
    }

    /// What a segment of a path says of the next one.
    pub fn of_segment(&self, segment: &str) -> Option<KindNumber> {
        self.all.get(&singular(&last_word(segment))).copied()
    }

    fn of(&self, word: &str) -> Kind {
        match self.all.get(word) {
            Some(kind) => Kind::Of(*kind),
            None if self.nouns.contains(word) => Kind::Other,
            None => Kind::Any,
        }
    }
}

fn is_plural(segment: &str) -> bool {
    let word = last_word(segment);
    singular(&word) != word
}

fn as_one(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_of_which_kind_an_id_is() {
        let mut kinds = Kinds::default();
        for path in ["/orders", "/orders/{order_id}", "/products", "/dashboard", "/users/me"] {
            kinds.add_path(path);
        }
        let order = kinds.add_parameter("/orders/{order_id}", "order_id");
        assert_eq!(order.len(), 1);
        let line = kinds.add_parameter("/orders/{order_id}/lines/{number}", "number");
        let invoice = kinds.add_parameter("/inv/INV-{invoiceId}", "invoiceId");
        let owner = kinds.add_parameter("/users/{owner_id}/x", "owner_id");
        let ticket = kinds.add_parameter("/tickets/{ticket}", "ticket");
        assert_eq!((line.len(), invoice.len(), owner.len(), ticket.len()), (1, 2, 2, 1));
        let order = Kind::Of(order[0]);
        for (path, kind) in [
            ("/orders", order),
            ("/orders/search", order),
            ("/orders/{order_id}/lines", Kind::Of(line[0])),
            ("/products", Kind::Other),
            ("/dashboard", Kind::Any),
            ("/users/me", Kind::Any),
            ("/users/me/orders", order),
        ] {
            assert_eq!(kinds.of_path(path), kind, "{path}");
        }
        for (name, value, below) in [
            ("id", Some(Kind::Around), Kind::Any),
            ("_id", Some(Kind::Around), Kind::Any),
            ("order_id", Some(order), Kind::Any),
            ("orderIds", Some(order), Kind::Any),
            ("recentOrders", Some(order), order),
            ("data", None, Kind::Around),
            ("recent", None, Kind::Any),
            ("product_id", Some(Kind::Other), Kind::Any),
            ("parent_id", Some(Kind::Any), Kind::Any),
            ("tickets", Some(Kind::Of(ticket[0])), Kind::Of(ticket[0])),
            ("paid", None, Kind::Any),
            ("valid", None, Kind::Any),
            ("casino", None, Kind::Any),
        ] {
            let meaning = kinds.meaning(name);
            assert_eq!(meaning.value, value, "{name}");
            // Below a name such as `order_id` there is nothing.
            if meaning.value.is_none() {
                assert_eq!(meaning.below, below, "{name}");
            }
        }
        assert_eq!((Kind::Around.within(order), Kind::Any.within(order)), (order, Kind::Any));
    }
}
