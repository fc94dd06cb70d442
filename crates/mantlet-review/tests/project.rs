//! The review of a project's folder: what it finds, and what it leaves alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy's own exception does not reach the helpers of test crates"
)]

#[path = "project/advisories.rs"]
mod advisories;
#[path = "project/ci.rs"]
mod ci;
#[path = "project/committed.rs"]
mod committed;
#[path = "project/docker.rs"]
mod docker;
#[path = "project/hostile.rs"]
mod hostile;
#[path = "project/kit.rs"]
mod kit;
#[path = "project/locks.rs"]
mod locks;
#[path = "project/sbom.rs"]
mod sbom;
#[path = "project/sound.rs"]
mod sound;
#[path = "project/versions.rs"]
mod versions;
