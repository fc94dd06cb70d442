//! What a configuration says for paths, methods and tags, by the requests that it applies to.

use std::collections::HashMap;

use http::Method;

use crate::{
    call::Spellings,
    config::template::{as_get, shape, template, with_empty_rest},
};

/// The operations to which an entry applies: all that are left out, apply to all.
pub(crate) struct Target<'c> {
    pub(crate) paths: &'c [String],
    pub(crate) methods: Vec<Method>,
    pub(crate) tags: &'c [String],
}

/// Entries by the operations to which they apply: a lookup costs the length of the path and the number
/// of tags, not the number of entries.
#[derive(Debug)]
pub(crate) struct Selection<T> {
    all: Vec<Entry<T>>,
    /// Those without paths and tags.
    everywhere: Vec<usize>,
    by_path: matchit::Router<usize>,
    /// The router's values.
    of_path: Vec<OfPath>,
    by_tag: HashMap<Box<str>, Vec<usize>>,
}

/// The entries of a template.
#[derive(Debug)]
struct OfPath {
    template: String,
    /// Without the names of its parameters.
    shape: String,
    numbers: Vec<usize>,
    /// Matches what it does, alone.
    router: matchit::Router<()>,
    /// Other templates that may match the same paths, less precisely.
    others: Vec<usize>,
}

#[derive(Debug)]
struct Entry<T> {
    item: T,
    /// None means all.
    methods: Vec<Method>,
    /// With paths as well.
    tags: Vec<Box<str>>,
}

impl<T> Default for Selection<T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            everywhere: Vec::new(),
            by_path: matchit::Router::new(),
            of_path: Vec::new(),
            by_tag: HashMap::new(),
        }
    }
}

impl<T> Selection<T> {
    /// Adds an entry; fails with what is wrong with its paths.
    pub(crate) fn add(&mut self, item: T, target: &Target<'_>) -> Result<(), String> {
        let number = self.all.len();
        for path in target.paths {
            if !path.starts_with('/') {
                return Err(format!("`{path}` has no leading `/`"));
            }
        }
        let all = target.paths.iter().flat_map(|path| templates(path).map(move |template| (path, template)));
        for (path, template) in all {
            if let Some(known) = self.of_path.iter_mut().find(|known| known.template == template) {
                known.numbers.push(number);
                continue;
            }
            let mut router = matchit::Router::new();
            let inserted = self.by_path.insert(template.clone(), self.of_path.len());
            inserted.and_then(|()| router.insert(template.clone(), ())).map_err(|error| match error {
                matchit::InsertError::Conflict { with } => {
                    format!("`{path}` matches the same paths as `{with}`")
                }
                _ => format!("`{path}` is not a path template"),
            })?;
            let (place, mut others) = (self.of_path.len(), Vec::new());
            for (other, known) in self.of_path.iter_mut().enumerate() {
                if may_meet(&known.template, &template) {
                    known.others.push(place);
                    others.push(other);
                }
            }
            let shape = shape(path);
            self.of_path.push(OfPath { template, shape, numbers: vec![number], router, others });
        }
        if target.paths.is_empty() && target.tags.is_empty() {
            self.everywhere.push(number);
        }
        if target.paths.is_empty() {
            for tag in target.tags {
                self.by_tag.entry(tag.as_str().into()).or_default().push(number);
            }
        }
        let tags = target.tags.iter().map(|tag| tag.as_str().into()).collect();
        self.all.push(Entry { item, methods: target.methods.clone(), tags });
        Ok(())
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of them, in their order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.all.iter().map(|entry| &entry.item)
    }

    /// The entries that apply to a request, in their order.
    pub(crate) fn of(
        &self,
        method: &Method,
        path: Spellings<'_>,
        tags: &[String],
    ) -> impl Iterator<Item = &T> {
        self.of_templates(method, path, tags, |_| true)
    }

    /// The same, of those templates alone of which this says so, by their shapes.
    pub(crate) fn of_templates(
        &self,
        method: &Method,
        path: Spellings<'_>,
        tags: &[String],
        counts: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = &T> {
        let mut numbers = self.everywhere.clone();
        for path in path.iter() {
            // The router knows the most precise template; an entry for a less precise one holds too.
            if let Some(found) = self.by_path.at(path).ok().and_then(|found| self.of_path.get(*found.value)) {
                let others = found.others.iter().filter_map(|other| self.of_path.get(*other));
                let others = others.filter(|other| other.router.at(path).is_ok());
                let all = std::iter::once(found).chain(others).filter(|one| counts(&one.shape));
                numbers.extend(all.flat_map(|one| &one.numbers));
            }
        }
        if !self.by_tag.is_empty() {
            numbers.extend(tags.iter().filter_map(|tag| self.by_tag.get(&**tag)).flatten());
        }
        numbers.sort_unstable();
        numbers.dedup();
        let entries = numbers.into_iter().filter_map(|number| self.all.get(number));
        let applies = |entry: &&Entry<T>| {
            (entry.methods.is_empty()
                || entry.methods.contains(method)
                || as_get(method).is_some_and(|get| entry.methods.contains(get)))
                && (entry.tags.is_empty()
                    || entry.tags.iter().any(|tag| tags.iter().any(|own| **own == **tag)))
        };
        entries.filter(applies).map(|entry| &entry.item)
    }
}

/// As the router writes a path.
fn templates(path: &str) -> impl Iterator<Item = String> {
    let template = template(path);
    let empty = with_empty_rest(&template).map(str::to_owned);
    [Some(template), empty].into_iter().flatten()
}

/// Whether two templates may match the same path.
fn may_meet(one: &str, other: &str) -> bool {
    let (mut ours, mut theirs) = (one.split('/'), other.split('/'));
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            // One of them ends in a wildcard.
            (Some(part), _) | (_, Some(part)) if part.contains("{*") => return true,
            (Some(ours), Some(theirs)) if ours == theirs || ours.contains('{') || theirs.contains('{') => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_for_a_more_precise_path_lifts_no_other() {
        let mut entries = Selection::<&str>::default();
        for (name, path, method) in [
            ("item", "/items/{item_id}", None),
            ("seventh", "/items/7", Some(Method::DELETE)),
            ("everything", "/{path:path}", None),
            ("pictures", "/items/{item_id}/picture", None),
        ] {
            let (paths, methods) = ([path.to_owned()], Vec::from_iter(method));
            entries.add(name, &Target { paths: &paths, methods, tags: &[] }).unwrap();
        }
        let of =
            |method, path| -> Vec<_> { entries.of(&method, Spellings::one(path), &[]).copied().collect() };
        assert_eq!(of(Method::GET, "/items/7"), ["item", "everything"]);
        assert_eq!(of(Method::DELETE, "/items/7"), ["item", "seventh", "everything"]);
        assert_eq!(of(Method::GET, "/items/8"), ["item", "everything"]);
        assert_eq!(of(Method::GET, "/items/7/picture"), ["everything", "pictures"]);
        assert_eq!(of(Method::GET, "/other/x/y/z"), ["everything"]);
        assert_eq!(of(Method::GET, "/"), ["everything"], "FastAPI's `path` may be empty");
    }
}
