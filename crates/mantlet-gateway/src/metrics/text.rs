//! Prometheus' text format 0.0.4, and `OpenMetrics` 1.0.0. They differ in four things: how a counter is
//! named in its type, exemplars, the end, and the content type.

use std::{
    fmt::{Display, Write as _},
    time::SystemTime,
};

use super::requests::Exemplar;

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    OpenMetrics,
}

impl Format {
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only grows; its name ends in `_total`.
    Counter,
    Gauge,
    Histogram,
}

/// A page of metrics.
#[derive(Debug)]
pub(crate) struct Page {
    format: Format,
    text: String,
}

impl Page {
    pub(crate) const fn new(format: Format) -> Self {
        Self { format, text: String::new() }
    }

    /// Begins a metric: its samples follow.
    pub(crate) fn begin(&mut self, name: &str, kind: Kind, help: &str) {
        let family = match self.format {
            Format::OpenMetrics if kind == Kind::Counter => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        };
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing to a text cannot fail.
        let _ = write!(self.text, "# HELP {family} {help}\n# TYPE {family} {kind}\n");
    }

    /// A sample of the metric that was begun last.
    pub(crate) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.labelled(name, labels);
        let _ = writeln!(self.text, " {value}");
    }

    /// A sample with one of the requests that it counts. Only `OpenMetrics` has a place for that.
    pub(crate) fn sample_with(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        value: impl Display,
        exemplar: Option<&Exemplar>,
    ) {
        let Some(Exemplar { trace, span, took, at }) =
            exemplar.filter(|_| self.format == Format::OpenMetrics)
        else {
            return self.sample(name, labels, value);
        };
        self.labelled(name, labels);
        let (trace, span) = (u128::from_be_bytes(*trace), u64::from_be_bytes(*span));
        let (took, at) = (took.as_secs_f64(), at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
        let _ = writeln!(
            self.text,
            " {value} # {{trace_id=\"{trace:032x}\",span_id=\"{span:016x}\"}} {took} {}.{:03}",
            at.as_secs(),
            at.subsec_millis()
        );
    }

    fn labelled(&mut self, name: &str, labels: &[(&str, &str)]) {
        self.text.push_str(name);
        for (number, (label, text)) in labels.iter().enumerate() {
            self.text.push(if number == 0 { '{' } else { ',' });
            let _ = write!(self.text, "{label}=\"");
            for character in text.chars() {
                match character {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    other => self.text.push(other),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
    }

    /// A metric with one sample.
    pub(crate) fn single(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.begin(name, kind, help);
        self.sample(name, &[], value);
    }

    pub(crate) fn end(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_written() {
        let written = |format| {
            let mut page = Page::new(format);
            page.single("a_total", Kind::Counter, "Things.", 3);
            page.begin("b", Kind::Gauge, "Others.");
            page.sample("b", &[("x", "a\\b\"c\nd"), ("y", "é")], 0.5);
            page.end()
        };
        let samples = ["a_total 3\n", "b{x=\"a\\\\b\\\"c\\nd\",y=\"é\"} 0.5\n"];
        let [first, second] = samples;
        assert_eq!(
            written(Format::Text),
            format!(
                "# HELP a_total Things.\n# TYPE a_total counter\n{first}# HELP b Others.\n# TYPE b gauge\n{second}"
            )
        );
        assert_eq!(
            written(Format::OpenMetrics),
            format!(
                "# HELP a Things.\n# TYPE a counter\n{first}# HELP b Others.\n# TYPE b gauge\n{second}# EOF\n"
            )
        );
    }
}
