//! The review of a running app: what it finds in apps that are careless on purpose, that it finds nothing in one that is
//! sound, and that it leaves nothing behind.
//!
//! The lists are what was planted: an operation, and the rule that it breaks.

use std::{
    cell::Cell,
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use mantlet_contract::model::Contract;
use mantlet_review::{
    Level, Owasp, Review,
    client::{Client, Target},
    live::{self, Facts, Identity, Options},
    review::{Outcome, Row},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    identity,
    kit::{
        self, App,
        app::apps,
        command::{Typed, copy_shop, with_path},
        provided,
    },
};

/// An app that runs, and its contract.
struct Subject {
    contract: Contract,
    address: SocketAddr,
    _app: App,
    _home: TempDir,
}

/// What a review may do, and when it is ended.
struct Ask {
    identities: Vec<Identity>,
    writes: bool,
    /// So many requests are let through.
    most: usize,
}

impl Subject {
    /// The contract is that of one app; another one, which may have more, is served.
    fn new(python: &str, copy: impl Fn(&Path), read: &str, served: &str) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        copy(home.path());
        let python = provided(python);
        let environment =
            Path::new(&python).parent().and_then(Path::parent).expect("ENVIRONMENT/bin/python").to_owned();
        let said = Typed::mantlet(["contract", read])
            .variable("PATH", with_path(&environment.join("bin")))
            .variable("VIRTUAL_ENV", environment)
            .at(home.path())
            .finish();
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let contract = serde_json::from_str(&said.stdout).expect("a contract");
        let (app, address) = App::of_folder(&python, home.path(), served);
        Self { contract, address, _app: app, _home: home }
    }

    fn small(read: &str, served: &str) -> Self {
        let copy = |folder: &Path| {
            for entry in fs::read_dir(apps().join("review")).expect("apps") {
                let path = entry.expect("a file").path();
                if path.extension().is_some_and(|kind| kind == "py") {
                    fs::copy(&path, folder.join(path.file_name().expect("a name"))).expect("a copy");
                }
            }
        };
        Self::new("MANTLET_TEST_PYTHON", copy, read, served)
    }

    fn review(&self, ask: Ask) -> (Review, usize) {
        let mut review = Review::default();
        let asked = AtomicUsize::new(0);
        let is_over = || asked.fetch_add(1, Relaxed) >= ask.most;
        let target = Target::read(&format!("http://{}", self.address)).expect("an address");
        let options = Options {
            identities: ask.identities,
            writes: ask.writes,
            secrets: Vec::new(),
            is_over: &is_over,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let facts = Facts { contract: &self.contract };
        runtime
            .block_on(live::review(&facts, Client::new(target), &options, &mut review))
            .expect("an app that answers");
        (review, asked.load(Relaxed))
    }

    fn post(&self, path: &str, kind: &str, body: &str) -> Value {
        let mut client = kit::Client::connect(self.address);
        client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: app\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        let answer = client.answer();
        assert!(answer.status < 300, "{path}: {answer:?}");
        answer.json()
    }

    fn get(&self, path: &str) -> Value {
        let mut client = kit::Client::connect(self.address);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: app\r\n\r\n"));
        client.answer().json()
    }
}

fn with_writes() -> Ask {
    Ask { identities: Vec::new(), writes: true, most: usize::MAX }
}

fn identity(name: &str, token: &Value) -> Identity {
    Identity::read(name, token.as_str().expect("a token")).expect("a credential")
}

/// Findings at `medium` or above, as the lists have them.
fn found(review: &Review) -> BTreeSet<String> {
    let findings = review.findings().into_iter().filter(|finding| finding.level >= Level::Medium);
    findings
        .map(|finding| {
            format!("{} {} {}", finding.rule.id, finding.subject, finding.part).trim_end().to_owned()
        })
        .collect()
}

fn is_exactly(review: &Review, planted: &str) {
    let planted: BTreeSet<_> =
        planted.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let found = found(review);
    let (missed, more): (Vec<_>, Vec<_>) =
        (planted.difference(&found).collect(), found.difference(&planted).collect());
    assert!(missed.is_empty() && more.is_empty(), "missed: {missed:#?}\nmore: {more:#?}");
}

#[test]
fn a_careless_shop() {
    let shop = Subject::new("MANTLET_TEST_PYTHON", copy_shop, "main:app", "main:app");
    let (review, _) = shop.review(with_writes());
    is_exactly(
        &review,
        "
        object-of-another GET /orders/{order_id}
        function-of-administrators GET /admin/users
        function-of-administrators GET /admin/orders
        function-of-administrators DELETE /admin/products/{product_id}
        role-assigned PATCH /users/me field is_admin
        secret-shown GET /users/me field password_hash
        secret-shown GET /internal/debug field signing_key
        accounts-told POST /token
        accounts-told POST /login
        credentials-guessed POST /token
        credentials-guessed POST /login
        session-cookie-is-open POST /login cookie session
        page-without-policy GET /
        error-tells GET /orders/{order_id} a traceback
        error-tells GET /products/{product_id} a traceback
        error-tells GET /products/{product_id}/reviews a traceback
        error-tells POST /products/{product_id}/reviews a traceback
        error-tells DELETE /admin/products/{product_id} a traceback
        ",
    );
    // What the shop has no operation to remove is named.
    assert!(review.notes().iter().any(|note| note.contains("`POST /orders` made")), "{:?}", review.notes());
    let low: Vec<_> =
        review.findings().into_iter().map(|finding| (finding.rule.id, finding.subject.as_str())).collect();
    for planted in [
        ("field-not-declared", "GET /products/{product_id}"),
        ("hidden-operation-answers", "GET /internal/debug"),
        ("docs-reachable", "documentation"),
        ("headers-missing", "all answers"),
    ] {
        assert!(low.contains(&planted), "{planted:?}: {low:?}");
    }
}

#[test]
fn a_careless_clinic() {
    let clinic = Subject::small("clinic:app", "clinic:app");
    let (review, _) = clinic.review(with_writes());
    is_exactly(
        &review,
        "
        object-of-another GET /api/records/{record_id}
        object-of-another GET /api/records/{record_id}/notes
        object-of-another GET /api/export/{record_id}
        object-of-another GET /api/accounts/{account_id}
        object-of-another GET /api/reports parameter owner_id
        object-changed-by-another DELETE /api/records/{record_id}
        function-of-administrators GET /api/admin/accounts
        role-assigned PUT /api/me field role
        token-not-verified GET /api/me/summary
        token-without-end tokens
        accounts-told POST /api/auth/login
        credentials-guessed POST /api/auth/login
        session-cookie-is-open POST /api/auth/login cookie session_token
        foreign-origin all answers
        error-tells GET /api/stats the name of an exception
        ",
    );
    assert_eq!(review.notes(), [] as [String; 0], "all is removed");
}

/// Cookies instead of tokens, numbers as keys, bodies in an envelope.
#[test]
fn a_careless_guild() {
    let guild = Subject::small("guild:app", "guild:app");
    let (review, _) = guild.review(with_writes());
    is_exactly(
        &review,
        "
        object-changed-by-another PATCH /v2/people/{person_id}
        object-changed-by-another POST /v2/tasks/{task_id}/finish
        function-of-administrators PUT /v2/people/{person_id}/role
        function-of-administrators GET /v2/staff/tasks
        mass-assignment PATCH /v2/tasks/{task_id} field reward
        mass-assignment PATCH /v2/tasks/{task_id} field state
        credentials-guessed POST /v2/people/signin
        ",
    );
    assert_eq!(review.notes(), [] as [String; 0], "all is removed");
}

/// Much is for all to see: what is wrong shows when something is changed, as the owner sees it afterwards.
#[test]
fn a_careless_market() {
    let market = Subject::small("market:app", "market:app");
    let (review, _) = market.review(with_writes());
    is_exactly(
        &review,
        "
        object-changed-by-another DELETE /ads/{ad_id}
        object-changed-by-another PATCH /parcels/{parcel_id}
        secret-shown GET /status field WEBHOOK_SECRET
        credentials-guessed POST /login
        ",
    );
    let findings = review.findings();
    let of = |rule: &str, subject: &str| {
        let mut all = findings.iter().filter(|one| one.rule.id == rule && one.subject == subject);
        serde_json::to_string(all.next().unwrap_or_else(|| panic!("{rule} {subject}"))).expect("JSON")
    };
    let removed = of("object-changed-by-another", "DELETE /ads/{ad_id}");
    assert!(removed.contains("`PUT /ads/{ad_id}` refuses `bob`, and takes the same of `alice`"), "{removed}");
    assert!(removed.contains("no answer says whose the object is"), "{removed}");
    let told = of("objects-told", "GET /parcels/{parcel_id}");
    assert!(told.contains("answers 403 for an object of another user, and 404"), "{told}");
    assert!(
        !serde_json::to_string(&findings).expect("JSON").contains("8f2b7c1d"),
        "a secret is in the report"
    );
    // Of what all see, and all change, nothing is concluded.
    let row = review.row(Row::Owasp(Owasp::Api1));
    let unjudged = row.unjudged.join("\n");
    assert!(unjudged.contains("`PUT /pages/{page_id}`: all users see such an object"), "{unjudged}");
    assert!(unjudged.contains("all users see the objects of `GET /ads/{ad_id}`"), "{unjudged}");
    assert_eq!(row.at["operations that change by an id, asked as two users"], 4, "{row:?}");
    assert_eq!(row.at["operations that read by an id, asked as two users"], 1, "{row:?}");
    let times = "times of a login, for an account that exists and for one that does not";
    assert_eq!(review.row(Row::Owasp(Owasp::Api2)).at[times], 1);
    // Questions went with their ads, ratings with their accounts.
    let left = market.get("/left");
    assert!(left.as_object().expect("kinds").values().all(|count| count == 0), "{left}");
    let [note] = review.notes() else { panic!("{:?}", review.notes()) };
    assert!(note.starts_with("`POST /parcels` made ") && note.contains("no other user is shown"), "{note}");
}

/// Accounts that an operator gives, in an app whose objects are already there. Only what reads is asked.
#[test]
fn given_identities_and_no_writes() {
    let clinic = Subject::small("clinic:app", "clinic:app");
    let log_in = |name: &str| {
        let account = format!(r#"{{"email": "{name}@clinic.example", "password": "{name}-password"}}"#);
        let new = account.replace('}', r#", "full_name": "One", "phone": "+4930123456"}"#);
        clinic.post("/api/auth/register", "application/json", &new);
        clinic.post("/api/auth/login", "application/json", &account)["token"].clone()
    };
    let (alice, bob) = (log_in("alice"), log_in("bob"));
    let record = |title: &str| {
        let mut client = kit::Client::connect(clinic.address);
        let body = format!(r#"{{"title": "{title}", "taken_on": "2030-01-01"}}"#);
        client.send(format!(
            "POST /api/records HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            alice.as_str().expect("a token"),
            body.len()
        ));
        assert_eq!(client.answer().status, 201);
    };
    record("Left knee");
    record("Right knee");
    let ask = || Ask {
        identities: vec![identity("alice", &alice), identity("bob", &bob)],
        writes: false,
        most: usize::MAX,
    };
    let (first, _) = clinic.review(ask());
    for planted in [
        "object-of-another GET /api/records/{record_id}",
        "object-of-another GET /api/export/{record_id}",
        "object-of-another GET /api/accounts/{account_id}",
        "object-of-another GET /api/reports parameter owner_id",
        "function-of-administrators GET /api/admin/accounts",
        "token-not-verified GET /api/me/summary",
    ] {
        assert!(found(&first).contains(planted), "{planted}: {:#?}", found(&first));
    }
    // Nothing was made.
    let (second, _) = clinic.review(ask());
    let json = |review: &Review| serde_json::to_string(&review.findings()).expect("JSON");
    assert_eq!(json(&first), json(&second), "the same app gives the same bytes");
    assert!(!json(&first).contains(alice.as_str().expect("a token")), "a token is shown");
    let accounts = clinic.get_as(&alice, "/api/admin/accounts");
    assert_eq!(accounts.as_array().map(Vec::len), Some(2), "{accounts}");
}

impl Subject {
    fn get_as(&self, token: &Value, path: &str) -> Value {
        let mut client = kit::Client::connect(self.address);
        let token = token.as_str().expect("a token");
        client.send(format!("GET {path} HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer {token}\r\n\r\n"));
        client.answer().json()
    }
}

/// UUIDs, organisations, comments: what it does wrong stands in the table of `objects/workspace.rs`.
#[test]
fn a_workspace_of_several_organisations() {
    let copy = |folder: &Path| identity::copy(&apps().join("objects"), folder);
    let workspace = Subject::new("MANTLET_TEST_IDENTITY", copy, "app.main:app", "app.main:app");
    let log_in = |name: &str| {
        let form = format!("username={name}@workspace.example.com&password={name}-password");
        workspace.post("/login/access-token", "application/x-www-form-urlencoded", &form)["access_token"]
            .clone()
    };
    let identities = [("alice", "ann"), ("bob", "cora"), ("admin", "root")];
    let identities = identities.map(|(name, user)| identity(name, &log_in(user))).to_vec();
    let (review, _) = workspace.review(Ask { identities, writes: true, most: usize::MAX });
    is_exactly(
        &review,
        "
        object-of-another GET /comments/{comment_id}
        object-of-another GET /invoices/{invoice_id}
        object-of-another GET /invoices/journal parameter owner_id
        object-of-another GET /notes/export parameter owner_id
        object-of-another GET /organizations/{organization_id}/members
        object-changed-by-another PUT /notes/{note_id}
        object-changed-by-another PATCH /notes/{note_id}
        object-changed-by-another DELETE /notes/{note_id}
        object-changed-by-another DELETE /comments/{comment_id}
        object-changed-by-another POST /invoices/{invoice_id}/pay
        object-changed-by-another PATCH /boards/{board_id}
        ",
    );
}

/// Public and shared objects, a catalogue of nobody's, soft 404s, a wiki, optional logins: nothing of it is a weakness.
#[test]
fn a_sound_club() {
    let club = Subject::small("club:app", "club_left:app");
    let (review, _) = club.review(with_writes());
    is_exactly(&review, "");
    for row in [Owasp::Api1, Owasp::Api3, Owasp::Api5, Owasp::Api8] {
        let row = Row::Owasp(row);
        // What only might be private (`GET /thanks`) is a suspicion.
        let is_right = matches!(review.outcome(row), Outcome::Passed | Outcome::Found(Level::Low));
        assert!(is_right, "{}: {:?}", row.id(), review.row(row));
    }
    assert_eq!(club.get("/left"), serde_json::json!({"users": 0, "posts": 0, "letters": 0, "orders": 0}));
}

/// Ended at ten places, it leaves nothing behind and still reports.
#[test]
fn ended_early_it_removes_what_it_made() {
    let club = Subject::small("club:app", "club_left:app");
    let (_, all) = club.review(with_writes());
    let most_made = Cell::new(0);
    for place in 1..=10 {
        let (review, _) = club.review(Ask { most: all * place / 11, ..with_writes() });
        let left = club.get("/left");
        assert_eq!(
            left,
            serde_json::json!({"users": 0, "posts": 0, "letters": 0, "orders": 0}),
            "place {place}"
        );
        let notes = review.notes();
        assert!(notes.iter().any(|note| note.contains("ended before")), "place {place}: {notes:?}");
        assert!(!notes.iter().any(|note| note.contains("still there")), "place {place}: {notes:?}");
        most_made.set(most_made.get().max(review.row(Row::Owasp(Owasp::Api1)).at.len()));
    }
    assert!(most_made.get() > 0, "some of the reviews came as far as objects");
}
