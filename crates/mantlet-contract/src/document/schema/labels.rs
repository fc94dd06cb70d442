//! How a union's choices are named in an error's `loc`, as Pydantic names them.

use crate::model::{Shape, ShapeId};

/// Pydantic's names can be as long as the shapes are deep.
const MAX_DEPTH: u8 = 4;

pub(super) fn write(shapes: &mut [Shape]) {
    let all: Vec<_> = shapes
        .iter()
        .map(|shape| match shape {
            Shape::Union { choices, .. } => {
                choices.iter().map(|choice| label(shapes, *choice, MAX_DEPTH)).collect()
            }
            _ => Vec::new(),
        })
        .collect();
    for (shape, made) in shapes.iter_mut().zip(all) {
        if let Shape::Union { labels, .. } = shape {
            *labels = made;
        }
    }
}

fn label(shapes: &[Shape], id: ShapeId, depth: u8) -> String {
    let (Some(shape), Some(depth)) = (shapes.get(id.0 as usize), depth.checked_sub(1)) else {
        return "any".to_owned();
    };
    let inner = |id: ShapeId| label(shapes, id, depth);
    let all = |ids: &[ShapeId]| ids.iter().map(|id| inner(*id)).collect::<Vec<_>>().join(",");
    let items = |items: Option<ShapeId>| items.map_or_else(|| "any".to_owned(), inner);
    let maybe = |is_constrained: bool, name: &str| {
        if is_constrained { format!("constrained-{name}") } else { name.to_owned() }
    };
    match shape {
        Shape::None => "none".to_owned(),
        Shape::Bool { .. } => "bool".to_owned(),
        Shape::Int { bounds, .. } => maybe(*bounds != crate::model::Bounds::default(), "int"),
        Shape::Float { bounds, .. } => maybe(*bounds != crate::model::Bounds::default(), "float"),
        Shape::Str { min_length, max_length, pattern, .. } => {
            maybe(min_length.is_some() || max_length.is_some() || pattern.is_some(), "str")
        }
        Shape::Bytes { min_length, max_length, .. } => {
            maybe(min_length.is_some() || max_length.is_some(), "bytes")
        }
        Shape::Date { .. } => "date".to_owned(),
        Shape::Time { .. } => "time".to_owned(),
        Shape::Datetime { .. } => "datetime".to_owned(),
        Shape::Timedelta { .. } => "timedelta".to_owned(),
        Shape::Uuid { .. } => "uuid".to_owned(),
        Shape::Enum { .. } => "enum".to_owned(),
        Shape::Literal { expected } => {
            let values: Vec<_> = expected.iter().map(|value| value.to_string().replace('"', "'")).collect();
            format!("literal[{}]", values.join(","))
        }
        Shape::List(list) => format!("list[{}]", items(list.items)),
        Shape::Set(set) => format!("set[{}]", items(set.items)),
        Shape::Tuple { items, variadic: None, .. } => format!("tuple[{}]", all(items)),
        Shape::Tuple { items, .. } => format!("tuple[{}, ...]", all(items)),
        Shape::Dict { keys, values, .. } => format!("dict[{},{}]", inner(*keys), inner(*values)),
        Shape::Object(object) => object.name.clone(),
        Shape::Nullable { inner: of } => format!("nullable[{}]", inner(*of)),
        Shape::Union { choices, .. } => format!("union[{}]", all(choices)),
        Shape::TaggedUnion { choices, .. } => {
            format!("tagged-union[{}]", all(&choices.iter().map(|(_, id)| *id).collect::<Vec<_>>()))
        }
        Shape::Then { inner: of, .. } => inner(*of),
        _ => "any".to_owned(),
    }
}
