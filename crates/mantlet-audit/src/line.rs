//! A line: a number, the link to the line before it, and a record.
//!
//! Both stand at the beginning, exactly as written here, so that they are read without reading the rest,
//! and so that no second `seq` further on can mean anything.

use crate::{base64, tree::sha256};

/// Bytes of a hash in a link.
const LINK: usize = 16;
const SEQ: &[u8] = b"{\"seq\":";
const PREV: &[u8] = b",\"prev\":\"";

/// The beginning of the hash of a line, in base64 for URLs. That of no line is empty.
pub type Link = String;

/// The link to a line, which is without its line end.
pub fn link_of(line: &[u8]) -> Link {
    let hash = sha256(line);
    base64::encode(hash.get(..LINK).unwrap_or(&hash))
}

/// A line without its end, from a record: an object of JSON.
pub(crate) fn write(seq: u64, prev: &str, record: &[u8]) -> Vec<u8> {
    let fields = record.strip_prefix(b"{").unwrap_or(record);
    let comma: &[u8] = if fields == b"}" { b"" } else { b"," };
    let mut line = Vec::with_capacity(fields.len() + 64);
    line.extend_from_slice(SEQ);
    line.extend_from_slice(seq.to_string().as_bytes());
    line.extend_from_slice(PREV);
    line.extend_from_slice(prev.as_bytes());
    line.push(b'"');
    line.extend_from_slice(comma);
    line.extend_from_slice(fields);
    line
}

/// The number and the link of a line; none if it does not begin with them.
pub fn read_seq(line: &[u8]) -> Option<(u64, &str)> {
    let rest = line.strip_prefix(SEQ)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = rest.split_at_checked(digits)?;
    let number = std::str::from_utf8(number).ok()?;
    if number.len() > 1 && number.starts_with('0') {
        return None;
    }
    let rest = rest.strip_prefix(PREV)?;
    let (prev, end) = rest.split_at_checked(memchr::memchr(b'"', rest)?)?;
    let goes_on = matches!(end.get(1), Some(b',' | b'}')) && line.ends_with(b"}");
    goes_on.then_some((number.parse().ok()?, std::str::from_utf8(prev).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_its_number_and_its_link() {
        let line = write(17, "abc", br#"{"reason":"x"}"#);
        assert_eq!(line, br#"{"seq":17,"prev":"abc","reason":"x"}"#);
        assert_eq!(read_seq(&line), Some((17, "abc")));
        assert_eq!(read_seq(&write(0, "", b"{}")), Some((0, "")));
        for other in [
            r#"{"prev":"abc","seq":17}"#,
            r#"{"seq":17 ,"prev":"abc"}"#,
            r#"{"seq":017,"prev":"abc"}"#,
            r#"{"seq":,"prev":"abc"}"#,
            r#"{"seq":-1,"prev":"abc"}"#,
            r#"{"seq":17,"prev":"abc"}x"#,
            r#"{"seq":17,"prev":"abc"x}"#,
            r#"{"seq":99999999999999999999,"prev":"abc"}"#,
            r#"{"seq":17,"prev":"abc"#,
            "",
        ] {
            assert_eq!(read_seq(other.as_bytes()), None, "{other}");
        }
        assert_eq!(link_of(b"").len(), 22);
    }
}
