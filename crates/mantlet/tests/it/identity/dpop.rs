//! Tokens that are bound to a key of the client (DPoP, RFC 9449): good with a proof of that key for
//! this request, and with nothing else.

use std::{fs, sync::LazyLock};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jiff::Timestamp;
use rcgen::{KeyPair, PublicKeyData, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{Running, Subject, step::get, token};
use crate::kit::{Answer, Client, Gateway, Setup, provided, redis::Redis};

/// An app that knows bearer tokens alone.
const ISSUED: Subject = Subject {
    name: "issued.py",
    entry: "issued:app",
    prepare: |_| (),
    entrance: Vec::new,
    carried: "Authorization: Bearer {token}",
    guarded: "/me",
    key: b"a-portcullis-falls-behind-the-last-guest",
    traffic: || vec![get("/me").is(401, "Not authenticated")],
    stopped: 0,
    recorded: &[],
};

/// An app that verifies proofs itself.
const PROOFS: Subject = Subject {
    name: "proofs.py",
    entry: "proofs:app",
    key: b"two-keys-open-the-postern-and-one-does-not",
    ..ISSUED
};

/// A client with its key.
struct Caller {
    key: KeyPair,
}

impl Caller {
    fn new() -> Self {
        Self { key: KeyPair::generate().expect("a key of P-256") }
    }

    fn jwk(&self) -> Value {
        let point = self.key.der_bytes();
        json!({"kty": "EC", "crv": "P-256", "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..])})
    }

    /// RFC 7638.
    fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
        BASE64.encode(Sha256::digest(members))
    }

    /// A token of the issuer that is bound to its key.
    fn token(&self) -> String {
        issued(&json!({"cnf": {"jkt": self.thumbprint()}}))
    }

    /// ES256.
    fn signed(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let der = self.key.sign(text.as_bytes()).expect("a signature");
        // Two numbers, each with its length before it, to 32 bytes each (RFC 7518 section 3.4).
        let (first, rest) = der[4..].split_at(usize::from(der[3]));
        let mut signature = [0; 64];
        for (number, place) in [first, &rest[2..]].into_iter().zip(signature.chunks_mut(32)) {
            let digits = &number[number.len().saturating_sub(32)..];
            place[32 - digits.len()..].copy_from_slice(digits);
        }
        format!("{text}.{}", BASE64.encode(signature))
    }

    /// A new proof for a GET of this URL with this token.
    fn proof(&self, url: &str, token: &str) -> String {
        self.proof_with(url, token, &json!({}), &json!({}))
    }

    /// The same with other members in its header and its claims; null takes one out.
    fn proof_with(&self, url: &str, token: &str, in_header: &Value, in_claims: &Value) -> String {
        let number = KeyPair::generate().expect("random bytes");
        let mut header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk()});
        let mut claims = json!({
            "jti": BASE64.encode(&number.der_bytes()[1..17]),
            "htm": "GET",
            "htu": url,
            "iat": Timestamp::now().as_second(),
            "ath": BASE64.encode(Sha256::digest(token)),
        });
        for (all, changes) in [(&mut header, in_header), (&mut claims, in_claims)] {
            let all = all.as_object_mut().expect("an object");
            for (name, value) in changes.as_object().expect("an object") {
                match value {
                    Value::Null => drop(all.remove(name)),
                    value => drop(all.insert(name.clone(), value.clone())),
                }
            }
        }
        self.signed(&header, &claims)
    }
}

/// A token of the issuer, with these claims beside the usual ones.
fn issued(more: &Value) -> String {
    let now = Timestamp::now().as_second();
    let mut claims =
        json!({"iss": "https://id.example", "aud": "shop", "sub": "ann", "iat": now, "exp": now + 300});
    for (name, value) in more.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    token::signed(&json!({"alg": "HS256", "typ": "at+jwt"}), &claims, ISSUED.key)
}

/// The configuration of a gate that knows the issuer.
fn config(more: &str) -> String {
    static SECRET: LazyLock<TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("secret"), ISSUED.key).expect("a file");
        folder
    });
    let file = SECRET.path().join("secret");
    format!(
        "[[issuer]]\nissuer = \"https://id.example\"\naudience = [\"shop\"]\nsecret = \"file:{}\"\n{more}",
        file.display()
    )
}

fn ask(gateway: &Gateway, line: &str, headers: &[(&str, &str)]) -> Answer {
    let host = gateway.addr().to_string();
    let own = Some(("Host", &*host)).filter(|(own, _)| !headers.iter().any(|(name, _)| name == own));
    let lines = own.into_iter().chain(headers.iter().copied());
    let lines: Vec<_> = lines.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("{line} HTTP/1.1\r\nContent-Length: 0\r\n{}\r\n", lines.concat());
    Client::connect(gateway.addr()).ask(head)
}

/// The headers that the app has seen, of one name.
fn seen<'a>(answer: &'a Value, name: &str) -> Vec<&'a str> {
    let all = answer["headers"].as_array().expect("headers").iter();
    all.filter(|pair| pair[0] == name).filter_map(|pair| pair[1].as_str()).collect()
}

#[test]
fn a_stolen_token_is_good_for_nothing_without_its_key() {
    let running = Running::start(&ISSUED, &config(""));
    let gateway = &running.gateway;
    let url = format!("http://{}/me", gateway.addr());
    let (client, thief) = (Caller::new(), Caller::new());
    let token = client.token();
    let (scheme, as_bearer) = (format!("DPoP {token}"), format!("Bearer {token}"));
    let good = client.proof(&url, &token);
    let lines =
        |proof: &str| vec![("Authorization".to_owned(), scheme.clone()), ("DPoP".into(), proof.into())];
    let show = |line: &str, lines: &[(String, String)]| {
        let lines: Vec<_> = lines.iter().map(|(name, value)| (&**name, &**value)).collect();
        ask(gateway, line, &lines)
    };

    let answer = show("GET /me", &lines(&good));
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["caller"], "ann");
    assert_eq!(seen(&body, "authorization"), [&as_bearer], "the app knows bearer tokens alone");
    assert!(seen(&body, "dpop").is_empty(), "{body}");
    // A query is not part of the URL of a proof; and a port, an escape and a fragment are normalised.
    for (line, url) in [
        ("GET /me?page=2", url.clone()),
        ("GET /items/a%7eb", format!("http://{}/items/a~b?page=1#top", gateway.addr())),
        ("GET /items/a", format!("HTTP://{}/./items/a", gateway.addr())),
    ] {
        let answer = show(line, &lines(&client.proof(&url, &token)));
        assert_eq!(answer.status, 200, "{line}: {answer:?}");
    }

    let before = [running.reached("/me"), running.reached("/items/1")];
    let now = Timestamp::now().as_second();
    let with = |in_header: Value, in_claims: Value| client.proof_with(&url, &token, &in_header, &in_claims);
    let twice =
        [lines(&with(json!({}), json!({}))), lines(&with(json!({}), json!({})))[1..].to_vec()].concat();
    let bearer = |proof: Option<String>| {
        let proof = proof.map(|proof| ("DPoP".to_owned(), proof));
        [("Authorization".to_owned(), as_bearer.clone())].into_iter().chain(proof).collect::<Vec<_>>()
    };
    let invalid = "dpop-proof-invalid";
    let mut private = client.jwk();
    private["d"] = json!("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI");
    for (line, lines, code, why) in [
        ("GET /me", lines(&good), "dpop-proof-replayed", "the same proof again"),
        ("POST /me", lines(&with(json!({}), json!({}))), invalid, "another method"),
        ("GET /items/1", lines(&with(json!({}), json!({}))), invalid, "another path"),
        ("GET /me", lines(&client.proof("http://evil.example/me", &token)), invalid, "another host"),
        ("GET /me", lines(&thief.proof(&url, &token)), "dpop-key-mismatch", "another key"),
        (
            "GET /me",
            lines(&thief.proof_with(&url, &token, &json!({"jwk": client.jwk()}), &json!({}))),
            invalid,
            "the key of the client, and the signature of another",
        ),
        ("GET /me", bearer(None), "dpop-required", "as a bearer token"),
        (
            "GET /me",
            bearer(Some(with(json!({}), json!({})))),
            "dpop-required",
            "as a bearer token, with a proof",
        ),
        ("GET /me", lines("")[..1].to_vec(), "dpop-required", "without a proof"),
        ("GET /me", lines(&with(json!({}), json!({"ath": null}))), invalid, "without the token's hash"),
        ("GET /me", lines(&client.proof(&url, "another")), invalid, "for another token"),
        ("GET /me", lines(&with(json!({}), json!({"iat": now - 90}))), invalid, "too old"),
        ("GET /me", lines(&with(json!({}), json!({"iat": now + 90}))), invalid, "made in the future"),
        ("GET /me", lines(&with(json!({}), json!({"iat": null}))), invalid, "made at no time"),
        ("GET /me", lines(&with(json!({}), json!({"jti": null}))), invalid, "without a name"),
        ("GET /me", lines(&with(json!({"typ": "JWT"}), json!({}))), invalid, "of another type"),
        ("GET /me", lines(&with(json!({"jwk": private}), json!({}))), invalid, "with a private key in it"),
        ("GET /me", lines(&with(json!({"alg": "none"}), json!({}))), invalid, "with another algorithm"),
        ("GET /me", lines("nonsense"), invalid, "nonsense"),
        ("GET /me", twice, invalid, "two proofs"),
    ] {
        let answer = show(line, &lines);
        assert_eq!((answer.status, answer.code()), (401, code.to_owned()), "{why}: {answer:?}");
        let error = match code {
            "dpop-proof-invalid" | "dpop-proof-replayed" => "invalid_dpop_proof",
            _ => "invalid_token",
        };
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(
            challenge.starts_with(&format!("DPoP error=\"{error}\", algs=\"ES256 ")),
            "{why}: {challenge}"
        );
        let record = gateway.audit_of(answer.request_id());
        assert_eq!((&record["reason"], &record["user"]), (&json!(code), &json!("ann")), "{why}");
        assert!(!record.to_string().contains(&token), "a record holds no token: {record}");
    }
    // A token that is bad itself: the challenge is that of its scheme.
    let forged = token::forge(&token, b"another-key-that-opens-nothing-at-all");
    let lines = [("Authorization", format!("DPoP {forged}")), ("DPoP", client.proof(&url, &forged))];
    let answer = ask(gateway, "GET /me", &lines.each_ref().map(|(name, value)| (*name, &**value)));
    assert_eq!((answer.status, answer.code()), (401, "token-invalid".to_owned()), "{answer:?}");
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("DPoP error=\"invalid_token\""), "{challenge}");
    let after = [running.reached("/me"), running.reached("/items/1")];
    assert_eq!(after, before, "none of them has reached the app");
}

#[test]
fn a_client_without_proofs_sees_nothing_new() {
    let running = Running::start(&ISSUED, &config(""));
    let gateway = &running.gateway;
    let bearer = format!("Bearer {}", issued(&json!({})));
    for more in [&[][..], &[("DPoP", "of another scheme")], &[("DPoP", "one"), ("DPoP", "two")]] {
        let lines: Vec<_> = [("Authorization", &*bearer)].into_iter().chain(more.iter().copied()).collect();
        let answer = ask(gateway, "GET /me", &lines);
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        assert_eq!(seen(&body, "authorization"), [&bearer]);
        assert_eq!(seen(&body, "dpop").len(), more.len(), "what the gate does not need stays");
    }
    assert_eq!(ask(gateway, "GET /me", &[]).status, 401);
    let records = running.gateway.end().audit;
    let about = |record: &&Value| record["reason"].as_str().is_some_and(|reason| reason.starts_with("dpop"));
    assert_eq!(records.iter().find(about), None);
}

#[test]
fn a_report_refuses_nothing_and_says_what_would() {
    let running = Running::start(&ISSUED, &config("[dpop]\nmode = \"report\"\n"));
    let gateway = &running.gateway;
    let bearer = format!("Bearer {}", Caller::new().token());
    let answer = ask(gateway, "GET /me", &[("Authorization", &bearer)]);
    assert_eq!(answer.status, 200, "{answer:?}");
    let records = running.gateway.end().audit;
    let record = records.iter().find(|record| record["reason"] == "dpop-required").expect("a record");
    assert_eq!(record["action"], "pass");
    assert_eq!(record["remedy"], "dpop.mode = \"enforce\"", "{record}");
}

#[test]
fn behind_a_proxy_that_ends_tls_a_proof_names_the_public_url() {
    let more = "[client]\ntrusted = [\"127.0.0.1\"]\n[host]\nallow = [\"api.example.com\"]\n";
    let running = Running::start(&ISSUED, &config(more));
    let gateway = &running.gateway;
    let client = Caller::new();
    let token = client.token();
    let scheme = format!("DPoP {token}");
    let through_proxy = |url: &str, host: &str, forwarded: &[(&str, &str)]| {
        let proof = client.proof(url, &token);
        let lines = [("Host", host), ("Authorization", &*scheme), ("DPoP", &*proof)];
        ask(gateway, "GET /me", &[&lines[..], forwarded].concat())
    };
    let public = "https://api.example.com/me";
    let of_proxy = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https")];
    let with_host = [&of_proxy[..], &[("X-Forwarded-Host", "api.example.com")]].concat();
    for (host, forwarded) in [("api.example.com", &of_proxy[..]), ("127.0.0.1:8000", &with_host)] {
        let answer = through_proxy(public, host, forwarded);
        assert_eq!(answer.status, 200, "{host}: {answer:?}");
    }
    // The owner of a name has both schemes; and the other way round TLS would be lost.
    assert_eq!(through_proxy(public, "api.example.com", &of_proxy[..1]).status, 200);
    for url in ["http://api.example.com/me", "https://api.example.com:8443/me", "https://127.0.0.1:8000/me"] {
        let answer = through_proxy(url, "127.0.0.1:8000", &with_host);
        assert_eq!(
            (answer.status, answer.code()),
            (401, "dpop-proof-invalid".to_owned()),
            "{url}: {answer:?}"
        );
    }
    let answer = through_proxy("http://other.example/me", "api.example.com", &of_proxy);
    let record = gateway.audit_of(answer.request_id());
    let why = "its `htu` is not the URL of the request, which is on https://api.example.com";
    assert_eq!(record["subject"], why, "{record}");
}

/// Logs in to the app that binds its tokens.
fn log_in(gateway: &Gateway, client: &Caller) -> String {
    let url = format!("http://{}/token", gateway.addr());
    let proof = client.proof_with(&url, "", &json!({}), &json!({"htm": "POST", "ath": null}));
    let form = "grant_type=password&username=ann&password=battlement";
    let answer = Client::connect(gateway.addr()).ask(format!(
        "POST /token HTTP/1.1\r\nHost: {}\r\nDPoP: {proof}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        gateway.addr(),
        form.len()
    ));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["access_token"].as_str().expect("a token").to_owned()
}

#[test]
fn an_app_that_verifies_proofs_itself_gets_them_unchanged() {
    for (config, replayed) in [("", 200), ("[dpop]\napp-tokens = \"enforce\"\n", 401)] {
        let running = Running::start(&PROOFS, config);
        let gateway = &running.gateway;
        let client = Caller::new();
        let url = format!("http://{}/me", gateway.addr());
        let token = log_in(gateway, &client);
        let show = |proof: &str| {
            let scheme = format!("DPoP {token}");
            ask(gateway, "GET /me", &[("Authorization", &scheme), ("DPoP", proof)])
        };
        for _ in 0..3 {
            let answer = show(&client.proof(&url, &token));
            assert_eq!(answer.status, 200, "{config}: {answer:?}");
            assert_eq!(answer.json(), json!({"caller": "ann", "scheme": "DPoP"}), "{config}");
        }
        // The app does not remember proofs; the gate does, and says so, or refuses.
        let proof = client.proof(&url, &token);
        assert_eq!(show(&proof).status, 200);
        let answer = show(&proof);
        assert_eq!(answer.status, replayed, "{config}: {answer:?}");
        // What the app refuses, it refuses itself: the gate records alone.
        let answer = show(&Caller::new().proof(&url, &token));
        assert_eq!(answer.status, 401, "{config}: {answer:?}");
        assert_eq!(
            String::from_utf8_lossy(&answer.body).contains("Invalid proof"),
            replayed == 200,
            "{config}: {answer:?}"
        );
        let records = running.gateway.end().audit;
        for reason in ["dpop-proof-replayed", "dpop-key-mismatch"] {
            let record = records.iter().find(|record| record["reason"] == reason);
            let action = record.map(|record| record["action"].clone());
            let expected = if replayed == 200 { "pass" } else { "refuse" };
            assert_eq!(action, Some(json!(expected)), "{reason} {config}: {records:#?}");
        }
    }
}

#[test]
fn gates_with_one_redis_accept_a_proof_once() {
    let mut redis = Redis::start();
    let folder = crate::kit::app::apps().join("identity");
    let start = || {
        let setup = Setup::run_with(provided("MANTLET_TEST_IDENTITY"), ISSUED.entry).by_default();
        let more = "[host]\nallow = [\"api.example.com\"]\n";
        setup.in_folder(&folder).config(&config(&(redis.config() + more))).start()
    };
    let (one, other) = (start(), start());
    let client = Caller::new();
    let token = client.token();
    let scheme = format!("DPoP {token}");
    let show = |gateway: &Gateway, proof: &str| {
        let lines = [("Host", "api.example.com"), ("Authorization", &*scheme), ("DPoP", proof)];
        ask(gateway, "GET /me", &lines)
    };
    let proof = || client.proof("http://api.example.com/me", &token);
    let first = proof();
    assert_eq!(show(&one, &first).status, 200);
    for gateway in [&one, &other] {
        assert_eq!(show(gateway, &first).code(), "dpop-proof-replayed");
    }
    // While the store is away, each gate remembers its own.
    redis.go();
    let second = proof();
    assert_eq!([&one, &other].map(|gateway| show(gateway, &second).status), [200, 200]);
    assert_eq!([&one, &other].map(|gateway| show(gateway, &second).status), [401, 401]);
    assert_eq!(show(&other, &proof()).status, 200);
}

#[test]
fn a_nonce_of_the_gate_is_asked_for_and_taken_by_all_gates_with_its_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("nonce-key");
    fs::write(&file, "a0".repeat(32)).expect("a file");
    let running =
        Running::start(&ISSUED, &config(&format!("[dpop]\nnonce-key = \"file:{}\"\n", file.display())));
    let gateway = &running.gateway;
    let client = Caller::new();
    let token = client.token();
    let (url, scheme) = (format!("http://{}/me", gateway.addr()), format!("DPoP {token}"));
    let show = |nonce: Value| {
        let proof = client.proof_with(&url, &token, &json!({}), &json!({ "nonce": nonce }));
        ask(gateway, "GET /me", &[("Authorization", &scheme), ("DPoP", &proof)])
    };
    let answer = show(Value::Null);
    assert_eq!((answer.status, answer.code()), (401, "dpop-nonce-required".to_owned()), "{answer:?}");
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("DPoP error=\"use_dpop_nonce\""), "{challenge}");
    let nonce = answer.header("dpop-nonce").expect("a nonce");
    assert_eq!(show(json!(nonce)).status, 200);
    assert_eq!(show(json!("of another server")).code(), "dpop-nonce-required");
}
