//! The responses that an operation promises.

use mantlet_contract::{
    answers::{Promise, declares},
    model::ShapeId,
};

use super::{Contract, Matched};

/// The promise for a status.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promised {
    shapes: [u32; 2],
    /// It is a claim: nothing makes the app keep it.
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
    /// The promise for a status, if it covers the fields of the response.
    pub(crate) fn promised(&self, status: u16) -> Option<Promised> {
        let responses = &self.route.operation.as_ref()?.responses;
        let named = responses.iter().position(|response| response.status == Some(status));
        let at = named.or_else(|| {
            responses.iter().position(|response| response.status.is_none() && response.class.is_none())
        })?;
        let response = responses.get(at)?;
        let ShapeId(shape) = response.shape?;
        // FastAPI serialises by the first one, whatever status a handler sets; the others are only
        // documented.
        let ShapeId(own) = if self.contract.exact { responses.first()?.shape? } else { ShapeId(shape) };
        Some(Promised { shapes: [shape, own], claimed: response.claimed || self.unsure })
    }

    /// Whether the app intends a response with this status: the operation declares it, by itself,
    /// by its class or by `default`, or an error handler of the app's own sends it.
    pub(crate) fn means(&self, status: u16) -> bool {
        let responses = self.route.operation.iter().flat_map(|operation| &operation.responses);
        let mut declared = responses.map(|response| match (response.status, response.class) {
            (Some(named), _) => named == status,
            (None, Some(class)) => class == status / 100,
            (None, None) => true,
        });
        declared.any(|is_it| is_it) || self.route.handles.contains(&status)
    }

    /// The first name by which one of the operation's models, for whatever status, declares what is asked for.
    pub(crate) fn declares(&self, is: impl FnMut(&str) -> bool) -> bool {
        let responses = self.route.operation.iter().flat_map(|operation| &operation.responses);
        let shapes = responses.filter_map(|response| response.shape).map(|ShapeId(shape)| shape);
        declares(&self.contract.shapes, shapes, is)
    }

    /// Whether tokens come from here.
    pub(crate) fn gives_tokens(&self) -> bool {
        self.contract.token_paths.iter().any(|path| self.route.path.ends_with(&**path))
    }
}
