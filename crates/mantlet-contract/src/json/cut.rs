//! Members cut out of JSON, the bytes between them untouched.

use std::ops::Range;

/// What to cut so that these members, in order and apart, are gone with a comma each.
pub fn cuts(text: &[u8], members: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut cuts: Vec<Range<usize>> = Vec::with_capacity(members.len());
    for member in members {
        let after = text.get(member.end..).unwrap_or_default();
        let blank = after.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if after.get(blank) == Some(&b',') {
            cuts.push(member.start..member.end + blank + 1);
            continue;
        }
        // The last of its object: the comma before it goes, and what has been cut between them is one cut with it.
        let mut start = member.start;
        loop {
            let before = text.get(..start).unwrap_or_default();
            let trimmed = before.trim_ascii_end().len();
            match cuts.last() {
                Some(cut) if cut.end >= trimmed.max(cut.start + 1) && cut.end <= start => {
                    start = cut.start;
                    cuts.pop();
                }
                _ => {
                    if before.get(..trimmed).is_some_and(|before| before.ends_with(b",")) {
                        start = trimmed - 1;
                    }
                    break;
                }
            }
        }
        cuts.push(start..member.end);
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts every member whose key begins with `x`; they are found by their texts.
    fn without_x(text: &str) -> String {
        let mut members = Vec::new();
        let mut from = 0;
        while let Some(at) = text[from..].find("\"x") {
            let start = from + at;
            let colon = start + text[start..].find(':').unwrap();
            let value = &text[colon + 1..];
            let depth = |end: &usize| {
                let open = |c: char| value[..*end].matches(c).count();
                open('{') == open('}') && open('[') == open(']')
            };
            let end = value
                .char_indices()
                .filter(|(_, c)| matches!(c, ',' | '}' | ']' | ' '))
                .map(|(index, _)| index)
                .find(|end| !value[..*end].trim().is_empty() && depth(end))
                .unwrap();
            members.push(start..colon + 1 + end);
            from = colon + 1 + end;
        }
        let mut kept = String::new();
        let mut from = 0;
        for cut in cuts(text.as_bytes(), &members) {
            kept += &text[from..cut.start];
            from = cut.end;
        }
        kept + &text[from..]
    }

    #[test]
    fn a_comma_goes_with_each_member() {
        for (text, expected) in [
            (r#"{"x":1}"#, "{}"),
            (r#"{"a":1}"#, r#"{"a":1}"#),
            (r#"{"x":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":1,"x":2}"#, r#"{"a":1}"#),
            (r#"{"a":1,"x":2,"b":3}"#, r#"{"a":1,"b":3}"#),
            (r#"{"a":1,"x":2,"x2":3}"#, r#"{"a":1}"#),
            (r#"{"x":1,"x2":2,"x3":3}"#, "{}"),
            (r#"{"a":1 , "x":2 , "x2":3 }"#, r#"{"a":1  }"#),
            (r#"{"x":{"a":[1,2]},"a":1}"#, r#"{"a":1}"#),
            (r#"[{"a":1,"x":2},{"x":3},{"x":4,"b":5}]"#, r#"[{"a":1},{},{"b":5}]"#),
            (r#"{"a":{"b":1,"x":2},"x2":3}"#, r#"{"a":{"b":1}}"#),
        ] {
            let cut = without_x(text);
            assert_eq!(cut, expected, "{text}");
            serde_json::from_str::<serde_json::Value>(&cut).unwrap();
        }
    }
}
