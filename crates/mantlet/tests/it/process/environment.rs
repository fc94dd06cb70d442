//! What the environment says to Mantlet, and what of it the app gets to see.

use rustix::process::Signal;
use serde_json::json;

use crate::kit::{
    Client,
    command::{Process, Typed},
    eventually,
    redis::Redis,
    websocket::{FINAL, TEXT, WebSocket},
};

/// Shows the variables that it was given, and echoes messages.
const APP: &str = "
import os
from fastapi import FastAPI, Request, WebSocket

app = FastAPI()


@app.get('/variables')
def variables():
    return {name: value for name, value in os.environ.items() if ('MANTLET' in name or 'SECRET' in name)
        and name != 'MANTLET_AUDIT_SOCKET'}


@app.get('/scope')
def scope(request: Request):
    return {'root_path': request.scope['root_path'], 'pid': os.getpid()}


@app.websocket('/echo')
async def echo(socket: WebSocket):
    await socket.accept()
    while True:
        await socket.send_text(await socket.receive_text())
";

fn variables(process: &Process) -> serde_json::Value {
    Client::connect(process.ready()).get("/variables").json()
}

/// What is ours is not handed on; what may be the app's own is, and that is said.
#[test]
fn the_app_is_given_what_may_be_its_own() {
    let redis = Redis::start();
    let config = |more: &str| format!("{more}\n[store]\nurl = \"env:SECRET_STORE\"\n");
    let typed = |config: &str| {
        Typed::run(&[])
            .file("main.py", APP)
            .file("mantlet.toml", config)
            .variable("SECRET_STORE", redis.url())
            .variable("MANTLET_HEADERS__NO_STORE", "false")
            .variable("MANTLET_IMAGE_TAG", "v1")
    };
    let process = typed(&config("")).start();
    let seen = variables(&process);
    // A variable that is not one of our settings is another program's, perhaps the app's.
    assert_eq!(seen, json!({"SECRET_STORE": redis.url(), "MANTLET_IMAGE_TAG": "v1"}));
    let note = "note: the app gets `SECRET_STORE` too, which the configuration names as `env:…`";
    process.line(note);
    process.line("`withhold-env = [\"SECRET_STORE\"]` under `[app]`; if it does, `withhold-env = []`");

    for (more, is_given) in [
        ("app.withhold-env = [\"SECRET_STORE\"]", false),
        ("app.withhold-env = []", true),
        ("contract.posture = \"strict\"", false),
        ("contract.posture = \"strict\"\napp.withhold-env = []", true),
    ] {
        let process = typed(&config(more)).start();
        assert_eq!(variables(&process).get("SECRET_STORE").is_some(), is_given, "{more}");
        assert!(!process.stderr().contains("the app gets"), "{more}: {}", process.stderr());
    }

    // One with our prefix that the configuration names is ours, and no setting.
    let named = "[store]\nurl = \"env:MANTLET_STORE_URL\"\n";
    let process = typed(named).variable("MANTLET_STORE_URL", redis.url()).start();
    assert!(variables(&process).get("MANTLET_STORE_URL").is_none());
    assert!(!process.stderr().contains("the app gets"), "{}", process.stderr());
}

#[test]
fn names_of_variables_are_checked() {
    let typed = Typed::run(&[]).file("main.py", APP).file("mantlet.toml", "app.withhold-env = [\"A=B\"]\n");
    let finished = typed.finish();
    let says = "mantlet.toml:1: app.withhold-env[0]: `A=B` is not the name of a variable";
    assert!(finished.stderr.contains(says), "{}", finished.stderr);
}

/// Mantlet stands where uvicorn stood: what uvicorn's own variables say holds.
#[test]
fn uvicorns_own_variables_hold() {
    let process = Typed::mantlet(["run"])
        .file("main.py", APP)
        .variable("UVICORN_PORT", "0")
        .variable("UVICORN_ROOT_PATH", "/behind")
        .variable("UVICORN_ACCESS_LOG", "false")
        .variable("WEB_CONCURRENCY", "2")
        .variable("FORWARDED_ALLOW_IPS", "*")
        .variable("UVICORN_RELOAD", "true")
        .start();
    let address = process.ready();
    process.line("note: `FORWARDED_ALLOW_IPS=*` is not used: every client could pass for another");
    process.line("note: `UVICORN_RELOAD` is not used");
    eventually("two workers have started", || {
        (process.stderr().matches("Application startup complete.").count() == 2).then_some(())
    });
    let answer = Client::connect(address).get("/scope");
    assert_eq!((answer.status, &answer.json()["root_path"]), (200, &json!("/behind")));
    process.signal(Signal::INT);
    let finished = process.wait();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(!finished.stdout.contains("/scope"), "the log of requests is off: {}", finished.stdout);

    // Our own settings outrank them.
    let process =
        Typed::run(&["--workers", "1"]).file("main.py", APP).variable("WEB_CONCURRENCY", "2").start();
    process.ready();
    assert_eq!(process.descendants().len(), 1);
}

#[test]
fn a_variable_that_uvicorn_does_not_understand_is_named() {
    let finished = Typed::run(&[]).file("main.py", APP).variable("UVICORN_LOG_LEVEL", "loud").finish();
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    let says =
        "mantlet: error: uvicorn does not understand one of its variables: Invalid value for '--log-level'";
    assert!(finished.stderr.contains(says), "{}", finished.stderr);
    // Of others that are wrong it is enough to be told.
    let process = Typed::run(&[])
        .file("main.py", APP)
        .variable("WEB_CONCURRENCY", "auto")
        .variable("PORT", "8080")
        .start();
    process.ready();
    process.line("note: `WEB_CONCURRENCY=auto` is not used: write a number, or `workers` under `[app]`");
    let process = Typed::mantlet(["config", "show"]).variable("WEB_CONCURRENCY", "3").finish();
    let line = process.stdout.lines().find(|line| line.starts_with("workers = 3")).expect("a line");
    assert!(line.ends_with("# environment WEB_CONCURRENCY"), "{line}");
}

/// A limit that is raised is raised for uvicorn too.
#[test]
fn a_raised_limit_reaches_uvicorn() {
    let long = vec![b'x'; 17 << 20];
    for (name, value) in
        [("MANTLET_LIMITS__WEBSOCKET_MESSAGE", "20 MiB"), ("UVICORN_WS_MAX_SIZE", "20971520")]
    {
        let process = Typed::run(&[]).file("main.py", APP).variable(name, value).start();
        let mut socket = WebSocket::open(process.ready(), "/echo");
        socket.send(FINAL | TEXT, &long);
        let (first, echoed) = socket.next();
        assert_eq!((first, echoed.len()), (FINAL | TEXT, long.len()), "{name}");
    }
}

/// A head that the gate lets through is not refused by the parser that uvicorn has without httptools.
#[test]
fn a_large_head_reaches_an_app_on_h11() {
    let config = "[limits]\nhead-size = \"200 KiB\"\n";
    let typed =
        Typed::run(&[]).file("main.py", APP).file("mantlet.toml", config).variable("UVICORN_HTTP", "h11");
    let process = typed.start();
    let mut client = Client::connect(process.ready());
    let head = format!("GET /scope HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "x".repeat(150 << 10));
    assert_eq!(client.ask(head).status, 200);
}
