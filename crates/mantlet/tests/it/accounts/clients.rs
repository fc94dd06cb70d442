//! The API by a client as people write it, and its tokens at another service.

use std::process::Command;

use serde_json::Value;

use super::{
    mailbox::Mailbox,
    site::{ISSUER, Site, bearer, principal},
};
use crate::kit::{Setup, provided, tls::Authority};

#[test]
fn httpx_lives_the_life_of_an_account() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path());
    let (pair, mailbox) = (authority.sign_strictly("site", "localhost"), Mailbox::of(folder.path()));
    let site = Site::of(Setup::run("recorder:app"), &format!("{}[tls]\n{}", mailbox.config(), pair.config()));
    let output = Command::new(provided("MANTLET_TEST_PYTHON"))
        .args(["-c", include_str!("client.py")])
        .arg(format!("https://localhost:{}", site.gate.addr().port()))
        .args([&authority.file(), mailbox.folder()])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("the interpreter in MANTLET_TEST_PYTHON starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "done");
}

/// RFC 8414 says where the keys are.
const OTHER_SERVICE: &str = r#"
import json, sys, urllib.parse, urllib.request
import jwt
base, issuer, token = sys.argv[1:]
metadata = json.load(urllib.request.urlopen(base + "/.well-known/oauth-authorization-server"))
assert metadata["issuer"] == issuer, metadata
keys = jwt.PyJWKClient(base + urllib.parse.urlsplit(metadata["jwks_uri"]).path)
key = keys.get_signing_key_from_jwt(token)
required = ["exp", "iat", "iss", "aud", "sub", "jti"]
claims = jwt.decode(token, key, algorithms=["ES256"], audience=issuer, issuer=issuer, options={"require": required})
assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
print(json.dumps(claims))
"#;

#[test]
fn pyjwt_verifies_an_access_token_at_another_service() {
    let site = Site::start("");
    site.register("ada@example.com");
    let token = site.tokens("ada@example.com").access;
    let output = Command::new(provided("MANTLET_TEST_IDENTITY"))
        .args(["-c", OTHER_SERVICE, &format!("http://{}", site.gate.addr()), ISSUER, &token])
        .output()
        .expect("the interpreter in MANTLET_TEST_IDENTITY starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let claims: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let caller = principal(&site.get("/x", &bearer(&token))).expect("a caller");
    assert_eq!((&claims["iss"], &claims["sub"]), (&caller["iss"], &caller["sub"]));
}
