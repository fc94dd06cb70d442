//! Python, and environments in which exactly the locked packages are.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::{install, made_from};
use crate::shell::{find, output, relative, run, target};

/// The oldest Python for which the lock files hold.
const OLDEST: (u32, u32) = (3, 11);

/// Tells the version, and fails if no environment could be made.
const PROBE: &str = "import ensurepip, sys, venv; print(*sys.version_info[:2])";

/// The environment `target/python/NAME`, with the packages of a hash-locked requirements file and no others.
///
/// It is made again when the lock file's content, or the Python, is another. Returns its interpreter.
pub(crate) fn environment(name: &str, lock: &Path) -> Result<PathBuf> {
    let python = interpreter()?;
    let locked = fs::read_to_string(lock).with_context(|| format!("`{}` cannot be read", lock.display()))?;
    let folder = target()?.join("python").join(name);
    let recipe = format!("{}\n{locked}", python.display());
    made_from(&recipe, &folder, || {
        println!("xtask: preparing the Python environment `{name}`");
        run(Command::new(&python).args(["-m", "venv", "--clear"]).arg(&folder))?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]);
        run(pip.arg("--requirement").arg(relative(lock)).current_dir(crate::shell::root()))
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

fn find_interpreter() -> Option<PathBuf> {
    let names = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];
    names.iter().filter_map(|name| find(&[name])).find(|python| is_usable(python))
}

fn is_usable(python: &Path) -> bool {
    let Ok(text) = output(Command::new(python).args(["-c", PROBE])) else { return false };
    let mut numbers = text.split_whitespace().map(str::parse);
    matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST)
}
