//! Sends what stands in the outbox of the accounts.
//!
//! ```text
//! outbox ── claim ── templates ── message ── transport (SMTP, or a folder) ─┬─ sent: forgotten
//!                                                                           ├─ deferred: waits, longer each time
//!                                                                           └─ given up: forgotten, and told
//! ```
//!
//! Defends against an attacker who registers with an address that is made to be a header or HTML, and who reads mails on
//! their way: the server has to show a good certificate. A mail is lost by no crash. It may come twice.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mantlet_mail::{Sender, Site, Templates, Transport};
//!
//! let site = Site::new("Orchard", "https://orchard.example", "/auth")?;
//! let folder = std::env::temp_dir().join("orchard-mails");
//! let transport = Transport::open(&format!("file:{}", folder.display()), None, &site)?;
//! let sender = Sender::new(site, "no-reply@orchard.example", Templates::ours(), transport)?;
//! # let _ = sender;
//! # Ok(())
//! # }
//! ```

mod fault;
mod outbox;
mod sender;
mod site;
mod templates;
mod transport;
mod words;

pub use fault::{Failure, Unusable};
pub use outbox::{Outcome, next, run};
pub use sender::Sender;
pub use site::Site;
pub use templates::Templates;
pub use transport::Transport;

#[cfg(test)]
mod rooms_tests;
#[cfg(test)]
mod templates_tests;
