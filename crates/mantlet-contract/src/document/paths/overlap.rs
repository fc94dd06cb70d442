//! Templates that fit the same path, and which of them the app would ask.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::dialect::Dialect;
use crate::model::Route;

/// Steps to find templates that fit the same path; where it takes more, none with parameters is judged.
const MAX_STEPS: usize = 2_000_000;

pub(super) struct Overlaps {
    dialect: Dialect,
    templates: Vec<Known>,
    indices: HashMap<String, usize>,
    tree: Tree,
}

struct Known {
    path: String,
    /// The server's prefix, which the path begins with.
    prefix: String,
    segments: Vec<Segment>,
    /// With the place of each operation.
    methods: BTreeMap<String, String>,
    /// Methods that came from two operations, and it is not known which one applies: prefixes of
    /// servers can do that.
    twice: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Text(String),
    /// A parameter with text before and after it; what stands between several is not looked at.
    Mixed(String, String),
    Parameter,
}

#[derive(Default)]
struct Tree {
    texts: HashMap<String, Tree>,
    others: Option<Box<Tree>>,
    ends: Vec<usize>,
}

impl Overlaps {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, templates: Vec::new(), indices: HashMap::new(), tree: Tree::default() }
    }

    pub(super) fn add(&mut self, prefix: &str, path: &str, method: &str, at: &str) {
        let index = *self.indices.entry(path.to_owned()).or_insert_with(|| {
            let segments: Vec<_> = path.split('/').skip(1).map(Segment::of).collect();
            let index = self.templates.len();
            self.tree.insert(&segments, index);
            self.templates.push(Known {
                path: path.to_owned(),
                prefix: prefix.to_owned(),
                segments,
                methods: BTreeMap::new(),
                twice: BTreeSet::new(),
            });
            index
        });
        if let Some(known) = self.templates.get_mut(index)
            && known.methods.insert(method.to_owned(), at.to_owned()).is_some()
        {
            known.twice.insert(method.to_owned());
        }
    }

    /// The routes in the order in which they are to be tried.
    pub(super) fn resolve(&self, routes: Vec<Route>, mut note: impl FnMut(&str, String)) -> Vec<Route> {
        let mut unjudged: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut steps = MAX_STEPS;
        for (index, known) in self.templates.iter().enumerate() {
            let mut found = Vec::new();
            self.tree.collect(&known.segments, &mut found, &mut steps);
            if steps == 0 {
                note(
                    "#/paths",
                    "too many paths fit each other's templates, so none with parameters is checked"
                        .to_owned(),
                );
                let all = |known: &Known| (known.path.clone(), known.methods.keys().cloned().collect());
                unjudged = self.templates.iter().filter(|known| !known.is_concrete()).map(all).collect();
                break;
            }
            for method in &known.twice {
                let at = known.methods.get(method).map_or("#/paths", String::as_str);
                note(
                    at,
                    format!(
                        "`{}` is also another operation's with a server's prefix, so it is not checked",
                        known.path
                    ),
                );
                unjudged.entry(known.path.clone()).or_default().insert(method.clone());
            }
            // Each pair once: this one comes first in the document.
            for other in
                found.into_iter().filter(|other| *other > index).filter_map(|other| self.templates.get(other))
            {
                let shared: Vec<_> =
                    known.methods.iter().filter(|(method, _)| other.methods.contains_key(*method)).collect();
                let meet = known.segments.iter().zip(&other.segments).all(|(one, other)| one.meets(other));
                if !meet || shared.is_empty() || known.beats(other, self.dialect) {
                    continue;
                }
                let both = both(known, other);
                for (method, at) in shared {
                    // Said of the paths without a prefix, it need not be said of those with it.
                    let is_known = !known.prefix.is_empty() && known.prefix == other.prefix;
                    let mut note = |at: &str, why: String| {
                        if !is_known {
                            note(at, why);
                        }
                    };
                    note(
                        at,
                        format!(
                            "`{}` and `{}` both fit `{both}`, and the document does not say which it is, so it is not checked",
                            known.path, other.path
                        ),
                    );
                    unjudged.entry(both.clone()).or_default().insert(method.clone());
                }
            }
        }
        let unjudged = unjudged.into_iter().map(|(path, methods)| Route::Http {
            convertors: BTreeMap::new(),
            path,
            methods: methods.into_iter().collect(),
            hidden: false,
            docs: false,
            operation: None,
        });
        // Paths without parameters win; where that is not sure, they were dealt with above.
        let is_concrete = |route: &Route| matches!(route, Route::Http { path, .. } if !path.contains('{'));
        let (concrete, templated): (Vec<_>, Vec<_>) = routes.into_iter().partition(is_concrete);
        unjudged.chain(concrete).chain(templated).collect()
    }
}

impl Known {
    fn is_concrete(&self) -> bool {
        self.segments.iter().all(|segment| matches!(segment, Segment::Text(_)))
    }

    /// Whether it is sure who wins, for two that overlap and stand in this order. The first one has to be more precise; the
    /// standard lets paths without parameters win in any order.
    fn beats(&self, later: &Self, dialect: Dialect) -> bool {
        if dialect == Dialect::Other && self.is_concrete() != later.is_concrete() {
            return true;
        }
        let precise = |segment: &Segment| match segment {
            Segment::Text(_) => 3,
            Segment::Mixed(before, after) if before.is_empty() && after.is_empty() => 1,
            Segment::Mixed(..) => 2,
            Segment::Parameter => 0,
        };
        let pairs =
            || self.segments.iter().zip(&later.segments).map(|(one, other)| (precise(one), precise(other)));
        pairs().all(|(one, other)| one >= other) && pairs().any(|(one, other)| one > other)
    }
}

impl Segment {
    fn of(text: &str) -> Self {
        let Some((before, after)) =
            text.split_once('{').zip(text.rsplit_once('}')).map(|(one, other)| (one.0, other.1))
        else {
            return Self::Text(text.to_owned());
        };
        if before.is_empty() && after.is_empty() && text.matches('{').count() == 1 {
            return Self::Parameter;
        }
        Self::Mixed(before.to_owned(), after.to_owned())
    }

    /// Whether something may fit both.
    fn meets(&self, other: &Self) -> bool {
        let alike = |one: &str, other: &str| one.starts_with(other) || other.starts_with(one);
        let alike_at_end = |one: &str, other: &str| one.ends_with(other) || other.ends_with(one);
        match (self, other) {
            // A parameter is never empty.
            (Self::Text(text), Self::Parameter) | (Self::Parameter, Self::Text(text)) => !text.is_empty(),
            (Self::Parameter, _) | (_, Self::Parameter) => true,
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Text(text), Self::Mixed(before, after))
            | (Self::Mixed(before, after), Self::Text(text)) => {
                text.len() > before.len() + after.len()
                    && text.starts_with(before.as_str())
                    && text.ends_with(after.as_str())
            }
            (Self::Mixed(before, after), Self::Mixed(other_before, other_after)) => {
                alike(before, other_before) && alike_at_end(after, other_after)
            }
        }
    }
}

/// A template for the paths that both fit, or more.
fn both(one: &Known, other: &Known) -> String {
    let mut made = String::new();
    for (index, pair) in one.segments.iter().zip(&other.segments).enumerate() {
        made.push('/');
        match pair {
            (Segment::Text(text), _) | (_, Segment::Text(text)) => made += text,
            _ => made.extend(["{p", &index.to_string(), "}"]),
        }
    }
    made
}

impl Tree {
    fn insert(&mut self, segments: &[Segment], index: usize) {
        let mut node = self;
        for segment in segments {
            node = match segment {
                Segment::Text(text) => node.texts.entry(text.clone()).or_default(),
                Segment::Mixed(..) | Segment::Parameter => node.others.get_or_insert_default(),
            };
        }
        node.ends.push(index);
    }

    /// Templates that may fit a path that these segments fit.
    fn collect(&self, segments: &[Segment], found: &mut Vec<usize>, steps: &mut usize) {
        *steps = steps.saturating_sub(1);
        if *steps == 0 {
            return;
        }
        let Some((first, rest)) = segments.split_first() else {
            *steps = steps.saturating_sub(self.ends.len()).max(1);
            return found.extend_from_slice(&self.ends);
        };
        match first {
            Segment::Text(text) => {
                if let Some(next) = self.texts.get(text) {
                    next.collect(rest, found, steps);
                }
            }
            Segment::Mixed(..) | Segment::Parameter => {
                for next in self.texts.values() {
                    next.collect(rest, found, steps);
                }
            }
        }
        if let Some(next) = &self.others {
            next.collect(rest, found, steps);
        }
    }
}
