//! What is shown when the gate, or its log, does not answer.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use http_body_util::Empty;
use serde_json::json;

use super::*;
use crate::source::{Proven, Verified};

/// A gate with these figures, as long as it is there; with a log or without one.
#[derive(Default)]
struct Figures {
    is_away: AtomicBool,
    has_log: bool,
}

const AWAY: &str = "no Mantlet answers at `admin.sock`\nstart one";

impl Source for Figures {
    async fn ask(&self, method: Method, segments: &[&str], _: &[(&str, &str)]) -> Result<Value, String> {
        if self.is_away.load(Relaxed) {
            return Err(AWAY.to_owned());
        }
        match segments {
            ["metrics"] => Ok(json!({"requests": true, "text": "mantlet_app_up 1\n\
                mantlet_build_info{version=\"7.7.7\"} 1\n\
                mantlet_decisions_total{code=\"rate-limited\",outcome=\"refused\"} 4321\n"})),
            ["bans"] if method == Method::GET => Ok(json!({"bans": [], "complete": true})),
            _ => Ok(json!({})),
        }
    }

    async fn new_records(&self) -> Result<Vec<Value>, String> {
        if self.has_log { Ok(Vec::new()) } else { Err("no audit file is written".to_owned()) }
    }

    async fn search(&self, _: Search) -> Result<Vec<Value>, String> {
        self.new_records().await
    }

    async fn verify(&self) -> Result<Verified, String> {
        Err("no audit file is written".to_owned())
    }

    async fn record(&self, _: u64) -> Result<Proven, String> {
        Err("no audit file is written".to_owned())
    }
}

struct Visit {
    page: Page<Figures>,
    cookie: String,
}

impl Visit {
    async fn begin(has_log: bool) -> Self {
        let page = Page::new(Figures { has_log, ..Figures::default() }).unwrap();
        let mut visit = Self { page, cookie: String::new() };
        let ticket = visit.page.ticket().unwrap();
        let answer = visit.request(Request::get(ticket), "").await;
        let set = answer.headers()["set-cookie"].to_str().unwrap();
        visit.cookie = set.split(';').next().unwrap().to_owned();
        visit
    }

    async fn request(&self, request: http::request::Builder, body: &str) -> Response<Full<Bytes>> {
        let request = request.header("host", "localhost").header("cookie", &self.cookie);
        if body.is_empty() {
            return self.page.respond(request.body(Empty::<Bytes>::new()).unwrap()).await;
        }
        self.page.respond(request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()).await
    }

    async fn get(&self, view: &str) -> String {
        let answer = self.request(Request::get(format!("/{}/{view}", self.page.folder.as_str())), "").await;
        assert_eq!(answer.status(), 200);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }
}

#[tokio::test]
async fn a_gate_that_does_not_answer_is_not_shown_as_alive() {
    let visit = Visit::begin(true).await;
    visit.page.sample().await.unwrap();
    let now = visit.get("now").await;
    assert!(now.contains("The app responds") && now.contains("4,321"), "{now}");
    visit.page.source.is_away.store(true, Relaxed);
    visit.page.sample().await.unwrap_err();
    for view in ["now", "refusals", "ratchet", "bans", "contract", "audit"] {
        let page = visit.get(view).await;
        assert!(page.contains("Not known whether the app responds"), "{view}: {page}");
        assert!(!page.contains("4,321") && !page.contains("7.7.7"), "{view}: {page}");
        assert!(page.contains("<code>admin.sock</code><br>start one"), "{view}: {page}");
        assert!(!page.contains("Not sealed yet"), "{view}: {page}");
    }
    visit.page.source.is_away.store(false, Relaxed);
    assert!(visit.get("now").await.contains("4,321"));
}

#[tokio::test]
async fn without_a_log_the_gate_still_counts() {
    let visit = Visit::begin(false).await;
    let page = visit.get("refusals").await;
    assert!(page.contains("id=\"code-rate-limited\"") && page.contains("4,321"), "{page}");
    assert!(page.contains("no audit file is written"), "{page}");
    let page = visit.get("ratchet").await;
    assert!(page.contains("Input that is left to the app") && page.contains("no audit file"), "{page}");
    assert!(visit.get("audit").await.contains("The gate writes no audit file."));
    visit.page.source.is_away.store(true, Relaxed);
    let page = visit.get("refusals").await;
    assert!(page.contains("start one<br>no audit file is written"), "{page}");
}

#[tokio::test]
async fn the_outcome_of_an_act_is_for_the_view_that_it_leads_to() {
    let visit = Visit::begin(true).await;
    let form = locked(&visit.page.doors)
        .session([visit.cookie.split_once('=').unwrap().1].into_iter(), Instant::now())
        .unwrap()
        .form
        .clone();
    let act = Request::post(format!("/{}/act", visit.page.folder.as_str()))
        .header("origin", "http://localhost")
        .header("content-type", "application/x-www-form-urlencoded");
    let answer = visit.request(act, &format!("form={}&act=lift-all", form.as_str())).await;
    assert_eq!(answer.status(), 303);
    let place = answer.headers()["location"].to_str().unwrap().rsplit('/').next().unwrap();
    let done = "All bans are lifted.";
    for view in ["now", "bans", "bans?said=", "bans?said=99"] {
        assert!(!visit.get(view).await.contains(done), "another tab looks at {view}");
    }
    assert!(visit.get(place).await.contains(done), "{place}");
    assert!(!visit.get(place).await.contains(done), "it is said once");
}
