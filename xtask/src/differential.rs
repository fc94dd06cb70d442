//! `cargo xtask differential`: long comparisons with the real Pydantic and the real FastAPI.

use anyhow::{Result, ensure};

use crate::{
    flags::Flags,
    shell::{cargo, root, run},
    tools,
};

pub(crate) const HELP: &str = "\
Usage: cargo xtask differential [--cases N] [--seed S] [--only NAME]

Judges random values as Pydantic does, random requests as a FastAPI app does, reads random forms as python-multipart does, and
says how often the two agree. What the app accepts and Mantlet would refuse is a failure, and so is a field that FastAPI has
written by a response model and Mantlet would cut out; everything else is counted, with an example of each kind. Requests with and
without credentials go to an app whose dependencies and middleware refuse, bare and behind Mantlet (order): each status has to
be the same. The tests do the same with a small budget and a fixed seed.

Options:
  --cases N    Values, half as many requests, forms and answers, and a fifth as many of order (default 100000)
  --seed S     Which ones (default 7)
  --only NAME  One of: values, requests, forms, answers, order
";

/// The comparisons, by the tests that make them.
const COMPARISONS: [(&str, &str); 5] = [
    ("values", "differential"),
    ("requests", "requests"),
    ("forms", "multipart"),
    ("answers", "answers"),
    ("order", "it"),
];

pub(crate) fn differential(mut flags: Flags) -> Result<()> {
    let cases = flags.value::<u64>("--cases")?.unwrap_or(100_000);
    let seed = flags.value::<u64>("--seed")?.unwrap_or(7);
    let only = flags.value::<String>("--only")?;
    flags.end()?;
    ensure!(cases >= 4_000, "`--cases {cases}`: fewer than 4000 say nothing");
    if let Some(only) = &only {
        ensure!(
            COMPARISONS.iter().any(|(name, _)| name == only),
            "`--only {only}`: known are values, requests, forms, answers, order"
        );
    }
    let python = tools::environment("dev", &root().join("python/requirements-dev.txt"))?;
    for (name, test) in COMPARISONS {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        // A request costs several times what a value costs: each goes through an app.
        let (cases, package, filters): (_, _, &[&str]) = match name {
            "values" => (cases, "mantlet-contract", &[]),
            // Each goes through two servers.
            "order" => (cases / 5, "mantlet", &["order::status"]),
            _ => (cases / 2, "mantlet-contract", &[]),
        };
        let mut comparison = cargo(&["test", "--locked", "--package", package, "--test", test]);
        comparison.args(["--", "--nocapture"]).args(filters);
        comparison.env("MANTLET_TEST_PYTHON", &python);
        comparison.env("MANTLET_DIFFERENTIAL_CASES", cases.to_string());
        comparison.env("MANTLET_DIFFERENTIAL_SEED", seed.to_string());
        run(&mut comparison)?;
    }
    Ok(())
}
