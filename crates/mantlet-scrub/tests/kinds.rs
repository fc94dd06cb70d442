//! Kinds of secrets, printed in awkward ways: what is replaced, whatever the splits.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; the exception does not reach helpers"
)]

use std::sync::Arc;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use mantlet_scrub::{Further, Known, Rules, Scrubber, Unfit, fitness};

const KEY: &str = "vS3cret/Key+\"q\" ä\\9";
const URL: &str = "postgres://shop:db-pa%2Fss9word@db:5432/shop";
const WORD: &str = "correct-horse-battery";

fn known() -> Vec<Known<'static>> {
    [("app.env.KEY", KEY), ("app.env.URL", URL), ("issuer[0].secret", WORD)]
        .map(|(name, value)| Known { name, value: value.as_bytes() })
        .to_vec()
}

fn rules() -> Arc<Rules> {
    let patterns = vec![("customer", r"\bC-\d{8}\b"), ("session", r"\bsid=(\w{20,})")];
    Arc::new(Rules::new(&known(), Further { cards: true, patterns }).unwrap())
}

/// What comes out where the bytes come in these parts.
fn scrubbed<'p>(rules: &Arc<Rules>, parts: impl IntoIterator<Item = &'p [u8]>) -> String {
    let (mut scrubber, mut out) = (Scrubber::new(Arc::clone(rules)), Vec::new());
    for part in parts {
        scrubber.push(part, &mut out);
    }
    scrubber.finish(&mut out);
    String::from_utf8(out).unwrap()
}

/// Whole, cut in two at each place, byte by byte, and at random: always the same.
fn check(rules: &Arc<Rules>, text: &str, expected: &str) {
    let bytes = text.as_bytes();
    assert_eq!(scrubbed(rules, [bytes]), expected, "{text}");
    for cut in 0..=bytes.len() {
        let (one, two) = bytes.split_at(cut);
        assert_eq!(scrubbed(rules, [one, two]), expected, "{text} cut at {cut}");
    }
    assert_eq!(scrubbed(rules, bytes.chunks(1)), expected, "{text}, byte by byte");
    for _ in 0..20 {
        let mut rest = bytes;
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let (part, after) = rest.split_at(fastrand::usize(1..=rest.len().min(40)));
            parts.push(part);
            rest = after;
        }
        assert_eq!(scrubbed(rules, parts.iter().copied()), expected, "{text} in {parts:?}");
    }
}

fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn jwt(head: &str) -> String {
    let [head, claims] = [head, r#"{"sub":"ann","exp":1764534103}"#].map(|text| URL_SAFE_NO_PAD.encode(text));
    format!("{head}.{claims}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
}

fn pem(label: &str) -> String {
    let body = STANDARD.encode((0..=255).collect::<Vec<u8>>());
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----", lines.join("\n"))
}

/// Letters and digits, as keys of services have them.
fn random(length: usize) -> String {
    const LETTERS: &str = "q7Rz0LmX4cVb9NsKd2WfGh8JyTpE5uAo3iQ6wBxS1vCnMkDr";
    LETTERS.chars().cycle().take(length).collect()
}

/// Kinds that are found by their form: what is printed, and what is left of it.
fn kinds() -> Vec<(String, String)> {
    let whole = |secret: String, what: &str| (secret, format!("[{what}]"));
    let session = STANDARD.encode(r#"{"user": 17, "name": "Ann"}"#);
    let hex: String = (0..64).map(|at| char::from(b"0123456789abcdef"[at * 7 % 16])).collect();
    vec![
        whole(jwt(r#"{"alg":"HS256","typ":"JWT"}"#), "jwt"),
        whole(jwt(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#) + ".iv.tag", "jwt"),
        whole(format!("{session}.aSxK9g.{}", random(27)), "session"),
        whole(pem("PRIVATE KEY"), "private key"),
        whole(pem("RSA PRIVATE KEY"), "private key"),
        whole(pem("OPENSSH PRIVATE KEY"), "private key"),
        (format!("Bearer {}", random(32)), "Bearer [bearer token]".into()),
        ("authorization: Bearer s3cr3t-tok".into(), "authorization: Bearer [bearer token]".into()),
        (format!("Basic {}", STANDARD.encode("ann:s3cret")), "Basic [basic credentials]".into()),
        ("redis://:hunter2@cache:6379/0".into(), "redis://:[password]@cache:6379/0".into()),
        ("amqp://u:p@ss@mq/v".into(), "amqp://u:[password]@mq/v".into()),
        (r"mysql:\/\/root:toor1@db\/x".into(), r"mysql:\/\/root:[password]@db\/x".into()),
        (
            "to=https%3A%2F%2Fann%3Apw1%40host%2Fx".into(),
            "to=https%3A%2F%2Fann%3A[password]%40host%2Fx".into(),
        ),
        whole(format!("ghp_{}", random(36)), "token of GitHub"),
        whole(format!("github_pat_{}_{}", random(22), random(59)), "token of GitHub"),
        whole(format!("glpat-{}", random(20)), "token of GitLab"),
        whole(format!("sk_live_{}", random(40)), "key of Stripe"),
        whole(format!("whsec_{}", random(32)), "secret of a webhook"),
        whole("xoxb-123456789012-123456789012-AbCdEfGhIjKlMnOp".into(), "token of Slack"),
        whole(format!("SG.{}.{}", random(22), random(43)), "key of SendGrid"),
        whole("AKIAIOSFODNN7EXAMPLQ".into(), "key id of AWS"),
        (format!("aws_secret_access_key = {}", random(40)), "aws_secret_access_key = [key of AWS]".into()),
        (format!("AccountKey={}==;End", random(86)), "AccountKey=[key of Azure];End".into()),
        whole(format!("AIza{}", random(35)), "key of Google"),
        whole(format!("GOCSPX-{}", random(28)), "secret of Google"),
        whole(format!("ya29.{}", random(60)), "token of Google"),
        whole(format!("sk-ant-api03-{}", random(90)), "key of Anthropic"),
        whole(format!("sk-proj-{}", random(80)), "key of OpenAI"),
        whole(format!("hf_{}", random(34)), "token of Hugging Face"),
        whole(format!("pypi-AgEIcHlwaS5vcmc{}", random(80)), "token of PyPI"),
        whole(format!("npm_{}", random(36)), "token of npm"),
        whole(format!("dop_v1_{hex}"), "token of DigitalOcean"),
        whole(format!("hvs.{}", random(24)), "token of Vault"),
        // Its checksum is that of Python's `zlib.crc32`.
        whole("mk_prod_h4k2m9qxtc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_ef10ca79".into(), "API key"),
    ]
}

#[test]
fn forms_are_found_in_a_line_in_json_and_at_the_end() {
    let rules = rules();
    let kinds = kinds();
    assert!(kinds.len() >= 30, "{}", kinds.len());
    for (secret, shown) in kinds {
        check(&rules, &format!("INFO: got {secret}\n"), &format!("INFO: got {shown}\n"));
        check(&rules, &format!("x='{secret}', y"), &format!("x='{shown}', y"));
        check(
            &rules,
            &format!(r#"{{"m": "a\n{}"}}"#, json(&secret)),
            &format!(r#"{{"m": "a\n{}"}}"#, json(&shown)),
        );
        check(&rules, &secret, &shown);
    }
}

#[test]
fn what_is_known_is_found_in_every_spelling() {
    let rules = rules();
    for known in known() {
        let (name, secret) = (known.name, std::str::from_utf8(known.value).unwrap());
        let shown = format!("[secret {name}]");
        for spelling in [
            secret.to_owned(),
            json(secret),
            json(&json(secret)),
            percent(secret),
            percent(secret).to_lowercase(),
            secret.to_uppercase().replace('Ä', "ä"),
            secret.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02X}")),
        ] {
            check(&rules, &format!("a {spelling} b\n"), &format!("a {shown} b\n"));
            check(&rules, &spelling, &shown);
        }
    }
}

#[test]
fn what_is_known_is_found_within_base64() {
    let rules = rules();
    for known in known() {
        let secret = std::str::from_utf8(known.value).unwrap();
        for (before, after) in [("", ""), ("u", ""), ("us", "x"), ("user", "xy"), ("user:", " and more")] {
            for text in [
                STANDARD.encode(format!("{before}{secret}{after}")),
                URL_SAFE_NO_PAD.encode(format!("{before}{secret}{after}")),
            ] {
                let out = scrubbed(&rules, text.as_bytes().chunks(7));
                let label = format!("[secret {}]", known.name);
                // What is left at each end has less than a byte of the secret.
                let left = out.len() - label.len();
                assert!(out.contains(&label), "{text}: {out}");
                assert!(left <= 4 * (before.len() + after.len()) / 3 + 5, "{text}: {out}");
            }
        }
    }
}

/// A part of a secret that is one by itself.
#[test]
fn the_password_of_a_known_url_is_known() {
    let rules = rules();
    check(
        &rules,
        "pw db-pa%2Fss9word, pw db-pa/ss9word\n",
        "pw [secret app.env.URL], pw [secret app.env.URL]\n",
    );
    let key = pem("PRIVATE KEY");
    let rules =
        Rules::new(&[Known { name: "tls", value: key.as_bytes() }], Further::default()).unwrap().into();
    let line = key.lines().nth(2).unwrap();
    check(&rules, &format!("line 2: {line}\n"), "line 2: [secret tls]\n");
}

#[test]
fn a_long_secret_is_found_in_every_spelling() {
    let long: String = random(5_000) + "äöü" + &random(3_000);
    let rules =
        Rules::new(&[Known { name: "long", value: long.as_bytes() }], Further::default()).unwrap().into();
    let parts = |text: &str, size: usize| scrubbed(&rules, text.as_bytes().chunks(size));
    for spelling in [long.clone(), json(&long), percent(&long)] {
        for size in [1, 511, 4_096, 100_000] {
            assert_eq!(parts(&format!("a {spelling} b\n"), size), "a [secret long] b\n");
        }
    }
    let out = parts(&STANDARD.encode(&long), 100);
    assert!(out.len() < 24 * "[secret long]".len(), "{out}");
}

#[test]
fn lines_are_looked_at_where_it_is_asked_for() {
    let rules = rules();
    for (text, shown) in [
        ("card 4111 1111 1111 1111 of C-12345678\n", "card [card] of [customer]\n"),
        ("{\"card\": 4111111111111111}\n", "{\"card\": \"[card]\"}\n"),
        ("{\"card\": \"4111111111111111\"}\n", "{\"card\": \"[card]\"}\n"),
        ("Cookie: sid=abcdefghij0123456789; a=b\n", "Cookie: sid=[session]; a=b\n"),
        ("C-1234567 4111 1111 1111 1112\n", "C-1234567 4111 1111 1111 1112\n"),
        ("correct-horse-battery C-12345678", "[secret issuer[0].secret] [customer]"),
    ] {
        check(&rules, text, shown);
    }
    let long = "x ".repeat(20_000) + "C-12345678";
    let out = scrubbed(&rules, long.as_bytes().chunks(999));
    assert_eq!(out, "x ".repeat(20_000) + "[customer]");
}

/// What ordinary programs print, with what looks like a secret and is none.
const ORDINARY: &str = include_str!("ordinary.log");

#[test]
fn ordinary_output_stays_as_it_is() {
    let rules = rules();
    assert!(ORDINARY.lines().count() > 40);
    for line in ORDINARY.lines() {
        check(&rules, line, line);
    }
    for size in [1, 7, 64, 4_096] {
        assert_eq!(scrubbed(&rules, ORDINARY.as_bytes().chunks(size)), ORDINARY);
    }
}

/// Secrets, parts of secrets and ordinary text in any order: what comes out does not depend on the splits, and no known
/// secret is in it.
#[test]
fn any_mixture_comes_out_the_same_whatever_the_splits() {
    let rules = rules();
    let kinds = kinds();
    let ordinary: Vec<&str> = ORDINARY.lines().collect();
    for _ in 0..300 {
        let mut text = String::new();
        for _ in 0..fastrand::usize(1..12) {
            let secret = match fastrand::u8(..3) {
                0 => kinds[fastrand::usize(..kinds.len())].0.clone(),
                1 => json([KEY, URL, WORD][fastrand::usize(..3)]),
                _ => ordinary[fastrand::usize(..ordinary.len())].to_owned(),
            };
            let letters: Vec<char> = secret.chars().collect();
            let from = if fastrand::u8(..4) == 0 { fastrand::usize(..letters.len()) } else { 0 };
            text.extend(&letters[from..]);
            text.push_str(["", "", " ", "\n", "\"", "=", "%20"][fastrand::usize(..7)]);
        }
        let bytes = text.as_bytes();
        let expected = scrubbed(&rules, [bytes]);
        for known in [KEY, URL, WORD] {
            assert!(!expected.contains(&json(known)), "{text}\n{expected}");
        }
        for most in [1, 3, 40, 400] {
            let (mut rest, mut parts) = (bytes, Vec::new());
            while !rest.is_empty() {
                let (part, after) = rest.split_at(fastrand::usize(1..=rest.len().min(most)));
                parts.push(part);
                rest = after;
            }
            assert_eq!(scrubbed(&rules, parts.iter().copied()), expected, "{text}");
            // With silence anywhere, secrets may be cut, but none is whole.
            let (mut scrubber, mut out) = (Scrubber::new(Arc::clone(&rules)), Vec::new());
            for part in parts {
                scrubber.push(part, &mut out);
                if fastrand::bool() {
                    scrubber.rest(&mut out);
                    assert!(!scrubber.holds());
                }
            }
            scrubber.finish(&mut out);
            let out = String::from_utf8_lossy(&out);
            for known in [KEY, URL, WORD] {
                assert!(!out.contains(&json(known)), "{text}\n{out}");
            }
        }
    }
}

/// Random bytes come out as they came in, unless they have a secret.
#[test]
fn noise_stays_as_it_is() {
    let rules = rules();
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(200_000).collect();
    let (mut scrubber, mut out) = (Scrubber::new(rules), Vec::new());
    for part in noise.chunks(333) {
        scrubber.push(part, &mut out);
    }
    scrubber.finish(&mut out);
    assert!(out == noise);
}

#[test]
fn a_prompt_appears_and_a_secret_that_was_cut_by_silence_is_hidden_as_far_as_possible() {
    let mut scrubber = Scrubber::new(rules());
    let mut out = Vec::new();
    scrubber.push(b"name? ", &mut out);
    scrubber.rest(&mut out);
    assert_eq!(out, b"name? ");
    scrubber.push(b"correct-horse", &mut out);
    assert!(scrubber.holds());
    scrubber.rest(&mut out);
    assert!(!scrubber.holds());
    scrubber.push(b"-battery staple\n", &mut out);
    assert_eq!(out, b"name? correct-horse[secret issuer[0].secret] staple\n");
    // What is certain is not shown, however long it takes.
    out.clear();
    let token = jwt(r#"{"alg":"HS256"}"#);
    for part in token.as_bytes().chunks(60) {
        scrubber.push(part, &mut out);
        scrubber.rest(&mut out);
    }
    scrubber.push(b" end\n", &mut out);
    scrubber.finish(&mut out);
    assert_eq!(out, b"[jwt] end\n");
}

#[test]
fn other_rules_are_taken_over_within_a_line() {
    let old = Known { name: "old", value: b"0ld-s3cret" };
    let new = Known { name: "new", value: b"n3w-s3cret" };
    let rules = |known: &[Known<'_>]| Arc::new(Rules::new(known, Further::default()).unwrap());
    let (mut scrubber, mut out) = (Scrubber::new(rules(&[old])), Vec::new());
    scrubber.push(b"0ld-s3cret n3w-", &mut out);
    scrubber.renew(&rules(&[old, new]), &mut out);
    scrubber.push(b"0ld-s3cret n3w-s3cret\n", &mut out);
    scrubber.finish(&mut out);
    assert_eq!(out, b"[secret old] n3w-[secret old] [secret new]\n");
}

/// 16 KiB are held back, and a line, whatever comes.
#[test]
fn what_is_held_back_is_bounded() {
    let head = jwt(r#"{"alg":"HS256"}"#);
    let endless = [head, "eyJ".repeat(50_000), "-----BEGIN PRIVATE KEY-----\n".into(), "A".repeat(50_000)];
    for text in endless {
        let (mut scrubber, mut out, mut most) = (Scrubber::new(rules()), Vec::new(), 0);
        for (index, part) in text.as_bytes().chunks(100).enumerate() {
            scrubber.push(part, &mut out);
            most = most.max((index * 100).saturating_sub(out.len()));
        }
        // Of a token that long, the label alone comes out for the first 16 KiB.
        assert!(most <= 56 << 10, "{most}");
    }
}

#[test]
fn what_is_too_plain_to_be_found_is_said() {
    for (value, expected) in [
        ("s3cret!", Err(Unfit::Short)),
        ("postgres", Err(Unfit::Word)),
        ("12345678", Err(Unfit::Word)),
        ("https://api.example.com/v1", Err(Unfit::PlainUrl)),
        ("redis://cache:6379/0", Err(Unfit::PlainUrl)),
        ("postgres1", Ok(())),
        ("correcthorsebattery", Ok(())),
        ("https://user:pw@host", Ok(())),
        ("https://hooks.example.com/T00000000/XXXXXXXX9XXXXXXXXX", Ok(())),
    ] {
        assert_eq!(fitness(value.as_bytes()), expected, "{value}");
    }
}
