//! Text broken into lines of a width.

use unicode_width::UnicodeWidthStr as _;

/// The lines of a text, none wider than `width` unless a single word is. Line breaks in it stay.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.width() + 1 + word.width() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// The same, with what stands before the first line and before all others; both count.
pub(super) fn hung(text: &str, width: usize, first: &str, others: &str) -> Vec<String> {
    let room = width.saturating_sub(others.width().max(first.width())).max(16);
    let before = std::iter::once(first).chain(std::iter::repeat(others));
    before.zip(wrapped(text, room)).map(|(before, line)| format!("{before}{line}")).collect()
}

/// A text with spaces up to a width.
pub(super) fn padded(text: &str, width: usize) -> String {
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
        assert_eq!(wrapped("one\n\ntwo", 80), ["one", "", "two"]);
    }
}
