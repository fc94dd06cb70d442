use super::*;

fn refused(body: &str) -> (usize, &'static str) {
    match parse(body.as_bytes(), Limits { python: 11, ..Limits::default() }) {
        Err(ParseError::Decode(Decode { position, message })) => (position, message),
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn members_know_their_bytes() {
    let body = r#"{ "a" : 1, "b\u0041": [1, {"c": null}], "d":"x" }"#;
    let json = parse(body.as_bytes(), Limits::default()).unwrap();
    let Kind::Object(members) = json.root().kind() else { panic!() };
    let found: Vec<_> = members.map(|member| (member.key.unwrap(), &body[member.span()])).collect();
    assert_eq!(found, [("a", r#""a" : 1"#), ("bA", r#""b\u0041": [1, {"c": null}]"#), ("d", r#""d":"x""#)]);
}

#[test]
fn errors_are_pythons() {
    for (body, position, message) in [
        ("", 0, "Expecting value"),
        ("[", 1, "Expecting value"),
        ("[1,]", 3, "Expecting value"),
        ("{", 1, "Expecting property name enclosed in double quotes"),
        ("{\"ä\" 1}", 5, "Expecting ':' delimiter"),
        ("{\"a\":1,}", 7, "Expecting property name enclosed in double quotes"),
        ("01", 1, "Extra data"),
        ("1.", 1, "Extra data"),
        ("-", 0, "Expecting value"),
        ("\"abc", 0, "Unterminated string starting at"),
        ("\"a\\", 0, "Unterminated string starting at"),
        ("\"a\\x\"", 2, "Invalid \\escape"),
        ("\"\\u12g4\"", 2, "Invalid \\uXXXX escape"),
        ("\"\\u12\"", 2, "Invalid \\uXXXX escape"),
        ("\"a\nb\"", 2, "Invalid control character at"),
        ("[1 2]", 3, "Expecting ',' delimiter"),
        ("nul", 0, "Expecting value"),
    ] {
        assert_eq!(refused(body), (position, message), "{body}");
    }
}

#[test]
fn the_odd_is_accepted_and_reported() {
    let odd = |body: &[u8]| parse(body, Limits::default()).unwrap().odd().clone();
    assert!(odd(br#"{"a":1,"b":{"a":2}}"#).is_nothing());
    assert_eq!(odd(br#"{"a":1,"\u0061":2}"#).duplicate_key, Some(7..17));
    assert_eq!(odd(b"[NaN]").constant, Some(1..4));
    assert_eq!(odd(br#"["\ud800"]"#).surrogate, Some(1..9));
    assert!(odd(br#"["\ud83d\ude00"]"#).is_nothing());
    assert!(odd(b"\xEF\xBB\xBF1").byte_order_mark);
    assert!(odd("9".repeat(4301).as_bytes()).huge_integer.is_some());
    let many: Vec<String> = (0..10_000).map(|n| format!("\"k{n}\":1")).collect();
    assert!(odd(format!("{{{},\"k7\":1}}", many.join(",")).as_bytes()).duplicate_key.is_some());
}

#[test]
fn depth_is_bounded() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(parse(deep(128).as_bytes(), Limits::default()).is_ok());
    assert_eq!(parse(deep(129).as_bytes(), Limits::default()).unwrap_err(), ParseError::Depth(128));
    let endless = "[{\"a\":".repeat(1_000_000);
    assert_eq!(parse(endless.as_bytes(), Limits::default()).unwrap_err(), ParseError::Depth(128));
}
