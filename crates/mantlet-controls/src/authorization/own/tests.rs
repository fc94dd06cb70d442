use std::time::Duration;

use http::{HeaderMap, Request};

use super::{
    absent::{Absent, Asked},
    *,
};
use crate::{
    Arrival, Context, Peer, Policy as WholePolicy, Scheme, Section, WireVerdict, authorization::Config,
    pipeline::open,
};

fn rule(owner: &str) -> OwnConfig {
    OwnConfig {
        paths: vec!["/orders/{order_id}".into()],
        owner: owner.into(),
        equals: "principal:id".into(),
        ..OwnConfig::default()
    }
}

fn mistakes(rule: OwnConfig) -> Vec<String> {
    let config = Config { own: vec![rule], ..Config::default() };
    let mistakes = config.check(&Context::default()).err().unwrap_or_default();
    mistakes.iter().map(|mistake| format!("{}: {}", mistake.key, mistake.message)).collect()
}

fn call(method: Method, target: &str) -> Call {
    let request = Request::builder().method(method).uri(target).body(()).unwrap();
    let peer = Peer::Ip("203.0.113.1:4711".parse().unwrap());
    let arrival = Arrival { peer, scheme: Scheme::Http, wire: WireVerdict::Unread, certificate: None };
    open(&WholePolicy::default(), &arrival, &request)
}

#[test]
fn a_mistake_is_told_at_its_key() {
    for good in ["response:/user_id", "response:/a/0/b", "path:user", "query:user", "body:/user_id"] {
        assert_eq!(mistakes(rule(good)), [""; 0], "{good}");
    }
    for wrong in
        ["", "user_id", "response:user_id", "response:", "path:", "path:a b", "header:x-user", "body:x"]
    {
        let expected = format!("own[0].owner: `{wrong}` is not the place of an owner");
        assert_eq!(mistakes(rule(wrong)), [expected], "{wrong}");
    }
    let own = || rule("response:/user_id");
    let list = || rule("item:/user_id");
    for (rule, expected) in [
        (OwnConfig { equals: "id".into(), ..own() }, "own[0].equals: `id` is not an attribute of the caller"),
        (
            OwnConfig { read: Some("orders".into()), ..own() },
            "own[0].read: `orders` is not a path that can be read",
        ),
        (
            OwnConfig { read: Some("//other.example/{order_id}".into()), ..own() },
            "own[0].read: `//other.example/{order_id}` is not a path that can be read",
        ),
        (
            OwnConfig { read: Some("/{order_id".into()), ..own() },
            "own[0].read: `/{order_id` is not a path that can be read",
        ),
        (
            OwnConfig { read: Some("/orders/{order_id}".into()), ..rule("path:user") },
            "own[0].read: only an answer of the app is read",
        ),
        (OwnConfig { items: "/data".into(), ..own() }, "own[0].items: it is about lists"),
        (OwnConfig { count: Some("/count".into()), ..own() }, "own[0].list: it is about lists"),
        (OwnConfig { items: "data".into(), ..list() }, "own[0].items: `data` is not a JSON pointer"),
        (OwnConfig { count: Some("count".into()), ..list() }, "own[0].count: `count` is not a JSON pointer"),
        (OwnConfig { paths: Vec::new(), ..own() }, "own[0].paths: it is missing"),
        (OwnConfig { paths: vec!["orders".into()], ..own() }, "own[0].paths: `orders` has no leading `/`"),
        (
            OwnConfig { methods: vec!["G T".into()], ..own() },
            "own[0].methods: contains an invalid HTTP method",
        ),
        (OwnConfig { unless: vec!["admin".into()], ..own() }, "own[0].unless[0]: `admin` is not a condition"),
    ] {
        assert_eq!(mistakes(rule), [expected]);
    }
}

#[test]
fn a_target_is_filled_with_values_that_cannot_leave_their_place() {
    let call = call(Method::POST, "/batch?ids=1,2&ids=a%2Fb&x=1");
    let body = br#"{"ids": [7, "8/9", "..%2f"], "one": "k?x#y", "none": [], "wrong": [true]}"#;
    let json = json::parse(body, Limits::default()).unwrap();
    let fill = |text: &str| {
        Target::read(text).unwrap().fill(&call, Some("ids=1,2&ids=a%2Fb&x=1"), Some(json.root()), None)
    };
    assert_eq!(fill("/orders/{query:ids}").unwrap(), ["/orders/1", "/orders/2", "/orders/a%2Fb"]);
    assert_eq!(fill("/orders/{body:/ids}").unwrap(), ["/orders/..%252f", "/orders/7", "/orders/8%2F9"]);
    assert_eq!(fill("/o/{body:/one}/x?y={query:x}").unwrap(), ["/o/k%3Fx%23y/x?y=1"]);
    assert_eq!(fill("/orders/{body:/none}"), Err("the id is missing"));
    assert_eq!(fill("/orders/{body:/absent}"), Err("the id is missing"));
    assert_eq!(fill("/orders/{order_id}"), Err("the id is missing"));
    assert_eq!(fill("/orders/{body:/wrong}"), Err("an id that is neither a text nor a number"));
    let many = format!("{{\"ids\": [{}1]}}", "1, ".repeat(100));
    let json = json::parse(many.as_bytes(), Limits::default()).unwrap();
    let target = Target::read("/orders/{body:/ids}").unwrap();
    assert_eq!(target.fill(&call, None, Some(json.root()), None), Err("more than 100 ids"));
}

#[test]
fn answers_are_held_back_until_the_next_step() {
    let absent = Absent::default();
    let call = call(Method::GET, "/orders/1");
    let left = |passed: u64| absent.left(&call, Duration::from_micros(passed)).as_micros();
    assert_eq!((left(0), left(1), left(10_000), left(10_001)), (10_000, 9_999, 0, 9_999));
    // A step is as long as nearly every answer takes.
    for _ in 0..63 {
        absent.took(&call, Duration::from_millis(30));
    }
    absent.took(&call, Duration::from_secs(9));
    assert_eq!((left(1_000), left(30_001)), (29_000, 29_999));
    for _ in 0..64 {
        absent.took(&call, Duration::from_secs(9));
    }
    assert_eq!(left(1_000), 249_000, "never more than that");
}

#[test]
fn an_id_in_a_404_is_believed_once_it_was_seen_twice() {
    let contract = serde_json::json!({
        "version": 1, "source": "inspector", "shapes": [],
        "router": {"redirect-slashes": true, "complete": true, "routes": [{
            "kind": "http", "path": "/orders/{order_id}", "methods": ["GET"], "hidden": false,
            "operation": {"id": "order", "body": {"kind": "none"}, "inputs": []}
        }]}
    });
    let model = serde_json::from_value(contract).unwrap();
    let contract = Arc::new(crate::operation::Contract::compile(&model).0);
    let of = |id: &str| {
        let mut call = call(Method::GET, &format!("/orders/{id}"));
        let route = Arc::clone(contract.routes.http().next().unwrap());
        let parameters =
            vec![("order_id".to_owned(), mantlet_contract::routes::Convertor::Text, 8..8 + id.len())];
        call.operation = Some(crate::operation::Matched {
            contract: Arc::clone(&contract),
            route,
            unsure: false,
            parameters,
        });
        call
    };
    let (absent, headers) = (Absent::default(), HeaderMap::new());
    let said = |id: &str| {
        absent
            .find(&of(id), Asked::Itself(&Method::GET))
            .map(|found| String::from_utf8(found.body(&of(id)).to_vec()).unwrap())
    };
    absent.learn(&of("404"), Asked::Itself(&Method::GET), &headers, br#"{"status": 404}"#);
    assert_eq!(said("7"), None, "it may be the status");
    absent.learn(&of("7"), Asked::Itself(&Method::GET), &headers, br#"{"status": 404}"#);
    assert_eq!(said("404").as_deref(), Some(r#"{"status": 404}"#));

    absent.learn(&of("8"), Asked::Itself(&Method::GET), &headers, b"no order 8, nor 88");
    absent.learn(&of("9"), Asked::Itself(&Method::GET), &headers, b"no order 9, nor 88");
    assert_eq!(said("88").as_deref(), Some("no order 88, nor 88"));
    assert_eq!(said("5").as_deref(), Some("no order 5, nor 88"));
}
