//! What the documentation says of each reason: read from the page itself, `docs/reasons.md`.

use std::{collections::HashMap, sync::LazyLock};

const PAGE: &str = include_str!("reasons.md");

/// What is said of a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paragraph {
    /// The heading that it stands under, which is the stop of the road.
    pub(crate) stop: &'static str,
    pub(crate) meaning: String,
    pub(crate) advice: String,
}

static KNOWN: LazyLock<HashMap<&'static str, Paragraph>> = LazyLock::new(|| read(PAGE).collect());

/// What the documentation says of a code.
pub(crate) fn of(code: &str) -> Option<&'static Paragraph> {
    KNOWN.get(code)
}

/// The stops that there are.
#[cfg(test)]
pub(crate) fn stops() -> impl Iterator<Item = &'static str> {
    PAGE.lines().filter_map(|line| line.strip_prefix("## "))
}

/// Rows of tables whose first cell is a code: status, meaning, what to do.
fn read(page: &'static str) -> impl Iterator<Item = (&'static str, Paragraph)> {
    let mut stop = "";
    page.lines().filter_map(move |line| {
        if let Some(heading) = line.strip_prefix("## ") {
            stop = heading;
        }
        let row = line.strip_prefix("| `")?;
        let (code, rest) = row.split_once("` | ")?;
        let cells: Vec<&str> = rest.trim_end_matches('|').split(" | ").map(str::trim).collect();
        let [_, meaning, advice] = cells[..] else { return None };
        Some((code, Paragraph { stop, meaning: plain(meaning), advice: plain(advice) }))
    })
}

/// Without the links of Markdown, which lead to files.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        let (before, words) = before.rsplit_once('[').unwrap_or((before, ""));
        plain.extend([before, words]);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_the_page_is_found_with_its_stop() {
        let all: Vec<_> = read(PAGE).collect();
        assert!(all.len() > 80, "{}", all.len());
        let rows = PAGE.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(all.len(), rows, "each row has four cells");
        let dots = of("path-dot-segment").unwrap();
        assert_eq!(dots.stop, "The path");
        assert_eq!(dots.advice, "resolve it in the client");
        assert!(all.iter().all(|(_, paragraph)| !paragraph.meaning.contains("](")));
        let stops: Vec<_> = stops().collect();
        assert!(all.iter().all(|(code, paragraph)| stops.contains(&paragraph.stop) || panic!("{code}")));
    }

    #[test]
    fn links_are_words() {
        assert_eq!(plain("see [a](b.md#c), or `[x]`, [d](e)."), "see a, or `[x]`, d.");
    }
}
