//! Rows 1 to 20: where a request ends must have one answer, or the request is refused and the connection closed.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::kit::{App, Client, Stand, eventually, marker};

/// Each of these requests is refused and reaches nobody.
fn check(requests: &[impl AsRef<[u8]>], status: u16, code: &str) {
    let mut stand = Stand::new();
    for request in requests {
        stand.refuse(request.as_ref(), status, code);
    }
    stand.nothing_else_reached_the_app();
}

/// A POST with these header lines and this body.
fn post(headers: &str, body: &str) -> String {
    format!("POST {} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{body}", marker())
}

/// A POST with this chunked body.
fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked", body)
}

/// A request that would be understood if the framing before it were misread.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn row_01_content_length_and_transfer_encoding() {
    let both = "Content-Length: 5\r\nTransfer-Encoding: chunked";
    let requests = [post(both, "0\r\n\r\n"), post(both, &format!("0\r\n\r\n{SMUGGLED}"))];
    check(&requests, 400, "framing-conflict");
}

#[test]
fn row_02_transfer_encoding_and_content_length() {
    let both = "Transfer-Encoding: chunked\r\nContent-Length: 4";
    let requests = [post(both, "0\r\n\r\n"), post(both, &format!("2d\r\n{SMUGGLED}\r\n0\r\n\r\n"))];
    check(&requests, 400, "framing-conflict");
}

#[test]
fn row_03_two_content_lengths() {
    let different = post("Content-Length: 5\r\nContent-Length: 6", "hello!");
    let equal = post("Content-Length: 5\r\nX-Between: 1\r\ncontent-length: 5", "hello");
    check(&[different, equal], 400, "content-length-repeated");
}

/// Requests with these values as their Content-Length.
fn check_lengths(lengths: &[&str]) {
    let requests: Vec<_> =
        lengths.iter().map(|length| post(&format!("Content-Length: {length}"), "hello")).collect();
    check(&requests, 400, "content-length-malformed");
}

#[test]
fn row_04_content_length_as_a_list() {
    check_lengths(&["5, 5", "5,5", "5, 6", "5,"]);
}

#[test]
fn row_05_content_length_with_sign_base_or_underscore() {
    check_lengths(&["+5", "0x5", "5_0", "5.0", "5e0", "", "five"]);
}

#[test]
fn row_06_content_length_negative() {
    check_lengths(&["-5", "-0"]);
}

#[test]
fn row_07_content_length_overflowing() {
    let long = "9".repeat(1000);
    check_lengths(&["9223372036854775808", "18446744073709551616", "18446744073709551621", &long]);
}

/// Requests with these header lines, which name a coding that is not `chunked`, once.
fn check_codings(lines: &[&str]) {
    let requests: Vec<_> = lines.iter().map(|line| post(line, "0\r\n\r\n")).collect();
    check(&requests, 400, "transfer-encoding-unsupported");
}

#[test]
fn row_08_chunked_with_identity_or_twice() {
    check_codings(&[
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: gzip, chunked",
    ]);
}

#[test]
fn row_09_unknown_transfer_encoding() {
    check_codings(&[
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunkedx",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding:",
    ]);
}

#[test]
fn row_10_space_before_the_colon() {
    let requests = ["Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked", "Content-Length : 5"];
    check(&requests.map(|line| post(line, "0\r\n\r\n")), 400, "header-malformed");
}

#[test]
fn row_11_transfer_encoding_with_control_characters() {
    let malformed = [
        "Transfer-Encoding:\u{b}chunked",
        "Transfer-Encoding: chunked\u{b}",
        "Transfer-Encoding: \u{c}chunked",
        "Transfer-Encoding: chunked\0",
        "Transfer-Encoding: \0chunked",
        "Transfer-\tEncoding: chunked",
    ];
    check(&malformed.map(|line| post(line, "0\r\n\r\n")), 400, "header-malformed");
    check_codings(&["Transfer-Encoding: chun\tked", "Transfer-Encoding: chunked\t,"]);
}

/// A tab around a value is optional white space (RFC 9110 section 5.6.3), which every reader leaves out.
#[test]
fn row_11_a_tab_around_the_value_is_no_second_reading() {
    let stand = Stand::new();
    let mut client = stand.connect();
    let record = client.ask(post("Transfer-Encoding:\tchunked\t", "5\r\nhello\r\n0\r\n\r\n")).record();
    assert_eq!((&record["body"], &record["body_length"]), (&"hello".into(), &5.into()));
}

#[test]
fn row_12_folded_header() {
    let requests = [
        post("Transfer-Encoding: chunked\r\n , identity", "0\r\n\r\n"),
        post("X-Folded: a\r\n b", ""),
        post("X-Folded: a\r\n\tContent-Length: 5", "hello"),
        format!("GET {} HTTP/1.1\r\n Host: localhost\r\n\r\n", marker()),
    ];
    check(&requests, 400, "header-folded");
    check(&[post("Transfer-Encoding:\r\n chunked", "0\r\n\r\n")], 400, "transfer-encoding-unsupported");
}

#[test]
fn row_13_bare_lf_as_line_end() {
    let path = marker();
    let requests = [
        format!("GET {path} HTTP/1.1\nHost: localhost\n\n"),
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Bare: a\nX-Next: b\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\n"),
        format!("GET {path} HTTP/1.1\r\nHost: localhost\n\r\n"),
        format!("\nGET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        post("Transfer-Encoding: chunked\nContent-Length: 5", "0\r\n\r\n"),
    ];
    check(&requests, 400, "line-ending");
}

#[test]
fn row_14_bare_cr_in_a_value() {
    let requests = [
        post("X-Bare: a\rb", ""),
        post("X-Bare: a\rTransfer-Encoding: chunked", "0\r\n\r\n"),
        post("Content-Length: 5\r", "hello"),
        post("X-Bare:\r\r", ""),
    ];
    check(&requests, 400, "line-ending");
}

#[test]
fn row_15_chunk_size_with_sign_base_or_underscore() {
    let sizes =
        ["0_2e", "0x5", "+5", "-5", " 5", "5 ", "\t5", "", "g", "ffffffffffffffff", "10000000000000005"];
    let bodies = sizes.map(|size| chunked(&format!("{size}\r\nhello\r\n0\r\n\r\n")));
    check(&bodies, 400, "chunk-malformed");
}

#[test]
fn row_16_chunk_extension_with_lf_or_64_kb_long() {
    let long = "x".repeat(64 << 10);
    let bodies = [
        chunked("5;a\nb\r\nhello\r\n0\r\n\r\n"),
        chunked(&format!("5;a\n{SMUGGLED}\r\nhello\r\n0\r\n\r\n")),
        chunked("5;a\rb\r\nhello\r\n0\r\n\r\n"),
        chunked("5;a\0\r\nhello\r\n0\r\n\r\n"),
        chunked(&format!("5;{long}\r\nhello\r\n0\r\n\r\n")),
    ];
    check(&bodies, 400, "chunk-malformed");
}

#[test]
fn row_17_bad_chunk_terminator() {
    let bodies = [
        "helloXX0\r\n\r\n",
        "hello\n0\r\n\r\n",
        "hello\r0\r\n\r\n",
        "hello\rX0\r\n\r\n",
        "helloX\n0\r\n\r\n",
        "hello0\r\n\r\n",
        "hello!\r\n0\r\n\r\n",
    ];
    check(&bodies.map(|rest| chunked(&format!("5\r\n{rest}"))), 400, "chunk-malformed");
    check(&[chunked("5\nhello\r\n0\r\n\r\n"), chunked("0\n\r\n")], 400, "chunk-malformed");
}

/// A small body is held back until it is complete: what was well-formed at its beginning does not reach the app either.
#[test]
fn rows_15_to_19_a_bad_end_takes_back_a_good_beginning() {
    for (end, code) in [
        ("0x5\r\n", "chunk-malformed"),
        ("5;a\nb\r\n", "chunk-malformed"),
        ("5\r\nhelloXX", "chunk-malformed"),
        ("0\r\nHost: other\r\n\r\n", "trailer-forbidden"),
    ] {
        // Held back for a second, no longer: on a machine that stood still meanwhile it is tried again.
        let attempt = || {
            let begun = Instant::now();
            let stand = Stand::new();
            let mut client = stand.connect();
            client.send(chunked("5\r\nhello\r\n"));
            thread::sleep(Duration::from_millis(50));
            client.send(end);
            let answer = client.answer();
            (begun.elapsed() < Duration::from_millis(900)).then_some((stand, answer))
        };
        let (stand, answer) = eventually("the machine is quick enough", attempt);
        assert_eq!((answer.status, answer.code().as_str()), (400, code));
        assert!(stand.tap.seen().is_empty(), "{end:?}");
    }
}

#[test]
fn row_18_transfer_encoding_in_http_1_0() {
    let path = marker();
    let old =
        format!("POST {path} HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    check(&[old], 400, "transfer-encoding-unsupported");
}

#[test]
fn row_19_trailers_that_frame_route_or_authorise() {
    let trailers = [
        "Content-Length: 5",
        "Authorization: Bearer a",
        "Host: other",
        "Transfer-Encoding: chunked",
        "Cookie: a=1",
        "content-type: text/html",
    ];
    let bodies = trailers.map(|trailer| chunked(&format!("5\r\nhello\r\n0\r\n{trailer}\r\n\r\n")));
    check(&bodies, 400, "trailer-forbidden");
}

/// A request in the body of another is data: one request, one answer.
#[test]
fn row_20_a_get_in_a_body_is_no_request() {
    let stand = Stand::new();
    let (path, length) = (marker(), SMUGGLED.len());
    let bodies = [
        format!("Content-Length: {length}\r\n\r\n{SMUGGLED}"),
        format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{SMUGGLED}\r\n0\r\n\r\n"),
    ];
    for body in bodies {
        let mut client = stand.connect();
        let record = client.ask(format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{body}")).record();
        assert_eq!((&record["path"], &record["body"]), (&path.as_str().into(), &SMUGGLED.into()));
        expect_nothing_more(&mut client);
    }
    let seen = String::from_utf8_lossy(&stand.tap.seen()).into_owned();
    assert_eq!(seen.matches("POST /marked").count(), 2, "{seen}");
}

/// The requests before the bad one are answered first and in their order; the one behind it never was.
#[test]
fn row_20_a_pipelined_smuggled_get_gets_no_answer() {
    let smuggling = [
        ("Content-Length: 49\r\nTransfer-Encoding: chunked", "0\r\n\r\n", "framing-conflict"),
        ("Transfer-Encoding: xchunked", "0\r\n\r\n", "transfer-encoding-unsupported"),
        ("Transfer-Encoding: chunked", "0\n\r\n", "chunk-malformed"),
        ("Content-Length: 0\r\nContent-Length: 44", "", "content-length-repeated"),
    ];
    for (headers, body, code) in smuggling {
        let mut stand = Stand::new();
        let mut client = stand.connect();
        let (first, second) = (marker(), marker());
        client.send(format!(
            "GET {first} HTTP/1.1\r\nHost: localhost\r\n\r\n\
             POST {second} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello\
             {}{SMUGGLED}",
            post(headers, body)
        ));
        assert_eq!(client.answer().record()["path"], first.as_str(), "{headers:?}");
        assert_eq!(client.answer().record()["path"], second.as_str(), "{headers:?}");
        let refusal = client.answer();
        assert_eq!((refusal.status, refusal.code().as_str()), (400, code), "{headers:?}");
        stand.note(&refusal);
        client.expect_closed();
        drop(client);
        let seen = String::from_utf8_lossy(&stand.tap.seen()).into_owned();
        assert!(!seen.contains("smuggled"), "{seen}");
        assert_eq!(seen.matches("HTTP/1.1\r\n").count(), 2, "{seen}");
        assert_eq!(stand.gateway.end().audit.len(), 1);
    }
}

/// Half a body is no request, whether it was still held back or already on its way to the app.
#[test]
fn a_client_that_leaves_in_its_body_has_asked_nothing() {
    for (headers, body) in [
        ("Content-Length: 10", "hello".to_owned()),
        ("Content-Length: 200000", "x".repeat(150_000)),
        ("Transfer-Encoding: chunked", "a\r\nhello".to_owned()),
        ("Transfer-Encoding: chunked", format!("{:x}\r\n{}", 200_000, "x".repeat(150_000))),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n".to_owned()),
    ] {
        let stand = Stand::new();
        let mut client = stand.connect();
        let request = post(headers, &body);
        client.send(&request);
        client.finish();
        drop(client);
        let path = request.split(' ').nth(1).unwrap();
        stand.connect().get("/clean").record();
        // Nobody was refused: people close tabs and leave networks.
        assert_eq!(stand.gateway.end().audit.len(), 0, "{headers}");
        eventually("the app is let go", || (stand.tap.connections().1 == 0).then_some(()));
        assert!(App::shared().records(path).is_empty(), "{headers}");
    }
}

fn expect_nothing_more(client: &mut Client) {
    client.finish();
    client.expect_closed();
}
