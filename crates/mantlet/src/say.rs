//! Messages for people, on standard error: each line begins with Mantlet's name, which
//! distinguishes it from the app's own. The result of a command goes to standard output.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

/// Prints one message; further lines are indented.
pub(crate) fn say(text: impl AsRef<str>) {
    mantlet_gateway::tell(&text.as_ref().replace('\n', "\n  "));
}

/// How many there are of something.
pub(crate) fn amount(number: usize, noun: &str) -> String {
    match number {
        0 => format!("no {noun}"),
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// Rows as lines of a table, each column as wide as its longest cell.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// Prints the result of a command, all at once, and ends its last line. A reader that has seen
/// enough may close the pipe before its end.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    match output.write_all([text, end].concat().as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write to standard output: {error}")))
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

    /// A mistake in the arguments or the configuration; by custom 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 2 }
    }

    pub(crate) const fn with_code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// What went wrong, for another place than the terminal.
    pub(crate) fn into_message(self) -> String {
        self.message
    }

    pub(crate) fn report(self) -> ExitCode {
        say(format!("error: {}", self.message));
        ExitCode::from(self.code)
    }
}
