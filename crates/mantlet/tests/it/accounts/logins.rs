//! Users register, log in and log out.

use std::{fs, path::Path};

use serde_json::json;

use super::site::{COOKIE, ISSUER, PASSWORD, Site, bearer, header_of_app, principal, session};
use crate::kit::{Setup, command::THREE_LINES, eventually};

/// The link of the one mail in a folder.
fn link_of(folder: &Path) -> Option<String> {
    let mail = fs::read_dir(folder)
        .ok()?
        .flatten()
        .find(|file| file.path().extension().is_some_and(|end| end == "eml"))?;
    // Quoted-printable (RFC 2045 section 6.7).
    let text = fs::read_to_string(mail.path()).ok()?.replace("=\r\n", "").replace("=3D", "=");
    let link = text.get(text.find("https://")?..)?;
    link.split_whitespace().next().map(str::to_owned)
}

#[test]
fn three_lines_give_an_app_of_three_lines_accounts() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("main.py"), THREE_LINES).expect("an app");
    let site = Site::of(Setup::run("main:app").in_folder(folder.path()), "mail = \"file:mail\"\n");
    let refused = site.get("/", "");
    assert_eq!((refused.status, refused.code().as_str()), (401, "credentials-missing"));
    let registered = json!({ "email": "ada@example.com", "password": PASSWORD });
    assert_eq!(site.post_json("/auth/api/register", &registered, "").status, 202);
    let link = eventually("a mail", || link_of(&folder.path().join("mail")));
    let token = link.strip_prefix("https://orchard.example/auth/verify?token=").expect("a token");
    assert_eq!(site.post_json("/auth/api/verify", &json!({ "token": token }), "").status, 200);
    let tokens = site.tokens("ada@example.com");
    let answer = site.get("/", &bearer(&tokens.access));
    assert_eq!((answer.status, &answer.json()["hello"]), (200, &json!("world")));
    let cookie = site.cookie("ada@example.com");
    assert_eq!(site.get("/", &session(&cookie)).status, 200);
}

#[test]
fn the_app_gets_the_caller_and_neither_token_nor_cookie() {
    let site = Site::start("");
    site.register("ada@example.com");
    let (tokens, cookie) = (site.tokens("ada@example.com"), site.cookie("ada@example.com"));
    let of_token = site.get("/x", &bearer(&tokens.access));
    let told = principal(&of_token).expect("a caller");
    assert_eq!(told["iss"], ISSUER);
    assert_eq!(told["attributes"]["email"], "ada@example.com");
    assert_eq!(header_of_app(&of_token, "authorization"), None);
    // The app's own cookies come through.
    let lines = format!("Cookie: theme=dark; {COOKIE}={cookie}; session=own\r\n");
    let of_cookie = site.get("/x", &lines);
    assert_eq!(principal(&of_cookie).expect("a caller")["sub"], told["sub"]);
    assert_eq!(header_of_app(&of_cookie, "cookie").as_deref(), Some("theme=dark; session=own"));
}

#[test]
fn a_logout_ends_cookie_and_token_at_once() {
    let site = Site::start("");
    site.register("ada@example.com");
    let (tokens, cookie) = (site.tokens("ada@example.com"), site.cookie("ada@example.com"));
    // Known for a second from here on.
    assert_eq!(site.get("/x", &session(&cookie)).status, 200);
    assert_eq!(site.get("/x", &bearer(&tokens.access)).status, 200);
    assert_eq!(site.post("/auth/api/logout", "application/json", "", &session(&cookie)).status, 204);
    assert_eq!(site.get("/x", &session(&cookie)).status, 401);
    assert_eq!(site.get("/x", &bearer(&tokens.access)).status, 200, "another session goes on");
    assert_eq!(site.post("/auth/api/logout", "application/json", "", &bearer(&tokens.access)).status, 204);
    let refused = site.get("/x", &bearer(&tokens.access));
    assert_eq!((refused.status, refused.code().as_str()), (401, "token-invalid"));
    assert_eq!(refused.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    let form = format!("grant_type=refresh_token&refresh_token={}", tokens.refresh);
    let renewed = site.post("/auth/token", "application/x-www-form-urlencoded", &form, "");
    assert_eq!(renewed.status, 400, "the refresh token has ended, too: {renewed:?}");
}

#[test]
fn a_foreign_page_cannot_act_with_the_session() {
    let site = Site::start("");
    site.register("ada@example.com");
    let cookie = session(&site.cookie("ada@example.com"));
    for page in
        ["Origin: https://evil.net\r\n", "Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-site\r\n"]
    {
        for path in ["/x", "/auth/api/logout", "/auth/api/close"] {
            let answer = site.post_json(path, &json!({}), &format!("{cookie}{page}"));
            assert_eq!((answer.status, answer.code().as_str()), (403, "csrf-cross-site"), "{path} {page}");
        }
    }
    assert_eq!(site.get("/x", &cookie).status, 200, "the session goes on");
}

#[test]
fn logins_are_counted_for_each_account() {
    let site = Site::start("[throttle]\nmode = \"enforce\"\n");
    let form = "username=ada%40example.com&password=wrong";
    let refused = eventually("a login is refused", || {
        let answer = site.post("/auth/token", "application/x-www-form-urlencoded", form, "");
        (answer.status == 429).then_some(answer)
    });
    assert_eq!(refused.code(), "rate-limited");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
}

#[test]
fn what_happens_to_an_account_is_recorded() {
    let site = Site::start("");
    site.register("ada@example.com");
    let wrong = json!({ "email": "ada@example.com", "password": "wrong horse battery staple" });
    assert_eq!(site.post_json("/auth/api/login", &wrong, "").status, 401);
    let cookie = session(&site.cookie("ada@example.com"));
    let change = json!({ "current_password": PASSWORD, "new_password": "quite another battery staple" });
    assert_eq!(site.post_json("/auth/api/password", &change, &cookie).status, 204);
    assert_eq!(site.post("/auth/api/logout", "application/json", "", &cookie).status, 204);
    let events = [
        "registration-requested",
        "account-verified",
        "login-failed",
        "login-succeeded",
        "password-changed",
        "logout",
    ];
    let records = site.gate.actions(&events, events.len());
    let seen: Vec<_> =
        records.iter().map(|record| record["security_event"].as_str().expect("a code")).collect();
    assert_eq!(seen, events);
    let of = |event: &str| records.iter().find(|record| record["security_event"] == event).expect("a record");
    let (failed, succeeded, ended) = (of("login-failed"), of("login-succeeded"), of("logout"));
    assert_eq!(failed["outcome"], "failure");
    assert_eq!(failed["account"], of("registration-requested")["account"], "by the hash of the address");
    assert!(failed["account"].is_string(), "{failed}");
    assert_eq!(succeeded["user"], ended["user"]);
    assert_eq!(succeeded["session"], ended["session"]);
    assert!(succeeded["session"].is_string() && succeeded["client_ip"] == "127.0.0.1", "{succeeded}");
    let all = std::fs::read_to_string(site.gate.audit_file()).expect("the log");
    for secret in ["ada@example.com", PASSWORD] {
        assert!(!all.contains(secret), "{secret} is not recorded");
    }
}
