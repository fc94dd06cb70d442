//! Pages in a real browser: they work under the content security policies that they get.

use std::collections::BTreeSet;

use crate::kit::{
    Client, Setup,
    browser::Browser,
    command::{THREE_LINES, Typed},
};

/// What a browser shows when the page works, and a count of what it shows then.
const SWAGGER_UI: (&str, &str) = ("/docs", "document.querySelectorAll('.opblock').length === 2");
const REDOC: (&str, &str) =
    ("/redoc", "document.querySelectorAll('[id^=\"tag/items/operation\"]').length >= 2");

const DOCS_PATHS: &str = "[headers]\ndocs-paths = [\"/docs\", \"/redoc\"]\n";

#[test]
fn the_documentation_pages_work() {
    // They are the app's own here, so it has to be said that they are what they are.
    let gateway = Setup::run("docs_offline:app").config(DOCS_PATHS).start();
    for (path, works) in [SWAGGER_UI, REDOC] {
        let answer = Client::connect(gateway.addr()).get(path);
        let policy = answer.header("content-security-policy-report-only").expect("a policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self' 'unsafe-inline' https://"),
            "{policy}"
        );

        let mut browser = Browser::open(&format!("http://{}{path}", gateway.addr()));
        browser.wait_until(works);
        assert_eq!(browser.violations(), &[] as &[String], "{path}");
    }
}

/// Without the policy that lets them work they do not: the test above can fail.
#[test]
fn the_documentation_pages_do_not_work_under_any_policy() {
    let gateway = Setup::run("docs_offline:app")
        .config(&format!("{DOCS_PATHS}[headers.content-security-policy]\ndocs = \"default-src 'none'\"\n"))
        .start();
    for (path, works) in [SWAGGER_UI, REDOC] {
        let url = format!("http://{}{path}", gateway.addr());
        let mut browser = Browser::open(&url);
        browser.wait_until(&format!("location.href === '{url}' && document.readyState === 'complete'"));
        assert!(!browser.violations().is_empty(), "{path}");
        assert_eq!(browser.evaluate(works), false, "{path}");
    }
}

/// What FastAPI's own pages load from elsewhere is what the policy allows.
#[test]
fn the_documentation_pages_ask_only_for_what_is_allowed() {
    let process = Typed::run(&[]).file("main.py", THREE_LINES).start();
    let mut client = Client::connect(process.ready());
    let mut found = BTreeSet::new();
    for path in ["/docs", "/redoc"] {
        let answer = client.get(path);
        let policy = answer.header("content-security-policy-report-only").expect("a policy");
        let page = String::from_utf8_lossy(&answer.body);
        for (kind, place) in [("src=\"", "script-src"), ("href=\"", "style-src")] {
            let directive = policy.split("; ").find(|directive| directive.starts_with(place)).expect(place);
            for link in page.split(kind).skip(1).filter_map(|rest| rest.split('"').next()) {
                let Some(rest) = link.strip_prefix("https://") else { continue };
                let origin = format!("https://{}", rest.split('/').next().unwrap_or_default());
                let directive = if link.split('.').next_back() == Some("png") {
                    policy.split("; ").find(|d| d.starts_with("img-src"))
                } else {
                    Some(directive)
                };
                assert!(
                    directive.expect("img-src").split(' ').any(|allowed| allowed == origin),
                    "{link}: {policy}"
                );
                found.insert(origin);
            }
        }
    }
    assert!(found.len() >= 2, "{found:?}");
}

/// The shop's page knows nothing of policies: inline script and style, events, a WebSocket. What could be stricter is only
/// reported.
#[test]
fn the_apps_own_page_works() {
    let process = Typed::run(&[]).shop().start();
    let address = process.ready();
    let answer = Client::connect(address).get("/");
    assert!(answer.header("content-security-policy-report-only").is_some());

    let mut browser = Browser::open(&format!("http://{address}/"));
    browser.wait_until("document.querySelectorAll('#products article').length === 6");
    browser.wait_until("document.querySelectorAll('#orders div').length === 3");
    browser.evaluate("document.querySelector('#say input').value = 'hello'");
    browser.wait_until("chat.readyState === 1");
    browser.evaluate("document.querySelector('#say button').click()");
    browser.wait_until("document.querySelector('#chat').textContent.includes('hello')");
    let violations = browser.violations();
    assert!(!violations.is_empty(), "the stricter policy is tried out");
    for violation in violations {
        assert!(violation.contains("report-only"), "{violation}");
    }
}
