//! Apps with unusual keys: random, short, several, of another issuer, or never used to verify.

use std::{fs, path::Path, process::Command, sync::LazyLock, thread, time::SystemTime};

use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

use super::{
    Running, Subject, check,
    step::{get, make, post},
    token,
};
use crate::kit::{eventually, provided};

const BEARER: &str = "Authorization: Bearer {token}";
const NOT_AUTHENTICATED: &str = r#"{"detail":"Not authenticated"}"#;
const FORM: &str = "username=ann&password=battlement";

/// The app makes its key at import.
pub(crate) const RANDOM_KEY: Subject = Subject {
    name: "random_key.py",
    entry: "random_key:app",
    prepare: |_| (),
    entrance: || vec![post("/auth/login").form(FORM).is(200, "bearer").keep("token", "/access_token")],
    carried: BEARER,
    guarded: "/me",
    key: b"",
    traffic: || {
        const INVALID: &str = r#"{"detail":"Invalid token"}"#;
        vec![
            get("/health").is(200, "ok"),
            get("/me").is(401, NOT_AUTHENTICATED),
            post("/auth/login").form("username=ann&password=wrong").is(400, "Incorrect"),
            post("/auth/login").form(FORM).is(200, "bearer").keep("token", "/access_token"),
            get("/me").bearer("{token}").is(200, r#"{"username":"ann"}"#),
            post("/notes").bearer("{token}").json(r#"{"text": "a"}"#).is(201, r#""owner":"ann""#),
            // As of the time before a restart.
            make("former", |values| token::forge(&values["token"], b"the key of the last start")),
            make("unsigned", |values| token::none(&values["token"])),
            get("/me").bearer("{former}").is(401, INVALID),
            get("/me").bearer("{unsigned}").is(401, INVALID),
            post("/notes").bearer("{former}").json(r#"{"text": "a"}"#).is(401, INVALID),
            get("/me").bearer("{token}").is(200, "ann"),
        ]
    },
    stopped: 3,
    recorded: &["token-key-found"],
};

/// The former key stands in a database.
pub(crate) const TWO_KEYS: Subject = Subject {
    name: "two_keys.py",
    entry: "two_keys:app",
    prepare: keep_former_key,
    entrance: || vec![post("/token").form(FORM).is(200, "bearer").keep("token", "/access_token")],
    carried: BEARER,
    guarded: "/account",
    key: CURRENT_KEY,
    traffic: || {
        const INVALID: &str = r#"{"detail":"Invalid token"}"#;
        vec![
            get("/offers").is(200, "crossbow"),
            get("/account").is(401, NOT_AUTHENTICATED),
            post("/token").form("username=ann&password=wrong").is(400, "Wrong"),
            post("/token").form(FORM).is(200, "bearer").keep("token", "/access_token"),
            get("/account").bearer("{token}").is(200, r#""name":"ann""#),
            make("former", |values| token::forge(&values["token"], FORMER_KEY)),
            make("forged", |values| token::forge(&values["token"], b"a key of neither")),
            make("expired", |values| token::aged(&values["former"], 60 * 60 * 24 * 31, FORMER_KEY)),
            get("/account").bearer("{former}").is(200, r#""name":"ann""#),
            get("/account").bearer("{forged}").is(401, INVALID),
            get("/account").bearer("{expired}").is(401, INVALID),
            get("/account").bearer("{former}").is(200, r#""name":"ann""#),
            get("/account").bearer("{token}").is(200, r#""name":"ann""#),
        ]
    },
    stopped: 0,
    recorded: &["token-invalid", "token-key-found"],
};

const CURRENT_KEY: &[u8] = b"yAtJU4AcS5CcdBWmLlOkLPlYLtMhyIkToWCdw9PIdH4";
pub(crate) const FORMER_KEY: &[u8] = b"LSoLc3bA9gRk1yN1VCPuC2uDk2RZ0rTq5cGxKXyWmIE";

/// The row that the app wrote when it changed its key.
fn keep_former_key(folder: &Path) {
    const SCRIPT: &str = "
import sqlite3, sys
db = sqlite3.connect('keys.db')
db.execute('CREATE TABLE keys (id TEXT PRIMARY KEY, secret TEXT, retired INTEGER)')
db.execute('INSERT INTO keys VALUES (?, ?, 0)', ('2025', sys.argv[1]))
db.commit()
";
    let key = String::from_utf8_lossy(FORMER_KEY).into_owned();
    let mut python = Command::new(provided("MANTLET_TEST_IDENTITY"));
    let done = python.args(["-c", SCRIPT, &key]).current_dir(folder).status().expect("it starts");
    assert!(done.success(), "{done}");
}

/// The app does not verify signatures.
pub(crate) const UNVERIFIED: Subject = Subject {
    name: "unverified.py",
    entry: "unverified:app",
    prepare: |_| (),
    entrance: || vec![post("/token").form(FORM).is(200, "bearer").keep("token", "/access_token")],
    carried: BEARER,
    guarded: "/dashboard",
    key: b"79e6cb8bfa932a592274fa0113128ab4c30c47d2",
    traffic: || {
        vec![
            get("/dashboard").is(401, NOT_AUTHENTICATED),
            get("/dashboard").bearer("nonsense").is(401, "Could not validate credentials"),
            post("/token").form(FORM).is(200, "bearer").keep("token", "/access_token"),
            get("/dashboard").bearer("{token}").is(200, r#""user":"ann""#),
            // As of another service, with a key that this one does not know.
            make("foreign", |values| token::forge(&values["token"], b"the key of the other service")),
            make("unsigned", |values| token::none(&values["token"])),
            make("expired", |values| token::aged(&values["token"], 3601, UNVERIFIED.key)),
            get("/dashboard").bearer("{foreign}").is(200, r#""user":"ann""#),
            get("/dashboard").bearer("{unsigned}").is(200, r#""user":"ann""#),
            get("/dashboard").bearer("{expired}").is(200, r#""user":"ann""#),
        ]
    },
    stopped: 0,
    recorded: &["token-invalid", "token-key-found"],
};

/// The app accepts a token for an hour after its end. The key is six digits.
pub(crate) const LEEWAY: Subject = Subject {
    name: "leeway.py",
    entry: "leeway:app",
    prepare: |_| (),
    entrance: || {
        let form = "username=meter-7&password=battlement";
        vec![post("/token").form(form).is(200, "bearer").keep("token", "/access_token")]
    },
    carried: BEARER,
    guarded: "/readings",
    key: b"482913",
    traffic: || {
        vec![
            get("/readings").is(401, NOT_AUTHENTICATED),
            post("/token").form("username=meter-7&password=wrong").is(401, "Wrong meter"),
            post("/token")
                .form("username=meter-7&password=battlement")
                .is(200, "bearer")
                .keep("token", "/access_token"),
            post("/readings").bearer("{token}").json(r#"{"value": 1.5}"#).is(201, r#""readings":1"#),
            // Ten minutes of life, and an hour of leeway.
            make("half an hour", |values| token::aged(&values["token"], 1800, LEEWAY.key)),
            make("two hours", |values| token::aged(&values["token"], 7200, LEEWAY.key)),
            make("forged", |values| token::forge(&values["token"], b"482914")),
            get("/readings").bearer("{half an hour}").is(200, "[1.5]"),
            post("/readings").bearer("{half an hour}").json(r#"{"value": 2}"#).is(201, r#""readings":2"#),
            get("/readings").bearer("{two hours}").is(401, "Token has expired"),
            get("/readings").bearer("{half an hour}").is(200, "[1.5,2.0]"),
            get("/readings").bearer("{forged}").is(401, "Invalid token"),
        ]
    },
    stopped: 0,
    recorded: &["jwt-key-guessable", "token-invalid"],
};

/// The key is in a row of a database, and a number of four digits.
pub(crate) const ROW_KEY: Subject = Subject {
    name: "row_key.py",
    entry: "row_key:app",
    prepare: |_| (),
    entrance: || vec![post("/token").form(FORM).is(200, "bearer").keep("token", "/access_token")],
    carried: BEARER,
    guarded: "/drawer",
    key: b"0042",
    traffic: Vec::new,
    stopped: 0,
    recorded: &[],
};

/// Own tokens, and those of a partner with an RSA key.
pub(crate) const TWO_ISSUERS: Subject = Subject {
    name: "two_issuers.py",
    entry: "two_issuers:app",
    prepare: |folder| fs::write(folder.join("partner.pem"), partner().public_key_pem()).expect("a file"),
    entrance: || vec![post("/auth/token").form(FORM).is(200, "bearer").keep("token", "/access_token")],
    carried: BEARER,
    guarded: "/reports",
    key: b"a-portcullis-is-not-a-password-but-it-is-a-key",
    traffic: || {
        const INVALID: &str = r#"{"detail":"Invalid token"}"#;
        vec![
            get("/reports").is(401, NOT_AUTHENTICATED),
            make("early partner", |_| partner_token(&json!({}))),
            get("/reports").bearer("{early partner}").is(200, r#""of":"https://login.partner.example""#),
            post("/auth/token").form("username=ann&password=wrong").is(401, "Wrong"),
            post("/auth/token").form(FORM).is(200, "bearer").keep("token", "/access_token"),
            get("/reports").bearer("{token}").is(200, r#""reader":"ann""#),
            make("partner", |_| partner_token(&json!({"sub": "guest-8"}))),
            get("/reports").bearer("{partner}").is(200, r#""reader":"guest-8""#),
            make("for others", |_| partner_token(&json!({"aud": "invoices"}))),
            make("expired", |_| partner_token(&json!({"exp": 1_700_000_000}))),
            make("forged", |values| token::forge(&values["token"], b"another key")),
            // The public key, as if it were a shared one.
            make("confused", |values| {
                let (_, claims) = token::parts(&values["partner"]);
                let header = json!({"alg": "HS256", "typ": "JWT"});
                token::signed(&header, &claims, partner().public_key_pem().as_bytes())
            }),
            get("/reports").bearer("{for others}").is(401, INVALID),
            get("/reports").bearer("{expired}").is(401, INVALID),
            get("/reports").bearer("{forged}").is(401, INVALID),
            get("/reports").bearer("{confused}").is(401, INVALID),
            get("/reports").bearer("{partner}").is(200, r#""reader":"guest-8""#),
        ]
    },
    stopped: 1,
    recorded: &["token-key-found"],
};

/// The partner's key.
pub(crate) fn partner() -> &'static KeyPair {
    static KEY: LazyLock<KeyPair> =
        LazyLock::new(|| KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key"));
    &KEY
}

/// A token of the partner. These claims are added to the usual ones, or replace them.
pub(crate) fn partner_token(changes: &Value) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time").as_secs();
    let mut claims = json!({
        "iss": "https://login.partner.example",
        "aud": "reports",
        "sub": "guest-7",
        "iat": now,
        "exp": now + 600,
    });
    for (name, value) in changes.as_object().expect("claims") {
        claims[name] = value.clone();
    }
    token::rs256(&claims, partner())
}

#[test]
fn an_app_with_a_random_key_is_as_it_is_without_mantlet() {
    check(&RANDOM_KEY);
}

/// Each worker has a key of its own, and refuses tokens of the other worker. The gate must not
/// decide for it.
#[test]
fn an_app_with_a_random_key_in_each_worker_decides_by_itself() {
    const CLIENTS: usize = 8;
    const TRIES: usize = 12;
    let running = Running::start(&RANDOM_KEY, "[app]\nworkers = 2\n");
    // At once, so that connections to both workers are used.
    let statuses: Vec<_> = thread::scope(|scope| {
        let client = || {
            let token = running.login();
            let tries = (0..TRIES).map(|_| {
                let answer = running.shown(&token, "/me?tried");
                match answer.status {
                    200 => assert_eq!(answer.json(), json!({"username": "ann"})),
                    401 => assert_eq!(answer.json(), json!({"detail": "Invalid token"})),
                    _ => panic!("{answer:?}"),
                }
                answer.status
            });
            tries.collect::<Vec<_>>()
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    });
    let accepted = statuses.iter().filter(|status| **status == 200).count();
    println!("{accepted} of {} accepted", statuses.len());
    // Each response is the app's own.
    assert_eq!(running.reached("/me?tried"), CLIENTS * TRIES);
    let records = running.gateway.end().audit;
    assert!(records.iter().all(|record| record["action"] == "pass"), "{records:#?}");
}

#[test]
fn an_app_with_two_keys_is_as_it_is_without_mantlet() {
    check(&TWO_KEYS);
}

#[test]
fn an_app_that_does_not_verify_is_as_it_is_without_mantlet() {
    check(&UNVERIFIED);
}

#[test]
fn an_app_with_leeway_is_as_it_is_without_mantlet() {
    check(&LEEWAY);
}

/// No place in the app shows it. It is said, and the app decides about forged tokens: what was
/// guessed may not be its only key.
#[test]
fn a_key_that_can_be_guessed_is_found_and_said_although_it_cannot_be_seen() {
    let running = Running::start(&ROW_KEY, "");
    // It is tried beside the requests, and said at the next login.
    let token = eventually("the key is guessed", || {
        let token = running.login();
        let said = running.gateway.stderr().contains("can be guessed in a second");
        said.then_some(token)
    });
    assert_eq!(running.guarded(&token).json(), json!({"cashier": "ann", "cents": 12_000}));
    let before = running.reached("/drawer");
    let forged = running.guarded(&token::forge(&token, b"0043"));
    assert_eq!((forged.status, forged.json()), (401, json!({"detail": "Invalid token"})));
    assert_eq!(running.reached("/drawer"), before + 1);
    let records = running.gateway.end().audit;
    let found: Vec<_> = records.iter().filter(|record| record["reason"] == "jwt-key-guessable").collect();
    assert_eq!(found.len(), 1, "{records:#?}");
    assert_eq!(found[0]["mode"], "report");
    let known = records.iter().filter(|record| record["reason"] == "token-invalid");
    assert_eq!(known.count(), 1, "{records:#?}");
}

#[test]
fn an_app_with_two_issuers_is_as_it_is_without_mantlet() {
    check(&TWO_ISSUERS);
}
