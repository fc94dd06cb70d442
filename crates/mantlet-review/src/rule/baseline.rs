//! Rules about the baseline: what a team accepts has a reason and an end.

use super::{Level, Owasp, Rule};

rules! {
    ENTRY_EXPIRED = "baseline-entry-expired", Low, Api9, None, 1059,
        "An accepted finding has expired",
        "What was accepted for a time is accepted no longer, and counts again.",
        "Mend the finding, or give its entry in the baseline another date and say why.";

    ENTRY_UNMATCHED = "baseline-entry-unmatched", Low, Api9, None, 1059,
        "An accepted finding does not exist",
        "The entry would hide the same weakness if it came back, and no person would be asked.",
        "Delete the entry.";
}
