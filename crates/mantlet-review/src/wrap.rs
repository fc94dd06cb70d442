//! Text broken into lines of a width.

use unicode_width::UnicodeWidthStr as _;

/// The lines of a text, none wider than `width` unless a single word is. Line breaks in it stay.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in words(paragraph, width) {
            if !line.is_empty() && line.width() + 1 + word.width() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
        lines.push(line);
    }
    lines
}

/// Words, where what stands between backticks is one, if a line has room for it.
fn words(text: &str, width: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_within = false;
    for word in text.split_whitespace() {
        match words.last_mut() {
            Some(last) if is_within && last.width() + 1 + word.width() <= width => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
        is_within ^= !word.matches('`').count().is_multiple_of(2);
    }
    words
}

/// The same, with what stands before the first line and before all others; both count.
pub(crate) fn hung(text: &str, width: usize, first: &str, others: &str) -> Vec<String> {
    let room = width.saturating_sub(others.width().max(first.width())).max(16);
    let before = std::iter::once(first).chain(std::iter::repeat(others));
    before.zip(wrapped(text, room)).map(|(before, line)| format!("{before}{line}")).collect()
}

/// A text with spaces up to a width.
pub(crate) fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_wide_as_they_may_be() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a-very-long-word b", 4), ["a-very-long-word", "b"]);
        assert_eq!(wrapped("注文 注文 注文", 9), ["注文 注文", "注文"]);
        assert_eq!(wrapped("say `a b c` and", 9), ["say", "`a b c`", "and"]);
        assert_eq!(wrapped("say `a b c` and", 5), ["say", "`a b", "c`", "and"]);
        assert_eq!(wrapped("one\n\ntwo", 80), ["one", "", "two"]);
    }
}
