//! Figures as a table.

use std::{fmt::Write, ops::Range};

use super::{goodput::Line, workload::Workload};

/// How it was measured.
pub(super) struct Run {
    pub(super) rounds: usize,
    pub(super) seconds: u64,
    /// Of Mantlet and of nginx.
    pub(super) versions: [String; 2],
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row([String; 5]);

impl Row {
    /// Microseconds a request, round by round.
    pub(super) fn of_cpu(workload: &Workload, mantlet: &[f64], nginx: &[f64]) -> Self {
        let aim = workload.aim.map_or_else(|| "–".to_owned(), |aim| format!("≤ {aim} × nginx"));
        Self::of_micros(workload.title, mantlet, nginx, aim)
    }

    /// Milliseconds, round by round.
    pub(super) fn of_times(title: &str, mantlet: &[f64], peer: &[f64]) -> Self {
        let millis = |values: &[f64]| with_spread(values, 0, " ms");
        Self([title.to_owned(), millis(mantlet), millis(peer), ratio(mantlet, peer), "–".to_owned()])
    }

    /// Microseconds, round by round.
    pub(super) fn of_micros(title: &str, mantlet: &[f64], peer: &[f64], aim: String) -> Self {
        let micros = |values: &[f64]| with_spread(values, 1, " µs");
        Self([title.to_owned(), micros(mantlet), micros(peer), ratio(mantlet, peer), aim])
    }

    /// Thousands of instructions a request, of this build and of another.
    pub(super) fn of_instructions(title: &str, this: f64, other: f64) -> Self {
        let show = |thousands: f64| format!("{thousands:.1} k");
        let ratio = format!("{:.3}", this / other);
        Self([title.to_owned(), show(this), show(other), ratio, String::new()])
    }

    /// Microseconds a request of the first kind, and of others beside it; none: it was not measured.
    pub(super) fn of_kinds(title: &str, first: &[f64], others: [Option<&[f64]>; 3]) -> Self {
        let micros = |values: &[f64]| with_spread(values, 1, " µs");
        let beside = |values: Option<&[f64]>| {
            values.map_or_else(
                || "–".to_owned(),
                |values| format!("{}: × {}", micros(values), ratio(values, first)),
            )
        };
        let [second, third, fourth] = others.map(beside);
        Self([title.to_owned(), micros(first), second, third, fourth])
    }

    /// The same with another last cell.
    pub(super) fn ending_in(self, cell: String) -> Self {
        let Self([title, first, second, third, _]) = self;
        Self([title, first, second, third, cell])
    }

    /// Cells in one.
    pub(super) fn joined(&self, cells: Range<usize>) -> String {
        self.0.get(cells).unwrap_or_default().join(", ")
    }

    /// What is known already.
    pub(super) const fn of_texts(texts: [String; 5]) -> Self {
        Self(texts)
    }

    /// Milliseconds without and with something, round by round.
    pub(super) fn of_delays(title: &str, without: &[f64], with: &[f64]) -> Self {
        let millis = |values: &[f64]| with_spread(values, 3, " ms");
        let added: Vec<f64> = without.iter().zip(with).map(|(before, after)| after - before).collect();
        Self([title.to_owned(), millis(without), millis(with), millis(&added), String::new()])
    }

    fn of_goodput(of: &Line) -> Self {
        let times = |[median, late]: [f64; 2]| format!("{median:.1} / {late:.1} ms");
        let failed = if of.failed == 0 { String::new() } else { format!(", {} failed", of.failed) };
        Self([
            of.title.to_owned(),
            times(of.alone),
            times(of.beside) + &failed,
            format!("{} / {}", of.reached, of.refused),
            format!("{:.1} µs", of.cost),
        ])
    }

    /// Milliseconds at the median and at the 99th percentile, alone and beside a flood; what of the flood reached the app and what was refused.
    pub(super) fn of_flood(
        title: &str,
        alone: [f64; 2],
        beside: [f64; 2],
        failed: usize,
        [reached, refused]: [u64; 2],
    ) -> Self {
        let times = |[median, late]: [f64; 2]| format!("{median:.1} / {late:.1} ms");
        let failed = if failed == 0 { String::new() } else { format!(", {failed} failed") };
        let ratio = format!("{:.2}", beside[1] / alone[1]);
        Self([
            title.to_owned(),
            times(alone),
            times(beside) + &failed,
            ratio,
            format!("{reached} / {refused}"),
        ])
    }

    /// Bytes, of Mantlet and of nginx.
    pub(super) fn of_memory(title: &str, [mantlet, nginx]: [f64; 2], is_connection: bool) -> Self {
        let (unit, name, aim) =
            if is_connection { (1024.0, "KiB", "≤ 8 KiB") } else { (1_048_576.0, "MiB", "–") };
        let show = |bytes: f64| format!("{:.1} {name}", bytes / unit);
        let ratio = format!("{:.2}", mantlet / nginx);
        Self([title.to_owned(), show(mantlet), show(nginx), ratio, aim.to_owned()])
    }
}

/// The whole report, in Markdown.
pub(super) fn of(rows: &[Row], goodput: &[Line], run: &Run) -> String {
    let [mantlet, nginx] = &run.versions;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let noun = if run.rounds == 1 { "round" } else { "rounds" };
    let mut text = format!(
        "# Mantlet beside nginx\n\n\
         {mantlet}, {nginx}, {cores} cores; {} {noun} of {} s, median (least–most). CPU is user and system time a request\n\
         of the whole process tree, memory its proportional set size. TLS is 1.3 with X25519, AES-128-GCM and an ECDSA P-256\n\
         certificate on both sides.\n\n",
        run.rounds, run.seconds,
    );
    table(&mut text, rows, ["", "Mantlet", "nginx", "ratio", "aim"]);
    if !goodput.is_empty() {
        text.push_str(
            "\nA client that asks 50 times a second, alone and beside a flood of 64 connections from another address; time to the\n\
             whole answer, median and 99th percentile. CPU is of everything on the server's side, for each request of the flood.\n\n",
        );
        let rows: Vec<_> = goodput.iter().map(Row::of_goodput).collect();
        table(&mut text, &rows, ["", "alone", "beside the flood", "flood: reached the app / refused", "CPU"]);
    }
    text
}

/// A table of its own, with what there is to say about it.
pub(super) fn section(text: &str, rows: &[Row], header: [&str; 5]) -> String {
    let mut text = text.to_owned();
    table(&mut text, rows, header);
    text
}

fn table(text: &mut String, rows: &[Row], header: [&str; 5]) {
    let header = Row(header.map(ToOwned::to_owned));
    let mut widths = [0; 5];
    for row in rows.iter().chain([&header]) {
        for (width, cell) in widths.iter_mut().zip(&row.0) {
            *width = cell.chars().count().max(*width);
        }
    }
    line(text, &header, widths);
    line(text, &Row(widths.map(|width| "-".repeat(width))), widths);
    for row in rows {
        line(text, row, widths);
    }
}

fn line(text: &mut String, row: &Row, widths: [usize; 5]) {
    for (cell, width) in row.0.iter().zip(widths) {
        // Writing to a text cannot fail.
        let _ = write!(text, "| {cell:width$} ");
    }
    text.push_str("|\n");
}

/// The median, and the least and most if they are not the same.
fn with_spread(values: &[f64], digits: usize, unit: &str) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = median(&sorted);
    match (sorted.first(), sorted.last()) {
        (Some(least), Some(most)) if sorted.len() > 1 => {
            format!("{median:.digits$}{unit} ({least:.digits$}–{most:.digits$})")
        }
        _ => format!("{median:.digits$}{unit}"),
    }
}

/// Rounds are compared in pairs: what disturbed one disturbed the other.
fn ratio(mantlet: &[f64], peer: &[f64]) -> String {
    let ratios: Vec<f64> = mantlet.iter().zip(peer).map(|(ours, theirs)| ours / theirs).collect();
    with_spread(&ratios, 2, "")
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied().unwrap_or(f64::NAN);
    match middle.checked_sub(1).and_then(|below| sorted.get(below)) {
        Some(lower) if sorted.len().is_multiple_of(2) => f64::midpoint(*lower, upper),
        _ => upper,
    }
}

/// Counts here are far below 2⁵³, up to which this is exact.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(super) const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_shown_with_their_spread() {
        assert_eq!(with_spread(&[3.0, 1.0, 2.0], 1, " µs"), "2.0 µs (1.0–3.0)");
        assert_eq!(with_spread(&[1.0, 2.0], 2, ""), "1.50 (1.00–2.00)");
        assert_eq!(with_spread(&[1.26], 1, " µs"), "1.3 µs");
    }

    #[test]
    fn the_table_is_aligned_markdown() {
        let rows = [Row::of_memory("memory after start", [3.0 * 1_048_576.0, 1_048_576.0], false)];
        let run = Run { rounds: 1, seconds: 2, versions: ["mantlet 1".into(), "nginx 2".into()] };
        let report = of(&rows, &[], &run);
        let table: Vec<&str> = report.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(table.len(), 3);
        assert!(table.iter().all(|line| line.chars().count() == table[0].chars().count()), "{report}");
        assert!(table[2].contains("| 3.0 MiB | 1.0 MiB | 3.00  | –"), "{report}");
    }
}
