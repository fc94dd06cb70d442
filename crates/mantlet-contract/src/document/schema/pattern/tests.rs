use regex::Regex;

use super::translate;

#[test]
fn patterns_fit_what_they_fit_in_ecmascript() {
    for (pattern, fits, fits_not) in [
        ("^a+$", &["a", "aa"][..], &["", "b", "a\n"][..]),
        ("b", &["abc"], &["ac"]),
        (r"^\d{3}-[\d.]+$", &["123-4.5"], &["12-3"]),
        (r"^\w+@\w+\.[a-z]{2,}$", &["me@here.org"], &["me@here.o"]),
        (r"^[^\s]+$", &["a", "\u{a0}"], &["a b"]),
        (r"^\S+$", &["a", "\u{85}"], &["a b"]),
        (r"^\s$", &[" ", "\u{feff}"], &["a"]),
        (r"^[^\d]$", &["a", "\u{664}"], &["5"]),
        (r"^\D\W$", &["a-", "\u{664}\u{e9}"], &["5-", "aa"]),
        ("^(?:a|b)?(c)(?<name>d)$", &["acd", "cd"], &["c"]),
        ("^a.c$", &["abc", "a\rc"], &["ac"]),
        (r"^\u0041\x42\u{43}\/\-$", &["ABC/-"], &["abc/-"]),
        (r"^[a-z&&~~[<>\]\\^-]+$", &["a&~[<>]\\^-"], &["A"]),
        ("^<a>#$", &["<a>#"], &["a"]),
        ("^a{2,3}?b*?$", &["aab"], &["ab"]),
        (r"^[\b]\0$", &["\u{8}\0"], &["b0"]),
    ] {
        let translated = translate(pattern).unwrap();
        let regex = Regex::new(&translated).unwrap();
        for text in fits {
            assert!(regex.is_match(text), "{pattern} as {translated} fits {text:?}");
        }
        for text in fits_not {
            assert!(!regex.is_match(text), "{pattern} as {translated} does not fit {text:?}");
        }
    }
}

#[test]
fn what_reads_differently_is_left_to_the_app() {
    for pattern in [
        "(?=a)",
        "(?!a)",
        "(?<=a)",
        "(?<!a)",
        "(?i)a",
        "(?P<n>a)",
        r"(a)\1",
        r"(?<n>a)\k<n>",
        r"\bword",
        r"\Bx",
        r"\p{L}",
        r"\cA",
        r"\ud800",
        "[]",
        "[^]",
        "[z-a]",
        r"[\d-z]",
        r"[a-\d]",
        "a{",
        "a{2",
        "a{3,2}",
        "{2}",
        "*a",
        "a**",
        "(a",
        "a)",
        "[a",
        r"a\",
        r"\A",
        r"\Z",
        r"\01",
    ] {
        assert!(translate(pattern).is_err(), "{pattern}: {:?}", translate(pattern));
    }
}
