//! Several gates on one PostgreSQL.

use std::{collections::BTreeSet, sync::Barrier, thread, time::Instant};

use serde_json::json;

use super::{
    database::{url_of, variables},
    mailbox::Mailbox,
    site::{PASSWORD, Site, bearer, principal, session},
};
use crate::kit::{Setup, eventually, postgres::Postgres};

const ADDRESS: &str = "ada@example.com";
const FORM: &str = "application/x-www-form-urlencoded";

/// A gate whose mails go into a mailbox.
fn gate(postgres: &Postgres, mailbox: &Mailbox) -> Site {
    let setup = Setup::run("recorder:app").variables(variables(&url_of(postgres)));
    let keys = "database = \"env:ACCOUNTS_DATABASE\"\nkey = \"env:ACCOUNTS_KEY\"\n";
    Site::of(setup, &format!("{keys}{}", mailbox.config()))
}

/// Registers at one gate and verifies at another.
fn register(at: &Site, verify_at: &Site, mailbox: &Mailbox) {
    let asked = json!({ "email": ADDRESS, "password": PASSWORD });
    assert_eq!(at.post_json("/auth/api/register", &asked, "").status, 202);
    let link = json!({ "token": mailbox.token(ADDRESS, "verify") });
    assert_eq!(verify_at.post_json("/auth/api/verify", &link, "").status, 200);
    assert_eq!(at.post_json("/auth/api/verify", &link, "").status, 400, "a link is good once");
}

#[test]
fn an_account_of_one_gate_is_one_of_the_other() {
    let (postgres, folder) = (Postgres::start(), tempfile::tempdir().expect("a folder"));
    let mailbox = Mailbox::of(folder.path());
    let [one, other] = [(); 2].map(|()| gate(&postgres, &mailbox));
    register(&one, &other, &mailbox);
    assert_eq!(
        one.get("/.well-known/jwks.json", "").json(),
        other.get("/.well-known/jwks.json", "").json(),
        "they sign with the same keys"
    );
    let (tokens, cookie) = (one.tokens(ADDRESS), session(&one.cookie(ADDRESS)));
    let token = bearer(&tokens.access);
    let callers = [&one, &other].map(|site| {
        [&token, &cookie].map(|lines| principal(&site.get("/x", lines)).expect("a caller")["sub"].clone())
    });
    assert_eq!(callers[0], callers[1]);
    assert_eq!(callers[0][0], callers[0][1]);
    let form = format!("grant_type=refresh_token&refresh_token={}", tokens.refresh);
    assert_eq!(other.post("/auth/token", FORM, &form, "").status, 200);

    // What ends at one ends at the other, though that has just known the session.
    let is_known = |site: &Site| [&token, &cookie].map(|lines| site.get("/x", lines).status);
    assert_eq!(is_known(&other), [200, 200]);
    assert_eq!(one.post_json("/auth/api/logout-everywhere", &json!({}), &cookie).status, 204);
    let start = Instant::now();
    assert_eq!(is_known(&one), [401, 401], "at once");
    eventually("the other gate knows", || (is_known(&other) == [401, 401]).then_some(()));
    println!("the other gate knew after {:.0?}", start.elapsed());
}

#[test]
fn a_session_that_is_refreshed_at_two_gates_at_once_rotates_once() {
    const CLIENTS: usize = 50;
    let (postgres, folder) = (Postgres::start(), tempfile::tempdir().expect("a folder"));
    let mailbox = Mailbox::of(folder.path());
    let gates = [(); 2].map(|()| gate(&postgres, &mailbox));
    register(&gates[0], &gates[1], &mailbox);
    let mut tokens = gates[0].tokens(ADDRESS).refresh;
    for generation in 2..5 {
        let (form, barrier) =
            (format!("grant_type=refresh_token&refresh_token={tokens}"), Barrier::new(CLIENTS));
        let successors: BTreeSet<String> = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|number| {
                    let (gate, form, barrier) = (&gates[number % 2], &form, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        let answer = gate.post("/auth/token", FORM, form, "");
                        assert_eq!(answer.status, 200, "{answer:?}");
                        answer.json()["refresh_token"].as_str().expect("a token").to_owned()
                    })
                })
                .collect();
            clients.into_iter().map(|client| client.join().expect("an answer")).collect()
        });
        // One has rotated, and the others were given the same successor.
        assert_eq!(successors.len(), 1, "{successors:?}");
        let known = postgres.tell("postgres", "SELECT generation FROM sessions WHERE ended IS NULL");
        assert_eq!(known, generation.to_string());
        tokens = successors.into_iter().next().expect("a token");
    }
}
