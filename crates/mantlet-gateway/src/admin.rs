//! The admin socket: what Mantlet remembers of clients, to be seen and changed by whoever runs it. HTTP with JSON.
//!
//! Whoever may open the socket may do everything: that is its owner alone (mode 0600). It is served where it is polled, never on a thread of the
//! gate, and what is asked is short: no request has a body.

mod quotas;

use std::{
    borrow::Cow,
    convert::Infallible,
    fs::{self, File, Permissions},
    io,
    os::{
        fd::AsRawFd,
        unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
            net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream},
        },
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::{body::Incoming, client, server, service::service_fn};
use hyper_util::rt::TokioIo;
use mantlet_controls::{
    Mode, Policy, ResponseBody,
    audit::{Record, Sink},
    throttle::bans::{Bans, Lift},
};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::{
    net::{UnixListener, UnixStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{body::ToApp, fetch, gate::Shared, guarded};

/// Longest path of a socket, in bytes; Linux takes 107, macOS 103.
const MAX_PATH: usize = 100;
/// How long a request and its answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections at once.
const MOST: usize = 16;
/// Largest head of a request.
const MAX_HEAD: usize = 16 << 10;
/// Longest answer that is read: all that is remembered of any control.
const MAX_ANSWER: usize = 64 << 20;

/// A socket that is listened on.
#[derive(Debug)]
pub struct Admin {
    listener: StdUnixListener,
    path: PathBuf,
    /// By which it is known again.
    inode: u64,
}

impl Admin {
    /// Makes the socket, in a folder that is there. What is left over of a Mantlet that has died is replaced; one that answers is in use.
    pub fn open(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            // Somebody's file is not ours to remove.
            Ok(found) if !found.file_type().is_socket() => return Err(io::ErrorKind::AlreadyExists.into()),
            // Nor is one asked, or its commands, that another user has put there.
            Ok(found) if !guarded::is_trusted(found.uid()) => {
                let why = format!("there is a socket of the user {}; remove it", found.uid());
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
            }
            Ok(_) => match connect_now(path) {
                Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // Made where nobody else can enter, and put in its place when it has its mode: there is no moment in which others could open it.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let draft = tempfile::Builder::new()
            .prefix(".admin-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(folder)?;
        let drafted = draft.path().join("socket");
        let listener = StdUnixListener::bind(Reach::of(&drafted)?.path)?;
        listener.set_nonblocking(true)?;
        fs::set_permissions(&drafted, Permissions::from_mode(0o600))?;
        let inode = fs::symlink_metadata(&drafted)?.ino();
        fs::rename(&drafted, path)?;
        Ok(Self { listener, path: path.to_owned(), inode })
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        // Another Mantlet's may be there by now.
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A path that is short enough for a socket.
struct Reach {
    path: PathBuf,
    /// Open for as long as the path leads through it.
    _folder: Option<File>,
}

impl Reach {
    fn of(path: &Path) -> io::Result<Self> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if path.as_os_str().len() <= MAX_PATH {
            return Ok(Self { path: path.to_owned(), _folder: None });
        }
        // Linux lets an open folder stand for its own path.
        if !Path::new("/proc/self/fd").exists() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let folder = File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
        Ok(Self { path, _folder: Some(folder) })
    }
}

fn connect_now(path: &Path) -> io::Result<StdUnixStream> {
    StdUnixStream::connect(&Reach::of(path)?.path)
}

/// Answers for as long as it is polled; without a socket it does nothing.
pub(crate) async fn serve(admin: Option<&Admin>, shared: &Arc<Shared>) {
    let Some(admin) = admin else { return std::future::pending().await };
    let listener = match admin.listener.try_clone().and_then(UnixListener::from_std) {
        Ok(listener) => listener,
        Err(error) => {
            crate::tell(&format!("the admin socket cannot be served: {error}"));
            return std::future::pending().await;
        }
    };
    let mut under_way = JoinSet::new();
    loop {
        while under_way.try_join_next().is_some() {}
        if under_way.len() >= MOST {
            under_way.join_next().await;
            continue;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(shared);
                // Whoever is too slow is cut off.
                under_way.spawn(async move { drop(timeout(PATIENCE, converse(stream, &shared)).await) });
            }
            // Most likely there are no descriptors left.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn converse(stream: UnixStream, shared: &Arc<Shared>) {
    let service = service_fn(async |request: Request<Incoming>| {
        let policy = shared.policy.load_full();
        let question = quotas::Question { policy: &policy, store: shared.store.as_ref(), now: quotas::now() };
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let segments = segments(&path);
        let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
        let outcome = match question.answer(&method, &path, &segments, &shared.audit).await {
            Some(outcome) => outcome,
            None => answer(&request, &policy, &shared.audit),
        };
        Ok::<_, Infallible>(respond(outcome))
    });
    let connection = server::conn::http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    // The client has what it wanted, or does not want it any more.
    let _ = connection.await;
}

/// Why there is nothing to answer with.
struct Trouble {
    status: StatusCode,
    message: String,
    /// Methods that would do.
    allow: Option<&'static str>,
}

impl Trouble {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), allow: None }
    }
}

fn respond(outcome: Result<Value, Trouble>) -> Response<ResponseBody<Incoming>> {
    let (status, allow, body) = match outcome {
        Ok(body) => (StatusCode::OK, None, body),
        Err(trouble) => (trouble.status, trouble.allow, json!({ "error": trouble.message })),
    };
    let mut response = Response::new(ResponseBody::own(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(methods) = allow {
        headers.insert(header::ALLOW, HeaderValue::from_static(methods));
    }
    response
}

/// The segments of a path, percent-decoded one by one: a key may hold anything.
fn segments(path: &str) -> Vec<Cow<'_, str>> {
    path.split('/').skip(1).map(|segment| percent_decode_str(segment).decode_utf8_lossy()).collect()
}

/// What can be asked.
fn answer<B>(request: &Request<B>, policy: &Policy, audit: &impl Sink) -> Result<Value, Trouble> {
    let path = request.uri().path();
    let segments = segments(path);
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    let method = request.method();
    match segments.as_slice() {
        ["bans"] => match *method {
            Method::GET => Ok(list_bans(policy)),
            Method::DELETE => lift_bans(policy.throttle.bans(), audit),
            _ => Err(no_method(method, path, "GET, DELETE")),
        },
        ["bans", address] => match *method {
            Method::DELETE => lift_ban(policy.throttle.bans(), address, audit),
            _ => Err(no_method(method, path, "DELETE")),
        },
        ["agreement"] => match *method {
            Method::GET => Ok(agreement(policy)),
            _ => Err(no_method(method, path, "GET")),
        },
        _ => Err(Trouble::new(
            StatusCode::NOT_FOUND,
            format!(
                "there is no `{path}`; ask for `/agreement`, `/bans`, `/bans/{{address}}`, `/quotas` or `/quotas/{{quota}}/{{key}}`"
            ),
        )),
    }
}

fn no_method(method: &Method, path: &str, allow: &'static str) -> Trouble {
    let message = format!("`{path}` does not take {method}; it takes {allow}");
    Trouble { allow: Some(allow), ..Trouble::new(StatusCode::METHOD_NOT_ALLOWED, message) }
}

/// What the app has said to input that was judged and left to it.
fn agreement(policy: &Policy) -> Value {
    let contract = policy.contract.in_force();
    let operations = contract.as_ref().map(|contract| {
        contract.agreement(|method, path| {
            let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
            policy.routes.of(&method, mantlet_controls::call::Spellings::one(path)).rules
        })
    });
    json!({ "contract": contract.is_some(), "operations": operations.unwrap_or_default() })
}

fn list_bans(policy: &Policy) -> Value {
    let bans = policy.throttle.bans();
    let mode = bans.map_or(Mode::Off, Bans::mode);
    json!({ "throttle": policy.throttle.mode(), "mode": mode, "bans": bans.map(Bans::list).unwrap_or_default() })
}

fn lift_bans(bans: Option<&Bans>, audit: &impl Sink) -> Result<Value, Trouble> {
    let lifted = enforced(bans)?.lift_all();
    for address in &lifted {
        audit.record(Record::of_lifted(address));
    }
    Ok(json!({ "lifted": lifted }))
}

fn lift_ban(bans: Option<&Bans>, address: &str, audit: &impl Sink) -> Result<Value, Trouble> {
    match enforced(bans)?.lift(address) {
        Lift::Lifted(address) => {
            audit.record(Record::of_lifted(&address));
            Ok(json!({ "lifted": [address] }))
        }
        Lift::NotBanned => {
            let message = format!("`{address}` is not banned; `mantlet bans` lists who is");
            Err(Trouble::new(StatusCode::NOT_FOUND, message))
        }
        Lift::NoAddress => {
            let message = format!("`{address}` is no address; write one that `mantlet bans` lists, or `all`");
            Err(Trouble::new(StatusCode::BAD_REQUEST, message))
        }
    }
}

fn enforced(bans: Option<&Bans>) -> Result<&Bans, Trouble> {
    bans.filter(|bans| bans.mode() == Mode::Enforce).ok_or_else(|| {
        let message = "nobody is banned: `mode` under `[throttle.ban]` is not `enforce`";
        Trouble::new(StatusCode::NOT_FOUND, message)
    })
}

/// Asks the Mantlet that answers at this socket, for a path of these segments. Its answer is JSON, and so is an error's.
pub async fn ask(socket: &Path, method: Method, segments: &[&str]) -> io::Result<(StatusCode, Value)> {
    let asked = timeout(PATIENCE, exchange(socket, method, segments)).await;
    asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn exchange(socket: &Path, method: Method, segments: &[&str]) -> io::Result<(StatusCode, Value)> {
    let stream = connect_now(socket)?;
    stream.set_nonblocking(true)?;
    let stream = TokioIo::new(UnixStream::from_std(stream)?);
    let (mut sender, connection) = client::conn::http1::handshake(stream).await.map_err(io::Error::other)?;
    // Ends with the sender and the answer.
    tokio::spawn(connection);
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        path.extend(utf8_percent_encode(segment, NON_ALPHANUMERIC));
    }
    let mut request = Request::new(ToApp::Empty);
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().map_err(io::Error::other)?;
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("mantlet"));
    let (parts, body) = sender.send_request(request).await.map_err(io::Error::other)?.into_parts();
    let body = fetch::read(body, MAX_ANSWER).await.map_err(io::Error::other)?;
    Ok((parts.status, serde_json::from_slice(&body)?))
}
