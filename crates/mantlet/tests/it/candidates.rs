//! Secrets of an app that may be the key of its tokens: which of them the launcher finds, and how
//! it hands them over.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::Read,
    os::unix::{
        ffi::OsStrExt,
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    process::{Child, Command, Stdio},
};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;
use tempfile::TempDir;

use crate::kit::{Client, PATIENCE, app::apps, command::Typed, eventually, provided};

/// The launcher, with an app in a folder of its own, and a test in the place of the gate.
pub(crate) struct Launched {
    launcher: Child,
    folder: TempDir,
    gate: UnixListener,
}

/// Candidates by their values, which are not always text: a name, and whether keys have such names.
pub(crate) type Found = BTreeMap<Vec<u8>, (String, bool)>;

impl Launched {
    pub(crate) fn start(python: &OsStr, files: &[(&str, &[u8])]) -> Self {
        Self::start_with(python, "key.sock", files)
    }

    /// The same, with another socket for the launcher to connect to.
    fn start_with(python: &OsStr, socket: &str, files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        let gate = UnixListener::bind(folder.path().join("key.sock")).unwrap();
        let launcher = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../python/mantlet_inspector/launcher.py")
            .canonicalize()
            .unwrap();
        let launcher = Command::new(python)
            .arg(launcher)
            .args(["main:app", "--uds", "app.sock", "--candidates", socket])
            .current_dir(folder.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("TEST_JWT", "of a variable")
            .env(OsStr::from_bytes(b"ODD_\xff_KEY"), "of a variable whose name is not text")
            .env("TEST_PEM", "-----BEGIN PUBLIC KEY-----\\nYQ==\\n-----END PUBLIC KEY-----\\n")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self { launcher, folder, gate }
    }

    /// What the launcher sends.
    pub(crate) fn document(&self) -> Value {
        self.gate.set_nonblocking(true).unwrap();
        let (mut launcher, _) = eventually("the launcher connects", || self.gate.accept().ok());
        launcher.set_nonblocking(false).unwrap();
        launcher.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut document = vec![];
        launcher.read_to_end(&mut document).unwrap();
        serde_json::from_slice(&document).unwrap()
    }

    pub(crate) fn found(&self) -> Found {
        let document = self.document();
        let all = document["candidates"].as_array().unwrap().iter();
        let found: Found = all
            .map(|one| {
                let value = BASE64_STANDARD.decode(one["value"].as_str().unwrap()).unwrap();
                (value, (one["name"].as_str().unwrap().to_owned(), one["key"].as_bool().unwrap()))
            })
            .collect();
        assert_eq!(document["candidates"].as_array().unwrap().len(), found.len(), "a value is sent once");
        found
    }

    /// What the app itself answers, once it is served.
    fn ask(&self, path: &str) -> Value {
        let socket = self.folder.path().join("app.sock");
        eventually("the app is served", || UnixStream::connect(&socket).ok());
        Client::connect_unix(socket.to_str().unwrap()).get(path).json()
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        let _ = self.launcher.kill();
        let _ = self.launcher.wait();
    }
}

/// A key as its file has it. What is in it does not matter here.
const PEM: &[u8] = b"-----BEGIN PRIVATE KEY-----\nYWJj\n-----END PRIVATE KEY-----\n";

const VARIABLES: &[u8] = br#"
# SECRET=of a comment
PLAIN_SECRET=of a plain value   # a comment
export EXPORTED_KEY='of a value in quotes # and no comment'
TOKEN="of a value with\tescapes"
EMPTY=
HASH=of#a#value
JWT_KEY_FILE=keys/named.pem
LINES="first
second"
"#;

fn every_kind() -> Launched {
    let app = apps().join("candidates");
    let names = ["called.py", "config.py", "guards.py", "main.py"];
    let modules = names.map(|name| (name, fs::read(app.join(name)).unwrap()));
    let more: [(&str, &[u8]); 8] = [
        (".env", VARIABLES),
        (".env.local", b"LOCAL=of a second file"),
        ("config/settings.env", b"NAMED=of a file that settings name"),
        ("config/former.env", b"NAMED=of a file that former settings name"),
        ("config/secrets/docker_secret", b"of a folder of secrets\n"),
        ("keys/private.pem", PEM),
        ("keys/named.pem", b"# a comment\n"),
        ("keys/notes.pem", b"not a key"),
    ];
    let files: Vec<_> = modules.iter().map(|(name, text)| (*name, text.as_slice())).chain(more).collect();
    Launched::start(&provided("MANTLET_TEST_PACKAGES"), &files)
}

#[test]
fn secrets_of_all_kinds_are_found_and_nothing_of_the_app_is_called() {
    let launched = every_kind();
    let found = launched.found();
    let expected: [(&str, &str, bool); 42] = [
        // Variables, and files of variables.
        ("of a plain value", "PLAIN_SECRET in .env", true),
        ("of a value in quotes # and no comment", "EXPORTED_KEY in .env", true),
        ("of a value with\tescapes", "TOKEN in .env", true),
        ("of#a#value", "HASH in .env", false),
        ("first\nsecond", "LINES in .env", false),
        ("of a second file", "LOCAL in .env.local", false),
        ("of a file that settings name", "NAMED in config/settings.env", false),
        ("of a file that former settings name", "NAMED in config/former.env", false),
        ("of a folder of secrets", "docker_secret in config/secrets", true),
        ("of a variable", "the variable TEST_JWT", true),
        ("of a variable whose name is not text", "the variable ODD_\\udcff_KEY", true),
        ("of a variable that the app has set", "the variable LATE_TOKEN", true),
        // Modules, objects, classes.
        ("of a module", "SECRET_KEY in config", true),
        ("of Pydantic's secret", "HIDDEN in config", false),
        ("of Pydantic's secret bytes", "HIDDEN_BYTES in config", false),
        ("of a list in dicts", "NESTED['auth']['jwt'][0] in config", true),
        ("of a plain object", "PLAIN.token in config", true),
        ("of a dataclass", "HOLDER.salt in config", true),
        ("of a model", "Part.pepper in config", true),
        ("of a slot", "SLOTTED.secret in config", true),
        ("of a class", "Constants.SIGNING in config", true),
        ("of a class in a class", "Constants.Inner.SIGNING in config", true),
        ("of a field's default", "Settings.jwt_secret in config", true),
        ("of the former Pydantic", "Former.former_secret in config", true),
        ("of a cache", "get_settings().from_cache in config", false),
        ("of all objects", "Unreachable.token in config", true),
        // What would run if it were asked.
        ("of a hostile object", "HOSTILE.secret in config", true),
        ("of a hostile dict", "HOSTILE_DICT['key'] in config", true),
        ("of a hostile text", "HOSTILE_TEXT in config", false),
        ("of a hostile class", "HostileClass.KEY in config", true),
        // What the app calls, and how it is put together.
        ("of a middleware", "secret_key of SessionMiddleware", true),
        ("of the app's state", "app.state['signer']", true),
        ("of a literal", "a literal of get_current_user in guards", false),
        ("of a default", "a default of get_current_user in guards", false),
        ("of a closure", "secret of closed_over.<locals>.check in guards", true),
        ("of a partial", "partial.keywords['secret'] in main", true),
        ("of an object that is called", "Guard.secret in guards", true),
        ("of an object whose method is called", "Guard.secret in guards", true),
        ("of a strategy", "a literal of get_jwt_strategy in guards", false),
        ("of a method", "a literal of Service.encode in guards", false),
        // Keys of several lines.
        (str::from_utf8(PEM).unwrap(), "the file that KEY_FILE in config names", true),
        ("-----BEGIN PUBLIC KEY-----\nYQ==\n-----END PUBLIC KEY-----\n", "the variable TEST_PEM", true),
    ];
    for (value, name, is_key) in expected {
        assert_eq!(found.get(value.as_bytes()), Some(&(name.to_owned(), is_key)), "{value}");
    }
    assert_eq!(found.get(&b"\0raw bytes\xff"[..]), Some(&("RAW in config".to_owned(), false)));
    let public = found.iter().find(|(_, (name, _))| name == "private_key in main");
    assert!(public.unwrap().0.starts_with(b"-----BEGIN PUBLIC KEY-----"));

    let long = "x".repeat(8193);
    for absent in
        ["", "of a comment", "five steps away", "what has nothing to do with it", "not a key", &long]
    {
        assert_eq!(found.get(absent.as_bytes()), None, "{absent}");
    }
    let text = "of a literal";
    assert!(!found.values().any(|(name, _)| name.contains(text)), "a name never has a value in it");
    assert_eq!(launched.ask("/called"), serde_json::json!([]));
}

const TWO_LINES: &str = "from fastapi import FastAPI\napp = FastAPI()\n";

#[test]
fn of_many_values_those_that_are_named_like_keys_are_sent() {
    let many = "MANY = [f'value {n}' for n in range(5000)]\nSECRET = 'of a key'\n";
    let app = format!("{TWO_LINES}{many}");
    let launched = Launched::start(&provided("MANTLET_TEST_PYTHON"), &[("main.py", app.as_bytes())]);
    let found = launched.found();
    assert_eq!(found.len(), 2_000);
    assert_eq!(found.get(&b"of a key"[..]), Some(&("SECRET in main".to_owned(), true)));
}

/// The former name counts only if it, too, is that of a key.
#[test]
fn a_value_has_the_name_of_a_key_if_it_has_one() {
    let app = format!("{TWO_LINES}POSTGRES_PASSWORD = PEPPER = SALT = 'changethis'\n");
    let launched = Launched::start(&provided("MANTLET_TEST_PYTHON"), &[("main.py", app.as_bytes())]);
    assert_eq!(launched.found().get(&b"changethis"[..]), Some(&("PEPPER in main".to_owned(), true)));
}

#[test]
fn an_app_is_served_if_the_gate_does_not_listen_or_does_not_answer() {
    let app = format!("{TWO_LINES}@app.get('/')\ndef root(): return 1\n");
    for socket in ["nowhere.sock", "key.sock"] {
        let files = [("main.py", app.as_bytes())];
        let launched = Launched::start_with(&provided("MANTLET_TEST_PYTHON"), socket, &files);
        assert_eq!(launched.ask("/"), 1, "{socket}");
    }
}

/// An app in the place of its launcher, while it is served.
const TELLING: &str = "
import os, socket
from fastapi import FastAPI

app = FastAPI()
SECRET_KEY = 'a secret that stands in no file'


@app.get('/hand-over')
def hand_over():
    arguments = open('/proc/self/cmdline').read().split('\\0')
    path = arguments[arguments.index('--candidates') + 1]
    with socket.socket(socket.AF_UNIX) as gate:
        gate.settimeout(30)
        gate.connect(path)
        gate.sendall(b'{\"candidates\": []}')
        gate.shutdown(socket.SHUT_WR)
        return {'folder': os.path.dirname(path), 'answer': gate.recv(1).decode()}
";

fn files_in(folder: &Path, found: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_in(&path, found);
        } else if path.is_file() {
            found.push(fs::read(path).unwrap());
        }
    }
}

#[test]
fn the_gate_listens_while_the_app_runs_and_no_file_has_a_secret_in_it() {
    let process = Typed::run(&[]).file("main.py", TELLING).start();
    let address = process.ready();
    let told = Client::connect(address).get("/hand-over").json();
    assert_eq!(told["answer"], "", "{told}");
    let folder = Path::new(told["folder"].as_str().unwrap());
    assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    let mut files = vec![];
    files_in(folder, &mut files);
    files_in(&process.folder().join(".mantlet"), &mut files);
    assert!(files.len() > 30, "{}", files.len());
    let secret = b"a secret that stands in no file";
    assert!(!files.iter().any(|file| file.windows(secret.len()).any(|part| part == secret)));
    assert!(!process.stderr().contains("a secret that"));
}
