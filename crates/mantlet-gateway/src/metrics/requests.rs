//! How long requests took: a histogram for each method, operation and status.
//!
//! Each thread has counters of its own, which it finds in a table of its own. So a request waits for no
//! other thread, and allocates nothing. Only the first request of a thread with some labels does both.

use std::{
    array,
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use http::{Method, StatusCode};

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
}

/// A histogram of durations.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram {
    counts: [u64; BUCKETS],
    pub(crate) sum: Duration,
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
}

/// The counters of one thread for one series. Aligned, so that threads share no line of the cache.
#[derive(Debug)]
#[repr(align(64))]
struct Cells {
    counts: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

impl Cells {
    fn new() -> Self {
        Self { counts: array::from_fn(|_| AtomicU64::new(0)), nanos: AtomicU64::new(0) }
    }

    fn add(&self, took: Duration) {
        let place = BOUNDS.partition_point(|bound| Duration::from_micros(*bound) < took);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Relaxed);
        }
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }
}

/// What one thread has counted of requests to one operation, or to none.
type OfRoute = Vec<(u16, &'static str, Arc<Cells>)>;

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
    fn find(&self, route: Option<&str>, method: &'static str, status: u16) -> Option<&Arc<Cells>> {
        let of_route = route.map_or(Some(&self.elsewhere), |route| self.routes.get(route))?;
        let is_it = |(own, name, _): &&(u16, &'static str, _)| *own == status && *name == method;
        of_route.iter().find(is_it).map(|(.., cells)| cells)
    }

    fn make(
        &mut self,
        requests: &Requests,
        route: Option<&str>,
        method: &'static str,
        status: u16,
    ) -> Arc<Cells> {
        let labels = Labels { method, route: route.map(Arc::from), status };
        let cells = requests.begin(labels).unwrap_or_else(|| {
            let found = self.find(None, method, status).map(Arc::clone);
            found.unwrap_or_else(|| self.make(requests, None, method, status))
        });
        let of_route = match route {
            Some(route) => self.routes.entry(route.into()).or_default(),
            None => &mut self.elsewhere,
        };
        of_route.push((status, method, Arc::clone(&cells)));
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
    /// A request got the head of its response after so long.
    pub(crate) fn took(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
        let (method, status) = (name(method), status.as_u16());
        OWN.with_borrow_mut(|own| match own.find(route, method, status) {
            Some(cells) => cells.add(took),
            None => own.make(self, route, method, status).add(took),
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
            cells.iter().fold(Histogram::default(), |mut sum, cells| {
                for (sum, count) in sum.counts.iter_mut().zip(&cells.counts) {
                    *sum += count.load(Relaxed);
                }
                sum.sum += Duration::from_nanos(cells.nanos.load(Relaxed));
                sum
            })
        };
        self.series().iter().map(|(labels, cells)| (labels.clone(), added(cells))).collect()
    }

    fn series(&self) -> MutexGuard<'_, BTreeMap<Labels, Vec<Arc<Cells>>>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The methods of RFC 9110 and RFC 5789; all others are one.
fn name(method: &Method) -> &'static str {
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
            requests.took(&Method::GET, Some("/a/{id}"), StatusCode::OK, took);
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
                        requests.took(&method, None, StatusCode::NOT_FOUND, Duration::ZERO);
                    }
                });
            }
        });
        let read = requests.read();
        assert_eq!((read.len(), counted(&requests)), (1, 4_000));
        assert_eq!(read[0].0, Labels { method: "_OTHER", route: None, status: 404 });
    }

    #[test]
    fn series_are_bounded_and_no_request_is_lost() {
        let requests = Requests::default();
        for _ in 0..2 {
            for number in 0..5_000 {
                let route = format!("/{number}");
                requests.took(&Method::GET, Some(&route), StatusCode::OK, Duration::ZERO);
            }
        }
        assert_eq!((requests.read().len(), counted(&requests)), (MOST + 1, 10_000));
        let without = requests.read().into_iter().find(|(labels, _)| labels.route.is_none()).unwrap();
        assert_eq!(without.1.cumulated().1, 2 * (5_000 - 4_096));
    }
}
