//! One thing that is wrong, in FastAPI's words.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};

/// An error as FastAPI renders it, without `input` and `url`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fault {
    /// `int_parsing`
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// Where.
    pub loc: Vec<Loc>,
    /// What.
    pub msg: Cow<'static, str>,
    /// The numbers in it.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub ctx: Map<String, Value>,
}

/// A part of a place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum Loc {
    /// A key or a label.
    Key(String),
    /// An index.
    Index(i64),
}

impl From<&str> for Loc {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

/// A fault that has no place yet.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) kind: Cow<'static, str>,
    pub(crate) msg: Cow<'static, str>,
    pub(crate) ctx: Map<String, Value>,
}

impl Problem {
    pub(crate) fn new(kind: impl Into<Cow<'static, str>>, msg: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: kind.into(), msg: msg.into(), ctx: Map::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.ctx.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn at(self, loc: Vec<Loc>) -> Fault {
        Fault { kind: self.kind, loc, msg: self.msg, ctx: self.ctx }
    }

    pub(crate) fn missing() -> Self {
        Self::new("missing", "Field required")
    }
}

/// The body of FastAPI's answer.
pub fn detail(faults: &[Fault]) -> String {
    #[derive(Serialize)]
    struct Body<'a> {
        detail: &'a [Fault],
    }
    serde_json::to_string(&Body { detail: faults }).unwrap_or_else(|_| r#"{"detail":[]}"#.to_owned())
}
