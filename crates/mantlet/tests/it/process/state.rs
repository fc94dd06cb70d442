//! The state folder and the private one: who else may have had a hand in them, and what is left behind.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::Path,
};

use rustix::process::Signal;

use crate::kit::{
    Client,
    command::{THREE_LINES, Typed},
    eventually,
    processes::{mode, wait_for_ends},
};

const TOKENS: &str = "[csrf.token]\nsession-cookies = [\"sid\"]\n";
const KEY: &str = "00000000000000000000000000000000000000000000000000000000000000ff\n";

fn planted(typed: &Typed, name: &str, text: &str, bits: u32) -> std::path::PathBuf {
    let path = typed.folder().join(".mantlet").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
    path
}

fn run() -> Typed {
    Typed::run(&[]).file("main.py", THREE_LINES).file("mantlet.toml", TOKENS)
}

#[test]
fn a_planted_key_is_refused_and_what_to_do_is_said() {
    for bits in [0o666, 0o644, 0o660, 0o640] {
        let typed = run();
        planted(&typed, "csrf-key", KEY, bits);
        let finished = typed.finish();
        assert_eq!(finished.code, Some(2), "{bits:o}: {}", finished.stderr);
        let says = format!(
            "csrf.token.key-file: `.mantlet/csrf-key` is not used: users other than its owner can read or write it (mode {bits:04o})\n    \
             remove `.mantlet/csrf-key`, or run `chmod 600 .mantlet/csrf-key` if you know that no other user has read or changed it"
        );
        assert!(finished.stderr.contains(&says), "{}", finished.stderr);
    }
    // As it would be made it is taken.
    let typed = run();
    planted(&typed, "csrf-key", KEY, 0o600);
    assert_eq!(Client::connect(typed.start().ready()).get("/").status, 200);
}

/// Only root can give a file to another user, and only then there is one to be refused.
#[test]
fn files_of_another_user_are_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for (name, text, says) in [
        (
            "csrf-key",
            KEY,
            "`.mantlet/csrf-key` is not used: it belongs to the user 12345, but Mantlet runs as the user 0",
        ),
        (
            "audit.jsonl",
            "",
            "the audit file `.mantlet/audit.jsonl` cannot be opened: it belongs to the user 12345",
        ),
    ] {
        let typed = run();
        let path = planted(&typed, name, text, 0o600);
        chown(&path, Some(12_345), None).unwrap();
        let finished = typed.finish();
        assert!(matches!(finished.code, Some(1 | 2)), "{name}: {}", finished.stderr);
        assert!(finished.stderr.contains(says), "{name}: {}", finished.stderr);
        assert!(finished.stderr.contains(&format!("chown 0 .mantlet/{name}")), "{name}: {}", finished.stderr);
    }
    // A folder of theirs is used, for what is in it is judged; that they could remove it is said.
    let typed = run();
    fs::create_dir(typed.folder().join(".mantlet")).unwrap();
    chown(typed.folder().join(".mantlet"), Some(12_345), None).unwrap();
    let process = typed.start();
    process.ready();
    process.line(
        "note: the user 12345 can remove the files that Mantlet keeps in `.mantlet`, including records",
    );
    let typed = run();
    let socket = planted(&typed, "admin.sock", "", 0o600);
    fs::remove_file(&socket).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    chown(&socket, Some(12_345), None).unwrap();
    let process = typed.start();
    process.line(
        "note: cannot open the admin socket `.mantlet/admin.sock`: the socket there belongs to the user 12345",
    );
}

#[test]
fn links_in_the_state_folder_are_not_followed() {
    let state = |typed: &Typed| {
        let folder = typed.folder().join(".mantlet");
        fs::create_dir(&folder).unwrap();
        folder
    };
    // One to nowhere, and one to a file that may not be written.
    for there in [false, true] {
        let typed = run();
        let target = typed.folder().join("target");
        if there {
            fs::write(&target, "as it was").unwrap();
        }
        symlink(&target, state(&typed).join("audit.jsonl")).unwrap();
        let finished = typed.finish();
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        let says = "the audit file `.mantlet/audit.jsonl` cannot be opened: it is a symbolic link, which Mantlet does not follow";
        assert!(finished.stderr.contains(says), "{}", finished.stderr);
        let folder = finished.folder.path();
        assert_eq!(fs::read_to_string(folder.join("target")).ok().as_deref(), there.then_some("as it was"));
    }
    // Neither the key nor what keeps git away.
    let typed = run();
    let (target, folder) = (typed.folder().join("target"), state(&typed));
    symlink(&target, folder.join(".gitignore")).unwrap();
    symlink(&target, folder.join("csrf-key")).unwrap();
    let finished = typed.finish();
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("`.mantlet/csrf-key` is not used: it is a symbolic link"),
        "{}",
        finished.stderr
    );
    assert!(!finished.folder.path().join("target").exists());
}

/// A link that a person has named is theirs.
#[test]
fn an_audit_file_may_be_what_a_person_names() {
    let typed = run();
    let target = typed.folder().join("target");
    symlink(&target, typed.folder().join("records")).unwrap();
    let process = typed.variable("MANTLET_AUDIT__FILE", "records").start();
    Client::connect(process.ready()).get("/%00");
    eventually("a record", || fs::read_to_string(&target).ok().filter(|text| text.ends_with('\n')));
    let process = run().variable("MANTLET_AUDIT__FILE", "/dev/stdout").start();
    Client::connect(process.ready()).get("/%00");
    eventually("a record", || process.stdout().contains("path-control-character").then_some(()));
}

#[test]
fn quotas_are_not_read_from_what_every_user_can_write() {
    let quota = "[[throttle.quota]]\nname = \"plan\"\nkey = [\"ip\"]\nday = 5\n";
    let typed = Typed::run(&[]).file("main.py", THREE_LINES).file("mantlet.toml", quota);
    planted(&typed, "quotas.jsonl", "", 0o666);
    let process = typed.start();
    process.ready();
    process.line("`.mantlet/quotas.jsonl` cannot be read: every user can write to it (mode 0666)");
}

#[test]
fn what_is_made_is_for_its_owner_alone() {
    let process = run().start();
    Client::connect(process.ready()).get("/%00");
    let state = process.folder().join(".mantlet");
    assert_eq!(mode(&state), 0o700);
    for name in ["csrf-key", "audit.jsonl", "admin.sock"] {
        assert_eq!(mode(state.join(name)), 0o600, "{name}");
    }
}

fn private_folders(place: &Path) -> usize {
    fs::read_dir(place).map_or(0, |entries| {
        entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("mantlet-")).count()
    })
}

/// After SIGKILL the app tidies up behind the gate; if it cannot, the next gate does.
#[test]
fn a_gate_that_is_killed_leaves_no_private_folder() {
    let process = Typed::run(&[]).file("main.py", THREE_LINES).start();
    process.ready();
    let started = process.descendants();
    assert_eq!(private_folders(process.runtime()), 1);
    process.signal(Signal::KILL);
    wait_for_ends(&started);
    let runtime = process.wait().runtime;
    assert_eq!(private_folders(runtime.path()), 0);

    let process = Typed::run(&[]).file("main.py", THREE_LINES).start();
    process.ready();
    for pid in process.descendants() {
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(pid.cast_signed()).unwrap(),
            Signal::STOP,
        )
        .unwrap();
    }
    let left = process.descendants();
    process.signal(Signal::KILL);
    for pid in &left {
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(pid.cast_signed()).unwrap(),
            Signal::KILL,
        )
        .unwrap();
    }
    wait_for_ends(&left);
    let runtime = process.wait().runtime;
    assert_eq!(private_folders(runtime.path()), 1);
    let next = Typed::run(&[]).file("main.py", THREE_LINES).variable("TMPDIR", runtime.path()).start();
    next.ready();
    assert_eq!(private_folders(runtime.path()), 1, "its own");
}

/// Where nothing can be made, or a socket's path would be too long, another place is found.
#[test]
fn another_place_is_found_for_the_private_folder() {
    let typed = Typed::run(&[]).file("main.py", THREE_LINES);
    let deep = typed.folder().join("d".repeat(100));
    fs::create_dir(&deep).unwrap();
    let process = typed.variable("TMPDIR", &deep).start();
    assert_eq!(Client::connect(process.ready()).get("/").status, 200);
    assert_eq!(private_folders(&deep), 0);
    let process = Typed::run(&[]).file("main.py", THREE_LINES).variable("TMPDIR", "/nowhere").start();
    assert_eq!(Client::connect(process.ready()).get("/").status, 200);
}
