//! What every client of an app sees: transport, headers, origins, methods, hosts, documentation. Nothing here can change
//! anything: GET, OPTIONS and TRACE without a body.

use http::{HeaderValue, Method, StatusCode, header};
use mantlet_contract::model::{Contract, Route, Router, Source};

use super::{
    asker::{Asker, Exchange, Identity},
    operations::Known,
    values::Amount,
    world::{App, Seen},
};
use crate::{
    client::{Client, Target},
    exchange::{Answer, Question},
    finding::Finding,
    review::{Review, Row},
    rule::{Level, Owasp, Practice, live as rules},
};

/// An origin and a host that are nobody's (RFC 2606).
const FOREIGN: HeaderValue = HeaderValue::from_static("https://mantlet-check.example");
const FOREIGN_HOST: &str = "mantlet-check.example";
/// The least that HSTS should say, in seconds: 180 days.
const HSTS: u64 = 15_552_000;
/// Operations that are looked at for each question.
const OPERATIONS: usize = 12;

/// Where the documentation is, as the app has it.
fn docs(router: &Router, below: &str, found: &mut Vec<String>) {
    for route in &router.routes {
        match route {
            Route::Http { path, docs: true, .. } if !path.contains("oauth2-redirect") => {
                found.push(format!("{below}{path}"));
            }
            Route::Mount { path, router: Some(router) } => docs(router, &format!("{below}{path}"), found),
            _ => {}
        }
    }
}

pub(super) async fn review(
    contract: &Contract,
    app: &App<'_>,
    asker: &mut Asker<'_>,
    callers: [(Option<&Identity>, &Seen); 2],
    review: &mut Review,
) {
    let [(_, nobody_seen), (_, owner_seen)] = callers;
    headers(app, asker, nobody_seen, owner_seen, review);
    https(asker, review).await;
    origins(app, asker, callers, review).await;
    methods(app, asker, review).await;
    hosts(app, asker, review).await;
    documentation(contract, asker, review).await;
    hidden(app, asker, nobody_seen, review);
}

fn is_page(exchange: &Exchange) -> bool {
    exchange.answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
}

/// The policy that pages get in strict posture: it allows the page's own scripts.
const PAGE_POLICY: &str = "[headers.content-security-policy]\npage = \"base-uri 'self'; object-src 'none'; frame-ancestors 'self'\"\n";

fn headers(app: &App<'_>, asker: &Asker<'_>, nobody: &Seen, owner: &Seen, review: &mut Review) {
    let row = Row::Practice(Practice::Headers);
    let answers: Vec<_> =
        nobody.answers.iter().chain(&owner.answers).filter(|(_, exchange)| exchange.is_success()).collect();
    if answers.is_empty() {
        review.unjudged(row, "no operation was answered that could be looked at");
        return;
    }
    review.looked(row, "answers, for their headers", answers.len());
    review.looked(Row::Owasp(Owasp::Api8), "answers, for their headers", answers.len());
    let missing: Vec<_> = ["x-content-type-options", "referrer-policy"]
        .into_iter()
        .filter(|name| answers.iter().all(|(_, exchange)| exchange.answer.header(name).is_none()))
        .collect();
    if let (false, Some((_, exchange))) = (missing.is_empty(), answers.first()) {
        let message = format!("no answer has `{}`", missing.join("`, `"));
        let finding = Finding::new(&rules::HEADERS_MISSING, "all answers", message);
        review.found(finding.shown_by(asker.evidence(exchange)).closed_by("[headers]\nmode = \"enforce\"\n"));
    }
    for ((at, _), exchange) in &answers {
        let name = app.known.get(*at).map(Known::name).unwrap_or_default();
        let is_open = exchange.answer.header("content-security-policy").is_none();
        if is_page(exchange) && is_open {
            // A page that does nothing has little to lose.
            let text = String::from_utf8_lossy(&exchange.answer.body).to_ascii_lowercase();
            let level =
                if text.contains("<script") || text.contains("<form") { Level::Medium } else { Level::Low };
            let message = format!("the page of `{name}` has no `Content-Security-Policy`");
            let finding = Finding::new(&rules::PAGE_WITHOUT_POLICY, &name, message).level(level);
            review.found(finding.shown_by(asker.evidence(exchange)).closed_by(PAGE_POLICY));
        }
    }
    let personal: Vec<_> = owner
        .answers
        .iter()
        .filter(|((at, _), exchange)| {
            let stored = exchange
                .answer
                .header("cache-control")
                .is_none_or(|said| !said.contains("no-store") && !said.contains("private"));
            exchange.is_success() && stored && app.known.get(*at).is_some_and(Known::is_secured)
        })
        .collect();
    if let Some(((at, _), exchange)) = personal.first() {
        let name = app.known.get(*at).map(Known::name).unwrap_or_default();
        let message = format!(
            "{} operations with a credential, `{name}` first, answer without `Cache-Control: no-store`",
            personal.len()
        );
        let finding = Finding::new(&rules::ANSWER_IS_STORED, "all answers", message);
        review.found(finding.shown_by(asker.evidence(exchange)).mended_by(rules::ANSWER_IS_STORED.remedy));
    }
}

async fn https(asker: &mut Asker<'_>, review: &mut Review) {
    let row = Row::Practice(Practice::Https);
    let Some(answer) = asker.ask("GET /", None, Question::get("/")).await else {
        review.unjudged(row, "the app did not answer `GET /`");
        return;
    };
    if !asker.is_https() {
        let is_judged = !asker.is_loopback() || leads_to_https(&answer.answer);
        if is_judged {
            plain(asker, "GET /", &answer, review);
        } else {
            review.unjudged(row, "the app was asked on this machine, over plain HTTP: what stands in front of it in production was not seen");
        }
        return;
    }
    review.looked(row, "answers over HTTPS", 1);
    let Target::Tcp { host, port, .. } = asker.target().clone() else { return };
    if is_public(asker.name()) {
        hsts(asker, &answer, review);
    } else {
        // RFC 6797, section 8.1.1: not from an IP address. And `localhost` is for what is developed here.
        let why = "HSTS is for public names, and the app was asked by another one: see `host.allow`";
        review.unjudged(row, why);
    }
    // The same host over plain HTTP: at the usual port, or at the same one, where some servers take both.
    let port = if port == 443 { 80 } else { port };
    let name = HeaderValue::try_from(asker.name());
    let mut client = Client::new(Target::Tcp { host, port, is_https: false });
    if let Ok(name) = name {
        client = client.to_host(name);
    }
    let question = Question::get("/");
    if let Ok(answer) = client.ask(&question).await {
        let answer = Exchange { caller: "nobody".to_owned(), question, answer };
        plain(asker, &format!("port {port}"), &answer, review);
    }
}

/// Whether a name may be known to everybody: not an IP address, and not a name of one machine or one network (RFC 6761, 6762).
fn is_public(name: &str) -> bool {
    let last = name.trim_end_matches('.').rsplit_once('.').map(|(_, last)| last.to_ascii_lowercase());
    let is_special = |last: &str| matches!(last, "localhost" | "local" | "internal");
    name.parse::<std::net::IpAddr>().is_err() && last.is_some_and(|last| !is_special(&last))
}

fn hsts(asker: &Asker<'_>, answer: &Exchange, review: &mut Review) {
    let said = answer.answer.header("strict-transport-security").unwrap_or_default().to_ascii_lowercase();
    let age = said
        .split(';')
        .find_map(|part| part.trim().strip_prefix("max-age=")?.trim_matches('"').parse::<u64>().ok());
    if age.is_none_or(|age| age < HSTS) {
        let message = match age {
            Some(age) => format!("`Strict-Transport-Security` lasts {age} s, which is less than 180 days"),
            None => "no `Strict-Transport-Security` is sent".to_owned(),
        };
        let finding = Finding::new(&rules::NO_HSTS, "GET /", message);
        review.found(finding.shown_by(asker.evidence(answer)).mended_by(rules::NO_HSTS.remedy));
    }
}

/// Judges an answer over plain HTTP.
fn plain(asker: &Asker<'_>, subject: &str, exchange: &Exchange, review: &mut Review) {
    review.looked(Row::Practice(Practice::Https), "answers over plain HTTP", 1);
    let answer = &exchange.answer;
    // A port that is for TLS alone says so (RFC 9110 and what servers do: 400, 403, 421, 426).
    let is_refused = matches!(answer.status.as_u16(), 400 | 403 | 421 | 426);
    if is_refused || leads_to_https(answer) {
        return;
    }
    let message = "plain HTTP is answered, and not redirected to HTTPS";
    let finding = Finding::new(&rules::NO_HTTPS, subject, message);
    review.found(finding.shown_by(asker.evidence(exchange)).mended_by(rules::NO_HTTPS.remedy));
}

fn leads_to_https(answer: &Answer) -> bool {
    let place = answer.header("location");
    answer.status.is_redirection() && place.is_some_and(|place| place.starts_with("https://"))
}

/// Operations that answer somebody, each once.
fn answering<'s>(
    app: &App<'_>,
    callers: [(Option<&'s Identity>, &'s Seen); 2],
) -> Vec<(usize, Option<&'s Identity>, Question)> {
    let mut found: Vec<(usize, Option<&Identity>, Question)> = Vec::new();
    for (caller, seen) in callers {
        for ((at, target), exchange) in &seen.answers {
            let is_new = !found.iter().any(|(known, ..)| known == at);
            if exchange.is_success() && is_new && app.known.get(*at).is_some() {
                found.push((*at, caller, Question::get(target.clone())));
            }
        }
    }
    found.sort_by_key(|(at, ..)| *at);
    found.truncate(OPERATIONS);
    found
}

async fn origins(
    app: &App<'_>,
    asker: &mut Asker<'_>,
    callers: [(Option<&Identity>, &Seen); 2],
    review: &mut Review,
) {
    let row = Row::Practice(Practice::Cors);
    let mut looked = 0;
    let mut worst: Option<(Level, Finding)> = None;
    let mut asked: Vec<(String, Option<&Identity>, Question)> = Vec::new();
    for (at, caller, question) in answering(app, callers) {
        let Some(known) = app.known.get(at) else { continue };
        for origin in [FOREIGN, HeaderValue::from_static("null")] {
            // Some apps answer `*` only where no cookie comes with the request.
            let question = question.clone().with(header::ORIGIN, origin);
            asked.push((known.name(), caller, question.clone()));
            let has_cookies =
                matches!(caller, Some(Identity { credential: super::asker::Credential::Cookies(_), .. }));
            if !has_cookies {
                asked.push((
                    known.name(),
                    caller,
                    question.with(header::COOKIE, HeaderValue::from_static("mantlet-check=1")),
                ));
            }
        }
    }
    for known in app
        .known
        .iter()
        .filter(|known| known.parameters.is_empty() && known.purpose.is_none())
        .take(OPERATIONS)
    {
        let preflight = Question::new(Method::OPTIONS, known.target(&[]))
            .with(header::ORIGIN, FOREIGN)
            .with(
                header::ACCESS_CONTROL_REQUEST_METHOD,
                HeaderValue::from_str(known.method.as_str()).unwrap_or(HeaderValue::from_static("GET")),
            )
            .with(header::ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static("authorization"));
        asked.push((format!("OPTIONS {}", known.path), None, preflight));
    }
    for (name, caller, question) in asked {
        let Some(exchange) = asker.ask(&name, caller, question).await else { continue };
        if exchange.is_throttled() {
            continue;
        }
        looked += 1;
        let Some(allowed) = exchange.answer.header("access-control-allow-origin") else { continue };
        let with_credentials =
            exchange.answer.header("access-control-allow-credentials").is_some_and(|said| said == "true");
        let origin = exchange
            .question
            .headers
            .get(header::ORIGIN)
            .and_then(|origin| origin.to_str().ok())
            .unwrap_or_default();
        let is_reflected = allowed == origin;
        let (rule, message) = match (is_reflected, allowed, with_credentials) {
            (true, _, true) => (
                &rules::FOREIGN_ORIGIN,
                format!("the origin `{origin}`, which is foreign, may read answers with credentials"),
            ),
            (true, _, false) => {
                (&rules::ANY_ORIGIN, format!("the origin `{origin}`, which is foreign, may read answers"))
            }
            (_, "*", _) => {
                (&rules::ANY_ORIGIN, "every origin may read answers without credentials".to_owned())
            }
            _ => continue,
        };
        if worst.as_ref().is_none_or(|(level, _)| rule.level > *level) {
            let finding = Finding::new(rule, "all answers", message).fact(format!("first seen at `{name}`"));
            worst = Some((rule.level, finding.shown_by(asker.evidence(&exchange)).mended_by(rule.remedy)));
        }
    }
    if looked == 0 {
        review.unjudged(row, "no operation was answered that could be asked from a foreign origin");
        return;
    }
    review.looked(row, "requests from a foreign origin", looked);
    if let Some((_, finding)) = worst {
        review.found(finding);
    }
}

async fn methods(app: &App<'_>, asker: &mut Asker<'_>, review: &mut Review) {
    let mut looked = 0;
    let paths = app.known.iter().filter(|known| known.is_safe() && known.parameters.is_empty()).take(3);
    let targets: Vec<_> = paths
        .map(|known| (known.path.clone(), known.target(&[])))
        .chain([("/".to_owned(), "/".to_owned())])
        .collect();
    for (path, target) in targets {
        let name = format!("TRACE {path}");
        // Whether it repeats what was sent to it is what makes it dangerous.
        let question = Question::new(Method::TRACE, target)
            .with(header::FROM, HeaderValue::from_static("mantlet-check-trace"));
        let Some(exchange) = asker.ask(&name, None, question).await else { continue };
        looked += 1;
        let repeats = String::from_utf8_lossy(&exchange.answer.body).contains("mantlet-check-trace");
        if exchange.is_success() && repeats {
            let finding =
                Finding::new(&rules::METHOD_TRACE, &name, "the app repeats the request, with its headers");
            review.found(finding.shown_by(asker.evidence(&exchange)).mended_by(rules::METHOD_TRACE.remedy));
        }
    }
    review.looked(Row::Owasp(Owasp::Api8), "requests with TRACE", looked);
}

async fn hosts(app: &App<'_>, asker: &mut Asker<'_>, review: &mut Review) {
    let mut looked = 0;
    let mut is_found = false;
    let host = HeaderValue::from_static(FOREIGN_HOST);
    for known in
        app.known.iter().filter(|known| known.is_safe() && known.parameters.is_empty()).take(OPERATIONS)
    {
        let Some(question) = known.request(&app.maker, &[], Amount::Required, &|_| Vec::new()) else {
            continue;
        };
        let mut slashed = question.clone();
        let (path, query) = slashed.target.split_once('?').unwrap_or((&slashed.target, ""));
        let turned = match path.strip_suffix('/') {
            Some("") => continue,
            Some(without) => without.to_owned(),
            None => format!("{path}/"),
        };
        slashed.target = if query.is_empty() { turned } else { format!("{turned}?{query}") };
        for question in [question, slashed] {
            let question = question.with(header::HOST, host.clone());
            let Some(exchange) = asker.ask(&known.name(), None, question).await else { continue };
            looked += 1;
            let place = exchange.answer.header("location").unwrap_or_default();
            let in_place = place.contains(FOREIGN_HOST);
            let in_body = exchange.is_success()
                && String::from_utf8_lossy(&exchange.answer.body).contains(FOREIGN_HOST);
            if (in_place || in_body) && !is_found {
                is_found = true;
                let what = if in_place { "redirects to" } else { "writes links with" };
                let message = format!("the app {what} the host that a client sends, whatever that is");
                let finding = Finding::new(&rules::HOST_REFLECTED, "all answers", message);
                review.found(
                    finding
                        .fact(format!("first seen at `{}`", known.name()))
                        .shown_by(asker.evidence(&exchange))
                        .mended_by(rules::HOST_REFLECTED.remedy),
                );
            }
        }
        if is_found {
            break;
        }
    }
    review.looked(Row::Owasp(Owasp::Api8), "requests for a foreign host", looked);
}

async fn documentation(contract: &Contract, asker: &mut Asker<'_>, review: &mut Review) {
    let mut found = Vec::new();
    docs(&contract.router, "", &mut found);
    if contract.source == Source::Document && found.is_empty() {
        found.extend(["/docs", "/redoc", "/openapi.json"].map(str::to_owned));
    }
    let mut open = Vec::new();
    let mut looked = 0;
    for path in found {
        let Some(exchange) = asker.ask(&format!("GET {path}"), None, Question::get(path.clone())).await
        else {
            continue;
        };
        looked += 1;
        if exchange.answer.status == StatusCode::OK {
            open.push((path, exchange));
        }
    }
    review.looked(Row::Owasp(Owasp::Api9), "pages of the documentation", looked.max(1));
    if let Some((_, first)) = open.first() {
        let paths: Vec<_> = open.iter().map(|(path, _)| path.as_str()).collect();
        let message = format!("everybody reads `{}`", paths.join("`, `"));
        let finding = Finding::new(&rules::DOCS_REACHABLE, "documentation", message);
        review.found(
            finding
                .shown_by(asker.evidence(first))
                .mended_by("FastAPI(docs_url=None, redoc_url=None, openapi_url=None)"),
        );
    }
}

/// Operations that are not in the document and answer everybody with JSON.
fn hidden(app: &App<'_>, asker: &Asker<'_>, nobody: &Seen, review: &mut Review) {
    let row = Row::Owasp(Owasp::Api9);
    let all = app.known.iter().filter(|known| known.is_hidden).count();
    review.looked(row, "operations that are not documented", all);
    for ((at, _), exchange) in &nobody.answers {
        let Some(known) = app.known.get(*at).filter(|known| known.is_hidden) else { continue };
        let is_health = matches!(
            known.noun().as_str(),
            "health" | "healthz" | "ready" | "readyz" | "live" | "livez" | "ping" | "status" | ""
        );
        if exchange.is_success() && exchange.answer.json().is_some() && !is_health {
            let message = format!("`{}` is not in the document, and answers all clients", known.name());
            let finding = Finding::new(&rules::HIDDEN_OPERATION, known.name(), message);
            review
                .found(finding.shown_by(asker.evidence(exchange)).mended_by(rules::HIDDEN_OPERATION.remedy));
        }
    }
}
