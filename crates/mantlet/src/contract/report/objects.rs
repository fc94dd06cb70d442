//! The report of whose the app's objects are, with the rules that are proposed.

use std::fmt::Write as _;

use mantlet_contract::objects::Place;

use super::Report;
use crate::say::amount;

impl Report {
    fn rules_of(&self, place: &Place) -> usize {
        self.rules.get(place).copied().unwrap_or_default()
    }

    /// Tables with owners, and operations with an id that no rule checks.
    pub(super) fn name_objects(&self, text: &mut String) {
        let found = &self.objects;
        if let Some(why) = &found.unknown
            && !found.with_id.is_empty()
        {
            let _ = write!(text, "\nobjects: it is not known which table has the users: {why}");
        }
        if !found.tables.is_empty() {
            text.push_str("\nobjects:");
        }
        for table in &found.tables {
            let rules: usize = table.shown.iter().map(|place| self.rules_of(place)).sum();
            let shown = amount(table.shown.len(), "operation");
            let _ = write!(
                text,
                "\n  `{}` {}; in {shown}, checked by {}",
                table.name,
                table.owned,
                amount(rules, "rule")
            );
            for why in &table.left {
                let _ = write!(text, "\n    {why}");
            }
            for proposal in &table.proposals {
                text.push('\n');
                for line in proposal.to_toml().lines() {
                    let _ = write!(text, "\n    {line}");
                }
            }
        }
        if !found.functions.is_empty() {
            text.push_str(
                "\nfunctions: what seems to be for administrators, where no dependency or scope tells callers apart; the handler may",
            );
        }
        for function in &found.functions {
            text.push('\n');
            for line in function.to_toml().lines() {
                let _ = write!(text, "\n    {line}");
            }
        }
        let unchecked = found.with_id.iter().filter(|place| self.rules_of(place) == 0);
        let (proposed, other): (Vec<_>, Vec<_>) = unchecked.partition(|place| found.is_proposed(place));
        for (places, what) in [(proposed, "one is proposed above"), (other, "none is proposed")] {
            if places.is_empty() {
                continue;
            }
            let _ = write!(
                text,
                "\nwith a login and an id in the path, and no rule that checks whose it is; {what}:"
            );
            for place in places {
                let _ = write!(text, "\n  {place}");
            }
        }
    }
}
