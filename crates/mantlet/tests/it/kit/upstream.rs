use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc::Receiver,
    },
    thread,
};

use rustix::net::{RecvFlags, recv};
use tempfile::TempDir;

/// What stands behind the gateway in place of the app: it keeps every byte that reaches it.
pub(crate) struct Upstream {
    folder: TempDir,
    log: Arc<Mutex<Vec<Seen>>>,
    ended: Arc<AtomicBool>,
}

/// What one connection brought.
#[derive(Default, Clone)]
struct Seen {
    bytes: Vec<u8>,
    closed: bool,
}

/// A connection from the gateway.
pub(crate) struct Connection {
    stream: UnixStream,
    log: Arc<Mutex<Vec<Seen>>>,
    number: usize,
}

impl Upstream {
    /// Treats every connection as told, each on a thread of its own.
    pub(crate) fn new(treat: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("app.sock")).expect("a socket");
        let (log, ended) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::<AtomicBool>::default());
        let (shared, over, treat) = (Arc::clone(&log), Arc::clone(&ended), Arc::new(treat));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(SeqCst) {
                    break;
                }
                let stream = stream.expect("a connection");
                let (log, treat) = (Arc::clone(&shared), Arc::clone(&treat));
                thread::spawn(move || {
                    // Whether it listens is asked without a word, and is not a connection for a request.
                    if !matches!(recv(&stream, &mut [0; 1][..], RecvFlags::PEEK), Ok((1.., _))) {
                        return;
                    }
                    let number = {
                        let mut log = log.lock().unwrap();
                        log.push(Seen::default());
                        log.len() - 1
                    };
                    treat(&mut Connection { stream, log, number });
                });
            }
        });
        Self { folder, log, ended }
    }

    /// A tap: passes everything on to another socket and back.
    pub(crate) fn before(app: &Path) -> Self {
        let app = app.to_owned();
        Self::new(move |connection| {
            let Ok(mut inner) = UnixStream::connect(&app) else { return };
            let mut back = inner.try_clone().expect("a second handle");
            let mut client = connection.stream.try_clone().expect("a second handle");
            let answers = thread::spawn(move || {
                // Either side may leave at any time; then the other is told.
                let _ = io::copy(&mut back, &mut client);
                let _ = client.shutdown(Shutdown::Both);
            });
            let mut piece = vec![0; 64 << 10];
            while let Ok(count @ 1..) = connection.read(&mut piece) {
                if inner.write_all(&piece[..count]).is_err() {
                    break;
                }
            }
            let _ = inner.shutdown(Shutdown::Both);
            let _ = answers.join();
        })
    }

    /// Reads the head of a request and answers these bytes, then closes.
    pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::new(move |connection| {
            connection.read_head();
            connection.write(&answer);
        })
    }

    /// Answers with so many events, each sent only when the one before has arrived.
    pub(crate) fn of_events(count: usize, has_arrived: Receiver<()>) -> Self {
        let has_arrived = Mutex::new(has_arrived);
        Self::new(move |connection| {
            connection.read_head();
            connection.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
            );
            for number in 0..count {
                let event = format!("data: {number}\n\n");
                connection.write(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes());
                has_arrived.lock().unwrap().recv().expect("the client is there");
            }
            connection.write(b"0\r\n\r\n");
        })
    }

    /// As `--upstream` wants it.
    pub(crate) fn url(&self) -> String {
        format!("unix:{}", self.path().display())
    }

    /// Listens on a free port of this machine too.
    pub(crate) fn listen_on_tcp(&self) -> SocketAddr {
        self.listen_on_tcp_at(([127, 0, 0, 1], 0).into())
    }

    /// Listens at this address too, for as long as the tests last.
    pub(crate) fn listen_on_tcp_at(&self, address: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind(address).expect("an address that is free");
        let bound = listener.local_addr().expect("an address");
        let socket = self.path();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut client, Ok(mut inner)) =
                    (stream.expect("a connection"), UnixStream::connect(&socket))
                else {
                    break;
                };
                let (mut back, mut answer) = (
                    inner.try_clone().expect("a second handle"),
                    client.try_clone().expect("a second handle"),
                );
                thread::spawn(move || {
                    let _ = io::copy(&mut back, &mut answer);
                    let _ = answer.shutdown(Shutdown::Both);
                    // Whoever writes learns that nobody reads.
                    let _ = back.shutdown(Shutdown::Both);
                });
                thread::spawn(move || io::copy(&mut client, &mut inner));
            }
        });
        bound
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("app.sock")
    }

    /// Everything that has arrived, one connection after the other.
    pub(crate) fn seen(&self) -> Vec<u8> {
        self.log.lock().unwrap().iter().flat_map(|seen| seen.bytes.clone()).collect()
    }

    /// How many connections were made, and how many of them are still open.
    pub(crate) fn connections(&self) -> (usize, usize) {
        let log = self.log.lock().unwrap();
        (log.len(), log.iter().filter(|seen| !seen.closed).count())
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.ended.store(true, SeqCst);
        // Wakes the thread that accepts.
        let _ = UnixStream::connect(self.path());
    }
}

impl Connection {
    /// Reads up to the empty line after a head; returns the head.
    pub(crate) fn read_head(&mut self) -> Vec<u8> {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && self.read(&mut byte).is_ok_and(|count| count == 1) {
            head.push(byte[0]);
        }
        head
    }

    /// The next head, as text; none if the gateway has closed the connection.
    pub(crate) fn next_head(&mut self) -> Option<String> {
        let head = self.read_head();
        (!head.is_empty()).then(|| String::from_utf8_lossy(&head).into_owned())
    }

    /// Reads until the gateway closes the connection.
    pub(crate) fn read_to_end(&mut self) {
        let mut piece = vec![0; 64 << 10];
        while self.read(&mut piece).is_ok_and(|count| count > 0) {}
    }

    /// Reads so many bytes and keeps none of them.
    pub(crate) fn skip(&mut self, count: u64) {
        let mut rest = (&mut self.stream).take(count);
        let skipped = io::copy(&mut rest, &mut io::sink()).expect("bytes to skip");
        assert_eq!(skipped, count, "the gateway closed before the end of the body");
    }

    /// Whether these bytes were taken; the gateway may close on the way.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Writes; the gateway may be gone already.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.log.lock().unwrap()[self.number].bytes.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // First it is so, then it is known.
        let _ = self.stream.shutdown(Shutdown::Both);
        self.log.lock().unwrap()[self.number].closed = true;
    }
}
