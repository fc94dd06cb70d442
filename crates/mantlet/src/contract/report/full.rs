//! The report of `mantlet contract`: with every place.

use std::fmt::Write as _;

use super::Report;
use crate::say::amount;

impl Report {
    /// With every place.
    pub(crate) fn full(&self) -> String {
        let mut text = self.head();
        text.push_str(match (self.is_complete, self.is_claim) {
            (true, false) => "\npaths: all are known",
            (true, true) => "\npaths: all are known, if the document is true",
            (false, _) => "\npaths: not all are known, so unknown ones are left to the app",
        });
        let _ = write!(text, "\n{}", self.answers());
        text.push_str(&self.removed());
        for (why, number) in &self.unsure {
            let _ = write!(text, "\n{why} may answer in place of {}", amount(*number, "operation"));
        }
        if !self.guarded.is_empty() {
            text.push_str("\nmay refuse before input is validated:");
            for (why, number) in &self.guarded {
                let _ = write!(text, "\n  {why}: {}", amount(*number, "operation"));
            }
        }
        if !self.hidden.is_empty() {
            text.push_str("\nnot in its document:");
            for place in &self.hidden {
                let _ = write!(text, "\n  {place}");
            }
        }
        self.name_objects(&mut text);
        if self.notes.is_empty() {
            text.push_str("\nno place is known where only the app can decide");
            return text;
        }
        let _ = write!(text, "\n{} where the app decides:", amount(self.notes.len(), "place"));
        for (why, places) in self.reasons() {
            let _ = write!(text, "\n  {why}");
            for place in places {
                let _ = write!(text, "\n    {place}");
            }
        }
        text
    }
}
