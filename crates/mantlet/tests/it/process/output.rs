//! What the app prints: secrets are taken out of it, and all else is as without the gate.

use std::{
    fs::{self, File},
    io::Read,
    net::SocketAddr,
    path::Path,
    thread,
    time::Duration,
};

use rustix::io::ioctl_fionread;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::terminal::TERMINAL;
use crate::kit::{
    Answer, Client,
    command::{Process, Typed},
    eventually,
    processes::wait_for_ends,
};

/// Prints its secrets in all ways.
const APP: &str = r#"
import base64, contextlib, json, logging, os, subprocess, sys, urllib.parse
from fastapi import FastAPI

KEY, URL = os.environ["STRIPE_KEY"], os.environ["DATABASE_URL"]
logging.basicConfig(level=logging.INFO)
print("imported with", KEY, flush=True)


@contextlib.asynccontextmanager
async def lifespan(app):
    yield
    print("x" * 10_000, flush=True)
    with open("cleaned-up", "w") as file:
        file.write("yes")


app = FastAPI(lifespan=lifespan)


@app.get("/say")
def say():
    print("text", KEY, json.dumps({"key": KEY}), repr(KEY), flush=True)
    print("url", urllib.parse.quote(KEY, safe=""), "hex", KEY.encode().hex(), flush=True)
    print("base64", base64.b64encode(f"user:{KEY}:x".encode()).decode(), flush=True)
    logging.info("connecting to %s", URL)
    logging.info("other db: %s", "postgres://ann:pa55w0rd@other/db")
    middle = len(KEY) // 2
    os.write(1, f"split {KEY[:middle]}".encode())
    os.write(1, f"{KEY[middle:]} end\n".encode())
    for byte in f"bytes {KEY} end\n".encode():
        os.write(2, bytes([byte]))
    subprocess.run(["echo", "child", KEY])
    return "said"


@app.get("/fail")
def fail():
    raise RuntimeError(f"cannot use {KEY}")


@app.get("/read")
def read():
    print("now", open("key").read(), flush=True)


@app.get("/where")
def where():
    def size(file):
        return list(os.get_terminal_size(file)) if os.isatty(file) else None
    return [size(1), size(2)]


@app.get("/order")
def order():
    for number in range(500):
        os.write(1 + number % 2, f"line {number}\n".encode())


@app.get("/flood")
def flood():
    with open("written", "w") as file:
        for number in range(64):
            os.write(1, b"y" * 65_535 + b"\n")
            print(number + 1, file=file, flush=True)


app.get("/well")(lambda: "well")


@app.post("/die")
def die():
    os.write(1, b"last words " + KEY[:4].encode())
    os.write(1, KEY[4:].encode())
    os._exit(7)


@app.get("/leave-child")
def leave_child():
    return subprocess.Popen(["sleep", "1000"], start_new_session=True).pid
"#;

const KEY: &str = "mock-key/with\"quote+9";
const URL: &str = "postgres://shop:db-s3cret-word@db/shop";
const CONFIG: &str = "[app.env]\nSTRIPE_KEY = \"file:key\"\nDATABASE_URL = \"env:DB_ELSEWHERE\"\n";

fn with(typed: Typed) -> Typed {
    typed.file("main.py", APP).file("mantlet.toml", CONFIG).file("key", KEY).variable("DB_ELSEWHERE", URL)
}

fn get(address: SocketAddr, path: &str) -> Answer {
    Client::connect(address).get(path)
}

/// In a shell, which says where output goes.
fn in_shell(command: &str) -> Typed {
    let gate = format!("{} run --listen 127.0.0.1:0", env!("CARGO_BIN_EXE_mantlet"));
    with(Typed::mantlet(["-c", &command.replace("GATE", &gate)]).program("sh"))
}

/// Nothing of a secret is there, in no spelling, and what stands in its place is.
fn assert_scrubbed(text: &str) {
    for part in
        ["mock-key", "quote", "db-s3cret", "pa55w0rd", "6d6f636b", "bW9jay1r", "1vY2sta2", "tb2NrLWtl"]
    {
        assert!(!text.contains(part), "{part} is in\n{text}");
    }
    let key = "[secret app.env.STRIPE_KEY]";
    for line in [
        format!("imported with {key}"),
        format!("text {key} {{\"key\": \"{key}\"}} '{key}'"),
        format!("url {key} hex {key}"),
        "INFO:root:connecting to [secret app.env.DATABASE_URL]".to_owned(),
        "INFO:root:other db: postgres://ann:[password]@other/db".to_owned(),
        format!("split {key} end"),
        format!("bytes {key} end"),
        format!("child {key}"),
        format!("RuntimeError: cannot use {key}"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

fn say_all(address: SocketAddr) {
    assert_eq!(get(address, "/say").json(), "said");
    assert_eq!(get(address, "/fail").status, 500);
}

#[test]
fn secrets_do_not_reach_a_pipe() {
    let workers: [&[&str]; 3] =
        [&[], &["--workers", "2"], &["--", "uvicorn", "main:app", "--uds", "{socket}"]];
    for further in workers {
        let process = with(Typed::run(further)).start();
        say_all(process.ready());
        process.signal(Signal::INT);
        let finished = process.wait();
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert!(finished.stdout.contains("imported with [secret app.env.STRIPE_KEY]\n"));
        assert_scrubbed(&(finished.stdout + &finished.stderr));
    }
}

#[test]
fn secrets_do_not_reach_a_file_and_the_order_of_lines_is_kept() {
    let process = in_shell("exec GATE > log 2>&1").start();
    let log = process.folder().join("log");
    let text = || fs::read_to_string(&log).unwrap_or_default();
    let address = eventually("the gate is ready", || {
        text().lines().find_map(|line| line.split_once("ready behind http://")?.1.parse().ok())
    });
    say_all(address);
    get(address, "/order");
    process.signal(Signal::INT);
    let finished = process.wait();
    assert_eq!(finished.code, Some(0));
    let text = text();
    assert_scrubbed(&text);
    let numbers: Vec<usize> =
        text.lines().filter_map(|line| line.strip_prefix("line ")?.parse().ok()).collect();
    assert_eq!(numbers, (0..500).collect::<Vec<_>>());
}

fn in_terminal(config: &str) -> (Process, SocketAddr) {
    let arguments = ["terminal.py", env!("CARGO_BIN_EXE_mantlet"), "run", "--listen", "127.0.0.1:0"];
    let typed = Typed::mantlet(arguments).program("python").file("terminal.py", TERMINAL);
    let process = with(typed).file("mantlet.toml", &(CONFIG.to_owned() + config)).start();
    let address = process.ready();
    (process, address)
}

#[test]
fn secrets_do_not_reach_a_terminal_and_the_app_sees_one() {
    let (process, address) = in_terminal("");
    say_all(address);
    assert_eq!(get(address, "/where").json(), json!([[0, 0], [0, 0]]));
    process.signal(Signal::USR2);
    let resized = json!([[99, 33], [99, 33]]);
    eventually("the size is known", || (get(address, "/where").json() == resized).then_some(()));
    // Uvicorn colours its lines in a terminal.
    process.line("\u{1b}[32mINFO\u{1b}[0m");
    process.signal(Signal::INT);
    let finished = process.wait();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_scrubbed(&finished.stderr);
    assert!(!finished.stderr.contains("end of output"), "{}", finished.stderr);
    assert!(!finished.stderr.contains('\r'), "line ends are made once:\n{}", finished.stderr);
}

#[test]
fn a_terminal_may_be_spared_and_all_may() {
    let (process, address) = in_terminal("[app.output]\nscrub = \"logs\"\n");
    get(address, "/say");
    process.line(&format!("split {KEY} end"));
    let process = with(Typed::run(&[]))
        .file("mantlet.toml", &(CONFIG.to_owned() + "[app.output]\nscrub = \"off\"\n"))
        .start();
    get(process.ready(), "/say");
    process.line(&format!("bytes {KEY} end"));
}

#[test]
fn last_words_stand_before_what_is_said_of_a_crash_and_no_descriptor_is_lost() {
    let process = in_shell("exec GATE >&2").start();
    let address = process.ready();
    let gate = format!("/proc/{}/fd", process.pid());
    let open = || fs::read_dir(Path::new(&gate)).unwrap().count();
    let answers =
        || eventually("the app answers again", || (get(address, "/well").status == 200).then_some(()));
    let mut before = None;
    for crash in 1..=3 {
        let answer = Client::connect(address)
            .ask("POST /die HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(answer.status, 502);
        eventually("the crash is told", || {
            (process.stderr().matches("crashed (exit status: 7)").count() == crash).then_some(())
        });
        answers();
        before.get_or_insert_with(open);
    }
    // Connections to the app that was are closed in time.
    eventually("no descriptor is lost", || (Some(open()) <= before).then_some(()));
    let text = process.stderr();
    let before: Vec<&str> = text.split("crashed (exit status: 7)").take(3).collect();
    for part in before {
        let last = part.rsplit("last words ").next().unwrap();
        assert!(last.contains("[secret app.env.STRIPE_KEY]") && !last.contains("mock"), "{text}");
    }
}

/// A reader that does not read stops the app, as it would without the gate, and does not fill the gate's memory.
#[test]
fn a_slow_reader_slows_the_app_down() {
    let process = in_shell("mkfifo out && exec GATE > out").start();
    let fifo = process.folder().join("out");
    eventually("there is a pipe", || fifo.exists().then_some(()));
    let mut reader = File::open(&fifo).unwrap();
    let address = process.ready();
    let flood = thread::spawn(move || get(address, "/flood").status);
    let progress = process.folder().join("written");
    let written = || fs::read_to_string(&progress).unwrap_or_default().lines().count();
    eventually("the pipe is full", || (ioctl_fionread(&reader).unwrap() >= 60 << 10).then_some(()));
    for _ in 0..50 {
        // Two pipes, and what is carried at once: of 64 writes, few come through.
        assert!(written() <= 8);
        thread::sleep(Duration::from_millis(10));
    }
    let reading = thread::spawn(move || {
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap();
        String::from_utf8(text).unwrap().matches('y').count()
    });
    assert_eq!(flood.join().unwrap(), 200);
    assert_eq!(written(), 64);
    process.signal(Signal::INT);
    assert_eq!(process.wait().code, Some(0));
    assert_eq!(reading.join().unwrap(), 64 * 65_535);
}

/// What the app prints then is lost, but it does not fail.
#[test]
fn an_app_whose_gate_was_killed_cleans_up() {
    let process = with(Typed::run(&[])).start();
    let address = process.ready();
    assert_eq!(get(address, "/well").status, 200);
    let started = process.descendants();
    let folder = process.folder().to_owned();
    process.signal(Signal::KILL);
    wait_for_ends(&started);
    assert_eq!(fs::read_to_string(folder.join("cleaned-up")).unwrap(), "yes");
    drop(process);
}

#[test]
fn a_child_that_outlives_the_app_does_not_hold_up_the_end() {
    let process = with(Typed::run(&[])).start();
    let child = get(process.ready(), "/leave-child").json().as_i64().unwrap();
    process.signal(Signal::INT);
    let finished = process.wait();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stdout.contains(&"x".repeat(10_000)), "its last words are there");
    let child = Pid::from_raw(i32::try_from(child).unwrap()).unwrap();
    kill_process(child, Signal::KILL).expect("it has outlived the app");
}

#[test]
fn a_reader_that_leaves_does_not_stop_the_app() {
    let process = in_shell("GATE | head -n 1 >&2").start();
    let address = process.ready();
    process.line("imported with [secret app.env.STRIPE_KEY]");
    for _ in 0..3 {
        assert_eq!(get(address, "/say").json(), "said");
    }
    // The shell does not hand signals on.
    let started = process.descendants();
    for pid in &started {
        let _ = kill_process(Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap(), Signal::INT);
    }
    wait_for_ends(&started);
}

#[test]
fn a_new_secret_is_taken_out_after_a_reload_and_the_old_one_still_is() {
    let process = with(Typed::run(&[])).start();
    let address = process.ready();
    fs::write(process.folder().join("key"), "an0ther-key").unwrap();
    process.signal(Signal::HUP);
    process.line("configuration reloaded");
    get(address, "/read");
    get(address, "/say");
    eventually("both are taken out", || {
        let text = process.stdout();
        (text.contains("now [secret app.env.STRIPE_KEY]\n")
            && text.contains("split [secret app.env.STRIPE_KEY] end"))
        .then_some(())
    });
}

#[test]
fn an_import_is_scrubbed_too() {
    let app = APP.to_owned() + "\nraise RuntimeError(f'no {KEY}')\n";
    let said = with(Typed::mantlet(["contract", "main:app"])).file("main.py", &app).finish();
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    assert!(said.stderr.contains("imported with [secret app.env.STRIPE_KEY]\n"), "{}", said.stderr);
    assert!(said.stderr.contains("no [secret app.env.STRIPE_KEY]"), "{}", said.stderr);
    assert!(!said.stderr.contains("mock-key"), "{}", said.stderr);
}

#[test]
fn more_is_taken_out_by_a_line_of_configuration() {
    let app = "print('card 4111 1111 1111 1111 of C-12345678 at example.com, pin 1234', flush=True)\n"
        .to_owned()
        + crate::kit::command::THREE_LINES;
    let config = "[app.env]\nSITE = \"env:SITE\"\nPIN = \"env:PIN\"\n\
                  [app.output]\nnot-secret = [\"SITE\"]\ncards = true\n\
                  [app.output.patterns]\ncustomer = 'C-\\d{8}'\n";
    let process = Typed::run(&[])
        .file("main.py", &app)
        .file("mantlet.toml", config)
        .variable("SITE", "example.com")
        .variable("PIN", "1234")
        .start();
    process.ready();
    eventually("it is printed", || {
        process.stdout().contains("card [card] of [customer] at example.com, pin 1234").then_some(())
    });
    process.line("note: if the app prints `app.env.PIN`, that is not replaced");
}

#[test]
fn mistakes_are_said() {
    for (config, says) in [
        ("[app.output.patterns]\na = '('\n", "app.output.patterns.a"),
        ("[app.output]\nnot-secret = [\"SITE\"]\n", "`SITE` is not a variable of `[app.env]`"),
        ("[app.output]\nscrub = \"yes\"\n", "app.output.scrub"),
    ] {
        let said = Typed::run(&[]).file("main.py", "").file("mantlet.toml", config).finish();
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert!(said.stderr.contains(says), "{says} is not in\n{}", said.stderr);
    }
}
