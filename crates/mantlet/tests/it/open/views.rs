//! Each view shows what happened.

use std::fs;

use serde_json::Value;

use super::{HOSTILE, Opened, Shop, Visitor, encoded};
use crate::kit::{eventually, read_all};

fn contains(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(page.contains(text), "{text:?} is not in\n{page}");
    }
}

/// Nothing of a client or an app is markup.
fn has_no_markup_of_others(page: &str) {
    for text in ["<img", "<b>owned", "<script>document"] {
        assert!(!page.contains(text), "{text:?} is in\n{page}");
    }
}

#[test]
fn each_view_shows_what_happened_and_no_text_of_others_is_markup() {
    let shop = Shop::open();
    shop.traffic();
    let mut opened = Opened::start(shop.process.folder());
    let visitor = opened.visit();

    let now = visitor.get("now");
    contains(
        &now,
        &["The app responds", "Requests a second", "Half take", "≤ ", "Passed", "GET /products/{product_id}"],
    );
    assert!(!now.contains("are not measured"), "{now}");

    let refusals = visitor.get("refusals");
    contains(
        &refusals,
        &[
            "id=\"code-path-dot-segment\"",
            "The path contains a <code>.</code> or <code>..</code> segment",
            "Resolve it in the client",
            "path.mode = &quot;report&quot;",
            "audit?ip=203%2E0%2E113%2E5",
            "id=\"code-client-banned\"",
        ],
    );
    let record = refused(&shop, "path-dot-segment");
    contains(&refusals, &[record["request_id"].as_str().expect("an id")]);

    let ratchet = visitor.get("ratchet");
    contains(
        &ratchet,
        &[
            "id=\"code-csrf-cross-site\"",
            "Enforced, it would have refused <b>1</b> of ",
            "csrf.mode = &quot;enforce&quot;",
        ],
    );
    contains(&ratchet, &["GET /&lt;img src=x onerror=alert(1)&gt;"]);
    assert!(!ratchet.contains("path-dot-segment"), "what is refused is not reported");

    let bans = visitor.get("bans");
    contains(&bans, &["203.0.113.9", "Lift the ban of 203.0.113.9", "free-plan", " of 1,000"]);

    let sessions = visitor.get("sessions");
    contains(
        &sessions,
        &["alice", "1 access token", "198.51.100.7", "&lt;img src=x onerror=document.title='owned'&gt;"],
    );
    let found = visitor.get(&format!("sessions?account={}", "alice"));
    contains(&found, &["1 open session", "End all sessions of this account"]);

    contains(&visitor.get("objects"), &["Rule ", "[[authorization."]);
    contains(&visitor.get("contract"), &["GET /products/{product_id}", "Enforced", "not in its document"]);

    let seq = record["seq"].as_u64().expect("a number");
    let audit = visitor.get("audit");
    contains(&audit, &["Last sealed", &format!("record?seq={seq}"), "login-succeeded"]);
    let found = visitor.get("audit?code=path-dot-segment&since=1h");
    contains(&found, &["1 record, the newest first", "203.0.113.5"]);
    contains(&visitor.get("audit?since=yesterday"), &["<code>yesterday</code> is not a time"]);
    contains(&visitor.get("audit?user=none"), &["No record fits."]);

    for view in ["now", "refusals", "ratchet", "bans", "sessions", "objects", "contract", "audit"] {
        has_no_markup_of_others(&visitor.get(view));
    }
    let account = encoded(HOSTILE);
    let form = visitor.form();
    let ended = visitor.post(&visitor.own(), &format!("form={form}&act=end-all&what={account}"));
    assert_eq!(ended.status, 303);
    contains(&visitor.get(&visitor.place(&ended)), &["All sessions of <code>&lt;img src=x onerror="]);
    contains(&visitor.get("audit?event=operator-acted"), &["end the sessions of &lt;img src=x onerror="]);
    for view in ["sessions?account=", "audit?user=", "audit?operation="] {
        has_no_markup_of_others(&visitor.get(&format!("{view}{account}")));
    }
}

fn refused(shop: &Shop, code: &str) -> Value {
    let all = read_all(&shop.log());
    all.into_iter()
        .find(|record| record["reason"] == code && record["security_event"] == "request-refused")
        .expect("a record")
}

fn verified(visitor: &Visitor) -> String {
    let page = visitor.get("audit?verify=1");
    page.split("class=\"verdict")
        .nth(1)
        .and_then(|rest| rest.split("</div>").next())
        .expect("a verdict")
        .to_owned()
}

#[test]
fn the_log_is_verified_and_a_record_is_handed_out_with_its_proof() {
    let shop = Shop::open();
    shop.traffic();
    let mut opened = Opened::start(shop.process.folder());
    let visitor = opened.visit();
    let seq = refused(&shop, "path-dot-segment")["seq"].as_u64().expect("a number");
    let place = format!("record?seq={seq}");
    let page = eventually("it is sealed", || {
        let page = visitor.get(&place);
        (!page.contains("is not sealed yet")).then_some(page)
    });
    contains(&page, &["path-dot-segment", "203.0.113.5", "Save the proof"]);
    has_no_markup_of_others(&page);
    let path = format!("{}{place}&proof=1", visitor.folder);
    let proof = visitor.raw("GET", &path, &visitor.lines(), "");
    assert_eq!((proof.status, proof.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    let state = shop.process.folder().join("state");
    let file = state.join("proof.txt");
    fs::write(&file, &proof.body).expect("a file");
    let finished = crate::kit::command::Typed::mantlet(["audit", "verify", "--proof"])
        .argument(file.to_str().expect("text"))
        .argument("--seals")
        .argument(state.join("audit.jsonl.seals").to_str().expect("text"))
        .finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    contains(&visitor.get("record?seq=999999"), &["there is no record 999999"]);
    contains(&visitor.get("record?seq=x"), &["named by its number"]);

    contains(&verified(&visitor), &["The log is as it was written.", "seal"]);
    // One letter of a record, in place.
    let text = fs::read_to_string(shop.log()).expect("text");
    let at = text.find("203.0.113.5").expect("the record");
    let bytes = [&text.as_bytes()[..at], b"203.0.113.6", &text.as_bytes()[at + 11..]].concat();
    let file = fs::OpenOptions::new().write(true).open(shop.log()).expect("the log");
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes[..at + 11], 0).expect("written");
    contains(&verified(&visitor), &["NOT as it was written", &format!("audit.jsonl:{}", seq + 1)]);
}

#[test]
fn what_comes_later_is_seen_also_after_the_log_was_rotated() {
    let shop = Shop::open();
    let mut opened = Opened::start(shop.process.folder());
    let visitor = opened.visit();
    contains(&visitor.get("refusals"), &["Nothing was refused."]);
    let refuse = |address: &str| {
        let lines = format!("X-Forwarded-For: {address}\r\n");
        assert_eq!(shop.ask("GET", "/../x", &lines, "").status, 400);
        eventually("it is seen", || visitor.get("refusals").contains(address).then_some(()));
    };
    refuse("203.0.113.1");
    fs::rename(shop.log(), shop.log().with_file_name("audit.jsonl.1")).expect("renamed");
    shop.process.signal(rustix::process::Signal::HUP);
    eventually("a new file", || shop.log().exists().then_some(()));
    refuse("203.0.113.2");
    assert!(visitor.get("refusals").contains("203.0.113.1"), "what was there is still there");
}

#[test]
fn without_the_gate_it_says_so_and_the_log_is_still_read() {
    let shop = Shop::open();
    shop.traffic();
    let mut opened = Opened::start(shop.process.folder());
    let visitor = opened.visit();
    shop.process.signal(rustix::process::Signal::TERM);
    eventually("the gate has ended", || visitor.get("bans").contains("no Mantlet answers at").then_some(()));
    for view in ["now", "audit", "contract"] {
        // What these show was asked up to two seconds ago.
        let page = eventually(&format!("{view} has noticed"), || {
            Some(visitor.get(view)).filter(|page| page.contains("no Mantlet answers at"))
        });
        contains(&page, &["Not known whether the app responds"]);
        assert!(!page.contains("Not sealed yet") && !page.contains("Half take"), "{view}: {page}");
    }
    contains(&visitor.get("refusals"), &["path-dot-segment"]);
    contains(&visitor.get("audit?code=path-dot-segment"), &["203.0.113.5"]);
    contains(&verified(&visitor), &["The log is as it was written."]);
}
