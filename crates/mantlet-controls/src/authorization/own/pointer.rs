//! Places in a JSON text (RFC 6901).

use mantlet_contract::json::{Item, Kind};

/// A JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Pointer(Vec<Box<str>>);

impl Pointer {
    /// None if it is not one: a `/` before each step, `~0` for `~`, `~1` for `/`.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let steps = text.strip_prefix('/')?.split('/');
        let step = |step: &str| {
            let is_escaped = |at: usize| step.get(at + 1..).is_some_and(|rest| rest.starts_with(['0', '1']));
            let is_sound = step.match_indices('~').all(|(at, _)| is_escaped(at));
            is_sound.then(|| step.replace("~1", "/").replace("~0", "~").into())
        };
        steps.map(step).collect::<Option<_>>().map(Self)
    }

    /// Whether there is nothing at this place for sure: an object that could have it has not.
    pub(super) fn is_absent(&self, root: Item<'_>) -> bool {
        let mut item = root;
        for step in &self.0 {
            let Kind::Object(members) = item.kind() else { return false };
            let mut found = members.filter(|member| member.key == Some(step));
            match (found.next(), found.next()) {
                (None, _) => return true,
                (Some(member), None) => item = member.value,
                (Some(_), Some(_)) => return false,
            }
        }
        false
    }

    /// The same place in all spellings of its steps. A step that this gives no others for has one.
    pub(super) fn spelled<'s>(&self, others: impl Fn(&str) -> Option<&'s [Box<str>]>) -> Vec<Self> {
        let mut all = vec![Self::default()];
        for step in &self.0 {
            let spellings = others(step).unwrap_or(std::slice::from_ref(step));
            let longer = |path: &Self, step: &str| Self([&*path.0, &[Box::from(step)]].concat());
            all = all.iter().flat_map(|path| spellings.iter().map(move |step| longer(path, step))).collect();
        }
        all
    }

    pub(super) fn steps(&self) -> &[Box<str>] {
        &self.0
    }

    /// The value at this place. None if there is none, or more than one: clients differ in which of two
    /// members they read.
    pub(super) fn find<'a>(&self, root: Item<'a>) -> Option<Item<'a>> {
        self.0.iter().try_fold(root, |item, step| match item.kind() {
            Kind::Object(members) => {
                let mut found = members.filter(|member| member.key == Some(step));
                found.next().filter(|_| found.next().is_none()).map(|member| member.value)
            }
            Kind::Array(mut items) => items.nth(step.parse().ok()?),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use mantlet_contract::json::{Limits, parse};

    use super::*;

    #[test]
    fn a_pointer_finds_one_value_or_none() {
        let body = br#"{"a": {"b": [10, {"c/d~e": 7}]}, "two": 1, "two": 2, "": 3}"#;
        let json = parse(body, Limits::default()).unwrap();
        for (text, expected) in [
            ("/a/b/0", Some("10")),
            ("/a/b/1/c~1d~0e", Some("7")),
            ("/", Some("3")),
            ("/a/b/2", None),
            ("/a/x", None),
            ("/a/b/0/c", None),
            ("/two", None),
        ] {
            let found = Pointer::read(text).unwrap().find(json.root());
            assert_eq!(
                found.map(|item| std::str::from_utf8(&body[item.span()]).unwrap()),
                expected,
                "{text}"
            );
        }
        assert_eq!(Pointer::read("").unwrap().find(json.root()).unwrap().span(), 0..body.len());
        for wrong in ["a", "a/b", "/~2", "/~"] {
            assert_eq!(Pointer::read(wrong), None, "{wrong}");
        }
    }
}
