use super::*;

fn fault(kind: &'static str, loc: &[&str]) -> Fault {
    Fault {
        kind: kind.into(),
        loc: loc.iter().copied().map(Loc::from).collect(),
        msg: "said".into(),
        ctx: serde_json::Map::new(),
    }
}

const MISSING: &str =
    r#"{"detail":[{"type":"missing","loc":["body","amount"],"msg":"Field required","input":{}}]}"#;
const TWO: &str = r#"{"detail":[{"type":"missing","loc":["body","amount"],"msg":""},{"type":"int_parsing","loc":["body","x",0],"msg":""}]}"#;

#[test]
fn an_answer_means_what_it_proves() {
    let invalid =
        |in_part| Judged::Invalid { faults: [fault("missing", &["body", "amount"])].into(), in_part };
    let refusal = r#"{"detail":"Not authenticated"}"#;
    for (judged, status, body, own_words, expected) in [
        (Judged::Unasked, 422, MISSING, false, Meaning::Nothing),
        (Judged::Valid, 200, "{}", false, Meaning::Valid),
        (Judged::Valid, 422, MISSING, false, Meaning::Missed),
        // A handler's own 422 does not judge the input.
        (Judged::Valid, 422, refusal, false, Meaning::Nothing),
        (Judged::Valid, 401, refusal, false, Meaning::Nothing),
        (Judged::Valid, 500, "", false, Meaning::Nothing),
        (invalid(false), 422, MISSING, false, Meaning::Invalid),
        (invalid(false), 422, TWO, false, Meaning::Different),
        (invalid(true), 422, TWO, false, Meaning::Invalid),
        (invalid(false), 422, refusal, false, Meaning::Nothing),
        (invalid(false), 422, refusal, true, Meaning::Invalid),
        (invalid(false), 400, refusal, true, Meaning::Invalid),
        (invalid(false), 400, refusal, false, Meaning::Contradicted),
        (invalid(false), 401, refusal, true, Meaning::RefusedFirst),
        (invalid(false), 403, refusal, false, Meaning::RefusedFirst),
        (invalid(false), 404, refusal, false, Meaning::RefusedFirst),
        (invalid(false), 429, refusal, false, Meaning::RefusedFirst),
        (invalid(false), 200, "{}", false, Meaning::Contradicted),
        (invalid(false), 303, "", false, Meaning::Contradicted),
        (invalid(false), 503, "", false, Meaning::Nothing),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let facts = Facts { own_words, may_refuse: false };
        let means = judged.meaning(status, Some(body.as_bytes()), facts);
        assert_eq!(means, expected, "{judged:?} {status} {body} {own_words}");
    }
    // A redirect to HTTPS, an unknown host, a body that is too large.
    let guarded = Facts { may_refuse: true, ..Facts::default() };
    for status in [307, 400, 413] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(invalid(false).meaning(status, None, guarded), Meaning::RefusedFirst, "{status}");
    }
    assert_eq!(invalid(false).meaning(StatusCode::CREATED, None, guarded), Meaning::Contradicted);
}

#[test]
fn it_is_offered_to_enforce_what_was_agreed_often_and_nothing_else() {
    let agreed = Seen {
        methods: vec!["POST".into()],
        path: "/items/{item_id}".into(),
        unproven: true,
        valid: 19,
        invalid: 1,
        ..Seen::default()
    };
    assert!(agreed.is_offered());
    let lines = agreed.lines();
    let expected =
        "[[route]]\npath = \"/items/{item_id}\"\nmethods = [\"POST\"]\ncontract.unproven-input = \"enforce\"";
    assert_eq!(lines, expected);
    for other in [
        Seen { valid: 18, ..agreed.clone() },
        Seen { valid: 100, invalid: 0, ..agreed.clone() },
        Seen { different: 1, ..agreed.clone() },
        Seen { contradicted: 1, ..agreed.clone() },
        Seen { refused_first: 1, ..agreed.clone() },
        Seen { unproven: false, ..agreed.clone() },
    ] {
        assert!(!other.is_offered(), "{other:?}");
    }
    // What the gate does not see is the app's to refuse, as before.
    assert!(Seen { missed: 3, ..agreed }.is_offered());
}
