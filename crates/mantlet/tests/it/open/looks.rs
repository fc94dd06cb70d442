//! The page in a browser: whether everyone can read it, and whether it is live.

use serde_json::{Value, json};

use super::{Opened, Shop};
use crate::kit::browser::Browser;

const VIEWS: [&str; 9] = [
    "now",
    "refusals",
    "ratchet",
    "bans",
    "sessions",
    "objects",
    "contract",
    "audit?verify=1",
    "record?seq=1",
];

#[test]
fn axe_core_has_no_serious_finding_in_light_and_dark_wide_and_narrow() {
    let shop = Shop::open();
    shop.traffic();
    let mut opened = Opened::start(shop.process.folder());
    let mut browser = Browser::open(&opened.url());
    browser.wait_until("location.pathname.endsWith('/now') && document.readyState === 'complete'");
    let base = browser.evaluate("location.href.replace('now', '')").as_str().expect("an address").to_owned();
    for (scheme, width) in [("light", 1280), ("dark", 390)] {
        browser.look_as(scheme, width);
        for view in VIEWS {
            browser.go(&format!("{base}{view}"));
            // What is folded is judged, too.
            browser.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })");
            let found = browser.judged();
            assert!(found["passes"].as_u64().is_some_and(|passes| passes > 10), "{view}: {found:#}");
            assert_eq!(found["violations"], json!([]), "{view}, {scheme}: {found:#}");
            let fits = browser.evaluate(&format!("document.documentElement.scrollWidth <= {width}"));
            assert_eq!(fits, Value::Bool(true), "{view} is wider than a screen of {width}");
        }
    }
    assert_eq!(browser.evaluate("document.title.includes('owned')"), Value::Bool(false));
    assert!(browser.violations().is_empty(), "{:?}", browser.violations());
}

#[test]
fn it_is_live_and_an_act_works_by_its_buttons() {
    let shop = Shop::open();
    shop.traffic();
    let mut opened = Opened::start(shop.process.folder());
    let mut browser = Browser::open(&opened.url());
    browser.wait_until("location.pathname.endsWith('/now') && document.readyState === 'complete'");
    let base = browser.evaluate("location.href.replace('now', '')").as_str().expect("an address").to_owned();
    browser.go(&format!("{base}refusals"));
    browser.wait_until("document.querySelector('#code-path-dot-segment') !== null");
    let count =
        "document.querySelector('section[aria-labelledby=code-path-dot-segment] .count b').textContent";
    assert_eq!(browser.evaluate(count), "1");
    // What is open stays open.
    browser.evaluate("document.querySelector('#more-path-dot-segment').open = true");
    assert_eq!(shop.ask("GET", "/../y", "", "").status, 400);
    browser.wait_until(&format!("{count} === '2'"));
    assert_eq!(browser.evaluate("document.querySelector('#more-path-dot-segment').open"), Value::Bool(true));

    browser.go(&format!("{base}bans"));
    browser.evaluate("document.querySelector('td .ask').open = true");
    browser.evaluate("document.querySelector('td .ask button').click()");
    browser.wait_until("document.querySelector('.said.done') !== null");
    assert_eq!(browser.evaluate("document.querySelector('#banned').textContent"), "No address is banned.");
}

#[test]
fn old_figures_do_not_stay_when_the_gate_ends_or_the_page() {
    let shop = Shop::open();
    shop.traffic();
    let mut opened = Opened::start(shop.process.folder());
    let mut browser = Browser::open(&opened.url());
    browser.wait_until("location.pathname.endsWith('/now') && document.readyState === 'complete'");
    browser.wait_until("document.querySelector('#figures') !== null");
    shop.process.signal(rustix::process::Signal::TERM);
    browser.wait_until("document.querySelector('#view .note') !== null");
    let left = "document.querySelectorAll('#figures, #charts, #road, #operations').length";
    assert_eq!(browser.evaluate(left), 0);
    browser.wait_until("document.querySelector('#app.unknown') !== null");
    let base = browser.evaluate("location.href.replace('now', '')").as_str().expect("an address").to_owned();

    // What is read from the log stays, and is said to be old.
    browser.go(&format!("{base}refusals"));
    browser.wait_until("document.querySelector('#code-path-dot-segment') !== null");
    drop(opened);
    browser.wait_until("document.body.classList.contains('stale')");
    let when = browser.evaluate("document.querySelector('#when').textContent");
    assert!(when.as_str().is_some_and(|when| when.contains("does not answer any more")), "{when}");
    assert_eq!(browser.evaluate("document.querySelectorAll('#live button').length"), 0);
}
