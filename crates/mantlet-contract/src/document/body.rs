//! Request bodies.

use super::{
    Reader,
    dialect::Dialect,
    place::Place,
    schema::{Direction, Types},
    tree::Node,
};
use crate::model::{BodyKind, Extra, GroupField, Input, Location, Shape, Take};

/// What a media type is to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    Json,
    UrlEncoded,
    Multipart,
    /// `*/*`.
    Any,
    Other,
}

impl Media {
    pub(super) fn of(name: &str) -> Self {
        let name = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match name.as_str() {
            "application/json" => Self::Json,
            "application/x-www-form-urlencoded" => Self::UrlEncoded,
            "multipart/form-data" => Self::Multipart,
            "*/*" => Self::Any,
            _ if name.starts_with("application/") && name.ends_with("+json") => Self::Json,
            _ => Self::Other,
        }
    }
}

/// How a body is read, and what is looked at of it.
type Body = (BodyKind, Vec<Input>);

impl<'d> Reader<'d> {
    pub(super) fn body(&mut self, operation: &Place<'d>) -> Body {
        // That no body is described does not say that none is read.
        let unknown = (BodyKind::Opaque, Vec::new());
        let Some(place) = operation.get("requestBody").filter(|body| *body.node != Node::Null) else {
            return unknown;
        };
        let Some(body) = self.follow(&place) else { return unknown };
        let Some(content) =
            body.get("content").filter(|content| content.members().is_some_and(|all| !all.is_empty()))
        else {
            self.note(&body.at, "a body without a media type");
            return unknown;
        };
        let all: Vec<_> = content.each().map(|(name, media)| (name, Media::of(name), media)).collect();
        let is_required = body.is_true("required");
        let schemas: Vec<_> = all.iter().map(|(.., media)| media.get("schema")).collect();
        let is_one = schemas.windows(2).all(|pair| match pair {
            [one, other] => one.as_ref().map(|one| one.node) == other.as_ref().map(|other| other.node),
            _ => true,
        });
        let (schema, media) = match (schemas.into_iter().next().flatten(), all.first()) {
            (schema, Some((.., media))) if is_one => (schema, media.clone()),
            _ => {
                self.note(&content.at, "bodies of several kinds, so none is checked");
                return unknown;
            }
        };
        if all.iter().all(|(_, kind, _)| *kind == Media::Json) {
            // A body without a Content-Type is read as JSON: to read it as bytes would refuse it.
            let kind = BodyKind::Json { strict_content_type: false };
            let shape = match schema {
                Some(schema) => self.shape(&schema, Direction::Request),
                None => self.any(),
            };
            return (
                kind,
                vec![Input {
                    location: Location::Body,
                    take: Take::Whole,
                    shape,
                    required: is_required,
                    validate_default: false,
                }],
            );
        }
        if all.iter().all(|(_, kind, _)| matches!(kind, Media::UrlEncoded | Media::Multipart)) {
            if let Some(body) = schema.and_then(|schema| self.form(&schema, &media, is_required)) {
                return body;
            }
            self.note(&content.at, "a form that is not a plain object, so it is not checked");
            return unknown;
        }
        let names: Vec<_> = all.iter().map(|(name, ..)| format!("`{name}`")).collect();
        self.note(&content.at, format!("a body of {} is not checked", names.join(", ")));
        unknown
    }

    /// A form, as FastAPI reads a model of one.
    fn form(&mut self, schema: &Place<'d>, media: &Place<'d>, is_required: bool) -> Option<Body> {
        if !self.types(schema).has(Types::OBJECT) {
            return None;
        }
        let (mut object, places) = self.plain_object(schema)?;
        if object.fields.is_empty() {
            return None;
        }
        let encoding = media.get("encoding");
        let (mut has_files, mut is_scattered) = (false, false);
        let mut fields = Vec::with_capacity(object.fields.len());
        for (field, place) in object.fields.iter_mut().zip(places) {
            let types = place.as_ref().map_or(Types::ALL, |place| self.types(place));
            let at = place.as_ref().map_or_else(|| schema.at.clone(), |place| place.at.clone());
            let encoded = encoding.as_ref().and_then(|encoding| encoding.get(&field.name));
            let file = place.as_ref().is_some_and(|place| self.is_file(place, encoded.as_ref()));
            let is_plain = encoded.as_ref().is_none_or(|encoded| {
                let is_form = encoded.node.get("style").is_none_or(|style| style.text() == Some("form"));
                is_form && encoded.node.get("explode").is_none_or(Node::is_true)
            });
            let is_list = Self::is_list(types) && is_plain;
            let is_readable = is_list || types.without(Types::NULL).is_scalar() || types == Types::ALL;
            if file {
                // A part without a file name is not an upload to FastAPI, and yet what the document
                // asks for.
                field.shape = self.any();
            } else if !is_plain {
                field.shape = self.opaque(
                    &encoded.map_or(at, |encoded| encoded.at),
                    "written in a way that FastAPI does not read",
                );
            } else if !is_readable {
                field.shape =
                    self.opaque(&at, "an object, or a list among other things, as a field of a form");
            }
            // An empty list is not sent; FastAPI takes an empty text for none, others may not.
            let is_sent =
                file || types.without(Types::STRING) == types && types.is_scalar() && !types.has(Types::NULL);
            field.required &= is_plain && is_readable && (is_sent || self.dialect == Dialect::FastApi);
            // It may come under names of its own.
            is_scattered |= !is_plain || !is_readable;
            has_files |= file;
            let names = vec![(field.name.clone(), field.name.clone())];
            fields.push(GroupField { names, multiple: is_list, file });
        }
        object.extras = None;
        if is_scattered {
            object.extra = Extra::Allow;
        }
        let input = Input {
            location: Location::Body,
            take: Take::Group { fields, optional: !is_required, extras: true },
            shape: self.add(Shape::Object(object)),
            required: is_required,
            validate_default: false,
        };
        Some((BodyKind::Form { files: has_files }, vec![input]))
    }

    fn is_file(&self, place: &Place<'d>, encoded: Option<&Place<'d>>) -> bool {
        const TEXTS: [&str; 3] = ["text/plain", "application/json", "application/x-www-form-urlencoded"];
        let is_binary = |place: &Place<'d>| {
            let place = self.peek(place);
            place.text("format") == Some("binary")
                || place.text("contentMediaType").is_some_and(|media| !TEXTS.contains(&media))
                || place.node.get("contentEncoding").is_some()
        };
        let items = self.peek(place).get("items");
        let content = encoded.and_then(|encoded| encoded.text("contentType"));
        content.is_some_and(|content| content.split(',').any(|media| !TEXTS.contains(&media.trim())))
            || is_binary(place)
            || items.is_some_and(|items| is_binary(&items))
    }

    /// As [`Self::follow`], silently.
    fn peek(&self, place: &Place<'d>) -> Place<'d> {
        let mut now = place.clone();
        for _ in 0..32 {
            let next =
                now.text("$ref").and_then(|reference| super::place::resolve(self.root, reference).ok());
            let Some(next) = next else { break };
            now = next;
        }
        now
    }
}
