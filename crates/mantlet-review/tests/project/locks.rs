//! Lock files.

use mantlet_review::{
    Level, Review,
    project::Project,
    review::{Outcome, Row},
    rule::Practice,
};

use crate::kit::{copy, folder, found, judge, review, same, told};

const RULES: &[&str] = &[
    "no-lock-file",
    "lock-incomplete",
    "lock-out-of-step",
    "lock-without-hashes",
    "requirements-without-hashes",
    "lock-not-committed",
];
const DEPENDENCIES: Row = Row::Practice(Practice::Dependencies);

fn of_locks(review: &Review) -> Vec<String> {
    told(review)
        .into_iter()
        .filter(|line| RULES.iter().any(|rule| line.starts_with(&format!("{rule} "))))
        .collect()
}

/// What is told of a fixture with one file changed.
fn changed(fixture: &str, file: &str, change: impl Fn(String) -> String) -> Vec<String> {
    let folder = copy(fixture, |name, text| Some(if name == file { change(text) } else { text }));
    of_locks(&review(folder.path()))
}

#[test]
fn good_locks_are_left_alone() {
    for (fixture, packages) in [
        ("locks/uv", 12),
        ("locks/poetry", 10),
        ("locks/pdm", 10),
        ("locks/pylock", 5),
        ("locks/pip-tools", 5),
        ("locks/pipenv", 10),
    ] {
        let folder = copy(fixture, |_, text| Some(text));
        let review = review(folder.path());
        same(&of_locks(&review), &[]);
        let looked = review.row(DEPENDENCIES).at.get("locked packages").copied().unwrap_or_default();
        assert!(looked >= packages, "{fixture}: {looked}");
        assert_eq!(review.notes(), Vec::<String>::new(), "{fixture}");
    }
}

#[test]
fn a_missing_package_is_told() {
    // The package that the project asks for, and one that another package needs.
    for (fixture, file, name) in [
        ("locks/uv", "uv.lock", "python-multipart"),
        ("locks/uv", "uv.lock", "idna"),
        ("locks/poetry", "poetry.lock", "python-multipart"),
        ("locks/poetry", "poetry.lock", "idna"),
        ("locks/pdm", "pdm.lock", "python-multipart"),
        ("locks/pdm", "pdm.lock", "idna"),
        ("locks/pylock", "pylock.toml", "starlette"),
    ] {
        let found = changed(fixture, file, |text| {
            assert!(text.contains(&format!("\nname = \"{name}\"\n")));
            text.replace(&format!("\nname = \"{name}\"\n"), "\nname = \"another\"\n")
        });
        same(&found, &[&format!("lock-incomplete medium {file} [{name}] {file}")]);
    }
}

#[test]
fn what_holds_on_some_platforms_only_may_be_missing() {
    // `colorama` is asked for on Windows, `typing-extensions` by older versions of Python.
    for (fixture, file) in
        [("locks/uv", "uv.lock"), ("locks/poetry", "poetry.lock"), ("locks/pdm", "pdm.lock")]
    {
        let found =
            changed(fixture, file, |text| text.replace("\nname = \"colorama\"\n", "\nname = \"another\"\n"));
        same(&found, &[]);
    }
}

#[test]
fn a_version_that_is_not_asked_for_is_told() {
    for (fixture, file, lock) in [
        ("locks/uv", "pyproject.toml", "uv.lock"),
        ("locks/pdm", "pyproject.toml", "pdm.lock"),
        ("locks/pylock", "pyproject.toml", "pylock.toml"),
        ("locks/poetry", "pyproject.toml", "poetry.lock"),
        ("locks/pipenv", "Pipfile", "Pipfile.lock"),
    ] {
        let found = changed(fixture, file, |text| text.replace(">=0.40,<1", ">=0.60,<1"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with(&format!("lock-out-of-step medium {lock} [starlette] {lock}:")),
            "{found:?}"
        );
    }
    let found = changed("locks/pip-tools", "requirements.in", |text| text.replace(">=0.40,<1", ">=0.60,<1"));
    assert!(
        found.len() == 1 && found[0].starts_with("lock-out-of-step medium requirements.txt [starlette]"),
        "{found:?}"
    );
}

#[test]
fn a_lock_for_another_manifest_is_a_hint() {
    // The locked versions still fit, so nothing wrong is installed.
    let hint = |lock: &str| format!("lock-out-of-step low {lock} {lock}");
    let found = changed("locks/uv", "pyproject.toml", |text| text.replace(">=0.40,<1", ">=0.41,<1"));
    same(&found, &[&hint("uv.lock")]);
    let found =
        changed("locks/uv", "pyproject.toml", |text| text.replace(", \"python-multipart>=0.0.20\"", ""));
    same(&found, &[&hint("uv.lock")]);
    let found = changed("locks/poetry", "pyproject.toml", |text| text.replace(">=0.40,<1", ">=0.41,<1"));
    same(&found, &[&hint("poetry.lock")]);
    // What does not decide about dependencies is not in the digest.
    let found = changed("locks/poetry", "pyproject.toml", |text| text.replace("1.4.0", "1.5.0"));
    same(&found, &[]);
    // uv writes the same specifiers in another order.
    let found = changed("locks/uv", "pyproject.toml", |text| text.replace(">=0.40,<1", "<1, >=0.40"));
    same(&found, &[]);
}

#[test]
fn digests_of_poetry_are_those_of_poetry() {
    let all: serde_json::Value = serde_json::from_str(
        &std::fs::read_to_string(crate::kit::fixture("locks/poetry/digests.json")).unwrap(),
    )
    .unwrap();
    let all = all.as_object().unwrap();
    assert!(all.len() >= 5);
    for (name, one) in all {
        let pyproject = one["pyproject"].as_str().unwrap();
        for digest in one["digests"].as_array().unwrap() {
            let lock = format!(
                "[[package]]\nname = \"other\"\nversion = \"1\"\nfiles = [{{file = \"x\", hash = \"sha256:0\"}}]\n\n[metadata]\nlock-version = \"2.1\"\ncontent-hash = \"{}\"\n",
                digest.as_str().unwrap()
            );
            let step = found(&[("pyproject.toml", pyproject), ("poetry.lock", &lock)], &["lock-out-of-step"]);
            same(&step, &[]);
            let lock = lock.replace("content-hash = \"", "content-hash = \"0");
            let step = found(&[("pyproject.toml", pyproject), ("poetry.lock", &lock)], &["lock-out-of-step"]);
            assert_eq!(step, ["lock-out-of-step low poetry.lock poetry.lock"], "{name}");
        }
    }
}

#[test]
fn packages_without_a_digest_are_told() {
    let without =
        |text: String| text.lines().filter(|line| !line.contains("idna-")).collect::<Vec<_>>().join("\n");
    for (fixture, file) in [
        ("locks/uv", "uv.lock"),
        ("locks/poetry", "poetry.lock"),
        ("locks/pdm", "pdm.lock"),
        ("locks/pylock", "pylock.toml"),
    ] {
        let found = changed(fixture, file, without);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("lock-without-hashes medium {file} {file}:")), "{found:?}");
    }
    let frozen = |text: String| {
        text.lines()
            .filter(|line| !line.contains("--hash"))
            .map(|line| line.trim_end_matches('\\'))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let found = changed("locks/pip-tools", "requirements.txt", frozen);
    same(&found, &["requirements-without-hashes low requirements.txt requirements.txt:1"]);
}

#[test]
fn no_lock_at_all() {
    let project = "[project]\nname = \"x\"\ndependencies = [\"fastapi>=0.115\"]\n";
    same(
        &found(&[("pyproject.toml", project)], RULES),
        &["no-lock-file medium pyproject.toml pyproject.toml"],
    );
    same(
        &found(&[("backend/pyproject.toml", project)], RULES),
        &["no-lock-file medium backend/pyproject.toml backend/pyproject.toml"],
    );
    same(
        &found(&[("requirements.txt", "# what we need\nfastapi\nuvicorn[standard]>=0.30\n")], RULES),
        &["no-lock-file medium requirements.txt requirements.txt:2"],
    );
    same(
        &found(&[("requirements.txt", "fastapi==0.115.*\n")], RULES),
        &["no-lock-file medium requirements.txt requirements.txt:1"],
    );
    same(
        &found(&[("Pipfile", "[packages]\nfastapi = \"*\"\n")], RULES),
        &["no-lock-file medium Pipfile Pipfile"],
    );
    same(
        &found(
            &[(
                "pyproject.toml",
                "[tool.poetry]\nname = \"x\"\n[tool.poetry.dependencies]\npython = \"^3.11\"\nfastapi = \"^0.115\"\n",
            )],
            RULES,
        ),
        &["no-lock-file medium pyproject.toml pyproject.toml"],
    );
}

#[test]
fn what_asks_for_nothing_needs_no_lock() {
    for files in [
        &[("pyproject.toml", "[tool.ruff]\nline-length = 100\n"), ("main.py", "")][..],
        &[("pyproject.toml", "[project]\nname = \"x\"\ndependencies = []\n")],
        &[("tests/requirements.txt", "pytest\n"), ("docs/requirements.txt", "mkdocs\n")],
        &[("requirements-dev.txt", "pytest\n")],
        &[("node_modules/x/pyproject.toml", "[project]\nname = \"x\"\ndependencies = [\"y\"]\n")],
    ] {
        same(&found(files, RULES), &[]);
    }
}

#[test]
fn requirements_in_several_files() {
    // The input is not pinned, and what is made of it is.
    let locked =
        "fastapi==0.115.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\n    # via -r requirements.in\n";
    same(
        &found(
            &[
                ("requirements.in", "fastapi\n"),
                ("requirements.txt", locked),
                ("requirements-dev.txt", "pytest\n"),
            ],
            RULES,
        ),
        &[],
    );
    same(&found(&[("requirements/base.in", "fastapi\n"), ("requirements/base.txt", locked)], RULES), &[]);
}

#[test]
fn locks_in_parts() {
    let line = |name: &str| format!("{name}==1.0 --hash=sha256:00\n");
    let files = [
        ("requirements/base.txt", &*line("fastapi")),
        ("requirements/prod.txt", &*format!("-r base.txt\n{}", line("gunicorn"))),
    ];
    same(&found(&files, RULES), &[]);
    let project =
        "[project]\nname = \"x\"\ndependencies = [\"fastapi\"]\n[dependency-groups]\ndev = [\"pytest\"]\n";
    let pylock = |name: &str| {
        format!(
            "lock-version = \"1.0\"\n[[packages]]\nname = \"{name}\"\nversion = \"1.0\"\nwheels = [{{ name = \"x\", hashes = {{ sha256 = \"00\" }} }}]\n"
        )
    };
    let files = [
        ("pyproject.toml", project),
        ("pylock.toml", &*pylock("fastapi")),
        ("pylock.dev.toml", &*pylock("pytest")),
    ];
    same(&found(&files, RULES), &[]);
    // As Rye writes it.
    let files = [
        ("pyproject.toml", project),
        ("requirements.lock", "-e file:.\nfastapi==1.0\n"),
        ("requirements-dev.lock", "-e file:.\nfastapi==1.0\npytest==8.0\n"),
    ];
    same(&found(&files, RULES), &["requirements-without-hashes low requirements.lock requirements.lock:2"]);
}

#[test]
fn members_of_a_workspace_are_locked_above() {
    let member = "[project]\nname = \"api\"\nversion = \"1\"\ndependencies = [\"fastapi\"]\n";
    let lock = "version = 1\n\n[[package]]\nname = \"api\"\nversion = \"1\"\nsource = { editable = \"backend\" }\ndependencies = [{ name = \"fastapi\" }]\n\n[package.metadata]\nrequires-dist = [{ name = \"fastapi\" }]\n\n[[package]]\nname = \"fastapi\"\nversion = \"0.115.0\"\nsource = { registry = \"https://packages.example/simple\" }\nsdist = { url = \"https://packages.example/fastapi.tar.gz\", hash = \"sha256:00\" }\n";
    let folder = folder(&[
        ("uv.lock", lock),
        ("backend/pyproject.toml", member),
        ("pyproject.toml", "[tool.uv.workspace]\nmembers = [\"backend\"]\n"),
    ]);
    same(&of_locks(&review(folder.path())), &[]);
    let of_member = review(&folder.path().join("backend"));
    same(&of_locks(&of_member), &[]);
    assert_eq!(of_member.row(DEPENDENCIES).at.get("locked packages"), Some(&2));
    // A lock above that is not about this project does not count.
    let other = folder.path().join("other");
    crate::kit::write(&other, &[("pyproject.toml", &member.replace("api", "other"))]);
    same(&of_locks(&review(&other)), &["no-lock-file medium pyproject.toml pyproject.toml"]);
}

#[test]
fn nothing_to_judge_is_not_a_pass() {
    let folder = folder(&[("main.py", "")]);
    let review = judge(&Project::read(folder.path()));
    assert_eq!(review.outcome(DEPENDENCIES), Outcome::NotJudged);
    assert!(review.row(DEPENDENCIES).unjudged.iter().any(|why| why.contains("pyproject.toml")));
    assert_eq!(review.at_least(Level::Info), 0);
}
