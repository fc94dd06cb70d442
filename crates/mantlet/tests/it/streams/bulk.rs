//! Large bodies pass whole, in memory that does not grow with them.

use std::process::Command;

use bytes::Bytes;
use http::Request;

use crate::kit::{
    App, Client, Gateway, Setup,
    http2::{connect, get, talk},
    processes::Footprint,
    provided,
};

const PIECE: usize = 64 << 10;
/// 100 MiB.
const PIECES: usize = 1600;
const LENGTH: usize = PIECE * PIECES;
/// What a transfer may cost: buffers, not bodies.
const ALLOWED: u64 = 32 << 20;

/// A piece that begins with its number, so that none can be missing, or in another's place.
fn piece(number: usize) -> Vec<u8> {
    let mut piece = (number as u64).to_le_bytes().repeat(PIECE / 8);
    piece[8..256].copy_from_slice(&(8..=255).collect::<Vec<u8>>());
    piece
}

/// The digest of all pieces, made by another program.
fn digest() -> String {
    let script = "
import hashlib
digest = hashlib.sha256()
for number in range(1600):
    piece = bytearray(number.to_bytes(8, 'little') * 8192)
    piece[8:256] = range(8, 256)
    digest.update(piece)
print(digest.hexdigest())
";
    let output = Command::new(provided("MANTLET_TEST_PYTHON")).args(["-c", script]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The gateway before the app, and its memory after the first requests.
fn warm() -> (Gateway, Footprint) {
    let gateway = Setup::serve(&format!("unix:{}", App::shared().socket().display())).start();
    for _ in 0..8 {
        assert_eq!(Client::connect(gateway.addr()).get("/").status, 200);
    }
    let memory = Footprint::of(gateway.pid());
    (gateway, memory)
}

/// It needed little more memory than at the start.
fn assert_flat(what: &str, memory: &Footprint) {
    let grown = memory.grown(what);
    assert!(grown < ALLOWED, "{what}: {grown} bytes more");
}

#[test]
fn a_hundred_megabytes_go_up() {
    let expected = digest();
    let check = |what: &str, framing: &str, frame: fn(Vec<u8>) -> Vec<u8>, end: &str| {
        let (gateway, memory) = warm();
        let mut client = Client::connect(gateway.addr());
        client.send(format!("POST /count HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n"));
        for number in 0..PIECES {
            client.send(frame(piece(number)));
        }
        client.send(end);
        let answer = client.answer();
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json(), serde_json::json!({"bytes": LENGTH, "sha256": expected}), "{what}");
        assert_flat(what, &memory);
    };
    check("upload with its length", &format!("Content-Length: {LENGTH}"), |piece| piece, "");
    let chunk = |piece: Vec<u8>| [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat();
    check("upload in chunks", "Transfer-Encoding: chunked", chunk, "0\r\n\r\n");
}

#[test]
fn a_hundred_megabytes_go_up_over_http_2() {
    let expected = digest();
    let (gateway, memory) = warm();
    let answer = talk(async {
        let mut sender = connect(gateway.addr()).await.ready().await.unwrap();
        let request = Request::post("http://localhost/count").body(()).unwrap();
        let (answer, mut stream) = sender.send_request(request, false).unwrap();
        for number in 0..PIECES {
            let mut piece = Bytes::from(piece(number));
            while !piece.is_empty() {
                stream.reserve_capacity(piece.len());
                let capacity = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap().unwrap();
                stream.send_data(piece.split_to(capacity.min(piece.len())), false).unwrap();
            }
        }
        stream.send_data(Bytes::new(), true).unwrap();
        let mut body = answer.await.unwrap().into_body();
        let mut text = Vec::new();
        while let Some(piece) = body.data().await {
            text.extend_from_slice(&piece.unwrap());
        }
        serde_json::from_slice::<serde_json::Value>(&text).unwrap()
    });
    assert_eq!(answer, serde_json::json!({"bytes": LENGTH, "sha256": expected}));
    assert_flat("upload over HTTP/2", &memory);
}

#[test]
fn a_hundred_megabytes_come_down() {
    let (gateway, memory) = warm();
    let mut client = Client::connect(gateway.addr());
    client.send(format!("GET /file/{LENGTH} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let head = client.head();
    assert_eq!(head.header("content-length"), Some(LENGTH.to_string().as_str()));
    for _ in 0..PIECES {
        assert!(client.take(PIECE).iter().all(|byte| *byte == b'x'));
    }
    assert_flat("download with its length", &memory);
    // The connection goes on.
    assert_eq!(client.get("/").status, 200);

    let (gateway, memory) = warm();
    let mut client = Client::connect(gateway.addr());
    client.send(format!("GET /bytes/{LENGTH} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_eq!(client.head().header("transfer-encoding"), Some("chunked"));
    let mut received = 0;
    while let Some(chunk) = client.chunk() {
        assert!(chunk.iter().all(|byte| *byte == b'x'));
        received += chunk.len();
    }
    assert_eq!((received, client.take(2)), (LENGTH, b"\r\n".to_vec()));
    assert_flat("download in chunks", &memory);
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn a_hundred_megabytes_come_down_over_http_2() {
    let (gateway, memory) = warm();
    talk(async {
        let mut sender = connect(gateway.addr()).await.ready().await.unwrap();
        let request = get(&format!("/bytes/{LENGTH}")).body(()).unwrap();
        let (answer, _) = sender.send_request(request, true).unwrap();
        let mut body = answer.await.unwrap().into_body();
        let mut received = 0;
        while let Some(piece) = body.data().await {
            let piece = piece.unwrap();
            body.flow_control().release_capacity(piece.len()).unwrap();
            received += piece.len();
        }
        assert_eq!(received, LENGTH);
    });
    assert_flat("download over HTTP/2", &memory);
}
