//! `cargo xtask ci`: what has to pass before a change is merged.

use std::{process::Command, time::Instant};

use anyhow::{Context, Result};

use crate::{
    flags::Flags,
    shell::{cargo, root, run},
    test, tools,
};

pub(crate) const HELP: &str = "\
Usage: cargo xtask ci

Formatting, lints, documentation, the Python code, licences and bans of dependencies, then
`cargo xtask test`.
Stops at the first failure.
";

/// What has a name to be told by, and fails or does not.
type Step = (&'static str, fn() -> Result<()>);

pub(crate) fn ci(flags: Flags) -> Result<()> {
    flags.end()?;
    let steps: [Step; 6] = [
        ("formatting", || run(&mut cargo(&["fmt", "--all", "--check"]))),
        ("lints", lints),
        ("documentation", documentation),
        ("python", python),
        ("dependencies", dependencies),
        // Last, so that the tests' own summary ends the log.
        ("tests", || test::all(&[])),
    ];
    for (name, step) in steps {
        println!("ci: {name}");
        let started = Instant::now();
        step().with_context(|| format!("ci: {name} failed"))?;
        println!("ci: {name} passed in {} s", started.elapsed().as_secs());
    }
    Ok(())
}

fn lints() -> Result<()> {
    run(&mut cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn documentation() -> Result<()> {
    let mut doc = cargo(&["doc", "--locked", "--workspace", "--no-deps", "--document-private-items"]);
    // Private items are documented too, so links to them lead somewhere.
    run(doc.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private-intra-doc-links"))
}

/// What the app's interpreter runs, by ruff and pyright: `pyproject.toml` says what they ask for.
fn python() -> Result<()> {
    let lint = tools::lint_environment()?;
    // FastAPI, SQLAlchemy and the others that the code is about.
    let sdk = tools::environment("sdk", &root().join("python/requirements-sdk.txt"))?;
    let module = |name: &str| {
        let mut command = Command::new(&lint);
        command.args(["-m", name]).current_dir(root());
        command
    };
    run(module("ruff").args(["check", "--quiet", "python"]))?;
    run(module("ruff").args(["format", "--check", "--quiet", "python"]))?;
    run(module("basedpyright").arg("--pythonpath").arg(sdk))
}

/// Without `advisories`: that needs a database from the network, and its news fail yesterday's commit.
fn dependencies() -> Result<()> {
    let mut deny = Command::new(tools::cargo_deny()?);
    run(deny.args(["--locked", "check", "bans", "licenses", "sources"]).current_dir(root()))
}
