//! Everything a contributor runs. `cargo xtask` lists the commands.

mod bench;
mod ci;
mod demo;
mod differential;
mod field;
mod flags;
mod processes;
mod shell;
mod test;
mod tools;
mod vault;

use std::{env, process::ExitCode};

use anyhow::{Result, bail};

use crate::flags::Flags;

const HELP: &str = "\
Usage: cargo xtask COMMAND [OPTIONS]

Commands:
  demo    Start the example shop behind Mantlet and say what to try
  test    Run all tests; install what they need, or say what is missing
  field   Run the cases in `field/`: small apps, alone and behind the gate
  ci      Run what has to pass before a change is merged, the tests last
  bench   Compare Mantlet with nginx: CPU a request, memory a connection
  differential
          Judge random values and requests as Pydantic and FastAPI do, and compare
  vault   Build a Vault, which takes ten minutes once, and run the tests that need it

`cargo xtask COMMAND --help` lists the options of a command.
";

fn main() -> ExitCode {
    match run(env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: Vec<String>) -> Result<()> {
    if arguments.first().is_none_or(|first| matches!(first.as_str(), "--help" | "-h" | "help")) {
        print!("{HELP}");
        return Ok(());
    }
    let command = arguments.remove(0);
    let (help, run): (&str, fn(Flags) -> Result<()>) = match command.as_str() {
        "demo" => (demo::HELP, demo::demo),
        // The part of `demo` that waits in the background.
        "demo-guide" => ("", demo::guide),
        "test" => (test::HELP, test::test),
        "ci" => (ci::HELP, ci::ci),
        "bench" => (bench::HELP, bench::bench),
        "field" => (field::HELP, field::field),
        "vault" => (vault::HELP, vault::vault),
        "differential" => (differential::HELP, differential::differential),
        _ => bail!("there is no command `{command}`; `cargo xtask` lists them"),
    };
    if arguments.iter().any(|argument| matches!(argument.as_str(), "--help" | "-h")) {
        print!("{help}");
        return Ok(());
    }
    run(Flags::new(arguments))
}
