use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
};

use serde_json::Value;

use super::PATIENCE;

/// Clients that ask again and again until told to stop, or until nobody listens any more.
///
/// The app must answer with JSON whose `path` is the path that was asked for: nobody may get another's answer.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Tally>>,
}

/// What the clients met.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How many answers there were of each kind: `200`, `503 app-unavailable`, …
    pub(crate) answers: BTreeMap<String, usize>,
    /// Requests that were sent, or at least begun, and had no whole answer.
    pub(crate) broken: Vec<String>,
    /// Clients that ended because nobody listened any more.
    pub(crate) turned_away: usize,
}

/// How clients ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) method: &'static str,
    /// Whether a connection is used until the gate closes it, or for one request only.
    pub(crate) keep_alive: bool,
}

/// All manners.
pub(crate) const MANNERS: [Manner; 4] = [
    Manner { method: "GET", keep_alive: true },
    Manner { method: "POST", keep_alive: true },
    Manner { method: "GET", keep_alive: false },
    Manner { method: "POST", keep_alive: false },
];

impl Load {
    /// One client for each manner.
    pub(crate) fn start(address: SocketAddr, manners: &[Manner]) -> Self {
        let (stop, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let clients = manners
            .iter()
            .enumerate()
            .map(|(number, manner)| {
                let (stop, asked, manner) = (Arc::clone(&stop), Arc::clone(&asked), *manner);
                thread::spawn(move || run(address, number, manner, &stop, &asked))
            })
            .collect();
        Self { stop, asked, clients }
    }

    /// Waits until so many more requests have been answered.
    pub(crate) fn wait_for(&self, more: usize) {
        let goal = self.asked.load(Relaxed) + more;
        super::eventually("more answers", || (self.asked.load(Relaxed) >= goal).then_some(()));
    }

    /// Ends the clients after their current request.
    pub(crate) fn stop(self) -> Tally {
        self.stop.store(true, Relaxed);
        self.join()
    }

    /// Waits until nobody listens any more.
    pub(crate) fn join(self) -> Tally {
        let mut all = Tally::default();
        for client in self.clients {
            let tally = client.join().expect("a client that does not panic");
            for (kind, count) in tally.answers {
                *all.answers.entry(kind).or_default() += count;
            }
            all.broken.extend(tally.broken);
            all.turned_away += tally.turned_away;
        }
        all
    }
}

impl Tally {
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.answers.get(kind).copied().unwrap_or_default()
    }
}

fn run(address: SocketAddr, number: usize, manner: Manner, stop: &AtomicBool, asked: &AtomicUsize) -> Tally {
    let mut tally = Tally::default();
    let mut open: Option<TcpStream> = None;
    let mut turn = 0;
    while !stop.load(Relaxed) {
        let mut socket = match open.take().map_or_else(|| connect(address), Ok) {
            Ok(socket) => socket,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                tally.turned_away += 1;
                break;
            }
            Err(error) => {
                tally.broken.push(format!("connecting: {error}"));
                break;
            }
        };
        turn += 1;
        let path = format!("/load-{number}-{turn}");
        let (met, goes_on) = match ask(&mut socket, manner, &path) {
            Ok(answer) => (answer.judge(&path), manner.keep_alive && !answer.closes),
            Err(problem) => (Err(problem), false),
        };
        match met {
            Ok(kind) => *tally.answers.entry(kind).or_default() += 1,
            Err(problem) => tally.broken.push(format!("{} {path}: {problem}", manner.method)),
        }
        asked.fetch_add(1, Relaxed);
        if goes_on {
            open = Some(socket);
        }
    }
    tally
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

struct Answer {
    status: u16,
    closes: bool,
    body: Vec<u8>,
}

impl Answer {
    /// What kind of answer it is, if it is a proper one.
    fn judge(&self, path: &str) -> Result<String, String> {
        let shown = || format!("{}: {}", self.status, String::from_utf8_lossy(&self.body));
        let body: Value = serde_json::from_slice(&self.body).map_err(|_| shown())?;
        if self.status == 200 && body["path"] == path {
            return Ok("200".to_owned());
        }
        let code = body["code"].as_str().filter(|_| self.status != 200).ok_or_else(shown)?;
        Ok(format!("{} {code}", self.status))
    }
}

fn ask(socket: &mut TcpStream, manner: Manner, path: &str) -> Result<Answer, String> {
    let mut request = format!("{} {path} HTTP/1.1\r\nHost: localhost\r\n", manner.method);
    if manner.method == "POST" {
        write!(request, "Content-Length: 5\r\n").expect("memory");
    }
    if !manner.keep_alive {
        request.push_str("Connection: close\r\n");
    }
    request.push_str("\r\n");
    if manner.method == "POST" {
        request.push_str("hello");
    }
    socket.write_all(request.as_bytes()).map_err(|error| format!("sending: {error}"))?;

    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        more(socket, &mut bytes)?;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let status = head.get(9..12).and_then(|status| status.parse().ok()).ok_or("no status")?;
    let length: usize = field("content-length:").and_then(|length| length.parse().ok()).ok_or("no length")?;
    let closes = field("connection:") == Some("close");
    while bytes.len() < end + length {
        more(socket, &mut bytes)?;
    }
    if bytes.len() > end + length {
        return Err("more than one answer".to_owned());
    }
    Ok(Answer { status, closes, body: bytes.split_off(end) })
}

fn more(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<(), String> {
    let mut piece = [0; 16 << 10];
    let place = if bytes.is_empty() { "before the answer" } else { "in the answer" };
    match socket.read(&mut piece) {
        Ok(0) => Err(format!("closed {place}")),
        Ok(count) => {
            bytes.extend_from_slice(&piece[..count]);
            Ok(())
        }
        Err(error) => Err(format!("{error} {place}")),
    }
}
