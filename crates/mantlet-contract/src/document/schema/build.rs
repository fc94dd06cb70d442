//! From flattened schemas to a shape.

use serde_json::Value;

use super::{
    super::{Reader, tree::Node},
    Direction,
    flat::{Atom, Flat},
    numbers,
    types::{self, Types},
};
use crate::model::{Shape, ShapeId};

/// Keywords that say something of a value which the model cannot say.
const UNSAYABLE: [&str; 8] = [
    "not",
    "if",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "unevaluatedItems",
    "$dynamicRef",
    "$recursiveRef",
];

impl<'d> Reader<'d> {
    pub(super) fn build(&mut self, mut flat: Flat<'d>, direction: Direction) -> Shape {
        let at = flat.at.clone().unwrap_or_default();
        Self::bound_choices(&mut flat);
        for atom in &flat.atoms {
            let unsayable = UNSAYABLE.iter().filter(|keyword| atom.get(keyword).is_some());
            flat.loose.extend(
                unsayable.map(|keyword| (atom.place.at.clone(), format!("`{keyword}` cannot be expressed"))),
            );
            if let Some(value) = atom.get("type").filter(|value| types::declared(value).is_none()) {
                flat.loose.push((atom.place.at.clone(), format!("{} is not a type", quoted(value))));
            }
        }
        let shape = match self.union(&flat, direction) {
            Some(shape) => shape,
            None if flat.atoms.is_empty() => Shape::Any,
            None => self.of_types(&mut flat, &at, direction),
        };
        // Of a response it matters which fields it may have, not what else is said of them.
        let is_moot = direction == Direction::Response && !matches!(shape, Shape::Any | Shape::Opaque { .. });
        if flat.loose.is_empty() || is_moot {
            return shape;
        }
        for (at, why) in &flat.loose {
            self.note(at, why.clone());
        }
        let why: Vec<_> = flat.loose.into_iter().map(|(_, why)| why).collect();
        let why = why.join("; ");
        match shape {
            Shape::Any | Shape::Opaque { .. } => Shape::Opaque { why },
            shape => Shape::Then { inner: self.add(shape), why },
        }
    }

    fn of_types(&mut self, flat: &mut Flat<'d>, at: &str, direction: Direction) -> Shape {
        let types = Self::own_types(flat);
        if let Some(values) = values(flat, types) {
            return self.of_values(&values, flat, at);
        }
        let says_more = |atom: &Atom<'d>| atom.members.keys().any(|keyword| constrains(keyword));
        if types == Types::ALL && !flat.atoms.iter().any(says_more) {
            return Shape::Any;
        }
        let mut choices = Vec::new();
        if types.has(Types::STRING) {
            choices.push(self.string(flat));
        }
        if types.has(Types::FRACTION) {
            choices.push(numbers::float(flat));
        } else if types.has(Types::INTEGER) {
            choices.push(numbers::integer(flat));
        }
        if types.has(Types::BOOLEAN) {
            choices.push(Shape::Bool { strict: false });
        }
        if types.has(Types::ARRAY) {
            let shape = self.array(flat, direction);
            choices.push(shape);
        }
        if types.has(Types::OBJECT) {
            let shape = self.object(flat, direction);
            choices.push(shape);
        }
        self.any_of(choices, types.has(Types::NULL), at)
    }

    fn any_of(&mut self, mut choices: Vec<Shape>, is_nullable: bool, at: &str) -> Shape {
        let shape = match (choices.pop(), choices.is_empty()) {
            (None, _) if is_nullable => return Shape::None,
            (None, _) => {
                let why = "no value can fit all schemas here together".to_owned();
                self.note(at, why.clone());
                return Shape::Opaque { why };
            }
            (Some(only), true) => only,
            (Some(last), false) => {
                choices.push(last);
                let choices: Vec<ShapeId> = choices.into_iter().map(|shape| self.add(shape)).collect();
                Shape::Union { choices, labels: Vec::new(), left_to_right: false }
            }
        };
        if is_nullable { Shape::Nullable { inner: self.add(shape) } } else { shape }
    }

    /// One of several values.
    fn of_values(&mut self, values: &[&'d Node], flat: &mut Flat<'d>, at: &str) -> Shape {
        let of = |wanted: Types| -> Vec<Value> {
            let all = values.iter().filter(|value| wanted.has(Types::of(value)));
            all.filter_map(|value| value.scalar()).collect()
        };
        let mut choices = Vec::new();
        let texts = of(Types::STRING);
        if !texts.is_empty() {
            // A named enumeration is one in Python too; what stands in its place is a literal.
            choices.push(if flat.name.is_some() {
                Shape::Enum {
                    name: flat.name.clone().unwrap_or_default(),
                    values: texts,
                    sub_type: Some("str".to_owned()),
                    strict: false,
                    has_missing: false,
                }
            } else {
                Shape::Literal { expected: texts }
            });
        }
        let (integers, fractions) = (of(Types::INTEGER), of(Types::FRACTION));
        if !fractions.is_empty() {
            // In a query `1.50` is 1.5, which Pydantic's enumerations do not know.
            flat.loosen("only some numbers are allowed here, which cannot be expressed");
            choices.push(Shape::Float {
                strict: false,
                allow_inf_nan: true,
                bounds: crate::model::Bounds::default(),
            });
        } else if !integers.is_empty() {
            let values = integers.iter().map(whole).collect();
            choices.push(Shape::Enum {
                name: flat.name.clone().unwrap_or_default(),
                values,
                sub_type: Some("int".to_owned()),
                strict: false,
                has_missing: false,
            });
        }
        let booleans = of(Types::BOOLEAN);
        if !booleans.is_empty() {
            if booleans.len() == 1 {
                flat.loosen("only one boolean is allowed here, which cannot be expressed");
            }
            choices.push(Shape::Bool { strict: false });
        }
        if values.iter().any(|value| Types::of(value).has(Types::ARRAY.or(Types::OBJECT))) {
            let why = "one of several lists or objects, which cannot be expressed".to_owned();
            self.note(at, why.clone());
            return Shape::Opaque { why };
        }
        let is_nullable = flat.is_nullable || values.contains(&&Node::Null);
        self.any_of(choices, is_nullable, at)
    }
}

/// `2.0` as `2`.
fn whole(value: &Value) -> Value {
    match value.as_f64() {
        Some(float) if value.is_f64() => {
            format!("{float:.0}").parse().map_or_else(|_| value.clone(), Value::Number)
        }
        _ => value.clone(),
    }
}

/// The values that `enum` and `const` leave; none if they say nothing, or nothing that could be meant.
fn values<'d>(flat: &mut Flat<'d>, types: Types) -> Option<Vec<&'d Node>> {
    let mut left: Option<Vec<&'d Node>> = None;
    for atom in &flat.atoms {
        let lists = [atom.get("enum").and_then(Node::list), atom.get("const").map(std::slice::from_ref)];
        for list in lists.into_iter().flatten() {
            left = Some(match left {
                None => list.iter().collect(),
                Some(values) => {
                    values.into_iter().filter(|value| list.iter().any(|other| same(value, other))).collect()
                }
            });
        }
    }
    let mut values = left?;
    // Null among the values of a text is meant.
    values.retain(|value| types.or(Types::NULL).has(Types::of(value)));
    if values.is_empty() {
        flat.loosen("none of the allowed values has an allowed type");
        return None;
    }
    Some(values)
}

fn same(one: &Node, other: &Node) -> bool {
    match (one, other) {
        (Node::Number(one), Node::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

/// Keywords that say something of some type of value, which is not null.
fn constrains(keyword: &str) -> bool {
    const KEYWORDS: [&str; 27] = [
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "contentMediaType",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "uniqueItems",
        "contains",
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "propertyNames",
        "minProperties",
        "maxProperties",
        "unevaluatedProperties",
        "minContains",
        "maxContains",
        "enum",
    ];
    KEYWORDS.contains(&keyword)
}

fn quoted(value: &Node) -> String {
    match value {
        Node::Text(text) => format!("`{text}`"),
        _ => "what stands as `type`".to_owned(),
    }
}
