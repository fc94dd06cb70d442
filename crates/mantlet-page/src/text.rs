//! Numbers, times and texts of others, as a person reads them.

use jiff::Timestamp;

/// A text that a client or an app may have written: characters that are not seen, or that change the direction of
/// what follows, are spelled out. Markup is escaped where it is written.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_format(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// Characters that change the direction of what follows, or are not seen.
const fn is_format(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// `48,211`.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 request`, `2 requests`.
pub(crate) fn amount(value: u64, noun: &str) -> String {
    let end = if value == 1 { "" } else { "s" };
    format!("{} {noun}{end}", number(value))
}

/// A rate a second: `0`, `0.4`, `12.5`, `1,204`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are small and not negative"
)]
pub(crate) fn rate(value: f64) -> String {
    if value >= 100.0 { number(value.round() as u64) } else { format!("{value:.1}").replace(".0", "") }
}

/// A share in percent: `0 %`, `< 0.1 %`, `0.4 %`, `12 %`.
pub(crate) fn percent(part: u64, of: u64) -> String {
    let share = share(part, of) * 100.0;
    if share > 0.0 && share < 0.1 {
        return "< 0.1 %".to_owned();
    }
    if share > 0.0 && share < 10.0 { format!("{share:.1} %") } else { format!("{share:.0} %") }
}

/// A text that begins a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// A share between 0 and 1.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(crate) fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { (part as f64 / of as f64).min(1.0) }
}

/// Seconds as a bound: `25 ms`, `2.5 s`.
pub(crate) fn bound(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1e3) } else { format!("{seconds} s") }
}

/// A moment in UTC, to the second.
pub(crate) fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How long ago: `12 s`, `4 min`, `3 h`, `2 d`.
pub(crate) fn span(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!(
            [0, 999, 1_000, 48_211, 1_234_567].map(number),
            ["0", "999", "1,000", "48,211", "1,234,567"]
        );
        assert_eq!([0.0, 0.44, 12.5, 1_204.4].map(rate), ["0", "0.4", "12.5", "1,204"]);
        assert_eq!(
            [percent(0, 0), percent(1, 250), percent(1, 4), percent(1, 9_999)],
            ["0 %", "0.4 %", "25 %", "< 0.1 %"]
        );
        assert_eq!([0.005, 0.25, 2.5, 10.0].map(bound), ["5 ms", "250 ms", "2.5 s", "10 s"]);
        assert_eq!([5, 119, 120, 7_200, 200_000].map(span), ["5 s", "119 s", "2 min", "2 h", "2 d"]);
    }

    #[test]
    fn what_is_not_seen_is_spelled_out() {
        assert_eq!(shown("a\u{202e}b\u{1b}[2J\n"), "a\\u{202e}b\\u{1b}[2J\\n");
        assert_eq!(shown("Zoë 漢字 <b>"), "Zoë 漢字 <b>");
    }
}
