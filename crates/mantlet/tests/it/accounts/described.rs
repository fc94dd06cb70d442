//! The app's document and its documentation.

use serde_json::json;

use super::site::{Site, bearer};
use crate::kit::{Client, Setup};

const APP: &str = "from fastapi import FastAPI\napp = FastAPI(title='Orchard')\n\
    @app.get('/items/{item_id}')\ndef item(item_id: int): return item_id\n\
    @app.get('/health')\ndef health(): return 'well'\n";

fn site(keys: &str) -> Site {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("main.py"), APP).expect("an app");
    let site = Site::of(Setup::run("main:app").in_folder(folder.path()), keys);
    // It is imported by now.
    drop(folder);
    site
}

#[test]
fn the_document_names_the_login() {
    let site = site("public = [\"/health\"]\n");
    let answer = site.get("/openapi.json", "Accept-Encoding: gzip\r\nIf-None-Match: \"x\"\r\n");
    assert_eq!(answer.status, 200);
    let document = answer.json();
    assert_eq!(document["info"]["title"], "Orchard");
    assert_eq!(
        document["paths"]["/items/{item_id}"]["get"]["security"],
        json!([{ "OAuth2PasswordBearer": [] }])
    );
    assert!(document["paths"]["/health"]["get"].get("security").is_none(), "{document}");
    let scheme = &document["components"]["securitySchemes"]["OAuth2PasswordBearer"];
    assert_eq!(scheme["flows"]["password"]["tokenUrl"], "/auth/token");
    let length = answer.header("content-length").map(|length| length.parse::<usize>().expect("a number"));
    assert!(length.is_none_or(|length| length == answer.body.len()), "{length:?} of {}", answer.body.len());
    // The login that the document names is one.
    site.register("ada@example.com");
    let tokens = site.tokens("ada@example.com");
    assert_eq!(site.get("/items/3", &bearer(&tokens.access)).json(), json!(3));
    let mut client = Client::connect(site.gate.addr());
    client.send("HEAD /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(matches!(client.answer_to_head().status, 200 | 405));
}

#[test]
fn what_is_public_by_now_is_so_in_the_document() {
    let site = site("");
    let is_secured = || {
        let document = site.get("/openapi.json", "").json();
        document["paths"]["/health"]["get"].get("security").is_some()
    };
    assert!(is_secured());
    site.gate.reload(&super::site::config("public = [\"/health\"]\n"));
    site.gate.wait_for("configuration reloaded", 1);
    assert!(!is_secured());
    assert_eq!(site.get("/health", "").status, 200);
}

#[test]
fn documentation_is_public_unless_the_operator_says_otherwise() {
    for (keys, status) in [("", 200), ("public-docs = false\n", 401)] {
        let site = site(keys);
        for path in ["/docs", "/redoc", "/openapi.json"] {
            assert_eq!(site.get(path, "").status, status, "{keys}{path}");
        }
    }
}
