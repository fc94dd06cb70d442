//! Accounts over HTTP, over real databases: each test runs over a file of SQLite and over a PostgreSQL server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy's own exception does not reach the helpers of test crates"
)]

mod document;
mod faults;
mod kit;
mod malformed;
mod measured;
mod own;
mod telling;
mod tokens;

// The databases, as the tests of the accounts have them.
#[allow(dead_code, reason = "these tests use a part of it")]
#[path = "../../../mantlet-accounts/tests/it/kit.rs"]
mod home;
