//! What Mantlet tells a person: on standard error, each line with its name, so that it can be told from the app's. What a command was
//! asked for goes to standard output.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

/// Says one thing; further lines are set in.
pub(crate) fn say(text: impl AsRef<str>) {
    mantlet_gateway::tell(&text.as_ref().replace('\n', "\n  "));
}

/// Prints what was asked for, all at once. Whoever reads it may have seen enough before its end.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Why the command failed, and the code it ends with.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// A mistake in what was asked for; by custom 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 2 }
    }

    pub(crate) const fn with_code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    pub(crate) fn report(self) -> ExitCode {
        say(format!("error: {}", self.message));
        ExitCode::from(self.code)
    }
}
