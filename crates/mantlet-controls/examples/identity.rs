//! What a verdict on a token and a session cost in time and memory: `cargo run --release -p mantlet-controls --example identity`.
//! With `none`, `other`, `cached`, `new` or `forged` it sends only such requests, for a profiler that counts what is in `ask`.

use std::{
    convert::Infallible,
    env, fs,
    future::Future,
    hint::black_box,
    pin::{Pin, pin},
    process::Command,
    task::{Context, Poll, Waker},
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use jsonwebtoken::{EncodingKey, Header, encode};
use mantlet_controls::{
    App, Arrival, Call, Config, Peer, Policy, Refusal, RequestBody, Scheme, WireVerdict,
    audit::Record,
    authentication::sessions::{Event, Kind, SessionFacts, Sessions, digest, name_of_login, name_of_subject},
    handle,
    issuer::{self, IssuerConfig, Material},
    token::{Claims, Jws, Key},
};
use serde_json::json;

const SECRET: &[u8] = b"a secret for benchmarks, of 32 bytes or more";
const ISSUER: &str = "https://id.example.com/realms/shop";
const AUDIENCE: &str = "https://api.example.com";
/// More than the verdicts that a thread remembers: each is forgotten before its token comes again.
const FRESH: u32 = 50_000;
/// Rounds, and requests in each.
const ROUNDS: u32 = 50;
const EACH: u32 = 5_000;
/// Verdicts whose memory is measured.
const VERDICTS: u32 = 10_000;
/// Requests for a profiler.
const PROFILED: u32 = 20_000;
const MILLION: u32 = 1_000_000;

/// RFC 7515 appendix A.3: a token and its key, ES256.
const ES256: (&str, [&str; 2]) = (
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ["f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"],
);

struct Nothing;

impl Body for Nothing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    /// An answer that does not say how long it is may be a stream.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(0)
    }
}

struct Empty;

impl Body for Empty {
    type Data = Bytes;
    type Error = mantlet_controls::Reason;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

struct Answers;

impl App<Empty> for Answers {
    type Body = Nothing;

    async fn call(&mut self, _: &Call, _: Request<RequestBody<Empty>>) -> Result<Response<Nothing>, Refusal> {
        Ok(Response::new(Nothing))
    }
}

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match &arguments[..] {
        [] => report(),
        [verdicts] if verdicts == "verdicts" => self::verdicts(),
        [ledger, credentials] if ledger == "ledger" => credentials.parse().into_iter().for_each(self::ledger),
        [only, ..] => {
            let loads = Loads::new(PROFILED);
            let load = loads.all().into_iter().find(|(name, _)| name == only);
            if let Some((_, load)) = load {
                (0..PROFILED).for_each(load);
            }
        }
    }
}

/// Sends the request of a number.
type Load<'l> = Box<dyn Fn(u32) + 'l>;

/// Time of each load: the least of many rounds, for what disturbs the machine only adds to it.
fn by_turns<const N: usize>(loads: &[(&str, Load<'_>); N]) -> [f64; N] {
    let mut least = [f64::INFINITY; N];
    for round in 0..ROUNDS {
        for ((_, load), least) in loads.iter().zip(&mut least) {
            let first = round * EACH;
            *least = nanos(EACH, |number| load(first + number)).min(*least);
        }
    }
    least
}

struct Loads {
    gate: Gate,
    tokens: Vec<String>,
    forged: Vec<String>,
}

impl Loads {
    fn new(count: u32) -> Self {
        let made = |secret: &[u8]| (0..count).map(|number| token(number, secret)).collect();
        Self { gate: Gate::new(), tokens: made(SECRET), forged: made(&[b'x'; 32]) }
    }

    fn all(&self) -> [(&'static str, Load<'_>); 5] {
        let (ok, refused) = (StatusCode::OK, StatusCode::UNAUTHORIZED);
        let of = |tokens, number| Some(("Bearer ", at(tokens, number)));
        [
            ("none", Box::new(move |_| self.gate.ask(None, ok))),
            // The header is sent, and no verdict is given.
            ("other", Box::new(move |_| self.gate.ask(Some(("Other ", at(&self.tokens, 0))), ok))),
            ("cached", Box::new(move |_| self.gate.ask(of(&self.tokens, 0), ok))),
            ("new", Box::new(move |number| self.gate.ask(of(&self.tokens, number), ok))),
            ("forged", Box::new(move |number| self.gate.ask(of(&self.forged, number), refused))),
        ]
    }
}

fn report() {
    let loads = Loads::new(FRESH);
    let first = at(&loads.tokens, 0);
    println!("a token of {} bytes, HS256", first.len());
    parts(first);
    let [none, other, cached, new, forged] = by_turns(&loads.all());
    println!(
        "a request in the pipeline: {none:.0} ns without `Authorization`, {other:.0} ns with one of another scheme; \
         with a token that was judged before {:+.0} ns, with a new one {:+.0} ns",
        cached - other,
        new - other,
    );
    println!("a refusal of a forged token: {forged:.0} ns");
    // What an earlier one has returned to the allocator would hide what the next one needs.
    for arguments in [&["verdicts"][..], &["ledger", "1"], &["ledger", "2"], &["ledger", "8"]] {
        let Ok(program) = env::current_exe() else { return };
        let _ = Command::new(program).args(arguments).status();
    }
}

/// What the parts of a verdict cost.
fn parts(token: &str) {
    let (Some(secret), Some(public)) = (Key::of_secret(SECRET), public()) else { return };
    let (Ok(jws), Ok(signed)) = (Jws::read(token), Jws::read(ES256.0)) else { return };
    let read = least(20_000, |_| drop(black_box(Jws::read(black_box(token)))));
    let of_secret = least(20_000, |_| assert!(black_box(jws.verify(&secret)).is_ok()));
    let of_public = least(1_000, |_| assert!(black_box(signed.verify(&public)).is_ok()));
    let claims = least(20_000, |_| drop(black_box(Claims::read(&jws))));
    let sha256 = least(20_000, |_| {
        black_box(digest(black_box(token).as_bytes()));
    });
    println!(
        "its form {read:.0} ns, HS256 {of_secret:.0} ns (ES256 {of_public:.0} ns), claims {claims:.0} ns, \
         its digest {sha256:.0} ns"
    );
}

fn public() -> Option<Key> {
    let [x, y] = ES256.1;
    Key::of_jwk(&json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y }))
}

/// Memory of remembered verdicts.
fn verdicts() {
    let Loads { gate, tokens, .. } = Loads::new(VERDICTS);
    gate.ask(None, StatusCode::OK);
    let before = resident();
    for token in &tokens {
        gate.ask(Some(("Bearer ", token)), StatusCode::OK);
    }
    println!("{VERDICTS} verdicts: {} KiB, for each thread", resident().saturating_sub(before));
}

/// Memory and time of a million credentials, so many in a session.
fn ledger(credentials: u32) {
    let events: Vec<_> = (0..MILLION / credentials).flat_map(|number| login(number, credentials)).collect();
    let before = resident();
    let sessions = Sessions::default();
    let start = Instant::now();
    for event in &events {
        sessions.apply(event);
    }
    let learned = start.elapsed().as_secs_f64() * 1e9 / f64::from(MILLION);
    let kib = resident().saturating_sub(before);
    // In an order that no cache foresees.
    let find = nanos(1_000_000, |number| {
        let number = number.wrapping_mul(2_654_435_761) % MILLION;
        black_box(sessions.find(&credential(number / credentials, number % credentials)));
    });
    let hashing = nanos(1_000_000, |number| {
        black_box(credential(number, 0));
    });
    let lines = sessions.pieces().flatten().filter_map(|event| serde_json::to_string(&event).ok());
    let bytes: usize = lines.map(|line| line.len() + 1).sum();
    println!(
        "{} credentials, {credentials} in a session: {} MiB in memory, {} MiB in the file; {learned:.0} ns to learn one, \
         {:.0} ns to find one",
        sessions.count(),
        kib >> 10,
        bytes >> 20,
        find - hashing,
    );
}

/// A login, and what it hands out.
fn login(number: u32, credentials: u32) -> Vec<Event> {
    let (session, at) = (u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15), 1_790_000_000);
    let account = format!("user{number}@example.com");
    let names = vec![name_of_login(&account), name_of_subject(&number.to_string())];
    let address = Some([203, 0, 113, 7].into());
    let began = Event::Began(SessionFacts {
        id: session,
        account: Some(account.into()),
        names,
        began: at,
        address,
        within: None,
    });
    let handed_out = (0..credentials).map(|place| {
        let kind = if place == 1 { Kind::Refresh } else { Kind::Bearer };
        let digest = credential(number, place);
        Event::HandedOut { session, digest, kind, cookie: None, at, expires: Some(at + 3_600) }
    });
    std::iter::once(began).chain(handed_out).collect()
}

fn credential(number: u32, place: u32) -> mantlet_controls::authentication::sessions::Digest {
    digest(&(u64::from(number) << 32 | u64::from(place)).to_be_bytes())
}

struct Gate {
    policy: Policy,
    arrival: Arrival,
}

impl Gate {
    fn new() -> Self {
        let issuer = IssuerConfig {
            issuer: ISSUER.into(),
            audience: vec![AUDIENCE.into()],
            secret: "env:JWT_SECRET".into(),
            material: Some(Material(SECRET.to_vec().into())),
            ..IssuerConfig::default()
        };
        let config = Config { issuer: issuer::Config(vec![issuer]), ..Config::default() };
        let Ok(policy) = config.check() else { unreachable!("the configuration is good") };
        let wire = WireVerdict::WellFormed;
        Self {
            policy,
            arrival: Arrival { peer: Peer::Unknown, scheme: Scheme::Http, wire, certificate: None },
        }
    }

    /// Sends a request through the pipeline.
    #[inline(never)]
    fn ask(&self, token: Option<(&str, &str)>, status: StatusCode) {
        let mut request = Request::new(Empty);
        *request.uri_mut() = http::Uri::from_static("/products");
        request.headers_mut().insert(header::HOST, http::HeaderValue::from_static("127.0.0.1"));
        if let Some((scheme, token)) = token
            && let Ok(value) = [scheme, token].concat().try_into()
        {
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let audit = |record: Record| drop(black_box(record));
        let answer = pin!(handle(&self.policy, &audit, &self.arrival, request, Answers));
        let Poll::Ready(answer) = answer.poll(&mut Context::from_waker(Waker::noop())) else {
            unreachable!("nothing here waits")
        };
        assert_eq!(answer.status(), status);
    }
}

fn token(number: u32, secret: &[u8]) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = json!({
        "iss": ISSUER, "sub": format!("6f1c{number:08x}-4d7b-4c58-9b0b"), "aud": AUDIENCE, "iat": now, "exp": now + 3_600,
        "jti": format!("{number:032x}"), "scope": "openid profile orders",
    });
    let Ok(key) = EncodingKey::from_secret(secret) else { return String::new() };
    encode(&Header::default(), &claims, &key).unwrap_or_default()
}

fn at(tokens: &[String], number: u32) -> &str {
    tokens.get(number as usize % tokens.len()).map_or("", String::as_str)
}

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The least time of many rounds.
fn least(times: u32, mut work: impl FnMut(u32)) -> f64 {
    (0..20).map(|_| nanos(times, &mut work)).fold(f64::INFINITY, f64::min)
}

fn nanos(times: u32, mut work: impl FnMut(u32)) -> f64 {
    let start = Instant::now();
    for number in 0..times {
        work(number);
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(times)
}
