//! Two tabs of a real browser that show an app's page: what one has open ends when its user logs out in the other.

use super::{Running, Subject, step::post};
use crate::kit::{browser::Browser, eventually};

/// A page whose users log in with a cookie or with a token.
pub(super) const STALL: Subject = Subject {
    name: "stall.py",
    entry: "stall:app",
    prepare: |_| (),
    entrance: || {
        let log_in = post("/token").form("username=ann&password=battlement").is(200, "access_token");
        vec![log_in.keep("token", "/access_token")]
    },
    carried: "Authorization: Bearer {token}",
    guarded: "/basket",
    key: b"8f1d3c5b7a9e0f2d4c6b8a0e1f3d5c7b9a0e2f4d6c8b0a1e",
    traffic: Vec::new,
    stopped: 0,
    recorded: &[],
};

/// Waits until the page shows this text there.
fn shows(tab: &mut Browser, id: &str, text: &str) {
    tab.wait_until(&format!("document.getElementById('{id}').innerText === '{text}'"));
}

fn click(tab: &mut Browser, selector: &str) {
    tab.evaluate(&format!("document.querySelector('{selector}').click()"));
}

/// Fills in the form, and presses one of its buttons.
fn log_in(tab: &mut Browser, way: &str) {
    for (name, text) in [("username", "ann"), ("password", "battlement")] {
        tab.evaluate(&format!("document.querySelector('[name={name}]').focus()"));
        tab.evaluate(&format!("document.querySelector('[name={name}]').select()"));
        tab.type_text(text);
    }
    click(tab, &format!("[value={way}]"));
    shows(tab, "basket", "of ann (1)");
    shows(tab, "news", "news for ann");
}

/// Logs in, opens a second tab, and logs out in the first one.
fn check(way: &str, is_enforced: bool) {
    let line = if is_enforced { "authentication.sessions = \"enforce\"\n" } else { "" };
    let running = Running::start(&STALL, line);
    let url = format!("http://{}/", running.addr());
    let mut first = Browser::open(&url);
    shows(&mut first, "basket", "refused: 401");
    log_in(&mut first, way);
    let mut second = first.tab(&url);
    shows(&mut second, "basket", "of ann (1)");
    shows(&mut second, "news", "news for ann");
    second.evaluate("socket.send('hello')");
    shows(&mut second, "news", "ann: hello");

    click(&mut first, "#logout");
    shows(&mut first, "basket", "logged out: 200");
    if is_enforced {
        shows(&mut second, "news", "closed: 1008 session ended");
        shows(&mut first, "news", "closed: 1008 session ended");
    } else {
        second.evaluate("socket.send('still here')");
        shows(&mut second, "news", "ann: still here");
    }
    click(&mut second, "#look");
    shows(&mut second, "basket", if is_enforced { "refused: 401" } else { "of ann (2)" });
    if is_enforced {
        log_in(&mut second, way);
    }

    let ended = if is_enforced { "stream-ended" } else { "stream-would-be-ended" };
    eventually("both WebSockets are recorded", || {
        let records = running.gateway.audit(1);
        let streams = records.iter().filter(|record| record["path"] == "/news");
        let seen: Vec<_> = streams.filter_map(|record| record["security_event"].as_str()).collect();
        (seen == [ended; 2]).then_some(())
    });
}

#[test]
fn a_logout_in_one_tab_ends_the_other_tab() {
    check("token", true);
}

#[test]
fn a_logout_in_one_tab_ends_the_other_tab_with_a_cookie() {
    check("login", true);
}

/// Without the line the other tab goes on, in everything: so the tests above can fail.
#[test]
fn a_logout_in_one_tab_leaves_the_other_tab_alone_unless_it_is_asked_for() {
    check("token", false);
}
