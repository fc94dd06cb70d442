//! Parameters: those of the path, unless the operation has its own, and how each is written.

use indexmap::IndexMap;

use super::{
    Reader,
    body::Media,
    dialect::Dialect,
    paths::Names,
    place::Place,
    schema::{Direction, Types},
};
use crate::model::{Input, Location, Shape, ShapeId, Take};

/// What the standard tells readers to ignore as parameters.
const NOT_PARAMETERS: [&str; 3] = ["accept", "content-type", "authorization"];

#[derive(Default)]
pub(super) struct Parameters {
    pub(super) inputs: Vec<Input>,
    /// Some names on the wire are not known.
    pub(super) has_other_names: bool,
}

/// How a value is written.
enum Written {
    /// As one text.
    Once,
    /// As one text for each item.
    Repeated,
    /// As one text that FastAPI would read differently.
    Otherwise,
    /// Under names of its own.
    Scattered,
}

impl<'d> Reader<'d> {
    pub(super) fn parameters(
        &mut self,
        path: &Place<'d>,
        operation: &Place<'d>,
        names: &Names,
    ) -> Parameters {
        let mut all: IndexMap<(&'d str, String), Place<'d>> = IndexMap::new();
        for list in [path, operation] {
            let mut own: IndexMap<(&'d str, String), Place<'d>> = IndexMap::new();
            let list: Vec<_> = list.get("parameters").iter().flat_map(Place::items).collect();
            for parameter in list {
                let Some(parameter) = self.follow(&parameter) else { continue };
                let (Some(name), Some(location)) = (parameter.text("name"), parameter.text("in")) else {
                    self.note(&parameter.at, "a parameter without `name` or `in`");
                    continue;
                };
                // Header names have no case.
                let name = if location == "header" { name.to_ascii_lowercase() } else { name.to_owned() };
                own.entry((location, name)).or_insert(parameter);
            }
            all.extend(own);
        }
        let mut made = Parameters::default();
        for ((location, _), parameter) in all {
            self.parameter(location, &parameter, names, &mut made);
        }
        made
    }

    fn parameter(&mut self, location: &str, parameter: &Place<'d>, names: &Names, made: &mut Parameters) {
        let name = parameter.text("name").unwrap_or_default();
        let location = match location {
            "path" => Location::Path,
            "query" => Location::Query,
            "header" if NOT_PARAMETERS.contains(&name.to_ascii_lowercase().as_str()) => return,
            "header" => Location::Header,
            "cookie" => Location::Cookie,
            other => return self.note(&parameter.at, format!("a parameter in `{other}`")),
        };
        let name = match location {
            Location::Path => match names.get(name) {
                Some(name) => name.clone(),
                None => return self.note(&parameter.at, format!("`{name}` is not in the path")),
            },
            _ => name.to_owned(),
        };
        let is_required = location == Location::Path || parameter.is_true("required");
        let types = self.types_of_parameter(parameter);
        let written = self.written(location, parameter, types);
        let (shape, multiple) = match written {
            Written::Once => (self.shape_of_parameter(location, parameter), false),
            Written::Repeated => (self.shape_of_parameter(location, parameter), true),
            Written::Otherwise => {
                (self.opaque(&parameter.at, "written in a way that FastAPI does not read"), false)
            }
            Written::Scattered => {
                self.note(
                    &parameter.at,
                    "an object whose members are parameters of their own, which are not known",
                );
                made.has_other_names = true;
                return;
            }
        };
        // An empty list and null are not sent. A path has every parameter.
        let may_be_absent = types.has(Types::NULL) || types.has(Types::ARRAY);
        let required =
            is_required && (location == Location::Path || self.dialect == Dialect::FastApi || !may_be_absent);
        made.inputs.push(Input {
            location,
            take: Take::Field { names: vec![name], multiple, file: false },
            shape,
            required,
            validate_default: false,
        });
    }

    fn types_of_parameter(&self, parameter: &Place<'d>) -> Types {
        match parameter.get("schema") {
            Some(schema) => self.types(&schema),
            // Whatever it holds, it is one text.
            None if parameter.get("content").is_some() => Types::STRING,
            None => Types::ALL,
        }
    }

    fn written(&self, location: Location, parameter: &Place<'d>, types: Types) -> Written {
        let usual = if matches!(location, Location::Query | Location::Cookie) { "form" } else { "simple" };
        let style = parameter.text("style").unwrap_or(usual);
        let explode = parameter.node.get("explode").map_or(style == "form", super::tree::Node::is_true);
        // Without any type, anything passes in any case.
        let types = if types == Types::ALL { Types::STRING } else { types.without(Types::NULL) };
        if types.is_scalar() {
            let is_usual = style == usual && !parameter.is_true("allowEmptyValue");
            return if is_usual { Written::Once } else { Written::Otherwise };
        }
        if types.has(Types::OBJECT)
            && matches!(location, Location::Query | Location::Cookie)
            && (explode || style == "deepObject")
        {
            return Written::Scattered;
        }
        let is_repeated = match location {
            Location::Query => style == "form" && explode,
            // As FastAPI reads it; the standard writes one text with commas.
            Location::Header => self.dialect == Dialect::FastApi,
            _ => false,
        };
        if is_repeated && Self::is_list(types) { Written::Repeated } else { Written::Otherwise }
    }

    fn shape_of_parameter(&mut self, location: Location, parameter: &Place<'d>) -> ShapeId {
        if let Some(schema) = parameter.get("schema") {
            return self.shape(&schema, Direction::Request);
        }
        let content = parameter.get("content");
        let media = content.iter().flat_map(Place::each).next();
        match media {
            Some((kind, media)) if Media::of(kind) == Media::Json && location != Location::Path => {
                let inner = media.get("schema").map(|schema| self.shape(&schema, Direction::Request));
                self.add(Shape::JsonText { inner })
            }
            Some((kind, _)) => self.opaque(&parameter.at, format!("a parameter that holds `{kind}`")),
            None => self.opaque(&parameter.at, "a parameter without a schema"),
        }
    }
}
