//! `cargo xtask field`: small apps from the field, beside bare uvicorn and behind the gate.

use anyhow::Result;

use crate::{
    flags::Flags,
    shell::{cargo, root, run},
    tools,
};

pub(crate) const HELP: &str = "\
Usage: cargo xtask field [WORD …]

Asks each app in `field/` what its file says, alone on uvicorn and behind `mantlet run`, and compares. With WORDs only the
files whose names contain one of them. `field/README.md` says how to write a case. `cargo xtask test` runs them too.
";

pub(crate) fn field(flags: Flags) -> Result<()> {
    let python = tools::environment("dev", &root().join("python/requirements-dev.txt"))?;
    let mut tests = cargo(&["test", "--locked", "--package", "mantlet", "--test", "it"]);
    tests.args(["--", "--nocapture", "field::"]);
    tests.env("MANTLET_TEST_PYTHON", &python);
    tests.env("MANTLET_FIELD", flags.rest().join(" "));
    run(&mut tests)
}
