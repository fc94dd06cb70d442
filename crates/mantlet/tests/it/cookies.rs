//! Cookies: the token against request forgery from login to logout, and the attributes of what the app sets.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::kit::{
    Answer, App, Client, Gateway, Setup, Stand, marker,
    tls::{Authority, Speaks},
};

const TOKENS: &str = "[csrf.token]\nsession-cookies = [\"session\"]\n";

/// What an answer sets a cookie to, and the attributes.
fn set(answer: &Answer, name: &str) -> Option<(String, String)> {
    let lines = answer.headers.iter().filter(|(header, _)| header == "set-cookie");
    let mut values = lines.filter_map(|(_, line)| line.strip_prefix(name)?.strip_prefix('='));
    let line = values.next()?;
    assert!(values.next().is_none(), "{name} is set once: {answer:?}");
    let (value, attributes) = line.split_once("; ").unwrap_or((line, ""));
    Some((value.to_owned(), attributes.to_owned()))
}

fn ask(client: &mut Client, method: &str, target: &str, lines: &str, body: &str) -> Answer {
    let length = body.len();
    let head =
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Length: {length}\r\n\r\n");
    client.ask(head + body)
}

fn multipart(fields: &[(&str, &str)]) -> String {
    let part = |(name, value): &(&str, &str)| {
        format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    fields.iter().map(part).collect::<String>() + "--xyz--\r\n"
}

#[test]
fn a_token_proves_the_page_whatever_its_origin_says() {
    let stand = Stand::with(TOKENS);
    let token_of = |session: &str| {
        let answer = ask(&mut stand.connect(), "GET", "/", &format!("Cookie: session={session}\r\n"), "");
        set(&answer, "csrf_token").expect("a token").0
    };
    let (token, other) = (token_of("alice"), token_of("mallory"));
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let foreign = [
        "Origin: null\r\n",
        "Origin: null\r\nSec-Fetch-Site: cross-site\r\n",
        "Origin: https://embedded.example\r\nSec-Fetch-Site: cross-site\r\n",
    ];
    for origin in foreign {
        let page = |token: &str| format!("{origin}Cookie: session=alice; csrf_token={token}\r\n");
        let post = |lines: String, body: &str| ask(&mut stand.connect(), "POST", &marker(), &lines, body);
        let mine = page(&token);
        assert_eq!(post(format!("{mine}X-CSRF-Token: {token}\r\n"), "").status, 200, "{origin}");
        assert_eq!(post(format!("{mine}{form}"), &format!("a=b&csrf_token={token}")).status, 200, "{origin}");
        // Without it, with another session's, with one that no cookie answers.
        for (lines, body) in [
            (mine.clone(), String::new()),
            (format!("{mine}{form}"), "a=b".to_owned()),
            (format!("{mine}X-CSRF-Token: {other}\r\n"), String::new()),
            (format!("{}X-CSRF-Token: {other}\r\n", page(&other)), String::new()),
            (format!("{origin}Cookie: session=alice\r\nX-CSRF-Token: {token}\r\n"), String::new()),
            (format!("{origin}Cookie: theme=dark\r\nX-CSRF-Token: {token}\r\n"), String::new()),
        ] {
            let answer = post(lines.clone(), &body);
            assert_eq!((answer.status, answer.code().as_str()), (403, "csrf-cross-site"), "{lines:?} {body}");
        }
    }
}

#[test]
fn a_session_has_a_token_from_login_to_logout() {
    let stand = Stand::with(TOKENS);
    let mut client = stand.connect();
    // Nobody is logged in: nothing is asked for, nothing is set.
    let answer = ask(&mut client, "POST", &marker(), "Cookie: theme=dark\r\n", "");
    assert_eq!((answer.status, set(&answer, "csrf_token")), (200, None));

    let login = "/headers?name=set-cookie&value=session=alice%3B%20HttpOnly";
    let answer = ask(&mut client, "GET", login, "", "");
    let (token, attributes) = set(&answer, "csrf_token").expect("a session begins");
    assert_eq!((token.len(), attributes.as_str()), (96, "Path=/; SameSite=Lax"));
    let session = format!("Cookie: session=alice; csrf_token={token}\r\n");

    // Sent back in each of the three ways.
    let urlencoded = "Content-Type: application/x-www-form-urlencoded\r\n";
    let parts = "Content-Type: multipart/form-data; boundary=xyz\r\n";
    let large = "x".repeat(300 << 10);
    for (lines, body) in [
        (format!("X-CSRF-Token: {token}\r\n"), "{}".to_owned()),
        (urlencoded.to_owned(), format!("a=b&csrf_token={token}&c=d")),
        (parts.to_owned(), multipart(&[("a", "b"), ("csrf_token", &token), ("file", &large)])),
    ] {
        let path = marker();
        let record = ask(&mut client, "POST", &path, &format!("{session}{lines}"), &body).record();
        assert_eq!(
            (record["path"].as_str(), record["body_length"].as_u64()),
            (Some(&*path), Some(body.len() as u64))
        );
        let cookie = format!("session=alice; csrf_token={token}");
        assert!(record.to_string().contains(&cookie), "the app finds the token: {record}");
    }
    drop(client);

    // Not sent back, or not this one, or where nobody may see it before everything else has passed.
    let other = set(&ask(&mut stand.connect(), "GET", "/", "Cookie: session=mallory\r\n", ""), "csrf_token");
    let other = other.expect("another session's token").0;
    let refused = marker();
    for (lines, body, code) in [
        (String::new(), String::new(), "csrf-token-missing"),
        (
            "Content-Type: application/json\r\n".to_owned(),
            format!("{{\"csrf_token\":\"{token}\"}}"),
            "csrf-token-missing",
        ),
        (urlencoded.to_owned(), "a=b".to_owned(), "csrf-token-missing"),
        (urlencoded.to_owned(), format!("file={large}&csrf_token={token}"), "csrf-token-missing"),
        (parts.to_owned(), multipart(&[("file", &large), ("csrf_token", &token)]), "csrf-token-missing"),
        (urlencoded.to_owned(), format!("csrf_token={other}"), "csrf-token-invalid"),
        (format!("X-CSRF-Token: {other}\r\n"), String::new(), "csrf-token-invalid"),
        ("X-CSRF-Token: \r\n".to_owned(), format!("csrf_token={token}"), "csrf-token-invalid"),
    ] {
        for method in ["POST", "PUT", "DELETE"] {
            let mut client = stand.connect();
            let answer = ask(&mut client, method, &refused, &format!("{session}{lines}"), &body);
            assert_eq!((answer.status, answer.code().as_str()), (403, code), "{method} {lines}");
            assert!(
                answer.json()["detail"]
                    .as_str()
                    .is_some_and(|text| text.starts_with("CSRF validation failed"))
            );
            assert_eq!(stand.gateway.audit_of(answer.request_id())["reason"], code);
        }
    }
    // A cookie that is another session's, although the page sends it back.
    let stolen = format!("Cookie: session=alice; csrf_token={other}\r\nX-CSRF-Token: {other}\r\n");
    let answer = ask(&mut stand.connect(), "POST", &refused, &stolen, "");
    assert_eq!((answer.status, answer.code().as_str()), (403, "csrf-token-invalid"));
    let (renewed, _) = set(&answer, "csrf_token").expect("a refusal sets what the next try needs");
    let retried = format!("Cookie: session=alice; csrf_token={renewed}\r\nX-CSRF-Token: {renewed}\r\n");
    assert_eq!(ask(&mut stand.connect(), "POST", &marker(), &retried, "").status, 200);
    // A bearer credential is no browser's own doing.
    let bearer = format!("{session}Authorization: Bearer t\r\n");
    assert_eq!(ask(&mut stand.connect(), "POST", &marker(), &bearer, "").status, 200);

    assert!(
        !String::from_utf8_lossy(&stand.tap.seen()).contains(&refused),
        "not a byte of them reached the app"
    );

    let logout = "/headers?name=set-cookie&value=session=%3B%20Max-Age%3D0";
    let answer = ask(&mut stand.connect(), "GET", logout, &session, "");
    assert_eq!(set(&answer, "csrf_token"), Some((String::new(), "Path=/; Max-Age=0".to_owned())));
}

/// The gateway with a certificate for `shop.example`, and clients of it.
fn over_tls(config: &str) -> (Gateway, impl Fn() -> Client) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let config = format!("{config}\n[tls]\n{}", authority.sign("a", "localhost").config());
    let upstream = format!("unix:{}", App::shared().socket().display());
    let gateway = Setup::serve(&upstream).config(&config).start();
    let address = gateway.addr();
    let connect = move || {
        let _files = &folder;
        Speaks::trusting(&authority.file()).connect(address, "localhost").unwrap().into_client()
    };
    (gateway, connect)
}

#[test]
fn over_https_the_token_is_bound_to_the_host_and_its_key_is_kept() {
    let (gateway, connect) = over_tls(TOKENS);
    let answer = ask(&mut connect(), "GET", "/", "Cookie: session=alice\r\n", "");
    let (token, attributes) = set(&answer, "__Host-csrf_token").expect("a token");
    assert_eq!(attributes, "Path=/; SameSite=Lax; Secure");
    let post = format!("Cookie: session=alice; __Host-csrf_token={token}\r\nX-CSRF-Token: {token}\r\n");
    assert_eq!(ask(&mut connect(), "POST", &marker(), &post, "").status, 200);
    // Set without TLS by whoever sits on the way: not believed.
    let planted = post.replace("__Host-", "");
    assert_eq!(ask(&mut connect(), "POST", &marker(), &planted, "").code(), "csrf-token-invalid");
    // Reloads and restarts keep the key; it is nobody else's to read.
    let key = gateway.audit_file().with_file_name("csrf-key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    gateway.signal(rustix::process::Signal::HUP);
    gateway.wait_for("mantlet: configuration reloaded", 1);
    assert_eq!(ask(&mut connect(), "POST", &marker(), &post, "").status, 200);
}

#[test]
fn a_route_needs_no_token_where_it_is_switched_off() {
    let config = format!(
        "{TOKENS}\n[[route]]\npath = \"/hooks/{{name}}\"\ncsrf.mode = \"off\"\n\n[[route]]\npath = \"/api/{{rest:path}}\"\n\
         csrf.token.mode = \"report\"\n"
    );
    let stand = Stand::with(&config);
    let post = |target: &str| ask(&mut stand.connect(), "POST", target, "Cookie: session=alice\r\n", "");
    assert_eq!(post("/hooks/a").status, 200);
    assert_eq!(post("/other").code(), "csrf-token-missing");
    let answer = post("/api/a/b");
    assert_eq!(answer.status, 200);
    let record = stand.gateway.audit_of(answer.request_id());
    assert_eq!((&record["reason"], &record["action"]), (&"csrf-token-missing".into(), &"pass".into()));
}

#[test]
fn keys_come_from_a_file_or_the_mistake_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let config = format!("{TOKENS}key-file = \"{}\"\n", file.display());
    let (old, new) = ("ab".repeat(32), "cd".repeat(32));
    fs::write(&file, &old).unwrap();
    let stands = [Stand::with(&config), Stand::with(&config)];
    let answer = ask(&mut stands[0].connect(), "GET", "/", "Cookie: session=alice\r\n", "");
    let (token, _) = set(&answer, "csrf_token").expect("a token");
    let post = format!("Cookie: session=alice; csrf_token={token}\r\nX-CSRF-Token: {token}\r\n");
    let status = || ask(&mut stands[1].connect(), "POST", &marker(), &post, "").status;
    assert_eq!(status(), 200, "two gateways with one key");
    fs::write(&file, format!("{new}\n{old}\n")).unwrap();
    stands[1].gateway.reload(&config);
    stands[1].gateway.wait_for("mantlet: configuration reloaded", 1);
    assert_eq!(status(), 200, "the old key is still accepted");
    for (text, mistake) in
        [("abc", "has no key on line 1; a key has at least 64 hexadecimal digits"), ("\n", "has no key")]
    {
        fs::write(&file, text).unwrap();
        stands[1].gateway.signal(rustix::process::Signal::HUP);
        stands[1].gateway.wait_for(mistake, 1);
        assert!(stands[1].gateway.stderr().contains("create one with `openssl rand -hex 32`"));
    }
    assert_eq!(status(), 200, "the running configuration stays");
}

#[test]
fn cookies_of_the_app_are_completed_or_reported_once() {
    let login = "/headers?name=set-cookie&value=session=alice%3B%20Path%3D/";
    let (gateway, connect) = over_tls("");
    for _ in 0..3 {
        let answer = ask(&mut connect(), "GET", login, "", "");
        assert_eq!(answer.header("set-cookie"), Some("session=alice; Path=/"), "reported only");
    }
    let records = gateway.end().audit;
    let [record] = &records[..] else { panic!("once: {records:?}") };
    let fields = ["security_event", "action", "reason", "subject", "mode"].map(|name| record[name].clone());
    assert_eq!(
        fields,
        ["response-would-be-changed", "pass", "cookie-attributes-missing", "session", "report"]
    );
    assert!(!record.to_string().contains("alice"), "the value is in no record: {record}");

    let (gateway, connect) = over_tls("[cookies]\nmode = \"enforce\"\n");
    let answer = ask(&mut connect(), "GET", login, "", "");
    assert_eq!(answer.header("set-cookie"), Some("session=alice; Path=/; Secure; HttpOnly; SameSite=Lax"));
    assert!(gateway.end().audit.is_empty());
}
