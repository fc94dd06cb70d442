//! Requests in, responses out.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt as _, Full, Limited};
use jiff::Timestamp;
use maud::Markup;
use serde_json::Value;

use crate::{
    answer::{Answer, Fields},
    doors::{Doors, Said, TICKET_LIFE, Token},
    figures::{EVERY, History, Sample},
    frame::{self, Frame, View},
    guard::{self, Refused},
    source::{Search, Source},
    text::moment,
    traffic::Traffic,
    views::{self, understood},
};

const COOKIE: &str = "mantlet";
/// Bytes of a form, at most.
const MAX_FORM: usize = 8 << 10;
/// Records that a search shows, at most.
const FOUND: usize = 100;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const ICON: &str = include_str!("icon.svg");

/// The operator's page.
pub struct Page<S> {
    source: S,
    /// Below this everything lies.
    folder: Token,
    /// What each view of this run has in it, and no other program knows.
    run: Token,
    doors: Mutex<Doors>,
    history: Mutex<History>,
    traffic: Mutex<Traffic>,
}

impl<S: Source> Page<S> {
    /// How often [`Page::sample`] is to be called.
    pub const EVERY: Duration = EVERY;
    /// How long an address is good for.
    pub const TICKET_LIFE: Duration = TICKET_LIFE;

    /// The page of this gate. It fails if the system has no random bytes.
    pub fn new(source: S) -> Result<Self, getrandom::Error> {
        Ok(Self {
            source,
            folder: Token::new()?,
            run: Token::new()?,
            doors: Mutex::default(),
            history: Mutex::default(),
            traffic: Mutex::default(),
        })
    }

    /// The path of a one-time address. The former one is good no more.
    pub fn ticket(&self) -> Result<String, getrandom::Error> {
        let token = locked(&self.doors).ticket(Instant::now())?;
        Ok(format!("/open/{}", token.as_str()))
    }

    /// Looks at the figures of the gate, for the history. If that fails, nothing is known of this moment.
    pub async fn sample(&self) -> Result<(), String> {
        let asked = self.source.ask(Method::GET, &["metrics"], &[]).await;
        let answer = asked.inspect_err(|_| locked(&self.history).lose())?;
        let is_measured = answer.get("requests").and_then(Value::as_bool).unwrap_or_default();
        let text = answer.get("text").and_then(Value::as_str).unwrap_or_default();
        let sample = Sample::read(text, is_measured);
        locked(&self.history).push(Timestamp::now().as_second(), sample);
        Ok(())
    }

    /// Answers a request.
    pub async fn respond<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        self.answer(&head, body).await.unwrap_or_else(Answer::from).into()
    }

    async fn answer<B>(&self, head: &Parts, body: B) -> Result<Answer, Refused>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let path = head.uri.path();
        let ticket = path.strip_prefix("/open/");
        guard::judge(head, ticket.is_some())?;
        let is_read = head.method == Method::GET;
        if let Some(ticket) = ticket {
            return if is_read { self.enter(ticket) } else { Err(Refused::NO_METHOD) };
        }
        // Public in the sources of Mantlet, and needed by pages that say why there is no view.
        let file = match path {
            "/page.css" => Some(Answer::file("text/css; charset=utf-8", STYLE)),
            "/page.js" => Some(Answer::file("text/javascript; charset=utf-8", SCRIPT)),
            "/icon.svg" => Some(Answer::file("image/svg+xml", ICON)),
            _ => None,
        };
        if let Some(file) = file {
            return if is_read { Ok(file) } else { Err(Refused::NO_METHOD) };
        }
        let (cookie, form) = self.session(head).ok_or(Refused::NO_SESSION)?;
        let name = path.strip_prefix('/').and_then(|path| path.split_once('/'));
        let name = name.filter(|(folder, _)| self.folder.is(folder)).map(|(_, name)| name);
        match name.ok_or(Refused::NOTHING)? {
            "act" if is_read => Err(Refused::NO_METHOD),
            "act" => self.act(head, body, &cookie, &form).await,
            name => {
                let view = View::of(name).ok_or(Refused::NOTHING)?;
                if !is_read {
                    return Err(Refused::NO_METHOD);
                }
                let query = Fields::read(head.uri.query().unwrap_or_default());
                if view == View::Record && query.get("proof") == "1" {
                    return self.proof(&query).await;
                }
                let content = self.content(view, &query, &form).await;
                Ok(Answer::page(StatusCode::OK, self.framed(view, &query, &content, &cookie)))
            }
        }
    }

    /// A one-time address is exchanged for a cookie. The page leads on by itself, instead of a redirect: after that
    /// a browser would count the next request as one of the page with the link, and keep the cookie back.
    fn enter(&self, ticket: &str) -> Result<Answer, Refused> {
        let cookie = locked(&self.doors).enter(ticket, Instant::now()).ok().flatten();
        let cookie = cookie.ok_or(Refused::NO_TICKET)?;
        let folder = self.folder.as_str();
        let place = format!("/{folder}/now");
        let mut answer = Answer::page(StatusCode::OK, frame::entry(&place));
        let cookie = format!("{COOKIE}={}; Path=/{folder}/; HttpOnly; SameSite=Strict", cookie.as_str());
        answer.extra.push((header::SET_COOKIE, cookie));
        answer.extra.push((header::REFRESH, format!("0; url={place}")));
        Ok(answer)
    }

    fn session(&self, head: &Parts) -> Option<(Token, Token)> {
        let doors = locked(&self.doors);
        let session = doors.session(guard::cookies(&head.headers, COOKIE), Instant::now())?;
        Some((session.cookie.clone(), session.form.clone()))
    }

    /// Changes something, if the form is one of this session, and says at the next view what came of it.
    async fn act<B>(&self, head: &Parts, body: B, cookie: &Token, form: &Token) -> Result<Answer, Refused>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if kind != Some("application/x-www-form-urlencoded") {
            return Err(Refused::NO_FORM);
        }
        let body = Limited::new(body, MAX_FORM).collect().await.map_err(|_| Refused::TOO_LARGE)?.to_bytes();
        let fields = Fields::read(std::str::from_utf8(&body).map_err(|_| Refused::NO_FORM)?);
        if !form.is(fields.get("form")) {
            return Err(Refused::NO_FORM);
        }
        let (what, key) = (fields.get("what"), fields.get("key"));
        let of_account = [("account", what)];
        let (view, segments, parameters, done): (_, &[&str], &[(&str, &str)], _) = match fields.get("act") {
            "lift" => (View::Bans, &["bans", what], &[], format!("The ban of `{what}` is lifted")),
            "lift-all" => (View::Bans, &["bans"], &[], "All bans are lifted".to_owned()),
            "reset" => (
                View::Bans,
                &["quotas", what, key],
                &[],
                format!("The usage of `{what}` is reset for that key"),
            ),
            "end" => (View::Sessions, &["sessions", what], &[], format!("Session `{what}` has ended")),
            "end-all" => {
                (View::Sessions, &["sessions"], &of_account, format!("All sessions of `{what}` have ended"))
            }
            _ => return Err(Refused::NO_FORM),
        };
        let said = match self.source.ask(Method::DELETE, segments, parameters).await {
            Ok(answer) => Said { is_done: true, text: format!("{done}.{}", caveats(&answer)) },
            Err(why) => Said { is_done: false, text: why },
        };
        // Only the view that this leads to says it: other tabs ask, too.
        let number = locked(&self.doors).say(cookie, said);
        Ok(Answer::elsewhere(format!("/{}/{}?said={number}", self.folder.as_str(), view.name())))
    }

    /// What a view says; a sentence in its place if the gate does not answer.
    async fn content(&self, view: View, query: &Fields, form: &Token) -> Markup {
        let told = match view {
            View::Now => self.now().await,
            View::Refusals | View::Ratchet => self.decisions(view).await,
            View::Bans => {
                let (bans, quotas) = (self.get(&["bans"]).await, self.get(&["quotas"]).await);
                Ok(views::bans::view(bans, quotas, form, Timestamp::now()))
            }
            View::Sessions => {
                let account = query.get("account");
                let of_account = [("account", account)];
                let parameters: &[_] = if account.is_empty() { &[] } else { &of_account };
                let asked = self.source.ask(Method::GET, &["sessions"], parameters).await;
                Ok(views::sessions::view(asked.and_then(understood), account, form, Timestamp::now()))
            }
            View::Objects => self.get(&["objects"]).await.map(|objects| views::objects::view(&objects)),
            View::Contract => self.get(&["contract"]).await.map(|contract| views::contract::view(&contract)),
            View::Audit => Ok(self.audit(query).await),
            View::Record => match query.get("seq").parse() {
                Ok(seq) => self.source.record(seq).await.map(|proven| views::audit::record(seq, &proven)),
                Err(_) => Err("a record is named by its number".to_owned()),
            },
        };
        told.unwrap_or_else(|why| frame::note(&why))
    }

    async fn now(&self) -> Result<Markup, String> {
        // What is shown is of this moment, or of the last two seconds.
        let now = Timestamp::now().as_second();
        if locked(&self.history).at().is_none_or(|at| now > at + 1) {
            self.sample().await?;
        }
        Ok(views::now::view(&locked(&self.history), now))
    }

    async fn decisions(&self, view: View) -> Result<Markup, String> {
        // Without the gate the log still says what it has decided; without the log the gate still counts.
        let sample = self.sampled().await;
        let agreement = match view {
            View::Ratchet => Some(self.get(&["agreement"]).await),
            _ => None,
        };
        let read = self.source.new_records().await.map(|records| locked(&self.traffic).learn(&records));
        let missing: Vec<_> =
            [sample.as_ref().err(), read.as_ref().err()].into_iter().flatten().cloned().collect();
        if sample.is_err() && read.is_err() {
            return Err(missing.join("\n"));
        }
        let sample = sample.unwrap_or_default();
        let (traffic, now) = (locked(&self.traffic), Timestamp::now());
        let content = match agreement {
            Some(agreement) => views::ratchet::view(&traffic, &sample, agreement, now),
            None => views::refusals::view(&traffic, &sample, now),
        };
        Ok(views::with_missing(&missing, &content))
    }

    async fn audit(&self, query: &Fields) -> Markup {
        let text = |name: &str| query.get(name).to_owned();
        let search = Search {
            user: text("user"),
            ip: text("ip"),
            code: text("code"),
            event: text("event"),
            object: text("object"),
            operation: text("operation"),
            request: text("request"),
            session: text("session"),
            since: text("since"),
            until: text("until"),
            most: FOUND,
        };
        let sample = self.sampled().await;
        let found = self.source.search(search.clone()).await;
        let verified = if query.get("verify") == "1" { Some(self.source.verify().await) } else { None };
        views::audit::view(&views::audit::Audit {
            sample: sample.as_ref(),
            search: &search,
            found,
            verified,
            now: Timestamp::now(),
        })
    }

    async fn sampled(&self) -> Result<Sample, String> {
        self.sample().await.map(|()| locked(&self.history).last().clone())
    }

    async fn proof(&self, query: &Fields) -> Result<Answer, Refused> {
        let seq = query.get("seq").parse().map_err(|_| Refused::NOTHING)?;
        let proven = self.source.record(seq).await.map_err(|_| Refused::NOTHING)?;
        match proven.proof {
            Ok(proof) if !views::audit::is_kept(&proven.record) => {
                Ok(Answer::file("text/plain; charset=utf-8", &proof))
            }
            _ => Err(Refused::NOTHING),
        }
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, segments: &[&str]) -> Result<T, String> {
        self.source.ask(Method::GET, segments, &[]).await.and_then(understood)
    }

    fn framed(&self, view: View, query: &Fields, content: &Markup, cookie: &Token) -> String {
        let number = query.get("said").parse().ok();
        let said = number.and_then(|number| locked(&self.doors).take_said(cookie, number));
        let (history, now) = (locked(&self.history), Timestamp::now());
        let frame = Frame {
            view,
            is_up: history.is_up(now.as_second()),
            said,
            version: history.last().version.as_deref(),
            at: moment(now),
            run: self.run.as_str(),
        };
        frame::page(&frame, content)
    }
}

/// What the gate says of an act beside that it is done.
fn caveats(answer: &Value) -> String {
    let is_not = |name: &str| answer.get(name).and_then(Value::as_bool) == Some(false);
    let mut text = String::new();
    if is_not("durable") {
        text.push_str(" The state folder cannot be written: this is lost if Mantlet ends before it can be.");
    }
    if is_not("shared") {
        text.push_str(" The store does not respond: other gates learn of this when it does.");
    }
    if is_not("complete") {
        text.push_str(
            " The store does not respond, so what only other gates know goes on: do this again when it does.",
        );
    }
    text
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
