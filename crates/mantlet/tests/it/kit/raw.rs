use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    os::unix::net::UnixStream,
};

use serde_json::Value;

use super::PATIENCE;

/// A client that sends the bytes it is told to, and reads answers strictly.
pub(crate) struct Client {
    socket: Box<dyn Socket>,
    /// Read and not yet taken.
    buffer: Vec<u8>,
    /// Of two framings the chunks count (RFC 9112 section 6.3), as of an app without the gate.
    forgives: bool,
}

pub(crate) trait Socket: Read + Write + Send {
    fn finish(&self);
}

impl Socket for TcpStream {
    fn finish(&self) {
        self.shutdown(Shutdown::Write).expect("it is open");
    }
}

impl Socket for UnixStream {
    fn finish(&self) {
        self.shutdown(Shutdown::Write).expect("it is open");
    }
}

/// An answer, complete.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("a connection");
        socket.set_nodelay(true).expect("an option");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Self { socket: Box::new(socket), buffer: Vec::new(), forgives: false }
    }

    /// A client on a connection that is more than a socket.
    pub(crate) fn over(socket: impl Socket + 'static) -> Self {
        Self { socket: Box::new(socket), buffer: Vec::new(), forgives: false }
    }

    pub(crate) fn connect_unix(path: &str) -> Self {
        let socket = UnixStream::connect(path).expect("a connection");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self { socket: Box::new(socket), buffer: Vec::new(), forgives: false }
    }

    /// Reads answers that no gate has mended.
    pub(crate) fn forgive_two_framings(&mut self) {
        self.forgives = true;
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).expect("the bytes are taken");
    }

    /// Sends as much as is taken; the gateway may close on the way.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.socket.write_all(bytes.as_ref()).is_ok()
    }

    /// Says that nothing more will come.
    pub(crate) fn finish(&mut self) {
        self.socket.finish();
    }

    /// Sends a request and reads its answer.
    pub(crate) fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request);
        self.answer()
    }

    /// A GET without any ado.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    /// The next answer; a 1xx is one without a body.
    pub(crate) fn answer(&mut self) -> Answer {
        self.read_answer(false)
    }

    /// The next answer, to a HEAD request.
    pub(crate) fn answer_to_head(&mut self) -> Answer {
        self.read_answer(true)
    }

    /// The head of the next answer; what follows is the caller's to read.
    pub(crate) fn head(&mut self) -> Answer {
        let line = self.line();
        let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
        let status = rest.and_then(|rest| rest.get(..3)?.parse().ok()).expect("a status");
        Answer { status, headers: self.fields(), body: vec![], trailers: vec![] }
    }

    fn read_answer(&mut self, to_head: bool) -> Answer {
        let mut answer = self.head();
        let bodiless = to_head || answer.status < 200 || matches!(answer.status, 204 | 304);
        match (answer.header("content-length"), answer.header("transfer-encoding")) {
            (Some(_), Some(coding))
                if self.forgives && !bodiless && coding.eq_ignore_ascii_case("chunked") =>
            {
                while let Some(chunk) = self.chunk() {
                    answer.body.extend(chunk);
                }
                answer.trailers = self.fields();
            }
            (Some(_), Some(_)) => panic!("an answer with two framings: {answer:?}"),
            _ if bodiless => {}
            (Some(length), None) => answer.body = self.take(length.parse().expect("a length")),
            (None, Some(coding))
                if coding == "chunked" || (self.forgives && coding.eq_ignore_ascii_case("chunked")) =>
            {
                while let Some(chunk) = self.chunk() {
                    answer.body.extend(chunk);
                }
                answer.trailers = self.fields();
            }
            (None, Some(other)) => panic!("Transfer-Encoding: {other}"),
            (None, None) => answer.body = self.rest(),
        }
        answer
    }

    /// The next chunk of a body; none at its end, where trailers may follow.
    pub(crate) fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(&self.line(), 16).expect("a chunk size");
        if size == 0 {
            return None;
        }
        let chunk = self.take(size);
        assert_eq!(self.line(), "", "after a chunk");
        Some(chunk)
    }

    fn fields(&mut self) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        loop {
            let line = self.line();
            if line.is_empty() {
                return fields;
            }
            let (name, value) = line.split_once(':').expect("a header line");
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// A line without its CR LF, as Latin-1.
    fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let line = line.strip_suffix(b"\r\n").expect("a line that ends in CR LF");
                assert!(!line.contains(&b'\r'), "a bare CR in an answer: {line:?}");
                return line.iter().copied().map(char::from).collect();
            }
            let so_far = String::from_utf8_lossy(&self.buffer).into_owned();
            assert!(self.fill(), "the connection closed in the middle of an answer: {so_far:?}");
        }
    }

    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            assert!(self.fill(), "the connection closed in the middle of a body");
        }
        self.buffer.drain(..count).collect()
    }

    /// As [`Client::take`], or none at the end of the connection, orderly or by a reset.
    pub(crate) fn take_or_end(&mut self, count: usize) -> Option<Vec<u8>> {
        if self.buffer.is_empty() {
            let mut piece = vec![0; 64 << 10];
            match self.socket.read(&mut piece) {
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                read => self.buffer.extend_from_slice(&piece[..read.expect("something to read, or an end")]),
            }
        }
        (!self.buffer.is_empty()).then(|| self.take(count))
    }

    /// Everything up to the end of the connection, whose end must come in time and in order.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.buffer)
    }

    /// Asserts that the gateway says nothing more and closes.
    pub(crate) fn expect_closed(&mut self) {
        let rest = self.rest();
        assert!(rest.is_empty(), "more than expected: {:?}", String::from_utf8_lossy(&rest));
    }

    /// Whether the connection ended, in whatever way, before so many bytes came.
    pub(crate) fn is_cut_short(&mut self, count: usize) -> bool {
        let mut piece = vec![0; 64 << 10];
        let mut received = self.buffer.len();
        while let Ok(more @ 1..) = self.socket.read(&mut piece) {
            received += more;
        }
        received < count
    }

    /// Whether the connection ended without a byte, orderly or by a reset.
    pub(crate) fn is_cut_off(&mut self) -> bool {
        let mut piece = [0; 1024];
        match self.socket.read(&mut piece) {
            Ok(count) => count == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    fn fill(&mut self) -> bool {
        let mut piece = vec![0; 64 << 10];
        let count = self.socket.read(&mut piece).expect("something to read, or an orderly end");
        self.buffer.extend_from_slice(&piece[..count]);
        count > 0
    }
}

impl Answer {
    /// The only value of a header; more than one is a failure.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} stands twice in {:?}", self.headers);
        value
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("not JSON: {:?}", String::from_utf8_lossy(&self.body)))
    }

    /// What the app wrote down about this very request: the recorder answers with it.
    pub(crate) fn record(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// The reason of a refusal.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_else(|| panic!("no refusal: {self:?}")).to_owned()
    }

    pub(crate) fn request_id(&self) -> &str {
        self.header("x-request-id").unwrap_or_else(|| panic!("no X-Request-ID: {self:?}"))
    }
}
