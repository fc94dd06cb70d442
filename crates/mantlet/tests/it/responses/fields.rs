//! Fields that no model has, and those with the names of secrets, are cut out; nothing else changes.

use serde_json::{Value, json};

use super::{BY_NAME, HASH, STRICT, get, get_with, text};
use crate::kit::{
    Client, Gateway, Setup,
    http2::{ask, connect, get as get_over_http2, talk},
};

/// Names past the model. One is neither a common word nor in the contract.
const SHAPES: &str = "is_admin, note, <4 characters, d7cea730>";

/// What is left of a user whom a handler has answered whole, past its model.
const CUT: &str = concat!(
    r#"{"id":1,"e-mail":"a@example.com","friends":[{"name":"Ann"}],"by_name":{"anything":{"name":"Ben"}},"#,
    r#""pet":{"lives":9,"name":"Tom"},"shownAs":"user 1"}"#
);

#[test]
fn what_a_handler_writes_itself_is_told_and_only_what_is_surely_a_secret_goes() {
    let gateway = Setup::run("leaky:app").start();
    let plain = Setup::run("leaky:app").config("[responses]\nmode = \"off\"\n").start();
    let without = |gateway: &Gateway, path: &str| {
        let mut answer = get(gateway, path).json();
        answer.as_object_mut().unwrap().remove("hashed_password");
        answer
    };
    // Fields past the model stay; the hash does not, wherever no model has it.
    for path in ["/bypassed", "/no-model"] {
        let answer = get(&gateway, path);
        assert_eq!(answer.json(), without(&plain, path), "{path}");
        assert!(!text(&answer).contains("hashed_password\":\"$2b$"));
    }
    // What models declare is the app's own word, and so is what FastAPI writes.
    for path in ["/honest", "/in-db", "/key", "/token-model", "/open", "/schema", "/not-found"] {
        assert_eq!(text(&get(&gateway, path)), text(&get(&plain, path)), "{path}");
    }
    assert_eq!(get(&gateway, "/in-db").json()["hashed_password"], HASH);
    let told = gateway.end().audit;
    let told: Vec<_> =
        told.iter().map(|record| ["action", "reason", "path"].map(|name| &record[name])).collect();
    assert_eq!(
        json!(told),
        json!([
            ["pass", "response-field-unknown", "/bypassed"],
            ["strip", "response-field-sensitive", "/bypassed"],
            // That of a friend, which is no hash in any format.
            ["pass", "response-field-sensitive", "/bypassed"],
            ["strip", "response-field-sensitive", "/no-model"],
            ["pass", "response-field-sensitive", "/no-model"],
            ["pass", "response-field-sensitive", "/in-db"],
        ])
    );
}

#[test]
fn fields_past_the_model_are_cut_out() {
    let gateway = Setup::run("leaky:app").config(BY_NAME).start();
    let answer = get(&gateway, "/bypassed");
    assert_eq!((answer.status, text(&answer)), (200, CUT));
    assert_eq!(answer.header("etag"), None, "it was that of other bytes");
    talk(async {
        let sender = connect(gateway.addr()).await;
        let answer = ask(&sender, get_over_http2("/bypassed"), b"").await.unwrap();
        assert_eq!(answer.body(), CUT.as_bytes());
        assert_eq!(answer.headers()["content-length"], CUT.len().to_string());
    });
    // What FastAPI itself has written is not touched.
    let honest = get(&gateway, "/honest");
    let fields: Vec<_> = honest.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["by_name", "e-mail", "friends", "id", "pet", "shownAs"], "{honest:?}");
    assert_eq!(get(&gateway, "/open").json(), json!({"id": 1, "more": {"anything": true}}));
    assert_eq!(get(&gateway, "/not-found").json(), json!({"detail": "No such user"}));

    let told = gateway.end().audit;
    let told: Vec<_> = told
        .iter()
        .map(|record| ["security_event", "action", "reason", "path", "subject"].map(|name| &record[name]))
        .collect();
    assert_eq!(
        json!(told),
        json!([
            ["response-changed", "strip", "response-field-unknown", "/bypassed", SHAPES],
            ["response-changed", "strip", "response-field-sensitive", "/bypassed", "hashed_password"],
        ])
    );
}

#[test]
fn by_their_names_secrets_never_leave_wherever_they_stand() {
    let gateway = Setup::run("leaky:app").config(BY_NAME).start();
    let answer = get(&gateway, "/no-model").json();
    assert_eq!((&answer["is_admin"], answer.get("hashed_password")), (&json!(false), None));
    assert_eq!(answer["by_name"]["anything"], json!({"name": "Ben"}));
    // A password is one even if the model has it.
    assert_eq!(get(&gateway, "/in-db").json().get("hashed_password"), None);
    // Another secret is handed out where the model says so, or where tokens come from. A mask is none.
    let key = json!({"id": 1, "secret": "s3cret", "shown": "**********"});
    assert_eq!(get(&gateway, "/key").json(), key);
    let token = json!({"access_token": "t", "client_secret": "s3cret"});
    assert_eq!(get(&gateway, "/token-model").json(), token);
    let post = "POST /login/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    let answer = Client::connect(gateway.addr()).ask(post);
    assert_eq!(answer.json(), json!({"token": "t", "secret": "s3cret"}));
    let schema =
        r#"{"type":"object","properties":{"password":{"type":"string"}},"password":true,"secret":null}"#;
    assert_eq!(text(&get(&gateway, "/schema")), schema);

    let strict = Setup::run("leaky:app").config(STRICT).start();
    assert_eq!(get(&strict, "/key").json(), json!({"id": 1, "shown": "**********"}));
    assert_eq!(get(&strict, "/token-model").json(), token);
}

#[test]
fn the_apps_own_document_stays_as_it_is() {
    let (filtered, off) = (
        Setup::run("leaky:app").start(),
        Setup::run("leaky:app").config("[responses]\nmode = \"off\"\n").start(),
    );
    let document = get(&filtered, "/openapi.json");
    assert!(text(&document).contains("hashed_password"), "{document:?}");
    assert_eq!(text(&document), text(&get(&off, "/openapi.json")));
}

#[test]
fn without_a_contract_secrets_and_errors_are_judged() {
    let app = Setup::run("leaky:app").config("[responses]\nmode = \"off\"\n").start();
    let gateway = Setup::serve(&format!("http://{}", app.addr())).start();
    let answer = get(&gateway, "/bypassed").json();
    assert_eq!((&answer["is_admin"], answer.get("hashed_password")), (&json!(false), None));
    assert_eq!(answer["by_name"]["anything"]["hashed_password"], "x");
    assert!(text(&get(&gateway, "/openapi.json")).contains("hashed_password"));
    assert_eq!(get(&gateway, "/boom").code(), "app-error-hidden");
}

#[test]
fn settings_say_what_becomes_of_fields() {
    let config = "[responses]\nunknown-fields = \"report\"\nsensitive-fields = \"strip\"\nsensitive-names = [\"e_mail\"]\n\
                  [[route]]\npath = \"/no-model\"\nresponses.mode = \"off\"\n";
    let gateway = Setup::run("leaky:app").config(config).start();
    let answer = get(&gateway, "/bypassed").json();
    assert_eq!((answer.get("e-mail"), &answer["is_admin"]), (None, &json!(false)));
    assert_eq!(get(&gateway, "/no-model").json()["e-mail"], "a@example.com");
    let record = &gateway.end().audit[0];
    assert_eq!(
        (&record["action"], &record["security_event"]),
        (&json!("pass"), &json!("response-would-be-changed"))
    );
}

/// A middleware may put something around answers; its names may be those of a model.
#[test]
fn what_a_middleware_wraps_is_left_alone() {
    let gateway = Setup::run("leaky:wrapped").config(BY_NAME).start();
    let answer = get(&gateway, "/honest");
    assert_eq!((&answer.json()["id"], &answer.json()["data"]["id"]), (&json!(0), &json!(1)), "{answer:?}");
    let record = gateway.audit_of(answer.request_id());
    assert_eq!((&record["action"], &record["subject"]), (&json!("pass"), &json!("data")));
    // Secrets are secrets.
    assert_eq!(get(&gateway, "/no-model").json()["data"].get("hashed_password"), None);
}

#[test]
fn no_coding_lets_an_answer_pass_unseen() {
    for app in ["leaky:compressed", "leaky:brotli"] {
        let gateway = Setup::run(app).config(BY_NAME).start();
        for codings in ["gzip", "br", "gzip, deflate, br, zstd", "br;q=1, *;q=0.5", "identity"] {
            let answer = get_with(&gateway, "/compressible", &format!("Accept-Encoding: {codings}\r\n"));
            assert_eq!((answer.header("content-encoding"), text(&answer)), (None, CUT), "{app} {codings}");
        }
        // What needs no change stays compressed.
        let answer = get_with(&gateway, "/honest", "Accept-Encoding: gzip, br\r\n");
        let coding = answer.header("content-encoding");
        assert_eq!(coding, (app == "leaky:compressed").then_some("gzip"), "{app}");
    }
    // Where nothing is enforced, nothing is asked for in another way.
    let gateway = Setup::run("leaky:brotli").config("[responses]\nmode = \"report\"\n").start();
    let answer = get_with(&gateway, "/bypassed", "Accept-Encoding: br\r\n");
    assert_eq!(answer.header("content-encoding"), Some("br"));
    let record: Value = gateway.audit_of(answer.request_id());
    assert_eq!((&record["reason"], &record["subject"]), (&json!("response-not-judged"), &json!("br")));
}
