//! A service behind the layer, with a clock that its tests set: time passes and nothing waits.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    cell::Cell,
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, Response, StatusCode},
    routing::get,
};
use futures_util::FutureExt;
use jiff::Timestamp;
use mantlet_controls::{
    Clock, Deployment, MantletLayer, Mode,
    audit::Record,
    cookies, csrf,
    layer::{Builder, MantletService},
    throttle,
};
use serde_json::{Value, json};
use tower_layer::Layer;
use tower_service::Service;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

thread_local! {
    /// How much time has passed in this test.
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

fn pass(span: Duration) {
    PASSED.set(PASSED.get() + span);
}

/// Each test begins half an hour before midnight.
fn time() -> Timestamp {
    "2026-11-29T23:30:00Z".parse::<Timestamp>().unwrap() + PASSED.get()
}

fn clock() -> Clock {
    Clock::new(time, || *START + PASSED.get())
}

/// A service behind some controls.
struct Protected {
    layer: MantletLayer,
    service: MantletService<Router>,
    records: Arc<Mutex<Vec<Record>>>,
}

impl Protected {
    fn by(add: impl FnOnce(Builder) -> Builder) -> Self {
        let records = Arc::<Mutex<Vec<_>>>::default();
        let kept = Arc::clone(&records);
        let builder = MantletLayer::none()
            .deployment(Deployment { clock: clock(), ..Deployment::default() })
            .peer(|_| Some(([203, 0, 113, 7], 4_000).into()))
            .audit(move |record| kept.lock().unwrap().push(record));
        let layer = add(builder).build().unwrap();
        let cookie = [("set-cookie", "theme=dark; Expires=Mon, 30 Nov 2026 00:00:00 GMT")];
        let routes = Router::new()
            .route("/", get(|| async { "[]" }).post(|| async { "[]" }))
            .route("/cookie", get(move || async move { (cookie, "[]") }));
        Self { service: layer.layer(routes), layer, records }
    }

    /// The limits of `[throttle]`.
    fn throttled(section: Value) -> Self {
        let section: throttle::Config = serde_json::from_value(section).unwrap();
        Self::by(|none| none.throttle(section))
    }

    fn ask(&mut self, request: http::request::Builder) -> Response<()> {
        let request: Request<Body> = request.body(Body::empty()).unwrap();
        // Nothing waits, so there is no runtime.
        self.service.call(request).now_or_never().unwrap().unwrap().map(drop)
    }

    /// The status of a page.
    fn get(&mut self, path: &str) -> StatusCode {
        self.ask(Request::get(path)).status()
    }
}

#[test]
fn a_rate_recovers() {
    let mut service = Protected::throttled(json!({"rate": "2/1m", "burst": 2}));
    assert_eq!([(); 3].map(|()| service.get("/").as_u16()), [200, 200, 429]);
    let refused = service.ask(Request::get("/"));
    assert_eq!(refused.headers()["retry-after"], "30");
    pass(30 * SECOND);
    assert_eq!([(); 2].map(|()| service.get("/").as_u16()), [200, 429]);
    pass(MINUTE);
    assert_eq!([(); 3].map(|()| service.get("/").as_u16()), [200, 200, 429]);
}

#[test]
fn a_quota_begins_anew_at_midnight() {
    let mut service = Protected::throttled(json!({"quota": [{"name": "plan", "key": ["ip"], "day": 1}]}));
    assert_eq!(service.get("/"), StatusCode::OK);
    let refused = service.ask(Request::get("/"));
    assert_eq!(
        (refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()),
        (429, "1800")
    );
    pass(29 * MINUTE + 59 * SECOND);
    assert_eq!(service.get("/"), StatusCode::TOO_MANY_REQUESTS);
    pass(SECOND);
    assert_eq!(service.get("/"), StatusCode::OK);
}

#[test]
fn a_ban_ends() {
    let mut service =
        Protected::throttled(json!({"ban": {"mode": "enforce", "after": "2/10m", "for": "1h"}}));
    let began = time();
    assert_eq!([(); 3].map(|()| service.get("/none").as_u16()), [404, 404, 403]);
    let records = service.records.lock().unwrap().clone();
    let banned = records.iter().find(|record| record.security_event == "client-banned").unwrap();
    assert_eq!((banned.time, banned.until), (began, Some(began + HOUR)));
    pass(59 * MINUTE + 59 * SECOND);
    assert_eq!(service.get("/"), StatusCode::FORBIDDEN);
    let [ban] = &service.layer.bans().unwrap().list()[..] else { panic!("one ban") };
    assert_eq!((ban.since, ban.until), (began, began + HOUR));
    pass(SECOND);
    assert_eq!(service.get("/"), StatusCode::OK);
    assert_eq!(service.layer.bans().unwrap().list(), []);
}

#[test]
fn a_token_is_replaced_and_the_one_before_the_last_is_refused() {
    let token = csrf::token::Config { session_cookies: vec!["session".into()], ..Default::default() };
    let mut service = Protected::by(|none| none.csrf(csrf::Config { token, ..Default::default() }));
    let with = |request: http::request::Builder, token: &str| {
        request.header("cookie", format!("session=alice; csrf_token={token}"))
    };
    let set = |headers: &HeaderMap| {
        let line = headers.get("set-cookie")?.to_str().unwrap();
        Some(line.strip_prefix("csrf_token=")?.split(';').next()?.to_owned())
    };
    let mut page = |token: &str| set(service.ask(with(Request::get("/"), token)).headers());
    let first = page("").unwrap();
    pass(59 * MINUTE + 59 * SECOND);
    assert_eq!(page(&first), None);
    pass(SECOND);
    let second = page(&first).unwrap();
    pass(HOUR);
    let third = page(&second).unwrap();
    let mut post = |cookie: &str, sent: &str| {
        service.ask(with(Request::post("/"), cookie).header("x-csrf-token", sent)).status()
    };
    assert_eq!((post(&first, &first), post(&second, &first)), (StatusCode::OK, StatusCode::OK));
    assert_eq!((post(&third, &second), post(&third, &first)), (StatusCode::OK, StatusCode::FORBIDDEN));
    let records = service.records.lock().unwrap();
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!((record.reason, record.time), ("csrf-token-invalid", time()));
}

#[test]
fn a_cookie_that_has_expired_is_left_alone() {
    let section = cookies::Config { mode: Mode::Enforce, ..Default::default() };
    let mut service = Protected::by(|none| none.cookies(section));
    let mut is_completed = || {
        let answer = service.ask(Request::get("/cookie"));
        answer.headers()["set-cookie"].to_str().unwrap().contains("HttpOnly")
    };
    assert!(is_completed());
    pass(30 * MINUTE);
    assert!(!is_completed());
}

#[test]
fn ids_have_the_time_of_their_request() {
    let mut service = Protected::by(|none| none);
    let mut id = || service.ask(Request::get("/")).headers()["x-request-id"].to_str().unwrap().to_owned();
    let millis = |id: &str| i64::from_str_radix(&id.replace('-', "")[..12], 16).unwrap();
    assert_eq!(millis(&id()), time().as_millisecond());
    pass(HOUR);
    assert_eq!(millis(&id()), time().as_millisecond());
}
