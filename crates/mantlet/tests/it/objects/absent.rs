//! Row 64 of the matrix: an object of another user is not told from one that does not exist.

use super::{Caller, Clients, Subject, shop, table::Request, workspace};
use crate::kit::{Answer, Client};

/// What differs between any two answers.
const NEVER_ALIKE: [&str; 2] = ["date", "x-request-id"];

/// All that a client can compare: names of headers as they come, in their order.
fn shown(answer: Answer) -> (u16, Vec<(String, String)>, String) {
    let mut headers = answer.headers;
    headers.retain(|(name, _)| !NEVER_ALIKE.contains(&&**name));
    (answer.status, headers, answer.body.escape_ascii().to_string())
}

/// Asks for objects of the owner and for absent ones in turns, on one connection. Says what differs.
fn differences(
    caller: &Caller<'_>,
    request: &Request,
    name: &str,
    foreign: &str,
    absent: fn() -> String,
) -> Vec<String> {
    let mut client = Client::connect(caller.address);
    let mut ask = |id: &str| shown(caller.ask_on(&mut client, &request.filled(name, id)));
    // With the first request, nothing of this operation was seen yet.
    let (first, second) = (ask(foreign), ask(foreign));
    let none = ask(&absent());
    let later = [("a second", second), ("another none", ask(&absent())), ("a third", ask(foreign))];
    let all = [("a first", first)].into_iter().chain(later);
    let different = all.filter(|(_, answer)| *answer != none || answer.0 != 404);
    let what = format!("{} {}", request.method, request.target);
    different.map(|(which, answer)| format!("{what}: {which}: {answer:?} and none: {none:?}")).collect()
}

fn row_64(subject: &Subject, requests: &[(&str, Request)]) {
    let (_home, gateway) = subject.gated(&subject.accepted());
    let clients: Clients = subject.clients(gateway.addr());
    let mut told = Vec::new();
    for (name, request) in requests {
        let object = (subject.make)(&clients, name);
        // Its owner has never asked, and then she has.
        told.extend(differences(&clients.named("bob"), request, name, &object.id, subject.absent));
        let before = clients.owner().get(&object.seen_at);
        assert_eq!(before.0, 200, "{}", object.seen_at);
        told.extend(differences(&clients.named("cora"), request, name, &object.id, subject.absent));
        assert_eq!(clients.owner().get(&object.seen_at), before, "{} is not changed", object.seen_at);
    }
    assert!(told.is_empty(), "{} answers differ:\n{}", told.len(), told.join("\n"));
}

#[test]
fn row_64_an_object_of_another_user_is_not_told_from_none() {
    let new = r#"{"title": "New", "body": "all of it"}"#;
    let of = |method: &str| ("note", Request::new(method, "/notes/{note}"));
    let with_body = |method: &str| ("note", Request::new(method, "/notes/{note}").json(new));
    let invoice = ("invoice", Request::get("/invoices/{invoice}"));
    let requests = [of("GET"), of("HEAD"), with_body("PUT"), with_body("PATCH"), of("DELETE"), invoice];
    row_64(&workspace::WORKSPACE, &requests);
}

#[test]
fn row_64_an_order_of_another_customer_is_not_told_from_none() {
    row_64(&shop::SHOP, &[("order", Request::get("/orders/{order}"))]);
}
