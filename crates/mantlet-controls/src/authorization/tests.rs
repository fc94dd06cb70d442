use http::{Method, Request};
use serde_json::{Value, json};

use super::{circumstance::Known, *};
use crate::{
    Arrival, Context, Peer, Policy as WholePolicy,
    Reason::{AccessDenied, CredentialsMissing, RouteUnknown},
    Scheme, Section, WireVerdict,
    call::{APP, Attribute, CanonicalPath, Origin, Principal},
    pipeline::open,
};

/// A request of a caller with these claims; none: without any credential.
pub(super) fn call(method: Method, target: &str, claims: Option<&Value>) -> Call {
    let request = Request::builder().method(method).uri(target).body(()).unwrap();
    let peer = Peer::Ip("203.0.113.1:4711".parse().unwrap());
    let arrival = Arrival { peer, scheme: Scheme::Http, wire: WireVerdict::Unread, certificate: None };
    let policy = WholePolicy::default();
    let mut call = open(&policy, &arrival, &request);
    call.path = CanonicalPath::unjudged(request.uri(), &policy.path);
    call.principal = claims.map(|claims| {
        let claims = claims.as_object().unwrap().iter();
        let attributes = claims.map(|(name, value)| Attribute {
            name: name.as_str().into(),
            value: value.clone(),
            origin: Origin::Claim,
        });
        Arc::new(Principal {
            issuer: APP.into(),
            subject: "7".into(),
            is_of_app: true,
            attributes: attributes.collect(),
            expires: None,
        })
    });
    call
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn rule(paths: &[&str], who: &[&str]) -> RuleConfig {
    RuleConfig { paths: texts(paths), who: texts(who), ..RuleConfig::default() }
}

#[test]
fn a_rule_of_allow_says_who_may_call_an_operation() {
    let tagged = RuleConfig { tags: texts(&["staff"]), methods: texts(&["GET"]), ..rule(&[], &["anyone"]) };
    let allow = vec![rule(&["/admin/{rest:path}"], &["authenticated"]), tagged];
    let config = Config { allow, deny: vec![rule(&["/shut"], &[])], ..Config::default() };
    let policy = config.check(&Context::default()).unwrap();
    for (path, tags, method, expected) in [
        ("/admin/users/{user_id}", &[][..], "DELETE", true),
        ("/admin", &[], "GET", false),
        ("/reports", &["staff"], "GET", true),
        ("/reports", &["staff"], "POST", false),
        ("/shut", &[], "GET", false),
    ] {
        let one = FunctionPath { path: path.to_owned(), methods: Vec::new(), tags: texts(tags) };
        assert_eq!(policy.says_who(&one, method), expected, "{method} {path}");
    }
}

#[test]
fn a_condition_holds_for_what_is_proven() {
    let staff = json!({
        "orgs": [12, "13"], "is_admin": true, "verified": "true", "role": "owner", "org": 12, "groups": ["a", "b c"],
        "scope": "orders.read orders.write", "realm_access": {"roles": ["editor"]},
        "https://example.com/tier": "gold", "of.one": {"x": 1},
    });
    let call = call(Method::GET, "/", Some(&staff));
    for (text, expected) in [
        ("anyone", true),
        ("authenticated", true),
        ("not authenticated", false),
        ("principal:is_admin", true),
        ("principal:verified", false),
        ("principal:verified = true", true),
        ("principal:role", false),
        ("principal:missing", false),
        ("not principal:missing", true),
        ("principal:role = owner", true),
        ("principal:role=owner", true),
        ("principal:role = Owner", false),
        ("principal:role in [admin, owner]", true),
        ("principal:role in [admin]", false),
        ("principal:org = 12", true),
        ("principal:org in [1, 12]", true),
        ("principal:sub = 7", true),
        ("principal:iss = app", true),
        ("principal:groups = a", true),
        ("principal:groups in [\"b c\"]", true),
        ("principal:groups = c", false),
        ("principal:groups = \"b c\"", true),
        ("principal:groups in [\"x, y and z\", a] and anyone", true),
        ("principal:groups = \"this and that\"", false),
        ("principal:realm_access.roles in [editor]", true),
        ("principal:realm_access = editor", false),
        ("principal:https://example.com/tier = gold", true),
        ("principal:of.one.x = 1", true),
        ("scope:orders.read", true),
        ("scope:orders", false),
        ("network:203.0.113.0/24", true),
        ("network:private", false),
        ("principal:is_admin and network:203.0.113.1", true),
        ("query:user = principal:sub", true),
        ("query:user=principal:sub", true),
        ("query:user = principal:org", false),
        ("query:org = principal:org", false),
        ("query:org in principal:orgs", true),
        ("query:mine = principal:sub", true),
        ("query:missing = principal:sub", false),
        ("query:user = principal:missing", false),
        // Without a contract no parameter of a path is known.
        ("path:user_id = principal:sub", false),
        ("principal:is_admin and not network:203.0.113.1", false),
    ] {
        assert_eq!(
            Condition::read(text, &Known::default())
                .unwrap()
                .holds(&call, Some("user=7&org=12&org=13&mine=7&mine=7")),
            expected,
            "{text}"
        );
    }
    let nobody = super::tests::call(Method::GET, "/", None);
    for (text, expected) in [
        ("anyone", true),
        ("authenticated", false),
        ("principal:is_admin", false),
        ("not principal:is_admin", true),
        ("scope:orders.read", false),
        ("query:user = principal:sub", false),
        ("network:203.0.113.1", true),
    ] {
        assert_eq!(
            Condition::read(text, &Known::default()).unwrap().holds(&nobody, Some("user=7")),
            expected,
            "{text}"
        );
    }
}

#[test]
fn what_is_not_a_condition_is_told_with_its_place() {
    for text in [
        "",
        "everyone",
        "role = admin",
        "principal:",
        "principal: = 1",
        "principal:role =",
        "principal:role in admin",
        "principal:role in []",
        "principal:role in [a,,b]",
        "principal:is admin",
        "scope:",
        "scope:a b",
        "network:office",
        "network:@office",
        "network:@",
        "path:user_id",
        "path:user_id = 7",
        "path: = principal:sub",
        "query:user = principal:",
        "anyone and ",
        "not",
        "principal:role!=admin",
        "principal:role == guest",
        "principal:role = guest or principal:role = trial",
        "principal:role = guest AND network:loopback",
        "principal:role in ['guest']",
        "principal:role = \"guest",
        "principal:role = b c",
        "scope:a,b",
    ] {
        assert!(Condition::read(text, &Known::default()).is_err(), "{text}");
    }
    let config = Config {
        allow: vec![rule(&["/a"], &["authenticated", "all"]), rule(&["/a"], &[])],
        deny: vec![RuleConfig {
            methods: texts(&["GE T"]),
            unless: texts(&["some"]),
            ..rule(&["a", "/{x"], &[])
        }],
        ..Config::default()
    };
    let mistakes = config.check(&Context::default()).unwrap_err();
    let keys: Vec<_> = mistakes.iter().map(|mistake| &*mistake.key).collect();
    assert_eq!(
        keys,
        ["allow[0].who[1]", "allow[1].who", "deny[0].unless[0]", "deny[0].methods", "deny[0].paths"]
    );
}

#[test]
fn a_rule_of_deny_counts_more_than_one_of_allow() {
    let config = Config {
        allow: vec![
            rule(&["/admin/{rest:path}"], &["principal:role = admin"]),
            RuleConfig { mode: Mode::Report, ..rule(&["/admin/reports"], &["principal:role = auditor"]) },
            RuleConfig { mode: Mode::Report, ..rule(&["/trial"], &["principal:role = admin"]) },
        ],
        deny: vec![
            RuleConfig {
                methods: texts(&["DELETE"]),
                unless: texts(&["network:10.0.0.0/8"]),
                ..rule(&["/admin/{rest:path}"], &[])
            },
            RuleConfig { hide: true, ..rule(&["/secret"], &["not principal:role = admin"]) },
        ],
        ..Config::default()
    };
    let policy = config.check(&Context::default()).unwrap();
    let judge = |method: &Method, target: &str, role: Option<&str>| -> Vec<_> {
        let claims = role.map(|role| json!({ "role": role }));
        let judged = policy.judge(&call(method.clone(), target, claims.as_ref()), None, role.is_none());
        let told = |(mode, refusal): (Mode, Refusal)| {
            (mode, refusal.reason, refusal.seems, refusal.subject.unwrap().to_string())
        };
        judged.faults.into_iter().map(told).collect()
    };
    let enforced = |reason, place: &str| vec![(Mode::Enforce, reason, None, place.to_owned())];
    for (method, target, role, expected) in [
        (Method::GET, "/admin/users", Some("admin"), vec![]),
        (Method::GET, "/admin/users", Some("user"), enforced(AccessDenied, "authorization.allow[0]")),
        (Method::GET, "/admin/users", None, enforced(CredentialsMissing, "authorization.allow[0]")),
        (Method::HEAD, "/admin/users", Some("user"), enforced(AccessDenied, "authorization.allow[0]")),
        (Method::GET, "/admin", Some("user"), vec![]),
        // Each rule has to hold; one that is tried out lets nobody in.
        (Method::GET, "/admin/reports", Some("auditor"), enforced(AccessDenied, "authorization.allow[0]")),
        (
            Method::GET,
            "/admin/reports",
            Some("admin"),
            vec![(Mode::Report, AccessDenied, None, "authorization.allow[1]".to_owned())],
        ),
        (Method::GET, "/admin/", Some("user"), enforced(AccessDenied, "authorization.allow[0]")),
        (
            Method::GET,
            "/trial",
            Some("user"),
            vec![(Mode::Report, AccessDenied, None, "authorization.allow[2]".to_owned())],
        ),
        (Method::DELETE, "/admin/users", Some("admin"), enforced(AccessDenied, "authorization.deny[0]")),
        (Method::GET, "/secret", Some("admin"), vec![]),
        (
            Method::GET,
            "/secret",
            Some("user"),
            vec![(Mode::Enforce, AccessDenied, Some(RouteUnknown), "authorization.deny[1]".to_owned())],
        ),
        (Method::GET, "/other", None, vec![]),
    ] {
        assert_eq!(judge(&method, target, role), expected, "{method} {target} {role:?}");
    }
}

#[test]
fn scopes_are_read_wherever_tokens_have_them() {
    for (claims, expected) in [
        (json!({"scope": "a b"}), Some(vec!["a", "b"])),
        (json!({"scope": ["a", "b"]}), Some(vec!["a", "b"])),
        (json!({"scp": "a b"}), Some(vec!["a", "b"])),
        (json!({"scp": ["a"], "scopes": ["b"]}), Some(vec!["a", "b"])),
        (json!({"scopes": []}), Some(vec![])),
        (json!({"scope": null}), Some(vec![])),
        (json!({"role": "a"}), None),
    ] {
        let call = call(Method::GET, "/", Some(&claims));
        let found = scopes::of(call.principal.as_deref().unwrap());
        assert_eq!(found, expected.map(|own| own.into_iter().map(Into::into).collect()), "{claims}");
    }
}

#[test]
fn a_uuid_is_the_same_in_every_spelling() {
    let text = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    let same = |attribute: &Value, text: &str| super::condition::is_same(attribute, text);
    for other in [text, "6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "6ba7b8109dad11d180b400c04fd430c8"] {
        assert!(same(&json!(text), other) && same(&json!(other), text), "{other}");
    }
    for (attribute, text) in [
        (json!(text), "6ba7b810-9dad-11d1-80b4-00c04fd430c9"),
        (json!("Ann"), "ann"),
        (json!(7), "07"),
        (json!(null), "null"),
    ] {
        assert!(!same(&attribute, text), "{attribute} {text}");
    }
    assert!(same(&json!(7), "7") && same(&json!("7"), "7"));
}

#[test]
fn one_template_covers_another() {
    for (wide, narrow, expected) in [
        ("/orders/{}", "/orders/{}", true),
        ("/{}/{}", "/orders/{}", true),
        ("/{*}", "/orders/{}", true),
        ("/orders/{*}", "/orders/{}/lines/{}", true),
        ("/orders/export", "/orders/{}", false),
        ("/{}/export", "/orders/{}", false),
        ("/{}/{}", "/orders/{*}", false),
        ("/{}", "/orders/{}", false),
        ("/{}/{}", "/orders", false),
    ] {
        assert_eq!(covers(wide, narrow), expected, "{wide} {narrow}");
    }
}
