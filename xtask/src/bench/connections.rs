//! Connections that are held open.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

/// How long an answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Opens so many connections; on each, one request is answered if `ask`.
pub(super) fn open(port: u16, count: usize, ask: bool) -> Result<Vec<TcpStream>> {
    let mut all = Vec::with_capacity(count);
    for number in 1..=count {
        let mut stream = TcpStream::connect(("127.0.0.1", port))
            .with_context(|| format!("connection {number} of {count} cannot be opened"))?;
        if ask {
            self::ask(&mut stream)
                .with_context(|| format!("connection {number} of {count} brings no answer"))?;
        }
        all.push(stream);
    }
    Ok(all)
}

/// Fails if the server has closed one of them.
pub(super) fn ensure_open(connections: &[TcpStream]) -> Result<()> {
    let is_open = |stream: &TcpStream| {
        let _ = stream.set_nonblocking(true);
        matches!(stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    };
    let closed = connections.iter().filter(|stream| !is_open(stream)).count();
    ensure!(closed == 0, "{closed} of {} connections were closed by the server", connections.len());
    Ok(())
}

/// Whether the app answers what it is asked.
pub(super) fn is_answered(port: u16) -> bool {
    is_answer(port, "/products")
}

/// Whether there is any answer of the app.
pub(super) fn is_ready(port: u16) -> bool {
    is_answer(port, "/counts")
}

/// Whether a path is answered with success.
pub(super) fn is_answer(port: u16, path: &str) -> bool {
    let answer = || -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(
            format!("GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").as_bytes(),
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    answer().is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200 "))
}

/// One request and its whole answer, which must be a success; the connection stays open.
pub(super) fn ask(stream: &mut TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    exchange(stream, b"GET /small HTTP/1.1\r\nHost: bench\r\n\r\n")
}

/// A request and its whole answer, which must be a success.
pub(super) fn exchange(stream: &mut (impl Read + Write), request: &[u8]) -> io::Result<()> {
    stream.write_all(request)?;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !is_complete(&answer) {
        match stream.read(&mut piece)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => answer.extend_from_slice(piece.get(..read).unwrap_or_default()),
        }
    }
    if answer.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
}

/// Whether head and body are there; the backend says how long its answers are.
pub(super) fn is_complete(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap_or(0))
    });
    body.len() >= length.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::is_complete;

    #[test]
    fn an_answer_is_complete_with_its_last_byte() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
        assert!((0..answer.len()).all(|end| !is_complete(&answer[..end])));
        assert!(is_complete(answer));
    }
}
