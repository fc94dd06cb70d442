//! A connection to a syslog server, and datagrams to one.
//!
//! Syslog has no acknowledgements. What a server had taken when its connection broke is not known, so what
//! was sent shortly before is sent again. A connection that is closed in order says that all was read.

use std::{
    collections::VecDeque,
    io,
    path::Path,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UdpSocket, UnixDatagram},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    Outcome,
    destination::Wire,
    line::{Line, Position},
    syslog::Header,
};

/// How long the other end may leave bytes unacknowledged, or stay silent, until its connection counts as broken.
const SILENCE: Duration = Duration::from_secs(10);
/// What was sent in this time before a connection broke is sent again.
const AGAIN: Duration = Duration::from_secs(20);
/// How long a server may take to refuse our certificate.
const REFUSAL: Duration = Duration::from_millis(200);
/// How often it is sent again, at most.
const REPEATS: usize = 3;
/// Bytes that a server may send in a while. It need not send any, and they are not read.
const HEARD: (usize, Duration) = (64 << 10, Duration::from_mins(1));
/// How often it is noted what was sent.
const NOTE_EVERY: Duration = Duration::from_secs(1);

trait Both: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Both for T {}

/// A connection, made when it is needed.
pub(super) struct Stream {
    header: Header,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
    patience: Duration,
    open: Option<Box<dyn Both>>,
    /// Bytes that the server has sent since this time.
    heard: (usize, Instant),
    /// What was sent, and when.
    sent: VecDeque<(Instant, Position)>,
    /// The last line of each connection that broke, and was not confirmed since.
    broke: VecDeque<Position>,
}

impl Stream {
    pub(super) fn new(
        header: Header,
        (host, port): (String, u16),
        tls: Option<TlsConnector>,
        patience: Duration,
    ) -> Self {
        let (sent, broke) = (VecDeque::new(), VecDeque::new());
        Self { header, host, port, tls, patience, open: None, heard: (0, Instant::now()), sent, broke }
    }

    pub(super) async fn send(&mut self, lines: &[Line]) -> Outcome {
        let sent = timeout(self.patience, self.try_send(lines)).await;
        match sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(()) => Outcome::Taken { refused: 0 },
            Err(error) => {
                self.open = None;
                Outcome::failed(said(&error))
            }
        }
    }

    async fn try_send(&mut self, lines: &[Line]) -> io::Result<()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.connect().await?,
        };
        if let Some(ended) = closed(&mut open, &mut self.heard).now_or_never() {
            return ended.and(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let frames: Vec<u8> = lines.iter().flat_map(|line| self.header.frame(line)).collect();
        open.write_all(&frames).await?;
        open.flush().await?;
        self.open = Some(open);
        let now = Instant::now();
        if let Some(last) = lines.last() {
            match self.sent.back_mut() {
                // Only the time of the first is known for all of them.
                Some((noted, position)) if noted.elapsed() < NOTE_EVERY => {
                    position.clone_from(&last.position);
                }
                _ => self.sent.push_back((now, last.position.clone())),
            }
        }
        Ok(())
    }

    async fn connect(&mut self) -> io::Result<Box<dyn Both>> {
        let socket = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let options = SockRef::from(&socket);
        options.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENCE).with_interval(SILENCE / 3))?;
        #[cfg(target_os = "linux")]
        options.set_tcp_user_timeout(Some(SILENCE))?;
        let Some(tls) = &self.tls else { return Ok(Box::new(socket)) };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| io::Error::other(format!("`{}` is not the name of a server", self.host)))?;
        let mut open: Box<dyn Both> = Box::new(tls.connect(name, socket).await?);
        // A server that refuses our certificate says so after the handshake (RFC 8446 section 4.4.2.4).
        match timeout(REFUSAL, closed(&mut open, &mut self.heard)).await {
            Err(_) => Ok(open),
            Ok(Ok(())) => Err(io::ErrorKind::ConnectionReset.into()),
            Ok(Err(error)) => Err(error),
        }
    }

    /// Up to which line the server has had enough time to read.
    pub(super) fn confirmed(&mut self) -> Option<Position> {
        let mut confirmed = None;
        while let Some((_, position)) = self.sent.pop_front_if(|(when, _)| when.elapsed() >= AGAIN) {
            self.broke.retain(|broke| broke.seq > position.seq);
            confirmed = Some(position);
        }
        confirmed
    }

    /// What was sent has to be sent again, but not for ever to a server whose connections always break: up to
    /// this line it was sent often enough.
    pub(super) fn forget(&mut self) -> Option<Position> {
        self.open = None;
        let last = self.sent.pop_back().map(|(_, position)| position);
        self.sent.clear();
        let reached = last.filter(|last| self.broke.front().is_none_or(|first| first.seq <= last.seq));
        self.broke.extend(reached);
        if self.broke.len() > REPEATS { self.broke.pop_front() } else { None }
    }

    /// Waits until the server ends the connection; for ever if there is none.
    pub(super) async fn broken(&mut self) {
        match &mut self.open {
            Some(open) => {
                let _ = closed(open, &mut self.heard).await;
                self.open = None;
            }
            None => std::future::pending().await,
        }
    }

    /// Closes in order. A server that closes, too, has read everything: the last line of that.
    pub(super) async fn end(&mut self) -> Option<Position> {
        let mut open = self.open.take()?;
        open.shutdown().await.ok()?;
        closed(&mut open, &mut self.heard).await.ok()?;
        self.sent.pop_back().map(|(_, position)| position)
    }
}

/// Waits for the end of a connection. What a server says is not read, and a server that says too much is left.
async fn closed(open: &mut Box<dyn Both>, heard: &mut (usize, Instant)) -> io::Result<()> {
    let mut bytes = [0; 512];
    loop {
        let read = open.read(&mut bytes).await?;
        if read == 0 {
            return Ok(());
        }
        if heard.1.elapsed() >= HEARD.1 {
            *heard = (0, Instant::now());
        }
        heard.0 += read;
        if heard.0 > HEARD.0 {
            let limit = HEARD.0 >> 10;
            return Err(io::Error::other(format!("it has sent more than {limit} KiB within a minute")));
        }
    }
}

fn said(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut => "it does not respond".to_owned(),
        io::ErrorKind::ConnectionReset => "it has closed the connection".to_owned(),
        _ => error.to_string(),
    }
}

/// Datagrams.
pub(super) struct Datagrams {
    header: Header,
    wire: Wire,
    open: Option<Socket>,
}

enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Datagrams {
    pub(super) const fn new(header: Header, wire: Wire) -> Self {
        Self { header, wire, open: None }
    }

    /// Sends one line.
    pub(super) async fn send(&mut self, line: &Line, patience: Duration) -> Outcome {
        let sent = timeout(patience, self.try_send(line)).await;
        match sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(()) => Outcome::Taken { refused: 0 },
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error()) => {
                Outcome::TooLarge
            }
            Err(error) => {
                self.open = None;
                Outcome::failed(said(&error))
            }
        }
    }

    async fn try_send(&mut self, line: &Line) -> io::Result<()> {
        let socket = match self.open.take() {
            Some(socket) => socket,
            None => connect(&self.wire).await?,
        };
        let socket = self.open.insert(socket);
        match socket {
            Socket::Udp(socket) => socket.send(&self.header.message(line)).await?,
            Socket::Unix(socket) => socket.send(&self.header.local(line)).await?,
        };
        Ok(())
    }
}

async fn connect(wire: &Wire) -> io::Result<Socket> {
    if let Wire::Unix(path) = wire {
        return unix(path).map(Socket::Unix);
    }
    let (Wire::Udp(host, port) | Wire::Tcp(host, port) | Wire::Tls(host, port)) = wire else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let server = tokio::net::lookup_host((host.as_str(), *port)).await?.next();
    let server = server.ok_or_else(|| io::Error::other(format!("`{host}` has no address")))?;
    let own = if server.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(own).await?;
    socket.connect(server).await?;
    Ok(Socket::Udp(socket))
}

fn unix(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_sends_for_ever_is_left() {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut socket, _) = server.accept().await.unwrap();
            while socket.write_all(&[b'x'; 4_096]).await.is_ok() {}
        });
        let mut stream = Stream::new(Header::new(13), ("127.0.0.1".into(), port), None, SILENCE);
        let line = Line::of(br#"{"seq":0,"prev":""}"#.to_vec(), "log", 0, 0).unwrap();
        let why = loop {
            match stream.send(std::slice::from_ref(&line)).await {
                Outcome::Failed { why, .. } => break why,
                taken => assert_eq!(taken, Outcome::Taken { refused: 0 }),
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(why, "it has sent more than 64 KiB within a minute");
        assert!(stream.open.is_none());
    }

    #[test]
    fn lines_are_sent_again_three_times_to_a_server_whose_connections_break() {
        let mut stream = Stream::new(Header::new(13), ("localhost".into(), 1), None, SILENCE);
        let position = |seq| Position {
            log: "log".into(),
            seq,
            prev: String::new(),
            link: String::new(),
            first: 0,
            offset: 0,
        };
        let mut breaks_after = |seq| {
            stream.sent.push_back((Instant::now(), position(seq)));
            assert_eq!(stream.confirmed(), None);
            stream.forget().map(|position| position.seq)
        };
        assert_eq!(breaks_after(10), None);
        // It has not come as far as before: that does not count.
        assert_eq!(breaks_after(5), None);
        assert_eq!(breaks_after(20), None);
        assert_eq!(breaks_after(20), None);
        assert_eq!(breaks_after(30), Some(10));
        assert_eq!(breaks_after(40), Some(20));
    }
}
