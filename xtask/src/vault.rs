//! `cargo xtask vault`: the tests that need a real Vault.

use anyhow::Result;

use crate::{
    flags::Flags,
    shell::{cargo, run},
    tools,
};

pub(crate) const HELP: &str = "\
Usage: cargo xtask vault [FILTER …]

Builds a Vault (target/tools/bin/vault) from the sources that `xtask/vault/go.sum` locks, and runs the tests that need
it. The build takes about ten minutes of two cores and 5 GB of disk, which are given back; it is done once. So these
tests are not among those of `cargo xtask test`.

Vault is under the Business Source License, which allows what is not production. It is built for these tests and is no
part of Mantlet.
";

pub(crate) fn vault(flags: Flags) -> Result<()> {
    let vault = tools::vault()?;
    let mut tests = cargo(&["test", "--locked", "--package", "mantlet-secrets", "--test", "vault"]);
    tests.args(["--", "--ignored"]).args(flags.rest());
    run(tests.env("MANTLET_TEST_VAULT", &vault))
}
