//! SIGHUP: another configuration for a gate that goes on.

use std::fs;

use rustix::process::Signal;

use crate::kit::{
    App, Client, Gateway, Setup,
    load::{Load, MANNERS},
    websocket::{TEXT, WebSocket},
};

const RELOADED: &str = "mantlet: configuration reloaded";
const REFUSED: &str = "the running one stays in force";

fn before_the_app(config: &str) -> Gateway {
    Setup::serve(&format!("unix:{}", App::shared().socket().display())).config(config).start()
}

#[test]
fn row_77_a_thousand_reloads_fail_no_request() {
    const RELOADS: usize = 1000;
    let gateway = before_the_app("");
    let load = Load::start(gateway.addr(), &MANNERS);
    let mut socket = WebSocket::open(gateway.addr(), "/ws");
    let mut events = Client::connect(gateway.addr());
    events.send("GET /sse?n=100000&interval=0.05 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(events.head().status, 200);
    let mut probe = Client::connect(gateway.addr());
    let in_force = |probe: &mut Client| probe.get("/").header("referrer-policy").map(str::to_owned);

    let (mut good, mut bad) = (0, 0);
    let mut expected = in_force(&mut probe);
    for number in 0..RELOADS {
        let policy = format!("no-referrer, policy-{number}");
        if number % 10 == 7 {
            let mistake = ["mod = \"off\"", "mode = \"of\"", "mode = ", "no-store = \"yes\""][bad % 4];
            gateway.reload(&format!("[headers]\nreferrer-policy = {policy:?}\n{mistake}\n"));
            bad += 1;
            gateway.wait_for(REFUSED, bad);
        } else {
            gateway.reload(&format!("[headers]\nreferrer-policy = {policy:?}\n"));
            good += 1;
            gateway.wait_for(RELOADED, good);
            expected = Some(policy);
        }
        if number % 50 == 0 {
            // The app pings, and would close if nobody ever read that.
            socket.echo(TEXT, b"still here");
        }
        // Whether the change came or was refused, and for connections that were there before.
        assert_eq!(in_force(&mut probe), expected, "reload {number}");
    }
    assert_eq!((good, bad), (900, 100));

    let tally = load.stop();
    println!("{tally:?}");
    assert!(tally.broken.is_empty() && tally.turned_away == 0, "{tally:?}");
    assert!(tally.answers.len() == 1 && tally.count("200") > RELOADS, "{tally:?}");
    socket.echo(TEXT, b"still here");
    assert!(events.chunk().is_some(), "the events go on");
    drop((socket, events));
    let end = gateway.end();
    assert_eq!(end.status.code(), Some(0));
    assert!(end.audit.is_empty(), "{:?}", end.audit);
}

#[test]
fn a_bad_file_is_refused_with_every_mistake() {
    let gateway = before_the_app("[limits]\nbody-size = \"1KiB\"\n");
    gateway.reload("[limits]\nbody-sise = \"1MiB\"\n[headers]\nmode = \"of\"\n");
    gateway.wait_for(REFUSED, 1);
    let said = gateway.stderr();
    let said = &said[said.find("mantlet: error").expect("an error")..];
    let (first, rest) = said.split_once('\n').unwrap();
    assert_eq!(first, "mantlet: error: 2 mistakes in the configuration; the running one stays in force");
    assert!(rest.contains("mantlet.toml:3: limits.body-sise: unknown key `body-sise`\n"), "{rest}");
    assert!(rest.contains("did you mean `body-size`?"), "{rest}");
    assert!(rest.contains("mantlet.toml:5: headers.mode: `of` is not one of"), "{rest}");
    let mut client = Client::connect(gateway.addr());
    client.send("POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n");
    assert_eq!(client.answer().status, 413);

    gateway.reload("[limits]\nbody-size = \"1MiB\"\n");
    gateway.wait_for(RELOADED, 1);
    let mut client = Client::connect(gateway.addr());
    client.send("POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n");
    client.send([b'b'; 2000]);
    assert_eq!(client.answer().json()["bytes"], 2000);
}

/// What cannot change while it runs stays as it is, and the person is told.
#[test]
fn what_needs_a_restart_is_named() {
    let gateway = before_the_app("");
    gateway.reload("listen = \"127.0.0.1:1\"\nthreads = 7\n");
    gateway.wait_for(
        "mantlet: configuration reloaded; changes to sockets, threads, the app, files and shutdown take effect \
         at the next start",
        1,
    );
    assert_eq!(Client::connect(gateway.addr()).get("/").status, 200);
}

/// As logrotate does it: the file is moved, then comes SIGHUP.
#[test]
fn the_audit_file_is_opened_anew() {
    let gateway = before_the_app("");
    let mut client = Client::connect(gateway.addr());
    let first = client.get("/%00").request_id().to_owned();
    gateway.audit_of(&first);
    let moved = gateway.audit_file().with_extension("1");
    fs::rename(gateway.audit_file(), &moved).unwrap();
    let second = client.get("/%00").request_id().to_owned();
    gateway.signal(Signal::HUP);
    gateway.wait_for(RELOADED, 1);
    let third = client.get("/%00").request_id().to_owned();
    gateway.audit_of(&third);

    let (old, new) = (fs::read_to_string(moved).unwrap(), fs::read_to_string(gateway.audit_file()).unwrap());
    let holds = |id: &str| (old.contains(id), new.contains(id));
    assert_eq!(holds(&first), (true, false));
    assert_ne!(holds(&second).0, holds(&second).1, "it is in one of the two");
    assert_eq!(holds(&third), (false, true));
    assert_eq!(crate::kit::processes::mode(gateway.audit_file()), 0o600);
}
