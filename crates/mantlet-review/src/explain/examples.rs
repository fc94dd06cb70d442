//! What closes a rule, as it is written.

/// An example for a rule, if one says more than its remedy.
pub(super) fn example(id: &str) -> Option<&'static str> {
    Some(match id {
        "object-without-rule" => OBJECT_WITHOUT_RULE,
        "baseline-entry-expired" | "baseline-entry-unmatched" => BASELINE,
        _ => return None,
    })
}

const OBJECT_WITHOUT_RULE: &str = "\
# mantlet.toml: an order is shown to the customer in its `customer_id`.
[[authorization.own]]
paths  = [\"/orders/{order_id}\"]
owner  = \"response:/customer_id\"
equals = \"principal:id\"";

const BASELINE: &str = "\
# mantlet-check.toml
[[accept]]
rule    = \"object-without-rule\"
subject = \"GET /orders/{order_id}\"
reason  = \"orders are public until the new login is there\"
until   = \"2027-01-31\"";
