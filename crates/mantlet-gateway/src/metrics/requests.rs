//! How long requests took: a histogram for each method, operation, status and error.
//!
//! Each thread has counters of its own, which it finds in a table of its own. So a request waits for no
//! other thread, and allocates nothing. Only the first request of a thread with some labels does both.

use std::{
    array,
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use http::{Method, StatusCode};
use mantlet_controls::call::trace::{SpanId, TraceId};

/// Upper bounds of the buckets in microseconds, as OpenTelemetry's conventions for HTTP have them.
const BOUNDS: [u64; 14] = [
    5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000, 1_000_000, 2_500_000,
    5_000_000, 7_500_000, 10_000_000,
];
const BUCKETS: usize = BOUNDS.len() + 1;
/// Series with an operation, at most. Further requests are counted without it.
const MOST: usize = 4096;

/// The labels of a series. Each comes from us, from the contract or from the app; none from a client.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Labels {
    pub(crate) method: &'static str,
    /// The path template of the operation, if it is known.
    pub(crate) route: Option<Arc<str>>,
    pub(crate) status: u16,
    /// Our own code, if the gate has failed the request.
    pub(crate) error: Option<&'static str>,
}

/// What of the labels of a request is not its operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    method: &'static str,
    status: u16,
    error: Option<&'static str>,
}

/// One request of a bucket, whose trace is recorded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exemplar {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) took: Duration,
    pub(crate) at: SystemTime,
}

/// A histogram of durations.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram {
    counts: [u64; BUCKETS],
    pub(crate) sum: Duration,
    exemplars: [Option<Exemplar>; BUCKETS],
}

impl Histogram {
    /// Each bound with the number of requests that took no longer; and the number of all.
    pub(crate) fn cumulated(&self) -> (impl Iterator<Item = (Duration, u64)>, u64) {
        let counts = self.counts;
        let up_to = BOUNDS.into_iter().zip(counts).scan(0, |sum, (bound, count)| {
            *sum += count;
            Some((Duration::from_micros(bound), *sum))
        });
        (up_to, counts.iter().sum())
    }

    /// A recorded request of each bucket, the last one without a bound; none if there was none.
    pub(crate) fn exemplars(&self) -> impl Iterator<Item = Option<&Exemplar>> {
        self.exemplars.iter().map(Option::as_ref)
    }

    fn add(&mut self, cells: &Cells) {
        for (sum, count) in self.counts.iter_mut().zip(&cells.counts) {
            *sum += count.load(Relaxed);
        }
        self.sum += Duration::from_nanos(cells.nanos.load(Relaxed));
        let Some(of_thread) = cells.exemplars.get() else { return };
        for (known, cell) in self.exemplars.iter_mut().zip(of_thread.iter()) {
            let other = *lock(cell);
            if other.as_ref().map(|one| one.at) > known.as_ref().map(|one| one.at) {
                *known = other;
            }
        }
    }
}

/// The counters of one thread for one series. Aligned, so that threads share no line of the cache.
#[derive(Debug)]
#[repr(align(64))]
struct Cells {
    counts: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
    /// Made with the first request that is recorded.
    exemplars: OnceLock<Box<[Mutex<Option<Exemplar>>; BUCKETS]>>,
}

impl Cells {
    fn new() -> Self {
        Self {
            counts: array::from_fn(|_| AtomicU64::new(0)),
            nanos: AtomicU64::new(0),
            exemplars: OnceLock::new(),
        }
    }

    fn add(&self, took: Duration, traced: Option<(TraceId, SpanId)>) {
        let place = BOUNDS.partition_point(|bound| Duration::from_micros(*bound) < took);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Relaxed);
        }
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        if let Some((trace, span)) = traced {
            let all = self.exemplars.get_or_init(Box::default);
            if let Some(cell) = all.get(place) {
                // Only a scrape may hold it, for a moment.
                *lock(cell) = Some(Exemplar { trace, span, took, at: SystemTime::now() });
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one thread has counted of requests to one operation, or to none.
type OfRoute = Vec<(Kind, Arc<Cells>)>;

/// What one thread has found before. A thread serves one gate in its life.
#[derive(Default)]
struct Own {
    routes: HashMap<Box<str>, OfRoute>,
    /// Without an operation.
    elsewhere: OfRoute,
}

thread_local! {
    static OWN: RefCell<Own> = RefCell::default();
}

impl Own {
    fn find(&self, route: Option<&str>, kind: Kind) -> Option<&Arc<Cells>> {
        let of_route = route.map_or(Some(&self.elsewhere), |route| self.routes.get(route))?;
        of_route.iter().find(|(own, _)| *own == kind).map(|(_, cells)| cells)
    }

    fn make(&mut self, requests: &Requests, route: Option<&str>, kind: Kind) -> Arc<Cells> {
        let Kind { method, status, error } = kind;
        let labels = Labels { method, route: route.map(Arc::from), status, error };
        let cells = requests.begin(labels).unwrap_or_else(|| {
            let found = self.find(None, kind).map(Arc::clone);
            found.unwrap_or_else(|| self.make(requests, None, kind))
        });
        let of_route = match route {
            Some(route) => self.routes.entry(route.into()).or_default(),
            None => &mut self.elsewhere,
        };
        of_route.push((kind, Arc::clone(&cells)));
        cells
    }
}

/// How long requests took.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// For each series, the counters of all threads.
    series: Mutex<BTreeMap<Labels, Vec<Arc<Cells>>>>,
}

impl Requests {
    /// A request got the head of its response after so long. The gate may have failed it with a code of ours,
    /// and its trace may be recorded.
    pub(crate) fn took(
        &self,
        (method, route): (&Method, Option<&str>),
        (status, error): (StatusCode, Option<&'static str>),
        took: Duration,
        traced: Option<(TraceId, SpanId)>,
    ) {
        let kind = Kind { method: self::method(method), status: status.as_u16(), error };
        OWN.with_borrow_mut(|own| match own.find(route, kind) {
            Some(cells) => cells.add(took, traced),
            None => own.make(self, route, kind).add(took, traced),
        });
    }

    /// Counters for the calling thread; none if there are too many series with an operation.
    fn begin(&self, labels: Labels) -> Option<Arc<Cells>> {
        let mut series = self.series();
        // Those without are few: known methods, and statuses that the gate and the app send.
        if labels.route.is_some() && series.len() >= MOST && !series.contains_key(&labels) {
            return None;
        }
        let cells = Arc::new(Cells::new());
        series.entry(labels).or_default().push(Arc::clone(&cells));
        Some(cells)
    }

    /// All series, those of all threads added up.
    pub(crate) fn read(&self) -> Vec<(Labels, Histogram)> {
        let added = |cells: &Vec<Arc<Cells>>| {
            let mut sum = Histogram::default();
            for cells in cells {
                sum.add(cells);
            }
            sum
        };
        self.series().iter().map(|(labels, cells)| (labels.clone(), added(cells))).collect()
    }

    fn series(&self) -> MutexGuard<'_, BTreeMap<Labels, Vec<Arc<Cells>>>> {
        lock(&self.series)
    }
}

/// The methods of RFC 9110 and RFC 5789; all others are one.
pub(crate) fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::CONNECT => "CONNECT",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::PATCH => "PATCH",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(requests: &Requests) -> u64 {
        requests.read().iter().map(|(_, histogram)| histogram.cumulated().1).sum()
    }

    #[test]
    fn a_request_is_in_each_bucket_that_it_fits() {
        let requests = Requests::default();
        for millis in [0, 5, 6, 10_000, 10_001] {
            let took = Duration::from_millis(millis);
            requests.took((&Method::GET, Some("/a/{id}")), (StatusCode::OK, None), took, None);
        }
        let read = requests.read();
        let [(labels, histogram)] = &read[..] else { panic!("one series: {read:?}") };
        assert_eq!((labels.method, labels.route.as_deref(), labels.status), ("GET", Some("/a/{id}"), 200));
        let (up_to, all) = histogram.cumulated();
        let counts: Vec<_> = up_to.map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4]);
        assert_eq!((all, histogram.sum), (5, Duration::from_millis(20_012)));
    }

    #[test]
    fn made_up_methods_are_one_and_threads_are_added_up() {
        let requests = Requests::default();
        std::thread::scope(|scope| {
            for number in 0..4 {
                let requests = &requests;
                scope.spawn(move || {
                    for turn in 0..1_000 {
                        let method = Method::from_bytes(format!("M{number}X{turn}").as_bytes()).unwrap();
                        let answer = (StatusCode::NOT_FOUND, None);
                        requests.took((&method, None), answer, Duration::ZERO, None);
                    }
                });
            }
        });
        let read = requests.read();
        assert_eq!((read.len(), counted(&requests)), (1, 4_000));
        assert_eq!(read[0].0, Labels { method: "_OTHER", route: None, status: 404, error: None });
    }

    #[test]
    fn series_are_bounded_and_no_request_is_lost() {
        let requests = Requests::default();
        for _ in 0..2 {
            for number in 0..5_000 {
                let route = format!("/{number}");
                let answer = (StatusCode::OK, None);
                requests.took((&Method::GET, Some(&route)), answer, Duration::ZERO, None);
            }
        }
        assert_eq!((requests.read().len(), counted(&requests)), (MOST + 1, 10_000));
        let without = requests.read().into_iter().find(|(labels, _)| labels.route.is_none()).unwrap();
        assert_eq!(without.1.cumulated().1, 2 * (5_000 - 4_096));
    }

    #[test]
    fn each_bucket_keeps_its_last_recorded_request() {
        let requests = Requests::default();
        let took = |millis, trace: Option<u8>| {
            let traced = trace.map(|trace| ([trace; 16], [trace; 8]));
            let answer = (StatusCode::OK, None);
            requests.took((&Method::GET, None), answer, Duration::from_millis(millis), traced);
        };
        took(1, Some(1));
        took(2, Some(2));
        took(3, None);
        took(20_000, Some(3));
        std::thread::scope(|scope| scope.spawn(|| took(4, Some(4))).join().unwrap());
        let read = requests.read();
        let known: Vec<_> = read[0].1.exemplars().map(|one| one.map(|one| one.trace[0])).collect();
        assert_eq!((known[0], known[BUCKETS - 1]), (Some(4), Some(3)));
        assert!(known[1..BUCKETS - 1].iter().all(Option::is_none));
    }

    #[test]
    fn failures_of_the_gate_are_series_of_their_own() {
        let requests = Requests::default();
        for error in [None, Some("app-timeout"), Some("app-timeout"), Some("app-closed")] {
            requests.took((&Method::GET, None), (StatusCode::BAD_GATEWAY, error), Duration::ZERO, None);
        }
        let read = requests.read().into_iter();
        let counts: Vec<_> =
            read.map(|(labels, histogram)| (labels.error, histogram.cumulated().1)).collect();
        assert_eq!(counts, [(None, 1), (Some("app-closed"), 1), (Some("app-timeout"), 2)]);
    }
}
