//! CI: whether a step looks for known weaknesses, and whether what it runs of others can be changed under it.

use std::collections::BTreeMap;

use super::{
    Project, files,
    locks::{Dependencies, ROWS},
    text::has_word,
};
use crate::{
    finding::{Finding, Place},
    review::Review,
    rule::project as rules,
};

/// Tools and services that hold dependencies against known weaknesses, as CI files name them.
const AUDITS: &[&str] = &[
    "pip-audit",
    "pip_audit",
    "uv audit",
    "osv-scanner",
    "osv_scanner",
    "trivy",
    "grype",
    "safety check",
    "safety scan",
    "pyupio/safety",
    "snyk",
    "dependency-review-action",
    "dependency_scanning",
    "dependency-scanning",
    "owasp/dependency-check",
    "dependency-check",
    "sonatype",
    "mend",
    "whitesource",
    "jfrog",
    "blackduck",
    "dependency-track",
    "endorctl",
    "semgrep supply-chain",
    "semgrep ci",
    "guarddog",
    "cve-bin-tool",
    "docker scout",
    "mantlet check",
    "renovate",
    "socket ci",
    "socketsecurity",
];

pub(super) fn review(project: &Project, dependencies: &[Dependencies], review: &mut Review) {
    let pipelines: BTreeMap<&String, &String> =
        project.files.iter().filter(|(path, _)| is_pipeline(path)).collect();
    for (path, text) in &pipelines {
        if path.starts_with(".github/") || path.starts_with(".gitea/") || path.starts_with(".forgejo/") {
            actions(path, text, review);
        }
    }
    let Some((first, _)) = pipelines.first_key_value() else {
        review
            .unjudged(ROWS[0], "there is no CI file, so whether CI looks for known weaknesses is not known");
        return;
    };
    review.looked(ROWS[0], "CI files", pipelines.len());
    if dependencies.is_empty() {
        return;
    }
    let bots = [
        "dependabot.yml",
        "dependabot.yaml",
        "renovate.json",
        "renovate.json5",
        ".renovaterc",
        ".renovaterc.json",
    ];
    let has_bot = project.files.keys().any(|path| bots.contains(&files::name_of(path)));
    // A step may call a script, `make` or `tox`, so these count, too.
    let mut texts =
        project.files.iter().filter(|(path, _)| is_pipeline(path) || is_helper(path)).map(|(_, text)| text);
    let has_audit = texts.any(|text| {
        let lower = text.to_ascii_lowercase();
        lower
            .lines()
            .any(|line| !line.trim_start().starts_with('#') && AUDITS.iter().any(|tool| has_word(line, tool)))
    });
    if !has_bot && !has_audit {
        let message = "No step of CI looks for known weaknesses of dependencies, and no bot is set up in the repository that does.";
        review.found(
            Finding::new(&rules::CI_WITHOUT_AUDIT, "CI", message)
                .at(Some(Place { file: (*first).clone(), line: None })),
        );
    }
}

fn is_pipeline(path: &str) -> bool {
    let is_yaml = files::is_yaml(path);
    let folders =
        [".github/workflows/", ".gitea/workflows/", ".forgejo/workflows/", ".circleci/", ".woodpecker/"];
    (is_yaml && folders.iter().any(|folder| path.starts_with(folder)))
        || matches!(
            path,
            ".gitlab-ci.yml"
                | ".gitlab-ci.yaml"
                | "azure-pipelines.yml"
                | "azure-pipelines.yaml"
                | "bitbucket-pipelines.yml"
                | ".travis.yml"
                | ".drone.yml"
                | ".woodpecker.yml"
                | ".woodpecker.yaml"
                | "Jenkinsfile"
        )
}

fn is_helper(path: &str) -> bool {
    let name = files::name_of(path);
    matches!(
        name,
        "Makefile"
            | "makefile"
            | "justfile"
            | "Justfile"
            | "tox.ini"
            | "noxfile.py"
            | "pyproject.toml"
            | ".pre-commit-config.yaml"
            | "Taskfile.yml"
            | "Taskfile.yaml"
    ) || files::ends(name, ".sh")
}

/// `uses: owner/name@v4`: a tag or a branch can be moved, a commit cannot.
fn actions(path: &str, text: &str, review: &mut Review) {
    for (number, line) in (1..).zip(text.lines()) {
        let entry = line.trim_start().trim_start_matches("- ").trim_start();
        let Some(uses) = entry.strip_prefix("uses:") else { continue };
        let uses = uses.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
        review.looked(ROWS[0], "actions of CI", 1);
        let Some((action, at)) =
            uses.split_once('@').filter(|_| !uses.starts_with("./") && !uses.starts_with("docker://"))
        else {
            continue;
        };
        let is_commit = matches!(at.len(), 40 | 64) && at.chars().all(|letter| letter.is_ascii_hexdigit());
        if !is_commit {
            let message = format!("`{path}` runs `{action}` at `{at}`, which can be moved.");
            let place = Place { file: path.to_owned(), line: Some(number) };
            review.found(Finding::new(&rules::ACTION_NOT_PINNED, path, message).part(action).at(Some(place)));
        }
    }
}
