//! `cargo xtask test`: all tests, with all that they need.

use anyhow::Result;

use crate::{
    flags::Flags,
    shell::{cargo, root, run},
    tools,
};

pub(crate) const HELP: &str = "\
Usage: cargo xtask test [FILTER …]

Runs all tests, or those whose names contain a FILTER. What they need beside Rust is installed (on Debian, as root), or
the command says what is missing and fails: no test is skipped in silence.

  Python 3.11 or later with venv, for uvicorn and FastAPI (target/python/dev), for FastAPI apps from elsewhere with
  their clients (target/python/packages), for apps with a login of their own (target/python/identity), and for apps that
  use the Python package `mantlet` (target/python/sdk), for an app with OpenTelemetry (target/python/traces), for
  moto, which stands in for AWS (target/python/aws), and for aiosmtpd, a mail server (target/python/mail)
  Python 3.9, the oldest that runs apps which are read, for the oldest FastAPI (target/python/oldest) and the oldest
  SQLAlchemy of the Python package `mantlet` (target/python/oldest-sdk): from the system, pyenv or uv. No package of Debian brings it, so without it these tests are left out, and the command says so
  Go, to build h2spec, Pebble and an OpenTelemetry collector (target/tools). The collector needs a newer Go than Debian
  12 has: with that, its tests are left out, and the command says so
  oidc-provider, an OIDC provider (target/tools), and Node, which runs it (target/python/lint)
  Chromium, and axe-core (target/tools), which judges how accessible a page is
  testssl.sh
  Redis
  PostgreSQL
  libfaketime
  Prometheus
  rsyslog, with its TLS
";

pub(crate) fn test(flags: Flags) -> Result<()> {
    all(&flags.rest())
}

/// Runs the tests whose names contain a filter; all if there is none.
pub(crate) fn all(filters: &[String]) -> Result<()> {
    let python = tools::environment("dev", &root().join("python/requirements-dev.txt"))?;
    let packages = tools::environment("packages", &root().join("python/requirements-packages.txt"))?;
    let identity = tools::environment("identity", &root().join("python/requirements-identity.txt"))?;
    let aws = tools::environment("aws", &root().join("python/requirements-aws.txt"))?;
    let mail = tools::environment("mail", &root().join("python/requirements-mail.txt"))?;
    let sdk = tools::environment("sdk", &root().join("python/requirements-sdk.txt"))?;
    let oldest = tools::oldest_environment("oldest", &root().join("python/requirements-oldest.txt"))
        .and_then(|apps| {
            let lock = root().join("python/requirements-oldest-sdk.txt");
            Ok((apps, tools::oldest_environment("oldest-sdk", &lock)?))
        });
    if let Err(error) = &oldest {
        println!("xtask: the tests of the oldest Python are left out: {error:#}");
    }
    let traces = tools::environment("traces", &root().join("python/requirements-traces.txt"))?;
    let otelcol = tools::otelcol();
    if let Err(error) = &otelcol {
        println!("xtask: the tests with a collector are left out: {error:#}");
    }
    let (prometheus, promtool) = tools::prometheus()?;
    let h2spec = tools::h2spec()?;
    let pebble = tools::pebble()?;
    let provider = tools::oidc_provider()?;
    let axe_core = tools::axe_core()?;
    let chromium = tools::chromium()?;
    let testssl = tools::program(&["testssl", "testssl.sh"], "testssl.sh")?;
    let redis = tools::program(&["redis-server", "valkey-server"], "redis-server")?;
    let postgres = tools::postgres()?;
    let faketime = tools::faketime()?;
    let rsyslog = tools::rsyslog()?;
    // Examples in documentation first: the summary of the tests proper is what should end the output.
    for kinds in [&["--doc"][..], &["--lib", "--bins", "--tests"]] {
        let mut tests = cargo(&["test", "--locked", "--workspace"]);
        tests.args(kinds).arg("--").args(filters);
        tests.env("MANTLET_TEST_PYTHON", &python);
        tests.env("MANTLET_TEST_PACKAGES", &packages);
        tests.env("MANTLET_TEST_IDENTITY", &identity);
        match &oldest {
            Ok((apps, sdk)) => tests.env("MANTLET_TEST_OLDEST", apps).env("MANTLET_TEST_OLDEST_SDK", sdk),
            Err(_) => tests.args(["--skip", "oldest::"]),
        };
        match &otelcol {
            Ok(program) => tests.env("MANTLET_TEST_OTELCOL", program),
            Err(_) => tests.args(["--skip", "collector::"]),
        };
        tests.env("MANTLET_TEST_TRACES", &traces);
        tests.env("MANTLET_TEST_PROMETHEUS", &prometheus);
        tests.env("MANTLET_TEST_PROMTOOL", &promtool);
        tests.env("MANTLET_TEST_H2SPEC", &h2spec);
        tests.env("MANTLET_TEST_PEBBLE", &pebble);
        tests.env("MANTLET_TEST_NODE", &provider.node);
        tests.env("MANTLET_TEST_OIDC_PROVIDER", &provider.modules);
        tests.env("MANTLET_TEST_AXE_CORE", &axe_core);
        tests.env("MANTLET_TEST_CHROMIUM", &chromium);
        tests.env("MANTLET_TEST_TESTSSL", &testssl);
        tests.env("MANTLET_TEST_REDIS", &redis);
        tests.env("MANTLET_TEST_SDK", &sdk);
        tests.env("MANTLET_TEST_AWS", &aws);
        tests.env("MANTLET_TEST_MAIL", &mail);
        tests.env("MANTLET_TEST_POSTGRES", &postgres);
        tests.env("MANTLET_TEST_FAKETIME", &faketime);
        tests.env("MANTLET_TEST_RSYSLOG", &rsyslog);
        run(&mut tests)?;
    }
    Ok(())
}
