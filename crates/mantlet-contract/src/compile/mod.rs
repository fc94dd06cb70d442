//! From the contract's shapes to [`Shapes`]: regular expressions are built, names put in tables, bounds read. Nothing is guessed: what is
//! not understood is left out, so that more passes, and is named.

mod bounds;
mod choice;
mod object;
pub(crate) mod python_regex;

use regex::Regex;

use crate::model::{self, Shape as Model, ShapeId};
use crate::shape::{
    DecimalRule, IpOf, IpRule, Length, Pattern, SequenceOf, Shape, Shapes, StrRule, TupleRule, UrlRule,
};

/// Compiles all shapes; says what is left to the app, each with the shape's index.
pub fn compile(shapes: &[Model]) -> (Shapes, Vec<(usize, String)>) {
    let mut compiler = Compiler { count: shapes.len(), at: 0, notes: Vec::new() };
    let mut compiled = Vec::with_capacity(shapes.len());
    for (index, shape) in shapes.iter().enumerate() {
        compiler.at = index;
        compiled.push(compiler.shape(shape));
    }
    (Shapes { shapes: compiled }, compiler.notes)
}

struct Compiler {
    count: usize,
    at: usize,
    notes: Vec<(usize, String)>,
}

impl Compiler {
    fn note(&mut self, why: impl Into<String>) {
        self.notes.push((self.at, why.into()));
    }

    fn id(&mut self, id: ShapeId) -> u32 {
        if id.0 as usize >= self.count {
            self.note(format!("it names shape {}, which is not there", id.0));
        }
        id.0
    }

    fn ids(&mut self, ids: &[ShapeId]) -> Vec<u32> {
        ids.iter().map(|id| self.id(*id)).collect()
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each of the model's shapes")]
    fn shape(&mut self, shape: &Model) -> Shape {
        match shape {
            Model::Opaque { .. } | Model::UploadFile => Shape::Opaque,
            Model::Any => Shape::Any,
            Model::None => Shape::None,
            Model::Bool { strict } => Shape::Bool { strict: *strict },
            Model::Int { strict, bounds } => {
                Shape::Int { strict: *strict, bounds: Box::new(self.bounds(bounds, bounds::int)) }
            }
            Model::Float { strict, allow_inf_nan, bounds } => Shape::Float {
                strict: *strict,
                allow_inf_nan: *allow_inf_nan,
                bounds: Box::new(self.bounds(bounds, bounds::float)),
            },
            Model::Decimal { strict, allow_inf_nan, max_digits, decimal_places, bounds } => {
                Shape::Decimal(Box::new(DecimalRule {
                    strict: *strict,
                    allow_inf_nan: *allow_inf_nan,
                    max_digits: *max_digits,
                    decimal_places: *decimal_places,
                    bounds: self.bounds(bounds, bounds::decimal),
                }))
            }
            Model::Str {
                strict,
                min_length,
                max_length,
                pattern,
                python_regex,
                strip_whitespace,
                coerce_numbers_to_str,
                ascii_only,
                to_lower: _,
                to_upper: _,
            } => {
                let length = length(*min_length, *max_length);
                Shape::Str(Box::new(StrRule {
                    strict: *strict,
                    length,
                    free: length.is_free() && pattern.is_none() && !ascii_only,
                    pattern: pattern.as_ref().map(|pattern| self.pattern(pattern, *python_regex)),
                    strip: *strip_whitespace,
                    ascii_only: *ascii_only,
                    from_numbers: *coerce_numbers_to_str,
                }))
            }
            Model::Bytes { strict, min_length, max_length, from_text } => {
                Shape::Bytes { strict: *strict, length: length(*min_length, *max_length), from: *from_text }
            }
            Model::Date { strict, bounds, now } => Shape::Date {
                strict: *strict,
                bounds: Box::new(self.bounds(bounds, bounds::date)),
                now: now.is_some(),
            },
            Model::Time { strict, truncate, bounds, timezone } => Shape::Time {
                strict: *strict,
                truncate: *truncate,
                bounds: Box::new(self.bounds(bounds, bounds::time)),
                timezone: *timezone,
            },
            Model::Datetime { strict, truncate, bounds, timezone, now } => Shape::Datetime {
                strict: *strict,
                truncate: *truncate,
                bounds: Box::new(self.bounds(bounds, bounds::datetime)),
                timezone: *timezone,
                now: now.is_some(),
            },
            Model::Timedelta { strict, truncate, bounds } => Shape::Timedelta {
                strict: *strict,
                truncate: *truncate,
                bounds: Box::new(self.bounds(bounds, bounds::duration)),
            },
            Model::Literal { expected } => Shape::Literal(Box::new(choice::values(expected))),
            Model::Enum { name, values, sub_type, strict, has_missing } => {
                choice::enumeration(name, values, sub_type.as_deref(), *strict, *has_missing)
            }
            Model::Uuid { strict, version } => Shape::Uuid { strict: *strict, version: *version },
            Model::Url { .. } => Shape::Url(Box::new(url(shape))),
            Model::Ip { of } => self.ip(of),
            Model::List(sequence) => self.sequence(SequenceOf::List, sequence),
            Model::Set(sequence) => self.sequence(SequenceOf::Set, sequence),
            Model::FrozenSet(sequence) => self.sequence(SequenceOf::FrozenSet, sequence),
            Model::Tuple { items, variadic, min_length, max_length, strict, fail_fast } => {
                let variadic = variadic.map(|index| index as usize);
                if variadic.is_some_and(|index| index >= items.len()) {
                    self.note("the item that may repeat is not there");
                    return Shape::Opaque;
                }
                Shape::Tuple(Box::new(TupleRule {
                    items: self.ids(items),
                    variadic,
                    length: length(*min_length, *max_length),
                    strict: *strict,
                    fail_fast: *fail_fast,
                }))
            }
            Model::Dict { keys, values, min_length, max_length, strict: _, fail_fast } => Shape::Dict {
                keys: self.id(*keys),
                values: self.id(*values),
                length: length(*min_length, *max_length),
                fail_fast: *fail_fast,
            },
            Model::Object(object) => self.object(object),
            Model::Nullable { inner } => Shape::Nullable(self.id(*inner)),
            Model::WithDefault { inner } => Shape::Transparent(self.id(*inner)),
            Model::Then { inner, .. } => Shape::Then(self.id(*inner)),
            Model::Union { choices, labels, left_to_right } => self.union(choices, labels, *left_to_right),
            Model::TaggedUnion { discriminator, shown_as, choices } => {
                self.tagged(discriminator, shown_as.as_deref(), choices)
            }
            Model::JsonText { inner } => Shape::JsonText(inner.map(|inner| self.id(inner))),
            Model::CustomError { inner, error_type, message } => Shape::Custom {
                inner: self.id(*inner),
                kind: error_type.as_str().into(),
                message: message.as_deref().map(Into::into),
            },
        }
    }

    /// Pydantic's own engine is the same crate. What it cannot build, and what is meant for Python's `re`, is the app's.
    fn pattern(&mut self, text: &str, python: bool) -> Pattern {
        let regex = if python {
            let regex = python_regex::at_least(text).and_then(|pattern| Regex::new(&pattern).ok());
            if regex.is_none() {
                self.note(format!("the pattern `{text}` is one of Python's `re`"));
            }
            regex
        } else {
            Regex::new(text)
                .inspect_err(|_| self.note(format!("the pattern `{text}` is not a regular expression here")))
                .ok()
        };
        Pattern { text: text.into(), regex, only_refuses: python }
    }

    fn sequence(&mut self, of: SequenceOf, sequence: &model::Sequence) -> Shape {
        Shape::Sequence {
            of,
            items: sequence.items.map(|items| self.id(items)),
            length: length(sequence.min_length, sequence.max_length),
            strict: sequence.strict,
            fail_fast: sequence.fail_fast,
        }
    }

    fn ip(&mut self, of: &str) -> Shape {
        let (version, kind) = of.split_once('-').unwrap_or(("", of));
        let of_kind = match kind {
            "address" => IpOf::Address,
            "interface" => IpOf::Interface,
            "network" => IpOf::Network,
            _ => {
                self.note(format!("`{of}` is not a known kind of IP address"));
                return Shape::Opaque;
            }
        };
        Shape::Ip(IpRule { v4: version != "ipv6", v6: version != "ipv4", of: of_kind })
    }
}

fn length(min: Option<u64>, max: Option<u64>) -> Length {
    Length { min, max }
}

impl Length {
    pub(crate) const fn is_free(self) -> bool {
        self.min.is_none() && self.max.is_none()
    }
}

fn url(shape: &Model) -> UrlRule {
    let mut rule = UrlRule {
        strict: false,
        multi_host: false,
        max_length: None,
        schemes: None,
        shown: "".into(),
        host_required: false,
        default_host: None,
        default_port: None,
    };
    if let Model::Url {
        multi_host,
        max_length,
        allowed_schemes,
        host_required,
        default_host,
        default_port,
        default_path: _,
        strict,
    } = shape
    {
        rule.multi_host = *multi_host;
        rule.max_length = *max_length;
        rule.host_required = *host_required;
        rule.default_host = default_host.as_deref().map(Into::into);
        rule.default_port = *default_port;
        rule.strict = *strict;
        if let Some(schemes) = allowed_schemes {
            let shown: Vec<String> = schemes.iter().map(|scheme| crate::python::repr_text(scheme)).collect();
            rule.shown = crate::python::or_list(&shown).into();
            rule.schemes = Some(schemes.clone());
        }
    }
    rule
}
