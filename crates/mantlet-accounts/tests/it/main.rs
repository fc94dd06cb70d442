//! Accounts over real databases: each test runs over a file of SQLite and over a PostgreSQL server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy's own exception does not reach the helpers of test crates"
)]

mod accounts;
mod bulk;
mod killed;
mod kit;
mod logins;
mod measured;
mod provider_sessions;
mod races;
mod refresh;
mod schema;
mod tokens;
