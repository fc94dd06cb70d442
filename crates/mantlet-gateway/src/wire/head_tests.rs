use super::*;

const LIMITS: HeadLimits =
    HeadLimits { head_size: 16 << 10, header_count: 100, target_length: 8 << 10, raw_bytes: false };

fn judge_all(head: &str) -> Result<Option<Head>, Reason> {
    read(head.as_bytes(), &mut 0, &LIMITS)
}

fn framing(head: &str) -> Result<Framing, Reason> {
    judge_all(head).map(|head| head.expect("a complete head").body)
}

#[test]
fn well_formed_heads_pass() {
    for (head, body) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Framing::Length(0)),
        ("GET / HTTP/1.0\r\n\r\n", Framing::Length(0)),
        ("POST /a?b=c%20d HTTP/1.1\r\nhost:a:80\r\ncontent-length:  5 \r\n\r\n", Framing::Length(5)),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", Framing::Chunked),
        ("GET http://a.example/x HTTP/1.1\r\nHost: A.example\r\n\r\n", Framing::Length(0)),
        (
            "M-SEARCH /{a}|\"b\"[c]^ HTTP/1.1\r\nHost: [::1]:8000\r\nX: \u{e9}\t;\r\nEmpty:\r\n\r\n",
            Framing::Length(0),
        ),
    ] {
        let parsed = judge_all(head).unwrap_or_else(|reason| panic!("{head:?}: {reason:?}")).unwrap();
        assert_eq!((parsed.length, parsed.body), (head.len(), body), "{head:?}");
    }
    assert!(judge_all("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n").unwrap().unwrap().upgrade);
}

#[test]
fn rows_1_to_14_18_framing_is_unambiguous_or_refused() {
    use Reason as R;
    for (headers, reason) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", R::FramingConflict),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", R::FramingConflict),
        ("Content-Length: 5\r\nContent-Length: 6", R::ContentLengthRepeated),
        ("Content-Length: 5\r\nContent-Length: 5", R::ContentLengthRepeated),
        ("Content-Length: 5, 5", R::ContentLengthMalformed),
        ("Content-Length: +5", R::ContentLengthMalformed),
        ("Content-Length: 0x5", R::ContentLengthMalformed),
        ("Content-Length: 5_0", R::ContentLengthMalformed),
        ("Content-Length: -5", R::ContentLengthMalformed),
        ("Content-Length:", R::ContentLengthMalformed),
        ("Content-Length: 99999999999999999999", R::ContentLengthMalformed),
        ("Content-Length: 18446744073709551615", R::ContentLengthMalformed),
        ("Transfer-Encoding: chunked, identity", R::TransferEncodingUnsupported),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", R::TransferEncodingUnsupported),
        ("Transfer-Encoding: chunked, chunked", R::TransferEncodingUnsupported),
        ("Transfer-Encoding: xchunked", R::TransferEncodingUnsupported),
        ("Transfer-Encoding: gzip, chunked", R::TransferEncodingUnsupported),
        ("Transfer-Encoding : chunked", R::HeaderMalformed),
        ("Transfer-Encoding: \u{b}chunked", R::HeaderMalformed),
        ("Transfer-Encoding: chunked\0", R::HeaderMalformed),
        ("Transfer-\tEncoding: chunked", R::HeaderMalformed),
        ("X: a\r\n b", R::HeaderFolded),
        (" X: a", R::HeaderFolded),
        ("X: a\nY: b", R::LineEnding),
        ("X: a\rb", R::LineEnding),
        ("X", R::HeaderMalformed),
        (": a", R::HeaderMalformed),
        ("X: \u{1}", R::HeaderMalformed),
        ("X: \u{7f}", R::HeaderMalformed),
    ] {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n");
        assert_eq!(framing(&head), Err(reason), "{headers:?}");
    }
    let old = "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(framing(old), Err(R::TransferEncodingUnsupported));
}

#[test]
fn rows_21_to_30_request_lines_hosts_and_limits() {
    use Reason as R;
    let long = "a".repeat(9 << 10);
    for (head, reason) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), R::HostMissing),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n".to_owned(), R::HostRepeated),
        ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n".to_owned(), R::HostMalformed),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n".to_owned(), R::HostMalformed),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), R::HostMismatch),
        ("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), R::HostMalformed),
        ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), R::TargetMalformed),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), R::TargetMalformed),
        ("GET a HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), R::TargetMalformed),
        ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), R::TargetMalformed),
        ("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), R::TargetMalformed),
        ("GET /<a> HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), R::TargetMalformed),
        ("GET /a\0 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), R::TargetMalformed),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), R::RequestLineMalformed),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n".to_owned(), R::RequestLineMalformed),
        ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), R::TargetMalformed),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n".to_owned(), R::RequestLineMalformed),
        ("GET /\r\nHost: a\r\n\r\n".to_owned(), R::RequestLineMalformed),
        ("PRI * HTTP/2.0\r\n\r\n".to_owned(), R::RequestLineMalformed),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), R::MethodForbidden),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), R::MethodForbidden),
        ("MANTLET-REFUSED / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), R::MethodForbidden),
        ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), R::RequestLineMalformed),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), R::TargetTooLong),
        (format!("GET /{} HTTP/1.1", long.repeat(12)), R::TargetTooLong),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", long.repeat(7)), R::HeadTooLarge),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(1000)), R::HeaderCountExceeded),
    ] {
        assert_eq!(judge_all(&head), Err(reason), "{:?}", &head[..head.len().min(80)]);
    }
}

#[test]
fn a_head_may_arrive_byte_by_byte_and_bare_lf_is_refused_at_once() {
    let head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut scanned = 0;
    for end in 1..head.len() {
        assert_eq!(read(&head.as_bytes()[..end], &mut scanned, &LIMITS), Ok(None), "{end}");
    }
    assert_eq!(read(head.as_bytes(), &mut scanned, &LIMITS).unwrap().unwrap().length, head.len());
    assert_eq!(read(b"GET / HTTP/1.1\n", &mut 0, &LIMITS), Err(Reason::LineEnding));
}

#[test]
fn what_no_method_begins_with_is_refused_at_once() {
    // The first bytes of an SSLv2 hello.
    assert_eq!(read(b"\x80\x2e\x01", &mut 0, &LIMITS), Err(Reason::RequestLineMalformed));
    assert_eq!(read(b"\r", &mut 0, &LIMITS), Err(Reason::RequestLineMalformed));
}

/// What passes here must pass the parser behind, with the same end; else hyper would answer it, unrecorded.
#[test]
fn what_passes_is_understood_alike_by_the_parser_behind() {
    const SEEDS: [&str; 4] = [
        "GET /a/b?c=d&e=%20 HTTP/1.1\r\nHost: a.example:80\r\nAccept: */*\r\n\r\n",
        "POST http://a.example/x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\nX: \t y \r\n\r\n",
        "PUT /{x}|[y] HTTP/1.0\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\nEmpty:\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    ];
    const BYTES: &[u8] = b"\r\n\t\0 :;,/?#%@[]{}|\\^`<>\"'0aZ_-.*+\x0b\x7f\x80\xff";
    let mut random = fastrand::Rng::with_seed(7);
    let mut passed = 0;
    for _ in 0..200_000 {
        let mut head = SEEDS[random.usize(..SEEDS.len())].as_bytes().to_vec();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..head.len());
            let byte = BYTES[random.usize(..BYTES.len())];
            match random.u8(..3) {
                0 => head[at] = byte,
                1 => head.insert(at, byte),
                _ => drop(head.remove(at)),
            }
        }
        let Ok(Some(judged)) = read(&head, &mut 0, &LIMITS) else { continue };
        passed += 1;
        let shown = String::from_utf8_lossy(&head);
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut request = httparse::Request::new(&mut headers);
        let parsed = request.parse(&head).unwrap_or_else(|error| panic!("{error}: {shown:?}"));
        assert_eq!(parsed, httparse::Status::Complete(judged.length), "{shown:?}");
        let target = request.path.unwrap();
        assert!(target.parse::<http::Uri>().is_ok(), "{shown:?}");
        for header in request.headers {
            assert!(http::HeaderName::from_bytes(header.name.as_bytes()).is_ok(), "{shown:?}");
            assert!(http::HeaderValue::from_bytes(header.value).is_ok(), "{shown:?}");
        }
    }
    assert!(passed > 10_000, "only {passed} passed: the seeds do not exercise anything");
}
