//! Patterns of Python's own engine, which takes exponential time on some texts: what surely does not match is refused before it gets there.
//!
//! The translation matches whatever the pattern matches, and perhaps more, which then is left to the app. What may mean something else
//! here (lookaround, references, flags, possessive quantifiers, nested sets) is not translated.

use std::iter::Peekable;
use std::str::Chars;

/// Characters that one of the two engines may know and the other not yet.
const UNASSIGNED: &str = r"\p{Cn}";

/// A pattern for this engine that matches at least what Python's `re.search` matches.
pub(crate) fn at_least(pattern: &str) -> Option<String> {
    if !pattern.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    let mut reader = Reader { rest: pattern.chars().peekable(), out: String::new(), depth: 0 };
    while reader.step()? {}
    (reader.depth == 0).then_some(reader.out)
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
    /// Groups that are open.
    depth: u32,
}

impl Reader<'_> {
    /// One part of the pattern; none if it cannot be translated.
    fn step(&mut self) -> Option<bool> {
        let Some(next) = self.rest.next() else { return Some(false) };
        match next {
            '(' => {
                if self.rest.next_if_eq(&'?').is_some() {
                    self.rest.next_if_eq(&':')?;
                }
                self.depth += 1;
                self.out.push_str("(?:");
                return Some(true);
            }
            ')' => {
                self.depth = self.depth.checked_sub(1)?;
                self.out.push(')');
            }
            '|' | '^' => {
                self.out.push(next);
                return Some(true);
            }
            '$' => {
                // Also before a line feed at the end, which only what follows could tell.
                let ends = self.rest.peek().is_none_or(|next| *next == '|');
                if !ends || self.depth > 0 {
                    return None;
                }
                self.out.push_str(r"\n?\z");
                return Some(true);
            }
            '[' => self.set()?,
            '\\' => {
                let escape = self.escape(false)?;
                self.out.push_str(&escape);
            }
            '*' | '+' | '?' | '{' | '}' | ']' => return None,
            '.' => self.out.push('.'),
            literal => self.out.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4]))),
        }
        self.quantifier()?;
        Some(true)
    }

    /// What says how often: at most one, and perhaps lazily.
    fn quantifier(&mut self) -> Option<()> {
        match self.rest.peek() {
            Some('*' | '+' | '?') => self.out.extend(self.rest.next()),
            Some('{') => {
                self.rest.next();
                let mut inside = String::new();
                while let Some(digit) = self.rest.next_if(|next| *next != '}') {
                    inside.push(digit);
                }
                self.rest.next()?;
                let (least, most) = inside.split_once(',').unwrap_or((&inside, ""));
                let is_count = |text: &str| text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
                if least.is_empty() || !is_count(least) || !is_count(most) {
                    return None;
                }
                self.out.extend(["{", &inside, "}"]);
            }
            _ => return Some(()),
        }
        self.out.extend(self.rest.next_if_eq(&'?'));
        // Of two quantifiers the second means something else to each engine.
        (!matches!(self.rest.peek(), Some('*' | '+' | '?' | '{'))).then_some(())
    }

    /// A set of characters, after its bracket.
    fn set(&mut self) -> Option<()> {
        self.out.push('[');
        let negated = self.rest.next_if_eq(&'^').is_some();
        if negated {
            self.out.push('^');
        }
        let mut empty = true;
        loop {
            match self.rest.next()? {
                ']' if !empty => break,
                '\\' => {
                    let escape = self.escape(negated)?;
                    self.out.push_str(&escape);
                }
                // To one of the engines these are operators, or may be.
                ']' | '[' | '&' | '~' | '|' | '^' => return None,
                '-' => {
                    if self.rest.peek() == Some(&'-') {
                        return None;
                    }
                    self.out.push('-');
                }
                member => self.out.push(member),
            }
            empty = false;
        }
        self.out.push(']');
        Some(())
    }

    /// What follows a backslash. Within a negated set, more would be less.
    fn escape(&mut self, negated: bool) -> Option<String> {
        let escaped = self.rest.next()?;
        let set = match escaped {
            'd' => r"\d",
            'w' => r"\w\p{N}",
            's' => r"\s\x1c-\x1f",
            'n' | 'r' | 't' | 'f' | 'v' => return Some(format!("\\{escaped}")),
            punctuation if punctuation.is_ascii_punctuation() => {
                return Some(regex::escape(punctuation.encode_utf8(&mut [0; 4])));
            }
            _ => return None,
        };
        (!negated).then(|| format!("[{set}{UNASSIGNED}]"))
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::at_least;

    #[test]
    fn what_python_matches_is_matched() {
        for (pattern, matching, other) in [
            (
                r"^([a-z0-9]+[._-]?)+@[a-z0-9.-]+$",
                &["a.b@c", "a@b\n"] as &[_],
                &["a.b", "a@b\n\n", "@c", "A@b"] as &[_],
            ),
            (r"b$", &["ab", "b\n"], &["bc", "b\n\n"]),
            (r"^a|b$", &["ac", "cb"], &["ca", "bc"]),
            (r"^\w+(?:\s\d{2,3})*?$", &["a\u{b2}_ 12 345", "\u{e9}\u{1c}12"], &["a 1", "", "a-b"]),
            (r"^[^a-c]+\.[\w.+-]{1,}$", &["xyz.a+b"], &["axyz.a", "xyz"]),
            (r"^a.c{2}$", &["abcc"], &["a\ncc", "abc"]),
            (r"^(a+)+$", &["aaa"], &["aaab", ""]),
            (r"^\/[A-Z #@]\]$", &["/#]"], &["/a]"]),
        ] {
            let translated = at_least(pattern).unwrap_or_else(|| panic!("{pattern} is not translated"));
            let regex = Regex::new(&translated).unwrap();
            for text in matching {
                assert!(regex.is_match(text), "{pattern} as {translated} and {text:?}");
            }
            for text in other {
                assert!(!regex.is_match(text), "{pattern} as {translated} and {text:?}");
            }
        }
    }

    #[test]
    fn what_may_mean_something_else_is_not_translated() {
        for pattern in [
            "(?=a)b", "(?i)a", r"(a)\1", "(?P<n>a)", "a*+", "a{2}+", "a++", "a{,3}", "a{1000}", "a{3", "a{}",
            r"\bа", r"\ba", r"\W", r"[^\w]", r"\Aa", "(a$)b", "a$b", "[a&&b]", "[[a]", "[]a]", "[a--b]",
            "[a~~b]", "^*", "(*a)", "a)", "(a", "[a", "\u{e9}", "a\n",
        ] {
            assert_eq!(at_least(pattern), None, "{pattern}");
        }
    }
}
