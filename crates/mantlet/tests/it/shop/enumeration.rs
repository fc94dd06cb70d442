//! Ids that no answer has shown the caller: tokens are opaque here, so a caller is known by its session.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::Shop;
use crate::kit::{Answer, Client, Setup, command::Typed, eventually};

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
    for what in ["enumeration.ids", "write 1 to 100", "enumeration.period", "write `1s` to `24h`"] {
        assert!(said.stderr.contains(what), "{what}: {}", said.stderr);
    }
}

/// A client that is logged in at `tests/apps/counted.py`.
struct Caller {
    address: SocketAddr,
    login: String,
}

impl Caller {
    fn new(address: SocketAddr, username: &str) -> Self {
        let mut caller = Self { address, login: String::new() };
        let form = format!("username={username}&password=a-password");
        let answer = caller.ask("POST /token", "application/x-www-form-urlencoded", &form);
        assert_eq!(answer.status, 200, "{answer:?}");
        let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
        caller.login = format!("Authorization: Bearer {token}\r\n");
        caller
    }

    fn ask(&self, request: &str, kind: &str, body: &str) -> Answer {
        let (login, length) = (&self.login, body.len());
        let mut client = Client::connect(self.address);
        client.send(format!(
            "{request} HTTP/1.1\r\nHost: localhost\r\n{login}Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        client.answer()
    }

    fn send(&self, request: &str, body: &Value) -> Answer {
        let answer = self.ask(request, "application/json", &body.to_string());
        assert!((200..300).contains(&answer.status), "{request}: {answer:?}");
        answer
    }

    fn get(&self, target: &str) -> u16 {
        self.ask(&format!("GET {target}"), "application/json", "").status
    }

    /// How many orders with these numbers it gets.
    fn orders(&self, numbers: impl IntoIterator<Item = u32>) -> usize {
        numbers.into_iter().filter(|number| self.get(&format!("/orders/{number}")) == 200).count()
    }
}

const MOST: usize = LIMIT as usize;

#[test]
fn a_caller_cannot_show_itself_ids() {
    let gateway = Setup::run("counted:app").config(&config("enforce")).start();
    let caller = |name: &str| Caller::new(gateway.addr(), name);
    assert_eq!(caller("plain").orders(1..20), MOST);
    let other = caller("products");
    assert_eq!(other.get("/products?n=100"), 200);
    assert_eq!(other.orders(1..20), MOST, "products are not orders");
    let bio: Vec<_> = (1..20).map(|number| format!("/orders/{number}")).collect();
    let echo = caller("bio");
    for text in bio.iter().chain([&bio.join("")]) {
        echo.send("PATCH /users/me", &json!({"bio": text}));
    }
    assert_eq!(echo.orders(1..20), MOST, "it has said them itself");
    let batch = caller("batch");
    batch.send("POST /orders/status", &json!({"ids": (1..20).collect::<Vec<_>>()}));
    assert_eq!(batch.get("/orders-of?ids=1,2,3%2C4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19"), 200);
    assert_eq!(batch.orders(1..20), MOST, "it has said them itself");
    // Neither other operations nor a new login make what is counted forgotten.
    let wide = caller("wide");
    let mut got = 0;
    for round in 0..4 {
        got += wide.orders(round * 5..round * 5 + 5);
        for number in 0..18 {
            assert_eq!(wide.get(&format!("/other{number}/1")), 200);
        }
    }
    assert_eq!(got, MOST);
    let logins = ["kate", "Kate", "KATE", "kate%20"].map(caller);
    let got: usize = (0..).zip(&logins).map(|(round, one)| one.orders(round * 10..round * 10 + 10)).sum();
    assert_eq!(got, MOST, "one account");
}

#[test]
fn what_an_app_has_shown_or_made_may_be_asked_for() {
    let gateway = Setup::run("counted:app").config(&config("enforce")).start();
    let caller = |name: &str| Caller::new(gateway.addr(), name);
    let list = caller("list");
    assert_eq!(list.get("/orders?n=200"), 200);
    assert_eq!(list.orders(1..=200), 200);
    // What is counted may be asked for again, and only others are refused.
    let polls = caller("polls");
    assert_eq!(polls.orders([1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 1, 2]), 12);
    let makes = caller("makes");
    for number in 1..15 {
        let made = makes.send("POST /orders", &Value::Null);
        let place = made.header("location").expect("a place").to_owned();
        assert_eq!(makes.get(&place), 200, "{place}");
        makes.send(&format!("PUT /notes/{number}"), &Value::Null);
    }
    let calendar = caller("calendar");
    for day in 1..29 {
        assert_eq!(calendar.get(&format!("/calendar/2026/11/{day}")), 200);
    }
}
