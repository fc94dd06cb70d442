//! How the inspector reads an app's code: once, within bounds, and leaving the app as it was.

use std::{
    env,
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::kit::command::{Finished, Typed, environment};

const MAIN: &str = r#"
from fastapi import Depends, FastAPI
from pydantic import BaseModel

import doors

app = FastAPI()

class Order(BaseModel):
    quantity: int

@app.post("/orders", dependencies=[Depends(doors.guard)])
def order(order: Order):
    return order
"#;

const DOORS: &str = r#"
from fastapi import HTTPException

SEE_OTHER = 303

def leave():
    raise HTTPException(SEE_OTHER, headers={"Location": "/login"})

def guard(token: str = ""):
    if not token:
        leave()
"#;

/// What is said of the guard while it may redirect.
const REDIRECTS: &str = "may raise an `HTTPException` that is no error (doors:7)";

/// An app in a folder with a state folder.
fn app() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("main.py"), MAIN).unwrap();
    fs::write(folder.path().join("doors.py"), DOORS).unwrap();
    fs::create_dir(folder.path().join(".mantlet")).unwrap();
    folder
}

/// The contract as it is printed, and what is said of it.
fn contract(folder: &Path) -> (String, String) {
    let Finished { code, stdout, stderr, .. } = Typed::mantlet(["contract"]).at(folder).finish();
    assert_eq!(code, Some(0), "{stderr}");
    (stdout, stderr)
}

#[test]
fn what_was_read_is_remembered_by_the_text_of_each_file() {
    let folder = app();
    let memory = folder.path().join(".mantlet/code.json");
    let (first, said) = contract(folder.path());
    assert!(said.contains(REDIRECTS), "{said}");
    assert_eq!(fs::metadata(&memory).unwrap().mode() & 0o777, 0o600);
    let written = fs::metadata(&memory).unwrap().ino();

    assert_eq!(contract(folder.path()).0, first);
    assert_eq!(fs::metadata(&memory).unwrap().ino(), written, "nothing was new");

    fs::write(folder.path().join("doors.py"), DOORS.replace("= 303", "= 401")).unwrap();
    let (_, said) = contract(folder.path());
    assert!(!said.contains("doors:7"), "{said}");
    fs::write(folder.path().join("doors.py"), DOORS).unwrap();
    assert_eq!(contract(folder.path()).0, first);
}

/// Also a file in which no exception is made, and of which one function is read: none is parsed whole twice.
#[test]
fn every_file_that_was_parsed_is_remembered() {
    let folder = app();
    let doors = "import textwrap\n\nfrom fastapi import Request\n\ndef guard(request: Request):\n    \
                 return textwrap.dedent(request.headers.get('x-note', ''))\n";
    fs::write(folder.path().join("doors.py"), doors).unwrap();
    let (first, _) = contract(folder.path());
    let memory = folder.path().join(".mantlet/code.json");
    // The name of a function and the line where it begins.
    assert!(fs::read_to_string(&memory).unwrap().contains(r#""dedent "#));
    let written = fs::metadata(&memory).unwrap().ino();
    assert_eq!(contract(folder.path()).0, first);
    assert_eq!(fs::metadata(&memory).unwrap().ino(), written, "nothing was new");
}

#[test]
fn what_names_stand_for_is_not_remembered() {
    let folder = app();
    let main =
        MAIN.replace("import doors", "import doors\nimport os\ndoors.SEE_OTHER = int(os.environ['STATUS'])");
    fs::write(folder.path().join("main.py"), main).unwrap();
    for (status, redirects) in [("401", false), ("303", true), ("401", false)] {
        let typed = Typed::mantlet(["contract"]).at(folder.path()).variable("STATUS", status);
        let said = typed.finish().stderr;
        assert_eq!(said.contains(REDIRECTS), redirects, "{status}: {said}");
    }
}

#[test]
fn a_memory_that_is_broken_or_of_others_is_not_used() {
    let folder = app();
    let memory = folder.path().join(".mantlet/code.json");
    let (first, _) = contract(folder.path());
    let good = fs::read_to_string(&memory).unwrap();
    for broken in [&good[..good.len() / 2], "", "[]", "{\"files\": 7}", &good.replace("[[", "[")] {
        fs::write(&memory, broken).unwrap();
        assert_eq!(contract(folder.path()).0, first);
        assert_eq!(fs::read_to_string(&memory).unwrap(), good, "it is written anew");
    }

    // One that does not know of the redirect: the owner's own word counts, nobody else's does.
    let lie = good.replace("\"HTTPException\"", "\"Harmless\"");
    assert_ne!(lie, good);
    fs::write(&memory, &lie).unwrap();
    assert!(!contract(folder.path()).1.contains(REDIRECTS), "this test could not fail");
    for mode in [0o666, 0o620] {
        fs::write(&memory, &lie).unwrap();
        fs::set_permissions(&memory, Permissions::from_mode(mode)).unwrap();
        assert!(contract(folder.path()).1.contains(REDIRECTS), "{mode:o}");
        fs::remove_file(&memory).unwrap();
    }
    let elsewhere = folder.path().join("elsewhere.json");
    fs::write(&elsewhere, &lie).unwrap();
    symlink(&elsewhere, &memory).unwrap();
    assert!(contract(folder.path()).1.contains(REDIRECTS));
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), lie, "it is not written through");
}

#[test]
fn without_a_state_folder_everything_is_read_each_time() {
    let folder = app();
    let state = folder.path().join(".mantlet");
    let (first, _) = contract(folder.path());
    fs::remove_dir_all(&state).unwrap();
    assert_eq!(contract(folder.path()).0, first);
    assert!(!state.exists());
    fs::write(&state, "a file").unwrap();
    assert_eq!(contract(folder.path()).0, first);
}

#[test]
fn what_is_not_read_in_time_is_reported_and_says_how_to_give_more() {
    let folder = app();
    fs::write(folder.path().join("doors.py"), DOORS.replace("= 303", "= 401")).unwrap();
    let config = folder.path().join("mantlet.toml");
    fs::write(&config, "app.read-timeout = \"1ms\"\n").unwrap();
    let (late, said) = contract(folder.path());
    let why = "was not read: 0.001 s of reading were up (`read-timeout` under `[app]` gives more)";
    assert!(
        said.contains(&format!("the dependency `guard` (doors.py:9) {why}: input is reported, not refused")),
        "{said}"
    );
    assert!(late.contains("\"rewrites\": true"), "{late}");

    fs::write(&config, "app.read-timeout = \"0s\"\n").unwrap();
    let (whole, said) = contract(folder.path());
    assert!(!said.contains("was not read"), "{said}");
    assert!(!whole.contains("\"rewrites\": true"), "{whole}");
}

/// The interpreter under the environment of the tests, which has no packages, and the folder of those of the environment.
fn bare_python() -> (PathBuf, PathBuf) {
    let python = fs::canonicalize(environment().join("bin/python")).unwrap();
    let library = environment().join("lib");
    let versions: Vec<_> = fs::read_dir(library).unwrap().map(|entry| entry.unwrap().path()).collect();
    let packages =
        versions.iter().map(|version| version.join("site-packages")).find(|folder| folder.is_dir());
    (python, packages.unwrap())
}

/// Puts the packages of the environment into another folder, by links, but for those that the filter leaves out.
fn linked(folder: &Path, packages: &Path, filter: impl Fn(&str) -> bool) {
    fs::create_dir(folder).unwrap();
    for entry in fs::read_dir(packages).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if filter(name) {
            symlink(&path, folder.join(name)).unwrap();
        }
    }
}

fn python(python: &Path, folder: &Path, arguments: &[&str]) {
    let ended = Command::new(python).args(arguments).current_dir(folder).status().unwrap();
    assert!(ended.success(), "{arguments:?}");
}

#[test]
fn packages_are_known_wherever_they_are_installed() {
    let (interpreter, packages) = bare_python();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // As `pip install --target` leaves them.
    linked(&at("target"), &packages, |_| true);
    // As they are in a function's bundle, without what an installer says of them, but for what is asked when they are imported.
    let is_asked = |name: &str| {
        !name.ends_with(".dist-info") || name.starts_with("email") || name.starts_with("opentelemetry")
    };
    linked(&at("bundle"), &packages, is_asked);
    // Compiled, without their sources.
    let is_kept = |name: &str| !["fastapi", "starlette", "annotated_doc"].contains(&name);
    linked(&at("compiled"), &packages, is_kept);
    let copy = "import shutil, sys\nfor name in ('fastapi', 'starlette', 'annotated_doc'):\n    \
                shutil.copytree(f'{sys.argv[1]}/{name}', f'compiled/{name}')";
    python(&interpreter, folder.path(), &["-c", copy, packages.to_str().unwrap()]);
    for name in ["fastapi", "starlette", "annotated_doc"] {
        python(&interpreter, folder.path(), &["-m", "compileall", "-q", "-b", &format!("compiled/{name}")]);
    }
    let strip = "import pathlib\nfor name in ('fastapi', 'starlette', 'annotated_doc'):\n    \
                 [one.unlink() for one in pathlib.Path('compiled', name).rglob('*.py')]";
    python(&interpreter, folder.path(), &["-c", strip]);
    // Pure ones in an archive.
    let is_elsewhere = |name: &str| !["fastapi", "starlette", "annotated_doc"].contains(&name);
    linked(&at("beside"), &packages, is_elsewhere);
    let zip = "import shutil, sys, zipfile, pathlib\nwith zipfile.ZipFile('archive.zip', 'w') as made:\n    \
               for name in ('fastapi', 'starlette', 'annotated_doc'):\n        \
               [made.write(one, one.relative_to(sys.argv[1])) for one in pathlib.Path(sys.argv[1], name).rglob('*.py')]";
    python(&interpreter, folder.path(), &["-c", zip, packages.to_str().unwrap()]);

    for place in ["target", "bundle", "compiled", "archive.zip:beside"] {
        let paths: Vec<_> = place.split(':').map(at).collect();
        let doors = DOORS.replace("= 303", "= 401");
        let typed = Typed::mantlet(["contract", "--python"]).argument(interpreter.to_str().unwrap());
        let typed = typed.file("main.py", MAIN).file("doors.py", &doors);
        let finished = typed.variable("PYTHONPATH", env::join_paths(paths).unwrap()).finish();
        assert_eq!(finished.code, Some(0), "{place}: {}", finished.stderr);
        assert!(
            finished.stderr.contains("no place is known where only the app can decide"),
            "{place}: {}",
            finished.stderr
        );
        assert!(!finished.stdout.contains("\"rewrites\": true"), "{place}");
    }
}

#[test]
fn an_app_in_an_archive_is_read_there() {
    let folder = app();
    let zip = "import zipfile\nwith zipfile.ZipFile('app.zip', 'w') as made:\n    made.write('main.py'), made.write('doors.py')";
    python(&environment().join("bin/python"), folder.path(), &["-c", zip]);
    for name in ["main.py", "doors.py"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    let typed = Typed::mantlet(["contract", "main:app"]).at(folder.path());
    let said = typed.variable("PYTHONPATH", folder.path().join("app.zip")).finish().stderr;
    assert!(said.contains(REDIRECTS), "{said}");
}

#[test]
fn modules_that_load_when_they_are_asked_are_not_asked() {
    let folder = app();
    let lazy = r#"
import importlib.util, sys

def lazily(name):
    spec = importlib.util.find_spec(name)
    spec.loader = importlib.util.LazyLoader(spec.loader)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

class Proxy:
    """As clients have for what is configured later."""

    @property
    def __class__(self):
        open("asked", "w").close()
        return object

heavy = lazily("heavy")
proxy = Proxy()
"#;
    fs::write(folder.path().join("main.py"), format!("{lazy}{MAIN}")).unwrap();
    fs::write(folder.path().join("heavy.py"), "open('loaded', 'w').close()\n").unwrap();
    let said = Typed::mantlet(["contract", "main:app"]).at(folder.path()).finish().stderr;
    assert!(said.contains(REDIRECTS), "{said}");
    for trace in ["loaded", "asked"] {
        assert!(!folder.path().join(trace).exists(), "{trace}");
    }
}
