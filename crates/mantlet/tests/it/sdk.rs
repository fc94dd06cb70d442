//! The Python package `mantlet`: behind the real gate, in front of a real PostgreSQL.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::kit::{
    Answer, Client,
    command::{Process, Typed},
    eventually,
    postgres::Postgres,
    provided,
};

const CONFIG: &str = "[authentication]\nprincipal-header = \"X-Mantlet-Principal\"\n\
                      principal-attributes = [\"role\", \"absent\"]\n";

const TABLES: &str =
    "CREATE ROLE app LOGIN; CREATE ROLE owner LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO owner;";

const ROWS: &str = "CREATE TABLE users (id text PRIMARY KEY);
    CREATE TABLE notes (id integer PRIMARY KEY, author_id text NOT NULL REFERENCES users, text text NOT NULL);
    INSERT INTO users VALUES ('ann'), ('bob');
    INSERT INTO notes VALUES (1, 'ann', 'ann: hello'), (2, 'bob', 'bob: secret'), (3, 'ann', 'ann: bye');
    GRANT ALL ON users, notes TO app;";

fn python_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python").canonicalize().expect("the Python code")
}

fn database() -> Postgres {
    let database = Postgres::start();
    database.tell("postgres", TABLES);
    database.tell("owner", ROWS);
    database
}

/// A command about the app of notes, which connects to the database as this user.
fn typed(arguments: &[&str], database: &Postgres, user: &str) -> Typed {
    let python = provided("MANTLET_TEST_SDK").into_string().expect("text");
    Typed::mantlet(arguments.iter().copied().chain(["--python", &python]))
        .app("scoped.py")
        .file("mantlet.toml", CONFIG)
        .variable("PYTHONPATH", python_folder())
        .variable("DATABASE_URL", format!("{user}@/postgres?host={}", database.folder().display()))
}

fn run(database: &Postgres) -> Typed {
    typed(&["run", "scoped:app", "--listen", "127.0.0.1:0"], database, "app")
}

/// The token of a user who logs in.
fn log_in(process: &Process, user: &str) -> String {
    let body = format!("username={user}&password=drawbridge");
    let answer = Client::connect(process.ready()).ask(format!(
        "POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["access_token"].as_str().expect("a token").to_owned()
}

fn ask(process: &Process, token: &str, line: &str, lines: &str) -> Answer {
    let credential =
        if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let length = if line.starts_with("POST") { "Content-Length: 0\r\n" } else { "" };
    Client::connect(process.ready())
        .ask(format!("{line} HTTP/1.1\r\nHost: a\r\n{credential}{length}{lines}\r\n"))
}

fn get(process: &Process, token: &str, path: &str) -> Value {
    let answer = ask(process, token, &format!("GET {path}"), "");
    if answer.status == 200 { answer.json() } else { json!(answer.status) }
}

#[test]
fn the_package_passes_its_own_tests() {
    passes_its_own_tests("MANTLET_TEST_SDK", &[]);
}

mod oldest {
    /// Of the databases the one in a file alone: what differs between versions is what becomes of a statement.
    #[test]
    fn the_package_passes_its_own_tests_on_the_oldest_sqlalchemy() {
        super::passes_its_own_tests("MANTLET_TEST_OLDEST_SDK", &["-k", "not aiosqlite and not postgresql"]);
    }
}

fn passes_its_own_tests(python: &str, chosen: &[&str]) {
    let database = Postgres::start();
    let mut pytest = Command::new(provided(python));
    pytest
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "faulthandler_timeout=120", "tests"])
        .args(chosen)
        .current_dir(python_folder());
    pytest.env("PYTHONPATH", python_folder()).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = pytest.env("MANTLET_TEST_POSTGRES", database.folder()).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let tail: String = said.chars().rev().take(20_000).collect::<Vec<_>>().into_iter().rev().collect();
    assert!(output.status.success() && said.contains(" passed"), "{tail}");
}

#[test]
fn each_caller_sees_its_own_rows_alone() {
    let database = database();
    let process = run(&database).start();
    let [ann, bob] = ["ann", "bob"].map(|user| log_in(&process, user));
    for path in ["/notes", "/async/notes"] {
        assert_eq!(get(&process, &ann, path), json!(["ann: hello", "ann: bye"]));
        assert_eq!(get(&process, &bob, path), json!(["bob: secret"]));
        assert_eq!(get(&process, "", path), json!([]), "an anonymous caller owns nothing");
    }
    assert_eq!(get(&process, &ann, "/notes/1"), json!("ann: hello"));
    assert_eq!(get(&process, &ann, "/notes/2"), json!(404));
    assert_eq!(get(&process, &bob, "/notes/2"), json!("bob: secret"));
    for path in ["/commits", "/async/commits"] {
        assert_eq!(get(&process, &ann, path), json!([2, 2, 2]));
        assert_eq!(get(&process, &bob, path), json!([1, 1, 1]));
    }
    let of_ann = json!({ "iss": "app", "sub": "ann", "role": "role of ann" });
    assert_eq!(get(&process, &ann, "/caller"), of_ann);
    assert_eq!(get(&process, "", "/caller"), json!(401));

    // What is written has to be the caller's own, and text cannot be scoped.
    assert_eq!(ask(&process, &ann, "POST /notes?number=4&author=ann", "").status, 200);
    assert_eq!(ask(&process, &ann, "POST /notes?number=5&author=bob", "").status, 500);
    assert_eq!(get(&process, &ann, "/text"), json!(500));
    assert_eq!(get(&process, &ann, "/all"), json!(4));
    process.line("queries see all rows: a count for the front page (caller: app|ann)");
    process.line("NotScopable: SQL as text names `notes`");
    assert_eq!(database.tell("postgres", "SELECT count(*) FROM notes"), "4");

    // Background tasks know who has asked for them.
    get(&process, &ann, "/later");
    get(&process, &bob, "/later");
    eventually("both have run", || {
        let known = get(&process, "", "/later");
        let known = known.as_array()?;
        (known.contains(&json!("ann")) && known.contains(&json!("bob"))).then_some(())
    });

    // It is read as it was without the middleware: what the contract says is enforced.
    assert_eq!(get(&process, &ann, "/notes/two"), json!(422));
    process.signal(Signal::INT);
    assert_eq!(process.wait().code, Some(0));
}

#[test]
fn a_caller_that_the_gate_has_not_named_is_refused() {
    let database = database();
    let process = run(&database).start();
    let ann = log_in(&process, "ann");
    let named = "X-Mantlet-Principal: {\"iss\":\"app\",\"sub\":\"bob\"}\r\n";
    let signed = "X-Mantlet-Principal-Signature: t=1800000000,v1=AAAA\r\n";
    let spelled = "x_mantlet_principal: {\"iss\":\"app\",\"sub\":\"bob\"}\r\n";
    for lines in [named, spelled, &format!("{named}{signed}"), signed] {
        let answer = ask(&process, &ann, "GET /notes", lines);
        assert_eq!(
            answer.json(),
            json!(["ann: hello", "ann: bye"]),
            "through the gate nothing of it arrives"
        );
        assert_eq!(ask(&process, "", "GET /notes", lines).json(), json!([]));
    }
    // An attacker who reaches the app past the gate.
    let socket = find_socket(process.runtime()).expect("the app's socket");
    for lines in [named, &format!("{named}{signed}"), signed, &format!("{named}{named}{signed}")] {
        for path in ["/notes", "/async/notes", "/caller"] {
            let mut client = Client::connect_unix(socket.to_str().expect("text"));
            let answer = client.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
            assert_eq!(answer.status, 500, "{lines}");
        }
    }
    process.line("PrincipalError: the caller is not known: ");
    process.signal(Signal::INT);
    assert_eq!(process.wait().code, Some(0));
}

/// The app's socket, in a private folder.
fn find_socket(folder: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::FileTypeExt;
    let entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let found: Vec<_> =
        entries.filter_map(|path| if path.is_dir() { find_socket(&path) } else { Some(path) }).collect();
    found.into_iter().find(|path| {
        let is_socket = fs::metadata(path).is_ok_and(|found| found.file_type().is_socket());
        is_socket && path.file_name().is_some_and(|name| name.to_string_lossy().contains("app"))
    })
}

#[test]
fn the_database_itself_shows_each_caller_its_own_rows() {
    let database = database();
    // Before it is in force the app does not start.
    let refused = run(&database).variable("ROW_SECURITY", "1").finish();
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("notes: ROW LEVEL SECURITY is not enabled"), "{}", refused.stderr);
    assert!(refused.stderr.contains("run the SQL that `mantlet rls` prints"), "{}", refused.stderr);

    let printed = typed(&["rls", "scoped:app"], &database, "app").finish();
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert!(printed.stdout.contains("FORCE ROW LEVEL SECURITY"), "{}", printed.stdout);
    for _ in 0..2 {
        database.tell("owner", &printed.stdout);
    }
    let process = run(&database).variable("ROW_SECURITY", "1").start();
    let [ann, bob] = ["ann", "bob"].map(|user| log_in(&process, user));
    for _ in 0..2 {
        for (token, counted) in [(&*ann, 2), (&bob, 1), ("", 0)] {
            for path in ["/commits", "/async/commits"] {
                assert_eq!(get(&process, token, path), json!([counted, counted, counted]));
            }
            // Text that is not scoped sees what the policies show; the engine tells no caller.
            assert_eq!(get(&process, token, "/all"), json!(counted));
            assert_eq!(get(&process, token, "/engine"), json!(0));
        }
    }
    assert_eq!(ask(&process, &ann, "POST /notes?number=4&author=ann", "").status, 200);
    assert_eq!(database.tell("owner", "SELECT count(*) FROM notes"), "0", "they hold for the owner, too");
    process.signal(Signal::INT);
    assert_eq!(process.wait().code, Some(0));

    for (user, change, why) in [
        (
            "postgres",
            "",
            "row level security does not hold for the role `postgres`, because it is a superuser",
        ),
        ("app", "ALTER ROLE app BYPASSRLS", "because it has BYPASSRLS"),
        ("owner", "ALTER TABLE notes NO FORCE ROW LEVEL SECURITY", "the role `owner` owns it, and FORCE"),
    ] {
        if !change.is_empty() {
            database.tell("postgres", change);
        }
        let refused = typed(&["run", "scoped:app", "--listen", "127.0.0.1:0"], &database, user)
            .variable("ROW_SECURITY", "1")
            .finish();
        assert_ne!(refused.code, Some(0), "{user}");
        assert!(refused.stderr.contains(why), "{user}: {}", refused.stderr);
    }
}

#[test]
fn an_app_without_a_scope_has_no_policies() {
    let database = database();
    let typed = typed(&["rls", "main:app"], &database, "app")
        .file("main.py", "from fastapi import FastAPI\napp = FastAPI()\n");
    let refused = typed.finish();
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("`main:app` does not call `mantlet.scope`"), "{}", refused.stderr);
    assert_eq!(refused.stdout, "");
}
