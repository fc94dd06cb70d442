//! What a person reads when nothing can be started.

use std::{net::TcpListener, process::Command};

use crate::kit::{
    command::{Finished, THREE_LINES, Typed, environment},
    provided,
};

/// It ends with this code, and this is what it says itself; `FOLDER` is where it ran.
fn check(typed: Typed, code: i32, says: &str) -> Finished {
    let folder = typed.folder().canonicalize().unwrap();
    let says = says.replace("FOLDER", folder.to_str().unwrap());
    let finished = typed.finish();
    let said = own_words(&finished.stderr);
    assert_eq!((said.as_str(), finished.code), (says.as_str(), Some(code)), "{}", finished.stderr);
    assert!(!finished.stderr.contains("is ready"), "{}", finished.stderr);
    assert_eq!(finished.runtime.path().read_dir().unwrap().count(), 0, "nothing private is left behind");
    finished
}

/// Mantlet's own lines, with those that are set in below them.
fn own_words(stderr: &str) -> String {
    let mut own = Vec::new();
    let mut within = false;
    for line in stderr.lines() {
        // How long a slow machine takes is told too.
        if line.starts_with("mantlet: waiting for ") {
            continue;
        }
        within = line.starts_with("mantlet: ") || (within && line.starts_with("  "));
        if within {
            own.push(line);
        }
    }
    own.join("\n")
}

#[test]
fn no_app_is_found() {
    check(
        Typed::run(&[]),
        3,
        "mantlet: error: found no app in `FOLDER`: looked for [tool.fastapi] entrypoint in pyproject.toml, main.py, \
         app.py, api.py, app/main.py, app/app.py, app/api.py; name it, for example `mantlet run package.module:app`",
    );
    check(
        Typed::run(&["shop:app"]),
        3,
        "mantlet: error: there is no module `shop`: looked for `shop` from `FOLDER`",
    );
    check(
        Typed::run(&["main:application"]).file("main.py", THREE_LINES),
        3,
        "mantlet: error: `main.py` has no `application`; did you mean `main:app`",
    );
}

#[test]
fn the_app_cannot_be_imported() {
    let python = environment().join("bin/python");
    let finished = check(
        Typed::run(&["crash:app"]).app("crash.py"),
        3,
        &format!(
            "mantlet: error: the app `crash` cannot be imported: ModuleNotFoundError: No module named \
             'a_module_that_nobody_has_installed'; install it in `{}`, or run mantlet in the app's own environment\n  \
             at crash.py:3",
            python.display()
        ),
    );
    let folder = finished.folder.path().canonicalize().unwrap();
    let trace = format!(
        "Traceback (most recent call last):\n  File \"{}/crash.py\", line 3, in <module>\n    \
         import a_module_that_nobody_has_installed\nModuleNotFoundError: ",
        folder.display()
    );
    assert!(finished.stderr.contains(&trace), "the app's own traceback passes through:\n{}", finished.stderr);

    check(
        Typed::run(&[])
            .file("main.py", "from backend import settings\n")
            .file("backend/__init__.py", "")
            .file("backend/settings.py", "\nPORT = int('none')\n"),
        3,
        "mantlet: error: the app `main` cannot be imported: ValueError: invalid literal for int() with base 10: 'none'\n  \
         at backend/settings.py:2",
    );
}

#[test]
fn uvicorn_is_missing() {
    let bare = tempfile::tempdir().unwrap();
    let mut venv = Command::new(provided("MANTLET_TEST_PYTHON"));
    let made = venv.args(["-m", "venv", "--without-pip"]).arg(bare.path()).status().unwrap();
    assert!(made.success());
    let python = bare.path().join("bin/python");
    check(
        Typed::run(&[]).file("main.py", THREE_LINES).variable("VIRTUAL_ENV", bare.path()),
        3,
        &format!(
            "mantlet: error: uvicorn cannot be used (No module named 'uvicorn'): `pip install \"uvicorn[standard]\"` \
             in `{}`, or run mantlet in the app's own environment",
            python.display()
        ),
    );
}

#[test]
fn the_program_is_missing() {
    check(
        Typed::run(&["--python", "nowhere/bin/python"]).file("main.py", THREE_LINES),
        127,
        "mantlet: error: the Python interpreter `nowhere/bin/python` cannot be started: No such file or directory \
         (os error 2); name another with `--python PATH`, or activate the app's environment",
    );
    check(
        Typed::run(&["--", "no-such-server", "--port", "{port}"]),
        127,
        "mantlet: error: the command `no-such-server` cannot be started: No such file or directory (os error 2); \
         is it installed and in PATH?",
    );
}

#[test]
fn the_app_does_not_start() {
    let finished = check(
        Typed::run(&["failstart:app"]).app("failstart.py"),
        3,
        "mantlet: error: failstart:app (FastAPI) ended before it was ready (exit status: 3); its own output above \
         says why",
    );
    assert!(finished.stderr.contains("RuntimeError: the database is not there"), "{}", finished.stderr);
    check(
        Typed::run(&["--workers", "2", "failstart:app"]).app("failstart.py"),
        3,
        "mantlet: error: failstart:app (FastAPI) ended before it was ready (exit status: 3); its own output above \
         says why",
    );
}

#[test]
fn the_app_never_becomes_ready() {
    let typed = Typed::run(&["never:app"]).app("never.py");
    let finished = typed.file("mantlet.toml", "app.ready-timeout = \"2s\"\n").finish();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert_eq!(
        // Its title is known only if it has been imported by then.
        own_words(&finished.stderr).replace(" (FastAPI)", ""),
        "mantlet: error: never:app did not accept connections on its socket within 2 s and was stopped\n  \
         if it needs longer to start, set `ready-timeout` under `[app]`, or MANTLET_APP__READY_TIMEOUT=5m"
    );
}

#[test]
fn the_command_does_not_say_where_it_listens() {
    check(
        Typed::run(&["--", "uvicorn", "main:app"]),
        2,
        "mantlet: error: the command does not say where to listen; write `{socket}` or `{port}` in place of its \
         address\n  for example: mantlet run -- uvicorn main:app --uds {socket}",
    );
}

/// The code of a command that ends is Mantlet's own.
#[test]
fn a_command_that_ends_hands_on_its_code() {
    check(
        Typed::run(&["--", "sh", "-c", "exit 42", "{port}"]),
        42,
        "mantlet: error: sh ended before it was ready (exit status: 42); its own output above says why; it must listen \
         on `{socket}` or `{port}`",
    );
}

#[test]
fn the_port_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let says = format!(
        "mantlet: error: cannot listen on {address}: Address already in use (os error 98)\n  \
         another program listens there already; stop it, or choose another address with `--listen`"
    );
    check(Typed::mantlet(["run", "--listen", &address]).file("main.py", THREE_LINES), 1, &says);
    let upstream = ["serve", "--upstream", "http://127.0.0.1:9", "--listen", &address];
    check(Typed::mantlet(upstream), 1, &says);
}

#[test]
fn nothing_stands_behind() {
    check(
        Typed::mantlet(["serve"]),
        2,
        "mantlet: error: no upstream: pass `--upstream http://HOST:PORT` or `--upstream unix:PATH`",
    );
    check(
        Typed::mantlet(["serve", "--upstream", "https://example.com"]),
        2,
        "mantlet: error: 1 mistake in the configuration; nothing was started\n  \
         flag --upstream: app.upstream: `https://example.com`: Mantlet reaches the app over plain HTTP; \
         write `http://HOST:PORT` or `unix:PATH`",
    );
}
