//! Keeps the first of many similar records and counts the others.
//!
//! A refusal costs its client nothing, and its record is several times as long as the request. So
//! each kind of record (an event and a reason) has a budget for each address and one for all
//! addresses. Records beyond it are counted exactly, in a fixed amount of memory. At the end of a
//! window they are summed up in one record for the kind, and one for each of the addresses that had
//! most.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde::Serialize;

use super::{Outcome, Record};
use crate::Reason;

/// The records that are counted together.
const WINDOW: Duration = Duration::from_mins(1);
/// Records of a kind that are kept of one address in a window, and of all addresses.
const OF_ADDRESS: u64 = 100;
const OF_ALL: u64 = 500;
/// The same for failures of the app, for which no address is to blame: an app that was away for a
/// minute has not failed a thousand times.
const OF_APP: u64 = 50;
/// The same for connections, whose records say less than those of requests.
const OF_CONNECTIONS: u64 = 10;
/// Records of all kinds that are kept in a window. When they are used up, each kind still has the first few.
const OF_ALL_KINDS: u64 = 2_000;
const FEW: u64 = 20;
/// Addresses that are distinguished in a window, and those that get a summary of their own.
const ADDRESSES: usize = 8_192;
const NAMED: usize = 8;

/// Counts records, and says which are kept.
#[derive(Debug, Default)]
pub struct Sums(Mutex<State>);

/// How many records were not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summed {
    /// The event of the records.
    pub event: &'static str,
    /// How many were counted and not kept.
    pub count: u64,
    /// How many were kept.
    pub kept: u64,
    /// How long they were counted, in seconds.
    pub seconds: u64,
    /// The number of addresses, including those of kept records. Beyond 8,192 addresses of all
    /// kinds it is a lower bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addresses: Option<u64>,
}

/// Records that say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Kind {
    event: &'static str,
    reason: &'static str,
}

#[derive(Debug, Default)]
struct State {
    /// When the first record of the window came.
    began: Option<Instant>,
    kinds: HashMap<Kind, Count>,
    addresses: HashMap<(Kind, IpAddr), Count>,
    kept: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    kept: u64,
    summed: u64,
}

impl Sums {
    /// Whether a record is kept. If not, it is counted.
    pub fn keeps(&self, record: &Record, now: Instant) -> bool {
        // What has succeeded is what an incident is asked about: however many others there are, it is kept.
        if record.outcome == Some(Outcome::Success) || !is_summed(record.security_event) {
            return true;
        }
        let kind = Kind { event: record.security_event, reason: record.reason };
        self.state().take(kind, record.client_ip, true, now)
    }

    /// Counts a decision that a recent record has covered.
    pub fn count(&self, event: &'static str, reason: Reason, address: Option<IpAddr>, now: Instant) {
        let kind = Kind { event, reason: reason.code() };
        self.state().take(kind, address, false, now);
    }

    /// Returns the sums if the window is over or this is the end, and begins a new window. The
    /// records have this time.
    pub fn read(&self, now: Instant, time: Timestamp, is_end: bool) -> Vec<Record> {
        let mut state = self.state();
        let Some(lasted) = state.began.map(|began| now.saturating_duration_since(began)) else {
            return Vec::new();
        };
        if !is_end && lasted < WINDOW {
            return Vec::new();
        }
        let over = std::mem::take(&mut *state);
        drop(state);
        over.told(lasted, time)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, kind: Kind, address: Option<IpAddr>, is_wanted: bool, now: Instant) -> bool {
        self.began.get_or_insert(now);
        let of_kind = self.kinds.entry(kind).or_default();
        let address = address.map(|address| (kind, customer(address)));
        let is_known = address.is_none_or(|address| self.addresses.contains_key(&address));
        let mut unknown = Count::default();
        // Addresses beyond that number are limited together.
        let of_address = match address {
            Some(address) if is_known || self.addresses.len() < ADDRESSES => {
                self.addresses.entry(address).or_default()
            }
            _ => &mut unknown,
        };
        let (each, all) = budget(kind);
        let has_room = of_kind.kept < FEW.min(all) || (of_kind.kept < all && self.kept < OF_ALL_KINDS);
        let is_kept = is_wanted && has_room && of_address.kept < each;
        for count in [of_kind, of_address] {
            *(if is_kept { &mut count.kept } else { &mut count.summed }) += 1;
        }
        self.kept += u64::from(is_kept);
        is_kept
    }

    /// One record for each kind with records that were not kept, and one for each of the addresses
    /// that had most.
    fn told(self, lasted: Duration, time: Timestamp) -> Vec<Record> {
        let seconds = lasted.as_secs() + u64::from(lasted.subsec_nanos() > 0);
        let mut kinds: Vec<_> = self.kinds.into_iter().filter(|(_, count)| count.summed > 0).collect();
        kinds.sort_unstable_by_key(|(kind, _)| (kind.reason, kind.event));
        let mut records = Vec::new();
        for (kind, of_kind) in kinds {
            let mut of_it: Vec<_> = self.addresses.iter().filter(|((of, _), _)| *of == kind).collect();
            let addresses = u64::try_from(of_it.len()).ok().filter(|addresses| *addresses > 0);
            of_it.retain(|(_, count)| count.summed > 0);
            of_it.sort_unstable_by_key(|((_, address), count)| (u64::MAX - count.summed, *address));
            let told = |address: Option<IpAddr>, count: Count, addresses| {
                let Count { kept, summed } = count;
                Record::of_sum(
                    address,
                    kind.reason,
                    Summed { event: kind.event, count: summed, kept, seconds, addresses },
                    time,
                )
            };
            records.push(told(None, of_kind, addresses));
            records.extend(
                of_it.into_iter().take(NAMED).map(|((_, address), count)| told(Some(*address), *count, None)),
            );
        }
        records
    }
}

/// Rare events and sums are always kept.
fn is_summed(event: &str) -> bool {
    !matches!(
        event,
        "client-banned"
            | "client-would-be-banned"
            | "ban-lifted"
            | "quota-warning"
            | "quota-reset"
            | "store-unavailable"
            | "store-recovered"
            | "throttle-usage"
            | "records-summed"
            | "operator-acted"
            | "configuration-refused"
            | "app-event"
            | "app-events-lost"
    )
}

/// How many records of a kind are kept of an address, and of all.
fn budget(kind: Kind) -> (u64, u64) {
    let is_apps = ["app-unavailable", "app-busy", "app-closed", "app-timeout", "app-invalid-response"]
        .contains(&kind.reason);
    match kind.event {
        "connection-refused" => (OF_CONNECTIONS, OF_ALL),
        _ if is_apps => (OF_APP, OF_APP),
        _ => (OF_ADDRESS, OF_ALL),
    }
}

/// An IPv4 address, or the smallest IPv6 network of one customer (RFC 6177).
fn customer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Timestamp = Timestamp::UNIX_EPOCH;

    fn record(address: IpAddr, reason: Reason) -> Record {
        Record { security_event: "request-refused", ..Record::of_connection(Some(address), reason, TIME) }
    }

    /// `address event reason count kept` of each summary.
    fn lines(records: &[Record]) -> Vec<String> {
        let line = |record: &Record| {
            let summed = record.summed.as_ref().unwrap();
            let address = record.client_ip.map_or_else(|| "all".to_owned(), |address| address.to_string());
            format!("{address} {} {} {} {}", summed.event, record.reason, summed.count, summed.kept)
        };
        records.iter().map(line).collect()
    }

    #[test]
    fn the_first_of_an_address_are_kept_and_the_others_counted() {
        let (sums, now) = (Sums::default(), Instant::now());
        let (loud, quiet) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let kept =
            |address, reason, count| (0..count).filter(|_| sums.keeps(&record(address, reason), now)).count();
        assert_eq!(kept(loud, Reason::PathDotSegment, 100_000), 100);
        assert_eq!(kept(quiet, Reason::PathDotSegment, 100), 100);
        assert_eq!(kept(loud, Reason::HostUnknown, 100), 100, "another reason has a budget of its own");
        assert!(sums.read(now + Duration::from_secs(59), TIME, false).is_empty());
        let told = sums.read(now + WINDOW, TIME, false);
        let expected = [
            "all request-refused path-dot-segment 99900 200",
            "192.0.2.1 request-refused path-dot-segment 99900 100",
        ];
        assert_eq!(lines(&told), expected);
        assert_eq!(told[0].summed.as_ref().unwrap().addresses, Some(2));
        assert!(told.iter().all(|record| record.security_event == "records-summed"));
        assert_eq!(kept(loud, Reason::PathDotSegment, 200), 100, "a new window has new budgets");
    }

    #[test]
    fn many_addresses_and_kinds_are_bounded_together_and_counted_exactly() {
        let (sums, now) = (Sums::default(), Instant::now());
        let mut kept = 0;
        for round in 0..10_u32 {
            for number in 0..10_000_u32 {
                let address = IpAddr::V4((0x0a00_0000 + number).into());
                kept += u64::from(sums.keeps(&record(address, Reason::PathDotSegment), now));
                let reason = Reason::ALL[usize::try_from(round * 7 + number).unwrap() % Reason::ALL.len()];
                kept += u64::from(sums.keeps(&record(address, reason), now));
            }
        }
        let state = sums.state();
        let seen: u64 = state.kinds.values().map(|count| count.kept + count.summed).sum();
        assert_eq!((seen, state.kept), (200_000, kept));
        assert!(kept < OF_ALL_KINDS + FEW * Reason::ALL.len() as u64, "{kept}");
        assert!(state.kinds.values().all(|count| count.kept >= FEW), "of each kind there are examples");
        assert!(state.addresses.len() <= ADDRESSES);
        drop(state);
        let told = sums.read(now, TIME, true);
        assert!(told.len() <= Reason::ALL.len() * (NAMED + 1), "{}", told.len());
        let count: u64 = told
            .iter()
            .filter(|record| record.client_ip.is_none())
            .map(|record| record.summed.as_ref().unwrap().count)
            .sum();
        assert_eq!(count + kept, 200_000);
        assert!(sums.read(now, TIME, true).is_empty());
    }

    #[test]
    fn customers_of_ipv6_are_one_and_what_is_repeated_is_counted() {
        let (sums, now) = (Sums::default(), Instant::now());
        let kept = (0..1_000_u32).filter(|number| {
            let address = Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) + u128::from(*number));
            sums.keeps(&record(address.into(), Reason::RouteUnknown), now)
        });
        assert_eq!(kept.count(), 100);
        sums.count("request-refused", Reason::RateLimited, None, now);
        let expected = [
            "all request-refused rate-limited 1 0",
            "all request-refused route-unknown 900 100",
            "2001:db8:: request-refused route-unknown 900 100",
        ];
        assert_eq!(lines(&sums.read(now, TIME, true)), expected);
    }

    #[test]
    fn of_a_flood_of_logins_each_that_succeeded_is_kept() {
        let (sums, now) = (Sums::default(), Instant::now());
        let address = Some([192, 0, 2, 1].into());
        let login = |event, outcome| Record {
            security_event: event,
            reason: event,
            outcome: Some(outcome),
            ..Record::of_connection(address, Reason::InternalError, TIME)
        };
        let failed = login("login-failed", Outcome::Failure);
        let succeeded = login("login-succeeded", Outcome::Success);
        let kept = |record: &Record, count| (0..count).filter(|_| sums.keeps(record, now)).count();
        assert_eq!(kept(&failed, 50_000), 100);
        assert_eq!(kept(&succeeded, 50_000), 50_000);
        assert_eq!(kept(&failed, 50_000), 0);
        let expected =
            ["all login-failed login-failed 99900 100", "192.0.2.1 login-failed login-failed 99900 100"];
        assert_eq!(lines(&sums.read(now, TIME, true)), expected);
    }

    #[test]
    fn what_is_rare_is_always_kept() {
        let (sums, now) = (Sums::default(), Instant::now());
        let ban = Record::of_lifted("192.0.2.1", TIME);
        assert!((0..1_000).all(|_| sums.keeps(&ban, now)));
        assert!(sums.read(now, TIME, true).is_empty());
    }
}
