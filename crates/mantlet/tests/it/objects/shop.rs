//! The example shop: numbers as keys, a token that is not a JWT, and orders of users.

use serde_json::{Value, json};

use super::{
    Clients, Object, Subject,
    matrix::{self, Covered},
    table::Request,
};
use crate::kit::{command::copy_shop, eventually};

pub(super) const SHOP: Subject = Subject {
    python: "MANTLET_TEST_PYTHON",
    copy: copy_shop,
    entry: "main:app",
    table: TABLE,
    account: |name| {
        let username = username(name);
        [username.to_owned(), format!("{username}-password")]
    },
    login: "/token",
    // The shop has no organisations: she is one more user.
    prepare: |clients| {
        let cora = json!({"username": "cora", "email": "cora@shop.example", "password": "cora-password"});
        clients.nobody().create(&Request::post("/users").json(&cora.to_string()));
    },
    make,
    absent: || "987654321".to_owned(),
    by_hand: include_str!("shop.toml"),
};

fn username(name: &str) -> &str {
    match name {
        "ann" => "alice",
        "root" => "admin",
        other => other,
    }
}

const TABLE: &str = r#"
GET /users/me
    needs  alice
    both   200   200-  200-  200-  401   -
PATCH /users/me
    body   {"email": "{new}@shop.example"}
    needs  alice
    both   204   204-  204-  204-  401   -
POST /users/me/email
    form   email={new}@shop.example
    needs  alice
    both   200   200-  200-  200-  401   -

GET /orders
    needs  order
    both   200   200-  200-  200-  401   -
POST /orders
    body   {"product_id": 1, "quantity": 1, "address": "1 Archer's Row"}
    needs  order
    look   /orders
    both   201   201-  201-  201-  401   -
GET /orders/{order}
    bare   200   200   200   200   401   404
    gated  200   404   404   200   401   404
GET /orders/feed
    endless
    bare      200-  200-  200-  200-  200-  -
    accepted  200-  200-  200-  200-  200-  -
    gated     403   403   403   200-  401   -

GET /admin/orders
    needs  order
    bare      200   200   200   200   401   -
    gated     403   403   403   200   401   -
GET /admin/users
    needs  alice
    bare      200   200   200   200   401   -
    gated     403   403   403   200   401   -
DELETE /admin/products/{product}
    bare      204   204   204   204   401   404
    gated     403   403   403   204   401   403

GET /products/{product}
    both   200   200   200   200   200   404
GET /products/{product}/reviews
    both   200-  200-  200-  200-  200-  200-
POST /products/{product}/reviews
    body   {"stars": 5, "text": "It flies"}
    look   /products/{product}/reviews
    both   201   201   201   201   401   -
GET /search?limit=1000
    needs  product
    both   200   200   200   200   200   -

PUT /partners/prices
    body   {"{product}": 100}
    bare      204   204   204   204   401   204-
    accepted  204   204   204   204   401   204-
    gated     403   403   403   204   401   403
POST /partners/payments
    body   {"order": {order}, "status": "paid"}
    bare      204   204   204   204   204   204-
    accepted  204   204   204   204   204   204-
    gated     403   403   403   403   401   403
"#;

fn make(clients: &Clients, name: &str) -> Object {
    let owner = clients.owner();
    let secret = clients.secret();
    let create = |target: &str, body: Value| {
        let created = owner.create(&Request::post(target).json(&body.to_string()));
        let id = created["id"].to_string();
        let seen_at = format!("{target}/{id}");
        // The shop answers first and commits then.
        eventually(&seen_at, || (owner.get(&seen_at).0 == 200).then_some(()));
        (id, seen_at)
    };
    let (id, seen_at) = match name {
        "alice" => {
            let id = owner.ask(&Request::get("/users/me")).json()["id"].to_string();
            return Object {
                id,
                secret: "\"username\":\"alice\"".to_owned(),
                seen_at: "/users/me".to_owned(),
            };
        }
        "order" => create("/orders", json!({"product_id": 1, "quantity": 1, "address": secret})),
        "product" => {
            let product = json!({"name": secret, "category": "bows", "price_cents": 100});
            create("/products", product)
        }
        _ => panic!("no object is called {name:?}"),
    };
    Object { id, secret, seen_at }
}

#[test]
fn the_shop_alone_shows_and_changes_what_belongs_to_others() {
    matrix::check_bare(&SHOP);
}

#[test]
fn the_shop_behind_the_gate_shows_and_changes_only_what_is_the_callers() {
    matrix::check_gated(&SHOP, &Covered { by_proposals: 12, by_hand: 14 });
}
