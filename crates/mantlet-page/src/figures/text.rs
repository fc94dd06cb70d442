//! Prometheus' text format 0.0.4, as the gate writes it.

/// A line: a name, its labels and its value.
#[derive(Debug, PartialEq)]
pub(super) struct Line<'t> {
    pub(super) name: &'t str,
    pub(super) labels: Vec<(&'t str, String)>,
    pub(super) value: f64,
}

impl Line<'_> {
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }

    /// A count.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are whole and positive"
    )]
    pub(super) const fn count(&self) -> u64 {
        self.value as u64
    }
}

/// The lines with a value; what is not one is left out.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(line)
}

fn line(line: &str) -> Option<Line<'_>> {
    let Some((name, rest)) = line.split_once('{') else {
        let (name, value) = line.split_once(' ')?;
        return Some(Line { name, labels: Vec::new(), value: value.trim().parse().ok()? });
    };
    let (mut labels, mut rest) = (Vec::new(), rest);
    loop {
        if let Some(value) = rest.strip_prefix('}') {
            return Some(Line { name, labels, value: value.trim().parse().ok()? });
        }
        let (label, after) = rest.trim_start_matches(',').split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.push((label, value));
        rest = after;
    }
}

/// A text up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_what_was_escaped() {
        let text = "# HELP a b\na_total 3\nb{x=\"a\\\\b\\\"c\\nd\",y=\"{é}\"} 0.5\nbroken{x=\"1\nother\n";
        let read: Vec<_> = lines(text).collect();
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].name, read[0].count()), ("a_total", 3));
        assert_eq!(read[1].label("x"), Some("a\\b\"c\nd"));
        assert_eq!((read[1].label("y"), read[1].value), (Some("{é}"), 0.5));
    }
}
