use std::time::Duration;

use http::{HeaderMap, HeaderValue, Response, header};

use super::*;
use crate::config::{Clock, units::Span};

fn tokens(config: Config) -> Tokens {
    let key = Key::new(&[7; KEY_LENGTH]).unwrap();
    let config = Config { session_cookies: vec!["session".into(), "user".into()], ..config };
    config.check(&[key], Clock::system()).unwrap()
}

fn cookies(line: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if !line.is_empty() {
        headers.insert(header::COOKIE, HeaderValue::from_str(line).unwrap());
    }
    headers
}

/// The `Set-Cookie` lines that a request with these cookies gets on an answer with those.
fn set(
    tokens: &Tokens,
    request: &str,
    scheme: Scheme,
    is_safe: bool,
    answer: &[(&str, &str)],
) -> Vec<String> {
    let held = tokens.read(&tokens.session_cookies, &cookies(request), scheme, is_safe);
    let mut response = Response::new(());
    for (name, value) in answer {
        let name: HeaderName = name.parse().unwrap();
        response.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
    }
    tokens.set_headers(&held, &mut response);
    let lines = response.headers().get_all(header::SET_COOKIE).iter().map(|line| line.to_str().unwrap());
    lines.filter(|line| line.contains("csrf_token")).map(str::to_owned).collect()
}

/// The one token that is set over plain HTTP.
fn issued(tokens: &Tokens, request: &str, is_safe: bool, answer: &[(&str, &str)]) -> String {
    let lines = set(tokens, request, Scheme::Http, is_safe, answer);
    let [line] = &lines[..] else { panic!("{request}: {lines:?}") };
    line.strip_prefix("csrf_token=").unwrap().split(';').next().unwrap().to_owned()
}

fn is_answered(tokens: &Tokens, request: &str, submitted: &str) -> bool {
    let held = tokens.read(&tokens.session_cookies, &cookies(request), Scheme::Http, false);
    held.current.is_some_and(|current| current.is_answered_by(submitted.as_bytes()))
}

#[test]
fn a_token_is_good_for_its_session_alone() {
    let tokens = tokens(Config::default());
    let token = issued(&tokens, "session=alice", true, &[]);
    assert_eq!(token.len(), 96);
    assert!(is_answered(&tokens, &format!("session=alice; csrf_token={token}"), &token));
    assert!(is_answered(&tokens, &format!("csrf_token={token}; other=1; session=alice"), &token));
    // Another session, another cookie for the same words, a session that says more.
    for request in
        ["session=mallory", "user=alice", "session=alice; user=alice", "", "session=", "session=alice "]
    {
        let with_token = format!("csrf_token={token}; {request}");
        assert_eq!(is_answered(&tokens, &with_token, &token), request == "session=alice ", "{request}");
    }
    // Planted beside ours by a neighbouring host: ours counts.
    let planted = issued(&tokens, "session=mallory", true, &[]);
    let both = format!("csrf_token={planted}; session=alice; csrf_token={token}");
    assert!(is_answered(&tokens, &both, &token) && !is_answered(&tokens, &both, &planted));
    // Not ours at all.
    let mut forged = token.clone();
    forged.replace_range(90..91, if &token[90..91] == "A" { "B" } else { "A" });
    for bad in [forged.as_str(), "", "csrf", &token[..95], &format!("{token}A")] {
        assert!(!is_answered(&tokens, &format!("session=alice; csrf_token={bad}"), bad), "{bad}");
    }
    // Another session's, although the cookie is right.
    assert!(!is_answered(&tokens, &format!("session=alice; csrf_token={token}"), &planted));
}

#[test]
fn keys_are_rotated_without_voiding_tokens() {
    let (old, new) = (Key::new(&[1; 32]).unwrap(), Key::new(&[2; 64]).unwrap());
    let config = Config { session_cookies: vec!["session".into()], ..Config::default() };
    let before = config.check(std::slice::from_ref(&old), Clock::system()).unwrap();
    let after = config.check(&[new.clone(), old], Clock::system()).unwrap();
    let last = config.check(&[new], Clock::system()).unwrap();
    let token = issued(&before, "session=a", true, &[]);
    let request = format!("session=a; csrf_token={token}");
    assert!(is_answered(&after, &request, &token) && !is_answered(&last, &request, &token));
    assert!(Key::new(&[0; 31]).is_none());
}

#[test]
fn the_cookie_is_set_when_it_has_to_be() {
    let tokens = tokens(Config::default());
    let token = issued(&tokens, "session=a", true, &[]);
    let held = format!("session=a; csrf_token={token}");
    // Nothing to do.
    assert!(set(&tokens, &held, Scheme::Http, true, &[]).is_empty());
    assert!(set(&tokens, "", Scheme::Http, true, &[]).is_empty());
    assert!(
        set(&tokens, "session=a", Scheme::Http, true, &[("cache-control", "max-age=60, Public")]).is_empty()
    );
    // Over HTTPS it is bound to the host, and one that came over HTTP is not believed.
    let lines = set(&tokens, &held, Scheme::Https, true, &[]);
    assert!(
        lines[0].starts_with("__Host-csrf_token=") && lines[0].ends_with("; Path=/; SameSite=Lax; Secure"),
        "{lines:?}"
    );
    // A session begins, with a nonce that was not known before.
    let token_of_login = issued(&tokens, "", false, &[("set-cookie", "session=b; HttpOnly")]);
    assert!(is_answered(&tokens, &format!("session=b; csrf_token={token_of_login}"), &token_of_login));
    // The session ends.
    let lines = set(&tokens, &held, Scheme::Http, false, &[("set-cookie", "session=; Max-Age=0")]);
    assert_eq!(lines, ["csrf_token=; Path=/; Max-Age=0"]);
}

#[test]
fn an_app_may_renew_its_session_cookie_with_every_answer() {
    let tokens = tokens(Config::default());
    let first = set(&tokens, "session=a", Scheme::Https, true, &[]).remove(0);
    let page = first.split(['=', ';']).nth(1).unwrap().to_owned();
    let (mut session, mut token) = ("a".to_owned(), page.clone());
    for (number, is_safe) in [true, false, false, true, false].into_iter().enumerate() {
        let request = format!("session={session}; __Host-csrf_token={token}");
        session = format!("a{number}");
        let line =
            set(&tokens, &request, Scheme::Https, is_safe, &[("set-cookie", &format!("session={session}"))])
                .remove(0);
        token = line.split(['=', ';']).nth(1).unwrap().to_owned();
        let held = tokens.read(
            &tokens.session_cookies,
            &cookies(&format!("session={session}; __Host-csrf_token={token}")),
            Scheme::Https,
            false,
        );
        assert!(held.current.unwrap().is_answered_by(page.as_bytes()), "the open page after answer {number}");
    }
    // Under a plain name a neighbouring host may have planted session and token: who logs in then gets another.
    let planted = issued(&tokens, "session=mallory", true, &[]);
    let held = format!("session=mallory; csrf_token={planted}");
    for is_safe in [true, false] {
        let token = issued(&tokens, &held, is_safe, &[("set-cookie", "session=alice")]);
        let request = format!("session=alice; csrf_token={token}");
        assert!(is_answered(&tokens, &request, &token) && !is_answered(&tokens, &request, &planted));
    }
}

#[test]
fn pages_loaded_side_by_side_agree_on_the_first_token() {
    let tokens = tokens(Config::default());
    let (one, other) = (issued(&tokens, "session=a", true, &[]), issued(&tokens, "session=a", true, &[]));
    assert!(is_answered(&tokens, &format!("session=a; csrf_token={other}"), &one));
    // One on an answer that sets nothing is good all the same.
    let mut headers = cookies("session=a");
    let held = tokens.read(&tokens.session_cookies, &headers, Scheme::Http, true);
    tokens.show_to_app(&held, &mut headers);
    let shown = headers[header::COOKIE].to_str().unwrap().rsplit('=').next().unwrap().to_owned();
    assert!(is_answered(&tokens, &format!("session=a; csrf_token={other}"), &shown));
}

#[test]
fn an_old_token_is_replaced_and_stays_good_until_the_next() {
    let tokens = tokens(Config { rotate_after: Span(Duration::ZERO), ..Config::default() });
    let first = issued(&tokens, "session=a", true, &[]);
    let request = format!("session=a; csrf_token={first}");
    let (second, beside) = (issued(&tokens, &request, true, &[]), issued(&tokens, &request, true, &[]));
    let request = format!("session=a; csrf_token={second}");
    for page in [&first, &second, &beside] {
        assert!(is_answered(&tokens, &request, page), "pages loaded side by side agree");
    }
    let third = issued(&tokens, &request, true, &[]);
    let request = format!("session=a; csrf_token={third}");
    assert!(is_answered(&tokens, &request, &second) && !is_answered(&tokens, &request, &first));
}

#[test]
fn the_app_finds_the_token_under_one_name() {
    let tokens = tokens(Config::default());
    for scheme in [Scheme::Http, Scheme::Https] {
        let mut headers = cookies("session=a; csrf_token=forged; theme=dark");
        let held = tokens.read(&tokens.session_cookies, &headers, scheme, true);
        tokens.show_to_app(&held, &mut headers);
        let line = headers[header::COOKIE].to_str().unwrap();
        let shown = line.strip_prefix("session=a; theme=dark; csrf_token=").unwrap();
        let mut response = Response::new(());
        tokens.set_headers(&held, &mut response);
        let set = response.headers()[header::SET_COOKIE].to_str().unwrap();
        let set = set.split(['=', ';']).nth(1).unwrap();
        let request = format!("session=a; {}={set}", tokens.cookie_name(scheme));
        let held = tokens.read(&tokens.session_cookies, &cookies(&request), scheme, true);
        assert!(
            held.current.unwrap().is_answered_by(shown.as_bytes()),
            "the form's token answers the cookie"
        );
    }
    let mut headers = cookies("theme=dark");
    tokens.show_to_app(&tokens.read(&tokens.session_cookies, &headers, Scheme::Http, true), &mut headers);
    assert_eq!(headers[header::COOKIE], "theme=dark");
}

#[test]
fn mistakes_name_their_key() {
    let config = Config {
        session_cookies: vec!["ok".into(), "a b".into()],
        cookie: String::new(),
        header: "x y".into(),
        field: "a&b".into(),
        ..Config::default()
    };
    let keys: Vec<_> =
        config.check(&[], Clock::system()).unwrap_err().into_iter().map(|mistake| mistake.key).collect();
    assert_eq!(keys, ["session-cookies[1]", "cookie", "field", "header"]);
    let config = Config { session_cookies: vec!["csrf_token".into()], ..Config::default() };
    assert_eq!(config.check(&[], Clock::system()).unwrap_err()[0].key, "cookie");
}
