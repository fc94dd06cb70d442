//! What an operation promises.

use std::collections::BTreeMap;

use super::{Reader, body::Media, place::Place, schema::Direction};
use crate::model::{Response, ShapeId};

impl<'d> Reader<'d> {
    pub(super) fn responses(&mut self, operation: &Place<'d>) -> Vec<Response> {
        let mut named = BTreeMap::new();
        let mut ranges = Vec::new();
        let mut default = None;
        let responses: Vec<_> = operation.get("responses").iter().flat_map(Place::each).collect();
        for (status, response) in responses {
            if status.starts_with("x-") {
                continue;
            }
            let Some(target) = self.follow(&response) else { continue };
            let shape = self.promised(&target);
            let range = status.strip_suffix("XX").or_else(|| status.strip_suffix("xx"));
            match (status, status.parse::<u16>(), range.and_then(|hundreds| hundreds.parse::<u16>().ok())) {
                ("default", ..) => default = Some(shape),
                (_, Ok(status @ 100..=599), _) => {
                    named.insert(status, shape);
                }
                (_, _, Some(hundreds @ 1..=5)) => ranges.push((hundreds * 100, shape)),
                _ => self.note(&response.at, format!("`{status}` is not a status")),
            }
        }
        let classes: Vec<_> = ranges.iter().map(|(first, _)| first / 100).collect();
        // Shapes stand with single statuses. A range that promises nothing needs none, unless the default would stand for it.
        for (first, shape) in ranges {
            if shape.is_some() || default.flatten().is_some() {
                for status in first..first + 100 {
                    named.entry(status).or_insert(shape);
                }
            }
        }
        let claim = |status, class, shape| Response { status, class, shape, claimed: true };
        let named = named.into_iter().map(|(status, shape)| claim(Some(status), None, shape));
        let classes = classes.into_iter().map(|class| claim(None, Some(class), None));
        named.chain(classes).chain(default.map(|shape| claim(None, None, shape))).collect()
    }

    /// The shape of a response's JSON; none if nothing or something else is promised, or several things.
    fn promised(&mut self, response: &Place<'d>) -> Option<ShapeId> {
        let content = response.get("content")?;
        let all: Vec<_> = content.each().map(|(name, media)| (Media::of(name), media)).collect();
        let of = |kind: Media| {
            all.iter().filter(move |(media, _)| *media == kind).filter_map(|(_, media)| media.get("schema"))
        };
        let mut schemas: Vec<_> = of(Media::Json).collect();
        if schemas.is_empty() {
            schemas = of(Media::Any).collect();
        }
        let first = schemas.first()?.clone();
        if schemas.iter().any(|schema| schema.node != first.node) {
            self.note(&content.at, "several kinds of JSON, so the response is not checked");
            return None;
        }
        Some(self.shape(&first, Direction::Response))
    }
}
