//! What the commands of an image install.

use std::collections::BTreeSet;

use super::parse::words;
use crate::project::{files, manifest};

/// What a `COPY` copies, in either of its forms.
pub(super) fn sources(text: &str) -> Vec<String> {
    let mut all = serde_json::from_str::<Vec<String>>(text.trim()).unwrap_or_else(|_| words(text));
    all.pop();
    all
}

/// The commands of a `RUN`, each in words.
pub(super) fn commands(text: &str) -> Vec<Vec<String>> {
    if let Ok(command) = serde_json::from_str::<Vec<String>>(text.trim()) {
        return vec![command];
    }
    text.replace("&&", "\n")
        .replace("||", "\n")
        .split([';', '\n', '|'])
        .map(words)
        .filter(|words| !words.is_empty())
        .collect()
}

/// The system packages that a command installs.
pub(super) fn installed(command: &[String]) -> Vec<String> {
    let Some(tool) = command.iter().position(|word| {
        matches!(files::name_of(word), "apt-get" | "apt" | "apk" | "dnf" | "yum" | "microdnf" | "aptitude")
    }) else {
        return Vec::new();
    };
    let rest = command.get(tool + 1..).unwrap_or_default();
    let Some(verb) = rest.iter().position(|word| matches!(word.as_str(), "install" | "add")) else {
        return Vec::new();
    };
    rest.get(verb + 1..)
        .unwrap_or_default()
        .iter()
        .filter(|word| !word.starts_with('-') && !word.contains('$'))
        .filter_map(|word| word.split(['=', '~', '<', '>']).next())
        .map(str::to_owned)
        .collect()
}

pub(super) fn is_build_tool(package: &str) -> bool {
    const TOOLS: &[&str] = &[
        "gcc",
        "g++",
        "clang",
        "make",
        "cmake",
        "build-essential",
        "build-base",
        "cargo",
        "rustc",
        "gfortran",
        "golang",
        "gcc-c++",
        "autoconf",
        "automake",
        "meson",
        "ninja-build",
    ];
    TOOLS.contains(&package)
        || (package.len() > 4 && (package.ends_with("-dev") || package.ends_with("-devel")))
}

/// What of a command installs packages for development, if it does.
pub(super) fn development(
    command: &[String],
    has_group: bool,
    is_set: &impl Fn(&str) -> bool,
) -> Option<String> {
    let has = |word: &str| command.iter().any(|own| own == word);
    let starts = |start: &str| command.iter().any(|own| own.starts_with(start));
    let tool = command.iter().position(|word| {
        matches!(files::name_of(word), "uv" | "poetry" | "pdm" | "pipenv" | "pip" | "pip3")
    })?;
    let verb = command.get(tool + 1..)?.iter().find(|word| !word.starts_with('-')).map(String::as_str)?;
    let shown = |words: &[&str]| Some(words.join(" "));
    match (files::name_of(command.get(tool)?), verb) {
        ("uv", "sync") => {
            let leaves_out = has("--no-dev")
                || has("--no-default-groups")
                || starts("--only-group")
                || is_set("UV_NO_DEV")
                || is_set("UV_NO_DEFAULT_GROUPS");
            (has_group && !leaves_out).then(|| "uv sync".to_owned())
        }
        ("poetry", "install" | "sync") => {
            let leaves_out = has("--no-dev")
                || has("--without")
                || starts("--without=")
                || has("--only")
                || starts("--only=")
                || has("--only-root")
                || is_set("POETRY_WITHOUT")
                || is_set("POETRY_INSTALL_WITHOUT");
            (has_group && !leaves_out).then(|| format!("poetry {verb}"))
        }
        ("pdm", "install" | "sync") => {
            let leaves_out =
                has("--prod") || has("--production") || has("--no-default") || is_set("PDM_PROD");
            (has_group && !leaves_out).then(|| format!("pdm {verb}"))
        }
        ("pipenv", "install" | "sync") => {
            (has("--dev") || has("-d")).then_some(()).and(shown(&["pipenv", verb, "--dev"]))
        }
        ("pip" | "pip3", "install") => {
            let file = command
                .iter()
                .find(|word| files::is_requirements(word) && manifest::is_for_development(word))?;
            let words: BTreeSet<&str> =
                files::name_of(file).split(|letter: char| !letter.is_ascii_alphanumeric()).collect();
            ["dev", "develop", "development", "test", "tests", "testing", "lint"]
                .iter()
                .any(|word| words.contains(word))
                .then(|| format!("pip install -r {file}"))
        }
        _ => None,
    }
}
