//! What the last records of the audit log say about decisions: by code, with routes, clients and times.

use std::collections::{BTreeMap, HashSet, VecDeque};

use jiff::Timestamp;
use serde_json::Value;

/// Decisions that are kept.
const MOST: usize = 20_000;
/// Bars of a sparkline.
pub(crate) const BARS: usize = 60;
/// Examples that are shown of a code.
const EXAMPLES: usize = 10;
/// Longest text that is kept of a record.
const LONGEST: usize = 200;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Refused,
    Reported,
    Changed,
}

/// A decision of the log.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    pub(crate) at: Timestamp,
    pub(crate) code: String,
    pub(crate) outcome: Outcome,
    /// The operation, or the path where none is known.
    pub(crate) route: String,
    pub(crate) client: String,
    pub(crate) request: String,
    pub(crate) subject: String,
    pub(crate) remedy: String,
    /// One, or as many as were summed up.
    count: u64,
}

impl Decision {
    /// None if a record is not about a decision.
    fn of(record: &Value) -> Option<Self> {
        let text = |name: &str| {
            let text = record.get(name).and_then(Value::as_str).unwrap_or_default();
            text.chars().take(LONGEST).collect::<String>()
        };
        let summed = record.get("summed").filter(|_| record.get("client_ip").is_some_and(Value::is_null));
        let event = summed.and_then(|summed| summed.get("event")?.as_str());
        let event = event.or_else(|| record.get("security_event")?.as_str())?;
        let outcome = match event {
            "request-refused" | "connection-refused" | "stream-ended" => Outcome::Refused,
            "request-would-be-refused"
            | "request-would-be-changed"
            | "response-would-be-changed"
            | "stream-would-be-ended"
            | "request-left-to-app" => Outcome::Reported,
            "request-changed" | "response-changed" => Outcome::Changed,
            _ => return None,
        };
        let count = summed.and_then(|summed| summed.get("count")?.as_u64()).unwrap_or(1);
        let route = Some(text("operation")).filter(|text| !text.is_empty()).unwrap_or_else(|| text("path"));
        let method = text("method");
        let route = if method.is_empty() { route } else { format!("{method} {route}") };
        Some(Self {
            at: record.get("time")?.as_str()?.parse().ok()?,
            code: text("reason"),
            outcome,
            route,
            client: text("client_ip"),
            request: text("request_id"),
            subject: text("subject"),
            remedy: record.get("remedy").and_then(Value::as_str).unwrap_or_default().to_owned(),
            count,
        })
    }
}

/// What the log says of one code.
#[derive(Debug, Default)]
pub(crate) struct OfCode<'t> {
    pub(crate) refused: u64,
    pub(crate) reported: u64,
    pub(crate) changed: u64,
    /// How often in each part of the last hour.
    pub(crate) bars: Vec<u64>,
    /// Routes with their counts, the most frequent first.
    pub(crate) routes: Vec<(&'t str, u64)>,
    /// The last ones, the newest first.
    pub(crate) last: Vec<&'t Decision>,
    pub(crate) clients: usize,
    pub(crate) since: Option<Timestamp>,
    /// Lines of configuration that change the decision, the most frequent first.
    pub(crate) remedies: Vec<(&'t str, u64)>,
}

/// The last decisions, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Traffic(VecDeque<Decision>);

impl Traffic {
    pub(crate) fn learn(&mut self, records: &[Value]) {
        for decision in records.iter().filter_map(Decision::of) {
            if self.0.len() >= MOST {
                self.0.pop_front();
            }
            self.0.push_back(decision);
        }
    }

    /// When the first that is known was decided.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        self.0.front().map(|decision| decision.at)
    }

    /// By code, of these outcomes.
    pub(crate) fn by_code(&self, outcomes: &[Outcome], now: Timestamp) -> BTreeMap<&str, OfCode<'_>> {
        let mut of: BTreeMap<&str, Vec<&Decision>> = BTreeMap::new();
        for decision in self.0.iter().filter(|decision| outcomes.contains(&decision.outcome)) {
            of.entry(&decision.code).or_default().push(decision);
        }
        of.into_iter().map(|(code, decisions)| (code, summed(&decisions, now))).collect()
    }
}

fn summed<'t>(decisions: &[&'t Decision], now: Timestamp) -> OfCode<'t> {
    let mut of = OfCode { bars: vec![0; BARS], ..OfCode::default() };
    let (mut routes, mut remedies) = (BTreeMap::new(), BTreeMap::new());
    let mut clients = HashSet::new();
    for decision in decisions {
        match decision.outcome {
            Outcome::Refused => of.refused += decision.count,
            Outcome::Reported => of.reported += decision.count,
            Outcome::Changed => of.changed += decision.count,
        }
        let minutes = usize::try_from((now.as_second() - decision.at.as_second()).max(0) / 60);
        if let Some(bar) =
            minutes.ok().and_then(|ago| BARS.checked_sub(ago + 1)).and_then(|at| of.bars.get_mut(at))
        {
            *bar += decision.count;
        }
        if !decision.route.trim().is_empty() {
            *routes.entry(decision.route.as_str()).or_default() += decision.count;
        }
        if !decision.remedy.is_empty() {
            *remedies.entry(decision.remedy.as_str()).or_default() += decision.count;
        }
        if !decision.client.is_empty() {
            clients.insert(decision.client.as_str());
        }
    }
    of.clients = clients.len();
    of.since = decisions.first().map(|decision| decision.at);
    let single = decisions.iter().rev().filter(|decision| !decision.request.is_empty());
    of.last = single.copied().take(EXAMPLES).collect();
    of.routes = most_frequent(routes);
    of.remedies = most_frequent(remedies);
    of
}

fn most_frequent(counts: BTreeMap<&str, u64>) -> Vec<(&str, u64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn decisions_are_summed_by_code_and_others_are_none() {
        let record = |event: &str, minute: u32, client: &str, route: &str| {
            json!({"time": format!("2026-11-30T16:{minute:02}:00Z"), "security_event": event, "reason": "rate-limited",
                   "client_ip": client, "method": "GET", "path": "/x/1", "operation": route, "request_id": format!("r{minute}"),
                   "remedy": "throttle.mode = \"report\""})
        };
        let mut traffic = Traffic::default();
        traffic.learn(&[
            record("request-refused", 1, "203.0.113.1", "/x/{id}"),
            record("request-refused", 59, "203.0.113.2", "/x/{id}"),
            record("request-would-be-refused", 59, "203.0.113.2", "/y"),
            record("session-ended", 59, "203.0.113.2", "/y"),
            json!({"time": "2026-11-30T16:59:30Z", "security_event": "records-summed", "reason": "rate-limited",
                   "client_ip": null, "request_id": "", "summed": {"event": "request-refused", "count": 500}}),
            json!({"time": "2026-11-30T16:59:30Z", "security_event": "records-summed", "reason": "rate-limited",
                   "client_ip": "203.0.113.2", "request_id": "", "summed": {"event": "request-refused", "count": 400}}),
        ]);
        let now: Timestamp = "2026-11-30T17:00:00Z".parse().unwrap();
        let of = &traffic.by_code(&[Outcome::Refused], now)["rate-limited"];
        assert_eq!((of.refused, of.reported, of.clients), (502, 0, 2));
        assert_eq!((of.bars[0], of.bars[BARS - 2], of.bars[BARS - 1]), (1, 1, 500));
        assert_eq!(of.routes, [("GET /x/{id}", 2)]);
        assert_eq!(of.last.iter().map(|one| one.request.as_str()).collect::<Vec<_>>(), ["r59", "r1"]);
        assert_eq!(of.remedies, [("throttle.mode = \"report\"", 2)]);
        let reported = &traffic.by_code(&[Outcome::Reported], now)["rate-limited"];
        assert_eq!((reported.reported, reported.routes[0].0), (1, "GET /y"));
    }
}
