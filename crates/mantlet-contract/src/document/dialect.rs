//! Whose document it is.

use super::tree::Node;

/// FastAPI's documents say more than the standard does: their formats are Pydantic's types, lists are repeated names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    FastApi,
    /// Only what the standard says holds.
    Other,
}

impl Dialect {
    /// FastAPI describes its 422 in every document that has anything to validate.
    pub(super) fn of(root: &Node) -> Self {
        let path = ["components", "schemas", "HTTPValidationError", "properties", "detail", "items", "$ref"];
        let found = path.iter().try_fold(root, |node, name| node.get(name)).and_then(Node::text);
        if found == Some("#/components/schemas/ValidationError") { Self::FastApi } else { Self::Other }
    }
}
