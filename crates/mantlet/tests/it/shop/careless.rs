//! What the shop is careless with, in both postures.

use serde_json::json;

use super::{COMPATIBLE, STRICT, Shop, faults};

#[test]
fn the_hidden_route() {
    let compatible = Shop::open(COMPATIBLE);
    assert_eq!(compatible.get("/internal/debug").json()["signing_key"], "change-me");
    let record = compatible.told().remove(0);
    assert_eq!((&record["action"], &record["reason"]), (&json!("pass"), &json!("route-hidden")));

    let strict = Shop::open(STRICT);
    strict.unreached(|| strict.refused(&strict.get("/internal/debug"), 404, "route-hidden"));
}

#[test]
fn mass_assignment() {
    let sign_up =
        r#"{"username": "carol", "email": "carol@shop.example", "password": "long enough", "is_admin": 1}"#;
    let compatible = Shop::open(COMPATIBLE);
    assert_eq!(compatible.post("/users", sign_up).status, 201);
    compatible.shows("/admin/users", "/3/is_admin", &json!(0));
    let record = compatible.told().remove(0);
    assert_eq!((&record["action"], &record["subject"]), (&json!("strip"), &json!("is_admin")));

    let strict = Shop::open(STRICT);
    strict.unreached(|| strict.refused(&strict.post("/users", sign_up), 422, "input-unknown"));

    // A model that allows extras says that they are wanted.
    for shop in [compatible, strict] {
        let answer =
            shop.ask("PATCH", "/users/me", "Content-Type: application/json\r\n", br#"{"is_admin": 1}"#);
        assert_eq!(answer.status, 204, "{answer:?}");
        shop.shows("/users/me", "/is_admin", &json!(1));
    }
}

/// No contract says how long they may be; a limit of the route does.
#[test]
fn unbounded_strings() {
    let review = |length| json!({"stars": 5, "text": "x".repeat(length)}).to_string();
    for config in [COMPATIBLE, STRICT] {
        let shop = Shop::open(config);
        assert_eq!(shop.post("/products/1/reviews", review(500_000)).status, 201);
        let limit = "[[route]]\npath = \"/products/{product_id}/reviews\"\nlimits.body-size = \"64 KiB\"\n";
        let shop = Shop::open(&format!("{config}{limit}"));
        shop.unreached(|| {
            shop.refused(&shop.post("/products/1/reviews", review(500_000)), 413, "body-too-large");
        });
        assert_eq!(shop.post("/products/1/reviews", review(5000)).status, 201);
    }
}

/// The documents show a body, and the handler takes any: so does Mantlet, which says so when it starts.
#[test]
fn a_body_for_show_and_a_handler_that_reads_the_raw_request() {
    for config in [COMPATIBLE, STRICT] {
        let shop = Shop::open(config);
        let lines = "Content-Type: application/json\r\n";
        let answer = shop.ask("PUT", "/partners/prices", lines, br#"{"1": "cheap", "2": null}"#);
        assert_eq!(answer.status, 204, "{answer:?}");
        shop.shows("/products/1", "/supplier_price_cents", &json!("cheap"));
        let payment = br#"{"order": 1, "status": "paid", "anything": {"else": [1]}}"#;
        let answer = shop.ask("POST", "/partners/payments", "Content-Type: text/plain\r\n", payment);
        assert_eq!(answer.status, 204, "{answer:?}");
        shop.shows("/orders/1", "/status", &json!("paid"));
        let said = shop.process.stderr();
        assert!(said.contains("the app decides at 3 places"), "{said}");
        assert!(shop.audit().is_empty(), "{:#?}", shop.audit());
    }
}

#[test]
fn null_for_a_text_with_a_validator_that_runs_before() {
    for config in [COMPATIBLE, STRICT] {
        let shop = Shop::open(config);
        assert_eq!(shop.post("/products/2/reviews", r#"{"stars": 4, "text": null}"#).status, 201);
        shop.shows("/products/2/reviews", "/0", &json!({"stars": 4, "text": ""}));
        // What is beside it is still judged, and so is `null` where nothing runs before.
        shop.unreached(|| {
            let answer = shop.post("/products/2/reviews", r#"{"stars": null, "text": null}"#);
            shop.refused(&answer, 422, "input-invalid");
            assert_eq!(faults(&answer), json!([["int_type", ["body", "stars"]]]));
        });
    }
}

/// In compatible posture as the app's FastAPI treats it: strictly, unless a router says otherwise. In strict posture always strictly.
#[test]
fn json_without_a_content_type() {
    let sale = br#"{"product_id": 3, "quantity": "2"}"#;
    let order = br#"{"product_id": 1, "quantity": 2, "address": "x"}"#;
    let no_json = json!([["model_attributes_type", ["body"]]]);
    let compatible = Shop::open(COMPATIBLE);
    assert_eq!(compatible.ask("POST", "/tills/sales", "", sale).json(), json!({"sold": 2}));
    compatible.unreached(|| {
        let answer = compatible.ask("POST", "/tills/sales", "", br#"{"product_id": 3, "quantity": 0}"#);
        assert_eq!(faults(&answer), json!([["greater_than_equal", ["body", "quantity"]]]));
        let answer = compatible.ask("POST", "/orders", "", order);
        compatible.refused(&answer, 422, "input-invalid");
        assert_eq!(faults(&answer), no_json);
    });

    let strict = Shop::open(STRICT);
    strict.unreached(|| {
        for (target, body) in [("/tills/sales", &sale[..]), ("/orders", order)] {
            let answer = strict.ask("POST", target, "", body);
            strict.refused(&answer, 422, "input-invalid");
            assert_eq!(faults(&answer), no_json, "{target}");
        }
    });
    assert_eq!(strict.post("/tills/sales", sale).json(), json!({"sold": 2}));
}
