//! What decisions cost in this process, as examples of the crate of the controls measure it.

use anyhow::{Result, ensure};

use crate::shell::{cargo, output};

/// A section with the lines that an example prints.
pub(super) fn run(what: &str, name: &str, count: usize) -> Result<String> {
    let mut example = cargo(&["run", "--locked", "--release", "--quiet", "--package", "mantlet-controls"]);
    let lines = output(example.args(["--example", name]))?;
    ensure!(lines.lines().count() == count, "the example says something else than it did:\n{lines}");
    let lines: String = lines.lines().map(|line| format!("- {line}\n")).collect::<Vec<_>>().concat();
    Ok(format!("\n{what} (`cargo run --release -p mantlet-controls --example {name}`):\n\n{lines}"))
}
