//! Shapes as the request path uses them: everything that can be prepared is.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use regex::Regex;
use speedate::{Date, DateTime, Duration, Time};

use crate::model;
use crate::number::{Decimal, Int};
use crate::value::Step;

/// Compiled shapes. A shape names another by its index, as in the contract.
#[derive(Debug, Default)]
pub struct Shapes {
    pub(crate) shapes: Vec<Shape>,
}

impl Shapes {
    /// An index without a shape is opaque.
    pub(crate) fn get(&self, id: u32) -> &Shape {
        self.shapes.get(id as usize).unwrap_or(&Shape::Opaque)
    }
}

#[derive(Debug)]
pub(crate) enum Shape {
    Opaque,
    Any,
    None,
    Bool {
        strict: bool,
    },
    Int {
        strict: bool,
        bounds: Box<Bounds<Int>>,
    },
    Float {
        strict: bool,
        allow_inf_nan: bool,
        bounds: Box<Bounds<f64>>,
    },
    Decimal(Box<DecimalRule>),
    Str(Box<StrRule>),
    Bytes {
        strict: bool,
        length: Length,
        from: model::BytesFrom,
    },
    Date {
        strict: bool,
        bounds: Box<Bounds<Date>>,
        now: bool,
    },
    Time {
        strict: bool,
        truncate: bool,
        bounds: Box<Bounds<Time>>,
        timezone: model::Timezone,
    },
    Datetime {
        strict: bool,
        truncate: bool,
        bounds: Box<Bounds<DateTime>>,
        timezone: model::Timezone,
        now: bool,
    },
    Timedelta {
        strict: bool,
        truncate: bool,
        bounds: Box<Bounds<Duration>>,
    },
    Literal(Box<Values>),
    Enum(Box<EnumRule>),
    Uuid {
        strict: bool,
        version: Option<u8>,
    },
    Url(Box<UrlRule>),
    Ip(IpRule),
    Sequence {
        of: SequenceOf,
        items: Option<u32>,
        length: Length,
        strict: bool,
        fail_fast: bool,
    },
    Tuple(Box<TupleRule>),
    Dict {
        keys: u32,
        values: u32,
        length: Length,
        fail_fast: bool,
    },
    Object(Box<ObjectRule>),
    Root(u32),
    Nullable(u32),
    Transparent(u32),
    /// The inner shape, then Python code that may still refuse.
    Then(u32),
    Union(Box<UnionRule>),
    Tagged(Box<TaggedRule>),
    JsonText(Option<u32>),
    Custom {
        inner: u32,
        kind: Box<str>,
        message: Option<Box<str>>,
    },
}

/// Bounds, in the order in which they are checked.
#[derive(Debug)]
pub(crate) struct Bounds<T> {
    pub(crate) multiple_of: Option<T>,
    pub(crate) le: Option<T>,
    pub(crate) lt: Option<T>,
    pub(crate) ge: Option<T>,
    pub(crate) gt: Option<T>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Length {
    pub(crate) min: Option<u64>,
    pub(crate) max: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct DecimalRule {
    pub(crate) strict: bool,
    pub(crate) allow_inf_nan: bool,
    pub(crate) max_digits: Option<u64>,
    pub(crate) decimal_places: Option<u64>,
    pub(crate) bounds: Bounds<Decimal>,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are Pydantic's")]
pub(crate) struct StrRule {
    pub(crate) strict: bool,
    pub(crate) length: Length,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) strip: bool,
    pub(crate) ascii_only: bool,
    pub(crate) from_numbers: bool,
    /// Nothing but the type is checked.
    pub(crate) free: bool,
}

#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) text: Box<str>,
    /// None if only the app can tell.
    pub(crate) regex: Option<Regex>,
    /// What matches is left to the app.
    pub(crate) only_refuses: bool,
}

/// Values that are compared as Python compares them, and how they are named.
#[derive(Debug)]
pub(crate) struct Values {
    pub(crate) all: Vec<Expected>,
    /// `'a', 'b' or 'c'`
    pub(crate) shown: Box<str>,
    /// Whether one of them is an integer.
    pub(crate) ints: bool,
}

#[derive(Debug)]
pub(crate) enum Expected {
    None,
    /// Numbers compare by value: `True == 1 == 1.0`.
    Int(Int),
    Float(f64),
    Str(Box<str>),
    /// Only the app can compare it.
    Unknown,
}

#[derive(Debug)]
pub(crate) struct EnumRule {
    pub(crate) name: Box<str>,
    pub(crate) values: Values,
    pub(crate) of: EnumOf,
    pub(crate) strict: bool,
    /// The app decides about values that no member has.
    pub(crate) open: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EnumOf {
    Int,
    Str,
    Float,
    Plain,
}

#[derive(Debug)]
pub(crate) struct UrlRule {
    pub(crate) strict: bool,
    pub(crate) multi_host: bool,
    pub(crate) max_length: Option<u64>,
    pub(crate) schemes: Option<Vec<String>>,
    /// `'http' or 'https'`
    pub(crate) shown: Box<str>,
    pub(crate) host_required: bool,
    pub(crate) default_host: Option<Box<str>>,
    pub(crate) default_port: Option<u16>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct IpRule {
    pub(crate) v4: bool,
    pub(crate) v6: bool,
    pub(crate) of: IpOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IpOf {
    Address,
    Interface,
    Network,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SequenceOf {
    List,
    Set,
    FrozenSet,
}

#[derive(Debug)]
pub(crate) struct TupleRule {
    pub(crate) items: Vec<u32>,
    pub(crate) variadic: Option<usize>,
    pub(crate) length: Length,
    pub(crate) strict: bool,
    pub(crate) fail_fast: bool,
}

#[derive(Debug)]
pub(crate) struct UnionRule {
    pub(crate) choices: Vec<(u32, Box<str>)>,
    pub(crate) left_to_right: bool,
}

#[derive(Debug)]
pub(crate) struct TaggedRule {
    pub(crate) discriminator: Vec<Box<str>>,
    pub(crate) shown_as: Box<str>,
    pub(crate) tags: Values,
    pub(crate) choices: Vec<u32>,
    /// `'a', 'b'`
    pub(crate) expected: Box<str>,
}

#[derive(Debug)]
pub(crate) struct ObjectRule {
    pub(crate) name: Box<str>,
    pub(crate) kind: model::ObjectKind,
    pub(crate) strict: bool,
    pub(crate) fields: Vec<FieldRule>,
    /// Which fields look under a key, and with which of their paths.
    pub(crate) keys: KeyTable,
    /// The fields' names in Python.
    pub(crate) names: HashSet<Box<str>>,
    pub(crate) extra: model::Extra,
    pub(crate) extras: Option<u32>,
    pub(crate) extra_keys: Option<u32>,
}

pub(crate) type KeyTable = HashMap<Box<str>, Vec<KeyUse>, BuildHasherDefault<Fnv>>;

#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyUse {
    pub(crate) field: u32,
    pub(crate) path: u32,
}

#[derive(Debug)]
pub(crate) struct FieldRule {
    pub(crate) shape: u32,
    pub(crate) required: bool,
    /// Where its errors are, if not at the path under which it was found.
    pub(crate) name: Option<Box<str>>,
    pub(crate) paths: Vec<Path>,
}

#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) key: Box<str>,
    pub(crate) rest: Vec<Step>,
}

/// FNV-1a. The tables hold only the contract's own names, so a client cannot make them collide.
#[derive(Debug)]
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}
