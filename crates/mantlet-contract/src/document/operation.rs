//! One operation.

use super::{Reader, paths::Names, place::Place, tree::Node};
use crate::model::Operation;

/// The methods that have a key in a path item.
pub(super) const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

impl<'d> Reader<'d> {
    pub(super) fn operation(
        &mut self,
        method: &str,
        template: &str,
        path: &Place<'d>,
        operation: &Place<'d>,
        names: &Names,
    ) -> Operation {
        let parameters = self.parameters(path, operation, names);
        let (body, of_body) = self.body(operation);
        let tags = operation.node.get("tags").and_then(Node::list).unwrap_or_default();
        let id = operation.text("operationId").map_or_else(|| format!("{method} {template}"), str::to_owned);
        Operation {
            id,
            tags: tags.iter().filter_map(Node::text).map(str::to_owned).collect(),
            body,
            inputs: parameters.inputs.into_iter().chain(of_body).collect(),
            reads_request: parameters.has_other_names,
            rewrites: false,
            refuses_first: None,
            guards: Vec::new(),
            security: self.security(operation),
            authenticators: Vec::new(),
            named: Vec::new(),
            responses: self.responses(operation),
            deprecated: operation.node.get("deprecated").is_some_and(Node::is_true),
            objects: None,
            handler: None,
            code: None,
        }
    }
}
