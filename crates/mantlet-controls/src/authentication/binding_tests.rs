use std::{
    pin::pin,
    task::{Context as Task, Poll, Waker},
};

use futures_util::future::BoxFuture;
use http::HeaderName;

use super::{
    super::{
        Config,
        sessions::{Cause, SessionFacts, Sessions},
    },
    *,
};
use crate::{Arrival, Context, Peer, Policy as WholePolicy, Section, WireVerdict, pipeline::open};

const PART: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn policy(binding: Mode) -> Policy {
    Config { binding: Some(binding), ..Config::default() }.check(&Context::default()).unwrap()
}

fn call(scheme: Scheme, request: &Request<()>) -> Call {
    let peer = Peer::Ip("203.0.113.1:4711".parse().unwrap());
    let arrival = Arrival { peer, scheme, wire: WireVerdict::Unread, certificate: None };
    open(&WholePolicy::default(), &arrival, request)
}

/// What a request with these lines shows, and the cookies that are left for the app.
fn read(policy: &Policy, scheme: Scheme, lines: &[(&str, &str)]) -> (Option<Browser>, Vec<HeaderValue>) {
    let mut request = Request::new(());
    for (name, value) in lines {
        request.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    let call = call(scheme, &request);
    let browser = policy.read_browser(&call, &mut request).map(|browser| *browser);
    (browser, request.headers().get_all(header::COOKIE).iter().cloned().collect())
}

fn block_on<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

fn began(id: u64) -> Event {
    Event::Began(SessionFacts { id, account: None, names: vec![], began: 1_000, address: None, within: None })
}

fn handed_out(session: u64, kind: Kind, token: &str) -> Event {
    let digest = digest(token.as_bytes());
    Event::HandedOut { session, digest, kind, cookie: None, at: 1_000, expires: None }
}

/// A session with the token `token`, the token `renewal` for new ones, and the cookie `part`.
fn session(policy: &Policy, id: u64, part: &str) -> Arc<Session> {
    let events = [
        began(id),
        handed_out(id, Kind::Bearer, "token"),
        handed_out(id, Kind::Refresh, "renewal"),
        handed_out(id, Kind::Cookie, "cookie"),
        Event::Fingerprinted { session: id, digest: digest(part.as_bytes()) },
    ];
    apply(&policy.sessions, &events);
    policy.sessions.session(id).unwrap()
}

fn apply(sessions: &Sessions, events: &[Event]) {
    for event in events {
        sessions.apply(event);
    }
}

fn browser(parts: &[&str], is_at_home: bool) -> Browser {
    Browser { parts: parts.iter().map(|part| (*part).into()).collect(), is_at_home }
}

/// A use of a token in a browser: what is decided, and whether it is used elsewhere.
fn used(policy: &Policy, token: &str, browser: &Browser, keeper: Option<Arc<dyn Keeper>>) -> Option<bool> {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    let (step, _) = policy.compare(&headers, &[], browser)?;
    Some(block_on(policy.take_step(step, keeper)))
}

/// Other gates, and what they say of a session and of a token.
#[derive(Debug)]
struct Others {
    of_session: Option<Vec<Event>>,
    of_token: Option<Vec<Event>>,
}

impl Keeper for Others {
    fn keep_soon(&self, _: Vec<Event>) {}

    fn keep_now(&self, _: Vec<Event>) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(true))
    }

    fn find(&self, _: Digest) -> BoxFuture<'_, Option<Vec<Event>>> {
        Box::pin(std::future::ready(self.of_token.clone()))
    }

    fn find_session(&self, _: u64) -> BoxFuture<'_, Option<Vec<Event>>> {
        Box::pin(std::future::ready(self.of_session.clone()))
    }

    fn is_shared(&self) -> bool {
        true
    }
}

fn others(of_session: Option<Vec<Event>>, of_token: Option<Vec<Event>>) -> Arc<dyn Keeper> {
    Arc::new(Others { of_session, of_token })
}

#[test]
fn a_browser_that_keeps_the_cookie_is_known_by_its_request() {
    let policy = policy(Mode::Enforce);
    for (scheme, host, sites, expected) in [
        (Scheme::Https, "castle.example", &["same-origin"][..], true),
        (Scheme::Http, "castle.example", &["same-origin"], false),
        (Scheme::Http, "203.0.113.1:8000", &["same-origin"], false),
        (Scheme::Http, "localhost.example", &["same-origin"], false),
        (Scheme::Http, "localhost:8000", &["same-origin"], true),
        (Scheme::Http, "castle.localhost", &["same-origin"], true),
        (Scheme::Http, "127.0.0.1:8000", &["same-origin"], true),
        (Scheme::Http, "[::1]:8000", &["same-origin"], true),
        (Scheme::Https, "castle.example", &[], false),
        (Scheme::Https, "castle.example", &["none"], false),
        (Scheme::Https, "castle.example", &["same-site"], false),
        (Scheme::Https, "castle.example", &["cross-site"], false),
        (Scheme::Https, "castle.example", &["same-origin", "same-origin"], false),
        (Scheme::Https, "castle.example", &["same-origin, same-origin"], false),
    ] {
        let sites = sites.iter().map(|site| ("sec-fetch-site", *site));
        let lines: Vec<_> = std::iter::once(("host", host)).chain(sites).collect();
        let (browser, _) = read(&policy, scheme, &lines);
        assert_eq!(browser.map(|browser| browser.is_at_home), Some(expected), "{scheme:?} {lines:?}");
    }
}

#[test]
fn the_app_does_not_see_the_cookie() {
    let line = format!("theme=dark; {COOKIE}={PART}.short.{PART}; id=7");
    let (browser, left) = read(&policy(Mode::Report), Scheme::Https, &[("cookie", &line)]);
    assert_eq!(browser.unwrap().parts, [PART.into(), PART.into()]);
    assert_eq!(left, ["theme=dark; id=7"]);
    let (browser, left) = read(&policy(Mode::Off), Scheme::Https, &[("cookie", &line)]);
    assert!(browser.is_none() && left == [line.as_str()], "where nothing is bound, it is the app's");
    let many = format!("{COOKIE}={}", [PART; 100].join("."));
    let (browser, left) = read(&policy(Mode::Report), Scheme::Https, &[("cookie", &many), ("cookie", &many)]);
    assert_eq!((browser.unwrap().parts.len(), left.len()), (PARTS, 0));
}

#[test]
fn three_requests_with_the_cookie_bind_a_session() {
    let policy = policy(Mode::Enforce);
    let session = session(&policy, 7, PART);
    let (own, other) = (browser(&["b", PART], false), browser(&["b"], true));
    assert_eq!(used(&policy, "unknown", &other, None), None);
    assert_eq!(used(&policy, "cookie", &other, None), None, "the app's cookies are not bound");
    for _ in 0..2 {
        assert_eq!(used(&policy, "token", &own, None), None);
    }
    assert_eq!(session.bond(), Bond::Open);
    assert_eq!(used(&policy, "token", &own, None), Some(false));
    assert_eq!(session.bond(), Bond::Bound);
    assert_eq!(used(&policy, "token", &own, None), None);
    assert_eq!(used(&policy, "token", &other, None), Some(true));
    assert_eq!(used(&policy, "token", &Browser::default(), None), Some(true));
    let renewal = ["other".to_owned(), "renewal".to_owned()];
    assert!(policy.compare_renewal(&renewal, &own).is_none());
    assert!(block_on(policy.take_step(policy.compare_renewal(&renewal, &other).unwrap(), None)));
    policy.sessions.apply(&Event::Ended { session: 7, at: 1_001, cause: Cause::Logout, left: Vec::new() });
    assert_eq!(used(&policy, "token", &other, None), None, "it is refused for its end");
}

#[test]
fn a_session_without_the_cookie_is_never_bound() {
    let policy = policy(Mode::Enforce);
    let own = browser(&[PART], true);
    let seen_elsewhere = session(&policy, 7, PART);
    assert_eq!(used(&policy, "token", &own, None), None);
    assert_eq!(used(&policy, "token", &Browser::default(), None), Some(false));
    for _ in 0..600 {
        assert_eq!(used(&policy, "token", &own, None), None);
    }
    assert_eq!(seen_elsewhere.bond(), Bond::Never);
    policy.sessions.apply(&began(8));
    policy.sessions.apply(&handed_out(8, Kind::Bearer, "of a program"));
    for _ in 0..4 {
        assert_eq!(used(&policy, "of a program", &Browser::default(), None), None);
    }
    assert_eq!(policy.sessions.session(8).unwrap().bond(), Bond::Open);
}

#[test]
fn other_gates_are_asked_before_it_is_decided() {
    let (own, other) = (browser(&[PART], true), Browser::default());
    let bound = |is_bound| others(Some(vec![Event::Bound { session: 7, is_bound }]), None);
    let after = |keeper: Arc<dyn Keeper>| {
        let policy = policy(Mode::Enforce);
        let session = session(&policy, 7, PART);
        let elsewhere = used(&policy, "token", &other, Some(keeper.clone()));
        let uses: Vec<_> = (0..4).map(|_| used(&policy, "token", &own, Some(keeper.clone()))).collect();
        (elsewhere, uses, session.bond())
    };
    // It is bound elsewhere, or never will be.
    assert_eq!(after(bound(true)), (Some(true), vec![None; 4], Bond::Bound));
    assert_eq!(after(bound(false)), (Some(false), vec![None; 4], Bond::Never));
    // While the store does not answer, nothing is decided; it is counted anew.
    let silent = vec![None, None, Some(false), None];
    assert_eq!(after(others(None, None)), (Some(false), silent, Bond::Open));
}

#[test]
fn a_login_in_a_browser_gets_its_own_cookie() {
    let policy = policy(Mode::Enforce);
    let give = |browser: &Browser, mut events: Vec<Event>, keeper| {
        let call = call(Scheme::Https, &Request::new(()));
        let line = block_on(policy.give_fingerprint(&call, browser, &mut events, keeper));
        (line.map(|line| line.to_str().unwrap().to_owned()), events)
    };
    let login = |id, token: &str| vec![began(id), handed_out(id, Kind::Bearer, token)];
    let value = |line: &str| {
        let (pair, attributes) = line.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/; Max-Age=34560000; Secure; HttpOnly; SameSite=Strict");
        pair.strip_prefix("__Host-mantlet_fp=").unwrap().to_owned()
    };
    let (line, events) = give(&browser(&[], true), login(1, "one"), None);
    let own = value(&line.unwrap());
    assert_eq!(own.len(), LENGTH);
    assert_eq!(events[2], Event::Fingerprinted { session: 1, digest: digest(own.as_bytes()) });
    apply(&policy.sessions, &events);
    // The next one stands before it, and the oldest one falls out.
    let former = [own.as_str(), PART, PART, PART, PART, PART, PART, "the oldest"];
    let all = value(&give(&browser(&former, true), login(2, "two"), None).0.unwrap());
    let parts: Vec<_> = all.split('.').collect();
    assert!(parts[0] != own && parts[1..] == former[..7], "{parts:?}");
    // No cookie: a program, a session without a bearer token, a renewal, a login that ends at once.
    assert_eq!(give(&browser(&[], false), login(3, "three"), None), (None, login(3, "three")));
    for events in [
        vec![began(3), handed_out(3, Kind::Cookie, "three")],
        vec![handed_out(1, Kind::Bearer, "three")],
        [login(3, "three"), vec![Event::Ended { session: 3, at: 1, cause: Cause::Logout, left: Vec::new() }]]
            .concat(),
    ] {
        assert_eq!(give(&browser(&[], true), events.clone(), None), (None, events));
    }
}

#[test]
fn a_token_that_two_logins_have_got_is_not_bound() {
    for (is_at_home, is_known_here) in [(true, true), (false, true), (true, false)] {
        let policy = policy(Mode::Enforce);
        let former = Sessions::default();
        let known = if is_known_here { &policy.sessions } else { &former };
        let told = vec![
            began(1),
            handed_out(1, Kind::Bearer, "the same"),
            Event::Fingerprinted { session: 1, digest: digest(b"part") },
            Event::Bound { session: 1, is_bound: true },
        ];
        apply(known, &told);
        let mut events = vec![began(2), handed_out(2, Kind::Bearer, "the same")];
        let keeper = others(None, Some(told));
        let (call, browser) = (call(Scheme::Https, &Request::new(())), browser(&[], is_at_home));
        let line = block_on(policy.give_fingerprint(&call, &browser, &mut events, Some(keeper)));
        assert!(line.is_none());
        assert_eq!(events[2..], [Event::Bound { session: 1, is_bound: false }]);
        apply(&policy.sessions, &events);
        assert_eq!(used(&policy, "the same", &Browser::default(), None), None);
    }
}
