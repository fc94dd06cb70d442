use serde_json::{Value, json};

use super::*;

const MOST: u32 = 50_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn with_key(byte: u8) -> ProofOfWork {
    let key = Secret::new(vec![byte; SHORTEST_KEY]);
    ProofOfWork::new(key, MOST, Duration::from_mins(5)).unwrap()
}

/// What ALTCHA's widget does.
fn solve(challenge: &Puzzle) -> Value {
    let number = (0..=challenge.maxnumber)
        .find(|number| hash(&challenge.salt, *number) == challenge.challenge)
        .expect("each puzzle has a solution");
    let Puzzle { algorithm, challenge, salt, signature, .. } = challenge;
    json!({ "algorithm": algorithm, "challenge": challenge, "number": number, "salt": salt,
        "signature": signature, "took": 12 })
}

fn encoded(answer: &Value) -> String {
    STANDARD.encode(answer.to_string())
}

fn changed(answer: &Value, field: &str, value: impl Into<Value>) -> String {
    let mut answer = answer.clone();
    answer[field] = value.into();
    encoded(&answer)
}

#[test]
fn an_answer_is_good_for_its_flow_and_its_time_at_all_gates_with_the_key() {
    let [one, other, foreign] = [7, 7, 8].map(with_key);
    let challenge = one.puzzle("login", at(0)).unwrap();
    let answer = encoded(&solve(&challenge));
    let solved = other.verify("login", &answer, at(299)).unwrap();
    assert_eq!(solved.expires, at(300));
    assert_eq!(other.verify("login", &answer, at(300)), Err(Fault::Expired));
    assert_eq!(other.verify("reset", &answer, at(0)), Err(Fault::OtherFlow));
    assert_eq!(foreign.verify("login", &answer, at(0)), Err(Fault::Forged));

    let next = one.puzzle("login", at(0)).unwrap();
    let next = one.verify("login", &encoded(&solve(&next)), at(0)).unwrap();
    assert_ne!(next.id, solved.id);
}

#[test]
fn nothing_of_an_answer_can_be_changed() {
    let work = with_key(7);
    let challenge = work.puzzle_of("login", at(0), &[7; 12], 4321).unwrap();
    let answer = solve(&challenge);
    let judged = |text: &str| work.verify("login", text, at(0));
    assert!(judged(&encoded(&answer)).is_ok());

    let salt = challenge.salt.as_str();
    for (text, fault) in [
        (changed(&answer, "number", 4320), Fault::Unsolved),
        (changed(&answer, "salt", salt.replace("1800000300", "1900000000")), Fault::Unsolved),
        (changed(&answer, "salt", salt.replace("login", "reset")), Fault::Unsolved),
        // The same text is hashed, divided at another place.
        (changed(&answer, "salt", format!("{salt}4")), Fault::Unsolved),
        (changed(&answer, "challenge", hash(salt, 1)), Fault::Forged),
        (changed(&answer, "signature", ""), Fault::Forged),
        (changed(&answer, "algorithm", "SHA-1"), Fault::Malformed),
        (changed(&answer, "number", "4321"), Fault::Malformed),
        (changed(&answer, "number", -1), Fault::Malformed),
        (changed(&answer, "more", true), Fault::Malformed),
        (answer.to_string(), Fault::Malformed),
        (String::new(), Fault::Malformed),
        (STANDARD.encode(vec![b' '; LONGEST_ANSWER]), Fault::Malformed),
    ] {
        assert_eq!(judged(&text), Err(fault), "{text}");
    }
    let mut spliced = answer;
    spliced["salt"] = format!("{salt}4").into();
    assert_eq!(judged(&changed(&spliced, "number", 321)), Err(Fault::Unsolved));
}

/// Key, salt and number as below, given to `create_challenge`, `solve_challenge` and
/// `verify_solution` of the Python library `altcha` 2.3.0 (`altcha.v1`).
#[test]
fn puzzles_and_answers_are_those_of_altcha() {
    let work = with_key(7);
    let ours = work.puzzle_of("login", at(0), &[7; 12], 4321).unwrap();
    let theirs = json!({
        "algorithm": "SHA-256",
        "challenge": "07da9ed2e6da97908cb5e41c10901dd2c21505ffb09db3e4128fffa8ca84ed4d",
        "maxnumber": 50_000,
        "salt": "070707070707070707070707?expires=1800000300&flow=login&",
        "signature": "af952217443257da372b3db41c2d1d0fa5a7979486f55f66d7a0a8b1304275c9",
    });
    assert_eq!(serde_json::to_value(&ours).unwrap(), theirs);
    let answer = concat!(
        "eyJhbGdvcml0aG0iOiAiU0hBLTI1NiIsICJjaGFsbGVuZ2UiOiAiMDdkYTllZDJlNmRhOTc5MDhjYjVlNDFjMTA5MDFk",
        "ZDJjMjE1MDVmZmIwOWRiM2U0MTI4ZmZmYThjYTg0ZWQ0ZCIsICJudW1iZXIiOiA0MzIxLCAic2FsdCI6ICIwNzA3MDcw",
        "NzA3MDcwNzA3MDcwNzA3MDc/ZXhwaXJlcz0xODAwMDAwMzAwJmZsb3c9bG9naW4mIiwgInNpZ25hdHVyZSI6ICJhZjk1",
        "MjIxNzQ0MzI1N2RhMzcyYjNkYjQxYzJkMWQwZmE1YTc5Nzk0ODZmNTVmNjZkN2EwYThiMTMwNDI3NWM5In0="
    );
    assert_eq!(work.verify("login", answer, at(0)).map(|solved| solved.expires), Ok(at(300)));
}

#[test]
fn a_short_key_and_a_flow_that_could_change_the_salt_are_refused() {
    let short = Secret::new(vec![7; SHORTEST_KEY - 1]);
    assert!(ProofOfWork::new(short, MOST, Duration::from_mins(5)).is_none());
    for flow in ["", "login&expires=1900000000", "a b", "?", "é"] {
        assert_eq!(with_key(7).puzzle(flow, at(0)), None, "{flow}");
    }
}

#[test]
fn numbers_are_drawn_up_to_the_most() {
    let key = || Secret::new(vec![7; SHORTEST_KEY]);
    let drawn = |most| {
        let work = ProofOfWork::new(key(), most, Duration::from_mins(5)).unwrap();
        solve(&work.puzzle("login", at(0)).unwrap())["number"].as_u64().unwrap()
    };
    assert_eq!(drawn(0), 0);
    let seen: std::collections::BTreeSet<_> = (0..200).map(|_| drawn(3)).collect();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
}
