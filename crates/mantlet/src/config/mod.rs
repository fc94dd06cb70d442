//! The configuration: what its sections are, and how they are read and checked.

mod adopted;
mod condition_files;
mod csrf_keys;
mod issuer_material;
mod keeper;
mod reference;
mod retired;
mod socket_path;

mod accounts;
mod admin;
mod app;
pub(crate) mod app_env;
mod app_output;
mod audit;
mod login;
mod metrics;
mod secrets;
mod shutdown;
mod store;
mod tls;
mod traces;

mod schema;

mod places;

mod gate;
mod read;

pub(crate) use accounts::Config as AccountsConfig;
pub(crate) use app::Config as AppConfig;
pub(crate) use app_output::Scrub;
pub(crate) use keeper::secret_events;
pub(crate) use login::Config as LoginConfig;
pub(crate) use places::{Place, places, watched};
pub(crate) use read::{AUDIT_SOCKET, Checked, PRINCIPAL_KEY, Reader, is_url, summary};
pub(crate) use reference::{Reference, secret};
pub(crate) use schema::Config;
pub(crate) use socket_path::LONGEST_SOCKET_PATH;
