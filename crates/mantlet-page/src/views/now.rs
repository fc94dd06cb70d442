//! *Now*: what passes, what does not, how long it takes, and whether all is well.

use maud::{Markup, html};

use crate::{
    chart::{self, End, Stop},
    figures::{History, Operation, Sample, UpTo, is_of_requests},
    frame::note,
    reasons,
    text::{amount, number, percent, rate, shown, span},
};

/// Columns of the charts, and seconds that each is about.
const COLUMNS: usize = 90;
const SECONDS: i64 = 10;
const MINUTES: i64 = 15;
/// Operations that are listed: those with the most requests.
const OPERATIONS: usize = 12;

/// The stops of the road in its order, as the page of reasons calls them, and what they are called here.
const ROAD: [(&str, &str); 14] = [
    ("Connections", "Connections"),
    ("The wire", "Wire"),
    ("The path", "Path"),
    ("The host and the channel", "Host and channel"),
    ("Foreign pages", "Foreign pages"),
    ("Rates", "Rates and bans"),
    ("Credentials", "Credentials and rights"),
    ("The contract", "Contract"),
    ("Limits", "Limits"),
    ("Forms and compressed bodies", "Forms and bodies"),
    ("The app", "The app fails"),
    ("Responses", "Responses"),
    ("Cookies", "Cookies"),
    ("Mantlet", "Mantlet itself"),
];

pub(crate) fn view(history: &History, now: i64) -> Markup {
    let sample = history.last();
    let columns = history.columns(COLUMNS, SECONDS);
    html! {
        div #figures data-part { (figures(history, now)) }
        @if sample.is_measured {
            section aria-labelledby="flow" {
                h2 #flow { "The last " (MINUTES) " minutes" }
                div #charts data-part .charts {
                    (chart::requests(&columns, MINUTES))
                    (chart::durations(&columns, MINUTES))
                }
            }
        } @else {
            (note("Requests are not measured, so there are no rates and no times. One line switches that on; it also opens a port for Prometheus on this machine. Restart Mantlet after it:"))
            (crate::frame::difference("metrics.listen = \"127.0.0.1:9464\""))
        }
        section aria-labelledby="stops" {
            h2 #stops { "The road" }
            div #road data-part .scroll tabindex="0" role="region" aria-label="Stops of the road" { (chart::road(&stops(sample), end(sample))) }
        }
        @if sample.is_measured {
            section aria-labelledby="busy" {
                h2 #busy { "Operations" }
                div #operations data-part { (operations(sample)) }
            }
        }
    }
}

/// What a person looks at first.
fn figures(history: &History, now: i64) -> Markup {
    let sample = history.last();
    let (short, long) = (history.recent(20), history.recent(300));
    let a_second = |count: u64, seconds: u64| rate(per(count, seconds));
    let of = |permille| long.and_then(|column| column.latency.percentile(permille)).map(UpTo::told);
    html! {
        dl .figures {
            @if sample.is_measured {
                (figure("Requests a second", &short.map_or_else(|| "…".to_owned(), |column| a_second(column.requests, column.seconds)), "last 20 s", ""))
                @for (name, permille) in [("Half take", 500), ("95 of 100 take", 950), ("99 of 100 take", 990)] {
                    (figure(name, &of(permille).unwrap_or_else(|| "–".to_owned()), "last 5 min", ""))
                }
                @let errors = long.map_or(0, |column| column.errors);
                (figure("App errors", &percent(errors, long.map_or(0, |column| column.requests)), "last 5 min", if errors > 0 { "bad" } else { "" }))
            }
            (figure("Requests refused", &long.map_or_else(|| "…".to_owned(), |column| number(column.refused)), "last 5 min", ""))
            @if let Some(column) = long.filter(|column| column.connections > 0) {
                (figure("Connections refused", &number(column.connections), "last 5 min", ""))
            }
            @if let Some(active) = sample.active { (figure("Under way", &number(active), "requests", "")) }
            @if let Some(connections) = sample.connections { (figure("Connections", &number(connections), "of clients", "")) }
            @if let Some(sessions) = sample.sessions { (figure("Sessions", &number(sessions), "open", "")) }
            @if let Some(bans) = sample.bans { (figure("Bans", &number(bans), "addresses", "")) }
            @if let Some(restarts) = sample.restarts { (figure("Crashes of the app", &number(restarts), "since the start", if restarts > 0 { "bad" } else { "" })) }
            @if let Some(lost) = sample.lost.filter(|lost| *lost > 0) { (figure("Records lost", &number(lost), "since the start", "bad")) }
            @if let Some(sealed) = sample.sealed_at.and_then(|at| i64::try_from(at).ok()) {
                (figure("Log sealed", &span(now - sealed), "ago", if now - sealed > 1_200 { "bad" } else { "" }))
            }
            @if let Some(ends) = sample.certificate_ends.and_then(|at| i64::try_from(at).ok()) {
                (figure("Certificate", &span(ends - now), "left", if ends - now < 14 * 86_400 { "bad" } else { "" }))
            }
            @if let Some(is_up) = sample.store_is_up {
                (figure("Store", if is_up { "up" } else { "down" }, "of shared counters", if is_up { "" } else { "bad" }))
            }
        }
    }
}

fn per(count: u64, seconds: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
        / f64::from(u32::try_from(seconds.max(1)).unwrap_or(1))
}

fn figure(name: &str, value: &str, about: &str, class: &str) -> Markup {
    html! { div class=(class) { dt { (name) } dd { b { (value) } " " small { (about) } } } }
}

fn stops(sample: &Sample) -> Vec<Stop> {
    let stops = ROAD.iter().map(|(stop, name)| {
        let codes = sample
            .decided
            .iter()
            .filter(|(code, _)| reasons::of(code).map_or("Mantlet", |paragraph| paragraph.stop) == *stop);
        codes.fold(Stop { name: (*name).to_owned(), ..Stop::default() }, |sum, (code, decided)| {
            let (refused, aside) =
                if is_of_requests(code) { (decided.refused, 0) } else { (0, decided.refused) };
            Stop {
                refused: sum.refused + refused,
                aside: sum.aside + aside,
                reported: sum.reported + decided.reported,
                changed: sum.changed + decided.changed,
                ..sum
            }
        })
    });
    stops.collect()
}

fn end(sample: &Sample) -> End {
    End {
        requests: sample.is_measured.then_some(sample.requests),
        connections: sample.refused_connections(),
        is_least: sample.may_have_ended_streams(),
    }
}

fn operations(sample: &Sample) -> Markup {
    let mut rows: Vec<(&String, &Operation)> = sample.operations.iter().collect();
    rows.sort_by_key(|(_, operation)| std::cmp::Reverse(operation.requests));
    let most = rows.first().map_or(0, |(_, operation)| operation.requests);
    let left = rows.len().saturating_sub(OPERATIONS);
    html! {
        div .scroll tabindex="0" role="region" aria-label="Operations" { table {
            caption { "Requests since the gate started, the busiest operations first" }
            thead { tr {
                th scope="col" { "Operation" }
                th scope="col" .wide { span .visually-hidden { "Picture of its share" } }
                th scope="col" .number { "Requests" }
                th scope="col" .number { "Errors" }
                th scope="col" .number { "Half take" }
                th scope="col" .number { "95 of 100" }
                th scope="col" .number { "99 of 100" }
            } }
            tbody {
                @for (name, operation) in rows.iter().take(OPERATIONS) {
                    tr {
                        th scope="row" { @if name.is_empty() { i { "not known" } } @else { code { (shown(name)) } } }
                        td .wide { (chart::bar(&[("errors", operation.errors), ("passed", operation.requests - operation.errors.min(operation.requests))], most)) }
                        td .number { (number(operation.requests)) }
                        td .number { @if operation.errors > 0 { span .refused { (number(operation.errors)) } } @else { span .none { "0" } } }
                        @for permille in [500, 950, 990] {
                            td .number { (operation.latency.percentile(permille).map_or_else(|| "–".to_owned(), UpTo::told)) }
                        }
                    }
                }
                @if rows.is_empty() { tr { td colspan="7" { "No request yet." } } }
            }
        } }
        @if left > 0 { p .faint { "And " (amount(u64::try_from(left).unwrap_or_default(), "operation")) " with fewer requests: " code { "mantlet metrics" } "." } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_road_has_each_stop_of_the_page_of_reasons() {
        let road: Vec<_> = ROAD.iter().map(|(stop, _)| *stop).collect();
        let known: Vec<_> = reasons::stops().collect();
        assert!(known.iter().all(|stop| road.contains(stop)), "{known:?}");
        assert!(road.iter().all(|stop| known.contains(stop)), "{known:?}");
    }

    #[test]
    fn each_decision_is_at_one_stop() {
        let text = "mantlet_decisions_total{code=\"path-dot-segment\",outcome=\"refused\"} 3\n\
                    mantlet_decisions_total{code=\"rate-limited\",outcome=\"reported\"} 2\n\
                    mantlet_decisions_total{code=\"of-another-version\",outcome=\"refused\"} 1\n";
        let stops = stops(&Sample::read(text, false));
        let of = |name: &str| stops.iter().find(|stop| stop.name == name).unwrap().clone();
        assert_eq!(
            (of("Path").refused, of("Rates and bans").reported, of("Mantlet itself").refused),
            (3, 2, 1)
        );
        assert_eq!(stops.iter().map(|stop| stop.refused).sum::<u64>(), 4);
    }

    #[test]
    fn refused_connections_and_what_ends_later_take_nothing_from_the_requests() {
        let text = "http_server_request_duration_seconds_count{http_request_method=\"GET\",http_response_status_code=\"200\"} 50\n\
                    mantlet_decisions_total{code=\"too-many-connections\",outcome=\"refused\"} 95\n\
                    mantlet_decisions_total{code=\"websocket-message-too-large\",outcome=\"refused\"} 3\n";
        let sample = Sample::read(text, true);
        let road = chart::road(&stops(&sample), end(&sample)).into_string();
        assert!(road.contains("50 of 50 (100 %)"), "{road}");
        assert!(road.contains("95 of the refused were connections"), "{road}");
        assert!(road.contains("<span class=\"refused\">98</span>"), "{road}");
        let ended =
            format!("{text}mantlet_decisions_total{{code=\"session-ended\",outcome=\"refused\"}} 1\n");
        let sample = Sample::read(&ended, true);
        let road = chart::road(&stops(&sample), end(&sample)).into_string();
        assert!(road.contains("Passed, at least") && road.contains("49 of 50"), "{road}");
    }
}
