//! Rows 46 to 49, 54: JSON that is made to be read in two ways, or to cost much.

use std::{fs, path::Path};

use serde_json::json;

use super::{COMPATIBLE, STRICT, Shop, faults};

const SIGN_UP: &str = r#"{"username": "carol", "email": "carol@shop.example", "password": "long enough"}"#;
const ORDER: &str = r#"{"product_id": 1, "quantity": 2, "address": "1 Moat Lane"}"#;

fn order(find: &str, replace: &str) -> Vec<u8> {
    assert!(ORDER.contains(find));
    ORDER.replace(find, replace).into_bytes()
}

/// In strict posture Mantlet answers 400. In compatible posture FastAPI and Mantlet read the same, and it is recorded.
#[test]
fn rows_46_48_49_json_with_more_than_one_reading() {
    let surrogate = order("1 Moat Lane", r"\ud800");
    let mut byte_order_mark = b"\xef\xbb\xbf".to_vec();
    byte_order_mark.extend(ORDER.as_bytes());
    let odd = [
        (46, order(r#""quantity": 2"#, r#""quantity": 1000, "quantity": 2"#)),
        (46, order(r#""quantity": 2"#, r#""quantity": 2, "quan\u0074ity": 2"#)),
        (49, surrogate),
        (49, byte_order_mark),
    ];
    let strict = Shop::open(STRICT);
    strict.unreached(|| {
        for (row, body) in &odd {
            let answer = strict.post("/orders", body);
            assert_eq!(answer.status, 400, "row {row}: {answer:?}");
            strict.refused(&answer, 400, "json-ambiguous");
        }
    });
    let compatible = Shop::open(COMPATIBLE);
    for (row, body) in &odd {
        let answer = compatible.post("/orders", body);
        // Half a surrogate pair is more than the app's database can take.
        assert!(matches!(answer.status, 201 | 422 | 500), "row {row}: {answer:?}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("json-ambiguous"), "row {row}");
    }
    let mut records = compatible.told();
    // That half a surrogate pair breaks the app is told apart.
    records.retain(|record| record["reason"] != "app-error-hidden");
    assert_eq!(records.len(), 1, "once for a route: {records:#?}");
    assert_eq!((&records[0]["reason"], &records[0]["action"]), (&json!("json-ambiguous"), &json!("pass")));
}

/// In both postures: what the app would refuse, in its words, without the app.
#[test]
fn rows_47_to_49_json_that_nobody_can_read() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let faulty: [(u32, Vec<u8>, &str); 6] = [
        (48, order("2,", "NaN,"), "finite_number"),
        (48, order("2,", "1e999,"), "finite_number"),
        (48, order("2,", "-Infinity,"), "finite_number"),
        (48, order("2,", "1e2000000000,"), "finite_number"),
        (49, order("1 Moat Lane", "\u{1}"), "json_invalid"),
        (49, br#"{"product_id": 1"#.to_vec(), "json_invalid"),
    ];
    for config in [COMPATIBLE, STRICT] {
        let shop = Shop::open(config);
        shop.unreached(|| {
            for (row, body, kind) in &faulty {
                let answer = shop.post("/orders", body);
                shop.refused(&answer, 422, "input-invalid");
                assert_eq!(answer.json()["detail"][0]["type"], *kind, "row {row}: {answer:?}");
            }
            shop.refused(&shop.post("/orders", &deep), 400, "json-too-deep");
        });
        // A million digits: no Python makes a number of them, so FastAPI's answer is 400, not 422; and so it is with Mantlet before it.
        let answer = shop.post("/orders", order("2,", &format!("{},", "9".repeat(1_000_000))));
        assert!(matches!(answer.status, 400 | 422), "row 48: {answer:?}");
        // Bytes that are no UTF-8: FastAPI's 400.
        let mut body = order("1 Moat Lane", "x");
        body[ORDER.len() - 12] = 0xff;
        let answer = shop.post("/orders", body);
        assert!(matches!(answer.status, 400 | 422), "row 49: {answer:?}");
        assert_eq!(shop.post("/orders", ORDER).status, 201);
    }
}

/// Keys that are the same to Java's hash, and to every hash that adds up what two letters make.
fn colliding(count: usize) -> String {
    let key = |number: usize| -> String {
        (0..17).map(|bit| if number >> bit & 1 == 0 { "Aa" } else { "BB" }).collect()
    };
    let members: Vec<_> = (0..count).map(|number| format!("\"{}\":0", key(number))).collect();
    format!("{{{},{}", members.join(","), &SIGN_UP[1..])
}

/// What all threads of a process have spent, in nanoseconds.
fn cpu(pid: u32) -> u64 {
    let tasks = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task")).unwrap();
    let spent = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    spent.sum()
}

/// Four times the keys cost about four times as much; were each compared with all others, it would be sixteen.
#[test]
fn row_54_a_hundred_thousand_colliding_keys() {
    let shop = Shop::open(&format!("{STRICT}judged-size = \"8 MiB\"\n"));
    let costs = |count| {
        let body = colliding(count);
        let spent = (0..3).map(|_| {
            let before = cpu(shop.process.pid());
            let answer = shop.post("/users", &body);
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (422, "input-unknown"),
                "{:?}",
                answer.status
            );
            cpu(shop.process.pid()) - before
        });
        spent.min().unwrap()
    };
    let (some, many) = (costs(25_000), costs(100_000));
    println!("25,000 keys: {} µs of CPU; 100,000 keys: {} µs", some / 1000, many / 1000);
    assert!(many < 8 * some, "25,000 keys cost {some} ns, 100,000 cost {many} ns");
    let fault = json!([["extra_forbidden", ["body", "AaAaAaAaAaAaAaAaAaAaAaAaAaAaAaAaAa"]]]);
    let answer = shop.post("/users", colliding(1));
    assert_eq!(faults(&answer), fault);
}
