//! Ids that nobody showed the caller: the shop's tokens are opaque, so a caller is a session here.

use serde_json::{Value, json};

use super::Shop;
use crate::kit::{command::Typed, eventually};

const LIMIT: u32 = 5;

fn config(mode: &str) -> String {
    format!("[authorization.enumeration]\nmode = \"{mode}\"\nids = {LIMIT}\n")
}

/// Makes orders; the numbers that the app has told.
fn orders(shop: &Shop, count: usize) -> Vec<u64> {
    let order = json!({"product_id": 1, "quantity": 1, "address": "1 Archer's Row"}).to_string();
    let ids = (0..count).map(|_| shop.post("/orders", &order).json()["id"].as_u64().expect("an id"));
    ids.collect()
}

fn told(shop: &Shop) -> Vec<Value> {
    shop.mark();
    let of_ids = |record: &Value| record["reason"] == "object-enumeration";
    shop.audit().into_iter().filter(of_ids).collect()
}

#[test]
fn who_counts_ids_upwards_is_recorded_or_refused() {
    for (mode, refused) in [("report", 404), ("enforce", 429)] {
        let shop = Shop::open(&config(mode));
        let own = orders(&shop, 8);
        // What answers have shown may be asked for, however much it is, and so may a few links.
        for id in own.iter().chain(&own) {
            assert_eq!(shop.get(&format!("/orders/{id}")).status, 200);
        }
        for number in 0..LIMIT {
            assert_eq!(shop.get(&format!("/orders/{}", 90_000 + number)).status, 404);
            assert_eq!(shop.get("/orders/90000").status, 404, "the same one again");
        }
        assert_eq!(told(&shop), Vec::<Value>::new());
        for number in LIMIT..LIMIT + 3 {
            let answer = shop.get(&format!("/orders/{}", 90_000 + number));
            assert_eq!(answer.status, refused, "{answer:?}");
            let wait = answer.header("retry-after").and_then(|seconds| seconds.parse().ok());
            assert_eq!(wait.is_some_and(|seconds: u32| (1..=3_600).contains(&seconds)), refused == 429);
        }
        // What was shown before may still be asked for, and what asks for no login is not counted.
        assert_eq!(shop.get(&format!("/orders/{}", own[0])).status, 200);
        for product in 1..20 {
            assert_ne!(shop.get(&format!("/products/{product}")).status, 429);
        }
        let (times, action) = if mode == "report" { (1, "pass") } else { (3, "refuse") };
        let told = eventually("the records", || Some(told(&shop)).filter(|told| told.len() >= times));
        assert_eq!(told.len(), times, "{told:#?}");
        assert_eq!((&told[0]["action"], &told[0]["subject"]), (&json!(action), &json!("/orders/{order_id}")));
        let other = if mode == "report" { "enforce" } else { "report" };
        assert_eq!(told[0]["remedy"], format!("authorization.enumeration.mode = \"{other}\""));
    }
}

#[test]
fn it_is_off_by_default() {
    let shop = Shop::open("");
    for number in 0..30 {
        assert_eq!(shop.get(&format!("/orders/{}", 90_000 + number)).status, 404);
    }
    assert_eq!(told(&shop), Vec::<Value>::new());
}

#[test]
fn a_limit_that_means_nothing_is_a_mistake() {
    let said = Typed::mantlet(["config", "check"])
        .file("mantlet.toml", "[authorization.enumeration]\nids = 0\nperiod = \"30days\"\n")
        .finish();
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    for what in ["enumeration.ids", "write 1 to 1000", "enumeration.period", "write `1s` to `24h`"] {
        assert!(said.stderr.contains(what), "{what}: {}", said.stderr);
    }
}
