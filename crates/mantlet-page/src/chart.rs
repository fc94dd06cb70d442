//! Charts, as SVG that stands in the page. Each says the same in words. Its text stands beside it, so that it is
//! as large as other text on every screen.

use maud::{Markup, html};

use crate::{
    figures::{Column, Latency, UpTo},
    text::{bound, number, percent, rate, share},
};

/// Bounds of durations that have a row in the chart, lowest first; the last row is for what took longer.
const ROWS: [f64; 14] = Latency::BOUNDS;
/// Height of a row.
const ROW: usize = 14;
/// Width of a column.
const WIDE: usize = 8;

/// Requests a second over time: what passed, what was refused, what the app answered with an error.
pub(crate) fn requests(columns: &[Option<Column>], minutes: i64) -> Markup {
    const HEIGHT: f64 = 120.0;
    let rate_of = |column: &Column, count: u64| per_second(count, column.seconds);
    let busiest = columns.iter().flatten().map(|column| rate_of(column, column.requests.max(column.refused)));
    let most = busiest.fold(0.0, f64::max);
    let scale = if most > 0.0 { HEIGHT / most } else { 0.0 };
    let width = columns.len() * WIDE;
    let now = columns.iter().rev().flatten().next().map_or(0.0, |column| rate_of(column, column.requests));
    let words = format!(
        "Requests a second in the last {minutes} minutes. At most {}, last {}.",
        rate(most),
        rate(now)
    );
    html! {
        figure .chart {
            figcaption {
                b { "Requests a second" }
                span .key { span .swatch .passed {} "passed" }
                span .key { span .swatch .errors {} "app errors" }
                span .key { span .swatch .refused {} "refused" }
            }
            div .plot {
                span .top { (rate(most)) "/s" }
                svg viewBox={ "0 0 " (width) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(words) {
                    line .grid x1="0" x2=(width) y1="0.5" y2="0.5" {}
                    line .grid x1="0" x2=(width) y1=(HEIGHT / 2.0) y2=(HEIGHT / 2.0) {}
                    @for (at, column) in columns.iter().enumerate() {
                        @if let Some(column) = column {
                            @let refused = rate_of(column, column.refused) * scale;
                            @let all = (rate_of(column, column.requests) * scale).max(refused);
                            @let errors = (rate_of(column, column.errors) * scale).min(all - refused);
                            @let passed = all - refused - errors;
                            @for (class, low, height) in [("passed", 0.0, passed), ("errors", passed, errors), ("refused", passed + errors, refused)] {
                                @if height > 0.0 {
                                    rect class=(class) x=(at * WIDE) width=(WIDE - 1) y=(place(HEIGHT - low - height)) height=(place(height)) {}
                                }
                            }
                        } @else {
                            rect .unknown x=(at * WIDE) width=(WIDE) y="0" height=(HEIGHT) {}
                        }
                    }
                }
            }
            p .axis { span { (minutes) " min ago" } span { "now" } }
        }
    }
}

/// How long requests took over time: a row for each bound, darker where more of the requests are.
pub(crate) fn durations(columns: &[Option<Column>], minutes: i64) -> Markup {
    let mut all = Latency::default();
    for column in columns.iter().flatten() {
        all.add(&column.latency);
    }
    // From the fastest row that has something, two more than needed at the slow end.
    let used = |place: &usize| all.0.get(*place).is_some_and(|count| *count > 0);
    let places = 0..all.0.len();
    let slowest = places.clone().rev().find(used).map_or(4, |place| (place + 2).min(all.0.len())).max(5);
    let width = columns.len() * WIDE;
    let height = slowest * ROW;
    let of = |permille| all.percentile(permille).map_or_else(|| "none".to_owned(), UpTo::told);
    let words = format!(
        "How long requests took in the last {minutes} minutes. Half of them {}, 95 of 100 {}, 99 of 100 {}.",
        of(500),
        of(950),
        of(990)
    );
    html! {
        figure .chart {
            figcaption {
                b { "How long requests took, app and gate" }
                span .key { span .swatch .some {} "some" span .swatch .most {} "most" }
                span .key { span .swatch .p95 {} "95 of 100" }
            }
            div .plot .heat {
                ol .rows aria-hidden="true" {
                    @for place in (0..slowest).rev() {
                        li { (ROWS.get(place).map_or_else(|| "more".to_owned(), |seconds| format!("≤ {}", bound(*seconds)))) }
                    }
                }
                svg viewBox={ "0 0 " (width) " " (height) } preserveAspectRatio="none" role="img" aria-label=(words) {
                    @for (at, column) in columns.iter().enumerate() {
                        @match column {
                            None => rect .unknown x=(at * WIDE) width=(WIDE) y="0" height=(height) {},
                            Some(column) => (cells(at, column, slowest)),
                        }
                    }
                }
            }
            p .axis .heat { span { (minutes) " min ago" } span { "now" } }
        }
    }
}

fn cells(at: usize, column: &Column, rows: usize) -> Markup {
    let all = column.latency.all();
    let line = column.latency.place_of(950);
    html! {
        @for (place, count) in column.latency.0.iter().enumerate().take(rows) {
            @if *count > 0 {
                rect class={ "share" (fifth(*count, all)) } x=(at * WIDE) width=(WIDE - 1) y=((rows - 1 - place) * ROW) height=(ROW - 1) {}
            }
        }
        @if let Some(place) = line {
            rect .p95 x=(at * WIDE) width=(WIDE) y=(rows.saturating_sub(place + 1) * ROW) height="2" {}
        }
    }
}

/// 1 to 5.
fn fifth(part: u64, of: u64) -> u8 {
    match share(part, of) {
        share if share <= 0.02 => 1,
        share if share <= 0.1 => 2,
        share if share <= 0.3 => 3,
        share if share <= 0.6 => 4,
        _ => 5,
    }
}

/// Bars of the last hour, one for each minute. The numbers stand beside it.
pub(crate) fn spark(bars: &[u64], class: &str, words: &str) -> Markup {
    let most = bars.iter().copied().max().unwrap_or_default();
    html! {
        svg .spark viewBox={ "0 0 " (bars.len() * 3) " 28" } preserveAspectRatio="none" role="img" aria-label=(words) {
            line .grid x1="0" x2=(bars.len() * 3) y1="27.5" y2="27.5" {}
            @for (at, bar) in bars.iter().enumerate() {
                @if *bar > 0 {
                    // What happened once is seen beside what happened a thousand times.
                    @let height = (share(*bar, most) * 27.0).max(2.0);
                    rect class=(class) x=(at * 3) width="2.4" y=(place(28.0 - height)) height=(place(height)) {}
                }
            }
        }
    }
}

/// A part of a whole, as a bar. Its number stands beside it.
pub(crate) fn bar(parts: &[(&str, u64)], of: u64) -> Markup {
    let mut from = 0.0;
    let mut placed = Vec::with_capacity(parts.len());
    for (class, part) in parts {
        let width = share(*part, of) * 200.0;
        // What there is is seen.
        let width = if *part > 0 { width.max(1.0) } else { 0.0 };
        placed.push((*class, from, width));
        from += width;
    }
    html! {
        svg .bar viewBox="0 0 200 10" preserveAspectRatio="none" aria-hidden="true" {
            rect .whole x="0" y="0" width="200" height="10" {}
            @for (class, from, width) in placed {
                @if width > 0.0 {
                    rect class=(class) x=(place(from.min(199.0))) y="0" width=(place(width)) height="10" {}
                }
            }
        }
    }
}

/// A stop of the road.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    pub(crate) name: String,
    /// Requests.
    pub(crate) refused: u64,
    /// What was refused and is not a request.
    pub(crate) aside: u64,
    pub(crate) reported: u64,
    pub(crate) changed: u64,
}

impl Stop {
    const fn all(&self) -> u64 {
        self.refused + self.aside + self.reported + self.changed
    }
}

/// The end of the road.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct End {
    /// All requests, if they are measured.
    pub(crate) requests: Option<u64>,
    /// Connections that were refused: they have brought no request.
    pub(crate) connections: u64,
    /// Some of the refusals may be ends of streams, so more may have passed.
    pub(crate) is_least: bool,
}

/// What each stop of the road has taken out, in the order of the road: a pipe that gets narrower, and beside it what
/// went off. The pipe is in proportion to all requests; what went off, to the most that did.
pub(crate) fn road(stops: &[Stop], end: End) -> Markup {
    let requests = end.requests;
    let refused: u64 = stops.iter().map(|stop| stop.refused).sum();
    // Where requests are not measured, the pipe is of what was refused alone.
    let whole = requests.unwrap_or(refused).max(refused);
    let most = stops.iter().map(Stop::all).max().unwrap_or_default();
    let mut left = whole;
    let rows = stops.iter().map(|stop| {
        let before = left;
        left = left.saturating_sub(stop.refused);
        (stop, before, left)
    });
    let rows: Vec<_> = rows.collect();
    html! {
        table .road {
            caption { "What each stop of the road decided, since the gate started" }
            thead { tr {
                th scope="col" { "Stop" }
                th scope="col" .wide { span .visually-hidden { "Picture of what passes, and of what does not" } }
                th scope="col" .number { "Refused" }
                th scope="col" .number { "Reported" }
                th scope="col" .number { "Changed" }
            } }
            tbody {
                @for (stop, before, left) in &rows {
                    tr .quiet[stop.all() == 0] {
                        th scope="row" { (stop.name) }
                        td .wide { (piece([*before, *left, whole], &[("refused", stop.refused + stop.aside), ("reported", stop.reported), ("changed", stop.changed)], most)) }
                        (figure(stop.refused + stop.aside, "refused"))
                        (figure(stop.reported, "reported"))
                        (figure(stop.changed, "changed"))
                    }
                }
            }
            tfoot {
                @if requests.is_some() { tr {
                    th scope="row" { @if end.is_least { "Passed, at least" } @else { "Passed" } }
                    td .wide { (piece([left, left, whole], &[], most)) }
                    td .number colspan="3" { (number(left)) " of " (number(whole)) " (" (percent(left, whole)) ")" }
                } }
                @if end.connections > 0 {
                    tr { td colspan="5" { (number(end.connections)) " of the refused were connections, before there was a request." } }
                }
            }
        }
    }
}

fn figure(count: u64, class: &str) -> Markup {
    html! {
        td .number { @if count > 0 { span class=(class) { (number(count)) } } @else { span .none { "0" } } }
    }
}

/// A piece of the pipe, as wide as what comes in at its top and goes out at its foot; and what goes off.
fn piece([before, after, whole]: [u64; 3], off: &[(&str, u64)], most: u64) -> Markup {
    const MIDDLE: f64 = 60.0;
    const HALF: f64 = 58.0;
    const FROM: f64 = 124.0;
    const LONG: f64 = 176.0;
    const HEIGHT: f64 = 30.0;
    let half = |count: u64| share(count, whole) * HALF;
    let (wide, narrow) = (half(before), half(after));
    let corners =
        [(MIDDLE - wide, 0.0), (MIDDLE + wide, 0.0), (MIDDLE + narrow, HEIGHT), (MIDDLE - narrow, HEIGHT)];
    let points: Vec<_> = corners.iter().map(|(x, y)| format!("{},{}", place(*x), place(*y))).collect();
    let mut from = FROM;
    let mut bars = Vec::with_capacity(off.len());
    for (class, count) in off.iter().filter(|(_, count)| *count > 0) {
        let long = (share(*count, most) * LONG).max(2.0);
        bars.push((*class, from, long));
        from += long;
    }
    html! {
        svg .piece viewBox="0 0 300 30" preserveAspectRatio="none" aria-hidden="true" {
            polygon .flow points=(points.join(" ")) {}
            @for (class, from, long) in bars { rect class=(class) x=(place(from)) y="9" width=(place(long)) height="12" {} }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn per_second(count: u64, seconds: u64) -> f64 {
    count as f64 / seconds.max(1) as f64
}

/// A place in a picture: a tenth is exact enough.
fn place(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(requests: u64, refused: u64) -> Column {
        let mut latency = Latency::default();
        latency.0[0] = requests;
        Column { requests, refused, latency, seconds: 10, ..Column::default() }
    }

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let columns = [None, Some(column(0, 0)), Some(column(1_000, 100)), Some(column(20, 0))];
        let chart = requests(&columns, 15).into_string();
        assert!(chart.contains("At most 100, last 2."), "{chart}");
        assert!(chart.contains("class=\"refused\" x=\"16\""), "{chart}");
        assert!(!chart.contains("NaN") && !chart.contains("inf"), "{chart}");
        let chart = durations(&columns, 15).into_string();
        assert!(chart.contains("95 of 100 ≤ 5 ms"), "{chart}");
        for empty in [
            requests(&[], 15),
            durations(&[None], 15),
            spark(&[0; 60], "refused", "none"),
            bar(&[("a", 0)], 0),
        ] {
            assert!(!empty.into_string().contains("NaN"));
        }
    }

    #[test]
    fn the_pipe_loses_what_was_refused() {
        let stop = |name: &str, refused| Stop { name: name.to_owned(), refused, ..Stop::default() };
        let measured = End { requests: Some(100), ..End::default() };
        let picture = road(&[stop("The wire", 10), stop("The path", 0)], measured).into_string();
        assert!(picture.contains("90 of 100 (90 %)"), "{picture}");
        assert!(picture.contains("points=\"2,0 118,0 112.2,30 7.8,30\""), "{picture}");
        assert!(!road(&[stop("The wire", 10)], End::default()).into_string().contains("Passed"));
    }

    #[test]
    fn refused_connections_are_not_taken_from_the_requests() {
        let stop = Stop { name: "Connections".to_owned(), aside: 95, ..Stop::default() };
        let end = End { requests: Some(50), connections: 95, is_least: false };
        let picture = road(std::slice::from_ref(&stop), end).into_string();
        assert!(picture.contains("50 of 50 (100 %)"), "{picture}");
        assert!(picture.contains("95 of the refused were connections"), "{picture}");
        assert!(picture.contains("<span class=\"refused\">95</span>"), "{picture}");
        let picture = road(&[stop], End { is_least: true, ..end }).into_string();
        assert!(picture.contains("Passed, at least"), "{picture}");
    }
}
