//! The app as a process, and what its interpreter is given to run.

mod candidates;
mod environment;
mod folder;
mod interpreter;
mod package;
mod scrubbing;
mod status;

mod process;

pub(crate) use environment::{of_app, say_handed_on, withheld};
pub(crate) use folder::{PrivateFolder, cannot_write};
pub(crate) use interpreter::{interpreter, interpreter_not_started};
pub(crate) use package::{CONTRACT, INSPECTOR, RLS, reading_arguments, write_files};
pub(crate) use process::AppProcess;
pub(crate) use scrubbing::AppScrubbing;
pub(crate) use status::{STATUS, Status};
