//! The OIDC provider of the kit behaves as other tests need it to.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::kit::{
    Client,
    oidc::{Provider, Wanted},
    provided,
};

/// The way of `PyJWT` from the keys of an issuer to the claims of each token.
const VERIFY: &str = r#"
import json, sys, jwt

keys, issuer, audience, *tokens = sys.argv[1:]
keys = jwt.PyJWKClient(keys)
need = {"require": ["exp", "iat", "iss", "aud"]}
algorithms = ["RS256", "ES256", "EdDSA"]
seen = []
for token in tokens:
    try:
        key = keys.get_signing_key_from_jwt(token)
        claims = jwt.decode(token, key, algorithms, audience=audience, issuer=issuer, options=need)
        seen.append({"header": jwt.get_unverified_header(token), "claims": claims})
    except jwt.PyJWTError as error:
        seen.append({"error": type(error).__name__})
print(json.dumps(seen))
"#;

/// The tokens as `PyJWT` verifies them for an audience.
fn verified<const N: usize>(provider: &Provider, audience: &str, tokens: [&String; N]) -> [Value; N] {
    let output = Command::new(provided("MANTLET_TEST_PACKAGES"))
        .args(["-c", VERIFY, &provider.keys(), &provider.issuer(), audience])
        .args(tokens)
        .env("no_proxy", "127.0.0.1")
        .output()
        .expect("the interpreter in MANTLET_TEST_PACKAGES starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    seen.try_into().expect("one for each")
}

fn get(provider: &Provider, path: &str) -> Value {
    let answer = Client::connect(provider.address()).get(path);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[test]
fn its_access_tokens_are_accepted_by_a_library_that_knows_only_the_issuer() {
    let provider = Provider::start();
    let metadata = get(&provider, "/.well-known/openid-configuration");
    for (name, expected) in [
        ("issuer", provider.issuer()),
        ("jwks_uri", provider.keys()),
        ("introspection_endpoint", provider.introspection().0),
    ] {
        assert_eq!(metadata[name], expected, "{metadata:#}");
    }
    let wanted = Wanted::new("shop", "read write");
    let minute = Duration::from_mins(1);
    let tokens = [
        wanted,
        wanted.under("RS256").lasting(minute),
        wanted.under("EdDSA").of("ann", "s1"),
        Wanted::new("another", "read"),
    ]
    .map(|wanted| provider.issue(wanted));
    // Tokens that it would not issue: a test can have them signed.
    let claims = json!({"aud": "shop", "iat": 1, "exp": 2});
    let past = provider.signed(&json!({"alg": "ES256", "typ": "JWT"}), &claims);
    let [own, short, of_user, other] = tokens.each_ref();
    let [seen @ .., other, past] = verified(&provider, "shop", [own, short, of_user, other, &past]);
    for (seen, (algorithm, subject, session, lifetime)) in seen.iter().zip([
        ("ES256", "gate", None, 3600),
        ("RS256", "gate", None, 60),
        ("EdDSA", "ann", Some("s1"), 3600),
    ]) {
        let (header, claims) = (&seen["header"], &seen["claims"]);
        assert_eq!([&header["alg"], &header["typ"]], [algorithm, "at+jwt"], "{seen:#}");
        assert_eq!([&claims["sub"], &claims["scope"]], [subject, "read write"], "{seen:#}");
        assert_eq!((&claims["client_id"], &claims["sid"]), (&json!("gate"), &json!(session)), "{seen:#}");
        let [issued, expires] = ["iat", "exp"].map(|name| claims[name].as_u64().expect("a number"));
        assert_eq!(expires - issued, lifetime);
    }
    assert_eq!(other, json!({"error": "InvalidAudienceError"}));
    assert_eq!(past, json!({"error": "ExpiredSignatureError"}));
}

#[test]
fn its_keys_are_rotated_while_it_runs_and_kept_when_it_is_killed() {
    let provider = Provider::start();
    let published = || get(&provider, "/jwks")["keys"].as_array().expect("keys").len();
    let first = provider.token("shop", "read");
    let opaque = provider.opaque_token("shop", "read");
    assert_eq!(published(), 3);
    provider.rotate();
    let second = provider.token("shop", "read");
    assert_eq!(published(), 6);
    let [first_seen, second_seen] = verified(&provider, "shop", [&first, &second]);
    let keys = [&first_seen, &second_seen].map(|seen| seen["header"]["kid"].as_str().expect("a key"));
    assert_ne!(keys[0], keys[1]);

    provider.kill();
    TcpStream::connect(provider.address()).expect_err("it is dead");
    provider.restart();
    assert_eq!(verified(&provider, "shop", [&first, &second]), [first_seen, second_seen.clone()]);
    assert_eq!(provider.introspect(&opaque)["active"], true);

    provider.forget();
    assert_eq!(published(), 3);
    let unknown = json!({"error": "PyJWKClientError"});
    assert_eq!(verified(&provider, "shop", [&first, &second]), [unknown, second_seen]);
}

#[test]
fn it_says_what_opaque_tokens_mean_until_they_are_taken_back() {
    let provider = Provider::start();
    let token = provider.issue(Wanted::new("shop", "read").opaque().of("ann", "s1"));
    let said = provider.introspect(&token);
    for (name, expected) in [
        ("active", json!(true)),
        ("iss", json!(provider.issuer())),
        ("aud", json!("shop")),
        ("sub", json!("ann")),
        ("scope", json!("read")),
        ("client_id", json!("gate")),
    ] {
        assert_eq!(said[name], expected, "{said:#}");
    }
    provider.revoke(&token);
    for token in [token.as_str(), "unknown"] {
        assert_eq!(provider.introspect(token), json!({"active": false}));
    }
    assert_eq!(provider.introspections(), 3);
}

#[test]
fn it_is_slow_when_it_is_told_to_be() {
    let provider = Provider::start();
    provider.slow(Duration::from_millis(300));
    let asked = Instant::now();
    get(&provider, "/jwks");
    // A timer may fire a moment early.
    assert!(asked.elapsed() > Duration::from_millis(250), "{:?}", asked.elapsed());
    provider.slow(Duration::from_hours(1));
    // New tokens are not delayed, and nothing is afterwards.
    provider.token("shop", "read");
    provider.slow(Duration::ZERO);
    get(&provider, "/jwks");
    assert_eq!(provider.fetches(), 2);
}

#[test]
fn its_logout_tokens_are_those_of_the_back_channel() {
    let provider = Provider::start();
    let event = "http://schemas.openid.net/event/backchannel-logout";
    let wanted = [("RS256", Some("s1")), ("ES256", None)];
    let tokens = wanted.map(|(algorithm, session)| provider.logout_token(algorithm, "ann", session));
    for ((algorithm, session), seen) in wanted.iter().zip(verified(&provider, "gate", tokens.each_ref())) {
        let (header, claims) = (&seen["header"], &seen["claims"]);
        assert_eq!([&header["alg"], &header["typ"]], [algorithm, "logout+jwt"], "{seen:#}");
        assert_eq!((&claims["sub"], &claims["sid"]), (&json!("ann"), &json!(session)), "{seen:#}");
        assert_eq!(claims["events"], json!({event: {}}), "{seen:#}");
        assert!(claims["jti"].is_string() && claims["nonce"].is_null(), "{seen:#}");
    }
    for status in [200, 400] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let to = format!("http://{}/logout", listener.local_addr().expect("an address"));
        let client = thread::spawn(move || {
            let mut stream = BufReader::new(listener.accept().expect("a connection").0);
            let mut length = 0;
            for line in stream.by_ref().lines().map(|line| line.expect("a line").to_ascii_lowercase()) {
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a number");
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).expect("a body");
            let answer = format!("HTTP/1.1 {status} Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.get_mut().write_all(answer.as_bytes()).expect("it is read");
            String::from_utf8(body).expect("text")
        });
        assert_eq!(provider.log_out(&to, "ann", Some("s1")), status);
        let body = client.join().expect("it was asked");
        let token = body.strip_prefix("logout_token=").expect("a logout token").to_owned();
        assert_eq!(verified(&provider, "gate", [&token])[0]["claims"]["sid"], "s1");
    }
}
