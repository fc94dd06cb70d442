//! What a list of schemas comes to without `$ref` and `allOf`.

use std::rc::Rc;

use super::super::{
    Reader,
    place::{self, Place},
    tree::{Members, Node},
};

/// Schemas that a list may come to; the rest is left to the app.
const MAX_ATOMS: usize = 500;

/// Left out of a schema, because it has been dealt with.
pub(super) const ANY_OF: u8 = 1;
pub(super) const ONE_OF: u8 = 2;

/// A schema, or some of it.
#[derive(Debug, Clone)]
pub(super) struct Part<'d> {
    place: Place<'d>,
    without: u8,
}

impl<'d> Part<'d> {
    pub(super) fn whole(place: Place<'d>) -> Self {
        Self { place, without: 0 }
    }
}

/// A schema of which `$ref` and `allOf` are not looked at.
#[derive(Debug, Clone)]
pub(super) struct Atom<'d> {
    pub(super) members: &'d Members,
    pub(super) place: Place<'d>,
    pub(super) without: u8,
}

impl<'d> Atom<'d> {
    pub(super) fn get(&self, keyword: &str) -> Option<&'d Node> {
        self.members.get(keyword)
    }

    pub(super) fn says_something(&self) -> bool {
        says_something(self.members, self.without)
    }

    /// Its lists of choices that are still to be dealt with.
    pub(super) fn choices(&self) -> impl Iterator<Item = (u8, Place<'d>)> {
        let lists = [("anyOf", ANY_OF), ("oneOf", ONE_OF)];
        lists.into_iter().filter(|(_, bit)| self.without & bit == 0).filter_map(|(keyword, bit)| {
            let list = self.place.get(keyword)?;
            list.node.list().is_some_and(|choices| !choices.is_empty()).then_some((bit, list))
        })
    }
}

/// All of these hold; `loose` says what else would, if it could be said.
#[derive(Debug, Clone, Default)]
pub(super) struct Flat<'d> {
    pub(super) atoms: Vec<Atom<'d>>,
    pub(super) loose: Vec<(Rc<str>, String)>,
    /// The first schema's place, for notes.
    pub(super) at: Option<Rc<str>>,
    /// What the first reference called it.
    pub(super) name: Option<String>,
    /// Null fits too. 3.0 has it beside a type; wherever it is, it is meant.
    pub(super) is_nullable: bool,
    pub(super) is_read_only: bool,
    pub(super) is_write_only: bool,
}

impl Flat<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.atoms.is_empty() && self.loose.is_empty() && !self.is_nullable
    }

    /// The model cannot say all of it.
    pub(super) fn loosen(&mut self, why: impl Into<String>) {
        let at = self.at.clone().unwrap_or_default();
        self.loose.push((at, why.into()));
    }

    pub(super) fn any_is_true(&self, keyword: &str) -> bool {
        self.atoms.iter().any(|atom| atom.get(keyword).is_some_and(Node::is_true))
    }
}

impl<'d> Reader<'d> {
    pub(super) fn flatten(&self, parts: Vec<Part<'d>>) -> Flat<'d> {
        let mut flat = Flat { at: parts.first().map(|part| part.place.at.clone()), ..Flat::default() };
        let mut todo = parts;
        todo.reverse();
        while let Some(Part { place, without }) = todo.pop() {
            let members = match place.node {
                Node::Object(members) => members,
                Node::Bool(true) => continue,
                Node::Bool(false) => {
                    flat.loose
                        .push((place.at, "nothing is allowed here, which cannot be expressed".to_owned()));
                    continue;
                }
                _ => {
                    flat.loose.push((place.at, "this is not a schema".to_owned()));
                    continue;
                }
            };
            if flat.atoms.iter().any(|atom| std::ptr::eq(atom.members, members) && atom.without == without) {
                continue;
            }
            flat.is_nullable |= place.is_true("nullable");
            flat.is_read_only |= place.is_true("readOnly");
            flat.is_write_only |= place.is_true("writeOnly");
            if flat.atoms.len() >= MAX_ATOMS {
                flat.loose.push((place.at, format!("more than {MAX_ATOMS} schemas apply together")));
                break;
            }
            let reference = members.get("$ref").and_then(Node::text);
            if says_something(members, without) || reference.is_some() || members.contains_key("allOf") {
                // Kept even if it only refers, so that a cycle is seen.
                flat.atoms.push(Atom { members, place: place.clone(), without });
            }
            // In 3.0 what stands beside a reference is ignored; to take it for what it says elsewhere could be stricter.
            if let Some(reference) = reference {
                match place::resolve(self.root, reference) {
                    Ok(next) => {
                        flat.name.get_or_insert_with(|| next.name());
                        todo.push(Part::whole(next));
                    }
                    Err(why) => flat.loose.push((place.at.clone(), why)),
                }
            }
            if let Some(all) = place.get("allOf") {
                let from = todo.len();
                todo.extend(all.items().map(Part::whole));
                todo.get_mut(from..).unwrap_or_default().reverse();
            }
        }
        let is_30 = self.is_30;
        flat.atoms.retain(|atom| {
            let ignored = is_30 && atom.members.contains_key("$ref");
            !ignored && atom.says_something()
        });
        flat
    }
}

/// Keywords that say nothing of a value.
const ANNOTATIONS: [&str; 23] = [
    "readOnly",
    "writeOnly",
    "nullable",
    "$defs",
    "$anchor",
    "$comment",
    "$id",
    "$ref",
    "$schema",
    "allOf",
    "contentEncoding",
    "contentSchema",
    "default",
    "definitions",
    "deprecated",
    "description",
    "discriminator",
    "example",
    "examples",
    "externalDocs",
    "summary",
    "title",
    "xml",
];

fn says_something(members: &Members, without: u8) -> bool {
    members.keys().any(|keyword| match keyword.as_str() {
        "anyOf" => without & ANY_OF == 0,
        "oneOf" => without & ONE_OF == 0,
        // Of texts they say what type they are for.
        "contentMediaType" | "format" => true,
        keyword => !ANNOTATIONS.contains(&keyword) && !keyword.starts_with("x-"),
    })
}
