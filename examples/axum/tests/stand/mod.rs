//! The same API three times: with the layer, asked directly and over a socket, and bare behind the gateway.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use mantlet_controls::{Reason, api_keys::ApiKeys, audit::Record, authentication::sessions::Sessions};
use mantlet_example_axum::{app, config, protected};
use mantlet_gateway::{
    Address, Gate, GateConfig, Listen, UpstreamConfig,
    audit_log::{AuditConfig, AuditLog, AuditWriter},
    key_file::KeyFile,
    refresh_file::RefreshFile,
    session_file::SessionFile,
};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

/// The file of records.
const AUDIT: &str = "audit.jsonl";
/// What differs from answer to answer, or belongs to the connection.
const INCIDENTAL: [&str; 5] = ["date", "x-request-id", "connection", "content-length", "transfer-encoding"];

/// An answer, without what differs each time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    /// The reason, if it is a refusal.
    pub(crate) code: Option<String>,
    headers: BTreeMap<String, Vec<String>>,
    body: String,
    /// The token against request forgery, if one is set.
    pub(crate) token: Option<String>,
}

/// A way to ask the API.
pub(crate) enum Stand {
    /// The service itself.
    Oneshot(Router, Reasons),
    /// A server of it.
    Socket(SocketAddr, Reasons),
    /// The gateway before a server of the bare API.
    Gateway(Box<Gateway>),
}

/// What was refused, and why.
type Reasons = Arc<Mutex<Vec<String>>>;

pub(crate) struct Gateway {
    gate: Gate,
    writer: AuditWriter,
    /// The folder of its audit file.
    audit: TempDir,
}

impl Stand {
    pub(crate) fn oneshot() -> Self {
        let (service, reasons) = behind_the_layer();
        Self::Oneshot(service, reasons)
    }

    pub(crate) async fn socket() -> Self {
        let (service, reasons) = behind_the_layer();
        Self::Socket(serve(service).await, reasons)
    }

    pub(crate) async fn gateway() -> Self {
        let behind = serve(app()).await;
        let audit = TempDir::new().unwrap();
        let file = Some(audit.path().join(AUDIT));
        let to_file = AuditConfig { file, ..AuditConfig::without_file(false) };
        let (log, writer) = AuditLog::open(&to_file).unwrap();
        let config_of_gate = GateConfig {
            store: None,
            measures: false,
            tracer: None,
            callers: None,
            house: None,
            runs_app: false,
            listen: Listen::Tcp(([127, 0, 0, 1], 0).into()),
            also_listen: None,
            threads: 1,
            http2: true,
            proxy_protocol: false,
            upstream: UpstreamConfig {
                address: Address::Tcp(behind.ip().to_string(), behind.port()),
                connect_timeout: Duration::from_secs(5),
                response_timeout: Duration::from_mins(1),
                idle_timeout: Duration::from_secs(5),
                max_concurrent: 100,
                queue_timeout: Duration::from_secs(5),
                is_uvicorn: false,
            },
        };
        let folder = tempfile::tempdir().unwrap();
        let sessions = SessionFile::open(folder.path().join("sessions.jsonl"), Sessions::default(), false);
        let keys = KeyFile::open(folder.path().join("keys.jsonl"), ApiKeys::default());
        let handles = RefreshFile::open(folder.path().join("refresh-tokens.jsonl"), false).unwrap();
        let (policy, sessions, keys) = (config().check().unwrap(), sessions.unwrap(), keys.unwrap());
        let gate = Gate::start(config_of_gate, None, policy, log, &sessions, &keys, &handles).unwrap();
        Self::Gateway(Box::new(Gateway { gate, writer, audit }))
    }

    pub(crate) async fn ask(&self, request: Request<Vec<u8>>) -> Seen {
        match self {
            Self::Oneshot(service, _) => {
                let mut request = request.map(Body::from);
                let peer: SocketAddr = ([127, 0, 0, 1], 4711).into();
                request.extensions_mut().insert(ConnectInfo(peer));
                Seen::of(service.clone().oneshot(request).await.unwrap()).await
            }
            Self::Socket(address, _) => ask_over_socket(*address, request).await,
            Self::Gateway(gateway) => {
                let Listen::Tcp(address) = gateway.gate.listen() else { panic!("it listens on TCP") };
                ask_over_socket(*address, request).await
            }
        }
    }

    /// The reasons of all records, in their order.
    pub(crate) fn end(self) -> Vec<String> {
        match self {
            Self::Oneshot(_, reasons) | Self::Socket(_, reasons) => {
                reasons.lock().unwrap_or_else(PoisonError::into_inner).clone()
            }
            Self::Gateway(gateway) => {
                let Gateway { gate, writer, audit } = *gateway;
                gate.end();
                writer.finish();
                let lines = std::fs::read_to_string(audit.path().join(AUDIT)).unwrap();
                let records =
                    lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
                // Lines of the log itself have no reason.
                records.filter_map(|record| Some(record["reason"].as_str()?.to_owned())).collect()
            }
        }
    }
}

fn behind_the_layer() -> (Router, Reasons) {
    let reasons = Reasons::default();
    let kept = Arc::clone(&reasons);
    let keep = move |record: Record| kept.lock().unwrap().push(record.reason.to_owned());
    (protected(keep).unwrap(), reasons)
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    // Ends with the test's runtime.
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

async fn ask_over_socket(address: SocketAddr, request: Request<Vec<u8>>) -> Seen {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let chunked = request.headers().contains_key("transfer-encoding");
    let request = request.map(|body| if chunked { in_chunks(&body) } else { Full::from(body).boxed() });
    Seen::of(sender.send_request(request).await.unwrap()).await
}

fn in_chunks(body: &[u8]) -> BoxBody<Bytes, Infallible> {
    let chunks: Vec<_> =
        body.chunks(1000).map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk)))).collect();
    StreamBody::new(futures_util::stream::iter(chunks)).boxed()
}

impl Seen {
    async fn of<B>(answer: Response<B>) -> Self
    where
        B: hyper::body::Body<Data = Bytes>,
        B::Error: std::fmt::Debug,
    {
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let mut token = None;
        let mut headers = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in parts.headers.iter().filter(|(name, _)| !INCIDENTAL.contains(&name.as_str())) {
            let mut value = value.to_str().unwrap().to_owned();
            if let Some((new, attributes)) =
                value.strip_prefix("csrf_token=").and_then(|set| set.split_once(';'))
            {
                let without = format!("csrf_token=TOKEN;{attributes}");
                token = Some(new.to_owned());
                value = without;
            }
            headers.entry(name.to_string()).or_default().push(value);
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        let refusal = serde_json::from_slice::<serde_json::Value>(&body).ok();
        let code = refusal.as_ref().and_then(|refusal| Some(refusal.get("code")?.as_str()?.to_owned()));
        assert!(code.as_deref().is_none_or(|code| Reason::ALL.iter().any(|reason| reason.code() == code)));
        // The id differs in each answer; that it is the header's is the pipeline's own test.
        let id = parts.headers.get("x-request-id").map_or("", |id| id.to_str().unwrap());
        Self { status: parts.status.as_u16(), code, headers, body: text.replace(id, "ID"), token }
    }
}
