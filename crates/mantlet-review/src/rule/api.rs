//! Rules about the app itself: its contract, its configuration, its answers.

use super::{Level, Owasp, Rule};

rules! {
    OBJECT_WITHOUT_RULE = "object-without-rule", High, Api1, None, 639,
        "No rule checks whose object this is",
        "A caller who changes the id in the path may read or change what belongs to another user.",
        "Add an `[[authorization.own]]` rule, or check the owner in the handler.";
}
