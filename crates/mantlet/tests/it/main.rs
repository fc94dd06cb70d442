//! Mantlet from outside: the real binary on real sockets, a real app behind it.
//!
//! Tests whose names begin with `row` are the rows of the attack matrix.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy's own exception does not reach the helpers of test crates"
)]

mod kit;

mod accounts;
mod acme;
mod admin;
mod agreement;
mod api_keys;
mod around;
mod audit;
mod audit_actions;
mod authorization;
mod busy;
mod candidates;
mod check;
mod check_live;
mod client;
mod conditions;
mod content_types;
mod contract;
mod cookies;
mod decodes;
mod docs;
mod documents;
mod faults;
mod field;
mod floods;
mod foreign;
mod framing;
mod headers;
mod http1;
mod http2;
mod identity;
mod inputs;
mod issuers;
mod judges;
mod learning;
mod limits;
mod load;
mod metrics;
mod misfits;
mod objects;
mod oidc;
mod oldest;
mod open;
mod operations;
mod order;
mod origins;
mod ownership;
mod packages;
mod pages;
mod path;
mod path_readings;
mod process;
mod proposals;
mod reading;
mod refusals;
mod reload;
mod request_line;
mod responses;
mod rotation;
mod scale;
mod sdk;
mod secrets;
mod sessions;
mod shop;
mod slow;
mod streams;
mod throttle;
mod tls;
mod traces;
mod try_it_out;
mod uploads;
mod wheel;
