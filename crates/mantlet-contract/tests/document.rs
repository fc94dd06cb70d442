//! OpenAPI documents become contracts that refuse nothing which they allow.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[path = "document/fastapi.rs"]
mod fastapi;
#[path = "document/operations.rs"]
mod operations;
#[path = "document/origins.rs"]
mod origins;
#[path = "document/schemas.rs"]
mod schemas;
#[path = "document/show.rs"]
mod show;
#[path = "document/stricter.rs"]
mod stricter;
