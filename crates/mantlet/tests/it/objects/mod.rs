//! Whose object is it: the operations of two apps, asked by the owner, by others, by nobody, and for an id
//! that no object has.
//!
//! Neither app knows of Mantlet. The example shop is as careless as its README says. The workspace in
//! `tests/apps/objects` checks some objects and forgets others, as real apps do. Nothing there says which:
//! the tables say it. **A row with a `bare` and a `gated` line is a vulnerable operation. A row with `both`
//! is an operation that is right by itself.**
//!
//! The rules are those that Mantlet proposes: `mantlet objects accept 1 2 … --enforce` writes them, each by its
//! number, and nothing in them is changed. What they cannot know stands in a small file beside them (`shop.toml`,
//! `workspace.toml`), and a row that needs it has an `accepted` line: what the proposals alone do.

mod absent;
mod matrix;
mod shop;
mod table;
mod time;
mod workspace;

use std::{cell::Cell, collections::BTreeMap, fs, net::SocketAddr, path::Path};

use serde_json::Value;
use tempfile::TempDir;

use self::table::Request;
use crate::kit::{Answer, App, Client, Gateway, Setup, eventually, provided};

/// An app with objects that belong to users.
struct Subject {
    /// The variable that names an interpreter with its packages.
    python: &'static str,
    /// Copies the app into a folder, where it keeps its data.
    copy: fn(&Path),
    /// `module:app`.
    entry: &'static str,
    /// Its operations: see [`table`].
    table: &'static str,
    /// The user name and the password of one of [`NAMES`].
    account: fn(&str) -> [String; 2],
    /// Where clients log in.
    login: &'static str,
    /// What has to be there before the first request, beside what the app brings.
    prepare: fn(&Clients),
    /// Has the owner make an object of this name.
    make: fn(&Clients, &str) -> Object,
    /// An id that no object has.
    absent: fn() -> String,
    /// What an operator adds to the proposed rules.
    by_hand: &'static str,
}

/// The owner, another user (of the same organisation, where there are any), a member of another
/// organisation, and an administrator.
const NAMES: [&str; 4] = ["ann", "bob", "cora", "root"];

/// An object that was made for one cell of a table.
struct Object {
    id: String,
    /// A text that only answers with the object have.
    secret: String,
    /// A path where the owner sees whether the object has changed.
    seen_at: String,
}

/// The users of an app at one address.
struct Clients {
    address: SocketAddr,
    /// Of those who are logged in.
    tokens: BTreeMap<&'static str, String>,
    /// How many secrets there are.
    secrets: Cell<usize>,
}

/// One of them; nobody without a token.
struct Caller<'a> {
    address: SocketAddr,
    token: Option<&'a str>,
}

impl Subject {
    /// A copy of the app in a folder of its own.
    fn home(&self) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        (self.copy)(folder.path());
        folder
    }

    /// The app alone.
    fn bare(&self, home: &TempDir) -> (App, SocketAddr) {
        App::of_folder(&provided(self.python), home.path(), self.entry)
    }

    /// The app behind the gate, with these rules, and its folder.
    fn gated(&self, rules: &str) -> (TempDir, Gateway) {
        let home = self.home();
        let setup = Setup::run_with(provided(self.python), self.entry).in_folder(home.path());
        (home, setup.config(rules).start())
    }

    /// The numbers of the rules that are proposed for it, once the contract is in force.
    fn proposed(gateway: &Gateway) -> Vec<String> {
        let listed = eventually("the contract is in force", || {
            let said = gateway.tell(&["objects", "--json"]);
            let listed: Value = serde_json::from_str(&said.stdout).expect("JSON");
            Some(listed).filter(|listed| listed["contract"] == true)
        });
        let rules = listed["objects"].as_array().expect("rules");
        rules.iter().map(|rule| rule["rule"].as_str().expect("a number").to_owned()).collect()
    }

    /// The rules that are proposed for it, as the command writes them: those with a doubt are enforced only by
    /// their numbers.
    fn accepted(&self) -> String {
        let (_home, gateway) = self.gated("");
        let numbers = Self::proposed(&gateway);
        let numbers: Vec<_> = numbers.iter().map(String::as_str).collect();
        let file = || fs::read_to_string(gateway.config_file()).expect("the configuration");
        let before = file();
        let said = gateway.tell(&[&["objects", "accept"], &*numbers, &["--enforce"]].concat());
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        file().strip_prefix(&before).expect("rules are added at the end").to_owned()
    }

    /// Logs all in.
    fn clients(&self, address: SocketAddr) -> Clients {
        let mut clients = Clients { address, tokens: BTreeMap::new(), secrets: Cell::default() };
        (self.prepare)(&clients);
        for name in NAMES {
            let [username, password] = (self.account)(name);
            let form = format!("username={username}&password={password}");
            let answer = clients.nobody().ask(&Request::post(self.login).form(&form));
            assert_eq!(answer.status, 200, "{name}: {answer:?}");
            clients.tokens.insert(name, answer.json()["access_token"].as_str().expect("a token").to_owned());
        }
        clients
    }
}

impl Clients {
    fn nobody(&self) -> Caller<'_> {
        Caller { address: self.address, token: None }
    }

    fn named(&self, name: &str) -> Caller<'_> {
        Caller { address: self.address, token: Some(&self.tokens[name]) }
    }

    fn owner(&self) -> Caller<'_> {
        self.named("ann")
    }

    /// A text that nothing else has: the same in each run of a table.
    fn secret(&self) -> String {
        self.secrets.set(self.secrets.get() + 1);
        format!("secret-{:04}-of-ann", self.secrets.get())
    }
}

/// A random one (RFC 9562).
fn uuid() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("random bytes");
    let number = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{number:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

impl Caller<'_> {
    fn ask(&self, request: &Request) -> Answer {
        let mut client = Client::connect(self.address);
        self.ask_on(&mut client, request)
    }

    /// Asks on a connection that is there.
    fn ask_on(&self, client: &mut Client, request: &Request) -> Answer {
        let token = self.token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        client.send(request.text(self.address, &token));
        match &*request.method {
            "HEAD" => client.answer_to_head(),
            // Of an endless answer only the head.
            _ if request.is_endless => client.head(),
            _ => client.answer(),
        }
    }

    /// What it is told of a path: the status, and the body.
    fn get(&self, target: &str) -> (u16, String) {
        let answer = self.ask(&Request::get(target));
        (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Creates something and returns what the app says of it.
    fn create(&self, request: &Request) -> Value {
        let answer = self.ask(request);
        assert_eq!(answer.status, 201, "{}: {answer:?}", request.target);
        answer.json()
    }

    fn has_no_content(&self, request: &Request) {
        let answer = self.ask(request);
        assert_eq!(answer.status, 204, "{}: {answer:?}", request.target);
    }
}
