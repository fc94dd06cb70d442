//! Validation as Pydantic 2 does it in Python mode, lax or strict as each shape says.
//!
//! The rule above all: what Pydantic accepts is accepted. Where only the app can tell, the value passes and the outcome says so.
//!
//! # What is left to the app
//!
//! | what | why |
//! |---|---|
//! | everything under an opaque shape, and what `Then` runs after its inner shape | Python code decides |
//! | texts with half a surrogate pair, integers of more than 4,300 digits, uploads | no such value here |
//! | patterns for Python's `re`, patterns the `regex` crate cannot build | another engine |
//! | `past` and `future` of dates | the app's clock and zone |
//! | defaults, also validated ones | they are the app's |
//! | decimals in other digits than ASCII's, with an exponent beyond 15 digits, signalling NaNs | Python's `decimal` |
//! | `multiple_of` of decimals beyond 26 digits, and by integers beyond 64 bits | rounding in Python's context |
//! | lengths of sets whose items are not plain scalars, of dicts whose keys are changed by validation | equality is Python's |
//! | integers in a text of more than 4,000 characters | Python's limit on digits |
//! | `multiple_of` of durations, integers beyond what a duration holds | not checked by all versions of Pydantic 2 |
//! | floats that are nearly a multiple | versions differ in how nearly |
//! | enumeration members by `_missing_`, members that are lists or dicts | the class decides |
//! | IPv6 zones, netmasks and hostmasks of networks | `ipaddress` |
//! | what is inside a `Json` text, if it is JSON | JSON mode has rules of its own |
//! | bytes for anything but texts, bytes, numbers and containers | rare |
//! | what is deeper than [`MAX_DEPTH`] shapes, or costs more than [`MAX_STEPS`] | bounded work |

mod choice;
mod containers;
mod ip;
mod number;
mod objects;
mod scalars;
mod sets;
mod text;
mod time;
mod url;

use std::ops::Range;

use crate::fault::{Fault, Loc, Problem};
use crate::shape::{Shape, Shapes};
use crate::value::{Pair, Value, View};

/// Shapes inside each other that are followed.
pub const MAX_DEPTH: u32 = 300;
/// Values judged in one validation; unions that try every choice at every level stop here.
pub const MAX_STEPS: u32 = 1_000_000;
/// Faults that are reported; an answer must not be larger than what it answers.
pub const MAX_FAULTS: usize = 200;

/// What came out.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Outcome {
    /// All faults in Pydantic's order, at most [`MAX_FAULTS`]; none if it is accepted.
    pub faults: Vec<Fault>,
    /// Something was not judged, so the app may still refuse.
    pub undecided: bool,
    /// It was too deep, or cost too much, to be judged to its end.
    pub exhausted: bool,
    /// The bytes of members that no model takes, in order; none is inside another.
    pub ignored: Vec<Range<usize>>,
}

impl Outcome {
    /// Whether it passes.
    pub fn accepted(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Judges a value; the faults are below `loc`.
pub fn validate<'a>(shapes: &'a Shapes, shape: u32, value: Value<'a>, loc: &[&'a str]) -> Outcome {
    let mut run = Run {
        shapes,
        loc: loc.iter().map(|part| Step::Key(part)).collect(),
        faults: Vec::new(),
        undecided: false,
        exhausted: false,
        ignored: Vec::new(),
        hidden: Vec::new(),
        doubt: false,
        slots: Vec::new(),
        depth: 0,
        steps: 0,
    };
    let accepted = run.check(shape, value);
    run.ignored.sort_by_key(|span| span.start);
    Outcome {
        faults: if accepted { Vec::new() } else { run.faults },
        undecided: run.undecided,
        exhausted: run.exhausted,
        ignored: if accepted { run.ignored } else { Vec::new() },
    }
}

/// A part of the place where the run is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    Key(&'a str),
    Index(i64),
}

/// One validation.
struct Run<'a> {
    shapes: &'a Shapes,
    loc: Vec<Step<'a>>,
    faults: Vec<Fault>,
    undecided: bool,
    exhausted: bool,
    ignored: Vec<Range<usize>>,
    /// Members that are looked over, in order: what would be if they were not there.
    hidden: Vec<Range<usize>>,
    /// Something may have seen a hidden member nevertheless.
    doubt: bool,
    /// What the fields of the open objects found: a path and a value.
    slots: Vec<Option<(u32, Value<'a>)>>,
    depth: u32,
    steps: u32,
}

impl<'a> Run<'a> {
    /// Whether the value passes. If not, there is a fault for it (unless there are too many already).
    fn check(&mut self, shape: u32, value: Value<'a>) -> bool {
        if self.depth >= MAX_DEPTH || self.steps >= MAX_STEPS {
            self.exhausted = true;
            return self.unsure();
        }
        self.depth += 1;
        self.steps += 1;
        let accepted = self.dispatch(self.shapes.get(shape), value);
        self.depth -= 1;
        accepted
    }

    fn dispatch(&mut self, shape: &'a Shape, value: Value<'a>) -> bool {
        match shape {
            Shape::Opaque => return self.unsure(),
            Shape::Any => return true,
            Shape::Transparent(inner) | Shape::Root(inner) => return self.check(*inner, value),
            Shape::Then(inner) => return self.check(*inner, value) && self.unsure(),
            _ => {}
        }
        let view = value.view();
        if matches!(view, View::Unknown) {
            return self.unsure();
        }
        match shape {
            Shape::Opaque | Shape::Any | Shape::Transparent(_) | Shape::Then(_) | Shape::Root(_) => true,
            Shape::None => match view {
                View::None => true,
                _ => self.refuse(|| Problem::new("none_required", "Input should be None")),
            },
            Shape::Nullable(inner) => matches!(view, View::None) || self.check(*inner, value),
            Shape::Bool { strict } => self.bool(*strict, view),
            Shape::Int { strict, bounds } => self.int(*strict, bounds, view),
            Shape::Float { strict, allow_inf_nan, bounds } => {
                self.float(*strict, *allow_inf_nan, bounds, view)
            }
            Shape::Decimal(rule) => self.decimal(rule, view),
            Shape::Str(rule) => self.str(rule, view),
            Shape::Bytes { strict, length, from } => self.bytes(*strict, *length, *from, view),
            Shape::Date { strict, bounds, now } => self.date(*strict, bounds, *now, view),
            Shape::Time { strict, truncate, bounds, timezone } => {
                self.time(*strict, *truncate, bounds, *timezone, view)
            }
            Shape::Datetime { strict, truncate, bounds, timezone, now } => {
                self.datetime(*strict, *truncate, bounds, *timezone, *now, view)
            }
            Shape::Timedelta { strict, truncate, bounds } => self.timedelta(*strict, *truncate, bounds, view),
            Shape::Literal(values) => self.literal(values, view),
            Shape::Enum(rule) => self.enumeration(rule, view),
            Shape::Uuid { strict, version } => self.uuid(*strict, *version, view),
            Shape::Url(rule) => self.url(rule, view),
            Shape::Ip(rule) => self.ip(*rule, view),
            Shape::Sequence { of, items, length, strict, fail_fast } => {
                self.sequence(*of, *items, *length, *strict, *fail_fast, view)
            }
            Shape::Tuple(rule) => self.tuple(rule, view),
            Shape::Dict { keys, values, length, fail_fast } => {
                self.dict(*keys, *values, *length, *fail_fast, view)
            }
            Shape::Object(rule) => self.object(rule, view),
            Shape::Union(rule) => self.union(rule, value),
            Shape::Tagged(rule) => self.tagged(rule, value, view),
            Shape::JsonText(inner) => self.json_text(*inner, view),
            Shape::Custom { inner, kind, message } => {
                let mark = self.mark();
                if self.check(*inner, value) {
                    return true;
                }
                self.back_to(mark);
                match message {
                    Some(message) => self.refuse(|| Problem::new(kind.to_string(), message.to_string())),
                    None => self.unsure(),
                }
            }
        }
    }

    /// Whether a member is looked over.
    fn hides(&self, pair: &Pair<'_>) -> bool {
        !self.hidden.is_empty()
            && pair.span.as_ref().is_some_and(|span| {
                self.hidden.binary_search_by_key(&span.start, |hidden| hidden.start).is_ok()
            })
    }

    /// The key of a member that is to be judged; none for one that is looked over, or whose key only the app can read.
    fn key(&mut self, pair: &Pair<'a>) -> Option<&'a str> {
        if self.hides(pair) {
            return None;
        }
        self.undecided |= pair.key.is_none();
        pair.key
    }

    /// It passes, but the app decides.
    fn unsure(&mut self) -> bool {
        self.undecided = true;
        true
    }

    /// It does not pass.
    fn refuse(&mut self, problem: impl FnOnce() -> Problem) -> bool {
        if self.faults.len() < MAX_FAULTS {
            let loc = self.loc.iter().map(Step::owned).collect();
            self.faults.push(problem().at(loc));
        }
        false
    }

    /// Runs below a further part of the place.
    fn below(&mut self, step: Step<'a>, run: impl FnOnce(&mut Self) -> bool) -> bool {
        self.loc.push(step);
        let accepted = run(self);
        self.loc.pop();
        accepted
    }

    fn mark(&self) -> Mark {
        Mark { faults: self.faults.len(), ignored: self.ignored.len(), undecided: self.undecided }
    }

    /// Forgets what was found since.
    fn back_to(&mut self, mark: Mark) {
        self.faults.truncate(mark.faults);
        self.ignored.truncate(mark.ignored);
        self.undecided = mark.undecided;
    }
}

impl Step<'_> {
    fn owned(&self) -> Loc {
        match self {
            Self::Key(key) => Loc::Key((*key).to_owned()),
            Self::Index(index) => Loc::Index(*index),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    faults: usize,
    ignored: usize,
    undecided: bool,
}

fn index(at: usize) -> Step<'static> {
    Step::Index(i64::try_from(at).unwrap_or(i64::MAX))
}

/// `s` unless there is one.
const fn s(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}
