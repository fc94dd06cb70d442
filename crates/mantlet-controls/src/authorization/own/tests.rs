use std::time::Duration;

use http::Request;

use super::{
    absent::{Other, Times, others},
    *,
};
use crate::{
    Arrival, Context, Peer, Policy as WholePolicy, Scheme, Section, WireVerdict,
    authorization::{Config, circumstance::Known, evidence::AllEvidence},
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
        (
            OwnConfig { also: Some("/author_id".into()), ..own() },
            "own[0].also: `/author_id` is not a place in the app's answer for one object",
        ),
        (
            OwnConfig { also: Some("response:/author_id".into()), ..list() },
            "own[0].also: it stands beside an `owner` in the app's answer for one object",
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
    let times = Times::default();
    let call = call(Method::GET, "/orders/1");
    let left = |passed: u64| times.left(&call, Duration::from_micros(passed)).as_micros();
    assert_eq!((left(0), left(1), left(10_000), left(10_001)), (10_000, 9_999, 0, 9_999));
    // A step is as long as nearly every answer takes twice.
    for _ in 0..63 {
        times.took(&call, Duration::from_millis(30));
    }
    times.took(&call, Duration::from_secs(9));
    assert_eq!((left(1_000), left(60_001)), (59_000, 59_999));
    for _ in 0..64 {
        times.took(&call, Duration::from_secs(9));
    }
    assert_eq!(left(1_000), 999_000, "never more than that");
}

/// What the app says of something that does not exist becomes what it would say of this.
#[test]
fn words_are_about_what_was_asked_for() {
    let said = |id: &str, words: &dyn Fn(&str) -> String| {
        let path = format!("/orders/{id}");
        let target: http::Uri = path.parse().unwrap();
        let of = |other: &Other| {
            let asked = other.target.path().strip_prefix("/orders/").unwrap().to_owned();
            assert_ne!(asked, id);
            String::from_utf8(other.renamed(&words(&asked).into()).to_vec()).unwrap()
        };
        others(&call(Method::GET, &path), &target).iter().map(of).collect::<Vec<_>>()
    };
    let as_sent = |id: &str| format!("no order {id}, nor 88");
    let as_number = |id: &str| {
        let number = id.trim_matches('+').split('.').next().unwrap().trim_start_matches('0');
        format!(r#"{{"status": 404, "id": {number}}}"#)
    };
    let as_uuid = |id: &str| format!("no {}", uuid::Uuid::try_parse(id).unwrap());
    assert_eq!(said("88", &as_sent), ["no order 88, nor 88"]);
    assert_eq!(said("404", &as_number), [r#"{"status": 404, "id": 404}"#]);
    assert_eq!(said("007", &as_sent), ["no order 007, nor 88"]);
    for id in ["7", "007", "+7", "7.0", "+007.00"] {
        assert_eq!(said(id, &as_number), [r#"{"status": 404, "id": 7}"#], "{id}");
    }
    let uuid = "0b1fd2c4-8ff1-4b0e-9a41-51f4b6f4a1c3";
    for id in [uuid.to_owned(), uuid.to_uppercase(), uuid.replace('-', "")] {
        assert_eq!(said(&id, &as_uuid), [format!("no {uuid}")]);
        assert_eq!(said(&id, &as_sent), [format!("no order {id}, nor 88")]);
    }
    assert_eq!(said("ORD-0002", &as_sent), ["no order ORD-0002, nor 88"; 2]);
    assert_eq!(said("fern", &as_sent), ["no order fern, nor 88"]);
}

#[test]
fn what_shows_no_object_proves_nothing() {
    let call = call(Method::GET, "/orders/1");
    let own_of = |config: &OwnConfig| {
        let evidence = AllEvidence::default().of(words(config));
        let at = |key: &str| key.to_owned();
        of_config(config, "a rule".into(), evidence, at, &Known::default(), &mut Vec::new())
    };
    let passes_nulls = |owner: &str| OwnConfig { nulls: Unclear::Pass, ..rule(owner) };
    let refuses = |owner: &str| OwnConfig { list: ListAction::Refuse, ..rule(owner) };
    // The caller is not known, so nothing is theirs.
    for (config, body, expected) in [
        (rule("item:/user_id"), "[]", Whose::Nothing),
        (rule("item:/user_id"), " [ ] ", Whose::Nothing),
        (passes_nulls("item:/user_id"), r#"[{"user_id": null}]"#, Whose::Nothing),
        (passes_nulls("response:/user_id"), r#"{"user_id": null}"#, Whose::Nothing),
        (rule("response:/user_id"), r#"{"user_id": null}"#, Whose::Unclear(NULL)),
        (rule("response:/user_id"), r#"{"user_id": 7}"#, Whose::Foreign),
        (refuses("item:/user_id"), r#"[{"user_id": 7}]"#, Whose::Foreign),
    ] {
        assert_eq!(
            own_of(&config).after(&call, None, body.as_bytes(), true),
            After::Known(expected),
            "{body}"
        );
    }
    // What a list loses says why.
    for (body, expected) in [
        (r#"[{"user_id": 7}, {}]"#, Whose::Foreign),
        (r#"[{}, {"user_id": 7}]"#, Whose::Foreign),
        (r#"[{}, {"user_id": null}]"#, UNSEEN),
    ] {
        let after = own_of(&rule("item:/user_id")).after(&call, None, body.as_bytes(), true);
        assert!(matches!(after, After::Removed { whose, .. } if whose == expected), "{body}: {after:?}");
    }
    let before = |config: &OwnConfig, method: Method, sent: Sent<'_>| {
        own_of(config).before(&self::call(method, "/orders/1"), None, sent)
    };
    let nothing = Before::Known(Whose::Nothing);
    assert_eq!(before(&rule("body:/user_id"), Method::POST, Sent::Nothing), nothing);
    assert_eq!(before(&rule("item:/user_id"), Method::POST, Sent::Nothing), nothing);
    let passes = OwnConfig { writes: Writes::Pass, ..rule("response:/user_id") };
    assert_eq!(before(&passes, Method::PUT, Sent::Nothing), nothing);
}
