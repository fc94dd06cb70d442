//! Bounds of numbers.

use serde_json::Number;

use super::{
    super::tree::Node,
    flat::{Atom, Flat},
};
use crate::model::{Bounds, Shape};

/// Larger floats are not exact integers.
const EXACT: f64 = 9_007_199_254_740_992.0;

pub(super) fn float(flat: &mut Flat<'_>) -> Shape {
    let bounds = bounds(flat, |number, _| Some(number.to_string()));
    Shape::Float { strict: false, allow_inf_nan: true, bounds }
}

pub(super) fn integer(flat: &mut Flat<'_>) -> Shape {
    let bounds = bounds(flat, |number, kind| {
        if !number.is_f64() {
            return Some(number.to_string());
        }
        let float = number.as_f64().filter(|float| float.abs() < EXACT)?;
        let integer = match kind {
            // To be above 1.5 is to be above 1.
            Kind::Least | Kind::Below => float.ceil(),
            Kind::Most | Kind::Above => float.floor(),
            Kind::Multiple if float.fract() == 0.0 => float,
            Kind::Multiple => return None,
        };
        Some(format!("{integer:.0}"))
    });
    Shape::Int { strict: false, bounds }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Least,
    Most,
    Above,
    Below,
    Multiple,
}

fn bounds(flat: &mut Flat<'_>, write: impl Fn(&Number, Kind) -> Option<String>) -> Bounds {
    let mut bounds = Bounds::default();
    let mut loose = Vec::new();
    let mut told: [Option<f64>; 4] = [None; 4];
    for atom in &flat.atoms {
        for (keyword, kind, number) in limits(atom) {
            let (place, index) = match kind {
                Kind::Least => (&mut bounds.ge, 0),
                Kind::Most => (&mut bounds.le, 1),
                Kind::Above => (&mut bounds.gt, 2),
                Kind::Below => (&mut bounds.lt, 3),
                Kind::Multiple => {
                    let positive = number.as_f64().is_some_and(|step| step > 0.0);
                    match write(number, kind).filter(|_| positive && bounds.multiple_of.is_none()) {
                        Some(text) => bounds.multiple_of = Some(text),
                        None => loose.push(format!("`{keyword}: {number}` cannot be expressed")),
                    }
                    continue;
                }
            };
            let (Some(value), Some(known)) = (number.as_f64(), told.get_mut(index)) else { continue };
            let upper = matches!(kind, Kind::Most | Kind::Below);
            if known.is_some_and(|known| if upper { known <= value } else { known >= value }) {
                continue;
            }
            match write(number, kind) {
                Some(text) => (*place, *known) = (Some(text), Some(value)),
                None => loose.push(format!("`{keyword}: {number}` cannot be expressed")),
            }
        }
    }
    for why in loose {
        flat.loosen(why);
    }
    bounds
}

/// 3.0 says with a boolean that a bound is exclusive, 3.1 with a number.
fn limits<'d>(atom: &Atom<'d>) -> Vec<(&'static str, Kind, &'d Number)> {
    let number = |keyword| match atom.get(keyword) {
        Some(Node::Number(number)) => Some(number),
        _ => None,
    };
    let is_exclusive = |keyword| atom.get(keyword).is_some_and(Node::is_true);
    let least = if is_exclusive("exclusiveMinimum") { Kind::Above } else { Kind::Least };
    let most = if is_exclusive("exclusiveMaximum") { Kind::Below } else { Kind::Most };
    let all = [
        ("minimum", least),
        ("maximum", most),
        ("exclusiveMinimum", Kind::Above),
        ("exclusiveMaximum", Kind::Below),
        ("multipleOf", Kind::Multiple),
    ];
    all.into_iter().filter_map(|(keyword, kind)| Some((keyword, kind, number(keyword)?))).collect()
}
