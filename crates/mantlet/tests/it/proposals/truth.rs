//! What is right of the proposals, and what is missed: recall and precision, for apps of several styles.
//!
//! Beside each operation on objects that are not for all stands the rule that is right for it, as a person who
//! knows the app says.
//!
//! | sign | meaning |
//! |---|---|
//! | `+` | it is proposed |
//! | `-` | it is missed; why |
//! | `~` | a weaker one is proposed: it refuses nothing wrongly, but not all that it should |
//! | `!` | one is proposed, and it is wrong: the objects are for all, and nothing in the code says so |
//!
//! *Precision* is the part of what is proposed that refuses nothing wrongly. *Recall* is the part of what is
//! needed that is proposed as it is right.

use std::collections::BTreeSet;

use super::{Read, in_folder, of_file, read};
use crate::kit::{app::apps, command::Typed, provided};

/// What is true of an app, in the order of its text.
fn check(name: &str, read: &Read, truth: &str, expected: &str) {
    let mut all = [const { BTreeSet::new() }; 4];
    for line in truth.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (sign, rest) = line.split_once(' ').expect("a sign and a rule");
        let (methods, rule) = rest.split_once(' ').expect("methods and a rule");
        let rule = rule.split_once(" # ").map_or(rule, |(rule, _)| rule);
        let at = "+-~!".find(sign).unwrap_or_else(|| panic!("{line}"));
        all[at].extend(methods.split(',').map(|method| format!("{method} {rule}")));
    }
    let [right, missed, weaker, wrong] = all;
    let proposed = read.by_operation();
    let told: BTreeSet<String> = right.iter().chain(&weaker).chain(&wrong).cloned().collect();
    let differ: Vec<_> = proposed.symmetric_difference(&told).collect();
    assert!(differ.is_empty(), "{name}: {differ:#?}\n{}", read.said);
    let needed = right.len() + missed.len() + weaker.len();
    let part = |some: usize, all: usize| format!("{some} of {all}");
    let said = format!(
        "precision {}, recall {}",
        part(proposed.len() - wrong.len(), proposed.len()),
        part(right.len(), needed)
    );
    println!("{name}: {said}");
    assert_eq!(said, expected, "{name}");
}

fn of_folder(folder: &str, app: &str) -> Read {
    let python = provided("MANTLET_TEST_IDENTITY").into_string().expect("text");
    let typed = Typed::mantlet(["contract", app, "--python", &python]);
    read(in_folder(typed, &apps().join(folder), ""))
}

#[test]
fn of_the_shop() {
    let truth = "
        + GET /orders/{order_id}: response:/user_id = principal:id
        + GET /orders: item:/user_id = principal:id
    ";
    check("shop", &read(Typed::mantlet(["contract"]).shop()), truth, "precision 2 of 2, recall 2 of 2");
}

#[test]
fn of_the_workspace() {
    let truth = "
        + GET,PATCH /users/{user_id}: path:user_id = principal:id
        + GET /users/{user_id}/notes: path:user_id = principal:id

        - GET /organizations/{organization_id}: path:organization_id = principal:org_ids # it may be for all
        + GET /organizations/{organization_id}/members: path:organization_id = principal:org_ids
        - POST /organizations/{organization_id}/members: path:organization_id = principal:admin_org_ids # it may be how one joins
        ~ DELETE /organizations/{organization_id}/members/{user_id}: path:organization_id = principal:org_ids # administrators alone
        + GET,POST /organizations/{organization_id}/projects: path:organization_id = principal:org_ids
        + GET /projects: item:/organization_id = principal:org_ids
        + GET,PATCH /projects/{project_id}: response:/organization_id = principal:org_ids
        ~ DELETE /projects/{project_id}: response:/organization_id = principal:org_ids # administrators alone

        + GET /notes: item:/owner_id = principal:id
        + POST /notes: body:/owner_id = principal:id
        + GET /notes/batch: item:/owner_id = principal:id
        + POST /notes/batch-delete: response:/owner_id = principal:id; read /notes/{body:/ids}
        + GET /notes/export: query:owner_id = principal:id
        + GET,HEAD,PUT,PATCH,DELETE /notes/{note_id}: response:/owner_id = principal:id; read /notes/{note_id}
        + GET /notes/{note_id}/attachment: response:/owner_id = principal:id; read /notes/{note_id}
        + PUT /notes/{note_id}/attachment: response:/owner_id = principal:id; read /notes/{note_id}
        + GET,POST /notes/{note_id}/comments: response:/owner_id = principal:id; read /notes/{note_id}
        + GET,PATCH,DELETE /comments/{comment_id}: response:/owner_id = principal:id; also response:/author_id; read /notes/{response:/note_id}
        + GET /trash: item:/owner_id = principal:id
        + GET /trash/{note_id}: response:/owner_id = principal:id
        + POST /trash/{note_id}/restore: response:/owner_id = principal:id; read /trash/{note_id}

        + GET /invoices: item:/ownerId = principal:id
        + GET,PATCH /invoices/{invoice_id}: response:/ownerId = principal:id
        + POST /invoices/{invoice_id}/pay: response:/ownerId = principal:id; read /invoices/{invoice_id}
        + GET /invoices/journal: query:owner_id = principal:id

        - GET /boards/{board_id}: response:/owner_id = principal:id; also response:/reader_ids # no answer has the readers
        - PATCH /boards/{board_id}: response:/owner_id = principal:id # it is shared: who may rename it is not said
        - PUT /boards/{board_id}/readers/{user_id}: response:/owner_id = principal:id; read /boards/{board_id} # as above
    ";
    let expected = "precision 36 of 36, recall 34 of 41";
    check("workspace", &of_folder("objects", "app.main:app"), truth, expected);
}

#[test]
fn of_the_templates() {
    let sqlmodel = "
        + GET,PUT,DELETE /api/v1/items/{id}: response:/owner_id = principal:id
        + GET /api/v1/items/: item:/owner_id = principal:id
        + GET /api/v1/users/{user_id}: path:user_id = principal:id
        + GET /api/v1/users/{user_id}/items: path:user_id = principal:id
        ! GET /api/v1/tools/{tool_id}: response:/lent_to = principal:id # with a doubt, so it only reports
    ";
    let read = of_file("guild.py", "MANTLET_TEST_PYTHON");
    check("template with SQLModel", &read, sqlmodel, "precision 6 of 7, recall 6 of 6");
    let sqlalchemy = "
        + GET /api/v1/items/{item_id}: response:/owner_id = principal:id
        + GET /api/v1/items/: item:/owner_id = principal:id
        + GET /api/v1/users/{user_id}: path:user_id = principal:id
    ";
    let read = of_folder("identity/settings", "app.main:app");
    check("template with SQLAlchemy", &read, sqlalchemy, "precision 3 of 3, recall 3 of 3");
    // Only superusers name another user.
    let read = of_folder("identity/users", "app.app:app");
    check("FastAPI Users", &read, "", "precision 0 of 0, recall 0 of 0");
}

#[test]
fn of_an_archive_with_owners_of_every_kind() {
    let truth = "
        + GET /accounts/{account_id}: path:account_id = principal:id
        + GET /accounts/{account_id}/documents: path:account_id = principal:id
        + PUT /articles/{slug}: response:/author_id = principal:id
        + GET /full-comments/{comment_id}: response:/document/ownerId = principal:id
        + GET /documents/{document_id}/comments/{comment_id}: response:/ownerId = principal:id; read /documents/{response:/document_id}
        + GET /comments/{id}: response:/ownerId = principal:id; read /documents/{response:/document_id}
        + GET,PATCH,DELETE /documents/{document_id}: response:/ownerId = principal:id
        + GET /documents: item:/ownerId = principal:id
        + POST /documents/{document_id}/archive: response:/ownerId = principal:id; read /documents/{document_id}
        + GET /documents/{document_id}/statistics: response:/ownerId = principal:id; read /documents/{document_id}
        + GET /invoices/{invoice_id}/lines/{line_id}: response:/data/customer_id = principal:id; read /invoices/{response:/invoice_id}
        + GET /invoices/{invoice_id}: response:/data/customer_id = principal:id
        + GET /invoices: item:/customer_id = principal:id
        + GET /letters/{letter_id}: response:/from~1by = principal:email
        + GET /notes/{note_id}: response:/author/id = principal:id
        + GET /photos/{photo_id}: response:/owner_id = principal:id
        + GET /shipments/{tenant}/{number}: response:/account_id = principal:id

        - GET /reactions/{reaction_id}: three steps # a rule follows two
        - GET /secrets/{secret_id}: its owner # no answer has it
        - GET /folders/{folder_id}: its owner # no answer has it
        - GET /parcels/{parcel_id}: the owner of its shipment # the key of that has two columns
        - GET /coupons/{coupon_id}: response:/user_id = principal:id # two columns name users
        - GET /approvals/{approval_id}: response:/created_by = principal:id # two columns name users
        - GET /organisations/{organisation_id}: path:organisation_id # nothing says which ones are the caller's
        - GET /projects/{project_id}: its organisation # nothing says which ones are the caller's
        - GET /milestones/{milestone_id}: response:/organisation_id # nothing says which ones are the caller's
        - GET /invoices/by-name/{invoice_id}: its owner # no answer has it
    ";
    let read = of_file("archive.py", "MANTLET_TEST_IDENTITY");
    check("archive", &read, truth, "precision 19 of 19, recall 19 of 29");
}

#[test]
fn of_a_market_where_some_is_for_all() {
    let truth = "
        + PATCH /companies/{company_id}: path:company_id = principal:company_ids
        + GET /companies/{company_id}/contracts: path:company_id = principal:company_ids
        + GET /contracts/export: query:company_id = principal:company_ids
        + GET /contracts/{contract_id}: response:/company_id = principal:company_ids
        + GET /contracts/{contract_id}/file: response:/company_id = principal:company_ids; read /contracts/{contract_id}
        + GET /clauses/{clause_id}: response:/company_id = principal:company_ids; read /contracts/{response:/contract_id}
        + PATCH /products/{product_id}: response:/company_id = principal:company_ids

        + GET /addresses: item:/user_id = principal:id
        + POST /addresses: body:/user_id = principal:id
        + POST /addresses/merge: response:/user_id = principal:id; read /addresses/{body:/address_ids}
        - POST /addresses/remove: response:/user_id = principal:id; read /addresses/{body:/ids} # a rule reads a hundred objects at most
        + GET /addresses/labels: response:/user_id = principal:id; read /addresses/{query:ids}
        + GET /addresses/{address_id}: response:/user_id = principal:id
        - GET /orders/{order_id}: response:/user_id = principal:id # or of the company
        - GET /parcels: item:/sender_id = principal:id # or of whose address it is
        + GET /parcels/{parcel_id}: response:/user_id = principal:id; also response:/sender_id; read /addresses/{response:/address_id}
        - POST /parcels/{parcel_id}/track: as above # a rule follows two steps
        + GET,PATCH /carts/{cart_id}: response:/user_id = principal:id
        + DELETE /stories/{story_id}: response:/author_id = principal:id

        ! GET /photos/{photo_id}: response:/user_id = principal:id
    ";
    let read = of_file("market.py", "MANTLET_TEST_IDENTITY");
    check("market", &read, truth, "precision 16 of 17, recall 16 of 20");
}

#[test]
fn of_tenants_with_users_in_one_of_them() {
    let truth = "
        + GET /sites: item:/tenant_id = principal:tenant_id
        + GET,DELETE /sites/{site_id}: response:/tenant_id = principal:tenant_id
        + GET /sites/{site_id}/sensors: response:/tenant_id = principal:tenant_id; read /sites/{site_id}
        + GET /sensors/{sensor_id}: response:/tenant_id = principal:tenant_id; read /sites/{response:/site_id}
        - GET /notes/{note_id}: response:/tenant_id = principal:tenant_id # or of who has written it
    ";
    let read = of_file("tenants.py", "MANTLET_TEST_IDENTITY");
    check("tenants", &read, truth, "precision 5 of 5, recall 5 of 6");
}
