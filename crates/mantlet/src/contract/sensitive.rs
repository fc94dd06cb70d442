//! Hints about operations that are sensitive, or only look so.

use mantlet_contract::sensitive::{Evidence, Purpose};

/// The section with which an operation is limited that only looks sensitive.
pub(crate) fn line_of(path: &str, purpose: Purpose, methods: &[String]) -> String {
    let of_others = methods.iter().any(|method| !matches!(method.as_str(), "POST" | "PUT" | "PATCH"));
    let methods = if of_others { format!(", methods = {methods:?}") } else { String::new() };
    format!(
        "`throttle.operation = [{{ paths = [\"{path}\"]{methods}, purpose = \"{}\" }}]` refuses them",
        purpose.name()
    )
}

/// Whether an operation names an account if it is what it seems to be, and it is worth a word that
/// none is found.
pub(crate) const fn wants_account(purpose: Purpose, may_name_more: bool, evidence: Evidence) -> bool {
    match purpose {
        Purpose::Login => true,
        Purpose::Reset | Purpose::Verify => may_name_more && !matches!(evidence, Evidence::Word),
        Purpose::Register | Purpose::Redeem | Purpose::Checkout => false,
    }
}
