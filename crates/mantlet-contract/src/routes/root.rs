//! The root path of an app: it answers `/search` and, with `FastAPI(root_path="/api")`, `/api/search` as the same operation.

/// The paths below which an app may be asked as well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roots(Vec<Box<str>>);

/// Where in a path begins what an app routes by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Start {
    /// Bytes before it.
    pub at: usize,
    /// The app has a root path, and this path does not begin with it. Then an app that is mounted in it sees the whole path, as Starlette has it.
    pub lacks_root: bool,
}

impl Roots {
    /// Of these paths the empty ones are none.
    pub fn new<'r>(roots: impl IntoIterator<Item = &'r str>) -> Self {
        let mut all: Vec<Box<str>> =
            roots.into_iter().filter(|root| !root.is_empty()).map(Into::into).collect();
        // Of two that fit, the longer one says more.
        all.sort_by_key(|root| std::cmp::Reverse(root.len()));
        all.dedup();
        Self(all)
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, the longest first.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|root| &**root)
    }

    /// Where what is routed by begins: after a root path, but only where a segment ends (`get_route_path` of Starlette).
    pub fn start_in(&self, path: &str) -> Start {
        let fits = |root: &&str| {
            path.strip_prefix(*root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match self.all().find(fits) {
            Some(root) => Start { at: root.len(), lacks_root: false },
            None => Start { at: 0, lacks_root: !self.is_empty() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_path_ends_where_a_segment_does() {
        let roots = Roots::new(["/v", "", "/api", "/api/v1"]);
        for (path, own) in [
            ("/v/x", "/x"),
            ("/v1/x", "/v1/x"),
            ("/api/v1/x", "/x"),
            ("/api/v2/x", "/v2/x"),
            ("/api", ""),
            ("/API/x", "/API/x"),
            ("/x", "/x"),
        ] {
            let start = roots.start_in(path);
            assert_eq!((&path[start.at..], start.lacks_root), (own, own == path), "{path}");
        }
        assert_eq!(Roots::new([""]).start_in("/x"), Start::default());
        // With a slash at its end it fits before a further one, as Starlette has it.
        assert_eq!(Roots::new(["/api/"]).start_in("/api/x").at, 0);
        assert_eq!(Roots::new(["/api/"]).start_in("/api//x").at, 5);
    }
}
