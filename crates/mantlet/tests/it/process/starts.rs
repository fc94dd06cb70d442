//! From the command to the first answer.

use rustix::process::Signal;

use crate::kit::{
    Client,
    command::{Process, THREE_LINES, Typed, environment},
    processes::{command_line, wait_for_ends},
};

/// It says that it is ready with these words, answers through the gate, and ends well.
fn check(typed: Typed, ready: &str) {
    let process = typed.start();
    let address = process.ready();
    assert_eq!(process.line("is ready behind"), format!("mantlet: {ready} is ready behind http://{address}"));
    let answer = Client::connect(address).get("/");
    assert_eq!((answer.status, answer.json()), (200, serde_json::json!({"hello": "world"})));
    assert_eq!(
        answer.header("content-security-policy"),
        Some("default-src 'none'"),
        "the answer came through the gate"
    );
    assert!(!answer.request_id().is_empty());
    assert_eq!(answer.header("server"), None);
    ends_well(process);
}

fn ends_well(process: Process) {
    let started = process.descendants();
    assert!(!started.is_empty());
    process.signal(Signal::INT);
    let finished = process.wait();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    wait_for_ends(&started);
}

#[test]
fn finds_main_py_in_an_empty_folder() {
    check(Typed::run(&[]).file("main.py", THREE_LINES), "main:app (FastAPI)");
}

#[test]
fn the_app_is_named_in_many_ways() {
    let factory = "from fastapi import FastAPI\ndef create_app():\n    app = FastAPI()\n    \
                   app.get('/')(lambda: {'hello': 'world'})\n    return app\n";
    let titled = THREE_LINES.replace("FastAPI()", "FastAPI(title='Shop')");
    check(Typed::run(&["main:app"]).file("main.py", THREE_LINES), "main:app (FastAPI)");
    check(Typed::run(&["backend/web.py"]).file("backend/web.py", &titled), "web:app (Shop)");
    check(
        Typed::run(&["backend.web:app"]).file("backend/__init__.py", "").file("backend/web.py", &titled),
        "backend.web:app (Shop)",
    );
    check(Typed::run(&["main:create_app()"]).file("main.py", factory), "main:create_app");
}

#[test]
fn the_project_names_the_app() {
    check(
        Typed::run(&[])
            .file("pyproject.toml", "[tool.fastapi]\nentrypoint = \"backend.web:api\"\n")
            .file("backend/web.py", &THREE_LINES.replace("app", "api")),
        "backend.web:api (FastAPI)",
    );
    // Mantlet's own table is the nearer one.
    check(
        Typed::run(&[])
            .file(
                "pyproject.toml",
                "[tool.fastapi]\nentrypoint = \"nobody:app\"\n[tool.mantlet]\napp.entrypoint = \"main:app\"\n",
            )
            .file("main.py", THREE_LINES),
        "main:app (FastAPI)",
    );
}

#[test]
fn the_folders_own_environment_is_used() {
    let typed = Typed::run(&[]).file("main.py", THREE_LINES).variable("VIRTUAL_ENV", "");
    std::os::unix::fs::symlink(environment(), typed.folder().join(".venv")).unwrap();
    check(typed, "main:app (FastAPI)");
}

#[test]
fn two_workers_serve_and_end_together() {
    let process = Typed::run(&["--workers", "2"]).file("main.py", THREE_LINES).start();
    let address = process.ready();
    for _ in 0..10 {
        assert_eq!(Client::connect(address).get("/").status, 200);
    }
    crate::kit::eventually("both workers say that they have started", || {
        let started = process.stderr().matches("Application startup complete.").count();
        assert!(started <= 2, "more workers than asked for");
        (started == 2).then_some(())
    });
    ends_well(process);
}

#[test]
fn another_server_listens_where_it_is_told() {
    let server = |place: &str| {
        let mut arguments = vec!["--", "uvicorn", "main:app"];
        arguments.extend(place.split(' '));
        Typed::run(&arguments).file("main.py", THREE_LINES)
    };
    check(server("--uds {socket}"), "uvicorn");
    check(server("--host 127.0.0.1 --port {port}"), "uvicorn");
}

/// Only Mantlet reaches the app: its socket lies in a folder that keeps everybody else out.
#[test]
fn the_apps_socket_is_private() {
    let process = Typed::run(&[]).file("main.py", THREE_LINES).start();
    process.ready();
    let app = process.descendants()[0];
    let arguments = command_line(app);
    let place = arguments.iter().position(|argument| argument == "--uds").expect("a unix socket");
    let socket = std::path::Path::new(&arguments[place + 1]);
    let folder = socket.parent().unwrap();
    assert_eq!(folder.parent(), Some(process.runtime()));
    assert_eq!(crate::kit::processes::mode(folder), 0o700);
    ends_well(process);
}

#[test]
fn what_the_app_writes_passes_through() {
    let talkative = format!(
        "import sys\nprint('to the output', flush=True)\nprint('to the log', file=sys.stderr)\n{THREE_LINES}"
    );
    let process = Typed::run(&[]).file("main.py", &talkative).start();
    process.ready();
    process.signal(Signal::INT);
    let finished = process.wait();
    assert!(finished.stdout.lines().any(|line| line == "to the output"), "{}", finished.stdout);
    assert!(finished.stderr.lines().any(|line| line == "to the log"), "{}", finished.stderr);
}
