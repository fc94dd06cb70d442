//! Values, names, tokens and keys.

use super::*;

#[test]
fn names_of_secrets() {
    for name in [
        "SECRET_KEY",
        "DB_PASSWORD",
        "dbPassword",
        "JWT_SECRET",
        "STRIPE_API_KEY",
        "ACCESS_TOKEN",
        "FILE_TOKEN",
    ] {
        assert!(is_secret_name(name), "{name}");
    }
    for name in [
        "ACCESS_TOKEN_EXPIRE_MINUTES",
        "TOKEN_URL",
        "SECRET_KEY_FILE",
        "PUBLIC_KEY",
        "GPG_KEY",
        "SECRET_NAME",
        "KEY",
        "COOKIE_KEY_NAME",
        "JWT_ALGORITHM",
        "COMPASS",
        "API_KEY_HEADER",
        "PASSWORD_MIN_LENGTH",
        "STRIPE_PUBLISHABLE_KEY",
    ] {
        assert!(!is_secret_name(name), "{name}");
    }
}

#[test]
fn values() {
    let random = Judged::Secret("a random value");
    for (name, value, judged) in [
        ("SECRET_KEY", "changethis", Judged::Default),
        ("SECRET_KEY", "", Judged::Nothing),
        ("SECRET_KEY", "${SECRET_KEY}", Judged::Nothing),
        ("SECRET_KEY", "<your key>", Judged::Nothing),
        ("SECRET_KEY", "/run/secrets/key", Judged::Nothing),
        ("SECRET_KEY", "ENC[AES256_GCM,data:x]", Judged::Nothing),
        ("DB_PASSWORD", "postgres", Judged::Default),
        ("DB_PASSWORD", "123456", Judged::Default),
        ("DB_PASSWORD", "hunter2", Judged::Written),
        ("DB_PASSWORD", "P@ss$w0rd{%", Judged::Written),
        ("DB_PASSWORD", "{{ password }}", Judged::Nothing),
        ("DB_PASSWORD", "%DB_PASSWORD%", Judged::Nothing),
        ("SECRET_KEY", "super-secret-key-for-signing-1", Judged::Written),
        ("SECRET_KEY", "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7", random),
        ("SECRET_KEY", "q8Zt3vKx1Lw0Pz7Rb5Yd2Nc9", random),
        ("RELEASE", "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7", Judged::Nothing),
        ("DATABASE_URL", "postgresql://app:hunter2@db/app", Judged::Written),
        ("DATABASE_URL", "postgresql://postgres:postgres@db/app", Judged::Default),
        ("DATABASE_URL", "postgresql://shop:shop@db/shop", Judged::Default),
        ("DATABASE_URL", "postgresql://app:${PASSWORD}@db/app", Judged::Nothing),
        ("DATABASE_URL", "postgresql://db/app", Judged::Nothing),
        ("TOKEN_URL", "https://login.example/token", Judged::Nothing),
    ] {
        assert_eq!(judge(name, value), judged, "{name}={value}");
    }
}

#[test]
fn tokens_of_services() {
    // Put together here, so that no scanner takes this file for a leak.
    let token = ["ghp", "_a8Zt3vKx1Lw0Pz7Rb5Yd2Nc9qWe4Rt6Yu8Io"].concat();
    assert_eq!(known(&format!("TOKEN = \"{token}\"")), Some("a token of GitHub"));
    assert_eq!(judge("ANYTHING", &token), Judged::Secret("a token of GitHub"));
    assert_eq!(known(&["ghp", "_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"].concat()), None);
    assert_eq!(known("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), None);
    assert_eq!(known("a line of prose about ghp_ tokens"), None);
}

#[test]
fn only_a_key_is_a_private_key() {
    let begin = ["-----BEGIN ", "PRIVATE KEY-----"].concat();
    let body = base64::engine::general_purpose::STANDARD.encode([&[0x30, 0x2e][..], &[7; 46]].concat());
    let key = format!("# a key\n{begin}\n{body}\n-----END PRIVATE KEY-----\n");
    assert_eq!(private_key(&key), Some((2, PrivateKey::Plain)));
    let json = format!("{{\"private_key\": \"{begin}\\n{body}\\n-----END PRIVATE KEY-----\\n\"}}");
    assert_eq!(private_key(&json), Some((1, PrivateKey::Plain)));
    assert_eq!(private_key(&format!("{begin}\n...\n-----END PRIVATE KEY-----\n")), None);
    assert_eq!(private_key(&format!("startswith(\"{begin}\")")), None);
}
