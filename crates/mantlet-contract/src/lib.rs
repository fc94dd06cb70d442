//! What an app accepts and promises.
//!
//! [`model`] is the contract itself, independent of where it came from: the inspector that walks a running FastAPI app, or an
//! OpenAPI document. [`compile`] prepares its shapes, [`validate`] judges values by them as Pydantic does, [`inputs`] a whole request as
//! FastAPI does, [`json`] and [`multipart`] read bodies as Python does, [`answers`] holds answers against what is promised. There is no
//! I/O in this crate.

pub mod answers;
pub mod callbacks;
pub mod compile;
#[cfg(feature = "openapi")]
pub mod document;
pub mod fault;
pub mod flows;
pub mod inputs;
pub mod json;
pub mod model;
pub mod multipart;
mod number;
pub mod places;
mod python;
pub mod routes;
mod shape;
pub mod validate;
pub mod value;

pub use shape::Shapes;
