//! Large forms stream: the app has their beginning while the client still sends, and never the end of one that is refused.

use http::Request;

use super::{END, file};
use crate::kit::{
    Client, Gateway, Setup, eventually,
    http2::{ask, connect, get, json, talk},
    processes::Footprint,
};

const PIECE: usize = 64 << 10;

fn begin(gateway: &Gateway, target: &str, framing: &str) -> Client {
    let mut client = Client::connect(gateway.addr());
    client.send(format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n{framing}\r\n\r\n"
    ));
    client
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// What has reached the app of a body, once it is more than this.
fn reached(gateway: &Gateway, name: &str, more_than: u64) -> u64 {
    eventually("the app has more", || {
        let bytes = Client::connect(gateway.addr()).get(&format!("/seen/{name}")).json()["bytes"].as_u64()?;
        (bytes > more_than).then_some(bytes)
    })
}

#[test]
fn the_app_receives_while_the_client_sends() {
    let gateway = Setup::run("uploads:app").start();
    let mut client = begin(&gateway, "/raw/early", "Transfer-Encoding: chunked");
    let content = "x".repeat(PIECE);
    let whole = file("f", "x", &content) + END;
    let (beginning, end) = whole.split_at(whole.len() - END.len());
    client.send(chunk(beginning.as_bytes()));
    reached(&gateway, "early", 60 << 10);
    client.send(chunk(end.as_bytes()));
    client.send("0\r\n\r\n");
    assert_eq!(client.answer().json()["bytes"], whole.len());
}

#[test]
fn row_52_a_file_is_cut_off_at_its_limit() {
    let config = "[[route]]\npath = \"/raw/{name}\"\nuploads.file-size = \"500 KiB\"\n";
    let gateway = Setup::run("uploads:app").config(config).start();
    for (name, framing) in [("chunked", "Transfer-Encoding: chunked"), ("sized", "Content-Length: 100000000")]
    {
        let mut client = begin(&gateway, &format!("/raw/{name}"), framing);
        let frame = |bytes: &[u8]| if name == "chunked" { chunk(bytes) } else { bytes.to_vec() };
        let start = file("f", "x", "");
        client.send(frame(start.trim_end_matches("\r\n").as_bytes()));
        client.send(frame(b"\r\n\r\n"));
        client.send(frame(&vec![b'x'; 4 * PIECE]));
        let early = reached(&gateway, name, PIECE as u64);
        client.send(frame(&vec![b'x'; 4 * PIECE]));
        let answer = client.answer();
        assert_eq!((answer.status, answer.code().as_str()), (413, "upload-too-large"), "{name}");
        client.expect_closed();
        let seen = Client::connect(gateway.addr()).get(&format!("/seen/{name}")).json();
        assert_eq!(seen["ended"], false, "the app never saw an end: {seen}");
        assert!(
            seen["bytes"].as_u64() >= Some(early) && seen["bytes"].as_u64() < Some(8 * PIECE as u64),
            "{seen}"
        );
    }
}

/// One line lets one route take what no other may, and the gate does not grow with it.
#[test]
fn row_52_a_hundred_megabytes_pass_by_one_line() {
    let config =
        "[limits]\nbody-size = \"1 MiB\"\n[[route]]\npath = \"/picture\"\nlimits.body-size = \"200 MiB\"\n";
    let gateway = Setup::run("uploads:app").config(config).start();
    let memory = Footprint::of(gateway.pid());
    let before = file("picture", "big.bin", "");
    let before = before.strip_suffix("\r\n").expect("a line end");
    let after = "\r\n".to_owned() + END;
    let length = 1600 * PIECE;
    let framing = format!("Content-Length: {}", before.len() + length + after.len());
    let mut client = begin(&gateway, "/picture", &framing);
    client.send(before);
    let piece = [b"\r\n--".repeat(PIECE / 8), vec![b'\r'; PIECE / 2]].concat();
    for _ in 0..1600 {
        client.send(&piece);
    }
    client.send(after);
    assert_eq!(client.answer().json()["picture"]["size"], length);
    let grown = memory.grown("an upload of 100 MiB");
    assert!(grown < 16 << 20, "{grown} bytes more");

    let mut client = begin(&gateway, "/many", &framing);
    assert_eq!(client.answer().code(), "body-too-large", "another route");
}

/// What is seen only at the end is seen before the app sees that end.
#[test]
fn row_56_a_form_without_its_end_never_ends_for_the_app() {
    let gateway = Setup::run("uploads:app").config("[contract]\nposture = \"strict\"\n").start();
    let body = file("f", "x", &"x".repeat(8 * PIECE));
    for (name, framing) in [
        ("endless-chunked", "Transfer-Encoding: chunked".to_owned()),
        ("endless-sized", format!("Content-Length: {}", body.len())),
    ] {
        let mut client = begin(&gateway, &format!("/raw/{name}"), &framing);
        if name == "endless-chunked" {
            client.send(chunk(body.as_bytes()));
            client.send("0\r\n\r\n");
        } else {
            client.send(&body);
        }
        let answer = client.answer();
        assert_eq!((answer.status, answer.code().as_str()), (400, "multipart-malformed"), "{name}");
        assert_eq!(gateway.audit_of(answer.request_id())["subject"], "no final boundary");
        reached(&gateway, name, 0);
        let seen = Client::connect(gateway.addr()).get(&format!("/seen/{name}")).json();
        assert_eq!(seen["ended"], false, "{name}: {seen}");
    }
}

#[test]
fn row_52_over_http_2_the_stream_alone_is_cut_off() {
    let config = "[[route]]\npath = \"/raw/{name}\"\nuploads.file-size = \"500 KiB\"\n";
    let gateway = Setup::run("uploads:app").config(config).start();
    talk(async {
        let sender = connect(gateway.addr()).await;
        let request = Request::post("http://localhost/raw/http2")
            .header("content-type", "multipart/form-data; boundary=b")
            .body(())
            .expect("a request");
        let (answer, mut stream) = sender
            .clone()
            .ready()
            .await
            .expect("it is open")
            .send_request(request, false)
            .expect("it is sent");
        let start = file("f", "x", &"x".repeat(16 * PIECE));
        // Nobody reads it all.
        stream.send_data(start.into(), false).expect("it is taken");
        let answer = answer.await.expect("an answer");
        assert_eq!(answer.status(), 413);
        let next = ask(&sender, get("/seen/http2"), b"").await.expect("the connection goes on");
        let seen = json(&next);
        assert_eq!(seen["ended"], false, "{seen}");
    });
}
