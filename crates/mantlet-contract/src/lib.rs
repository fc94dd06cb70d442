//! What an app accepts and promises.
//!
//! [`model`] is the contract itself, independent of where it came from: the inspector that walks a running FastAPI app, or an
//! OpenAPI document. There is no I/O in this crate.

pub mod model;
pub mod routes;
