//! Passwords that are guessed, and the account's owner.

use std::{thread, time::Duration};

use super::Shop;
use crate::{
    kit::{Answer, Client},
    throttle::from,
};

/// What a login may fail in a quarter of an hour, for strangers to the account together.
const RULE: usize = 10;

fn log_in(client: &mut Client, password: &str) -> Answer {
    let form = format!("username=bob&password={password}");
    let head = "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded";
    client.ask(format!("{head}\r\nContent-Length: {}\r\n\r\n{form}", form.len()))
}

/// How many logins the app has answered with this status, by its own log.
fn answered(shop: &Shop, status: u16) -> usize {
    shop.mark();
    shop.process.stdout().matches(&format!("\"POST /token HTTP/1.1\" {status} ")).count()
}

/// Five from each address. The app's log says what reached it.
#[test]
fn a_thousand_guesses_from_200_addresses_are_ten_at_the_app_and_the_owner_gets_in() {
    // Bob logs in when the shop opens, from 127.0.0.1. Refusals that come late would only take longer.
    let shop = Shop::open("[throttle]\ntarpit = \"0s\"\n");
    assert_eq!(answered(&shop, 200), 1);
    let from = |address: &str| from(address, shop.addr);
    let mut statuses = Vec::new();
    for number in 1..=200 {
        let mut client = from(&format!("127.0.1.{number}"));
        statuses.extend((0..5).map(|guess| log_in(&mut client, &format!("guess-{number}-{guess}")).status));
    }
    assert_eq!(statuses.len(), 1_000);
    assert!(statuses.iter().all(|status| matches!(status, 400 | 429)), "{statuses:?}");
    let tried = statuses.iter().filter(|status| **status == 400).count();
    println!("{tried} of {} guesses reached the app", statuses.len());
    assert!((1..=RULE).contains(&tried), "{tried} guesses reached the app");
    assert_eq!(answered(&shop, 400), tried, "what was refused is not in the app's log");

    // Where he has logged in before, nobody who guesses elsewhere keeps him out.
    assert_eq!(log_in(&mut from("127.0.0.1"), "bob-password").status, 200);
    // From a new address he waits as a stranger does, for as long as he is told.
    let answer = log_in(&mut from("127.0.3.1"), "bob-password");
    if answer.status == 429 {
        let wait = answer.header("retry-after").and_then(|text| text.parse().ok()).expect("seconds");
        println!("the owner waits {wait} s at a new address");
        thread::sleep(Duration::from_secs(wait));
        assert_eq!(log_in(&mut from("127.0.3.1"), "bob-password").status, 200);
    }
    // Then he is known there, too, whatever strangers do.
    for guess in 0..50 {
        log_in(&mut from(&format!("127.0.1.{}", guess + 1)), "wrong");
    }
    assert_eq!(log_in(&mut from("127.0.3.1"), "bob-password").status, 200);
}
