//! Where objects can be read.

use super::{Located, words::is_called};
use crate::model::{Shown, ShownAs};

/// An operation that shows an object with its owner, by its key alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'p, 'c> {
    pub(super) path: &'p str,
    /// The parameter that is the key.
    pub(super) parameter: &'c str,
    /// Where the answer has the owner.
    pub(super) owner: &'c str,
    pub(super) shown: &'c Shown,
}

pub(super) struct Readers<'p, 'c>(pub(super) &'p [Located<'c>]);

impl<'p, 'c> Readers<'p, 'c> {
    /// Where an object of a table is read for an operation at a path. If there are several places, what
    /// is shown at one may not be there at another (a trash): the path has to be below it, or it has to be
    /// the only one that is called like the table.
    pub(super) fn of(&self, table: &str, by: Option<&str>, path: &str) -> Option<Reader<'p, 'c>> {
        let all = self.all(table, by);
        let above =
            all.iter().filter(|one| path.strip_prefix(one.path).is_some_and(|rest| rest.starts_with('/')));
        let only = |all: Vec<Reader<'p, 'c>>| <[Reader<'p, 'c>; 1]>::try_from(all).ok().map(|[one]| one);
        let called = || all.iter().copied().filter(|one| is_called(one.collection(), table)).collect();
        above.copied().next().or_else(|| only(all.clone())).or_else(|| only(called()))
    }

    /// All places where objects of a table are read.
    pub(super) fn all(&self, table: &str, by: Option<&str>) -> Vec<Reader<'p, 'c>> {
        let readers = self.0.iter().filter_map(|one| {
            let shown = one
                .shows()
                .filter(|shown| one.is_get() && shown.table == table && shown.shown_as == ShownAs::One)?;
            // Last of what is asked of each operation for each table, because it takes words apart.
            if one.is_for_administrators() {
                return None;
            }
            let (parameter, field) = one.key_of(table)?;
            let is_segment =
                one.path.split('/').any(|segment| segment.starts_with('{') && segment.ends_with('}'));
            let is_alone = one.parameters().eq([parameter]) && is_segment && by.is_none_or(|by| by == field);
            let owner = shown.owner.as_deref()?;
            Some(Reader { path: one.path.as_str(), parameter, owner, shown }).filter(|_| is_alone)
        });
        readers.collect()
    }
}

impl<'p> Reader<'p, '_> {
    /// Its path with something else in the place of its parameter.
    pub(super) fn at(&self, instead: &str) -> String {
        with_parameter(self.path, self.parameter, instead)
    }

    /// What stands before its parameter: `/orders/`.
    pub(super) fn prefix(&self) -> &'p str {
        self.path.split('{').next().unwrap_or_default()
    }

    /// The last segment of that: `orders`.
    fn collection(&self) -> &'p str {
        self.prefix().trim_end_matches('/').rsplit('/').next().unwrap_or_default()
    }
}

/// A path with something else in the place of a parameter.
fn with_parameter(path: &str, name: &str, instead: &str) -> String {
    let is_it = |segment: &str| {
        segment.strip_prefix('{').and_then(|inside| inside.split([':', '}']).next()) == Some(name)
    };
    path.split('/')
        .map(|segment| if is_it(segment) { instead } else { segment })
        .collect::<Vec<_>>()
        .join("/")
}
