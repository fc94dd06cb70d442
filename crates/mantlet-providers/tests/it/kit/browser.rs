//! A browser: it keeps cookies for each site, follows redirects, and sends the forms that it is shown.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use jiff::Timestamp;
use mantlet_gateway::fetch::{Question, Target, send};
use mantlet_providers::{Answer, Asked};

use super::Gate;

pub(crate) const APP: &str = "https://orchard.example";
const FORM: &str = "application/x-www-form-urlencoded";

/// What it has of one site.
#[derive(Debug, Clone, Default)]
struct Jar(BTreeMap<String, String>);

impl Jar {
    fn keep(&mut self, headers: &HeaderMap) {
        for line in headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (pair, rest) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').unwrap();
            if name.starts_with("__Host-") {
                for part in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
                    assert!(rest.split("; ").any(|own| own.trim() == part), "{line}");
                }
            }
            if value.is_empty() || rest.contains("Max-Age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn line(&self) -> Option<HeaderValue> {
        let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| HeaderValue::try_from(pairs.join("; ")).unwrap())
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Browser {
    app: Jar,
    provider: Jar,
    /// What the app has been told of what happened.
    pub(crate) last: Option<mantlet_providers::Event>,
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The value of the cookie of its session.
    pub(crate) fn session(&self) -> Option<String> {
        self.app.0.get("__Host-session").cloned()
    }

    /// Takes a session's cookie from another browser.
    pub(crate) fn steal(&mut self, cookie: &str) {
        self.app.0.insert("__Host-session".to_owned(), cookie.to_owned());
    }

    /// The names of its cookies of the app.
    pub(crate) fn cookies(&self) -> Vec<&str> {
        self.app.0.keys().map(String::as_str).collect()
    }

    /// Asks the app.
    pub(crate) async fn get(&mut self, gate: &Gate, now: Timestamp, path: &str) -> Response<Bytes> {
        self.ask(gate, now, Method::GET, path, "", "text/html").await
    }

    pub(crate) async fn get_json(&mut self, gate: &Gate, now: Timestamp, path: &str) -> Response<Bytes> {
        self.ask(gate, now, Method::GET, path, "", "application/json").await
    }

    pub(crate) async fn post(
        &mut self,
        gate: &Gate,
        now: Timestamp,
        path: &str,
        form: &str,
    ) -> Response<Bytes> {
        self.ask(gate, now, Method::POST, path, form, "text/html").await
    }

    pub(crate) async fn ask(
        &mut self,
        gate: &Gate,
        now: Timestamp,
        method: Method,
        path: &str,
        form: &str,
        accept: &'static str,
    ) -> Response<Bytes> {
        let path = path.strip_prefix(APP).unwrap_or(path);
        let mut request = Request::new(Bytes::from(form.to_owned()));
        (*request.method_mut(), *request.uri_mut()) = (method, path.parse().unwrap());
        let headers = request.headers_mut();
        headers.insert(header::USER_AGENT, HeaderValue::from_static("a test"));
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FORM));
        if let Some(line) = self.app.line() {
            headers.insert(header::COOKIE, line);
        }
        let asked = Asked { request, origin: APP.to_owned() };
        let answer = gate.providers.answer(now, &asked).await.unwrap();
        let Answer { response, event } = answer.unwrap_or_else(|| panic!("{path} is not a path of ours"));
        // Wherever it leads: a token of the provider is for the gate alone.
        for value in response.headers().get_all(header::SET_COOKIE) {
            let line = value.to_str().unwrap();
            // What is sealed may have these letters anywhere, and one dot.
            let is_token = |part: &str| part.starts_with("eyJ") && part.matches('.').count() == 2;
            assert!(!line.split(['=', ';']).any(is_token), "{line}");
        }
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()[header::REFERRER_POLICY], "no-referrer");
        self.app.keep(response.headers());
        self.last = event;
        response
    }

    /// Begins a login: where the provider is.
    pub(crate) async fn begin(&mut self, gate: &Gate, now: Timestamp, path: &str) -> String {
        let response = self.get(gate, now, path).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{response:?}");
        location(&response)
    }

    /// Goes through the provider's forms as an account: where it leads back to.
    pub(crate) async fn through(&mut self, url: &str, account: &str) -> String {
        let (mut url, mut form) = (url.to_owned(), None);
        for _ in 0..20 {
            if url.starts_with(APP) {
                return url;
            }
            let response = self.visit(&url, form.take()).await;
            if let Some(to) = response.headers().get(header::LOCATION) {
                url = absolute(&url, to.to_str().unwrap());
                continue;
            }
            let page = String::from_utf8_lossy(response.body()).into_owned();
            assert_eq!(response.status(), StatusCode::OK, "{url}: {page}");
            let mut fields = hidden(&page);
            if page.contains("name=\"login\"") {
                fields.extend([("login".into(), account.into()), ("password".into(), "password".into())]);
            }
            if page.contains("name=\"logout\"") {
                fields.push(("logout".into(), "yes".into()));
            }
            let Some(action) = attribute(&page, "action") else { return page };
            url = absolute(&url, &action);
            form = Some(fields);
        }
        panic!("it leads on and on");
    }

    /// Asks the provider, with a form or without.
    pub(crate) async fn visit(&mut self, url: &str, form: Option<Vec<(String, String)>>) -> Response<Bytes> {
        let mut question = match form {
            Some(fields) => {
                let mut text = oauth2::url::form_urlencoded::Serializer::new(String::new());
                text.extend_pairs(fields);
                Question::post(FORM, text.finish())
            }
            None => Question::default(),
        };
        question = question.with(header::ACCEPT, HeaderValue::from_static("text/html"));
        if let Some(line) = self.provider.line() {
            question = question.with(header::COOKIE, line);
        }
        let fetched =
            send(&Target::of_url(url).unwrap(), question, Duration::from_secs(30), 1 << 20).await.unwrap();
        self.provider.keep(&fetched.headers);
        let mut response = Response::new(fetched.body);
        (*response.status_mut(), *response.headers_mut()) = (fetched.status, fetched.headers);
        response
    }

    /// Logs in as an account: the response to the callback.
    pub(crate) async fn log_in(&mut self, gate: &Gate, now: Timestamp, account: &str) -> Response<Bytes> {
        let at_provider = self.begin(gate, now, "/auth/login/openid?next=/orchard").await;
        let back = self.through(&at_provider, account).await;
        self.get(gate, now, &back).await
    }

    /// The same; it has to succeed.
    pub(crate) async fn logged_in(&mut self, gate: &Gate, now: Timestamp, account: &str) {
        let response = self.log_in(gate, now, account).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{response:?}");
        assert_eq!(location(&response), "/orchard");
    }
}

pub(crate) fn location(response: &Response<Bytes>) -> String {
    response.headers()[header::LOCATION].to_str().unwrap().to_owned()
}

pub(crate) fn text(response: &Response<Bytes>) -> String {
    String::from_utf8(response.body().to_vec()).unwrap()
}

fn absolute(base: &str, to: &str) -> String {
    let uri: Uri = base.parse().unwrap();
    if to.starts_with('/') { format!("http://{}{to}", uri.authority().unwrap()) } else { to.to_owned() }
}

/// The first attribute of a name in a page.
pub(crate) fn attribute(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!(" {name}=\""))?;
    Some(rest.split('"').next()?.replace("&amp;", "&"))
}

/// The hidden fields of a page.
fn hidden(page: &str) -> Vec<(String, String)> {
    let inputs = page.split("<input").skip(1).filter(|input| input.contains("type=\"hidden\""));
    inputs.filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?))).collect()
}
