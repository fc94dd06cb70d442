//! Row 64 of the matrix: an object of another user is not told from one that does not exist.

use super::{Caller, Clients, Subject, shop, table::Request, workspace};
use crate::kit::{Answer, Client};

/// What differs between any two answers.
const NEVER_ALIKE: [&str; 2] = ["date", "x-request-id"];

/// All that a client can compare: names of headers as they come, in their order.
fn shown(answer: Answer) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let mut headers = answer.headers;
    headers.retain(|(name, _)| !NEVER_ALIKE.contains(&&**name));
    (answer.status, headers, answer.body)
}

/// Asks for objects of the owner and for absent ones in turns, on one connection.
fn is_not_told(caller: &Caller<'_>, request: &Request, name: &str, foreign: &str, absent: fn() -> String) {
    let mut client = Client::connect(caller.address);
    let mut ask = |id: &str| shown(caller.ask_on(&mut client, &request.filled(name, id)));
    // With the first request, nothing of this operation was seen yet.
    let of_others: [_; 2] = [ask(foreign), ask(foreign)];
    let missing = [ask(&absent()), ask(&absent())];
    let afterwards = ask(foreign);
    let what = format!("{} {}", request.method, request.target);
    assert_eq!(missing[0].0, 404, "{what}: {missing:?}");
    assert_eq!(missing[0], missing[1], "{what}: two that do not exist");
    for (when, answer) in [("first", &of_others[0]), ("again", &of_others[1]), ("afterwards", &afterwards)] {
        assert_eq!(*answer, missing[0], "{what}, {when}");
    }
}

fn row_64(subject: &Subject, rules: &str, requests: &[(&str, Request)]) {
    let (_home, gateway) = subject.gated(rules);
    let clients: Clients = subject.clients(gateway.addr());
    for (name, request) in requests {
        let object = (subject.make)(&clients, name);
        // Its owner has never asked, and then she has.
        is_not_told(&clients.named("bob"), request, name, &object.id, subject.absent);
        let before = clients.owner().get(&object.seen_at);
        assert_eq!(before.0, 200, "{}", object.seen_at);
        is_not_told(&clients.named("cora"), request, name, &object.id, subject.absent);
        assert_eq!(clients.owner().get(&object.seen_at), before, "{} is not changed", object.seen_at);
    }
}

#[test]
fn row_64_an_object_of_another_user_is_not_told_from_none() {
    let new = r#"{"title": "New", "body": "all of it"}"#;
    let of = |method: &str| ("note", Request::new(method, "/notes/{note}"));
    let with_body = |method: &str| ("note", Request::new(method, "/notes/{note}").json(new));
    let invoice = ("invoice", Request::get("/invoices/{invoice}"));
    let requests = [of("GET"), of("HEAD"), with_body("PUT"), with_body("PATCH"), of("DELETE"), invoice];
    row_64(&workspace::WORKSPACE, workspace::RULES, &requests);
}

#[test]
fn row_64_an_order_of_another_customer_is_not_told_from_none() {
    row_64(&shop::SHOP, shop::RULES, &[("order", Request::get("/orders/{order}"))]);
}
