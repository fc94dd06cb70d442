//! The parts that sections of the configuration are made of.

mod clock;
mod content;
mod deployment;
mod environment;
mod kept;
mod mistake;
mod mode;
mod networks;
mod posture;
mod secret;
mod section;
pub(crate) mod template;
pub mod units;

pub use clock::Clock;
pub use content::Content;
pub use deployment::{Deployment, Server};
pub use environment::Environment;
pub use kept::Kept;
pub use mistake::Mistake;
pub(crate) use mistake::header_names;
pub use mode::Mode;
pub use networks::Networks;
pub use posture::{Posture, Tolerance};
pub use secret::{Material, Secret};
pub use section::{Context, Section};
