//! Where in an app a shape is used, for what is said to people: shapes have numbers, people have operations.

use crate::model::{Contract, Input, Object, Operation, Route, Router, Shape, ShapeId, Take};

/// A place for each shape, such as `POST /items body.price`: the first in the order of the routes.
/// None for a shape without a use.
pub fn places(contract: &Contract) -> Vec<Option<String>> {
    let mut places = vec![None; contract.shapes.len()];
    let mut todo = Vec::new();
    of_router("", &contract.router, &mut todo);
    // Taken from the end.
    todo.reverse();
    while let Some((id, place)) = todo.pop() {
        let index = id.0 as usize;
        let (Some(shape), Some(known)) = (contract.shapes.get(index), places.get_mut(index)) else {
            continue;
        };
        if known.is_some() {
            continue;
        }
        inside(shape, &place, &mut todo);
        *known = Some(place);
    }
    places
}

fn of_router(prefix: &str, router: &Router, found: &mut Vec<(ShapeId, String)>) {
    for route in &router.routes {
        match route {
            Route::Http { path, methods, operation: Some(operation), .. } => {
                of_operation(&format!("{} {prefix}{path}", methods.join(",")), operation, found);
            }
            Route::Mount { path, router: Some(router) } => {
                of_router(&format!("{prefix}{path}"), router, found);
            }
            Route::Host { router: Some(router), .. } => of_router(prefix, router, found),
            Route::Http { .. }
            | Route::WebSocket { .. }
            | Route::Mount { .. }
            | Route::Host { .. }
            | Route::Opaque { .. } => {}
        }
    }
}

fn of_operation(name: &str, operation: &Operation, found: &mut Vec<(ShapeId, String)>) {
    for Input { location, take, shape, .. } in &operation.inputs {
        let location = format!("{location:?}").to_lowercase();
        let place = match take {
            Take::Field { names, .. } => {
                format!("{name} {location}.{}", names.first().map_or("", String::as_str))
            }
            Take::Group { .. } | Take::Whole => format!("{name} {location}"),
        };
        found.push((*shape, place));
    }
    for response in &operation.responses {
        if let Some(shape) = response.shape {
            let status = response.status.map_or_else(|| "other".to_owned(), |status| status.to_string());
            found.push((shape, format!("{name} answer {status}")));
        }
    }
}

/// The shapes inside a shape, with their places.
fn inside(shape: &Shape, place: &str, found: &mut Vec<(ShapeId, String)>) {
    let mut same = |id: &ShapeId| found.push((*id, place.to_owned()));
    match shape {
        Shape::Nullable { inner }
        | Shape::WithDefault { inner }
        | Shape::Then { inner, .. }
        | Shape::CustomError { inner, .. } => same(inner),
        Shape::JsonText { inner } => inner.iter().for_each(same),
        Shape::Union { choices, .. } => choices.iter().for_each(same),
        Shape::TaggedUnion { choices, .. } => choices.iter().map(|(_, id)| id).for_each(same),
        Shape::List(sequence) | Shape::Set(sequence) | Shape::FrozenSet(sequence) => {
            found.extend(sequence.items.map(|id| (id, format!("{place}[]"))));
        }
        Shape::Tuple { items, .. } => found.extend(items.iter().map(|id| (*id, format!("{place}[]")))),
        Shape::Dict { keys, values, .. } => {
            found.extend([(*keys, format!("{place} keys")), (*values, format!("{place}[]"))]);
        }
        Shape::Object(Object { fields, extras, extra_keys, root, .. }) => {
            [extras, extra_keys, root].into_iter().flatten().for_each(&mut same);
            found.extend(fields.iter().map(|field| (field.shape, format!("{place}.{}", field.name))));
        }
        Shape::Opaque { .. }
        | Shape::Any
        | Shape::None
        | Shape::Bool { .. }
        | Shape::Int { .. }
        | Shape::Float { .. }
        | Shape::Decimal { .. }
        | Shape::Str { .. }
        | Shape::Bytes { .. }
        | Shape::Date { .. }
        | Shape::Time { .. }
        | Shape::Datetime { .. }
        | Shape::Timedelta { .. }
        | Shape::Literal { .. }
        | Shape::Enum { .. }
        | Shape::Uuid { .. }
        | Shape::Url { .. }
        | Shape::Ip { .. }
        | Shape::UploadFile => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shapes_are_known_by_the_operation_that_uses_them() {
        let route = |path: &str, shape: u32| {
            json!({"kind": "http", "path": path, "methods": ["POST"], "hidden": false, "operation": {
                "id": "x", "body": {"kind": "json", "strict-content-type": true},
                "inputs": [{"location": "body", "take": {"kind": "whole"}, "shape": shape, "required": true}],
            }})
        };
        let field = |name: &str, shape: u32| json!({"name": name, "lookup": [[name]], "shape": shape, "required": true});
        let router = |routes| json!({"routes": routes, "redirect-slashes": true, "complete": true});
        let mount = json!({"kind": "mount", "path": "/v1", "router": router(json!([route("/items", 0)]))});
        let contract = json!({
            "version": 1, "source": "inspector", "router": router(json!([mount])),
            "shapes": [
                {"type": "object", "name": "Item", "kind": "model", "extra": "ignore",
                 "fields": [field("price", 1), field("parts", 2)]},
                {"type": "int"}, {"type": "list", "items": 0}, {"type": "any"},
            ],
        });
        let places = places(&serde_json::from_value(contract).unwrap());
        let places: Vec<_> = places.iter().map(Option::as_deref).collect();
        let body = "POST /v1/items body";
        let (price, parts) = (format!("{body}.price"), format!("{body}.parts"));
        assert_eq!(places, [Some(body), Some(&*price), Some(&*parts), None]);
    }
}
