//! The workspace of `tests/apps/objects`: UUIDs, organisations, comments of notes, a trash, batches, exports.

use std::fs;

use serde_json::{Value, json};

use super::{
    Clients, Object, Subject,
    matrix::{self, Covered},
    table::Request,
    uuid,
};
use crate::{identity, kit::app::apps};

pub(super) const WORKSPACE: Subject = Subject {
    python: "MANTLET_TEST_IDENTITY",
    copy: |folder| identity::copy(&apps().join("objects"), folder),
    entry: "app.main:app",
    table: TABLE,
    account: |name| [format!("{name}@workspace.example.com"), format!("{name}-password")],
    login: "/login/access-token",
    prepare: |_| (),
    make,
    absent: uuid,
    by_hand: include_str!("workspace.toml"),
};

/// Of which ann is an administrator, and bob a member. Cora is in another one.
const ARCHERS: &str = "0a7c4e5e-3f0b-4b57-9a35-2d8f8f1f0a01";
/// A note of the system's, which all may read.
const WELCOME: &str = "0a7c4e5e-3f0b-4b57-9a35-2d8f8f1f0a03";

const TABLE: &str = r#"
GET /users/me
    needs  ann
    both   200   200-  200-  200-  401   -
GET /users/{ann}
    early
    bare   200   403   403   200   401   403
    gated  200   404   404   200   401   404
GET /users
    needs  ann
    both   403   403   403   200   401   -
PATCH /users/{ann}
    body   {"full_name": "{new}"}
    early
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
GET /users/{author}/notes
    needs  author
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
GET /users/{author.hex}/notes
    needs  author
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404

GET /organizations/{org}
    both   200   200   404   200   401   404
GET /organizations/{org}/members
    needs  membership
    bare   200   200   200   200   401   404
    gated  200   200   404   200   401   404
DELETE /organizations/{org}/members/{member}
    look   /organizations/{org}/members
    early
    bare      204   204   204   204   401   404
    accepted  204   204   404   204   401   404
    gated     204   404   404   204   401   404
GET /organizations/{org}/projects
    needs  project
    both   200   200   404   200   401   404
POST /organizations/{org}/projects
    body   {"name": "Moat"}
    look   /organizations/{org}/projects
    both   201   201   404   201   401   404

GET /projects
    needs  project
    bare   200   200   200   200   401   -
    gated  200   200   200-  200   401   -
GET /projects/{project}
    bare   200   200   200   200   401   404
    gated  200   200   404   200   401   404
PATCH /projects/{project}
    body   {"budget_cents": 7}
    bare   200   200   200   200   401   404
    gated  200   200   404   200   401   404
DELETE /projects/{project}
    bare      204   204   204   204   401   404
    accepted  204   204   404   204   401   404
    gated     204   404   404   204   401   404

GET /notes
    needs  note
    bare   200   200   200   200   401   -
    gated  200   200-  200-  200   401   -
POST /notes
    body   {"title": "Mine"}
    needs  author
    both   201   201-  201-  201-  401   -
POST /notes
    body   {"title": "Yours", "owner_id": "{author}"}
    bare   201   201   201   201   401   -
    gated  201   404   404   201   401   -
GET /notes/batch?ids={note}&ids={template}
    needs  note
    bare   200   200   200   200   401   200-
    gated  200   200-  200-  200   401   200-
POST /notes/batch-delete
    body   {"ids": ["{note}"]}
    early
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
POST /notes/batch-delete
    body   {"ids": ["{note}", "{bobs}"]}
    early
    bare   200   200   200   200   401   404
    gated  404   404   404   200   401   404
GET /notes/export
    needs  note
    both   200   200-  200-  200-  401   -
GET /notes/export?owner_id={author}
    needs  author
    bare   200   200   200   200   401   200-
    gated  200   404   404   200   401   404
GET /notes/{note}
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
GET /notes/{note.hex}
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
GET /notes/{note.upper}
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
HEAD /notes/{note}
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
GET /notes/{note}?fields=title,version
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
GET /notes/{note}
    with   Accept: text/csv
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
GET /notes/{note}
    with   Accept-Encoding: gzip
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
GET /notes/{note}
    with   If-None-Match: "{note.hex}-1"
    bare   304   304   304   304   401   404
    gated  304   404   404   304   401   404
GET /notes/{template}
    both   200   200   200   200   401   404
PUT /notes/{note}
    body   {"title": "Changed", "body": "all of it"}
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
PATCH /notes/{note}
    body   {"title": "Changed"}
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
PATCH /notes/{template}
    needs  template
    body   {"title": "Hello"}
    bare   200   200   200   200   401   404
    gated  404   404   404   200   401   404
DELETE /notes/{note}
    bare   204   204   204   204   401   404
    gated  204   404   404   204   401   404

GET /notes/{attached}/attachment
    bare      200   200   200   200   200   404
    gated     200   404   404   200   401   404
GET /notes/{attached}/attachment
    with   Range: bytes=0-17
    bare      206   206   206   206   206   404
    gated     206   404   404   206   401   404
PUT /notes/{note}/attachment
    file   another plan
    early
    look   /notes/{note}/attachment
    bare   204   204   204   204   401   404
    gated  204   404   404   204   401   404
GET /notes/{commented}/comments
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
POST /notes/{note}/comments
    body   {"text": "First"}
    look   /notes/{note}/comments
    bare   201   201   201   201   401   404
    gated  201   404   404   201   401   404
GET /comments/{comment}
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
PATCH /comments/{comment}
    body   {"text": "Changed"}
    bare   200   403   403   200   401   404
    gated  200   404   404   200   401   404
DELETE /comments/{comment}
    bare   204   204   204   204   401   404
    gated  204   404   404   204   401   404
GET /notes/{remarked}/comments
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
GET /comments/{remark}
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
PATCH /comments/{remark}
    body   {"text": "Changed"}
    bare   403   403   403   200   401   404
    gated  403   404   404   200   401   404
DELETE /comments/{remark}
    bare   204   204   204   204   401   404
    gated  204   404   404   204   401   404

GET /trash
    needs  deleted
    both   200   200-  200-  200-  401   -
GET /trash/{deleted}
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
GET /notes/{deleted}
    both   404   404   404   404   404   404
POST /trash/{deleted}/restore
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404

GET /invoices
    needs  invoice
    both   200   200-  200-  200   401   -
GET /invoices/{invoice}
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
PATCH /invoices/{invoice}
    body   {"subject": "Changed"}
    both   200   404   404   200   401   404
POST /invoices/{invoice}/pay
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
GET /invoices/journal?owner_id={debtor}
    needs  debtor
    bare   200   200   200   200   401   200-
    gated  200   404   404   200   401   404

GET /boards/{board}
    both   200   404   404   200   401   404
GET /boards/{shared}
    both   200   200   404   200   401   404
PATCH /boards/{board}
    body   {"title": "Changed"}
    bare      200   200   200   200   401   404
    accepted  200   200   200   200   401   404
    gated     200   404   404   200   401   404
PATCH /boards/{shared}
    body   {"title": "Changed"}
    bare      200   200   200   200   401   404
    accepted  200   200   200   200   401   404
    gated     200   404   404   200   401   404
PUT /boards/{board}/readers/{dan}
    both   204-  404   404   404   401   404

GET /admin/notes/{note}
    both   403   403   403   200   401   403
GET /admin/statistics
    needs  note
    both   403   403   403   200-  401   -
"#;

fn make(clients: &Clients, name: &str) -> Object {
    let owner = clients.owner();
    let secret = clients.secret();
    let id = |object: &Value| object["id"].as_str().expect("an id").to_owned();
    let id_of = |user: &str| {
        let users = clients.named("root").ask(&Request::get("/users")).json();
        let email = format!("{user}@workspace.example.com");
        id(users.as_array().expect("users").iter().find(|user| user["email"] == *email).expect("a user"))
    };
    let create = |target: &str, body: Value| owner.create(&Request::post(target).json(&body.to_string()));
    // Long enough to be compressed.
    let note = || id(&create("/notes", json!({"title": secret, "body": format!("{secret} {:600}.", "")})));
    let remark = |note: &str| {
        let new =
            Request::post(&format!("/notes/{note}/comments")).json(&json!({"text": secret}).to_string());
        id(&clients.named("root").create(&new))
    };
    let invoice = || id(&create("/invoices", json!({"subject": secret, "amount_cents": 995})));
    let board = || id(&create("/boards", json!({"title": secret})));
    let (projects, members) =
        (format!("/organizations/{ARCHERS}/projects"), format!("/organizations/{ARCHERS}/members"));

    // Where the owner sees it, its id and its secret.
    let (seen_at, id, secret) = match name {
        "note" => ("/notes/{id}", note(), secret),
        "bobs" => {
            let note = Request::post("/notes").json(&json!({"title": secret}).to_string());
            ("/notes/{id}", id(&clients.named("bob").create(&note)), secret)
        }
        "template" => ("/notes/{id}", WELCOME.to_owned(), "How a note is written".to_owned()),
        "attached" => {
            let note = note();
            owner.has_no_content(&Request::put(&format!("/notes/{note}/attachment")).file(&secret));
            ("/notes/{id}/attachment", note, secret)
        }
        "deleted" => {
            let note = note();
            owner.has_no_content(&Request::new("DELETE", &format!("/notes/{note}")));
            ("/trash/{id}", note, secret)
        }
        "commented" => {
            let note = note();
            create(&format!("/notes/{note}/comments"), json!({"text": secret}));
            ("/notes/{id}/comments", note, secret)
        }
        "comment" => {
            let comments = format!("/notes/{}/comments", note());
            ("/comments/{id}", id(&create(&comments, json!({"text": secret}))), secret)
        }
        // What another has said of her note.
        "remark" => ("/comments/{id}", remark(&note()), secret),
        "remarked" => {
            let note = note();
            remark(&note);
            ("/notes/{id}/comments", note, secret)
        }
        "invoice" => ("/invoices/{id}", invoice(), secret),
        "board" => ("/boards/{id}", board(), secret),
        "shared" => {
            let (board, reader) = (board(), id_of("bob"));
            owner.has_no_content(&Request::put(&format!("/boards/{board}/readers/{reader}")));
            ("/boards/{id}", board, secret)
        }
        "project" => ("/projects/{id}", id(&create(&projects, json!({"name": secret}))), secret),
        "org" => ("/organizations/{id}", ARCHERS.to_owned(), "Archers".to_owned()),
        "ann" => ("/users/{id}", id_of("ann"), "ann@workspace.example.com".to_owned()),
        // Her, as the author of a note, as the debtor of an invoice, and as a member of the archers.
        "author" => {
            note();
            ("/users/{id}/notes", id_of("ann"), secret)
        }
        "debtor" => {
            invoice();
            ("/invoices", id_of("ann"), secret)
        }
        "membership" => (&*members, id_of("ann"), id_of("ann")),
        "dan" => ("/users/{id}", id_of("dan"), secret),
        // Dan, for a while.
        "member" => {
            create(&members, json!({"user_id": id_of("dan")}));
            (&*members, id_of("dan"), secret)
        }
        _ => panic!("no object is called {name:?}"),
    };
    Object { seen_at: seen_at.replace("{id}", &id), id, secret }
}

#[test]
fn the_workspace_alone_shows_and_changes_what_belongs_to_others() {
    matrix::check_bare(&WORKSPACE);
}

#[test]
fn the_workspace_behind_the_gate_shows_and_changes_only_what_is_the_callers() {
    matrix::check_gated(&WORKSPACE, &Covered { by_proposals: 91, by_hand: 6 });
}

#[test]
fn of_all_rules_at_once_those_with_a_doubt_only_report() {
    let (_home, gateway) = WORKSPACE.gated("");
    Subject::proposed(&gateway);
    let said = gateway.tell(&["objects", "accept", "all", "--enforce"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stderr.contains("with a `# doubt:`, and so only reported: "), "{}", said.stderr);
    let file = fs::read_to_string(gateway.config_file()).expect("the configuration");
    let rules: Vec<_> = file.split("\n\n").filter(|rule| rule.contains("[[authorization.")).collect();
    let (doubtful, sure): (Vec<&str>, Vec<&str>) =
        rules.into_iter().partition(|rule| rule.contains("# doubt: "));
    assert!(doubtful.len() > 1 && sure.len() > 5, "{file}");
    assert!(doubtful.iter().all(|rule| rule.trim_end().ends_with("mode    = \"report\"")), "{file}");
    assert!(sure.iter().all(|rule| rule.trim_end().ends_with("mode    = \"enforce\"")), "{file}");
}
