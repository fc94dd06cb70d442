//! Python, and environments in which exactly the locked packages are.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::{install, made_from};
use crate::shell::{find, output, relative, root, run, target};

/// The oldest Python for which most lock files hold.
const OLDEST: (u32, u32) = (3, 11);

/// The oldest Python that runs the apps which Mantlet reads: `pyproject.toml` says so.
const OLDEST_OF_APPS: (u32, u32) = (3, 9);

/// Tells the version, and fails if no environment could be made.
const PROBE: &str = "import ensurepip, sys, venv; print(*sys.version_info[:2])";

/// The environment `target/python/NAME`, with the packages of a hash-locked requirements file and no others.
///
/// It is made again when the lock file's content, or the Python, is another. Returns its interpreter.
pub(crate) fn environment(name: &str, lock: &Path) -> Result<PathBuf> {
    environment_of(&interpreter()?, name, lock)
}

/// The same with the oldest Python that runs the apps which Mantlet reads.
pub(crate) fn oldest_environment(name: &str, lock: &Path) -> Result<PathBuf> {
    environment_of(&oldest_interpreter()?, name, lock)
}

/// The environment `lint`: what judges the Python code, and Node.
pub(crate) fn lint_environment() -> Result<PathBuf> {
    environment("lint", &root().join("python/requirements-lint.txt"))
}

fn environment_of(python: &Path, name: &str, lock: &Path) -> Result<PathBuf> {
    let locked = fs::read_to_string(lock).with_context(|| format!("`{}` cannot be read", lock.display()))?;
    let folder = target()?.join("python").join(name);
    let recipe = format!("{}\n{locked}", python.display());
    made_from(&recipe, &folder, || {
        println!("xtask: preparing the Python environment `{name}`");
        run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder))?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]);
        run(pip.arg("--requirement").arg(relative(lock)).current_dir(root()))
    })?;
    Ok(folder.join("bin/python"))
}

/// A Python that is new enough and can make environments.
fn interpreter() -> Result<PathBuf> {
    if let Some(found) = find_interpreter() {
        return Ok(found);
    }
    let (major, minor) = OLDEST;
    install("python3-venv")
        .with_context(|| format!("Python {major}.{minor} or later with venv is needed"))?;
    match find_interpreter() {
        Some(found) => Ok(found),
        None => bail!("Python {major}.{minor} or later is needed, and this system's is older"),
    }
}

/// From the system, or kept by pyenv or uv, which installs it.
fn oldest_interpreter() -> Result<PathBuf> {
    let (major, minor) = OLDEST_OF_APPS;
    let version = format!("{major}.{minor}");
    let is_it = |python: &PathBuf| version_of(python) == Some(OLDEST_OF_APPS);
    let installed = find(&[&format!("python{version}")]).filter(is_it);
    if let Some(found) = installed.or_else(|| kept_by_pyenv(&version).into_iter().find(is_it)) {
        return Ok(found);
    }
    let missing = || {
        format!(
            "Python {version} is needed, from the system, from pyenv, or by `uv python install {version}`"
        )
    };
    let uv = find(&["uv"]).with_context(missing)?;
    println!("xtask: installing Python {version}");
    run(Command::new(&uv).args(["python", "install", "--quiet", &version])).with_context(missing)?;
    let found = output(Command::new(&uv).args(["python", "find", &version]))?;
    Some(PathBuf::from(found.trim())).filter(is_it).with_context(missing)
}

/// Interpreters of a version in pyenv's folder.
fn kept_by_pyenv(version: &str) -> Vec<PathBuf> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".pyenv"));
    let Some(root) = env::var_os("PYENV_ROOT").map(PathBuf::from).or_else(home) else { return Vec::new() };
    let folders = fs::read_dir(root.join("versions")).into_iter().flatten().flatten();
    let prefix = format!("{version}.");
    folders
        .filter(|folder| folder.file_name().to_string_lossy().starts_with(&prefix))
        .map(|folder| folder.path().join("bin/python"))
        .collect()
}

fn find_interpreter() -> Option<PathBuf> {
    let names = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];
    names.iter().filter_map(|name| find(&[name])).find(|python| is_usable(python))
}

fn is_usable(python: &Path) -> bool {
    version_of(python).is_some_and(|version| version >= OLDEST)
}

/// The version of a Python that can make environments.
fn version_of(python: &Path) -> Option<(u32, u32)> {
    let text = output(Command::new(python).args(["-c", PROBE])).ok()?;
    let mut numbers = text.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}
