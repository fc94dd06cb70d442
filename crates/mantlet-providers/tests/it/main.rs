//! Logins at a real OpenID provider (oidc-provider), through its own forms, kept in real databases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy's own exception does not reach the helpers of test crates"
)]

mod allowed;
mod away;
mod keys;
mod kit;
mod login;
mod logout;
mod refresh;
