//! What a rule about whose an object is costs: `cargo run --release -p mantlet-controls --example ownership`.

use std::{
    convert::Infallible,
    hint::black_box,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body::{Body, Frame, SizeHint};
use jsonwebtoken::{EncodingKey, Header, encode};
use mantlet_controls::{
    App, Arrival, Call, Config, Peer, Policy, Refusal, RequestBody, Scheme, WireVerdict,
    audit::Record,
    authorization::{self, OwnConfig},
    handle,
    issuer::{self, IssuerConfig, Material},
};
use serde_json::{Value, json};

const SECRET: &[u8] = b"a secret for benchmarks, of 32 bytes or more";
const ISSUER: &str = "https://id.example.com/realms/shop";
/// Rounds, and requests in each.
const ROUNDS: u32 = 60;
const EACH: u32 = 2_000;
/// Whose the objects are.
const OWNER: u32 = 4_711;

/// A body in one piece.
struct Piece(Option<Bytes>);

impl Body for Piece {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
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

/// Answers at once.
struct Answers(Bytes);

impl Answers {
    fn answer<T>(body: T) -> Response<T> {
        let mut answer = Response::new(body);
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }
}

impl App<Empty> for &Answers {
    type Body = Piece;

    async fn call(&mut self, _: &Call, _: Request<RequestBody<Empty>>) -> Result<Response<Piece>, Refusal> {
        Ok(Answers::answer(Piece(Some(self.0.clone()))))
    }

    async fn read(
        &mut self,
        _: &Call,
        _: Request<()>,
        _: usize,
        _: Option<Duration>,
    ) -> Option<Response<Bytes>> {
        Some(Answers::answer(self.0.clone()))
    }
}

fn main() {
    let Ok(policy) = config().check() else { unreachable!("the configuration is good") };
    let gate = Gate { policy, token: token(), object: Answers(object(880)), list: Answers(list()) };
    println!(
        "an object of {} bytes, a list of {} bytes with 50 items",
        gate.object.0.len(),
        gate.list.0.len()
    );
    let cases = [
        ("an object's answer is judged", &gate.object, Method::GET, ["/open/1", "/orders/1"]),
        ("each item of a list is judged", &gate.list, Method::GET, ["/open", "/orders"]),
        (
            "an object is read first, by an app that takes no time",
            &gate.object,
            Method::DELETE,
            ["/open/1", "/orders/1"],
        ),
    ];
    for (name, app, method, targets) in cases {
        let mut least = [f64::INFINITY; 2];
        for _ in 0..ROUNDS {
            for (target, least) in targets.into_iter().zip(&mut least) {
                *least = nanos(|| gate.ask(app, &method, target)).min(*least);
            }
        }
        let [without, with] = least.map(|nanos| nanos / 1e3);
        println!("{name}: {with:.2} µs, without a rule {without:.2} µs: {:+.2} µs", with - without);
    }
}

struct Gate {
    policy: Policy,
    token: HeaderValue,
    object: Answers,
    list: Answers,
}

impl Gate {
    /// Sends a request through the pipeline.
    fn ask(&self, app: &Answers, method: &Method, target: &'static str) {
        let mut request = Request::new(Empty);
        *request.method_mut() = method.clone();
        *request.uri_mut() = Uri::from_static(target);
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("127.0.0.1"));
        request.headers_mut().insert(header::AUTHORIZATION, self.token.clone());
        let audit = |record: Record| drop(black_box(record));
        let wire = WireVerdict::WellFormed;
        let arrival = Arrival { peer: Peer::Unknown, scheme: Scheme::Http, wire, certificate: None };
        let answer = pin!(handle(&self.policy, &audit, &arrival, request, app));
        let Poll::Ready(answer) = answer.poll(&mut Context::from_waker(Waker::noop())) else {
            unreachable!("nothing here waits")
        };
        assert_eq!(answer.status(), StatusCode::OK, "{method} {target}");
    }
}

fn config() -> Config {
    let issuer = IssuerConfig {
        issuer: ISSUER.into(),
        audience: vec!["https://api.example.com".into()],
        secret: "env:JWT_SECRET".into(),
        material: Some(Material(SECRET.to_vec().into())),
        ..IssuerConfig::default()
    };
    let rule = |path: &str, owner: &str| OwnConfig {
        paths: vec![path.into()],
        owner: owner.into(),
        equals: "principal:user_id".into(),
        ..OwnConfig::default()
    };
    let own = vec![rule("/orders/{order_id}", "response:/user_id"), rule("/orders", "item:/user_id")];
    Config {
        issuer: issuer::Config(vec![issuer]),
        authorization: authorization::Config { own, ..authorization::Config::default() },
        ..Config::default()
    }
}

fn token() -> HeaderValue {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = json!({
        "iss": ISSUER, "sub": "ann", "aud": "https://api.example.com", "iat": now, "exp": now + 3_600, "user_id": OWNER,
    });
    let key = EncodingKey::from_secret(SECRET);
    let token = key.and_then(|key| encode(&Header::default(), &claims, &key)).unwrap_or_default();
    HeaderValue::try_from(format!("Bearer {token}")).unwrap_or_else(|_| unreachable!("a token is plain"))
}

/// An order with a text that makes it so long.
fn order(id: u32, length: usize) -> Value {
    json!({
        "id": id, "status": "paid", "total": "19.90", "text": "x".repeat(length), "express": false, "user_id": OWNER,
        "created_at": "2026-01-01T12:00:00Z",
    })
}

fn object(length: usize) -> Bytes {
    order(1, length).to_string().into()
}

fn list() -> Bytes {
    Value::from((0..50).map(|id| order(id, 84)).collect::<Vec<_>>()).to_string().into()
}

fn nanos(mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..EACH {
        work();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(EACH)
}
