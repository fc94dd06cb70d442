//! What the records of use say together.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mantlet_controls::throttle::usage::{Clients, Counts, Summary};
use serde::Deserialize;

const EVENT: &str = "throttle-usage";

/// Lines by what they are.
#[derive(Debug, Default)]
pub(super) struct Sum {
    rules: BTreeMap<Id, Use>,
    /// Lines that are no records.
    pub(super) unknown: u64,
}

/// What may be added up.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Id {
    rule: String,
    is_configured: bool,
    key: Vec<String>,
    window: u64,
    counts_failures: bool,
}

/// The use of one rule.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) rule: String,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// The last window: the rule is there as it was then.
    pub(super) latest: Summary,
    pub(super) windows: u64,
    /// Those that ended with the process.
    pub(super) cut_short: u64,
    /// Seconds of all.
    pub(super) seconds: u64,
    pub(super) legitimate: Clients,
    pub(super) others: Clients,
    /// Most clients in one window.
    pub(super) most_at_once: u64,
    /// By rate and burst.
    refused: BTreeMap<String, Refused>,
}

/// What would have been refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) requests: u64,
    pub(super) legitimate: u64,
    pub(super) others: u64,
}

#[derive(Deserialize)]
struct Line {
    time: Timestamp,
    subject: String,
    usage: Summary,
}

#[derive(Deserialize)]
struct Event {
    security_event: String,
}

impl Sum {
    /// Takes a line. One without an end may be half written.
    pub(super) fn take(&mut self, line: &[u8], is_whole: bool) {
        if line.is_empty() {
            return;
        }
        // Of nearly all lines nothing more is read.
        if memchr::memmem::find(line, EVENT.as_bytes()).is_none() {
            self.unknown += u64::from(is_whole && !line.starts_with(b"{"));
        } else if let Ok(line) = serde_json::from_slice::<Line>(line) {
            self.add(line);
        } else {
            let names_another =
                serde_json::from_slice::<Event>(line).is_ok_and(|line| line.security_event != EVENT);
            self.unknown += u64::from(is_whole && !names_another);
        }
    }

    fn add(&mut self, line: Line) {
        let Line { time, subject, usage } = line;
        // A record is written when its window is over.
        let lasted = SignedDuration::from_secs(i64::try_from(usage.seconds).unwrap_or_default());
        let began = time.checked_sub(lasted).unwrap_or(time);
        let id = Id {
            rule: subject.clone(),
            is_configured: usage.rule.is_some(),
            key: usage.key.clone(),
            window: usage.window,
            counts_failures: usage.counts == Counts::Failures,
        };
        let sum = self.rules.entry(id).or_insert_with(|| Use {
            rule: subject,
            first: began,
            last: time,
            latest: usage.clone(),
            windows: 0,
            cut_short: 0,
            seconds: 0,
            legitimate: Clients::default(),
            others: Clients::default(),
            most_at_once: 0,
            refused: BTreeMap::new(),
        });
        sum.windows += 1;
        sum.cut_short += u64::from(usage.seconds < usage.window);
        sum.seconds = sum.seconds.saturating_add(usage.seconds);
        sum.legitimate.merge(&usage.legitimate);
        sum.others.merge(&usage.others);
        sum.most_at_once = sum.most_at_once.max(usage.legitimate.keys);
        let refused = sum.refused.entry(configured(&usage)).or_default();
        refused.requests = refused.requests.saturating_add(usage.refused);
        refused.legitimate = refused.legitimate.saturating_add(usage.legitimate.refused);
        refused.others = refused.others.saturating_add(usage.others.refused);
        sum.first = sum.first.min(began);
        if time >= sum.last {
            sum.last = time;
            sum.latest = usage;
        }
    }

    /// The rules as they are now, the general rate first, then those of the configuration; and how
    /// many windows are of what they were before.
    pub(super) fn rules(&self) -> (Vec<&Use>, u64) {
        let mut latest: Vec<&Use> = Vec::new();
        let mut left = 0;
        for one in self.rules.values() {
            let is_same = |known: &&mut &Use| {
                known.rule == one.rule && known.latest.rule.is_some() == one.latest.rule.is_some()
            };
            match latest.iter_mut().find(is_same) {
                Some(known) => {
                    let (newer, older) = if one.last > known.last { (one, *known) } else { (*known, one) };
                    left += older.windows;
                    *known = newer;
                }
                None => latest.push(one),
            }
        }
        latest.sort_by_key(|one| (one.rank(), one.rule.clone()));
        (latest, left)
    }
}

impl Use {
    /// The general rate, then what can be configured, then what is sensitive.
    fn rank(&self) -> u8 {
        match (&self.latest.rule, self.is_general()) {
            (None, true) => 0,
            (Some(_), _) => 1,
            (None, false) => 2,
        }
    }

    /// The general rate of clients.
    pub(super) fn is_general(&self) -> bool {
        self.latest.rule.is_none() && self.rule == "client"
    }

    /// What the rule, as it is now, would have refused.
    pub(super) fn refused(&self) -> Refused {
        self.refused.get(&configured(&self.latest)).copied().unwrap_or_default()
    }
}

fn configured(usage: &Summary) -> String {
    format!("{} {}", usage.rate, usage.burst)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(time: &str, rule: &str, rate: &str, window: u64, refused: u64) -> String {
        format!(
            r#"{{"time":"{time}","security_event":"throttle-usage","subject":"{rule}","usage":{{"window":{window},"seconds":{window},
            "key":["ip"],"counts":"requests","rate":"{rate}","burst":4,"refused":{refused},
            "legitimate":{{"keys":3,"refused":1,"most":9,"peak":2,"requests":[[3,2],[10,1]],"peaks":[[2,3]]}},
            "others":{{"keys":0,"refused":0,"most":0,"peak":0,"requests":[],"peaks":[]}}}}}}"#
        )
        .replace('\n', "")
    }

    #[test]
    fn records_are_added_up_and_what_is_none_is_counted() {
        let mut sum = Sum::default();
        let mut take = |text: &str| sum.take(text.as_bytes(), true);
        take(&line("2026-11-24T06:01:00Z", "client", "100/s", 60, 5));
        take(&line("2026-11-24T06:03:00Z", "client", "50/s", 60, 7));
        // Out of order, as files are.
        take(&line("2026-11-24T06:02:00Z", "client", "50/s", 60, 1));
        take(r#"{"time":"2026-11-24T06:02:00Z","security_event":"request-refused","subject":"throttle"}"#);
        take(r#"{"security_event":"request-refused","path":"/throttle-usage"}"#);
        take("");
        take("not a record");
        take(r#"{"security_event":"throttle-usage"}"#);
        take("\u{fffd}\u{0}");
        let torn = line("2026-11-24T06:04:00Z", "client", "50/s", 60, 0);
        sum.take(&torn.as_bytes()[..200], false);
        sum.take(b"to", false);
        assert_eq!(sum.unknown, 3);
        let (rules, left) = sum.rules();
        assert_eq!((rules.len(), left), (1, 0));
        let client = rules[0];
        assert_eq!((client.windows, client.cut_short, client.seconds), (3, 0, 180));
        assert_eq!((client.legitimate.keys, client.legitimate.requests.total()), (9, 9));
        assert_eq!(client.legitimate.requests.percentile(999), 10);
        // Only by the rate that it has now.
        assert_eq!(client.refused(), Refused { requests: 8, legitimate: 2, others: 0 });
        assert_eq!(
            (client.first.to_string(), client.last.to_string()),
            ("2026-11-24T06:00:00Z".to_owned(), "2026-11-24T06:03:00Z".to_owned())
        );
    }

    #[test]
    fn what_a_rule_was_before_is_left_out() {
        let mut sum = Sum::default();
        for (time, window) in [("06:01", 60), ("06:02", 60), ("07:00", 900), ("06:03", 60)] {
            sum.take(line(&format!("2026-11-24T{time}:00Z"), "client", "9/m", window, 0).as_bytes(), true);
        }
        sum.take(line("2026-11-24T06:00:00Z", "before", "9/m", 60, 0).as_bytes(), true);
        let (rules, left) = sum.rules();
        let seen: Vec<_> = rules.iter().map(|one| (one.rule.as_str(), one.latest.window)).collect();
        assert_eq!((seen, left), (vec![("client", 900), ("before", 60)], 3));
    }
}
