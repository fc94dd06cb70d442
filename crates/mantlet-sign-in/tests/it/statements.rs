//! The database does as much for an address that has an account as for one that has none.
//!
//! Statements are counted as sqlx tells of them. For SQLite it does so on threads of its own, so PostgreSQL is counted.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::json;
use tracing::{
    Event, Metadata, Subscriber,
    span::{Attributes, Id, Record},
};

use crate::{
    home::{Home, OTHER, PASSWORD, mails, now, person},
    kit::{Client, with_ada},
};

/// Counts statements.
#[derive(Clone, Default)]
struct Counter(Arc<AtomicUsize>);

impl Counter {
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn known_and_unknown_addresses_cost_the_same_statements() {
    let counter = Counter::default();
    let _guard = tracing::subscriber::set_default(counter.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let home = Home::postgres();
        let site = with_ada(&home).await;
        person(site.accounts(), "eve@example.com").await;
        let off = person(site.accounts(), "off@example.com").await;
        site.accounts().disable(now(), &off).await.unwrap();
        let mut ada = Client::browser(&site).await;
        let mut counts = Vec::new();
        for path in ["login", "register", "reset-request", "email"] {
            let is_own = path == "email";
            let mut first = None;
            for address in ["eve@example.com", "off@example.com", "none@example.com", "ada@example.com"] {
                let password = if path == "login" { OTHER } else { PASSWORD };
                let body = match path {
                    "reset-request" => json!({ "email": address }),
                    _ => json!({"email": address, "password": password}),
                };
                let mut stranger = Client::new(&site);
                let client = if is_own { &mut ada } else { &mut stranger };
                counter.take();
                let seen = client.post(&format!("/auth/api/{path}"), &body).await;
                let count = counter.take();
                assert!(seen.status < 500 && count > 0, "{path} {address}: {count} {seen:?}");
                assert_eq!(*first.get_or_insert(count), count, "{path} {address}");
                // What a registration has made is unknown again.
                let made =
                    site.accounts().find(&mantlet_accounts::Address::read(address).unwrap()).await.unwrap();
                if let Some(made) = made.filter(|_| address == "none@example.com") {
                    assert!(site.accounts().delete(now(), &made.id).await.unwrap());
                }
                mails(site.accounts(), now()).await;
            }
            counts.push((path, first.unwrap()));
        }
        println!("{counts:?}");
    });
}
