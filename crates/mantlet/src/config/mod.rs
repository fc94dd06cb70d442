//! The configuration: what its sections are, and how they are read and checked.

mod adopted;
mod condition_files;
mod csrf_keys;
mod issuer_material;
mod socket_path;

mod admin;
mod app;
mod audit;
mod shutdown;
mod store;
mod tls;

mod schema;

mod gate;
mod read;

pub(crate) use app::Config as AppConfig;
pub(crate) use read::{Checked, PRINCIPAL_KEY, Reader, is_url, summary};
pub(crate) use schema::Config;
pub(crate) use socket_path::LONGEST_SOCKET_PATH;
