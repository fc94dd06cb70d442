//! Members cut out of a body; the bytes between are those that came.

use std::ops::Range;

/// The body without these members: each is the bytes of a member, in order, none inside another. A comma goes with each.
pub fn cut(body: &[u8], members: &[Range<usize>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut from = 0;
    for member in members {
        out.extend_from_slice(body.get(from..member.start).unwrap_or_default());
        from = member.end;
        let rest = body.get(from..).unwrap_or_default();
        let blank = rest.iter().take_while(|byte| is_blank(**byte)).count();
        if rest.get(blank) == Some(&b',') {
            // The blanks before the next member go too.
            let after = rest.get(blank + 1..).unwrap_or_default();
            from += blank + 1 + after.iter().take_while(|byte| is_blank(**byte)).count();
        } else {
            // The last one: the comma in front goes, if what it followed is still there.
            let kept = out.len() - out.iter().rev().take_while(|byte| is_blank(**byte)).count();
            if kept.checked_sub(1).and_then(|at| out.get(at)) == Some(&b',') {
                out.truncate(kept - 1);
            }
        }
    }
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    out
}

/// The key of a member, given its bytes.
pub fn key(member: &[u8]) -> Option<String> {
    serde_json::Deserializer::from_slice(member).into_iter::<String>().next()?.ok()
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Kind, Limits, parse};

    #[test]
    fn commas_go_with_members() {
        for (body, keys, expected) in [
            (r#"{"a": 1, "b": 2 , "c": 3}"#, "a", r#"{"b": 2 , "c": 3}"#),
            (r#"{"a": 1, "b": 2 , "c": 3}"#, "b", r#"{"a": 1, "c": 3}"#),
            (r#"{"a": 1, "b": 2 , "c": 3 }"#, "c", r#"{"a": 1, "b": 2  }"#),
            (r#"{"a": 1, "b": 2 , "c": 3}"#, "bc", r#"{"a": 1}"#),
            (r#"{"a": 1, "b": 2 , "c": 3}"#, "abc", "{}"),
            (r#"{"a":1}"#, "a", "{}"),
            (r#"{"a":"x,","b":[1,2],"c":{}}"#, "ac", r#"{"b":[1,2]}"#),
        ] {
            let json = parse(body.as_bytes(), Limits::default()).unwrap();
            let Kind::Object(members) = json.root().kind() else { panic!() };
            let spans: Vec<_> = members
                .filter(|member| keys.contains(member.key.unwrap()))
                .map(|member| member.span())
                .collect();
            assert_eq!(String::from_utf8(cut(body.as_bytes(), &spans)).unwrap(), expected);
        }
    }
}
