//! CI files.

use mantlet_review::{review::Row, rule::Practice};

use crate::kit::{folder, found, review, same};

const PROJECT: (&str, &str) = ("pyproject.toml", "[project]\nname = \"x\"\ndependencies = [\"fastapi\"]\n");

fn of(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<(&str, &str)> = files.iter().copied().chain([PROJECT]).collect();
    found(&files, &["ci-without-audit"])
}

#[test]
fn ci_without_an_audit() {
    let steps = |run: &str| format!("jobs:\n  test:\n    steps:\n      - run: {run}\n");
    let told = |file: &str| format!("ci-without-audit low CI {file}");
    let workflow = ".github/workflows/test.yml";
    same(&of(&[(workflow, &steps("uv run pytest"))]), &[&told(workflow)]);
    same(&of(&[(workflow, "# pip-audit some day\njobs: {}\n")]), &[&told(workflow)]);
    same(&of(&[(".gitlab-ci.yml", "test:\n  script: [pytest]\n")]), &[&told(".gitlab-ci.yml")]);
    for run in [
        "uvx pip-audit",
        "uv audit",
        "osv-scanner scan .",
        "trivy fs .",
        "safety check",
        "snyk test",
        "mantlet check",
    ] {
        same(&of(&[(workflow, &steps(run))]), &[]);
    }
    for file in [".github/dependabot.yml", "renovate.json", ".github/renovate.json5"] {
        same(&of(&[(workflow, &steps("pytest")), (file, "{}")]), &[]);
    }
    same(&of(&[(workflow, &steps("make check")), ("Makefile", "check:\n\tpip-audit\n")]), &[]);
    same(
        &of(&[
            (workflow, &steps("pre-commit run")),
            (".pre-commit-config.yaml", "repos:\n  - repo: https://git.example/pypa/pip-audit\n"),
        ]),
        &[],
    );
    same(&of(&[(".gitlab-ci.yml", "include:\n  - template: Jobs/Dependency-Scanning.gitlab-ci.yml\n")]), &[]);
}

#[test]
fn without_ci_it_is_not_judged() {
    same(&of(&[("main.py", "")]), &[]);
    let folder = folder(&[PROJECT]);
    let row = review(folder.path()).row(Row::Practice(Practice::Dependencies));
    assert!(row.unjudged.iter().any(|why| why.contains("no CI file")), "{row:?}");
}

#[test]
fn actions() {
    let commit = "11bd71901bbe5b1630ceea73d27597364c9af683";
    let workflow = format!(
        "jobs:\n  a:\n    steps:\n      - uses: actions/checkout@v4\n      - name: x\n        uses: \"astral-sh/setup-uv@main\"\n      - uses: actions/cache@{commit} # v4.2.2\n      - uses: ./local\n      - uses: docker://alpine:3\n  b:\n    uses: owner/repository/.github/workflows/x.yml@v1\n"
    );
    let path = ".github/workflows/a.yml";
    same(
        &found(&[(path, &workflow)], &["action-not-pinned"]),
        &[
            "action-not-pinned low .github/workflows/a.yml [actions/checkout] .github/workflows/a.yml:4",
            "action-not-pinned low .github/workflows/a.yml [astral-sh/setup-uv] .github/workflows/a.yml:6",
            "action-not-pinned low .github/workflows/a.yml [owner/repository/.github/workflows/x.yml] .github/workflows/a.yml:11",
        ],
    );
}
