//! The app's own document, wherever it is.

use super::{ask, before, seen};
use crate::kit::{Client, Uvicorn, command::Typed};

const REPORTED: &str = "reported, not enforced: a document is a claim";

#[test]
fn it_is_found_and_only_reported() {
    let folder = tempfile::tempdir().unwrap();
    let _app = Uvicorn::serve("careful:app", folder.path());
    let gateway = before(folder.path(), &[], "");
    gateway.wait_for("from the document at `/openapi.json`: 7 operations\n", 1);
    gateway.wait_for(REPORTED, 1);
    let answer = ask(&gateway, "POST", "/closed", "{}");
    assert_eq!(seen(&answer), (422, String::new()), "the app's own answer");
    let record = gateway.audit_of(answer.request_id());
    assert_eq!((&record["action"], &record["reason"]), (&"pass".into(), &"input-invalid".into()));
    assert_eq!(ask(&gateway, "GET", "/openapi.json", "").status, 200);
    assert_eq!(ask(&gateway, "GET", "/nothing", "").status, 404);
    let reasons: Vec<_> = gateway.end().audit.iter().map(|record| record["reason"].clone()).collect();
    assert_eq!(reasons, ["input-invalid", "route-unknown"]);
}

#[test]
fn it_is_found_where_apps_have_it() {
    for (app, says, at) in [
        ("documented:elsewhere", "from the document at `/api/v1/openapi.json`: 1 operation\n", "/items/x"),
        ("documented:at_api", "from the document at `/api`: 1 operation\n", "/items/x"),
        // Below the prefix that its document names, and as it stands: whoever strips it stands before us or behind us.
        ("documented:prefixed", "from the document at `/openapi.json`: 1 operation\n", "/api/items/x"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let _app = Uvicorn::serve(app, folder.path());
        let gateway = before(folder.path(), &["--trust-document"], "[contract]\ninput = \"enforce\"\n");
        gateway.wait_for(says, 1);
        gateway.wait_for("the document is trusted, as `--trust-document`", 1);
        assert_eq!(
            seen(&ask(&gateway, "POST", at, r#"{"name": "a"}"#)),
            (422, "input-invalid".into()),
            "{app}"
        );
        let good = ask(&gateway, "POST", "/items/1", r#"{"name": "a"}"#);
        assert_eq!(good.status, 200, "{app}: {good:?}");
        let path = says.split('`').nth(1).unwrap();
        assert_eq!(ask(&gateway, "GET", path, "").status, 200);
        let records = gateway.end().audit;
        assert!(
            records.iter().all(|record| record["reason"] == "input-invalid"),
            "the document is known: {records:?}"
        );
    }
}

#[test]
fn other_answers_do_not_stand_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let _app = Uvicorn::serve("documented:endless", folder.path());
    let gateway = before(folder.path(), &[], "");
    gateway.wait_for("from the document at `/api/openapi.json`: 1 operation\n", 1);
}

#[test]
fn an_app_that_answers_to_one_host_is_asked_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let _app = Uvicorn::serve("documented:picky", folder.path());
    let gateway = before(folder.path(), &[], "[host]\nallow = [\"*.example\", \"shop.example\"]\n");
    gateway.wait_for("from the document at `/openapi.json`: 1 operation\n", 1);
}

#[test]
fn an_app_that_wants_https_is_asked_as_its_clients_ask() {
    let folder = tempfile::tempdir().unwrap();
    let _app = Uvicorn::serve("documented:encrypted", folder.path());
    let gateway = before(folder.path(), &[], "[https]\nrequired = \"always\"\n");
    gateway.wait_for("from the document at `/openapi.json`: 1 operation\n", 1);
    let plain = before(folder.path(), &[], "");
    plain.wait_for(
        "`/openapi.json` redirects to `https://localhost/openapi.json`, and redirects are not followed",
        1,
    );
}

#[test]
fn none_an_empty_one_and_a_page_are_told() {
    for (app, says) in [
        ("documented:none", "no OpenAPI document was found behind the gate (asked for `/openapi.json`, "),
        ("documented:empty", "at `/openapi.json` cannot be used: the document has no operations"),
        ("documented:page", "no OpenAPI document was found behind the gate"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let _app = Uvicorn::serve(app, folder.path());
        let gateway = before(folder.path(), &["--strict"], "");
        gateway.wait_for(says, 1);
        gateway.wait_for("requests are not checked against a contract", 1);
        assert!(gateway.stderr().contains("pass one with `--openapi FILE|URL`"), "{app}");
        assert!(!gateway.stderr().contains("operations\n"), "{app}");
        assert_eq!(seen(&ask(&gateway, "GET", "/nothing", "")).1, "", "{app}: the app answers");
    }
}

#[test]
fn of_two_the_larger_one_is_taken_and_neither_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let _app = Uvicorn::serve("documented:two", folder.path());
    let gateway = before(folder.path(), &["--strict"], "");
    gateway.wait_for("(Inner), from the document at `/api/openapi.json`: 2 operations\n", 1);
    gateway.wait_for("there is another document at `/openapi.json` (1 operation), which is not used", 1);
    gateway.wait_for("unknown paths and methods: left to the app", 1);
    assert_eq!(ask(&gateway, "GET", "/health", "").status, 200, "only the other document has it");
    assert_eq!(seen(&ask(&gateway, "POST", "/api/items/x", "{}")), (422, "input-invalid".into()));
}

#[test]
fn an_app_that_is_away_is_asked_again_and_one_that_comes_back_too() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = before(folder.path(), &[], "");
    gateway.wait_for("for its document yet", 1);
    assert_eq!(seen(&ask(&gateway, "GET", "/", "")), (503, "app-unavailable".into()), "nothing is held up");
    let app = Uvicorn::serve("careful:app", folder.path());
    gateway.wait_for("from the document at `/openapi.json`: 7 operations\n", 1);

    drop(app);
    // Somebody notices that it is away, and that it is back.
    assert_eq!(ask(&gateway, "GET", "/", "").status, 503);
    let _app = Uvicorn::serve("documented:elsewhere", folder.path());
    assert_eq!(ask(&gateway, "GET", "/", "").status, 404);
    gateway.wait_for("from the document at `/api/v1/openapi.json`: 1 operation\n", 1);
}

#[test]
fn another_server_of_run_is_asked_when_it_is_ready() {
    let typed = Typed::run(&["--", "uvicorn", "careful:app", "--uds", "{socket}"]);
    let process = typed.app("careful.py").start();
    process.ready();
    process.line("from the document at `/openapi.json`: 7 operations");
}

#[test]
fn an_app_that_starts_anew_brings_another_contract() {
    let app = "import os\nfrom fastapi import FastAPI\napp = FastAPI()\n\
               @app.get('/end')\ndef end(): os._exit(1)\n\
               if os.path.exists('started'):\n    @app.get('/second')\n    def second(): return 2\n\
               open('started', 'w').close()\n";
    let process = Typed::run(&["main:app", "--strict"]).file("main.py", app).start();
    let address = process.ready();
    process.line("read from the app: 1 operation");
    let status = |path: &str| Client::connect(address).get(path).status;
    assert_eq!(status("/second"), 404);
    assert_eq!(status("/end"), 502);
    process.line("read from the app: 2 operations");
    assert_eq!(status("/second"), 200);
}

#[test]
fn an_app_without_operations_is_not_passed_over_in_silence() {
    let app = "from fastapi import FastAPI\napp = FastAPI()\n";
    let process = Typed::run(&["main:app", "--strict"]).file("main.py", app).start();
    let address = process.ready();
    process.line("error: the contract has no operation that can be read");
    assert_eq!(Client::connect(address).get("/nothing").code(), "route-unknown", "its paths are known");
}
