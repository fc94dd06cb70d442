//! Listening sockets: one for each thread and address, all on the same port.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener as StdTcpListener},
    os::{
        fd::AsFd,
        unix::{fs::FileTypeExt, net::UnixListener as StdUnixListener},
    },
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, TcpKeepalive, Type};

/// Connections that the kernel keeps for us while we are busy. The kernel lowers it to `net.core.somaxconn` (4,096 on Linux).
const BACKLOG: i32 = 4096;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A unix socket; its peer is trusted.
    Unix(PathBuf),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() {
                Err("expected `unix:PATH`".into())
            } else {
                Ok(Self::Unix(path.into()))
            };
        }
        let with_host = match text.strip_prefix(':') {
            Some(port) => format!("0.0.0.0:{port}"),
            None => text.replacen("localhost:", "127.0.0.1:", 1),
        };
        with_host.parse().map(Self::Tcp).map_err(|_| {
            format!("`{text}` is not an address; write `127.0.0.1:8000`, `[::]:8000` or `unix:PATH`")
        })
    }
}

/// A bound socket, not yet tied to a runtime.
#[derive(Debug)]
pub(crate) enum Bound {
    Tcp(StdTcpListener),
    Unix(StdUnixListener),
}

/// Binds one socket for each thread. Returns them and the address with its real port.
pub(crate) fn bind(listen: &Listen, threads: usize) -> io::Result<(Vec<Bound>, Listen)> {
    match listen {
        Listen::Unix(path) => {
            // A socket that accepts a connection is in use. Another one is left over from a killed
            // process.
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            match std::fs::symlink_metadata(path) {
                Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
                // Do not remove a file that Mantlet did not create.
                Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
                Err(_) => {}
            }
            let first = StdUnixListener::bind(path)?;
            first.set_nonblocking(true)?;
            let mut all = vec![];
            for _ in 1..threads {
                all.push(Bound::Unix(first.try_clone()?));
            }
            all.push(Bound::Unix(first));
            Ok((all, listen.clone()))
        }
        Listen::Tcp(address) => {
            // The port must not be shared with another program, so bind it exclusively first.
            drop(socket(*address, false)?);
            let first = socket(*address, true)?;
            let actual = first.local_addr()?;
            let mut all = vec![Bound::Tcp(first)];
            for _ in 1..threads {
                all.push(Bound::Tcp(socket(actual, true)?));
            }
            Ok((all, Listen::Tcp(actual)))
        }
    }
}

fn socket(address: SocketAddr, share: bool) -> io::Result<StdTcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share)?;
    socket.set_nonblocking(true)?;
    // Linux hands these on to the connections that are accepted.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_mins(1)))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Makes the kernel drop every new SYN, while handshakes that have begun are completed. Closing a
/// listening socket resets the connections that wait in its backlog, so none may be left there. A
/// client whose SYN is dropped tries again a second later.
pub(crate) fn ignore_newcomers(socket: &impl AsFd) {
    // A classic BPF program over the TCP header, whose flags are in byte 13 (RFC 9293 section 3.1).
    const DROP_SYN: [SockFilter; 4] = [
        SockFilter::new(0x30, 0, 0, 13),       // load the byte
        SockFilter::new(0x45, 0, 1, 0x02),     // SYN is not set: skip one
        SockFilter::new(0x06, 0, 0, 0),        // drop
        SockFilter::new(0x06, 0, 0, u32::MAX), // pass
    ];
    // Without the filter a few connections may be reset, as with other servers.
    let _ = SockRef::from(socket).attach_filter(&DROP_SYN);
}
