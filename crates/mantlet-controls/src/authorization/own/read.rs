//! Where an object is read: a path with places that are filled in from the request, or from an answer.

use std::fmt::Write;

use mantlet_contract::{
    inputs::all_in_query,
    json::{Item, Kind},
};

use super::pointer::Pointer;
use crate::{Call, authorization::condition::is_word};

/// Objects of one request that are looked up.
pub(super) const MOST: usize = 100;

/// A target with places to fill in.
#[derive(Debug)]
pub(super) struct Target(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(Box<str>),
    /// A parameter of the path.
    Path(Box<str>),
    /// A parameter of the query: each of its values, and each between commas.
    Query(Box<str>),
    /// A value in the body, or each of a list.
    Body(Pointer),
    /// The same in the app's answer.
    Response(Pointer),
}

/// How a target is written.
pub(super) const FORMS: &str = "write `/orders/{order_id}` with a parameter of the path, `{query:ids}`, `{body:/ids}`, or \
                                `{response:/order_id}` with a JSON pointer";

impl Target {
    pub(super) fn read(text: &str) -> Option<Self> {
        if !text.starts_with('/') || text.starts_with("//") {
            return None;
        }
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}')?;
            pieces.push(Piece::Text(before.into()));
            pieces.push(match name.split_once(':') {
                Some(("query", name)) => Piece::Query(is_word(name).then(|| name.into())?),
                Some(("body", pointer)) => Piece::Body(Pointer::read(pointer)?),
                Some(("response", pointer)) => Piece::Response(Pointer::read(pointer)?),
                Some((name, _)) => Piece::Path(is_word(name).then(|| name.into())?),
                None => Piece::Path(is_word(name).then(|| name.into())?),
            });
            rest = after;
        }
        let is_plain = |letter: char| letter.is_ascii_graphic() && !"{}#\"<>\\^`".contains(letter);
        pieces.push(Piece::Text(rest.into()));
        let is_sound = |piece: &Piece| !matches!(piece, Piece::Text(text) if !text.chars().all(is_plain));
        pieces.iter().all(is_sound).then_some(Self(pieces))
    }

    pub(super) fn asks_body(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Body(_)))
    }

    pub(super) fn asks_response(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Response(_)))
    }

    /// The targets for a request: one for each of several values. An error says what is missing.
    pub(super) fn fill(
        &self,
        call: &Call,
        query: Option<&str>,
        body: Option<Item<'_>>,
        response: Option<Item<'_>>,
    ) -> Result<Vec<String>, &'static str> {
        let path = call.path.as_str();
        // The app's own prefix stays.
        let prefix = path.strip_suffix(call.own_path()).unwrap_or_default();
        let mut all = vec![escaped(prefix, true)];
        for piece in &self.0 {
            let values = match piece {
                Piece::Text(text) => {
                    for target in &mut all {
                        target.push_str(text);
                    }
                    continue;
                }
                Piece::Path(name) => {
                    let parameters = call.operation.iter().flat_map(|matched| &matched.parameters);
                    let own = parameters.filter(|(own, ..)| **own == **name);
                    own.filter_map(|(.., place)| path.get(place.clone()))
                        .map(|value| escaped(value, true))
                        .collect()
                }
                Piece::Query(name) => {
                    let values = query.map(|query| all_in_query(query.as_bytes(), name)).unwrap_or_default();
                    let each = values.iter().flat_map(|value| value.split(','));
                    each.map(str::trim)
                        .filter(|value| !value.is_empty())
                        .map(|value| escaped(value, false))
                        .collect()
                }
                Piece::Body(pointer) => texts(body.and_then(|root| pointer.find(root)))?,
                Piece::Response(pointer) => texts(response.and_then(|root| pointer.find(root)))?,
            };
            if values.is_empty() {
                return Err("the id is missing");
            }
            if all.len().saturating_mul(values.len()) > MOST {
                return Err("more than 100 ids");
            }
            all = all
                .iter()
                .flat_map(|start| values.iter().map(move |value| format!("{start}{value}")))
                .collect();
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }
}

/// The values of an id, or of a list of ids.
fn texts(found: Option<Item<'_>>) -> Result<Vec<String>, &'static str> {
    let text = |item: Item<'_>| match item.kind() {
        Kind::Text("" | "." | "..") => Err("an id that is none"),
        Kind::Text(text) | Kind::Int(text) => Ok(escaped(text, false)),
        _ => Err("an id that is neither a text nor a number"),
    };
    match found.map(Item::kind) {
        Some(Kind::Array(items)) => items.map(text).collect(),
        Some(_) => found.map(text).into_iter().collect(),
        None => Ok(Vec::new()),
    }
}

/// A value as it stands in a path (RFC 3986 section 3.3).
fn escaped(value: &str, is_path: bool) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (is_path && byte == b'/') {
            out.push(char::from(byte));
        } else {
            // A text takes whatever is written.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
