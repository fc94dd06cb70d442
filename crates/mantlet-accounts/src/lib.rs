//! What accounts are, for apps that have none: passwords, sessions, tokens, and where they are kept.
//!
//! [`Accounts`] is the whole of it. It is opened over one database (SQLite or PostgreSQL) and has one
//! function for each thing that happens to an account. Each is an async function with a plain result: what
//! the caller may be told is an outcome, and what went wrong on our side is a [`Fault`].
//!
//! The crate knows no HTTP, no pages, no gate and no configuration file. Time is handed in. Randomness
//! comes from the operating system. The database is its only I/O; mails are rows of a table that another
//! part of Mantlet sends.
//!
//! What always holds:
//! 1. Each change is one transaction. A process that is killed leaves the state before it or after it.
//! 2. An address that has an account and one that has none get the same outcome for the same work.
//! 3. What opens something (cookies, refresh tokens, links, recovery codes) is kept as a digest only.
//! 4. A change that a thief would make or would have to fear raises the account's *epoch*: sessions, links
//!    and access tokens of an older epoch are worth nothing.
//!
//! ```
//! use jiff::Timestamp;
//! use mantlet_accounts::{
//!     Accounts, Address, SealingKeys, Secret,
//!     accounts::{Login, Settings, Wants},
//!     passwords::{Cost, Passwords, Policy},
//!     store::Database,
//! };
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! # let folder = tempfile::tempdir()?;
//! let keys = SealingKeys::of_file(&folder.path().join("accounts.key"))?;
//! let passwords = Passwords::start(Cost::default(), Policy::default(), Vec::new())?;
//! let settings = Settings::new("Orchard", "https://orchard.example");
//! let database = Database::Sqlite(folder.path().join("accounts.db"));
//! let now = Timestamp::now();
//! let accounts = Accounts::open(&database, keys, passwords, settings, now).await?;
//!
//! let address = Address::read("ada@example.com").ok_or("no address")?;
//! let password = Secret::new("correct horse battery staple".to_owned());
//! accounts.register(now, &address, &password).await?;
//! let mails = accounts.mails(now, std::time::Duration::from_mins(1), 10).await?;
//! let link = mails[0].facts.token.as_ref().ok_or("no link")?;
//! accounts.verify(now, link).await?;
//! let Login::In(login) = accounts.log_in(now, &address, &password, &Wants::default()).await? else {
//!     return Err("not logged in".into());
//! };
//! let cookie = login.cookie.ok_or("no cookie")?;
//! assert_eq!(accounts.session(now, &cookie).await?, Some(login.session));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod address;
mod fault;
mod opaque;
mod sealed;
mod time;

pub mod accounts;
pub mod bulk;
pub mod links;
pub mod outbox;
pub mod passwords;
pub mod provider_sessions;
pub mod sessions;
pub mod store;
pub mod tokens;
pub mod totp;

pub use accounts::Accounts;
pub use address::Address;
pub use fault::Fault;
pub use mantlet_controls::config::Secret;
pub use sealed::SealingKeys;

#[cfg(test)]
mod rooms_tests;
