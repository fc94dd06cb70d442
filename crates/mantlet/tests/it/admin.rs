//! The admin socket: who may open it, what it says, and what is left behind.

use std::{fs, os::unix::net::UnixListener, path::Path};

use crate::kit::{
    Answer, Client, Setup,
    command::{THREE_LINES, Typed},
    processes::mode,
};

fn serve() -> Setup {
    Setup::serve("http://127.0.0.1:9")
}

fn ask(socket: &Path, request: &str) -> Answer {
    Client::connect_unix(socket.to_str().expect("text")).ask(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"))
}

#[test]
fn its_owner_alone_may_open_it_and_it_goes_with_mantlet() {
    let state = tempfile::tempdir().expect("a folder");
    let gateway = serve().state(state.path()).start();
    let socket = state.path().join("admin.sock");
    assert_eq!(mode(&socket), 0o600);
    let answer = ask(&socket, "GET /bans");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.json(), serde_json::json!({ "mode": "off", "throttle": "off", "bans": [] }));
    gateway.end();
    let left: Vec<_> = fs::read_dir(state.path()).expect("it is there").flatten().collect();
    assert!(left.iter().all(|entry| !entry.file_name().to_string_lossy().contains("admin")), "{left:?}");
}

#[test]
fn what_it_does_not_take_it_says() {
    let state = tempfile::tempdir().expect("a folder");
    let _gateway = serve().state(state.path()).config("[throttle.ban]\nmode = \"enforce\"\n").start();
    let socket = state.path().join("admin.sock");
    for (request, status, says) in [
        ("GET /", 404, "`/agreement`, `/bans`"),
        ("GET /bans/", 405, "accepts DELETE"),
        ("PUT /bans", 405, "accepts GET, DELETE"),
        ("GET /bans/203.0.113.7", 405, "accepts DELETE"),
        ("DELETE /bans/203.0.113.7", 404, "is not banned"),
        ("DELETE /bans/2001%3adb8%3a%3a1", 404, "`2001:db8::1` is not banned"),
        ("DELETE /bans/everybody", 400, "is not an address"),
    ] {
        let answer = ask(&socket, request);
        let error = answer.json()["error"].as_str().expect("an error").to_owned();
        assert_eq!(answer.status, status, "{request}: {error}");
        assert!(error.contains(says), "{request}: {error}");
        assert_eq!(answer.header("allow").is_some(), status == 405, "{request}");
    }
    // Larger than any question.
    let answer = ask(&socket, &format!("GET /bans/{}", "1".repeat(64 << 10)));
    assert!(matches!(answer.status, 414 | 431), "{answer:?}");
}

#[test]
fn whoever_says_nothing_keeps_nobody_out() {
    let state = tempfile::tempdir().expect("a folder");
    let _gateway = serve().state(state.path()).start();
    let socket = state.path().join("admin.sock");
    let text = socket.to_str().expect("text");
    // As many as may be there at once: they are cut off, and then it is the next one's turn.
    let mut silent: Vec<_> = (0..16).map(|_| Client::connect_unix(text)).collect();
    assert_eq!(ask(&socket, "GET /bans").status, 200);
    assert!(silent.iter_mut().all(Client::is_cut_off));
}

#[test]
fn what_a_dead_one_left_is_replaced_and_what_is_somebodys_is_not() {
    let state = tempfile::tempdir().expect("a folder");
    let socket = state.path().join("admin.sock");
    // A listener that is gone leaves its file.
    drop(UnixListener::bind(&socket).expect("a socket"));
    let first = serve().state(state.path()).start();
    assert_eq!(ask(&socket, "GET /bans").status, 200);
    // One that answers stays, and goes on answering when the second has gone.
    let second = serve().state(state.path()).start();
    assert!(second.stderr().contains("another Mantlet already serves it"), "{}", second.stderr());
    second.end();
    assert_eq!(ask(&socket, "GET /bans").status, 200);
    drop(first);
    fs::remove_file(&socket).expect("it was left");
    fs::write(&socket, "a file").expect("a file");
    let third = serve().state(state.path()).start();
    assert!(third.stderr().contains("there is a file that is not a socket"), "{}", third.stderr());
    third.end();
    assert_eq!(fs::read_to_string(&socket).expect("it is there"), "a file");
}

#[test]
fn a_folder_with_a_long_name_has_one_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("x".repeat(120));
    let gateway = serve().state(&state).start();
    let listed = gateway.tell(&["bans"]);
    assert_eq!((listed.code, listed.stderr.contains("bans are off")), (Some(0), true), "{}", listed.stderr);
}

#[test]
fn it_can_be_elsewhere_or_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("mantlet.sock");
    let gateway = serve().config(&format!("[admin]\nsocket = {socket:?}\n")).start();
    assert_eq!(ask(&socket, "GET /bans").status, 200);
    assert_eq!(gateway.tell(&["bans"]).code, Some(0));
    gateway.end();

    let gateway = serve().config("[admin]\nsocket = \"off\"\n").start();
    let listed = gateway.tell(&["bans"]);
    assert!(
        listed.code == Some(2) && listed.stderr.contains("switches the admin socket off"),
        "{}",
        listed.stderr
    );

    // One that was asked for must be there.
    let missing = Typed::mantlet(["serve", "--upstream", "http://127.0.0.1:9", "--openapi", "off"])
        .file("mantlet.toml", "listen = \"127.0.0.1:0\"\n[admin]\nsocket = \"nowhere/a.sock\"\n")
        .finish();
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("`nowhere/a.sock`: its folder does not exist"), "{}", missing.stderr);
}

#[test]
fn a_command_that_finds_nobody_says_what_to_do() {
    let alone = Typed::mantlet(["bans"]).finish();
    assert_eq!(alone.code, Some(1));
    let socket = alone.folder.path().join(".mantlet/admin.sock");
    let place = format!("no Mantlet answers at `{}`", socket.display());
    assert!(alone.stderr.contains(&place), "{}", alone.stderr);
    assert!(alone.stderr.contains("`--config`"), "{}", alone.stderr);
    // That is where it is if nobody says otherwise.
    let running = Typed::run(&[]).file("main.py", THREE_LINES).file("mantlet.toml", "").start();
    running.ready();
    let home = running.folder();
    assert_eq!(ask(&home.join(".mantlet/admin.sock"), "GET /bans").status, 200);
    // The configuration alone does not say where Mantlet was started.
    let file = home.join("mantlet.toml");
    let file = file.to_str().expect("text");
    let there = format!("run this in `{}`", home.display());
    for command in [&["sessions"][..], &["keys", "list"], &["keys", "create", "ci"]] {
        let typed = || Typed::mantlet(command).argument("--config").argument(file);
        let said = typed().finish();
        assert_eq!((said.code, said.stderr.contains(&there)), (Some(1), true), "{}", said.stderr);
        assert!(!said.folder.path().join(".mantlet").exists(), "no second folder");
        let said = typed().at(home).finish();
        assert_eq!(said.code, Some(0), "{}", said.stderr);
    }
}
