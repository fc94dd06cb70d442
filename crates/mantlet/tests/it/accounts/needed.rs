//! What needs a login, and how a request tries to get by without one.

use super::site::{Site, bearer, header_of_app, principal, session};
use crate::kit::{Client, Setup, websocket};

/// The head of a browser that opens a page.
const NAVIGATION: &str = "Sec-Fetch-Mode: navigate\r\nAccept: text/html\r\n";

#[test]
fn nothing_of_the_app_is_reached_without_a_login() {
    let site = Site::start("");
    for request_line in [
        "GET /x",
        "GET /x/",
        "GET /",
        "POST /x",
        "DELETE /x",
        "HEAD /x",
        "OPTIONS /x",
        "GET /authors",
        "GET /auth%2flogin/x",
        "GET /AUTH/login",
        "GET /x?next=/auth/login",
        "GET /x;/auth/login",
        "GET /.well-known/jwks.json/",
        "GET /.well-known/other",
    ] {
        let mut client = Client::connect(site.gate.addr());
        client.send(format!("{request_line} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let answer = if request_line.starts_with("HEAD") { client.answer_to_head() } else { client.answer() };
        assert!(matches!(answer.status, 400 | 401 | 404), "{request_line}: {answer:?}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("raw_path"), "{request_line}: {answer:?}");
    }
    // In FastAPI's words.
    let refused = site.get("/x", "");
    assert_eq!(refused.json()["detail"], "Not authenticated");
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    let mut socket = Client::connect(site.gate.addr());
    assert_eq!(socket.ask(websocket::handshake("/ws")).status, 401);
}

#[test]
fn a_websocket_opens_with_a_session() {
    let site = Site::start("");
    site.register("ada@example.com");
    let cookie = session(&site.cookie("ada@example.com"));
    let mut client = Client::connect(site.gate.addr());
    let with_cookie = websocket::handshake("/ws").replacen("\r\n\r\n", &format!("\r\n{cookie}\r\n"), 1);
    client.send(with_cookie);
    websocket::WebSocket::accepted(client).echo(websocket::TEXT, b"hello");
}

#[test]
fn a_preflight_is_for_the_apps_own_cors() {
    let site = Site::start("");
    let lines = "Origin: https://page.example\r\nAccess-Control-Request-Method: PUT\r\n";
    assert_eq!(site.ask("OPTIONS /x", lines).status, 200, "the app answers it");
    assert_eq!(site.ask("OPTIONS /x", "Origin: https://page.example\r\n").status, 401);
    assert_eq!(site.ask("GET /x", lines).status, 401);
}

#[test]
fn a_person_is_led_to_the_login_and_back() {
    let site = Site::start("");
    for (target, location) in [
        ("/", "/auth/login"),
        ("/orders/7?page=2", "/auth/login?next=/orders/7%3Fpage%3D2"),
        ("/a%20b", "/auth/login?next=/a%2520b"),
    ] {
        for lines in [NAVIGATION, "Accept: text/html,*/*;q=0.8\r\n"] {
            let answer = site.get(target, lines);
            assert_eq!((answer.status, answer.header("location")), (303, Some(location)), "{target}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
    // Not what a page loads or sends by itself.
    for (request_line, lines) in [
        ("GET /x", "Sec-Fetch-Mode: cors\r\nAccept: text/html\r\n"),
        ("GET /x", "Accept: application/json\r\n"),
        ("HEAD /x", NAVIGATION),
        ("DELETE /x", NAVIGATION),
    ] {
        let mut client = Client::connect(site.gate.addr());
        client.send(format!("{request_line} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"));
        let answer = if request_line.starts_with("HEAD") { client.answer_to_head() } else { client.answer() };
        assert_eq!(answer.status, 401, "{request_line} {lines}");
    }
    // A cookie that is not good is none.
    let lines = format!("{NAVIGATION}{}", session(&"x".repeat(43)));
    assert_eq!(site.get("/x", &lines).status, 303);
}

#[test]
fn the_way_back_leads_to_no_other_site() {
    let site = Site::start("[path]\nmode = \"off\"\n");
    for target in ["//evil.net", "//evil.net/x", "/%5C/evil.net", "/%5Cevil.net", "/%2F/evil.net"] {
        let answer = site.get(target, NAVIGATION);
        let Some(location) = answer.header("location") else {
            assert!(matches!(answer.status, 400 | 404), "{target}: {answer:?}");
            continue;
        };
        let way_back = location.strip_prefix("/auth/login").expect("the login");
        let way_back = way_back.strip_prefix("?next=").unwrap_or("/");
        assert!(way_back.starts_with('/') && !way_back.starts_with("//"), "{target}: {location}");
        assert!(!way_back.starts_with("/%5C") && !way_back.starts_with("/%2F"), "{target}: {location}");
    }
}

#[test]
fn what_is_public_passes_without_and_with_a_login() {
    let site = Site::start("public = [\"/health\", \"/static/{path:path}\"]\n");
    for path in ["/health", "/static/a/b.css"] {
        assert_eq!(principal(&site.get(path, "")), None, "{path}");
    }
    for path in ["/health/", "/healthy", "/health/x", "/static", "/Health"] {
        assert_eq!(site.get(path, "").status, 401, "{path}");
    }
    site.register("ada@example.com");
    let tokens = site.tokens("ada@example.com");
    assert!(principal(&site.get("/health", &bearer(&tokens.access))).is_some());
    // A token that is not good is told even there: its client believes that it is logged in.
    assert_eq!(site.get("/health", &bearer(&format!("{}x", tokens.access))).status, 401);
}

#[test]
fn nobody_but_the_gate_says_who_is_calling() {
    let site = Site::start("public = [\"/health\"]\n");
    let forged = r#"{"iss":"https://orchard.example","sub":"root"}"#;
    for name in ["X-Mantlet-Principal", "x_mantlet_principal", "X-Mantlet_Principal"] {
        let lines = format!("{name}: {forged}\r\n{name}-Signature: t=1,v1=x\r\n");
        let answer = site.get("/health", &lines);
        for own in ["x-mantlet-principal", "x_mantlet_principal", "x-mantlet_principal"] {
            assert_eq!(header_of_app(&answer, own), None, "{name}");
        }
        assert_eq!(site.get("/x", &lines).status, 401, "{name}");
    }
}

#[test]
fn requests_for_the_accounts_never_reach_the_app() {
    let site = Site::start("public = [\"/{path:path}\"]\n");
    assert!(site.get("/x", "").status == 200, "everything else does");
    for path in [
        "/auth",
        "/auth/",
        "/auth/login",
        "/auth/no-such-page",
        "/auth/api/no-such-operation",
        "/%61uth/login",
        "/auth/api/me/..",
        "/.well-known/jwks.json",
        "/.well-known/oauth-authorization-server",
    ] {
        for method in ["GET", "POST", "PUT", "OPTIONS"] {
            let answer = site.ask(&format!("{method} {path}"), "Content-Length: 0\r\n");
            let body = String::from_utf8_lossy(&answer.body);
            assert!(!body.contains("raw_path"), "{method} {path}: {answer:?}");
        }
    }
    let keys = site.get("/.well-known/jwks.json", "");
    assert_eq!((keys.status, &keys.json()["keys"][0]["alg"]), (200, &"ES256".into()));
}

#[test]
fn a_root_path_makes_no_way_around_the_login() {
    let folder = tempfile::tempdir().expect("a folder");
    let app = "from fastapi import FastAPI\napp = FastAPI(root_path='/api')\n\
               sub = FastAPI()\n@sub.get('/in')\ndef inside(): return 'reached'\n\
               @app.get('/x')\ndef x(): return 'reached'\n@app.get('/health')\ndef health(): return 'well'\n\
               app.mount('/sub', sub)\n";
    std::fs::write(folder.path().join("main.py"), app).expect("an app");
    let site = Site::of(Setup::run("main:app").in_folder(folder.path()), "public = [\"/health\"]\n");
    for path in ["/x", "/api/x", "/api/api/x", "/sub/in", "/api/sub/in", "/api/auth/x", "/sub/auth/login"] {
        let answer = site.get(path, "");
        assert!(matches!(answer.status, 401 | 404), "{path}: {answer:?}");
    }
    for path in ["/health", "/api/health"] {
        assert_eq!(site.get(path, "").status, 200, "{path}");
    }
}
