//! Lists, sets, tuples and dicts.

use super::sets::Different;
use super::{Run, Step, index, s};
use crate::fault::Problem;
use crate::shape::{Length, SequenceOf, Shape, TupleRule};
use crate::value::{List, View};

impl<'a> Run<'a> {
    pub(super) fn sequence(
        &mut self,
        of: SequenceOf,
        items: Option<u32>,
        length: Length,
        strict: bool,
        fail_fast: bool,
        view: View<'a>,
    ) -> bool {
        let list = match view {
            View::List(list) if of == SequenceOf::List || !strict => list,
            _ => {
                let (kind, msg) = match of {
                    SequenceOf::List => ("list_type", "Input should be a valid list"),
                    SequenceOf::Set => ("set_type", "Input should be a valid set"),
                    SequenceOf::FrozenSet => ("frozen_set_type", "Input should be a valid frozenset"),
                };
                return self.refuse(|| Problem::new(kind, msg));
            }
        };
        match of {
            SequenceOf::List => self.list(items, length, fail_fast, list),
            SequenceOf::Set => self.set("Set", items, length, fail_fast, list),
            SequenceOf::FrozenSet => self.set("Frozenset", items, length, fail_fast, list),
        }
    }

    /// An item too many stops at once and is the only error, but the items before it are judged first.
    fn list(&mut self, items: Option<u32>, length: Length, fail_fast: bool, list: List<'a>) -> bool {
        let start = self.mark();
        let len = list.len() as u64;
        let Some(items) = items else {
            return self.min_length("List", length, len) && self.max_length("List", length, len, Some(len));
        };
        let mut accepted = true;
        for (at, item) in list.iter().enumerate() {
            accepted &= self.below(index(at), |run| run.check(items, item));
            if length.max.is_some_and(|max| at as u64 >= max) {
                self.back_to(start);
                return self.max_length("List", length, len, Some(len));
            }
            if fail_fast && !accepted {
                return false;
            }
        }
        accepted && self.min_length("List", length, len)
    }

    fn set(
        &mut self,
        name: &'static str,
        items: Option<u32>,
        length: Length,
        fail_fast: bool,
        list: List<'a>,
    ) -> bool {
        let start = self.mark();
        let mut accepted = true;
        let mut different = Different::new();
        for (at, item) in list.iter().enumerate() {
            let mut passes = items.is_none_or(|items| self.below(index(at), |run| run.check(items, item)));
            let any = items.is_none_or(|items| matches!(self.shapes.get(items), Shape::Any));
            if any && matches!(item.view(), View::List(_) | View::Dict(_)) {
                passes = self.below(index(at), |run| {
                    run.refuse(|| Problem::new("set_item_not_hashable", "Set items should be hashable"))
                });
            }
            if passes && !length.is_free() {
                different.add(self.shapes, items, item);
                if let Some(count) = different.exactly()
                    && length.max.is_some_and(|max| count as u64 > max)
                {
                    self.back_to(start);
                    return self.max_length(name, length, count as u64, None);
                }
            }
            accepted &= passes;
            if fail_fast && !accepted {
                return false;
            }
        }
        accepted && self.counted(name, length, &different)
    }

    /// The least length, where it may not be known how many are the same.
    fn counted(&mut self, name: &'static str, length: Length, different: &Different<'_>) -> bool {
        if let Some(count) = different.exactly() {
            return self.min_length(name, length, count as u64);
        }
        self.undecided = true;
        // All are different at best.
        self.min_length(name, length, different.at_most() as u64)
    }

    fn min_length(&mut self, name: &'static str, length: Length, len: u64) -> bool {
        match length.min {
            Some(min) if len < min => self.refuse(|| {
                let msg =
                    format!("{name} should have at least {min} item{} after validation, not {len}", s(min));
                Problem::new("too_short", msg)
                    .with("field_type", name)
                    .with("min_length", min)
                    .with("actual_length", len)
            }),
            _ => true,
        }
    }

    fn max_length(&mut self, name: &'static str, length: Length, len: u64, actual: Option<u64>) -> bool {
        match length.max {
            Some(max) if len > max => self.refuse(|| {
                let shown = actual.map_or_else(|| "more".to_owned(), |actual| actual.to_string());
                let msg =
                    format!("{name} should have at most {max} item{} after validation, not {shown}", s(max));
                Problem::new("too_long", msg)
                    .with("field_type", name)
                    .with("max_length", max)
                    .with("actual_length", actual)
            }),
            _ => true,
        }
    }

    pub(super) fn tuple(&mut self, rule: &'a TupleRule, view: View<'a>) -> bool {
        let list = match view {
            View::List(list) if !rule.strict => list,
            _ => return self.refuse(|| Problem::new("tuple_type", "Input should be a valid tuple")),
        };
        let start = self.mark();
        let len = list.len();
        let fixed = rule.items.len() - usize::from(rule.variadic.is_some());
        let repeated = if rule.variadic.is_some() { len.saturating_sub(fixed) } else { 0 };
        let mut items = list.iter();
        let mut accepted = true;
        let mut output = 0_u64;
        let mut at = 0;
        for (place, shape) in rule.items.iter().enumerate() {
            let times = if Some(place) == rule.variadic { repeated } else { 1 };
            for _ in 0..times {
                let passes = self.below(index(at), |run| match items.next() {
                    Some(item) => run.check(*shape, item),
                    None => run.refuse(Problem::missing),
                });
                if passes {
                    output += 1;
                    if rule.length.max.is_some_and(|max| output > max) {
                        self.back_to(start);
                        return self.max_length("Tuple", rule.length, output, Some(len as u64));
                    }
                }
                accepted &= passes;
                at += 1;
                if rule.fail_fast && !accepted {
                    return false;
                }
            }
        }
        if items.next().is_some() {
            self.back_to(start);
            let length = Length { min: None, max: Some(rule.items.len() as u64) };
            return self.max_length("Tuple", length, len as u64, Some(len as u64));
        }
        // Unlike elsewhere this is said beside the other errors.
        self.min_length("Tuple", rule.length, output) && accepted
    }

    pub(super) fn dict(
        &mut self,
        keys: u32,
        values: u32,
        length: Length,
        fail_fast: bool,
        view: View<'a>,
    ) -> bool {
        let View::Dict(dict) = view else {
            return self.refuse(|| Problem::new("dict_type", "Input should be a valid dictionary"));
        };
        let start = self.mark();
        let mut accepted = true;
        let mut different = Different::new();
        for pair in dict.pairs() {
            let Some(key) = self.key(&pair) else { continue };
            let key_value = crate::value::Value::Text(key);
            let key_passes = self
                .below(Step::Key(key), |run| run.below(Step::Key("[key]"), |run| run.check(keys, key_value)));
            accepted &= key_passes;
            if fail_fast && !accepted {
                return false;
            }
            let value_passes = self.below(Step::Key(key), |run| run.check(values, pair.value));
            accepted &= value_passes;
            if fail_fast && !accepted {
                return false;
            }
            if key_passes && value_passes && !length.is_free() {
                different.add(self.shapes, Some(keys), key_value);
                if let Some(count) = different.exactly()
                    && length.max.is_some_and(|max| count as u64 > max)
                {
                    self.back_to(start);
                    return self.max_length("Dictionary", length, count as u64, None);
                }
            }
        }
        accepted && self.counted("Dictionary", length, &different)
    }
}
