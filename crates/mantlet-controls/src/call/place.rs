//! The place in the app that a request leads to, however its path is spelled. All settings apply to
//! the place.
//!
//! With `FastAPI(root_path="/api")`, `/search` and `/api/search` are one operation. It has one
//! limit, one count and one setting, whichever spelling the configuration or the client uses. The
//! app gets the path as the client sent it.

use mantlet_contract::routes::{Roots, Start};

/// The place that a path leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    start: Start,
    /// Spellings besides the client's and the app's own. Empty if the app has no root path, or if
    /// there is only one spelling.
    others: Box<[Box<str>]>,
}

/// The spellings of a path: the app's own first.
#[derive(Debug, Clone, Copy)]
pub struct Spellings<'p> {
    own: &'p str,
    sent: Option<&'p str>,
    others: &'p [Box<str>],
}

impl Place {
    /// The place of a path in an app with these root paths.
    pub fn of(path: &str, roots: &Roots) -> Self {
        if roots.is_empty() {
            return Self::default();
        }
        let start = roots.start_in(path);
        let own = path.get(start.at..).unwrap_or_default();
        let others = roots.all().filter(|root| root.len() != start.at || !path.starts_with(root));
        Self { start, others: others.map(|root| format!("{root}{own}").into()).collect() }
    }

    /// Where the part that the app routes by begins.
    pub const fn start(&self) -> Start {
        self.start
    }

    /// The path that the app routes by.
    pub fn own<'p>(&self, path: &'p str) -> &'p str {
        path.get(self.start.at..).unwrap_or_default()
    }

    /// All spellings of the path.
    pub fn spellings<'p>(&'p self, path: &'p str) -> Spellings<'p> {
        let sent = (self.start.at > 0).then_some(path);
        Spellings { own: self.own(path), sent, others: &self.others }
    }
}

impl<'p> Spellings<'p> {
    /// Of a path that has one.
    pub const fn one(path: &'p str) -> Self {
        Self { own: path, sent: None, others: &[] }
    }

    /// The app's own.
    pub const fn own(&self) -> &'p str {
        self.own
    }

    /// All of them, the app's own first.
    pub fn iter(&self) -> impl Iterator<Item = &'p str> + use<'p> {
        let others = self.others;
        std::iter::once(self.own).chain(self.sent).chain(others.iter().map(|other| &**other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_an_operation_are_known_whichever_came() {
        let spellings = |path, roots: &[&str]| {
            let place = Place::of(path, &Roots::new(roots.iter().copied()));
            place.spellings(path).iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(spellings("/search", &[]), ["/search"]);
        assert_eq!(spellings("/search", &["/api"]), ["/search", "/api/search"]);
        assert_eq!(spellings("/api/search", &["/api"]), ["/search", "/api/search"]);
        assert_eq!(spellings("/v1/x", &["/v"]), ["/v1/x", "/v/v1/x"]);
        assert_eq!(spellings("/b/x", &["/a", "/b"]), ["/x", "/b/x", "/a/x"]);
        assert_eq!(spellings("/api", &["/api"]), ["", "/api"]);
    }
}
