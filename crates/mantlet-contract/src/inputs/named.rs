//! The text of a body's field: the account of a login, the recipient of a message.

use std::borrow::Cow;

use crate::json::{self, Kind, Limits, ParseError};
use crate::multipart;

use super::body::media_type;
use super::encoded;

/// The text of a body's field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// This text, or this number.
    Text(String),
    /// No text in any reading.
    Nothing,
    /// Perhaps something: an app may read it, or another version of its libraries reads something else.
    Unsure,
}

/// Looks for a member of a JSON object, or of one in it, or for a field of a form, as FastAPI would take it: of several the last. What is in an object
/// in JSON has a name with dots in a form.
pub fn named(content_type: &[u8], body: &[u8], keys: &[impl AsRef<str>]) -> Named {
    let name = || match keys {
        [name] => Cow::Borrowed(name.as_ref()),
        keys => Cow::Owned(keys.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(".")),
    };
    match media_type(content_type).as_slice() {
        b"application/x-www-form-urlencoded" => in_urlencoded(body, &name()),
        b"multipart/form-data" => multipart::last(content_type, body, &name()),
        _ => in_json(body, keys),
    }
}

/// A parameter of a query, as Starlette takes it: of several the last.
pub fn in_query(query: &[u8], name: &str) -> Option<String> {
    let found = encoded::query(query).into_iter().rfind(|(own, _)| own == name);
    found.map(|(_, value)| value.into_owned())
}

/// All values of a parameter of the query.
pub fn all_in_query(query: &[u8], name: &str) -> Vec<String> {
    let all = encoded::query(query).into_iter().filter(|(own, _)| own == name);
    all.map(|(_, value)| value.into_owned()).collect()
}

/// A cookie, as Starlette takes it: of several the last.
pub fn in_cookies<'h>(headers: impl Iterator<Item = &'h [u8]>, name: &str) -> Option<String> {
    let found = encoded::cookies(headers.map(encoded::latin1)).into_iter().rfind(|(own, _)| own == name);
    found.map(|(_, value)| value.into_owned())
}

fn in_urlencoded(body: &[u8], name: &str) -> Named {
    let last = |pairs: encoded::Pairs<'_>| {
        let found = pairs.into_iter().rfind(|(own, _)| own == name);
        found.map_or(Named::Nothing, |(_, value)| Named::Text(value.into_owned()))
    };
    let found = last(encoded::query(body));
    if !body.contains(&b';') {
        return found;
    }
    // Old versions of python-multipart separate by it too; clients escape it.
    let separated: Vec<u8> = body.iter().map(|byte| if *byte == b';' { b'&' } else { *byte }).collect();
    if last(encoded::query(&separated)) == found { found } else { Named::Unsure }
}

fn in_json(body: &[u8], keys: &[impl AsRef<str>]) -> Named {
    let json = match json::parse(body, Limits::default()) {
        Ok(json) => json,
        // Python refuses it too.
        Err(ParseError::Decode(_)) => return Named::Nothing,
        // Python reads UTF-16, and goes deeper.
        Err(ParseError::Encoding | ParseError::Depth(_) | ParseError::Size) => return Named::Unsure,
    };
    let mut value = json.root();
    for key in keys {
        let Kind::Object(members) = value.kind() else { return Named::Nothing };
        let Some(member) = members.filter(|member| member.key == Some(key.as_ref())).last() else {
            return Named::Nothing;
        };
        value = member.value;
    }
    match value.kind() {
        Kind::Text(text) | Kind::Int(text) | Kind::Float(text) => Named::Text(text.to_owned()),
        Kind::BrokenText | Kind::HugeInt => Named::Unsure,
        Kind::Null | Kind::Bool(_) | Kind::Constant(_) | Kind::Array(_) | Kind::Object(_) => Named::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Named {
        Named::Text(text.to_owned())
    }

    #[test]
    fn json_as_python_reads_it() {
        for (body, expected) in [
            (&br#"{"a": "x", "user": "alice"}"#[..], text("alice")),
            (br#"{"user": "bob", "us\u0065r": "alice"}"#, text("alice")),
            // What stands beside it may be odd: Python reads it.
            (br#"{"user": "alice", "x": "\ud800"}"#, text("alice")),
            (br#"{"user": "alice", "x": NaN, "y": 1e999}"#, text("alice")),
            (b"\xEF\xBB\xBF{\"user\": \"alice\"}", text("alice")),
            (br#"{"user": 7}"#, text("7")),
            (br#"{"user": null}"#, Named::Nothing),
            (br#"{"user": ["alice"]}"#, Named::Nothing),
            (br#"["user"]"#, Named::Nothing),
            (br#"{"user": "alice""#, Named::Nothing),
            (br#"{"user": "\ud800"}"#, Named::Unsure),
            (b"{\0\"\0u\0s\0e\0r\0\"\0:\0\"\0a\0\"\0}\0", Named::Unsure),
            (b"", Named::Nothing),
        ] {
            assert_eq!(named(b"application/json", body, &["user"]), expected, "{}", body.escape_ascii());
        }
        let deep = format!("{{\"user\": \"alice\", \"x\": {}{}}}", "[".repeat(200), "]".repeat(200));
        assert_eq!(named(b"application/json", deep.as_bytes(), &["user"]), Named::Unsure);
    }

    #[test]
    fn urlencoded_forms_as_every_version_reads_them() {
        for (body, expected) in [
            (&b"user=alice&a=1"[..], text("alice")),
            (b"user=bob&us%65r=a+b", text("a b")),
            (b"user=\xE9&a=1", text("\u{e9}")),
            (b"a=1", Named::Nothing),
            (b"user", text("")),
            (b"user=alice&password=a;b", text("alice")),
            (b"x=1;user=alice&a=1", Named::Unsure),
            (b"user=bob&x=1;user=alice", Named::Unsure),
        ] {
            let content_type = b"Application/X-WWW-Form-URLEncoded; charset=utf-8";
            assert_eq!(named(content_type, body, &["user"]), expected, "{}", body.escape_ascii());
        }
    }

    #[test]
    fn multipart_forms_as_starlette_reads_them() {
        let part =
            |head: &str, content: &str| format!("--b\r\nContent-Disposition: {head}\r\n\r\n{content}\r\n");
        let user = |name: &str| part("form-data; name=\"user\"", name);
        let file = part("form-data; name=\"user\"; filename=\"f\"", "alice");
        for (parts, expected) in [
            (user("alice"), text("alice")),
            (user("bob") + &part("form-data; name=other", "x") + &user("alice"), text("alice")),
            // What is odd and is read nevertheless does not hide it.
            (part("attachment; name=user", "alice"), text("alice")),
            (part("form-data; name=other; filename*=x", "y") + &user("alice"), text("alice")),
            (user("bob") + &file, Named::Nothing),
            (part("form-data; name=other", "x"), Named::Nothing),
            // Versions differ.
            (part("form-data; name=other; name=user", "alice"), Named::Unsure),
            ("\r\nwords\r\n".to_owned() + &user("alice"), Named::Unsure),
            // The app refuses it, or so it should.
            ("x".to_owned() + &user("alice"), Named::Unsure),
        ] {
            let body = parts + "--b--\r\n";
            let found = named(b"multipart/form-data; boundary=b", body.as_bytes(), &["user"]);
            assert_eq!(found, expected, "{body:?}");
        }
        // Text without an end is not a field yet.
        let body = user("alice") + "--b\r\nContent-Disposition: form-data; name=user\r\n\r\nbob";
        assert_eq!(named(b"multipart/form-data; boundary=b", body.as_bytes(), &["user"]), text("alice"));
        let body = user("alice") + "--b--\r\n";
        assert_eq!(
            named(b"multipart/form-data; boundary=b; charset=utf-16", body.as_bytes(), &["user"]),
            Named::Unsure
        );
        assert_eq!(named(b"multipart/form-data", body.as_bytes(), &["user"]), Named::Unsure);
        assert_eq!(named(b"multipart/form-data; boundary=b", b"", &["user"]), Named::Nothing);
    }
}
