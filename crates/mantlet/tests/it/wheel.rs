//! `pip install mantlet`, from a wheel of this tree.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;

use crate::kit::{
    Client,
    command::{Typed, environment},
    provided,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root of the repository")
}

/// Runs a command and returns what it writes; it must succeed.
fn output(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

/// The only file in a folder.
fn only_file(folder: &Path) -> PathBuf {
    let files: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    let [file] = &files[..] else { panic!("one file: {files:?}") };
    file.clone()
}

/// What Cargo has built for the tests is packed: a folder of its own for the result keeps the one of the tests as it is.
fn build(out: &Path) -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_mantlet")).ancestors().nth(2).expect("the target folder");
    let mut maturin = Command::new(provided("MANTLET_TEST_PYTHON"));
    maturin.args(["-m", "maturin", "build", "--profile", "dev", "--strip", "false", "--locked"]);
    maturin.arg("--target-dir").arg(out.join("target")).arg("--out").arg(out.join("wheel"));
    maturin.current_dir(root()).env("CARGO_BUILD_BUILD_DIR", built);
    output(&mut maturin);
    only_file(&out.join("wheel"))
}

/// A new environment that finds FastAPI and uvicorn where the tests have them.
fn new_environment(folder: &Path) -> PathBuf {
    output(Command::new(provided("MANTLET_TEST_PYTHON")).args(["-m", "venv"]).arg(folder));
    let packages = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let of = |python: PathBuf| output(Command::new(python).args(["-c", packages])).trim().to_owned();
    let (own, shared) = (of(folder.join("bin/python")), of(environment().join("bin/python")));
    fs::write(Path::new(&own).join("shared.pth"), shared).expect("a file");
    folder.to_owned()
}

#[test]
fn a_wheel_is_installed_and_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let wheel = build(folder.path());
    let environment = new_environment(&folder.path().join("environment"));
    let mut pip = Command::new(environment.join("bin/python"));
    pip.args(["-m", "pip", "install", "--no-index", "--no-deps", "--disable-pip-version-check"]).arg(wheel);
    output(&mut pip);
    let installed = environment.join("bin/mantlet");
    assert_eq!(
        output(Command::new(&installed).arg("--version")).trim(),
        concat!("mantlet ", env!("CARGO_PKG_VERSION"))
    );

    // The package for apps is there, with its types; the inspector is not.
    let look = "import importlib.util, pathlib, mantlet\n\
                folder = pathlib.Path(mantlet.__file__).parent\n\
                print(folder.parent.name, (folder / 'py.typed').is_file(), mantlet.current_principal())\n\
                print((folder / 'scoping/scope.py').is_file(), importlib.util.find_spec('mantlet_inspector'))";
    let said = output(Command::new(environment.join("bin/python")).args(["-I", "-c", look]));
    assert_eq!(said, "site-packages True None\nTrue None\n");

    // Neither activated nor named: its interpreter is the one beside it.
    let app = "import sys\nimport mantlet\nfrom fastapi import FastAPI\napp = FastAPI()\n\
               app.add_middleware(mantlet.CallerMiddleware)\n\
               @app.get('/')\ndef root(): return {'prefix': sys.prefix}\n\
               @app.get('/items/{number}')\ndef item(number: int): return number\n";
    let process = Typed::run(&["main:app"])
        .program(installed)
        .variable("VIRTUAL_ENV", "")
        .variable("PATH", env::var_os("PATH").unwrap_or_default())
        .file("main.py", app)
        .start();
    let answer = Client::connect(process.ready()).get("/");
    assert_eq!(answer.status, 200);
    let prefix = PathBuf::from(answer.json()["prefix"].as_str().expect("a path"));
    assert_eq!(prefix.canonicalize().unwrap(), environment.canonicalize().unwrap());
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    // The package's middleware is known to leave requests as they are.
    assert_eq!(Client::connect(process.ready()).get("/items/one").code(), "input-invalid");
    process.signal(Signal::INT);
    assert_eq!(process.wait().code, Some(0));
}

/// Whoever builds from the sources that are published needs all of them.
#[test]
fn the_source_distribution_holds_what_the_binary_embeds() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut maturin = Command::new(provided("MANTLET_TEST_PYTHON"));
    maturin.args(["-m", "maturin", "sdist", "--out"]).arg(folder.path()).current_dir(root());
    output(&mut maturin);
    let list = "import sys, tarfile\nprint(*tarfile.open(sys.argv[1]).getnames(), sep='\\n')";
    let names = output(
        Command::new(provided("MANTLET_TEST_PYTHON")).args(["-c", list]).arg(only_file(folder.path())),
    );
    for needed in [
        "python/mantlet_inspector/launcher.py",
        "python/mantlet_inspector/__main__.py",
        "python/mantlet_inspector/contract/walk.py",
        "python/mantlet/__init__.py",
        "python/mantlet/py.typed",
        "python/mantlet/scoping/scope.py",
        "python/mantlet_inspector/source/index.py",
        "crates/mantlet/build.rs",
        "crates/mantlet/src/main.rs",
        "crates/mantlet-controls/src/lib.rs",
        "Cargo.lock",
        "pyproject.toml",
        "README.md",
        "LICENSE-MIT",
    ] {
        assert!(names.lines().any(|name| name.ends_with(&format!("/{needed}"))), "{needed} in\n{names}");
    }
}
