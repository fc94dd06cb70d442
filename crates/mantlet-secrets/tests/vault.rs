//! Against a real Vault. It takes minutes to build, so these tests run by `cargo xtask vault`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::needless_pass_by_value,
    clippy::assigning_clones,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod kit;

use std::{
    fs,
    time::{Duration, SystemTime},
};

use kit::{Vault, read, settings, token, until, wait_for, write};
use mantlet_secrets::{Event, Keeper, Login, Place, Vault as VaultSettings};
use serde_json::{Value, json};

#[test]
#[ignore = "needs Vault: cargo xtask vault"]
fn both_versions_of_kv_are_read_by_the_same_path() {
    let vault = Vault::start();
    vault.put("shop/db", json!({"url": "postgres://s3cret", "port": 5432, "more": {"a": 1}}));
    vault.ask("POST", "old/shop", json!({"url": "redis://s3cret"}));
    vault.put("a%20path%20with%20spaces", json!({"x": "y"}));
    let keeper = vault.keeper();
    assert_eq!(read(&keeper, "secret/shop/db#url").as_deref(), Ok("postgres://s3cret"));
    assert_eq!(read(&keeper, "secret/shop/db#port").as_deref(), Ok("5432"));
    assert_eq!(read(&keeper, "secret/shop/db#more").as_deref(), Ok(r#"{"a":1}"#));
    assert_eq!(read(&keeper, "old/shop#url").as_deref(), Ok("redis://s3cret"));
    assert_eq!(read(&keeper, "secret/a path with spaces#x").as_deref(), Ok("y"));
    let known = keeper.read(&Place::of_vault("secret/shop/db#url").unwrap()).unwrap();
    let age = SystemTime::now().duration_since(known.created.unwrap()).unwrap();
    assert!(age < Duration::from_mins(2), "{age:?}");
}

#[test]
#[ignore = "needs Vault: cargo xtask vault"]
fn what_is_wrong_is_named_and_no_secret_is() {
    let vault = Vault::start();
    vault.put("shop", json!({"url": "s3cret", "user": "s3cret"}));
    vault.put("gone", json!({"url": "s3cret"}));
    vault.ask("DELETE", "secret/data/gone", Value::Null);
    vault.policy("shop", r#"path "secret/data/shop" { capabilities = ["read"] } path "secret/data/none" { capabilities = ["read"] }"#);
    let keeper = vault.keeper();
    let limited = Keeper::start(vault.settings(token(&vault.token("shop", "1h")))).unwrap();
    assert_eq!(read(&limited, "secret/shop#url").as_deref(), Ok("s3cret"));
    for (keeper, place, says) in [
        (&keeper, "secret/shop#password", "there is no field `password`; it has `url`, `user`"),
        (&keeper, "secret/none#x", "there is no secret `secret/none`"),
        (&keeper, "secret/data/shop#url", "if it is `secret/shop`, leave `data/` out"),
        (&keeper, "old/data/shop#url", "version 1 of KV, which has no `data/`: is it `old/shop`?"),
        (&keeper, "secret/gone#url", "the current version of `secret/gone` is deleted"),
        (&keeper, "nowhere/shop#url", "nothing is mounted there"),
        (
            &limited,
            "secret/other#url",
            "denies `read` on `secret/data/other` (permission denied); add it to a policy",
        ),
        (&limited, "old/shop#url", "nothing is mounted there, or no policy of the token allows"),
    ] {
        let why = read(keeper, place).unwrap_err();
        assert!(why.contains(says), "{place}: {why}");
        assert!(!why.contains("s3cret"), "{why}");
    }
    let with = |login| Keeper::start(vault.settings(login)).unwrap();
    let why = read(&with(token("hvs.wrong")), "secret/shop#url").unwrap_err();
    assert!(why.contains("does not take the token in `is:hvs.wrong`"), "{why}");
    let why = read(&with(Login::Token("nothing".to_owned())), "secret/shop#url").unwrap_err();
    assert!(why.contains("the token for `vault:`: `nothing` is not a place"), "{why}");
}

#[test]
#[ignore = "needs Vault: cargo xtask vault"]
fn a_token_that_has_expired_is_said_and_the_last_value_stays() {
    let vault = Vault::start();
    vault.put("shop", json!({"url": "first"}));
    vault.policy("shop", r#"path "secret/data/shop" { capabilities = ["read"] }"#);
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "token", &vault.token("shop", "3s"));
    let place = format!("file:{}", file.display());
    let keeper = Keeper::start(vault.settings(Login::Token(place))).unwrap();
    let mut events = keeper.events().unwrap();
    assert_eq!(read(&keeper, "secret/shop#url").as_deref(), Ok("first"));
    let Event::Failed(_, why) = wait_for(&mut events, |event| matches!(event, Event::Failed(..))) else {
        panic!("another event");
    };
    assert!(why.contains("it has expired, was revoked or is of another server"), "{why}");
    assert_eq!(read(&keeper, "secret/shop#url").as_deref(), Ok("first"));
    // Another program puts a new token there.
    vault.put("shop", json!({"url": "second"}));
    fs::write(&file, vault.token("shop", "1h")).unwrap();
    wait_for(&mut events, |event| matches!(event, Event::Recovered(_)));
    until("the new value", || (read(&keeper, "secret/shop#url").as_deref() == Ok("second")).then_some(()));
}

fn app_role(vault: &Vault, ttl: &str, max: &str) -> Login {
    vault.policy("shop", r#"path "secret/data/shop" { capabilities = ["read"] }"#);
    vault.ask("POST", "sys/auth/approle", json!({"type": "approle"}));
    let role = json!({"token_policies": "shop", "token_ttl": ttl, "token_max_ttl": max});
    vault.ask("POST", "auth/approle/role/gate", role);
    let id = vault.ask("GET", "auth/approle/role/gate/role-id", Value::Null);
    let secret = vault.ask("POST", "auth/approle/role/gate/secret-id", json!({}));
    let text = |said: &Value, name: &str| said["data"][name].as_str().unwrap().to_owned();
    Login::AppRole(text(&id, "role_id"), format!("is:{}", text(&secret, "secret_id")))
}

#[test]
#[ignore = "needs Vault: cargo xtask vault"]
fn an_app_role_logs_in_renews_and_logs_in_again() {
    let vault = Vault::start();
    vault.put("shop", json!({"url": "first"}));
    let keeper = Keeper::start(vault.settings(app_role(&vault, "2s", "5s"))).unwrap();
    let mut events = keeper.events().unwrap();
    assert_eq!(read(&keeper, "secret/shop#url").as_deref(), Ok("first"));
    let accessors = || {
        let said = vault.ask("LIST", "auth/token/accessors", Value::Null);
        let all = said["data"]["keys"].as_array().unwrap().clone();
        all.iter().map(|one| one.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = accessors();
    until("the first session is over, as no token lives longer than 5 s, and another has begun", || {
        let now = accessors();
        let is_another = now.len() > 1 && first.iter().filter(|one| now.contains(one)).count() == 1;
        is_another.then_some(())
    });
    vault.put("shop", json!({"url": "second"}));
    wait_for(&mut events, |event| {
        assert!(!matches!(event, Event::Failed(..)), "{event:?}");
        matches!(event, Event::Changed(_))
    });
    let Login::AppRole(role, _) = app_role_of(&vault) else { panic!("no role") };
    let wrong = Login::AppRole(role, "is:0dd00ddd-0000-0000-0000-000000000000".to_owned());
    let why = read(&Keeper::start(vault.settings(wrong)).unwrap(), "secret/shop#url").unwrap_err();
    assert!(why.contains("refuses the login by `auth/approle`: invalid role or secret ID"), "{why}");
}

fn app_role_of(vault: &Vault) -> Login {
    let id = vault.ask("GET", "auth/approle/role/gate/role-id", Value::Null);
    Login::AppRole(id["data"]["role_id"].as_str().unwrap().to_owned(), String::new())
}

/// Vault takes the token of a service account as it takes any JWT; the method of Kubernetes would ask a cluster beside.
#[test]
#[ignore = "needs Vault: cargo xtask vault"]
fn a_service_account_logs_in_with_its_token() {
    let vault = Vault::start();
    vault.put("shop", json!({"url": "s3cret"}));
    vault.policy("shop", r#"path "secret/data/shop" { capabilities = ["read"] }"#);
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    vault.ask("POST", "sys/auth/kubernetes", json!({"type": "jwt"}));
    vault.ask("POST", "auth/kubernetes/config", json!({"jwt_validation_pubkeys": [key.public_key_pem()]}));
    let role = json!({
        "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": ["shop"],
    });
    vault.ask("POST", "auth/kubernetes/role/gate", role);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let claims =
        json!({"sub": "system:serviceaccount:shop:gate", "aud": "vault", "iat": now, "exp": now + 600});
    let signer = jsonwebtoken::EncodingKey::from_ec_pem(key.serialize_pem().as_bytes()).unwrap();
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
    let jwt = jsonwebtoken::encode(&header, &claims, &signer).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "token", &format!("{jwt}\n"));
    let keeper = Keeper::start(vault.settings(Login::Kubernetes("gate".to_owned(), file))).unwrap();
    assert_eq!(read(&keeper, "secret/shop#url").as_deref(), Ok("s3cret"));
    let missing = Login::Kubernetes("gate".to_owned(), "/no/such".into());
    let why = read(&Keeper::start(vault.settings(missing)).unwrap(), "secret/shop#url").unwrap_err();
    assert!(why.contains("the token of the service account `/no/such`"), "{why}");
}

#[test]
#[ignore = "needs Vault: cargo xtask vault"]
fn a_lease_is_renewed_and_another_taken_at_its_end() {
    let vault = Vault::start();
    vault.ask("POST", "sys/mounts/leased", json!({"type": "leased-kv", "config": {"max_lease_ttl": "6s"}}));
    vault.ask("POST", "leased/db", json!({"user": "u1", "password": "p1", "ttl": "3s"}));
    let keeper = vault.keeper();
    let mut events = keeper.events().unwrap();
    assert_eq!(read(&keeper, "leased/db#user").as_deref(), Ok("u1"));
    let leases = || {
        let said = vault.try_ask("LIST", "sys/leases/lookup/leased/db", Value::Null).unwrap().1;
        said["data"]["keys"].as_array().cloned().unwrap_or_default()
    };
    let first = leases();
    assert_eq!((read(&keeper, "leased/db#password").as_deref(), first.len()), (Ok("p1"), 1));
    // What is asked for meanwhile is of the same lease.
    assert_eq!(leases(), first);
    vault.ask("POST", "leased/db", json!({"user": "u2", "password": "p2", "ttl": "3s"}));
    let renewed = until("the lease is renewed", || {
        let said = vault.ask(
            "PUT",
            "sys/leases/lookup",
            json!({"lease_id": format!("leased/db/{}", first[0].as_str()?)}),
        );
        said["data"]["last_renewal"].as_str().map(str::to_owned)
    });
    assert!(!renewed.is_empty());
    assert_eq!(read(&keeper, "leased/db#user").as_deref(), Ok("u1"));
    wait_for(&mut events, |event| matches!(event, Event::Changed(_)));
    assert_eq!(read(&keeper, "leased/db#user").as_deref(), Ok("u2"));
    assert_eq!(read(&keeper, "leased/db#password").as_deref(), Ok("p2"));
}

#[test]
#[ignore = "needs Vault: cargo xtask vault"]
fn sealed_killed_and_slow_are_said_once_and_the_last_value_stays() {
    let mut vault = Vault::start();
    vault.put("shop", json!({"url": "first"}));
    let keeper = vault.keeper();
    let mut events = keeper.events().unwrap();
    assert_eq!(read(&keeper, "secret/shop#url").as_deref(), Ok("first"));
    let fresh = |vault: &Vault| read(&vault.keeper(), "secret/shop#url").unwrap_err();
    for (trouble, says) in [
        ("sealed", "is sealed; an operator has to unseal it"),
        ("killed", "does not respond"),
        ("slow", "does not respond: no complete response within 5 s"),
    ] {
        match trouble {
            "sealed" => vault.seal(),
            "killed" => vault.kill(),
            _ => vault.signal("STOP"),
        }
        let event = wait_for(&mut events, |event| matches!(event, Event::Failed(..)));
        let Event::Failed(source, why) = event else { panic!("another event") };
        assert_eq!(source.to_string(), "vault:secret/shop");
        assert!(why.contains(says), "{trouble}: {why}");
        assert_eq!(read(&keeper, "secret/shop#url").as_deref(), Ok("first"));
        // One that starts now has nothing to go on with.
        let why = fresh(&vault);
        assert!(why.contains(says), "{trouble}: {why}");
        match trouble {
            "sealed" => vault.unseal(),
            "killed" => {
                vault.run();
                vault.unseal();
            }
            _ => vault.signal("CONT"),
        }
        let next = until("an event", || events.try_recv().ok());
        assert!(matches!(next, Event::Recovered(_)), "{next:?}: it was said more than once");
    }
    vault.put("shop", json!({"url": "second"}));
    wait_for(&mut events, |event| matches!(event, Event::Changed(_)));
    assert_eq!(read(&keeper, "secret/shop#url").as_deref(), Ok("second"));
}

#[test]
#[ignore = "needs Vault: cargo xtask vault"]
fn an_authority_of_its_own_is_trusted_alone() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = write(folder.path(), "cert.pem", &made.cert.pem());
    let key = write(folder.path(), "key.pem", &made.signing_key.serialize_pem());
    let vault = Vault::start_with(Some((certificate.clone(), key.clone())));
    vault.put("shop", json!({"url": "s3cret"}));
    let with = |authority: &str| {
        let login = Some(token(&vault.root));
        let vault = VaultSettings {
            address: vault.address(),
            login,
            authority: authority.to_owned(),
            ..VaultSettings::default()
        };
        read(&Keeper::start(settings(vault)).unwrap(), "secret/shop#url")
    };
    assert_eq!(with(certificate.to_str().unwrap()).as_deref(), Ok("s3cret"));
    let why = with("").unwrap_err();
    assert!(why.contains("invalid peer certificate"), "{why}");
    let why = with(key.to_str().unwrap()).unwrap_err();
    assert!(why.contains("are not certificates in PEM"), "{why}");
}
