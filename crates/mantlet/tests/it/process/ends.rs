//! How it ends: asked to, asked twice, killed, or left by the app.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::kit::{
    Client,
    command::{Process, THREE_LINES, Typed},
    eventually,
    processes::wait_for_ends,
};

/// Answers never at `/hang`, says when it is asked, and ends with success at `/quit`.
const APP: &str = "
import asyncio, os, signal, sys
from fastapi import FastAPI

app = FastAPI()
signal.signal(signal.SIGUSR1, lambda *_: print('the app got a signal', file=sys.stderr))


@app.get('/')
def root():
    return {}


@app.get('/hang')
async def hang():
    print('the app hangs', file=sys.stderr)
    await asyncio.sleep(3600)


@app.get('/quit')
def quit():
    os._exit(0)
";

fn hanging() -> (Process, Client) {
    let process = Typed::run(&[]).file("main.py", APP).start();
    let mut client = Client::connect(process.ready());
    client.send("GET /hang HTTP/1.1\r\nHost: localhost\r\n\r\n");
    process.line("the app hangs");
    (process, client)
}

#[test]
fn a_signal_ends_it_and_the_app_cleanly() {
    for signal in [Signal::INT, Signal::TERM] {
        let process = Typed::run(&[]).file("main.py", THREE_LINES).start();
        assert_eq!(Client::connect(process.ready()).get("/").status, 200);
        let started = process.descendants();
        process.signal(signal);
        let finished = process.wait();
        assert_eq!(finished.code, Some(0), "{signal:?}: {}", finished.stderr);
        assert!(
            finished.stderr.contains("Application shutdown complete."),
            "{signal:?}: {}",
            finished.stderr
        );
        wait_for_ends(&started);
        assert_eq!(finished.runtime.path().read_dir().unwrap().count(), 0, "the private folder is gone");
    }
}

#[test]
fn a_second_interrupt_stops_at_once() {
    let (process, mut client) = hanging();
    let started = process.descendants();
    process.signal(Signal::INT);
    process.line("mantlet: stopping: 1 request under way may take up to 30 s; interrupt again to stop now");
    process.signal(Signal::INT);
    let asked = Instant::now();
    let finished = process.wait();
    // Sooner than an app would be killed that does not stop by itself.
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert!(finished.stderr.ends_with("mantlet: stopping now"), "{}", finished.stderr);
    assert!(client.is_cut_off());
    wait_for_ends(&started);
    assert_eq!(finished.runtime.path().read_dir().unwrap().count(), 0, "the private folder is gone");
}

#[test]
fn an_app_does_not_outlive_a_gate_that_is_killed() {
    for workers in ["1", "2"] {
        let process = Typed::run(&["--workers", workers]).file("main.py", THREE_LINES).start();
        process.ready();
        let started = process.descendants();
        process.signal(Signal::KILL);
        wait_for_ends(&started);
        assert_eq!(process.wait().code, None);
    }
}

#[test]
fn an_app_that_ends_by_itself_ends_the_gate() {
    let process = Typed::run(&[]).file("main.py", APP).start();
    let answer = Client::connect(process.ready()).get("/quit");
    assert_eq!((answer.status, answer.code().as_str()), (502, "app-closed"));
    let finished = process.wait();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let says = "mantlet: main:app (FastAPI) ended (exit status: 0)";
    assert!(finished.stderr.lines().any(|line| line == says), "{}", finished.stderr);
}

#[test]
fn other_signals_reach_the_app() {
    let process = Typed::run(&[]).file("main.py", APP).start();
    process.ready();
    process.signal(Signal::USR1);
    process.line("the app got a signal");
    process.signal(Signal::INT);
    assert_eq!(process.wait().code, Some(0));
}

/// Those who ask for the state of things before the end get an answer, not a closed door.
#[test]
fn what_is_under_way_may_finish() {
    let slow = "import asyncio, sys\nfrom fastapi import FastAPI\napp = FastAPI()\ngate = asyncio.Event()\n\
                @app.get('/wait')\nasync def wait():\n    print('the app waits', file=sys.stderr)\n    \
                await gate.wait()\n    return 'done'\n\
                @app.get('/open')\nasync def open():\n    gate.set()\n    return 'opened'\n";
    let process = Typed::run(&[]).file("main.py", slow).start();
    let address = process.ready();
    let mut waiting = Client::connect(address);
    waiting.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
    process.line("the app waits");
    process.signal(Signal::TERM);
    process.line("mantlet: stopping: 1 request under way may take up to 30 s; interrupt again to stop now");
    // New connections are not refused while something is under way, but each is told to go.
    let opened = eventually("a new connection is served", || Some(Client::connect(address).get("/open")));
    assert_eq!((opened.status, opened.header("connection")), (200, Some("close")));
    let answer = waiting.answer();
    assert_eq!(
        (answer.status, answer.json(), answer.header("connection")),
        (200, "done".into(), Some("close"))
    );
    assert_eq!(process.wait().code, Some(0));
}

/// With streams of events open, which have no end, it ends as soon as it does without: `docker stop` waits for ten seconds.
#[test]
fn streams_of_events_are_not_waited_for() {
    let events = "import asyncio\nfrom fastapi import FastAPI\nfrom fastapi.responses import StreamingResponse\n\
                  app = FastAPI()\n\
                  async def events(pause):\n    yield 'data: first\\n\\n'\n    while True:\n        \
                  await asyncio.sleep(pause)\n        yield 'data: tick\\n\\n'\n\
                  @app.get('/events')\nasync def stream(pause: float):\n    \
                  return StreamingResponse(events(pause), media_type='text/event-stream')\n\
                  @app.post('/words')\nasync def words():\n    \
                  async def all():\n        yield 'data: one\\n\\n'\n        await asyncio.sleep(1)\n        \
                  yield 'data: two\\n\\n'\n    \
                  return StreamingResponse(all(), media_type='text/event-stream')\n";
    let process = Typed::run(&[]).file("main.py", events).start();
    let address = process.ready();
    let mut streams = ["0.05", "3600"].map(|pause| {
        let mut client = Client::connect(address);
        client.send(format!("GET /events?pause={pause} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert_eq!(client.head().status, 200);
        assert_eq!(client.chunk().as_deref(), Some(&b"data: first\n\n"[..]));
        client
    });
    // What was asked for with POST has an end, and is waited for.
    let mut words = Client::connect(address);
    words.send("POST /words HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(words.head().status, 200);
    assert_eq!(words.chunk().as_deref(), Some(&b"data: one\n\n"[..]));
    process.signal(Signal::TERM);
    let asked = Instant::now();
    process.line("mantlet: stopping: 1 request under way may take up to 30 s; interrupt again to stop now");
    assert_eq!(words.chunk().as_deref(), Some(&b"data: two\n\n"[..]));
    assert_eq!(words.chunk(), None);
    for client in &mut streams {
        // Each ends in order, as if the app had ended it.
        while client.chunk().is_some() {}
    }
    let finished = process.wait();
    // Less than a third of the time that is given to requests; docker kills after ten seconds.
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stderr.contains("Application shutdown complete."), "{}", finished.stderr);
}

/// A stream without an end is cut off when its time is over, and the app still ends in order.
#[test]
fn an_endless_stream_does_not_hold_up_the_app() {
    let endless = "import asyncio\nfrom fastapi import FastAPI\nfrom fastapi.responses import StreamingResponse\n\
                   app = FastAPI()\n\
                   async def events():\n    while True:\n        yield 'data: tick\\n\\n'\n        \
                   await asyncio.sleep(0.1)\n\
                   @app.get('/')\nasync def stream():\n    \
                   return StreamingResponse(events(), media_type='text/event-stream')\n";
    let typed = Typed::run(&[]).file("main.py", endless).file("mantlet.toml", "shutdown.drain = \"1s\"\n");
    let process = typed.start();
    let mut client = Client::connect(process.ready());
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.head().status, 200);
    process.signal(Signal::TERM);
    let finished = process.wait();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stderr.contains("Application shutdown complete."), "{}", finished.stderr);
}
