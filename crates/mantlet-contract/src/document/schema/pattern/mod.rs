//! ECMAScript's regular expressions as Rust's `regex` reads them.
//!
//! A pattern without lookaround, references and word boundaries fits more texts, never fewer, if one of its characters
//! may be more. So whatever the two read differently is written as the wider of both: `\d` fits every script's digits,
//! `\D` everything but ASCII digits. What cannot be written so has no translation.

use std::{iter::Peekable, str::Chars};

/// The pattern for Rust, or what stands in the way.
pub(super) fn translate(pattern: &str) -> Result<String, &'static str> {
    let mut from = Translation { rest: pattern.chars().peekable(), out: String::new() };
    from.all()?;
    Ok(from.out)
}

struct Translation<'p> {
    rest: Peekable<Chars<'p>>,
    out: String,
}

/// What an escape stands for.
enum Escape {
    Character(char),
    /// Written for a class: what fits, and what surely fits if it is negated.
    Class(&'static str, &'static str),
}

const WIDE: [(char, &str, &str); 6] = [
    ('d', r"\d", "0-9"),
    ('w', r"\w", "0-9A-Za-z_"),
    ('s', r"\s\u{FEFF}", r"\t\n\x0B\x0C\r\x20"),
    ('D', "[^0-9]", r"\D"),
    ('W', "[^0-9A-Za-z_]", r"\W"),
    ('S', r"\S\u{85}", r"[^\s\u{FEFF}]"),
];

impl Translation<'_> {
    fn all(&mut self) -> Result<(), &'static str> {
        let mut depth = 0_u32;
        // Whether what came last can be repeated.
        let mut atom = false;
        while let Some(next) = self.rest.next() {
            let repeatable = match next {
                '^' | '$' | '|' => {
                    self.out.push(next);
                    false
                }
                '.' => {
                    self.out.push('.');
                    true
                }
                '(' => {
                    self.open()?;
                    depth += 1;
                    false
                }
                ')' => {
                    depth = depth.checked_sub(1).ok_or("a bracket is closed that was not opened")?;
                    self.out.push(')');
                    true
                }
                '*' | '+' | '?' | '{' => {
                    if !atom {
                        return Err("it repeats what cannot be repeated");
                    }
                    self.repetition(next)?;
                    false
                }
                '[' => {
                    self.class()?;
                    true
                }
                '\\' => {
                    match self.escape(false)? {
                        Escape::Character(character) => self.literal(character),
                        Escape::Class(wide, _) => self.out.extend(["[", wide, "]"]),
                    }
                    true
                }
                _ => {
                    self.literal(next);
                    true
                }
            };
            atom = repeatable;
        }
        if depth == 0 { Ok(()) } else { Err("a bracket is not closed") }
    }

    /// After `(`.
    fn open(&mut self) -> Result<(), &'static str> {
        if self.rest.peek() != Some(&'?') {
            self.out.push('(');
            return Ok(());
        }
        self.rest.next();
        match (self.rest.next(), self.rest.peek()) {
            (Some(':'), _) => {}
            (Some('<'), Some(name)) if name.is_ascii_alphabetic() || *name == '_' => {
                while self.rest.next().ok_or("a bracket is not closed")? != '>' {}
            }
            _ => return Err("it looks ahead or behind, or sets flags"),
        }
        self.out.push_str("(?:");
        Ok(())
    }

    fn repetition(&mut self, first: char) -> Result<(), &'static str> {
        if first == '{' {
            let mut inner = String::new();
            while let Some(next) = self.rest.next_if(|next| next.is_ascii_digit() || *next == ',') {
                inner.push(next);
            }
            let (least, most) =
                inner.split_once(',').map_or((inner.as_str(), None), |(least, most)| (least, Some(most)));
            let number = |text: &str| text.parse::<u32>().ok();
            let most = match most {
                None => number(least),
                Some("") => Some(u32::MAX),
                Some(most) => number(most),
            };
            let in_order = number(least).zip(most).is_some_and(|(least, most)| least <= most);
            if !in_order || self.rest.next() != Some('}') {
                return Err("a brace is not a repetition");
            }
            self.out.extend(["{", &inner, "}"]);
        } else {
            self.out.push(first);
        }
        if self.rest.next_if_eq(&'?').is_some() {
            self.out.push('?');
        }
        Ok(())
    }

    /// After `[`.
    fn class(&mut self) -> Result<(), &'static str> {
        let negated = self.rest.next_if_eq(&'^').is_some();
        self.out.push_str(if negated { "[^" } else { "[" });
        if self.rest.peek() == Some(&']') {
            return Err("an empty class");
        }
        loop {
            let low = match self.class_item()? {
                None => break,
                Some(Escape::Class(wide, narrow)) => {
                    self.out.push_str(if negated { narrow } else { wide });
                    if self.rest.peek() == Some(&'-') {
                        return Err("a range in a class has no beginning");
                    }
                    continue;
                }
                Some(Escape::Character(low)) => low,
            };
            self.literal(low);
            if self.rest.peek() != Some(&'-') {
                continue;
            }
            self.rest.next();
            match self.class_item()? {
                // The dash stands at the end.
                None => {
                    self.literal('-');
                    break;
                }
                Some(Escape::Class(..)) => return Err("a range in a class has no end"),
                Some(Escape::Character(high)) if high < low => {
                    return Err("a range in a class is upside down");
                }
                Some(Escape::Character(high)) => {
                    self.out.push('-');
                    self.literal(high);
                }
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn class_item(&mut self) -> Result<Option<Escape>, &'static str> {
        match self.rest.next().ok_or("a class is not closed")? {
            ']' => Ok(None),
            '\\' => self.escape(true).map(Some),
            character => Ok(Some(Escape::Character(character))),
        }
    }

    /// After `\`.
    fn escape(&mut self, in_class: bool) -> Result<Escape, &'static str> {
        let next = self.rest.next().ok_or("it ends with a backslash")?;
        if let Some((_, wide, narrow)) = WIDE.iter().find(|(name, ..)| *name == next) {
            return Ok(Escape::Class(wide, narrow));
        }
        let character = match next {
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'v' => '\u{b}',
            'f' => '\u{c}',
            'b' if in_class => '\u{8}',
            '0' if !self.rest.peek().is_some_and(char::is_ascii_digit) => '\0',
            'x' => self.hexadecimal(2)?,
            'u' if self.rest.next_if_eq(&'{').is_some() => {
                let code: String =
                    std::iter::from_fn(|| self.rest.next_if(char::is_ascii_hexdigit)).collect();
                let character = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
                self.rest.next_if_eq(&'}').and(character).ok_or("an escape that is not a character")?
            }
            'u' => self.hexadecimal(4)?,
            _ if next.is_ascii_alphanumeric() => return Err("an escape that other engines read differently"),
            _ => next,
        };
        Ok(Escape::Character(character))
    }

    fn hexadecimal(&mut self, digits: usize) -> Result<char, &'static str> {
        let code: String = self.rest.by_ref().take(digits).collect();
        let number = (code.len() == digits).then(|| u32::from_str_radix(&code, 16).ok()).flatten();
        number.and_then(char::from_u32).ok_or("an escape that is not a character")
    }

    fn literal(&mut self, character: char) {
        // `\<` and `\>` are more than the characters.
        if character.is_ascii_punctuation() && !matches!(character, '<' | '>') {
            self.out.push('\\');
        }
        self.out.push(character);
    }
}

#[cfg(test)]
mod tests;
