//! What `mantlet contract` says of objects and their owners, for apps of several styles.

mod truth;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

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

/// An app of one file in `tests/apps/proposals`, or of the text.
fn of_file(name: &str, python: &str) -> Read {
    let text = fs::read_to_string(apps().join("proposals").join(name)).expect("an app");
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
            let part = if step["part"] == true { " (a part)" } else { "" };
            format!("{} to {}.{}{part}", text(&step["column"]), text(&step["to"]), text(&step["key"]))
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
        self.texts().iter().map(|text| rule(&own(text))).collect()
    }

    /// Operations that are proposed a rule for, and whose it says an object has to be.
    fn by_operation(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for text in self.texts() {
            let own = own(&text);
            let list = |name: &str| own.get(name).map(|list| list.as_array().expect("a list").clone());
            let told = ["owner", "equals", "also", "read"];
            let whose = own.clone().into_iter().filter(|(name, _)| told.contains(&&**name)).collect();
            let whose = rule(&whose);
            for path in list("paths").expect("paths") {
                let path = path.as_str().expect("a path").to_owned();
                let methods = match list("methods") {
                    Some(methods) => {
                        methods.iter().map(|method| method.as_str().expect("a method").to_owned()).collect()
                    }
                    None => self.methods(&path),
                };
                found.extend(methods.iter().map(|method| format!("{method} {path}{whose}")));
            }
        }
        found
    }

    fn methods(&self, path: &str) -> Vec<String> {
        let routes = self.contract["router"]["routes"].as_array().expect("routes").iter();
        let methods = routes.filter(|route| route["path"] == path).map(|route| route["methods"].as_array());
        let methods = methods.flatten().flatten();
        methods.map(|method| method.as_str().expect("a method").to_owned()).collect()
    }

    /// The text of each proposed rule.
    fn texts(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut text = String::new();
        // What follows a comment is offered, not proposed.
        let lines = self.said.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        for line in lines.chain([""]) {
            if line.starts_with("[[authorization.own]]") || (!text.is_empty() && !line.contains(" = ")) {
                found.extend(Some(std::mem::take(&mut text)).filter(|text| !text.is_empty()));
            }
            if line.starts_with("[[authorization.own]]") || !text.is_empty() {
                text.push_str(line);
                text.push('\n');
            }
        }
        found
    }
}

/// The rule of a text; it has to be TOML.
fn own(text: &str) -> toml::Table {
    let read: toml::Table = toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    read["authorization"]["own"][0].as_table().expect("a rule").clone()
}

/// A rule in one line.
fn rule(rule: &toml::Table) -> String {
    let one = |name: &str| rule.get(name).map(|value| value.as_str().expect("a text").to_owned());
    let all = |name: &str| {
        let list = rule.get(name)?.as_array().expect("a list").iter();
        Some(list.map(|one| one.as_str().expect("a text").to_owned()).collect::<Vec<_>>().join(" "))
    };
    let rest = ["also", "read", "items", "count", "missing", "nulls", "mode"];
    let rest = rest.iter().filter_map(|name| Some(format!("; {name} {}", one(name)?))).collect::<String>();
    let methods = all("methods").map(|all| format!(" ({all})")).unwrap_or_default();
    format!(
        "{}{methods}: {} = {}{rest}",
        all("paths").unwrap_or_default(),
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
        ("notes", "column? author_id to accounts.id (a part)"),
        ("coupons", "ambiguous referrer_user_id user_id"),
        ("approvals", "ambiguous approved_by created_by"),
        ("organisations", "shared organisation_members"),
        ("organisation_members", "join"),
        ("projects", "ambiguous created_by organisation_id"),
        ("milestones", "shared organisation_members"),
        ("shipments", "column account_id to accounts.id"),
        ("parcels", "ambiguous number tenant"),
        ("letters", "column sender_email to accounts.email (a part)"),
        ("secrets", "column owner_id to accounts.id"),
        ("categories", "shared ratings"),
        ("ratings", "join"),
        ("folders", "column owner_id to accounts.id"),
        ("invoices", "column customer_id to accounts.id"),
        ("invoice_lines", "nested invoice_id to invoices.id, customer_id to accounts.id"),
        ("media", "column owner_id to accounts.id"),
        ("photos", "column owner_id to accounts.id"),
        ("articles", "column author_id to accounts.id (a part)"),
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
    let expected = [
        "/accounts/{account_id} /accounts/{account_id}/documents: path:account_id = principal:id",
        // All may read it.
        "/articles/{slug} (PUT): response:/author_id = principal:id; mode report",
        "/full-comments/{comment_id}: response:/document/ownerId = principal:id",
        "/documents/{document_id}/comments/{comment_id} /comments/{id}: response:/ownerId = principal:id; read /documents/{response:/document_id}",
        "/documents/{document_id}: response:/ownerId = principal:id",
        "/documents/{document_id}/archive /documents/{document_id}/statistics: response:/ownerId = principal:id; read /documents/{document_id}",
        "/documents (GET): item:/ownerId = principal:id; items ",
        "/invoices/{invoice_id}/lines/{line_id}: response:/data/customer_id = principal:id; read /invoices/{response:/invoice_id}",
        "/invoices/{invoice_id}: response:/data/customer_id = principal:id",
        "/invoices: item:/customer_id = principal:id; items /items; count /total",
        "/letters/{letter_id}: response:/from~1by = principal:email; mode report",
        "/notes/{note_id}: response:/author/id = principal:id; nulls pass; mode report",
        "/photos/{photo_id}: response:/owner_id = principal:id",
        "/shipments/{tenant}/{number}: response:/account_id = principal:id",
    ];
    assert_eq!(read.rules(), expected, "{}", read.said);
    for said in [
        "  `coupons` have no single column that names the owner (`referrer_user_id`, `user_id`); in 1 operation, checked by no rule",
        "  `projects` have no single column that names the owner (`created_by`, `organisation_id`); in 1",
        "  `categories` are shared: `ratings` says which users have a part in them; in 1",
        "  `organisations` belong to the members of one `organisations`, as `organisation_members` says; in 1",
        "    GET /milestones/{milestone_id}: the answer of `GET /me` has no list of the keys of each `organisations`",
        "    GET /reactions/{reaction_id}: the owner is 3 steps away, and a rule follows two",
        "    GET /secrets/{secret_id}: its answer (`SecretOut`) does not have the owner: the gate cannot see whose it is",
        "    GET /folders/{folder_id}: its answer (`FolderOut`) does not have the owner",
        "    GET /everything: it is meant for administrators",
        "    GET /articles/{slug}: it does not ask who is calling",
        "    GET /accounts: it lists users",
        "    # `notes.author_id` may be null: such an object is of nobody",
        "    unless  = [\"principal:is_staff\", \"principal:role = admin\"]",
        "  `articles` have one column that names a user, and it does not say that this is the owner (`author_id`)",
        "    # doubt: `letters.sender_email` names a user, and its name does not say that the user is the owner",
    ] {
        assert!(read.said.contains(said), "{said} in {}", read.said);
    }
}

#[test]
fn rules_are_proposed_for_the_template_with_sqlmodel() {
    let read = of_file("guild.py", "MANTLET_TEST_PYTHON");
    let expected = [
        "/api/v1/items/{id}: response:/owner_id = principal:id",
        "/api/v1/items/ (GET): item:/owner_id = principal:id; items /data; count /count",
        // To whom it is lent: that need not be the owner.
        "/api/v1/tools/{tool_id}: response:/lent_to = principal:id; nulls pass; mode report",
        // Its other methods are for superusers.
        "/api/v1/users/{user_id} (GET): path:user_id = principal:id",
        "/api/v1/users/{user_id}/items: path:user_id = principal:id",
    ];
    assert_eq!(read.rules(), expected, "{}", read.said);
}

#[test]
fn rules_are_proposed_for_the_template_with_sqlalchemy() {
    let python = provided("MANTLET_TEST_IDENTITY").into_string().expect("text");
    let typed = Typed::mantlet(["contract", "app.main:app", "--python", &python]);
    let read = read(in_folder(typed, &apps().join("identity/settings"), ""));
    let expected = [
        "/api/v1/items/{item_id}: response:/owner_id = principal:id",
        "/api/v1/items/ (GET): item:/owner_id = principal:id; items ",
        "/api/v1/users/{user_id}: path:user_id = principal:id",
    ];
    assert_eq!(read.rules(), expected, "{}", read.said);
}

#[test]
fn rules_are_proposed_for_tables_that_an_app_creates_itself() {
    let read = read(Typed::mantlet(["contract"]).shop());
    let expected = [
        "/orders/{order_id}: response:/user_id = principal:id; mode report",
        "/orders (GET): item:/user_id = principal:id; items ; mode report",
    ];
    assert_eq!(read.rules(), expected, "{}", read.said);
}

#[test]
fn a_dependency_that_was_made_to_ask_for_a_superuser_is_not_for_all() {
    let python = provided("MANTLET_TEST_IDENTITY").into_string().expect("text");
    let typed = Typed::mantlet(["contract", "app.app:app", "--python", &python]);
    let read = read(in_folder(typed, &apps().join("identity/users"), ""));
    assert_eq!(read.contract["objects"]["user"]["table"], "user", "{}", read.said);
    assert_eq!(read.rules(), Vec::<String>::new(), "{}", read.said);
    let unchecked =
        "no rule that checks whose it is; none is proposed:\n    DELETE /users/{id}\n    GET /users/{id}\n";
    assert!(read.said.contains(unchecked), "{}", read.said);
}

/// An app with a login, these tables and a path with a key.
fn with_tables(tables: &str) -> Read {
    let code = "from typing import Annotated\nfrom fastapi import Depends, FastAPI\n\
                from fastapi.security import OAuth2PasswordBearer\napp = FastAPI()\n\
                Token = Annotated[str, Depends(OAuth2PasswordBearer(tokenUrl='t'))]\n\
                @app.get('/orders/{order_id}')\ndef order(order_id: int, token: Token) -> dict: ...\n";
    of_text("main.py", &format!("{code}TABLES = '''{tables}'''\n"), "MANTLET_TEST_PYTHON")
}

#[test]
fn tables_are_read_from_statements_of_an_app() {
    let users = "CREATE TABLE users (id int primary key, pw_hash text);";
    for (orders, owner, key) in [
        (
            "create table orders (id int, user_id int references users)",
            "column? user_id to users.id",
            json!([]),
        ),
        (
            "CREATE TABLE IF NOT EXISTS \"orders\" (\n  [id] INTEGER PRIMARY KEY, -- not, this\n  /* nor, (this */ `user_id` \
             INTEGER NOT NULL,\n  price NUMERIC(10, 2) CHECK (price > 0),\n  \
             CONSTRAINT whose FOREIGN KEY (user_id) REFERENCES \"users\" (\"id\") ON DELETE CASCADE\n)",
            "column user_id to users.id",
            json!(["id"]),
        ),
        (
            "CREATE TABLE orders (shop int, id int, a int REFERENCES users(id), b int REFERENCES users(id), PRIMARY KEY (shop, id))",
            "ambiguous a b",
            json!(["shop", "id"]),
        ),
        (
            "CREATE TABLE orders (id int primary key, approved_by int REFERENCES users(id))",
            "column? approved_by to users.id (a part)",
            json!(["id"]),
        ),
        ("CREATE TABLE orders (id int primary key, shop int REFERENCES absent (id))", "none", json!(["id"])),
        // It is cut off.
        ("CREATE TABLE orders (id int primary key, user_id int REFERENCES users(id", "none", json!(["id"])),
    ] {
        let read = with_tables(&format!("{users}\n{orders}"));
        assert_eq!(read.owners()["orders"], owner, "{orders}");
        let tables = read.contract["objects"]["tables"].as_array().unwrap();
        let found = tables.iter().find(|table| table["name"] == "orders").unwrap();
        assert_eq!(found["key"], key, "{orders}");
    }
}

#[test]
fn what_is_not_known_is_said() {
    let several = "CREATE TABLE staff (id int primary key, password text);\n\
                   CREATE TABLE clients (id int primary key, password text);";
    for (tables, why) in [
        (several, "several have a password: `clients`, `staff`"),
        ("CREATE TABLE orders (id int primary key)", "none has a password"),
    ] {
        let read = with_tables(tables);
        let says = format!(
            "objects: it is not known which table has the users: no dependency is annotated with a table, and {why}"
        );
        assert!(read.said.contains(&says), "{says} in {}", read.said);
        assert_eq!(read.rules(), Vec::<String>::new());
    }
    // Without tables nothing is said but which operations have an id.
    let read = with_tables("");
    assert_eq!(read.contract.get("objects"), None);
    assert!(!read.said.contains("objects:"), "{}", read.said);
    assert!(read.said.contains("none is proposed:\n    GET /orders/{order_id}"), "{}", read.said);
}

/// Which names of columns say that the user is the owner.
#[test]
fn a_column_that_names_a_user_need_not_name_the_owner() {
    let owning = [
        "user_id",
        "owner_id",
        "owner",
        "owned_by",
        "owner_user_id",
        "userId",
        "user_uuid",
        "account_id",
        "customer_id",
        "member_id",
        "username",
        "uid",
        "person_id",
    ];
    let parts = [
        "created_by",
        "creator_id",
        "author_id",
        "recipient_id",
        "sender_id",
        "assignee_id",
        "assigned_user_id",
        "updated_by",
        "reviewer_id",
        "approved_by",
        "invited_by",
        "manager_id",
        "doctor_id",
        "last_user_id",
        "referrer_user_id",
        "user_approver_id",
        "id_of_seller",
    ];
    let named = |name: &&str| {
        format!("CREATE TABLE t_{name} (id int primary key, \"{name}\" int NOT NULL REFERENCES persons(id));")
    };
    let tables: String = owning.iter().chain(&parts).map(named).collect();
    let read = with_tables(&format!("CREATE TABLE persons (id int primary key, pw_hash text);\n{tables}"));
    let owners = read.owners();
    for (names, part) in [(&owning[..], ""), (&parts[..], " (a part)")] {
        for name in names {
            assert_eq!(owners[&format!("t_{name}")], format!("column {name} to persons.id{part}"));
        }
    }
}
