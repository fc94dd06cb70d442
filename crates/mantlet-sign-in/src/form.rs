//! Forms, as browsers and OAuth clients send them (`application/x-www-form-urlencoded`).
//!
//! A form passes if
//! 1. it has at most 64 fields;
//! 2. each name and value is UTF-8 without NUL, with whole percent signs;
//! 3. no name stands twice: RFC 6749 section 3.2 forbids it, and two readers would not agree on the value.

use std::fmt;

use mantlet_accounts::Secret;
use percent_encoding::percent_decode;

/// The most fields.
const MOST: usize = 64;

/// A form that was read. Its values may be passwords: `Debug` does not show them.
#[derive(Debug, Default)]
pub(crate) struct Form {
    fields: Vec<(String, Secret<String>)>,
}

/// Why a body is not a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Too many fields.
    TooMany,
    /// A name or a value is not UTF-8.
    NotText,
    /// A name or a value has a NUL character.
    Nul,
    /// A percent sign without two hexadecimal digits.
    Escape,
    /// A name stands twice.
    Twice(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "the form has more than {MOST} fields"),
            Self::NotText => f.write_str("the form is not UTF-8"),
            Self::Nul => f.write_str("the form has a NUL character"),
            Self::Escape => {
                f.write_str("the form has a percent sign that is not followed by two hexadecimal digits")
            }
            Self::Twice(name) => write!(f, "the field `{name}` stands twice in the form"),
        }
    }
}

impl Form {
    /// The value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.expose().as_str())
    }

    /// The value of a field that must not be shown.
    pub(crate) fn secret(&self, name: &str) -> Option<Secret<String>> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

/// Reads a form.
pub(crate) fn read(body: &[u8]) -> Result<Form, Trouble> {
    let mut form = Form::default();
    for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        if form.fields.len() == MOST {
            return Err(Trouble::TooMany);
        }
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let name = decode(parts.next().unwrap_or_default())?;
        let value = Secret::new(decode(parts.next().unwrap_or_default())?);
        if form.get(&name).is_some() {
            let short: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(Trouble::Twice(short));
        }
        form.fields.push((name, value));
    }
    Ok(form)
}

fn decode(encoded: &[u8]) -> Result<String, Trouble> {
    let is_whole = |at: usize| {
        encoded.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if encoded.iter().enumerate().any(|(at, byte)| *byte == b'%' && !is_whole(at)) {
        return Err(Trouble::Escape);
    }
    let spaced: Vec<u8> = encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let text = String::from_utf8(percent_decode(&spaced).collect()).map_err(|_| Trouble::NotText)?;
    if text.contains('\0') { Err(Trouble::Nul) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_it_is_or_not_at_all() {
        let form = read(b"username=ada%40example.com&password=a+b%2Bc&empty&scope=").unwrap();
        assert_eq!(form.get("username"), Some("ada@example.com"));
        assert_eq!(form.secret("password").unwrap().expose(), "a b+c");
        assert_eq!((form.get("empty"), form.get("scope"), form.get("other")), (Some(""), Some(""), None));
        assert!(!format!("{form:?}").contains("a b+c"));
        for (body, trouble) in [
            ("a=1&b=2&%61=3", Trouble::Twice("a".to_owned())),
            ("a=%ff", Trouble::NotText),
            ("a=%00", Trouble::Nul),
            ("a=%4", Trouble::Escape),
            ("a=%zz", Trouble::Escape),
        ] {
            assert_eq!(read(body.as_bytes()).unwrap_err(), trouble, "{body}");
        }
        assert_eq!(read(b"a=\xff").unwrap_err(), Trouble::NotText);
        let many = (0..65).map(|n| format!("a{n}=")).collect::<Vec<_>>().join("&");
        assert_eq!(read(many.as_bytes()).unwrap_err(), Trouble::TooMany);
    }
}
