//! What `mantlet contract` says of objects and their owners, for apps of several styles.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};

use crate::kit::{
    app::apps,
    command::{Finished, Typed},
    provided,
};

struct Read {
    contract: Value,
    said: String,
}

fn read(typed: Typed) -> Read {
    let Finished { code, stdout, stderr, .. } = typed.finish();
    assert_eq!(code, Some(0), "{stderr}");
    Read { contract: serde_json::from_str(&stdout).expect("only the contract is printed"), said: stderr }
}

/// An app of one file in `tests/apps/objects`, or of the text.
fn of_file(name: &str, python: &str) -> Read {
    let text = fs::read_to_string(apps().join("objects").join(name)).expect("an app");
    of_text(name, &text, python)
}

fn of_text(name: &str, text: &str, python: &str) -> Read {
    let app = format!("{}:app", name.trim_end_matches(".py"));
    let python = provided(python).into_string().expect("text");
    read(Typed::mantlet(["contract", &app, "--python", &python]).file(name, text))
}

fn in_folder(mut typed: Typed, from: &Path, at: &str) -> Typed {
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        if path.is_dir() && name != "__pycache__" {
            typed = in_folder(typed, &path, &format!("{at}{name}/"));
        } else if path.extension().is_some_and(|kind| kind == "py") || name == ".env" {
            typed = typed.file(&format!("{at}{name}"), &fs::read_to_string(path).expect("text"));
        }
    }
    typed
}

impl Read {
    /// Tables and how they are owned, in a word and what it is said of.
    fn owners(&self) -> BTreeMap<String, String> {
        let tables = self.contract["objects"]["tables"].as_array().expect("tables");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let listed = |value: &Value| value.as_array().unwrap().iter().map(text).collect::<Vec<_>>().join(" ");
        let step = |step: &Value| {
            format!("{} to {}.{}", text(&step["column"]), text(&step["to"]), text(&step["key"]))
        };
        tables
            .iter()
            .map(|table| {
                let owner = &table["owner"];
                let kind = text(&owner["kind"]);
                let what = match kind.as_str() {
                    "column" => step(&owner["step"]),
                    "nested" => {
                        owner["steps"].as_array().unwrap().iter().map(step).collect::<Vec<_>>().join(", ")
                    }
                    "ambiguous" => listed(&owner["columns"]),
                    "shared" => listed(&owner["through"]),
                    _ => String::new(),
                };
                let nullable = if owner["nullable"] == true { "?" } else { "" };
                (text(&table["name"]), format!("{kind}{nullable} {what}").trim_end().to_owned())
            })
            .collect()
    }

    /// What an operation has to do with tables.
    fn objects(&self, route: &str) -> Value {
        let (method, path) = route.split_once(' ').expect("a method and a path");
        let routes = self.contract["router"]["routes"].as_array().expect("routes");
        let found = routes.iter().find(|route| {
            route["path"] == path
                && route["methods"].as_array().is_some_and(|all| all.contains(&json!(method)))
        });
        found.unwrap_or_else(|| panic!("{route}"))["operation"]["objects"].clone()
    }

    /// The proposed rules, as the configuration would read them: for each table, in one line each.
    fn rules(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut text = String::new();
        // What follows a comment is offered, not proposed.
        let lines = self.said.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        for line in lines.chain([""]) {
            if line.starts_with("[[authorization.own]]") || (!text.is_empty() && !line.contains(" = ")) {
                if !text.is_empty() {
                    found.push(rule(&text));
                }
                text.clear();
            }
            if line.starts_with("[[authorization.own]]") || !text.is_empty() {
                text.push_str(line);
                text.push('\n');
            }
        }
        found
    }
}

/// A rule in one line; it has to be TOML.
fn rule(text: &str) -> String {
    let read: toml::Table = toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let rule = read["authorization"]["own"][0].as_table().expect("a rule");
    let one = |name: &str| rule.get(name).map(|value| value.as_str().expect("a text").to_owned());
    let all = |name: &str| {
        let list = rule.get(name)?.as_array().expect("a list").iter();
        Some(list.map(|one| one.as_str().expect("a text").to_owned()).collect::<Vec<_>>().join(" "))
    };
    let rest = ["read", "items", "count", "mode"];
    let rest = rest.iter().filter_map(|name| Some(format!("; {name} {}", one(name)?))).collect::<String>();
    let methods = all("methods").map(|all| format!(" ({all})")).unwrap_or_default();
    format!(
        "{}{methods}: {} = {}{rest}",
        all("paths").unwrap(),
        one("owner").unwrap(),
        one("equals").unwrap()
    )
}

#[test]
fn owners_of_every_kind_are_told_apart() {
    let read = of_file("archive.py", "MANTLET_TEST_IDENTITY");
    let owners = read.owners();
    let told = |all: &[(&str, &str)]| {
        all.iter().map(|(name, owner)| ((*name).to_owned(), (*owner).to_owned())).collect()
    };
    let expected: BTreeMap<String, String> = told(&[
        ("accounts", "user"),
        ("documents", "column owner_id to accounts.id"),
        ("comments", "nested document_id to documents.id, owner_id to accounts.id"),
        (
            "reactions",
            "nested comment_id to comments.id, document_id to documents.id, owner_id to accounts.id",
        ),
        ("notes", "column? author_id to accounts.id"),
        ("coupons", "ambiguous referrer_user_id user_id"),
        ("approvals", "ambiguous approved_by created_by"),
        ("organisations", "shared organisation_members"),
        ("organisation_members", "join"),
        ("projects", "ambiguous created_by organisation_id"),
        ("milestones", "shared organisation_members"),
        ("shipments", "column account_id to accounts.id"),
        ("parcels", "ambiguous number tenant"),
        ("letters", "column sender_email to accounts.email"),
        ("secrets", "column owner_id to accounts.id"),
        ("categories", "shared ratings"),
        ("ratings", "join"),
        ("folders", "column owner_id to accounts.id"),
        ("invoices", "column customer_id to accounts.id"),
        ("invoice_lines", "nested invoice_id to invoices.id, customer_id to accounts.id"),
        ("media", "column owner_id to accounts.id"),
        ("photos", "column owner_id to accounts.id"),
        ("articles", "column author_id to accounts.id"),
        ("orphans", "none"),
    ]);
    assert_eq!(owners, expected);
    let user = &read.contract["objects"]["user"];
    assert_eq!(user["why"], "`get_current_user` returns it");
    assert_eq!(
        user["roles"][1],
        json!({"name": "role", "kind": "choice", "choices": ["reader", "editor", "admin"]})
    );
}

#[test]
fn answers_are_linked_with_tables() {
    let read = of_file("archive.py", "MANTLET_TEST_IDENTITY");
    // Which table, how many, where the list, the number, the owner and the parent are.
    for (route, expected) in [
        ("GET /documents/{document_id}", json!(["documents", "one", null, null, "/ownerId", null])),
        ("GET /documents", json!(["documents", "list", "", null, "/ownerId", null])),
        ("GET /comments/{id}", json!(["comments", "one", null, null, null, "/document_id"])),
        (
            "GET /full-comments/{comment_id}",
            json!(["comments", "one", null, null, "/document/ownerId", "/document_id"]),
        ),
        ("GET /notes/{note_id}", json!(["notes", "one", null, null, "/author/id", null])),
        ("GET /letters/{letter_id}", json!(["letters", "one", null, null, "/from~1by", null])),
        ("GET /secrets/{secret_id}", json!(["secrets", "one", null, null, null, null])),
        // The model has it, and the operation leaves it out.
        ("GET /folders/{folder_id}", json!(["folders", "one", null, null, null, null])),
        ("GET /invoices", json!(["invoices", "page", "/items", "/total", "/customer_id", null])),
        ("GET /invoices/{invoice_id}", json!(["invoices", "one", null, null, "/data/customer_id", null])),
        (
            "GET /invoices/{invoice_id}/lines/{line_id}",
            json!(["invoice_lines", "one", null, null, null, "/invoice_id"]),
        ),
        ("GET /photos/{photo_id}", json!(["photos", "one", null, null, "/owner_id", null])),
        ("GET /documents/{document_id}/statistics", json!([null, null, null, null, null, null])),
    ] {
        let shows = &read.objects(route)["shows"];
        let found = ["table", "as", "items", "count", "owner", "parent"].map(|name| shows[name].clone());
        assert_eq!(json!(found), expected, "{route}");
    }
    for (route, expected) in [
        (
            "GET /documents/{document_id}/comments/{comment_id}",
            json!([["document_id", "documents", "id"], ["comment_id", "comments", "id"]]),
        ),
        ("GET /comments/{id}", json!([["id", "comments", "id"]])),
        (
            "GET /shipments/{tenant}/{number}",
            json!([["tenant", "shipments", "tenant"], ["number", "shipments", "number"]]),
        ),
        ("GET /articles/{slug}", json!([["slug", "articles", "slug"]])),
        (
            "GET /invoices/{invoice_id}/lines/{line_id}",
            json!([["invoice_id", "invoices", "id"], ["line_id", "invoice_lines", "id"]]),
        ),
        // A text is not the key, which is a number.
        ("GET /invoices/by-name/{invoice_id}", json!([])),
    ] {
        let parameters = read.objects(route)["parameters"].clone();
        let parameters = parameters.as_array().cloned().unwrap_or_default();
        let found: Vec<_> =
            parameters.iter().map(|one| json!([one["name"], one["table"], one["field"]])).collect();
        assert_eq!(json!(found), expected, "{route}");
    }
    assert_eq!(read.objects("GET /everything")["behind"], json!(["RoleChecker", "get_current_active_user"]));
}

#[test]
fn rules_are_proposed_where_one_column_leads_to_the_user() {
    let read = of_file("archive.py", "MANTLET_TEST_IDENTITY");
    assert_eq!(read.rules(), Vec::<String>::new(), "{}", read.said);
}

#[test]
fn rules_are_proposed_for_the_template_with_sqlmodel() {
    let read = of_file("guild.py", "MANTLET_TEST_PYTHON");
    assert_eq!(read.rules(), Vec::<String>::new(), "{}", read.said);
}

#[test]
fn rules_are_proposed_for_the_template_with_sqlalchemy() {
    let python = provided("MANTLET_TEST_IDENTITY").into_string().expect("text");
    let typed = Typed::mantlet(["contract", "app.main:app", "--python", &python]);
    let read = read(in_folder(typed, &apps().join("identity/settings"), ""));
    assert_eq!(read.rules(), Vec::<String>::new(), "{}", read.said);
}

#[test]
fn rules_are_proposed_for_tables_that_an_app_creates_itself() {
    let read = read(Typed::mantlet(["contract"]).shop());
    assert_eq!(read.rules(), Vec::<String>::new(), "{}", read.said);
}
