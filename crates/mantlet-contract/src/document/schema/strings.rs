//! Texts, and the types that FastAPI's documents call by a format.

use super::{
    super::{Reader, dialect::Dialect, tree::Node},
    flat::Flat,
    pattern,
};
use crate::model::{Bounds, BytesFrom, Shape, Timezone};

/// A text and nothing else.
pub(super) fn plain(min_length: Option<u64>, max_length: Option<u64>) -> Shape {
    Shape::Str {
        strict: false,
        min_length,
        max_length,
        pattern: None,
        python_regex: false,
        strip_whitespace: false,
        to_lower: false,
        to_upper: false,
        coerce_numbers_to_str: false,
        ascii_only: false,
    }
}

/// The largest of the lower bounds and the smallest of the upper ones.
pub(super) fn lengths(flat: &Flat<'_>, least: &str, most: &str) -> (Option<u64>, Option<u64>) {
    let all =
        |keyword: &str| flat.atoms.iter().filter_map(|atom| atom.get(keyword)?.count()).collect::<Vec<_>>();
    (all(least).into_iter().max().filter(|least| *least > 0), all(most).into_iter().min())
}

impl<'d> Reader<'d> {
    pub(super) fn string(&mut self, flat: &mut Flat<'d>) -> Shape {
        let (min_length, max_length) = lengths(flat, "minLength", "maxLength");
        let text = |flat: &Flat<'d>, keyword| flat.atoms.iter().find_map(|atom| atom.get(keyword)?.text());
        if self.dialect == Dialect::FastApi {
            let format = text(flat, "format").or_else(|| text(flat, "contentMediaType"));
            if let Some(shape) = format.and_then(|format| pydantic(format, min_length, max_length)) {
                return shape;
            }
        }
        let mut shape = plain(min_length, max_length);
        let patterns: Vec<_> =
            flat.atoms.iter().filter_map(|atom| atom.get("pattern").and_then(Node::text)).collect();
        for pattern in patterns {
            let translated =
                self.shapes.patterns.entry(pattern).or_insert_with(|| pattern::translate(pattern)).clone();
            match (translated, &mut shape) {
                (Ok(translated), Shape::Str { pattern: place @ None, .. }) => *place = Some(translated),
                (Ok(_), _) => flat.loosen(format!("a second pattern, `{pattern}`")),
                (Err(why), _) => flat.loosen(format!("the pattern `{pattern}` is left to the app: {why}")),
            }
        }
        shape
    }
}

/// The type for which Pydantic writes a format. Others, such as `email`, `uri` and `password`, are texts: nothing but a text passes
/// for them, and what more they want of it the app decides.
fn pydantic(format: &str, min_length: Option<u64>, max_length: Option<u64>) -> Option<Shape> {
    let (strict, truncate, bounds) = (false, false, Bounds::default());
    let ip = |of: &str| Shape::Ip { of: of.to_owned() };
    let uuid = |version| Shape::Uuid { strict, version };
    Some(match format {
        "date" => Shape::Date { strict, bounds, now: None },
        "date-time" => Shape::Datetime { strict, truncate, bounds, timezone: Timezone::Any, now: None },
        "time" => Shape::Time { strict, truncate, bounds, timezone: Timezone::Any },
        "duration" => Shape::Timedelta { strict, truncate, bounds },
        "uuid" => uuid(None),
        "uuid1" => uuid(Some(1)),
        "uuid3" => uuid(Some(3)),
        "uuid4" => uuid(Some(4)),
        "uuid5" => uuid(Some(5)),
        "uuid6" => uuid(Some(6)),
        "uuid7" => uuid(Some(7)),
        "uuid8" => uuid(Some(8)),
        "ipv4" => ip("ipv4-address"),
        "ipv6" => ip("ipv6-address"),
        "ipvanyaddress" => ip("ip-address"),
        "ipv4network" => ip("ipv4-network"),
        "ipv6network" => ip("ipv6-network"),
        "ipvanynetwork" => ip("ip-network"),
        "ipv4interface" => ip("ipv4-interface"),
        "ipv6interface" => ip("ipv6-interface"),
        "ipvanyinterface" => ip("ip-interface"),
        "binary" | "application/octet-stream" => {
            Shape::Bytes { strict, min_length, max_length, from_text: BytesFrom::Utf8 }
        }
        _ => return None,
    })
}
