//! What an app accepts and promises.
//!
//! [`model`] is the contract itself, independent of where it came from: the inspector that walks a running FastAPI app, or an
//! OpenAPI document. [`compile`] prepares its shapes, [`validate`] judges values by them as Pydantic does, [`inputs`] a whole request as
//! FastAPI does, [`json`] and [`multipart`] read bodies as Python does, [`answers`] holds answers against what is promised. There is no
//! I/O in this crate.
//!
//! # How it works
//!
//! - `document` (feature `openapi`) is never stricter than the document: it flattens `$ref` and `allOf`, lets each type of value that is left become a
//!   shape, and makes shapes from a queue, so that cycles and long chains cost nothing. What the model cannot say is `Opaque`, or `Then` around what
//!   it can. Random schemas judged by Pydantic itself show it.
//! - Compiled shapes are what the request path uses: regexes built, field names in a table, recursion by index. Compiling names what it does not
//!   understand; it never guesses.
//! - Validation is a function of a value and a shape: `Ok`, or all errors in Pydantic's order with `type`, `loc`, `msg`, `ctx`. A value is JSON
//!   parsed strictly with the span of every member, or the texts of a query or form, which Pydantic sees as Python strings. FastAPI validates in Python
//!   mode, also what came as JSON. Under an opaque shape everything passes. [`validate`] lists what is left to the app, and bounds the work:
//!   depth, steps, faults.
//! - A form is read as python-multipart reads it.
//! - [`sensitive`] finds which operations are sensitive, by their inputs; a word is only a suspicion. Whom a request names is read by [`inputs`], as
//!   FastAPI reads it. It also finds which operations end, renew and change a session, and which one
//!   says who the caller is.
//! - [`objects`] says whose the app's objects are, and proposes rules that hold answers against that.
//! - [`answers`]: a shape says which keys may stand. What may fit any branch stays, and an object without a single promised key is something else and
//!   stays whole.

pub mod answers;
pub mod callbacks;
pub mod compile;
#[cfg(feature = "openapi")]
pub mod document;
pub mod fault;
pub mod inputs;
pub mod json;
pub mod model;
pub mod multipart;
pub mod names;
mod number;
pub mod objects;
pub mod places;
mod python;
pub mod routes;
pub mod sensitive;
mod shape;
pub mod validate;
pub mod value;

pub use shape::Shapes;
