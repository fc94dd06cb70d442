//! Texts that an app may have a say in, made harmless for where they are printed.

/// For a terminal: control characters and marks that turn the direction of text are spelled out. Line breaks
/// and tabs stay.
pub(super) fn plain(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => written.push('\n'),
            '\t' => written.push_str("    "),
            letter if letter.is_control() || turns_direction(letter) => {
                written.extend(letter.escape_unicode());
            }
            letter => written.push(letter),
        }
    }
    written
}

/// The same on one line.
pub(super) fn line(text: &str) -> String {
    plain(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// For HTML and XML, in text and between quotes. XML 1.0 has no way to write most control characters.
pub(super) fn markup(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '"' => written.push_str("&quot;"),
            '\'' => written.push_str("&#39;"),
            '\n' | '\t' => written.push(letter),
            '\u{fffe}' | '\u{ffff}' => written.push(char::REPLACEMENT_CHARACTER),
            letter if letter.is_control() || turns_direction(letter) => {
                written.extend(letter.escape_unicode());
            }
            letter => written.push(letter),
        }
    }
    written
}

/// Marks by which text is shown in another order than it is written (CVE-2021-42574).
const fn turns_direction(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        assert_eq!(plain("a\u{1b}[31mb\r\n\tc\u{202e}"), "a\\u{1b}[31mb\\u{d}\n    c\\u{202e}");
        assert_eq!(line(" two\n lines\u{7} "), "two lines\\u{7}");
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(
            markup("<a href=\"x\">'&\u{0}\u{ffff}"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;\\u{0}\u{fffd}"
        );
    }
}
