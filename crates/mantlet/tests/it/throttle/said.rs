//! What is said at start of limits that hold unasked, and of settings that cannot take effect.

use crate::kit::Setup;

#[test]
fn the_start_names_what_is_limited_and_what_only_looks_so() {
    let gateway = Setup::run("lookalikes:app").config("[throttle]\n").start();
    gateway.wait_for("lookalikes:app (FastAPI) is ready", 1);
    let said = gateway.stderr();
    for line in [
        "limited against guessing and flooding: POST /login (login), POST /opaque/login (login) (`mantlet throttles` says how)",
        "limited as logins once they have answered 401: POST /relays (login), POST /enter (login)",
        "only recorded if requested too often: POST /reset (reset), POST /raw/login (login); \
         `throttle.operation = [{ paths = [\"/reset\"], purpose = \"reset\" }]` refuses them",
        "note: POST /raw/login (login) seems to take an account, but none is found among its inputs: it is not limited; \
         `throttle.operation = [{ paths = [\"/raw/login\"], purpose = \"login\", account = \"FIELD\" }]` names it",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert_eq!(said.matches("note:").count(), 1, "{said}");
}

#[test]
fn settings_that_cannot_take_effect_are_told_with_their_places() {
    let config = r#"
[path]
root-path = "/other"
[https]
exempt = ["/healthy", "/health"]
[[route]]
path = "/serach"
limits.body-size = "1 KiB"
[[route]]
path = "/other/search"
methods = ["DELETE"]
csrf.mode = "off"
[[route]]
path = "/search"
uploads.files = 1
[[throttle.rule]]
name = "a"
paths = ["/search", "/foreign/anything", "/items/{id}"]
key = ["api-key"]
rate = "1/s"
[[throttle.rule]]
name = "b"
tags = ["things"]
key = ["field:nickname", "header:x-tenant", "header:user-agent"]
rate = "1/s"
[[throttle.rule]]
name = "c"
paths = ["/login"]
key = ["field:nickname"]
rate = "1/s"
[[throttle.quota]]
name = "d"
paths = ["/search"]
key = ["user", "header:x-tenant"]
day = 1
[[throttle.quota]]
name = "e"
key = ["api-key"]
day = 1
[[throttle.operation]]
paths = ["/login"]
account = "mail"
"#;
    let gateway = Setup::run("lookalikes:app").config(config).start();
    gateway.wait_for("lookalikes:app (FastAPI) is ready", 1);
    let said = gateway.stderr();
    let expected = [
        "`path.root-path` replaces the app's own root path, `/api`",
        "`route[0].path` has no effect: the app has no route `/serach`",
        "`route[1].methods` has no effect: `/other/search` does not take DELETE",
        "`route[2].uploads` has no effect: none of its operations takes a form",
        "`throttle.rule[0].paths[2]` has no effect: the app has no route `/items/{id}`",
        "`throttle.rule[1].tags[0]` has no effect: no operation has the tag `things`",
        "`throttle.rule[2].key[0]` counts nothing: none of its operations takes a field `nickname`",
        "`throttle.quota[0].key[0]` counts nothing: `user` comes from a client certificate, and `tls.client-authorities` is not set",
        "`throttle.quota[0].key[1]` counts only requests with `x-tenant`, and none of its operations declares it",
        "`throttle.operation[0].account` finds no account: none of its operations takes `mail`",
        "`https.exempt[0]` has no effect: the app has no route `/healthy`",
    ];
    for what in expected {
        let line = said.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}\n{said}"));
        assert!(line.contains("note: ") && line.contains("mantlet.toml:"), "{line}");
    }
    let notes: Vec<_> = said.lines().filter(|line| line.contains("mantlet.toml:")).collect();
    assert_eq!(notes.len(), expected.len(), "{notes:#?}");
}

#[test]
fn strict_posture_that_can_refuse_no_input_says_so() {
    let strict = ["--strict".to_owned()];
    let gateway = Setup::run_in(&crate::kit::app::apps(), "rewriting:app", &strict).start();
    gateway.wait_for("strict posture only reports the input of this app", 1);
    assert!(gateway.stderr().contains("note: flag --strict:"), "{}", gateway.stderr());
}
