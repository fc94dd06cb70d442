use std::{collections::BTreeMap, sync::Mutex};

use http::{HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use super::*;
use crate::{
    Arrival, Config as WholeConfig, Context, Deployment, Peer, Policy as WholePolicy, Scheme, Section,
    WireVerdict,
    call::Place as PlaceInApp,
    operation::{Contract, ContractHandle},
    pipeline::open,
};

const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// Its checksum is that of Python's `zlib.crc32`.
const KEY: &str = "mk_prod_h4k2m9qxtc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_ef10ca79";

fn environment(name: &str) -> Environment {
    name.parse().unwrap()
}

fn written(name: &str, id: &str, secret: &str) -> String {
    text::write(&environment(name), id, secret).expose().clone()
}

#[derive(Default)]
struct Records(Mutex<Vec<Record>>);

impl Sink for Records {
    fn record(&self, record: Record) {
        self.0.lock().unwrap().push(record);
    }
}

#[test]
fn the_text_of_a_key_is_read_in_one_way() {
    assert_eq!(written("prod", "h4k2m9qxtc", SECRET), KEY);
    let parts = Parts { environment: "prod", id: "h4k2m9qxtc", secret: SECRET };
    assert_eq!(text::read(KEY), Reading::Key(parts));
    let with_signs = format!("_-{}_", &SECRET[3..]);
    for (name, id, secret) in [
        ("live", "abcdefgh", SECRET),
        ("1", "abcdefghijkl", SECRET),
        ("abcdefghijklmnop", "0123456789", &with_signs),
    ] {
        let parts = Parts { environment: name, id, secret };
        assert_eq!(text::read(&written(name, id, secret)), Reading::Key(parts));
    }
    for foreign in [
        "",
        "mk_",
        "mk_live",
        "mk_live_4fQeU0h2VtB8",
        "mk_test_51Hxyz",
        "sk_prod_h4k2m9qxtc_AAAA",
        "MK_prod_h4k2m9qxtc_AAAA",
        "mk_Prod_h4k2m9qxtc_AAAA",
        "mk_pre-prod_h4k2m9qxtc_AAAA",
        "mk__h4k2m9qxtc_AAAA",
        "mk_prod_h4k2m9q_AAAA",
        "mk_prod_h4k2m9qxtc123_AAAA",
        "mk_prod_H4K2M9QXTC_AAAA",
        &KEY[1..],
    ] {
        assert_eq!(text::read(foreign), Reading::Foreign, "{foreign}");
    }
    let damaged = [
        KEY[..KEY.len() - 1].to_owned(),
        KEY[..30].to_owned(),
        format!("{KEY}0"),
        format!("{KEY}_"),
        KEY.replace("prod", "prov"),
        KEY.replace("h4k2", "h4k3"),
        KEY.replacen('A', "B", 1),
        KEY.replace("_ef10ca79", "-ef10ca79"),
        KEY.to_owned().replace("ef10ca79", "EF10CA79"),
        KEY.replace("AAAA_", "AAA._"),
        KEY.replace("AAAA_", "AAé_"),
    ];
    for text in damaged {
        assert_eq!(text::read(&text), Reading::Damaged, "{text}");
    }
}

#[test]
fn keys_in_the_documentation_are_keys() {
    let page = include_str!("../../../../docs/api-keys.md");
    let keys: Vec<_> =
        page.split_whitespace().filter(|word| word.starts_with("mk_") && word.len() > 60).collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
    for key in keys {
        assert!(matches!(text::read(key), Reading::Key(_)), "{key}");
    }
}

#[test]
fn an_operator_may_name_a_key_by_what_has_leaked_of_it() {
    for text in [KEY, &KEY[..40], "mk_prod_h4k2m9qxtc_", "mk_prod_h4k2m9qxtc"] {
        assert_eq!(id_of(text), Some("h4k2m9qxtc"), "{text}");
    }
    for text in ["h4k2m9qxtc", "mk_prod_", "mk_prod", "sk_prod_h4k2m9qxtc"] {
        assert_eq!(id_of(text), None, "{text}");
    }
}

#[test]
fn no_two_keys_are_alike_and_each_is_read_again() {
    let keys = ApiKeys::default();
    let new = NewKey { name: "ci".into(), ..NewKey::default() };
    let mut ids = std::collections::HashSet::new();
    for _ in 0..500 {
        let (facts, text) = keys.make(&new, &environment("prod"), Timestamp::UNIX_EPOCH).unwrap();
        let Reading::Key(parts) = text::read(text.expose()) else { panic!("{}", text.expose()) };
        assert_eq!((parts.environment, parts.id), ("prod", &*facts.id));
        assert!(facts.digest.is_of(parts.secret) && !facts.digest.is_of(SECRET));
        assert_eq!((facts.expires, facts.created), (Some(90 * 86_400), 0));
        let kept = serde_json::to_string(&Change::Created(facts.clone())).unwrap();
        assert!(!kept.contains(parts.secret), "{kept}");
        assert_eq!(serde_json::from_str::<Change>(&kept).unwrap(), Change::Created(facts.clone()));
        assert!(ids.insert(facts.id));
    }
}

#[test]
fn what_cannot_be_a_key_is_said() {
    let make = |change: &dyn Fn(&mut NewKey)| {
        let mut new = NewKey { name: "ci".into(), ..NewKey::default() };
        change(&mut new);
        ApiKeys::default().make(&new, &Environment::default(), Timestamp::UNIX_EPOCH).map(|(facts, _)| facts)
    };
    for (change, part) in [
        (&(|new: &mut NewKey| new.name.clear()) as &dyn Fn(&mut NewKey), "a name has 1 to 128 characters"),
        (&(|new| new.name = " ci".into()), "a name has"),
        (&(|new| new.name = "a\nb".into()), "a name has"),
        (&(|new| new.name = "x".repeat(129)), "a name has"),
        (&(|new| new.account = Some(String::new())), "an account has"),
        (&(|new| new.scopes = vec!["a b".into()]), "`a b` is not a scope"),
        (&(|new| new.scopes = vec!["a\"".into()]), "is not a scope"),
        (&(|new| new.scopes = vec!["a".into(); 65]), "at most 64 scopes"),
        (&(|new| new.life = Some(std::time::Duration::ZERO)), "cannot expire at once"),
    ] {
        let why = make(change).unwrap_err();
        assert!(why.contains(part), "{why}");
    }
    let facts = make(&|new| (new.life, new.scopes) = (None, vec!["orders:read".into()])).unwrap();
    assert_eq!((facts.expires, facts.scopes.len(), facts.environment.as_str()), (None, 1, "live"));
    for (text, seconds) in [("90d", Some(7_776_000)), ("12h", Some(43_200)), ("never", None)] {
        assert_eq!(life_of(text).unwrap().map(|life| life.as_secs()), seconds);
    }
    for text in ["", "90", "soon", "-1d", "1000years"] {
        assert!(life_of(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_known_is_made_again_from_its_changes() {
    let facts = |id: &str, created| KeyFacts {
        id: id.into(),
        name: "ci".into(),
        account: None,
        environment: environment("prod"),
        scopes: vec!["orders:read".into()],
        digest: SecretDigest::of(SECRET),
        created,
        expires: Some(created + 100),
    };
    let (a, b) = (|| "aaaaaaaaaa".into(), || "bbbbbbbbbb".into());
    let changes = vec![
        Change::Created(facts("aaaaaaaaaa", 1_000)),
        Change::Used { key: a(), at: 1_060 },
        Change::Revoked { key: a(), at: 1_090 },
        Change::Created(facts("bbbbbbbbbb", 1_001)),
    ];
    let [first, second] = [(); 2].map(|()| ApiKeys::default());
    assert!(first.is_empty());
    assert_eq!(first.apply(&changes), changes);
    assert_eq!(first.apply(&changes), [], "it may come twice");
    assert_eq!(first.apply(&[Change::Revoked { key: a(), at: 2_000 }]), [], "the first counts");
    assert_eq!(first.apply(&[Change::Used { key: "cccccccccc".into(), at: 1 }]), [], "it is not known");
    for change in first.everything() {
        let line = serde_json::to_string(&change).unwrap();
        second.apply(&[serde_json::from_str(&line).unwrap()]);
    }
    assert_eq!((first.everything(), second.everything()), (changes.clone(), changes));
    // Uses are handed out once, and at most each minute.
    let key = first.find("bbbbbbbbbb").unwrap();
    key.note_use(1_010);
    assert_eq!(first.uses(), [Change::Used { key: b(), at: 1_010 }]);
    key.note_use(1_069);
    assert_eq!(first.uses(), []);
    key.note_use(1_070);
    assert_eq!(first.uses(), [Change::Used { key: b(), at: 1_070 }]);
    let (prod, staging) = (environment("prod"), environment("staging"));
    assert_eq!(first.find("aaaaaaaaaa").unwrap().state(&prod, 1_050), State::Revoked);
    assert_eq!([1_100, 1_101].map(|now| key.state(&prod, now)), [State::Good, State::Expired]);
    let elsewhere = [1_100, 1_101].map(|now| key.state(&staging, now));
    assert_eq!(elsewhere, [State::OfAnotherEnvironment, State::Expired]);
    // A short life is told of in its last half.
    assert_eq!([1_050, 1_051, 1_101].map(|now| key.ends_soon(now)), [false, true, false]);
}

/// An app with operations that ask for keys in different places.
fn app() -> Contract {
    let scheme = |scheme: Value| json!([[{"name": "s", "scheme": scheme, "auto-error": true}]]);
    let key = |location: &str, name: &str| json!({"kind": "api-key", "location": location, "name": name});
    let both = json!([
        [{"name": "a", "scheme": key("header", "X-App-Key"), "auto-error": false}],
        [{"name": "b", "scheme": key("query", "api_key"), "auto-error": false}],
    ]);
    let routes: Vec<_> = [
        ("/none", json!([])),
        ("/header", scheme(key("header", "X-API-Key"))),
        ("/own-header", scheme(key("header", "X-App-Key"))),
        ("/query", scheme(key("query", "api_key"))),
        ("/both", both),
        ("/bearer", scheme(json!({"kind": "bearer"}))),
        ("/oauth", scheme(json!({"kind": "bearer", "token-url": "token"}))),
        ("/raw", scheme(key("header", "Authorization"))),
    ]
    .map(|(path, security)| {
        let operation = json!({"id": path, "body": {"kind": "none"}, "inputs": [], "security": security});
        json!({"kind": "http", "path": path, "methods": ["GET"], "hidden": false, "operation": operation})
    })
    .to_vec();
    let router = json!({"routes": routes, "redirect-slashes": true, "complete": true});
    let model = json!({"version": 1, "source": "inspector", "router": router, "shapes": []});
    Contract::compile(&serde_json::from_value(model).unwrap()).0
}

/// A gate in `prod` that knows four keys.
struct Gate {
    policy: WholePolicy,
    records: Records,
}

const DAY: i64 = 86_400;

/// Headers.
type Lines<'l> = &'l [(&'l str, &'l str)];

impl Gate {
    fn new(config: Config) -> Self {
        let deployment = Deployment { environment: environment("prod"), ..Deployment::default() };
        deployment.kept.get::<ContractHandle>().put(app());
        let now = Timestamp::now().as_second();
        let facts = |id: &str, name: &str, expires| KeyFacts {
            id: id.into(),
            name: name.into(),
            account: (name == "ci").then(|| "ann".into()),
            environment: environment(if id == "foreign000" { "staging" } else { "prod" }),
            scopes: vec![],
            digest: SecretDigest::of(SECRET),
            created: now - 100 * DAY,
            expires,
        };
        deployment.kept.get::<ApiKeys>().apply(&[
            Change::Created(facts("h4k2m9qxtc", "ci", None)),
            Change::Created(facts("endssoon00", "report", Some(now + 3 * DAY))),
            Change::Created(facts("expired000", "old", Some(now - 1))),
            Change::Created(facts("revoked000", "lost", None)),
            Change::Created(facts("foreign000", "copied", None)),
            Change::Revoked { key: "revoked000".into(), at: now - 1 },
        ]);
        let config = WholeConfig { api_keys: config, deployment, ..WholeConfig::default() };
        Self { policy: config.check().unwrap(), records: Records::default() }
    }

    fn keys(&self) -> &ApiKeys {
        &self.policy.api_keys.keys
    }

    /// What is said of a request, and what the app gets: its target, and its headers.
    fn ask(
        &self,
        target: &str,
        headers: &[(&str, &str)],
        is_needed: bool,
    ) -> (Result<Option<String>, Refusal>, String, BTreeMap<String, String>) {
        let mut request = Request::get(target).body(()).unwrap();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        }
        let arrival = Arrival {
            peer: Peer::Ip("203.0.113.1:4711".parse().unwrap()),
            scheme: Scheme::Http,
            wire: WireVerdict::Unread,
            certificate: None,
        };
        let (policy, path) = (&self.policy, request.uri().path().to_owned());
        let mut call = open(policy, &arrival, &request);
        let (place, rules) = (PlaceInApp::default(), &policy.routes.fallback().rules);
        call.operation = policy.contract.route(&Method::GET, false, None, (&path, &place), rules).route;
        let judged = policy.api_keys.judge(&call, is_needed, &self.records, &request);
        call.api_key = judged.caller;
        if judged.is_bearer {
            take_bearer(&call, &mut request);
        }
        policy.api_keys.hand_over(&call, &mut request);
        let verdict = match judged.faults.into_iter().next() {
            Some((_, refusal)) => Err(refusal),
            None => Ok(call.api_key.map(|caller| caller.key())),
        };
        let mut seen = BTreeMap::<String, String>::new();
        for (name, value) in request.headers() {
            let all = seen.entry(name.to_string()).or_default();
            all.push_str(if all.is_empty() { "" } else { " | " });
            all.push_str(value.to_str().unwrap());
        }
        (verdict, request.uri().to_string(), seen)
    }
}

#[test]
fn a_key_is_good_or_it_is_said_why_not() {
    let gate = Gate::new(Config::default());
    let of = |id: &str| written("prod", id, SECRET);
    let invalid = Reason::ApiKeyInvalid;
    for (text, reason, why) in [
        (of("unknown000"), invalid, "there is no such key"),
        (of("expired000"), invalid, "expired000 (old) has expired"),
        (of("revoked000"), invalid, "revoked000 (lost) was revoked"),
        (
            written("prod", "h4k2m9qxtc", &SECRET.replacen('A', "B", 1)),
            invalid,
            "it is not the key h4k2m9qxtc (ci), whose id it has",
        ),
        (
            written("staging", "h4k2m9qxtc", SECRET),
            Reason::ApiKeyOfAnotherEnvironment,
            "it is of `staging`, and this is `prod`",
        ),
        // Its file was copied, and its text changed.
        (of("foreign000"), invalid, "it is not the key foreign000 (copied), whose id it has"),
    ] {
        let (verdict, ..) = gate.ask("/header", &[("x-api-key", &text)], false);
        let refusal = verdict.expect_err(&text);
        assert_eq!((refusal.reason, refusal.subject.as_deref()), (reason, Some(why)));
        assert_eq!(refusal.told(), invalid, "the client learns no more");
    }
    let caller = |text: &str| gate.ask("/none", &[("x-api-key", text)], true).0.unwrap();
    assert_eq!(caller(KEY).as_deref(), Some("mantlet|ann"), "the account, if there is one");
    assert!(gate.records.0.lock().unwrap().is_empty());
    // Its end is told once a day.
    for _ in 0..2 {
        assert_eq!(caller(&of("endssoon00")).as_deref(), Some("mantlet|report"));
    }
    let records = gate.records.0.lock().unwrap();
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(record.security_event, "api-key-ends-soon");
    assert_eq!((record.subject.as_deref(), record.until.is_some()), (Some("endssoon00 (report)"), true));
    assert!(gate.keys().find("h4k2m9qxtc").unwrap().used().is_some());
}

#[test]
fn keys_of_the_app_itself_are_left_to_it() {
    let gate = Gate::new(Config::default());
    let other = written("prod", "revoked000", SECRET);
    for text in ["wk_live_4fQeU0h2VtB8", "mk_live_4fQeU0h2VtB8", &KEY[..50], ""] {
        for (target, is_needed) in [("/header", false), ("/none", false), ("/none", true)] {
            let (verdict, _, seen) = gate.ask(target, &[("x-api-key", text)], is_needed);
            let expected = match (is_needed, text.starts_with("mk_prod")) {
                (false, _) => Ok(None),
                (true, false) => Err(Reason::CredentialsMissing),
                (true, true) => Err(Reason::ApiKeyInvalid),
            };
            assert_eq!(verdict.map_err(|refusal| refusal.reason), expected, "{text}");
            assert_eq!(seen["x-api-key"], text);
        }
    }
    // Before the first key was made nothing is judged, but where one is needed.
    let none = Gate::new(Config::default());
    let deployment = Deployment::default();
    let whole = WholeConfig { deployment, ..WholeConfig::default() };
    let none = Gate { policy: whole.check().unwrap(), ..none };
    assert_eq!(none.ask("/none", &[("x-api-key", &other)], false).0.unwrap(), None);
    assert_eq!(
        none.ask("/none", &[("x-api-key", KEY)], true).0.unwrap_err().reason,
        Reason::ApiKeyOfAnotherEnvironment
    );
    // What another gate may know is not the client's fault.
    none.keys().set_behind(true);
    let refusal =
        none.ask("/none", &[("x-api-key", &written("live", "h4k2m9qxtc", SECRET))], false).0.unwrap_err();
    assert_eq!(refusal.reason, Reason::StoreUnavailable);
    assert!(refusal.headers.unwrap().contains_key("retry-after"));
    for config in [Config::off(), Config { required: true, ..Config::off() }] {
        let gate = Gate::new(config);
        let (verdict, _, seen) = gate.ask("/none", &[("x-api-key", &other)], true);
        assert_eq!((verdict.unwrap(), &*seen["x-api-key"]), (None, &*other));
    }
}

#[test]
fn a_key_is_taken_from_where_it_stands_and_out_of_where_the_app_does_not_read_it() {
    let gate = Gate::new(Config::default());
    let bearer = &*format!("Bearer {KEY}");
    let query = |name: &str| format!("/query?a=1&{name}={KEY}&b=%20");
    let lower = &*format!("bearer  {KEY} ");
    let rows: &[(&str, Lines<'_>, &str, Lines<'_>)] = &[
        ("/none", &[("x-api-key", KEY)], "/none", &[]),
        (
            "/none",
            &[("x-api-key", KEY), ("x-api-key", "of-the-app")],
            "/none",
            &[("x-api-key", "of-the-app")],
        ),
        ("/none", &[("authorization", bearer)], "/none", &[]),
        ("/none", &[("authorization", lower)], "/none", &[]),
        ("/none", &[("authorization", bearer), ("x-api-key", KEY)], "/none", &[]),
        ("/header", &[("x-api-key", KEY)], "/header", &[("x-api-key", KEY)]),
        ("/own-header", &[("x-app-key", KEY)], "/own-header", &[("x-app-key", KEY)]),
        ("/own-header", &[("x-api-key", KEY)], "/own-header", &[]),
        ("/bearer", &[("authorization", bearer)], "/bearer", &[("authorization", bearer)]),
        ("/raw", &[("authorization", KEY)], "/raw", &[("authorization", KEY)]),
        // An unknown path: no operation is known.
        ("/unknown", &[("x-api-key", KEY)], "/unknown", &[]),
    ];
    let check = |target: &str, sent: &[(&str, &str)], to_app: &str, seen_by_app: &[(&str, &str)]| {
        let (verdict, target_seen, seen) = gate.ask(target, sent, true);
        assert_eq!(verdict.unwrap().as_deref(), Some("mantlet|ann"), "{target} {sent:?}");
        let expected: BTreeMap<_, _> =
            seen_by_app.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!((&*target_seen, seen), (to_app, expected), "{target} {sent:?}");
    };
    for (target, sent, to_app, seen_by_app) in rows {
        check(target, sent, to_app, seen_by_app);
    }
    check(&query("api_key"), &[], &query("api_key"), &[]);
    // Where no operation says so, the query is not looked at.
    for target in [format!("/none?api_key={KEY}"), query("key")] {
        assert_eq!(gate.ask(&target, &[], false).0.unwrap(), None, "{target}");
    }
    let other = written("prod", "endssoon00", SECRET);
    let two = gate.ask("/none", &[("authorization", bearer), ("x-api-key", &other)], false).0.unwrap_err();
    assert_eq!(two.subject.as_deref(), Some("the request has two different keys"));
}

#[test]
fn the_app_gets_its_own_key_in_place_of_ours() {
    let upstream = Some(UpstreamKey::new("s3cr3t+/=".to_owned().into()));
    let gate = Gate::new(Config { upstream, ..Config::default() });
    let bearer = &*format!("Bearer {KEY}");
    let own = "s3cr3t+/=";
    for (target, sent, to_app, seen_by_app) in [
        ("/none".to_owned(), ("x-api-key", KEY), "/none", &[("x-api-key", own)][..]),
        ("/none".to_owned(), ("authorization", bearer), "/none", &[("x-api-key", own)]),
        ("/header".to_owned(), ("x-api-key", KEY), "/header", &[("x-api-key", own)]),
        ("/header".to_owned(), ("authorization", bearer), "/header", &[("x-api-key", own)]),
        ("/own-header".to_owned(), ("x-api-key", KEY), "/own-header", &[("x-app-key", own)]),
        (
            format!("/query?a=1&api_key={KEY}&b"),
            ("a", "b"),
            "/query?a=1&b&api_key=s3cr3t%2B%2F%3D",
            &[("a", "b")],
        ),
        ("/query".to_owned(), ("x-api-key", KEY), "/query?api_key=s3cr3t%2B%2F%3D", &[]),
        (format!("/both?api_key={KEY}"), ("a", "b"), "/both?api_key=s3cr3t%2B%2F%3D", &[("a", "b")]),
        ("/both".to_owned(), ("authorization", bearer), "/both", &[("x-app-key", own)]),
        (
            "/bearer".to_owned(),
            ("authorization", bearer),
            "/bearer",
            &[("authorization", "Bearer s3cr3t+/=")],
        ),
        ("/oauth".to_owned(), ("authorization", bearer), "/oauth", &[("x-api-key", own)]),
        ("/raw".to_owned(), ("x-api-key", KEY), "/raw", &[("authorization", own)]),
    ] {
        let (verdict, target_seen, seen) = gate.ask(&target, &[sent], false);
        assert!(verdict.unwrap().is_some(), "{target}");
        let expected: BTreeMap<_, _> =
            seen_by_app.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!((&*target_seen, seen), (to_app, expected), "{target} {sent:?}");
    }
    // A client does not get it there without a key, nor beside one of its own.
    let (verdict, _, seen) = gate.ask("/header", &[("x-api-key", "guess")], false);
    assert_eq!((verdict.unwrap(), &*seen["x-api-key"]), (None, "guess"));
    let (_, _, seen) = gate.ask("/header", &[("x-api-key", "guess"), ("x-api-key", KEY)], false);
    assert_eq!(seen["x-api-key"], own);
    let shown = format!("{:?}", gate.policy.api_keys);
    assert!(!shown.contains("s3cr3t"), "{shown}");
}

#[test]
fn a_section_that_cannot_be_is_a_mistake() {
    for (config, key) in [
        (Config { header: "X API Key".into(), ..Config::default() }, "header"),
        (Config { header: String::new(), ..Config::default() }, "header"),
        (
            Config { upstream: Some(UpstreamKey::new("a\nb".to_owned().into())), ..Config::default() },
            "upstream-key",
        ),
    ] {
        let mistakes = config.check(&Context::default()).unwrap_err();
        assert_eq!(mistakes[0].key, key);
        let whole = WholeConfig { api_keys: config, ..WholeConfig::default() };
        assert_eq!(whole.check().unwrap_err()[0].key, format!("api-keys.{key}"));
    }
}
