use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;

use super::*;

#[derive(Debug)]
struct Ours(&'static str);

impl Callers for Ours {
    fn issuer(&self) -> Option<&str> {
        Some("https://orchard.example")
    }

    fn cookie(&self, _: Scheme) -> &str {
        self.0
    }

    fn login(&self) -> &'static str {
        "/auth/login"
    }

    fn owns(&self, path: &str) -> bool {
        path.starts_with("/auth/")
    }

    fn contract(&self) -> Option<&Arc<Contract>> {
        None
    }

    fn known(&self, _: &Credential) -> Option<Verdict> {
        None
    }

    fn follow(&self, _: &Arc<Caller>) -> Arc<dyn Followed> {
        unreachable!("no test opens a stream")
    }

    fn forget(&self, _: Option<&str>) {}

    fn ask(&self, _: Credential) -> BoxFuture<'static, Verdict> {
        Box::pin(std::future::ready(Verdict::Bad))
    }
}

const SESSION: &str = "0123456789012345678901234567890123456789abc";
const OTHER: &str = "0123456789012345678901234567890123456789abd";

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn token(issuer: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.c2ln", part(r#"{"alg":"ES256"}"#), part(&format!(r#"{{"iss":"{issuer}"}}"#)))
}

#[test]
fn the_credential_that_counts_is_a_token_of_ours_and_else_one_cookie() {
    let (ours, foreign) = (
        format!("Bearer {}", token("https://orchard.example")),
        format!("Bearer {}", token("https://id.net")),
    );
    let cookie = format!("__Host-session={SESSION}");
    let two = format!("__Host-session={SESSION}; __Host-session={OTHER}");
    let check = |lines: &[(&'static str, &str)], expected: &str| {
        let found = match credential_of(&Ours("__Host-session"), Scheme::Https, &headers(lines)) {
            Some(Credential::Cookie(value)) if *value.expose() == SESSION => "cookie",
            Some(Credential::Cookie(_)) => "another cookie",
            Some(Credential::Token(_)) => "token",
            None => "none",
        };
        assert_eq!(found, expected, "{lines:?}");
    };
    check(&[], "none");
    check(&[("authorization", &ours)], "token");
    check(&[("authorization", &ours), ("cookie", &cookie)], "token");
    check(&[("authorization", &foreign)], "none");
    check(&[("authorization", &foreign), ("cookie", &cookie)], "cookie");
    check(&[("authorization", "Bearer junk"), ("cookie", &cookie)], "cookie");
    check(&[("cookie", &cookie)], "cookie");
    check(&[("cookie", "a=1"), ("cookie", &cookie)], "cookie");
    // Whether an attacker's comes first or last, it is not taken.
    check(&[("cookie", &two)], "none");
    check(&[("cookie", &cookie), ("cookie", &format!("__Host-session={OTHER}"))], "none");
    check(&[("cookie", &cookie), ("cookie", &cookie)], "cookie");
    let of_provider = format!("__Host-session=p.{SESSION}");
    check(&[("cookie", &of_provider)], "another cookie");
    check(&[("cookie", &format!("__Host-session=x.{SESSION}"))], "none");
    // A name without the prefix may come from a neighbour's host.
    check(&[("cookie", &format!("session={SESSION}"))], "none");
    check(&[("cookie", "__Host-session=short")], "none");
}

#[test]
fn the_app_does_not_get_our_cookie_and_keeps_its_own() {
    let check = |name: &'static str, sent: &str, expected: Option<&str>| {
        let mut headers = headers(&[("cookie", sent)]);
        take_cookie(&Ours(name), Scheme::Https, &mut headers);
        assert_eq!(headers.get("cookie").map(|line| line.to_str().unwrap()), expected, "{name}: {sent}");
    };
    check("__Host-session", &format!("a=1; __Host-session={SESSION}; b=2"), Some("a=1; b=2"));
    check("__Host-session", "__Host-session=junk", None);
    check("__Host-session", &format!("session={SESSION}"), Some(&format!("session={SESSION}")));
    check("session", &format!("session={SESSION}"), None);
    check("session", &format!("session=p.{SESSION}; a=1"), Some("a=1"));
    check("session", "session=eyJhIjoxfQ==.Zx.sig", Some("session=eyJhIjoxfQ==.Zx.sig"));
}

#[test]
fn a_login_leads_back_to_this_site_alone() {
    for (target, expected) in [
        ("/", None),
        ("/items/1?page=2&x=%2F", Some("/items/1%3Fpage%3D2%26x%3D%252F")),
        ("//evil.net/", None),
        ("/\\evil.net", None),
        ("/a/%5Cevil.net", Some("/a/%255Cevil.net")),
    ] {
        assert_eq!(is_led_back_to(target).then(|| in_query(target)).as_deref(), expected, "{target}");
    }
    assert!(!is_led_back_to(&format!("/{}", "a".repeat(LONGEST_RETURN))));
}

#[test]
fn a_page_that_a_person_opens_is_a_navigation() {
    for (lines, expected) in [
        (&[("sec-fetch-mode", "navigate")][..], true),
        (&[("sec-fetch-mode", "cors"), ("accept", "text/html")], false),
        (&[("accept", "text/html,application/xhtml+xml")], true),
        (&[("accept", "*/*")], false),
        (&[("accept", "application/json")], false),
        (&[], false),
    ] {
        assert_eq!(is_navigation(&headers(lines)), expected, "{lines:?}");
    }
}

#[test]
fn what_is_public_is_named_by_templates() {
    let check = |public: &[&str]| {
        let public = public.iter().map(|path| (*path).to_owned()).collect();
        Config { public, public_docs: true }.check(false)
    };
    let policy = check(&["/health", "/shop/{item}", "/static/{path:path}"]).unwrap();
    for (path, expected) in [
        ("/health", true),
        ("/health/", false),
        ("/Health", false),
        ("/healthy", false),
        ("/shop/1", true),
        ("/shop/1/edit", false),
        ("/static/a/b.css", true),
        ("/", false),
    ] {
        assert_eq!(policy.is_public(path), expected, "{path}");
    }
    let none = check(&[]).unwrap();
    assert!(!none.is_public("/"), "nothing is public by default");
    let mistakes = check(&["health", "/a", "/{b", "/c"]).unwrap_err();
    let keys: Vec<_> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(keys, ["public[0]", "public[2]"]);
}
