//! Literals, enumerations and unions.

use super::number::{AsInt, as_int};
use super::scalars::instance_of;
use super::{Mark, Run, Step};
use crate::fault::Problem;
use crate::number::Int;
use crate::python;
use crate::shape::{EnumOf, EnumRule, Expected, TaggedRule, UnionRule, Values};
use crate::value::{Value, View};

/// Where a value is among the expected ones.
enum Found {
    At(usize),
    Nowhere,
    Unsure,
}

impl<'a> Run<'a> {
    pub(super) fn literal(&mut self, values: &'a Values, view: View<'a>) -> bool {
        if let (true, View::Int(digits)) = (values.ints, view)
            && let Some(Int::Big { .. }) = Int::parse(digits)
        {
            return self.refuse(too_large);
        }
        match find(values, view) {
            Found::At(_) => true,
            Found::Unsure => self.unsure(),
            Found::Nowhere => self.refuse(|| expected("literal_error", values)),
        }
    }

    pub(super) fn enumeration(&mut self, rule: &'a EnumRule, view: View<'a>) -> bool {
        if rule.strict {
            return self.refuse(|| instance_of(&rule.name));
        }
        if rule.values.ints
            && matches!(rule.of, EnumOf::Int | EnumOf::Plain)
            && let View::Int(digits) = view
            && let Some(Int::Big { .. }) = Int::parse(digits)
        {
            return if rule.open { self.unsure() } else { self.refuse(too_large) };
        }
        let found = match (rule.of, view) {
            (EnumOf::Int, View::Str(_) | View::Bytes(_)) => match as_int(view, false) {
                AsInt::Is(Int::Big { .. }) | AsInt::Unsure => Found::Unsure,
                AsInt::Is(int) => find_int(&rule.values, &int),
                AsInt::Not(..) => Found::Nowhere,
            },
            (EnumOf::Float, View::Str(text)) => match text.trim().replace('_', "").parse::<f64>() {
                Ok(float) => match find(&rule.values, View::Float(float)) {
                    Found::Nowhere => Found::Nowhere,
                    Found::At(_) | Found::Unsure => Found::Unsure,
                },
                Err(_) => Found::Nowhere,
            },
            (_, View::Bytes(_)) => Found::Unsure,
            _ => Found::Nowhere,
        };
        let found = match found {
            Found::Nowhere => find(&rule.values, view),
            found => found,
        };
        match found {
            Found::At(_) => true,
            Found::Unsure => self.unsure(),
            Found::Nowhere if rule.open => self.unsure(),
            Found::Nowhere => self.refuse(|| expected("enum", &rule.values)),
        }
    }

    /// If any choice passes it passes; else all errors, below the choices' labels.
    pub(super) fn union(&mut self, rule: &'a UnionRule, value: Value<'a>) -> bool {
        let start = self.mark();
        let won = rule.choices.iter().position(|(choice, label)| {
            self.ignored.truncate(start.ignored);
            self.undecided = false;
            self.below(Step::Key(label), |run| run.check(*choice, value))
        });
        let Some(won) = won else {
            self.undecided = start.undecided;
            return false;
        };
        self.faults.truncate(start.faults);
        let certain = !self.undecided;
        self.undecided |= start.undecided;
        if self.ignored.len() > start.ignored && !(certain && self.alone(rule, won, value, start)) {
            self.ignored.truncate(start.ignored);
        }
        true
    }

    /// Whether no other choice would win, neither now nor without the members that the winner ignores: a dict takes what a model
    /// leaves. Only then they are known to be ignored.
    fn alone(&mut self, rule: &'a UnionRule, won: usize, value: Value<'a>, start: Mark) -> bool {
        if !self.hidden.is_empty() {
            return false;
        }
        let after = self.mark();
        let mut hidden = self.ignored.get(start.ignored..).unwrap_or_default().to_vec();
        hidden.sort_by_key(|span| span.start);
        let mut others =
            rule.choices.iter().enumerate().filter(|(at, _)| *at < won || (*at > won && !rule.left_to_right));
        let alone = others.all(|(at, (choice, _))| {
            // Those in front of the winner have refused it as it is.
            let refused = at < won || !self.check(*choice, value);
            self.hidden.clone_from(&hidden);
            let refused = refused && !self.check(*choice, value) && !self.doubt;
            self.hidden.clear();
            self.back_to(after);
            refused
        });
        self.doubt = false;
        alone
    }

    pub(super) fn tagged(&mut self, rule: &'a TaggedRule, value: Value<'a>, view: View<'a>) -> bool {
        let View::Dict(dict) = view else {
            return self.refuse(super::objects::attributes_type);
        };
        let Some(tag) = rule.discriminator.iter().find_map(|name| dict.get(name)) else {
            return self.refuse(|| {
                let shown = &*rule.shown_as;
                let msg = format!("Unable to extract tag using discriminator {shown}");
                Problem::new("union_tag_not_found", msg).with("discriminator", shown)
            });
        };
        let found = match tag.view() {
            View::Unknown => Found::Unsure,
            view => find(&rule.tags, view),
        };
        match found {
            Found::Unsure => self.unsure(),
            Found::At(at) => {
                let Some(choice) = rule.choices.get(at) else { return self.unsure() };
                let step = match tag.view() {
                    View::Str(text) => Some(Step::Key(text)),
                    View::Int(digits) => digits.parse().ok().map(Step::Index),
                    View::Bool(bool) => Some(Step::Index(i64::from(bool))),
                    _ => None,
                };
                match step {
                    Some(step) => self.below(step, |run| run.check(*choice, value)),
                    None => self.check(*choice, value),
                }
            }
            Found::Nowhere => self.refuse(|| {
                let (shown, expected, tag) = (&*rule.shown_as, &*rule.expected, shortened(python::str(tag)));
                let msg = format!(
                    "Input tag '{tag}' found using {shown} does not match any of the expected tags: {expected}"
                );
                Problem::new("union_tag_invalid", msg)
                    .with("discriminator", shown)
                    .with("tag", tag)
                    .with("expected_tags", expected)
            }),
        }
    }
}

fn expected(kind: &'static str, values: &Values) -> Problem {
    Problem::new(kind, format!("Input should be {}", values.shown)).with("expected", &*values.shown)
}

/// An answer does not repeat what is long.
fn shortened(mut tag: String) -> String {
    if let Some((at, _)) = tag.char_indices().nth(200) {
        tag.truncate(at);
        tag.push_str("...");
    }
    tag
}

fn too_large() -> Problem {
    Problem::new("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size")
}

/// By Python's `==`, under which `True`, `1` and `1.0` are the same.
fn find(values: &Values, view: View<'_>) -> Found {
    let mut unsure = false;
    let at = values.all.iter().position(|expected| match (expected, view) {
        (Expected::None, View::None) => true,
        (Expected::Str(expected), View::Str(text)) => **expected == *text,
        (Expected::Int(expected), View::Int(digits)) => {
            Int::parse(digits).is_some_and(|int| int == *expected)
        }
        (Expected::Int(expected), View::Bool(bool)) => *expected == Int::Small(i64::from(bool)),
        (Expected::Int(expected), View::Float(float)) => {
            float.fract() == 0.0 && expected.as_float().is_some_and(|expected| same(expected, float))
        }
        (Expected::Float(expected), View::Float(float)) => same(*expected, float),
        (Expected::Float(expected), View::Int(digits)) => {
            Int::parse(digits).and_then(|int| int.as_float()).is_some_and(|int| same(*expected, int))
        }
        (Expected::Float(expected), View::Bool(bool)) => same(*expected, f64::from(u8::from(bool))),
        (Expected::Unknown, _) => {
            unsure = true;
            false
        }
        _ => false,
    });
    match at {
        Some(at) => Found::At(at),
        None if unsure => Found::Unsure,
        None => Found::Nowhere,
    }
}

fn find_int(values: &Values, int: &Int) -> Found {
    let same = |expected: &Expected| matches!(expected, Expected::Int(expected) if expected == int);
    values.all.iter().position(same).map_or(Found::Nowhere, Found::At)
}

fn same(a: f64, b: f64) -> bool {
    a.partial_cmp(&b) == Some(std::cmp::Ordering::Equal)
}
