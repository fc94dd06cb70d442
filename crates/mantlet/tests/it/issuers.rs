//! Tokens of an OIDC provider, and its troubles: none of them is the client's fault.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::kit::{
    Answer, Client, Gateway, Setup, Upstream,
    command::Typed,
    eventually,
    oidc::{Provider, Wanted},
};

/// What no test here is about.
const RATE: &str = "[throttle]\nrate = \"100000/s\"\nburst = 100000\nsensitive = \"off\"\n";

/// How long troubles last. What is promised is about minutes: `MANTLET_TROUBLE=60` is a number of seconds.
fn trouble() -> Duration {
    let seconds = std::env::var("MANTLET_TROUBLE").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(2))
}

fn upstream() -> Upstream {
    Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
}

fn section(provider: &Provider, more: &str) -> String {
    format!("{RATE}[[issuer]]\nissuer = \"{}\"\naudience = [\"shop\"]\n{more}\n", provider.issuer())
}

/// A gate that knows the provider's keys by now.
fn gate(provider: &Provider, upstream: &Upstream) -> Gateway {
    let gate = Setup::serve(&upstream.url()).config(&section(provider, "")).start();
    let token = provider.token("shop", "read");
    eventually("a good token passes", || (ask(&gate, &token).status == 200).then_some(()));
    gate
}

fn ask(gate: &Gateway, token: &str) -> Answer {
    ask_on(&mut Client::connect(gate.addr()), token)
}

fn ask_on(client: &mut Client, token: &str) -> Answer {
    client.ask(format!("GET /me HTTP/1.1\r\nHost: a.example\r\nAuthorization: Bearer {token}\r\n\r\n"))
}

/// What the provider signs in a good token, with what differs.
fn claims(provider: &Provider, more: &Value) -> Value {
    let now = jiff::Timestamp::now().as_second();
    let mut claims =
        json!({"iss": provider.issuer(), "aud": "shop", "sub": "ann", "iat": now, "exp": now + 300});
    for (name, value) in more.as_object().expect("an object") {
        match value {
            Value::Null => drop(claims.as_object_mut().expect("an object").remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

#[track_caller]
fn refused(gate: &Gateway, token: &str, why: &str) {
    let answer = ask(gate, token);
    assert_eq!((answer.status, answer.code()), (401, "token-invalid".to_owned()), "{why}: {answer:?}");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""), "{why}");
    assert_eq!(answer.json()["detail"], "Could not validate credentials", "{why}");
    let record = gate.audit_of(answer.request_id());
    assert_eq!((&record["reason"], &record["status"]), (&json!("token-invalid"), &json!(401)), "{why}");
    assert!(!record.to_string().contains(token), "a record holds no token: {record}");
}

#[test]
fn row_58_what_a_header_of_a_token_may_not_do() {
    let (provider, upstream) = (Provider::start(), upstream());
    let gate = gate(&provider, &upstream);
    let good = provider.token("shop", "read");
    let seen = upstream.seen().len();
    let with_header = |header: &Value| provider.signed(header, &claims(&provider, &json!({})));
    let (head, rest) = good.split_once('.').expect("a token");
    let (payload, signature) = rest.split_once('.').expect("a token");
    let encode = |text: &str| base64(text.as_bytes());
    let own: Value = serde_json::from_slice(&unbase64(head)).expect("JSON");
    let replaced = |header: &Value| format!("{}.{payload}.{signature}", encode(&header.to_string()));
    let with = |own: &Value, name: &str, value: Value| {
        let mut own = own.clone();
        own[name] = value;
        own
    };
    let remote = with(&own, "jku", json!("https://evil.example/keys"));
    for (token, why) in [
        (format!("{}.{payload}.", encode(r#"{"alg":"none"}"#)), "alg none, no signature"),
        (replaced(&with(&own, "alg", json!("none"))), "alg none, with the old signature"),
        (
            signed_with_public_key(&provider, &with(&own, "alg", json!("HS256")), payload),
            "HS256 under the public key",
        ),
        (replaced(&remote), "a jku of an attacker"),
        (format!("{head}.{payload}.{}", "A".repeat(signature.len())), "another signature"),
        (replaced(&with(&own, "crit", json!(["exp"]))), "crit"),
        (replaced(&with(&own, "crit", json!([]))), "an empty crit"),
        (replaced(&with(&own, "b64", json!(false))), "a payload that is not encoded"),
        (with_header(&json!({"alg": "ES256", "typ": "logout+jwt"})), "another type"),
    ] {
        refused(&gate, &token, why);
    }
    // Its key is not known; whether it is a new one, only the issuer knows, which was asked a moment ago.
    let answer = ask(&gate, &replaced(&with(&own, "kid", json!("../../../../dev/null"))));
    assert!(matches!(answer.status, 401 | 503), "{answer:?}");
    assert_eq!(upstream.seen().len(), seen, "the app has seen none of them");
    assert_eq!(ask(&gate, &with_header(&json!({"alg": "ES256", "typ": "JWT"}))).status, 200);
}

#[test]
fn row_59_what_a_token_says_of_its_time_and_place() {
    let (provider, upstream) = (Provider::start(), upstream());
    let gate = gate(&provider, &upstream);
    let now = jiff::Timestamp::now().as_second();
    let seen = upstream.seen().len();
    for (more, why) in [
        (json!({"exp": now - 31}), "expired"),
        (json!({"exp": null}), "without an end"),
        (json!({"exp": (now + 300).to_string()}), "an end that is a text"),
        (json!({"nbf": now + 60}), "not valid yet"),
        (json!({"nbf": "0"}), "a beginning that is a text"),
        (json!({"iat": now + 90_000}), "of tomorrow"),
        (json!({"aud": "another"}), "for another app"),
        (json!({"aud": ["another", "SHOP"]}), "for other apps"),
        (json!({"aud": null}), "for no app"),
        (json!({"sub": {"a": 1}}), "of no one"),
    ] {
        let header = json!({"alg": "ES256", "typ": "at+jwt"});
        refused(&gate, &provider.signed(&header, &claims(&provider, &more)), why);
    }
    assert_eq!(upstream.seen().len(), seen, "the app has seen none of them");
    for more in [json!({"aud": ["another", "shop"]}), json!({"exp": now - 10}), json!({"nbf": now + 10})] {
        let token = provider.signed(&json!({"alg": "ES256"}), &claims(&provider, &more));
        assert_eq!(ask(&gate, &token).status, 200, "{more}");
    }
    // No section is about this one: the app decides.
    let other = provider
        .signed(&json!({"alg": "ES256"}), &claims(&provider, &json!({"iss": "https://other.example"})));
    assert_eq!(ask(&gate, &other).status, 200);
}

#[test]
fn a_key_that_is_rotated_under_load_costs_no_client_a_request() {
    let (provider, upstream) = (Provider::start(), upstream());
    let gate = gate(&provider, &upstream);
    let (is_over, good) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = Client::connect(gate.addr());
                while !is_over.load(Relaxed) {
                    let token = provider.token("shop", "read");
                    for _ in 0..5 {
                        let answer = ask_on(&mut client, &token);
                        assert_eq!(answer.status, 200, "{answer:?}");
                        good.fetch_add(1, Relaxed);
                    }
                }
            });
        }
        let many =
            |before: u32| eventually("many requests", || (good.load(Relaxed) > before + 100).then_some(()));
        many(0);
        provider.rotate();
        many(good.load(Relaxed));
        is_over.store(true, Relaxed);
    });
    println!("{} requests", good.into_inner());
}

#[test]
fn while_the_provider_is_away_known_keys_serve_and_unknown_ones_are_its_fault() {
    const TOKENS: u32 = 60;
    let (provider, upstream) = (Provider::start(), upstream());
    let gate = gate(&provider, &upstream);
    // The gate has seen their key, and not them.
    let known: Vec<_> = (0..TOKENS).map(|_| provider.token("shop", "read")).collect();
    provider.rotate();
    let unknown: Vec<_> = (0..TOKENS).map(|_| provider.token("shop", "read")).collect();
    provider.kill();
    let (began, trouble) = (Instant::now(), trouble());
    // One token after the other, each for a part of the time.
    let next = || {
        let part = (began.elapsed() * TOKENS).div_duration_f64(trouble);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is small")]
        let part = part as usize;
        (part < TOKENS as usize).then_some(part)
    };
    thread::scope(|scope| {
        let served = scope.spawn(|| {
            let (mut client, mut count) = (Client::connect(gate.addr()), 0);
            while let Some(number) = next() {
                let answer = ask_on(&mut client, &known[number]);
                assert_eq!(answer.status, 200, "after {:?}: {answer:?}", began.elapsed());
                count += 1;
            }
            count
        });
        let put_off = scope.spawn(|| {
            let (mut client, mut count) = (Client::connect(gate.addr()), 0);
            while let Some(number) = next() {
                let answer = ask_on(&mut client, &unknown[number]);
                let seen = (answer.status, answer.code(), answer.header("retry-after"));
                let expected = (503, "issuer-unavailable".to_owned(), Some("5"));
                assert_eq!(seen, expected, "after {:?}", began.elapsed());
                count += 1;
            }
            count
        });
        let [served, put_off] = [served, put_off].map(|client| client.join().expect("a client"));
        println!("away for {trouble:?}: {served} requests served, {put_off} put off");
        assert!(served >= 3 && put_off >= 3, "{served} {put_off}");
    });
    assert_eq!(ask(&gate, &known[0]).status, 200);
    provider.restart();
    let passes = || (ask(&gate, &unknown[0]).status == 200).then_some(());
    crate::kit::eventually_within(Duration::from_mins(1), "its new key is known", passes);
}

#[test]
fn a_gate_that_starts_before_the_provider_says_so_and_not_401() {
    let (provider, upstream) = (Provider::start(), upstream());
    let token = provider.token("shop", "read");
    provider.kill();
    let gate = Setup::serve(&upstream.url()).config(&section(&provider, "")).start();
    let answer = ask(&gate, &token);
    assert_eq!((answer.status, answer.code()), (503, "issuer-unavailable".to_owned()), "{answer:?}");
    // A request without a token is not the issuer's.
    assert_eq!(Client::connect(gate.addr()).get("/").status, 200);
    provider.restart();
    eventually("its keys are known", || (ask(&gate, &token).status == 200).then_some(()));
    // Those who have waited are no reason to ask less.
    provider.rotate();
    assert_eq!(ask(&gate, &provider.token("shop", "read")).status, 200);
}

#[test]
fn made_up_keys_cause_one_fetch_in_thirty_seconds() {
    let (provider, upstream) = (Provider::start(), upstream());
    let gate = gate(&provider, &upstream);
    let good = provider.token("shop", "read");
    let (payload, signature) =
        good.split_once('.').and_then(|(_, rest)| rest.split_once('.')).expect("a token");
    let (before, began, trouble, sent) = (provider.fetches(), Instant::now(), trouble(), AtomicU32::new(0));
    let goes_on = || sent.load(Relaxed) < 500 || began.elapsed() < trouble;
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = Client::connect(gate.addr());
                while goes_on() {
                    let kid = format!("made-up-{}", sent.fetch_add(1, Relaxed));
                    let header = base64(json!({"alg": "ES256", "kid": kid}).to_string().as_bytes());
                    let answer = ask_on(&mut client, &format!("{header}.{payload}.{signature}"));
                    assert!(matches!(answer.status, 401 | 503), "{answer:?}");
                }
            });
        }
        // Meanwhile clients of the provider are served. One whose key is new is not told that it is bad.
        eventually("a flood", || (sent.load(Relaxed) > 100).then_some(()));
        assert_eq!(ask(&gate, &good).status, 200);
        provider.rotate();
        let (new, rotated) = (provider.token("shop", "read"), Instant::now());
        while goes_on() {
            assert_eq!(ask(&gate, &good).status, 200);
            let answer = ask(&gate, &new);
            let may_wait = rotated.elapsed() < Duration::from_secs(40);
            assert!(answer.status == 200 || (answer.status == 503 && may_wait), "{answer:?}");
        }
    });
    let (fetches, most) = (provider.fetches() - before, 1 + began.elapsed().as_secs() / 30);
    println!("{} tokens in {:?}: {fetches} fetches", sent.into_inner(), began.elapsed());
    assert!(u64::from(fetches) <= most, "{fetches} fetches, not {most}");
}

#[test]
fn tokens_that_are_not_signed_are_asked_about() {
    let (provider, upstream) = (Provider::start(), upstream());
    let (url, client_id, password) = provider.introspection();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{password}\n")).expect("a file");
    let config = format!(
        "{RATE}[[issuer]]\nissuer = \"{}\"\nintrospection = \"{url}\"\nclient-id = \"{client_id}\"\nclient-secret = \"file:{}\"\n",
        provider.issuer(),
        file.display()
    );
    let gate = Setup::serve(&upstream.url()).config(&config).start();
    let token = provider.opaque_token("shop", "read");
    let before = provider.introspections();
    provider.slow(Duration::from_millis(300));
    thread::scope(|scope| {
        let asked: Vec<_> = (0..20).map(|_| scope.spawn(|| ask(&gate, &token).status)).collect();
        assert!(asked.into_iter().all(|answer| answer.join().expect("an answer") == 200));
    });
    provider.slow(Duration::ZERO);
    let threads = thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1));
    let questions = provider.introspections() - before;
    assert!(questions <= threads, "{questions} questions about one token by {threads} threads");
    let revoked = provider.opaque_token("shop", "read");
    provider.revoke(&revoked);
    assert_eq!(ask(&gate, &revoked).code(), "token-invalid");
    assert_eq!(ask(&gate, "made-up").code(), "token-invalid");
    let later = provider.opaque_token("shop", "read");
    provider.kill();
    assert_eq!(ask(&gate, &token).status, 200, "it was asked about a moment ago");
    let answer = ask(&gate, &later);
    assert_eq!((answer.status, answer.code()), (503, "issuer-unavailable".to_owned()), "{answer:?}");
}

#[test]
fn a_principal_is_counted_and_recorded() {
    let (provider, upstream) = (Provider::start(), upstream());
    let rule = "[[throttle.rule]]\nname = \"each\"\nkey = [\"user\"]\nrate = \"2/h\"\nburst = 2\n";
    let gate = Setup::serve(&upstream.url()).config(&section(&provider, rule)).start();
    let of = |name: &str| provider.issue(Wanted::new("shop", "read").of(name, "s"));
    let (ann, bob) = (of("ann"), of("bob"));
    eventually("the keys are known", || (ask(&gate, &bob).status == 200).then_some(()));
    // Another token of the same caller.
    for token in [&ann, &of("ann")] {
        assert_eq!(ask(&gate, token).status, 200);
    }
    let answer = ask(&gate, &of("ann"));
    assert_eq!((answer.status, answer.code()), (429, "rate-limited".to_owned()));
    assert_eq!(gate.audit_of(answer.request_id())["user"], "ann");
    assert_eq!(ask(&gate, &bob).status, 200);
}

#[test]
fn a_logout_at_the_provider_ends_its_tokens() {
    let (provider, upstream) = (Provider::start(), upstream());
    let state = tempfile::tempdir().expect("a folder");
    let config = section(&provider, "client-id = \"gate\"");
    let start = || Setup::serve(&upstream.url()).state(state.path()).config(&config).start();
    let gate = start();
    let of = |name: &str, session: &str| provider.issue(Wanted::new("shop", "read").of(name, session));
    let (phone, laptop, bob) = (of("ann", "phone"), of("ann", "laptop"), of("bob", "s"));
    eventually("the keys are known", || (ask(&gate, &phone).status == 200).then_some(()));
    let place = format!("http://{}/.well-known/mantlet/backchannel-logout", gate.addr());
    assert_eq!(provider.log_out(&place, "ann", Some("phone")), 200);
    let answer = ask(&gate, &phone);
    assert_eq!((answer.status, answer.code()), (401, "session-ended".to_owned()), "{answer:?}");
    assert_eq!(gate.audit_of(answer.request_id())["remedy"], "authentication.mode = \"report\"");
    assert_eq!([&laptop, &bob].map(|token| ask(&gate, token).status), [200, 200]);
    // What is not such a token ends nothing.
    let mut client = Client::connect(gate.addr());
    let access = of("bob", "s");
    for token in ["", "nonsense", &access] {
        let body = format!("logout_token={token}");
        let head = "POST /.well-known/mantlet/backchannel-logout HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        let answer = client.ask(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()));
        assert_eq!((answer.status, answer.code()), (400, "logout-invalid".to_owned()), "{answer:?}");
    }
    assert_eq!(ask(&gate, &bob).status, 200);
    // All of an account; and a gate that is killed forgets nothing.
    assert_eq!(provider.log_out(&place, "ann", None), 200);
    gate.signal(rustix::process::Signal::KILL);
    gate.wait();
    let gate = start();
    eventually("the keys are known", || (ask(&gate, &bob).status == 200).then_some(()));
    assert_eq!([&phone, &laptop].map(|token| ask(&gate, token).code()), ["session-ended", "session-ended"]);
    let place = format!("http://{}/.well-known/mantlet/backchannel-logout", gate.addr());
    assert_eq!(provider.log_out(&place, "bob", Some("another")), 200);
    assert_eq!(ask(&gate, &bob).status, 200);
}

#[test]
fn the_app_is_told_the_principal_only_by_the_gate() {
    let (provider, upstream) = (Provider::start(), upstream());
    let header = "[authentication]\nprincipal-header = \"X-Mantlet-Principal\"\n";
    let gate = Setup::serve(&upstream.url()).config(&section(&provider, header)).start();
    let token = provider.issue(Wanted::new("shop", "read").of("änn", "s"));
    eventually("the keys are known", || (ask(&gate, &token).status == 200).then_some(()));
    let forged = "X-Mantlet-Principal: root\r\nX_Mantlet_Principal: root\r\nx-mantlet_principal: root\r\n";
    let sent = |credential: &str| {
        let before = upstream.seen().len();
        let head = format!("GET /me HTTP/1.1\r\nHost: a.example\r\n{forged}{credential}\r\n");
        assert_eq!(Client::connect(gate.addr()).ask(head).status, 200);
        String::from_utf8(upstream.seen()[before..].to_vec()).expect("text")
    };
    let seen = sent(&format!("Authorization: Bearer {token}\r\n"));
    let line =
        format!("x-mantlet-principal: {{\"iss\":\"{}\",\"sub\":\"\\u00e4nn\"}}\r\n", provider.issuer());
    assert!(seen.contains(&line) && !seen.contains("root"), "{seen}");
    let seen = sent("");
    assert!(!seen.to_lowercase().replace('_', "-").contains("x-mantlet-principal"), "{seen}");
    let records = gate.end().audit;
    let removed: Vec<_> = records.iter().filter(|record| record["reason"] == "header-removed").collect();
    assert!(removed.iter().any(|record| record["subject"] == "x-mantlet-principal"), "{removed:?}");
    assert!(removed.iter().all(|record| record["remedy"].is_null()), "no line lets it through: {removed:?}");
}

#[test]
fn a_record_names_the_line_of_the_issuers_own_section() {
    let (provider, upstream) = (Provider::start(), upstream());
    let gate = gate(&provider, &upstream);
    let expired = json!({"exp": jiff::Timestamp::now().as_second() - 60});
    let expired = provider.signed(&json!({"alg": "ES256"}), &claims(&provider, &expired));
    let answer = ask(&gate, &expired);
    assert_eq!(answer.status, 401);
    let remedy = |answer: &Answer| {
        let is_it = |record: &Value| {
            record["request_id"] == answer.request_id() && record["reason"] == "token-invalid"
        };
        let record = eventually("a record", || gate.audit(0).into_iter().find(is_it));
        record["remedy"].clone()
    };
    let line =
        |mode: &str| format!("mode = \"{mode}\" # in the [[issuer]] section of \"{}\"", provider.issuer());
    assert_eq!(remedy(&answer), line("report"));
    // Both lines do what they say.
    gate.reload(&section(&provider, &line("report")));
    let answer = eventually("it passes", || {
        let answer = ask(&gate, &expired);
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(remedy(&answer), line("enforce"));
    gate.reload(&section(&provider, &line("enforce")));
    eventually("it is refused", || (ask(&gate, &expired).status == 401).then_some(()));
}

#[test]
fn an_issuer_that_was_never_reached_has_no_keys_that_serve() {
    let (provider, upstream) = (Provider::start(), upstream());
    provider.kill();
    let gate = Setup::serve(&upstream.url()).config(&section(&provider, "")).start();
    gate.wait_for("no key is known yet, so its tokens cannot be verified", 1);
    assert!(!gate.stderr().contains("still serve"), "{}", gate.stderr());
}

#[test]
fn a_mistake_in_a_section_is_named_as_it_is_written() {
    let config = "[[issuer]]\nissuer = \"https://id.example.com\"\n";
    let said = Typed::mantlet(["config", "check"]).file("mantlet.toml", config).finish();
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    assert!(said.stderr.contains("issuer[0].audience"), "{}", said.stderr);
}

fn base64(bytes: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(bytes)
}

fn unbase64(text: &str) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.decode(text).expect("base64")
}

/// The old trick: the public key, which all can read, as the secret of HMAC.
fn signed_with_public_key(provider: &Provider, header: &Value, payload: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let keys = Client::connect(provider.address()).get("/jwks");
    let signed = format!("{}.{payload}", base64(header.to_string().as_bytes()));
    let mut mac =
        Hmac::<sha2::Sha256>::new_from_slice(keys.json()["keys"][0].to_string().as_bytes()).expect("a key");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", base64(&mac.finalize().into_bytes()))
}
