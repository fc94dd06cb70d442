//! Forms that other sites' pages send on purpose.

use crate::kit::{Client, Gateway, Setup};

/// A form that a page elsewhere sends with its user's browser, which has a cookie of ours.
fn post(gateway: &Gateway, target: &str, origin: &str) -> (u16, Option<String>) {
    let body = "code=a&state=b&SAMLResponse=c&iss=d&login_hint=e";
    let length = body.len();
    let answer = Client::connect(gateway.addr()).ask(format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nSec-Fetch-Site: cross-site\r\nCookie: _ga=1\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    let remedy = (answer.status == 403).then(|| {
        let record = gateway.audit_of(answer.request_id());
        assert_eq!(record["subject"], origin, "{record}");
        record["remedy"].as_str().expect("a line").to_owned()
    });
    (answer.status, remedy)
}

#[test]
fn they_are_named_at_start_and_the_line_that_is_named_lets_them_pass() {
    let gateway = Setup::run("callbacks:app").start();
    let said = gateway.stderr();
    assert!(said.contains("4 operations look like a callback that a page of another site sends: "), "{said}");
    for named in [
        "POST /auth/apple (OAuth: `code` and `state`)",
        "POST /sso/{tenant}/acs (SAML: `SAMLResponse`)",
        "POST /lti/login (LTI: `iss` and `login_hint`)",
        "POST /oidc/callback (`oidc` in its path",
        r#"route = [{ path = "/auth/apple", methods = ["POST"], csrf.mode = "off" }]"#,
    ] {
        assert!(said.contains(named), "{named} in {said}");
    }
    assert!(!said.contains("/promo") && !said.contains("/transfer"), "{said}");

    let targets = ["/auth/apple", "/sso/a/acs", "/oidc/callback", "/lti/login"];
    let mut routes = Vec::new();
    for target in targets {
        let (status, remedy) = post(&gateway, target, "https://idp.example");
        let remedy = remedy.expect("it is refused");
        assert_eq!(status, 403, "{target}");
        let (origin, route) = remedy.split_once(" # or for this operation: ").expect("two lines");
        assert_eq!(origin, r#"csrf.trusted-origins = ["https://idp.example"]"#);
        routes.push(
            route.strip_prefix("route = [").and_then(|rest| rest.strip_suffix(']')).unwrap().to_owned(),
        );
        // What has no name cannot be trusted by it.
        assert_eq!(post(&gateway, target, "null"), (403, Some(route.to_owned())), "{target}");
    }
    assert_eq!(post(&gateway, "/transfer", "https://idp.example").0, 403);
    drop(gateway);

    // Each of the two lines that a record names.
    let trusting =
        Setup::run("callbacks:app").config("[csrf]\ntrusted-origins = [\"https://idp.example\"]\n").start();
    let taken_out = Setup::run("callbacks:app").config(&format!("route = [{}]\n", routes.join(", "))).start();
    assert!(!taken_out.stderr().contains("callback that"), "{}", taken_out.stderr());
    for target in targets {
        assert_eq!(post(&trusting, target, "https://idp.example").0, 200, "{target}");
        assert_eq!(post(&taken_out, target, "null").0, 200, "{target}");
    }
    assert_eq!(post(&trusting, "/transfer", "https://evil.example").0, 403);
    assert_eq!(post(&taken_out, "/transfer", "https://evil.example").0, 403);
}
