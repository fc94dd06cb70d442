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

/// An app of WebSockets alone is one, and so is one that only mounts others.
#[test]
fn an_app_without_operations_of_its_own_is_an_app() {
    let sockets = "from fastapi import FastAPI, WebSocket\napp = FastAPI()\n@app.websocket('/feed')\n\
                   async def feed(socket: WebSocket):\n    await socket.accept()\n    await socket.close()\n";
    let mounts = "from fastapi import FastAPI\nfrom starlette.applications import Starlette\napp = FastAPI()\n\
                  app.mount('/other', Starlette())\n";
    for (app, says) in [(sockets, "no operation, 1 WebSocket"), (mounts, "no operation")] {
        let process = Typed::run(&[]).file("main.py", app).start();
        process.ready();
        process.line(&format!("mantlet: the contract of main:app (FastAPI), read from the app: {says}"));
        assert!(!process.stderr().contains("error"), "{}", process.stderr());
        if app == sockets {
            let finished = Typed::mantlet(["contract"]).file("main.py", app).finish();
            assert_eq!(finished.code, Some(0), "{}", finished.stderr);
            // And what was written is taken.
            let typed = Typed::run(&["--contract", "contract.json"]).file("main.py", app);
            let process = typed.file("contract.json", &finished.stdout).start();
            process.ready();
            process.line(says);
        }
    }
}

/// A version that cannot be read is named, in a sentence.
#[test]
fn an_old_fastapi_is_named() {
    let old = "__version__ = '0.79.0'\nclass FastAPI:\n    title = 'Old'\n    \
               async def __call__(self, scope, receive, send):\n        if scope['type'] == 'http':\n            \
               await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n            \
               await send({'type': 'http.response.body', 'body': b'old'})\n";
    let app = "from fastapi import FastAPI\napp = FastAPI()\n";
    let process = Typed::run(&[]).file("main.py", app).file("fastapi/__init__.py", old).start();
    let address = process.ready();
    process.line(
        "mantlet: note: the contract of main:app (Old) cannot be read: FastAPI 0.79.0 is too old to be read; 0.100 and \
         later are understood",
    );
    assert_eq!(Client::connect(address).get("/").body, b"old");
}
