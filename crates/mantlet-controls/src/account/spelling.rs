//! All spellings of one account are one key: an app or its database may treat them alike.

use std::borrow::Cow;

use icu_normalizer::{DecomposingNormalizerBorrowed, properties::CanonicalCombiningClassMapBorrowed};

/// An account as accounts are compared: without case, accents, invisible marks and spaces around
/// it, and numbers however they are written. None if nothing is left. Two accounts that only an
/// accent tells apart are counted together: `MySQL` takes them for one.
pub(crate) fn compared(text: &str) -> Option<String> {
    /// Larger numbers are not exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let folded = folded(text);
    // What Python's `str.strip` takes away: four control characters more than what is white space.
    let text = folded.trim_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c));
    let digits = text.trim_start_matches('+').replace('_', "");
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // Of any length.
        let digits = digits.trim_start_matches('0');
        return Some(if digits.is_empty() { "0" } else { digits }.to_owned());
    }
    let number = text.replace('_', "").parse::<f64>();
    match number {
        Ok(number) if number.abs() < EXACT && number.fract() == 0.0 => Some(format!("{number:.0}")),
        _ => (!text.is_empty()).then(|| text.to_lowercase()),
    }
}

/// Without what compatibility (NFKC) and case folding take away, and without marks and characters that are not seen.
fn folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    let normal = DecomposingNormalizerBorrowed::new_nfkd();
    let classes = CanonicalCombiningClassMapBorrowed::new();
    let is_seen = |c: &char| !is_ignorable(*c) && classes.get_u8(*c) == 0;
    let plain = |text: &str| normal.normalize_iter(text.chars()).filter(is_seen).collect::<String>();
    // Upper case makes `SS` of `ß` and one sigma of two, once `ẞ` is one. What that gives may have other forms again.
    plain(&plain(text).to_lowercase().to_uppercase().to_lowercase()).into()
}

/// `Default_Ignorable_Code_Point` of the Unicode Character Database.
const fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::compared;

    #[test]
    fn what_names_one_account_is_one_key() {
        for (texts, expected) in [
            (&["alice", " Alice\t", "ALICE"][..], Some("alice")),
            (&["7", "07", "+7", "7.0", "7e0", "0_7", " 7 ", "\u{ff17}", "\u{2077}"], Some("7")),
            (&["491701234567890"], Some("491701234567890")),
            (&["99999999999999999999", "0099999999999999999999"], Some("99999999999999999999")),
            (&["bob\u{1c}", "\u{1f}Bob"], Some("bob")),
            (&["nan"], Some("nan")),
            (&["7.5"], Some("7.5")),
            (&["", "  ", "\u{200b}", "\u{3000}"], None),
        ] {
            for text in texts {
                assert_eq!(compared(text).as_deref(), expected, "{text:?}");
            }
        }
    }

    #[test]
    fn look_alikes_that_an_app_may_fold_are_one_key() {
        for (texts, expected) in [
            (
                &[
                    "\u{ff21}lice",
                    "a\u{200b}lice",
                    "al\u{ad}ice",
                    "\u{feff}alice",
                    "alice\u{200d}",
                    "\u{1d41a}lice",
                    "\u{24d0}lice",
                    "alice\u{fe0f}",
                    "ali\u{202e}ce",
                    "\u{1d538}lice",
                    "alic\u{212f}",
                    "\u{e0041}alice",
                ][..],
                "alice",
            ),
            (&["jos\u{e9}", "jose\u{301}", "JOS\u{c9}", "jose"], "jose"),
            (&["stra\u{df}e", "STRASSE", "stra\u{1e9e}e"], "strasse"),
            (&["\u{fb01}le", "FILE"], "file"),
            (&["\u{212a}elvin", "kelvin"], "kelvin"),
            (&["\u{3a3}\u{3af}\u{3c2}", "\u{3c3}\u{3b9}\u{3c3}"], "\u{3c3}\u{3b9}\u{3c2}"),
            (&["a@\u{ff45}xample.com", "A@Example.com"], "a@example.com"),
        ] {
            for text in texts {
                assert_eq!(compared(text).as_deref(), Some(expected), "{text:?}");
            }
        }
        // Letters that no folding joins stay different: this one is Cyrillic.
        assert_ne!(compared("\u{430}lice").as_deref(), Some("alice"));
    }
}
