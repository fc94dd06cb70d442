//! An app that crashes is started again; meanwhile its clients are told.

use std::{fs, net::SocketAddr, os::unix::net::UnixStream, path::Path};

use rustix::process::{Pid, Signal, kill_process};

use crate::kit::{Answer, Client, command::Typed, eventually, processes::wait_for_ends};

/// Does not get ready while there is a file `hold`, and crashes at `/die`.
const APP: &str = "
import os, time
from fastapi import FastAPI

while os.path.exists('hold'):
    time.sleep(0.02)

app = FastAPI()
app.get('/')(lambda: 'well')


@app.post('/die')
def die():
    os._exit(7)
";

fn hold(folder: &Path) {
    fs::write(folder.join("hold"), "").unwrap();
}

fn release(folder: &Path) {
    fs::remove_file(folder.join("hold")).unwrap();
}

fn get(address: SocketAddr, path: &str) -> Answer {
    Client::connect(address).get(path)
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (503, "app-unavailable"));
    assert_eq!(answer.header("retry-after"), Some("2"));
    assert_eq!(answer.json()["detail"], "The service is starting or restarting; try again shortly");
    assert_eq!(answer.header("connection"), None);
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn a_crash_is_told_and_survived() {
    let process = Typed::run(&[]).file("main.py", APP).start();
    let address = process.ready();
    assert_eq!(get(address, "/").json(), "well");

    hold(process.folder());
    let answer =
        Client::connect(address).ask("POST /die HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((answer.status, answer.code().as_str()), (502, "app-closed"));
    process.line("mantlet: main:app (FastAPI) crashed (exit status: 7); restarting it in 0.5 s");
    assert_unavailable(&get(address, "/"));

    release(process.folder());
    eventually("the app answers again", || (get(address, "/").status == 200).then_some(()));
    process.signal(Signal::INT);
    assert_eq!(process.wait().code, Some(0));
}

#[test]
fn clients_and_people_are_told_while_the_app_starts() {
    let typed = Typed::mantlet(["run", "main:app", "--listen", "unix:gate.sock"]).file("main.py", APP);
    hold(typed.folder());
    let process = typed.start();
    let socket = process.folder().join("gate.sock");
    // There is a moment between the file and the first connection that is accepted.
    eventually("the gate listens", || UnixStream::connect(&socket).ok());
    let mut client = Client::connect_unix(socket.to_str().unwrap());
    assert_unavailable(&client.get("/"));
    process.line("mantlet: waiting for main:app to get ready (3 s)");
    assert_unavailable(&client.get("/"));

    release(process.folder());
    assert_eq!(process.line("ready behind"), "mantlet: main:app (FastAPI) is ready behind unix:gate.sock");
    assert_eq!(client.get("/").json(), "well");
}

#[test]
fn workers_do_not_outlive_their_leader() {
    let process = Typed::run(&["--workers", "2"]).file("main.py", APP).start();
    let address = process.ready();
    let started = process.descendants();
    kill_process(Pid::from_raw(started[0].cast_signed()).unwrap(), Signal::KILL).unwrap();
    process.line("mantlet: main:app (FastAPI) crashed (signal: 9 (SIGKILL)); restarting it in 0.5 s");
    wait_for_ends(&started);
    eventually("the app answers again", || (get(address, "/").status == 200).then_some(()));
}

#[test]
fn pauses_between_crashes_grow() {
    let script = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen()\n\
                  s.accept()\nsys.exit(7)\n";
    let typed = Typed::run(&["--", "python", "server.py", "{socket}"]).file("server.py", script);
    let process = typed.start();
    process.line("restarting it in 2.0 s");
    // There is nothing to stop now, and nothing to wait for.
    process.signal(Signal::INT);
    let finished = process.wait();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let crashes: Vec<_> = finished.stderr.lines().filter(|line| line.contains("crashed")).collect();
    let expected: Vec<_> = ["0.5", "1.0", "2.0"]
        .map(|pause| format!("mantlet: python crashed (exit status: 7); restarting it in {pause} s"))
        .to_vec();
    assert_eq!(crashes, expected);
}
