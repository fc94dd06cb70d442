//! A client that may name any address learns of none whether it has an account.

use mantlet_sign_in::SignIn;
use serde_json::{Value, json};

use crate::{
    home::{OTHER, PASSWORD, mails, now, on_both, person},
    kit::{Client, FORM, JSON, with_ada},
};

/// Addresses of all kinds: verified, not verified, disabled, with a second factor, and none.
async fn addresses(site: &SignIn) -> Vec<&'static str> {
    person(site.accounts(), "eve@example.com").await;
    let disabled = person(site.accounts(), "off@example.com").await;
    site.accounts().disable(now(), &disabled).await.unwrap();
    let unverified = json!({"email": "new@example.com", "password": PASSWORD});
    Client::new(site).post("/auth/api/register", &unverified).await;
    mails(site.accounts(), now()).await;
    vec!["eve@example.com", "off@example.com", "new@example.com", "none@example.com"]
}

/// Asks the same of each address: the answers have to be the same, byte for byte.
async fn check(
    site: &SignIn,
    client: &mut Client<'_>,
    path: &str,
    body: impl Fn(&str) -> (String, &'static str),
) {
    let mut first = None;
    for address in addresses(site).await {
        let (body, kind) = body(address);
        let seen = client.ask("POST", path, kind, body).await;
        assert!(seen.status < 500, "{path} {address}: {seen:?}");
        let told = (seen.status, format!("{:?}", seen.told()));
        // The audit log must not be a way to tell, either, where clients see what they have caused.
        let event =
            seen.event.as_ref().map(|event| (event.what, event.account.clone(), event.session.clone()));
        let this = (told, event);
        assert_eq!(first.get_or_insert_with(|| this.clone()), &this, "{path} {address}");
    }
}

fn of_json(body: &Value) -> (String, &'static str) {
    (body.to_string(), JSON)
}

#[test]
fn logins_with_a_wrong_password_are_answered_alike() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let mut client = Client::new(&site);
        let body = |address: &str| of_json(&json!({"email": address, "password": OTHER}));
        check(&site, &mut client, "/auth/api/login", body).await;
    });
}

#[test]
fn token_requests_with_a_wrong_password_are_answered_alike() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let mut client = Client::new(&site);
        let form = |address: &str| (format!("username={address}&password=wrong"), FORM);
        check(&site, &mut client, "/auth/token", form).await;
    });
}

#[test]
fn registrations_are_answered_alike() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let mut client = Client::new(&site);
        let body = |address: &str| of_json(&json!({"email": address, "password": PASSWORD}));
        check(&site, &mut client, "/auth/api/register", body).await;
        assert_eq!(mails(site.accounts(), now()).await.len(), 4, "each mailbox learns");
    });
}

#[test]
fn requests_for_a_reset_are_answered_alike() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let mut client = Client::new(&site);
        check(&site, &mut client, "/auth/api/reset-request", |address| of_json(&json!({"email": address})))
            .await;
        assert_eq!(mails(site.accounts(), now()).await.len(), 4, "each mailbox learns");
    });
}

#[test]
fn changes_to_an_address_are_answered_alike() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let mut ada = Client::browser(&site).await;
        let body = |address: &str| of_json(&json!({"email": address, "password": PASSWORD}));
        check(&site, &mut ada, "/auth/api/email", body).await;
        assert_eq!(mails(site.accounts(), now()).await.len(), 8, "each mailbox learns, and hers");
    });
}
