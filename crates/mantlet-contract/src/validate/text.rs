//! Texts.

use std::borrow::Cow;

use super::{Run, s};
use crate::fault::Problem;
use crate::python::repr_float;
use crate::shape::StrRule;
use crate::value::View;

impl<'a> Run<'a> {
    pub(super) fn str(&mut self, rule: &'a StrRule, view: View<'a>) -> bool {
        let text: Cow<'_, str> = match view {
            View::Str(text) => text.into(),
            View::Bytes(bytes) if !rule.strict => match std::str::from_utf8(bytes) {
                Ok(text) => text.into(),
                Err(_) => {
                    return self.refuse(|| {
                        Problem::new(
                            "string_unicode",
                            "Input should be a valid string, unable to parse raw data as a unicode string",
                        )
                    });
                }
            },
            View::Int(digits) if rule.from_numbers && !rule.strict => {
                if digits == "-0" { "0" } else { digits }.into()
            }
            View::Float(float) if rule.from_numbers && !rule.strict => repr_float(float).into(),
            _ => return self.refuse(|| Problem::new("string_type", "Input should be a valid string")),
        };
        rule.free || self.str_constraints(rule, &text)
    }

    fn str_constraints(&mut self, rule: &StrRule, text: &str) -> bool {
        let text = if rule.strip { text.trim() } else { text };
        if rule.ascii_only && !text.is_ascii() {
            return self
                .refuse(|| Problem::new("string_not_ascii", "String should contain only ASCII characters"));
        }
        if !rule.length.is_free() {
            let len = text.chars().count() as u64;
            if let Some(min) = rule.length.min.filter(|min| len < *min) {
                return self.refuse(|| {
                    let msg = format!("String should have at least {min} character{}", s(min));
                    Problem::new("string_too_short", msg).with("min_length", min)
                });
            }
            if let Some(max) = rule.length.max.filter(|max| len > *max) {
                return self.refuse(|| {
                    let msg = format!("String should have at most {max} character{}", s(max));
                    Problem::new("string_too_long", msg).with("max_length", max)
                });
            }
        }
        let Some(pattern) = &rule.pattern else { return true };
        match &pattern.regex {
            None => self.unsure(),
            Some(regex) if regex.is_match(text) => !pattern.only_refuses || self.unsure(),
            Some(_) => self.refuse(|| {
                let msg = format!("String should match pattern '{}'", pattern.text);
                Problem::new("string_pattern_mismatch", msg).with("pattern", &*pattern.text)
            }),
        }
    }
}
