//! What an operation promises to answer.

use mantlet_contract::{
    answers::Promise,
    model::{Response, ShapeId},
};

use super::{Contract, Matched};

/// The promise for a status.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promised {
    shapes: [u32; 2],
    /// It is a claim: nobody sees to it that the app keeps it.
    pub(crate) claimed: bool,
}

impl Promised {
    pub(crate) fn as_promise<'a>(&'a self, matched: &'a Matched) -> Promise<'a> {
        Promise { shapes: &matched.contract.shapes, any_of: &self.shapes }
    }
}

impl Contract {
    /// Whether it was read from the app itself.
    pub(crate) const fn is_exact(&self) -> bool {
        self.exact
    }
}

impl Matched {
    /// What is promised for a status, if it says anything about the answer's fields.
    pub(crate) fn promised(&self, status: u16) -> Option<Promised> {
        let responses = &self.route.operation.as_ref()?.responses;
        let named = responses.iter().position(|response| response.status == Some(status));
        let at = named.or_else(|| responses.iter().position(|response| response.status.is_none()))?;
        let response = responses.get(at)?;
        let ShapeId(shape) = response.shape?;
        // FastAPI writes by the first one, whatever status a handler sets; the others it only shows.
        let ShapeId(own) = if self.contract.exact { responses.first()?.shape? } else { ShapeId(shape) };
        Some(Promised { shapes: [shape, own], claimed: response.claimed })
    }

    /// What is declared for exactly this status.
    pub(crate) fn declared(&self, status: u16) -> Option<&Response> {
        self.route.operation.as_ref()?.responses.iter().find(|response| response.status == Some(status))
    }

    /// Whether tokens come from here.
    pub(crate) fn gives_tokens(&self) -> bool {
        self.contract.token_paths.iter().any(|path| self.route.path.ends_with(&**path))
    }
}
