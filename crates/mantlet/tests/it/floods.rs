//! HTTP/2 clients that send much and ask for little: rows 66 to 68. And those who only look so.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::kit::{
    App, Gateway, Setup, Stand, Upstream,
    http2::{
        ACK, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Fate, Frames,
        GOAWAY, HEADERS, PING, PRIORITY, PROTOCOL_ERROR, RST_STREAM, SETTINGS, WINDOW_UPDATE, ask, block,
        connect, frame, get, talk,
    },
    processes::Footprint,
};

const CANCEL: [u8; 4] = [0, 0, 0, 8];
const INITIAL_WINDOW_SIZE: u16 = 4;

fn request(method: &str, path: &str) -> Vec<u8> {
    block(&[(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path)])
}

fn get_frame(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &request("GET", path))
}

/// The one record of a connection that was refused, whatever became of its requests.
fn assert_refused(gateway: Gateway, reason: &str) {
    let records = gateway.end().audit;
    let refused: Vec<_> =
        records.iter().filter(|record| record["security_event"] == "connection-refused").collect();
    assert_eq!(refused.iter().map(|record| &record["reason"]).collect::<Vec<_>>(), [reason]);
    assert_eq!(refused[0]["client_ip"], "127.0.0.1");
}

/// A connection on which a POST is under way, then this many of these bytes at once.
fn flood(what: &str, bytes: &[u8], times: usize) {
    let stand = Stand::new();
    let mut frames = Frames::open(stand.gateway.addr(), &[]);
    frames.send(HEADERS, END_HEADERS, 1, &request("POST", "/count"));
    frames.try_send(bytes.repeat(times));
    assert_eq!(frames.fate(1), Fate::GoneAway(ENHANCE_YOUR_CALM), "{what}");
    assert!(frames.next().is_none(), "{what}: closed");
    drop(frames);
    // Others are not affected.
    stand.connect().get("/clean").record();
    assert_refused(stand.gateway, "http2-flood");
}

#[test]
fn row_68_floods_of_frames_that_bring_nothing_are_closed() {
    let times = 5000;
    flood("PING", &frame(PING, 0, 0, &[7; 8]), times);
    flood("answers to no PING", &frame(PING, ACK, 0, &[7; 8]), times);
    flood("SETTINGS", &frame(SETTINGS, 0, 0, &[]), times);
    flood("SETTINGS with a setting", &frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]), times);
    flood("WINDOW_UPDATE of the connection", &frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]), times);
    flood("WINDOW_UPDATE of a stream", &frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]), times);
    flood("PRIORITY", &frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 9]), times);
    flood("PRIORITY of idle streams", &frame(PRIORITY, 0, 9, &[0, 0, 0, 0, 9]), times);
    flood("unknown frames", &frame(0xbe, 0, 1, &[]), times);
    flood("PRIORITY_UPDATE", &frame(0x10, 0, 0, &[0, 0, 0, 1, b'u', b'=', b'1']), times);
    flood("empty DATA", &frame(DATA, 0, 1, &[]), times);
    flood("DATA of padding", &frame(DATA, 8, 1, &[0]), times);
    flood("DATA of one byte", &frame(DATA, 0, 1, b"x"), 60_000);
    let all = [
        frame(PING, 0, 0, &[7; 8]),
        frame(SETTINGS, 0, 0, &[]),
        frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]),
        frame(0xbe, 0, 1, &[]),
    ];
    flood("a mixture", &all.concat(), times / 4);
}

/// The flood is told from what came before it, however the bytes are split.
#[test]
fn row_68_a_flood_byte_by_byte_is_closed() {
    let stand = Stand::new();
    let mut frames = Frames::open(stand.gateway.addr(), &[]);
    let ping = frame(PING, 0, 0, &[7; 8]);
    let flood = ping.repeat(1200);
    for piece in flood.chunks(13) {
        if !frames.try_send(piece) {
            break;
        }
    }
    assert_eq!(frames.fate(1), Fate::GoneAway(ENHANCE_YOUR_CALM));
    assert_refused(stand.gateway, "http2-flood");
}

/// Whoever does not read the answers to its PINGs is not owed memory.
#[test]
fn row_68_answers_that_nobody_reads_cost_no_memory() {
    let stand = Stand::new();
    stand.connect().get("/clean").record();
    let memory = Footprint::of(stand.gateway.pid());
    let flooders: Vec<_> = (0..10)
        .map(|_| {
            let mut frames = Frames::open(stand.gateway.addr(), &[]);
            frames.try_send(frame(PING, 0, 0, &[7; 8]).repeat(250_000));
            frames
        })
        .collect();
    let records = stand.gateway.audit(10);
    assert!(records.iter().all(|record| record["reason"] == "http2-flood"));
    let grown = memory.grown("10 floods of PING");
    assert!(grown < 16 << 20, "{grown} bytes");
    drop(flooders);
}

/// A header section that never ends.
#[test]
fn row_67_continuation_flood_is_closed_at_the_header_limit() {
    let field = block(&[("x-many", &"y".repeat(100))]);
    let many = field.repeat(16_000 / field.len());
    // A literal whose value is 16 MiB long (RFC 7541 section 5.1).
    let begun = [&many[..], b"\x00\x06x-long\x7f\x81\xff\xff\x07"].concat();
    let small = "[limits]\nhead-size = \"16 KiB\"\nheader-count = 100\n";
    for (config, of_one_value) in [("", ENHANCE_YOUR_CALM), (small, COMPRESSION_ERROR)] {
        for (what, first, piece, fate) in [
            ("full of fields", &[][..], &many[..], ENHANCE_YOUR_CALM),
            ("with one field", &[], &field, ENHANCE_YOUR_CALM),
            ("empty", &[], &[], ENHANCE_YOUR_CALM),
            ("one value", &begun, &[b'y'; 16_000], of_one_value),
        ] {
            let stand = Stand::with(config);
            stand.connect().get("/clean").record();
            let memory = Footprint::of(stand.gateway.pid());
            let mut frames = Frames::open(stand.gateway.addr(), &[]);
            frames.send(HEADERS, END_STREAM, 1, &request("GET", "/evil"));
            frames.send(CONTINUATION, 0, 1, first);
            let mut sent = 0;
            // 64 MiB at most, in pieces, for the gateway closes on the way.
            let some = frame(CONTINUATION, 0, 1, piece).repeat(100);
            while sent < 64 << 20 && frames.try_send(&some) {
                sent += some.len();
            }
            assert_eq!(frames.fate(1), Fate::GoneAway(fate), "{what}");
            let grown = memory.grown(&format!("CONTINUATION {what}"));
            assert!(grown < 8 << 20, "{what}: {grown} bytes more");
            let seen = String::from_utf8_lossy(&stand.tap.seen()).into_owned();
            assert!(!seen.contains("evil"), "{what}");
            drop(frames);
            assert_refused(stand.gateway, "http2-flood");
        }
    }
}

/// The answers that a clean client gets to all its requests, in time: their median and 99th percentile.
fn clean_times(address: SocketAddr, requests: usize) -> [Duration; 2] {
    let mut times = Vec::new();
    talk(async {
        let sender = connect(address).await;
        for _ in 0..requests {
            let start = Instant::now();
            assert_eq!(ask(&sender, get("/clean"), b"").await.unwrap().status(), 200);
            times.push(start.elapsed());
        }
    });
    times.sort_unstable();
    [times[requests / 2], times[requests * 99 / 100]]
}

/// CVE-2023-44487: requests whose answers nobody waits for. Others are served meanwhile.
#[test]
fn row_66_rapid_reset_is_told_to_go_away() {
    let stand = Stand::new();
    let address = stand.gateway.addr();
    let alone = clean_times(address, 200);
    let attackers: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                for _ in 0..5 {
                    let mut frames = Frames::open(address, &[]);
                    let pairs: Vec<u8> = (0..5000)
                        .flat_map(|n| {
                            let stream = 2 * n + 1;
                            [get_frame(stream, "/evil"), frame(RST_STREAM, 0, stream, &CANCEL)].concat()
                        })
                        .collect();
                    frames.try_send(pairs);
                    assert_eq!(frames.fate(u32::MAX), Fate::GoneAway(ENHANCE_YOUR_CALM));
                }
            })
        })
        .collect();
    let beside = clean_times(address, 200);
    for attacker in attackers {
        attacker.join().unwrap();
    }
    println!("a clean client's p50 and p99: alone {alone:.2?}, beside rapid resets {beside:.2?}");
    let end = stand.gateway.end();
    let floods = end.audit.iter().filter(|record| record["reason"] == "http2-flood");
    // Of the twenty of one address, ten: more would fill any disk.
    assert_eq!((floods.count(), end.count("http2-flood")), (10, 20));
}

/// As rapid reset, but each request is at the app before it is given up, where no queue of resets can grow.
#[test]
fn row_66_slow_resets_have_an_end_too() {
    let stand = Stand::new();
    let mut frames = Frames::open(stand.gateway.addr(), &[]);
    let mut streams = (1..).step_by(2);
    let mut is_gone = false;
    for stream in streams.by_ref().take(2000) {
        frames.try_send(get_frame(stream, "/hang"));
        // The answer to a PING says that the request was read.
        frames.try_send(frame(PING, 0, 0, &[7; 8]));
        is_gone = frames.next().is_none_or(|frame| frame.kind == GOAWAY);
        if is_gone {
            break;
        }
        frames.try_send(frame(RST_STREAM, 0, stream, &CANCEL));
    }
    assert!(is_gone, "2,000 resets");
    assert!(streams.next() > Some(2 * 1000), "but not before the thousandth");
    assert_refused(stand.gateway, "http2-flood");
}

#[test]
fn a_broken_rule_leaves_a_record() {
    let stand = Stand::new();
    let mut frames = Frames::open(stand.gateway.addr(), &[]);
    frames.send(PING, 0, 1, &[7; 8]);
    assert_eq!(frames.fate(1), Fate::GoneAway(PROTOCOL_ERROR));
    drop(frames);
    assert_refused(stand.gateway, "http2-malformed");
}

#[test]
fn a_client_that_goes_leaves_none() {
    let stand = Stand::new();
    let mut frames = Frames::open(stand.gateway.addr(), &[]);
    frames.try_send(get_frame(1, "/clean"));
    assert_eq!(frames.fate(1), Fate::Answered(200));
    frames.try_send(frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 2]));
    drop(frames);
    let mut frames = Frames::open(stand.gateway.addr(), &[]);
    frames.try_send([0, 0, 8, PING]);
    drop(frames);
    assert_eq!(stand.gateway.end().audit, Vec::<Value>::new());
}

/// Both windows are opened for each frame, and a PING measures the line (as gRPC does): 19,200 frames for 100 MiB.
#[test]
fn a_download_in_small_windows_is_no_flood() {
    let length = 100 << 20;
    let gateway = Setup::serve(&format!("unix:{}", App::shared().socket().display())).start();
    let mut frames = Frames::open(gateway.addr(), &[(INITIAL_WINDOW_SIZE, 16_384)]);
    frames.try_send(get_frame(1, &format!("/file/{length}")));
    let (mut received, mut windows) = (0, 0);
    loop {
        let piece = frames.next().expect("the connection goes on");
        if piece.kind != DATA {
            assert!([HEADERS, PING, WINDOW_UPDATE].contains(&piece.kind), "{piece:?}");
            continue;
        }
        received += piece.payload.len();
        if piece.flags & END_STREAM != 0 {
            break;
        }
        if piece.payload.is_empty() {
            continue;
        }
        let more = u32::try_from(piece.payload.len()).unwrap().to_be_bytes();
        let answer = [
            frame(WINDOW_UPDATE, 0, 0, &more),
            frame(WINDOW_UPDATE, 0, 1, &more),
            frame(PING, 0, 0, &[7; 8]),
        ];
        frames.try_send(answer.concat());
        windows += 1;
    }
    assert_eq!(received, length);
    assert!(windows > 5000, "{windows}");
    drop(frames);
    assert_eq!(gateway.end().audit, Vec::<Value>::new());
}

/// 10,000 requests on one connection, each with what a browser sends beside it, and with PINGs.
#[test]
fn many_requests_with_all_that_belongs_to_them_are_no_flood() {
    let stand = Stand::new();
    let mut frames = Frames::open(stand.gateway.addr(), &[]);
    let mut answered = 0;
    for batch in 0..100 {
        for number in 0..100 {
            let stream = 2 * (100 * batch + number) + 1;
            let bytes = [
                // Refused by the gateway itself: this is not about the app.
                get_frame(stream, "/a/../b"),
                frame(WINDOW_UPDATE, 0, stream, &[0, 0, 255, 255]),
                frame(WINDOW_UPDATE, 0, 0, &[0, 0, 1, 0]),
                frame(PRIORITY, 0, stream, &[0, 0, 0, 0, 9]),
                frame(0x10, 0, 0, &[0, 0, 0, 1, b'u', b'=', b'1']),
                frame(PING, 0, 0, &[7; 8]),
            ];
            frames.try_send(bytes.concat());
        }
        let mut left = 100;
        while left > 0 {
            let frame = frames.next().expect("the connection goes on");
            assert!([HEADERS, DATA, PING, WINDOW_UPDATE].contains(&frame.kind), "{frame:?}");
            left -= usize::from(frame.flags & END_STREAM != 0 && frame.kind != PING);
        }
        answered += 100;
    }
    assert_eq!(answered, 10_000);
    drop(frames);
    let end = stand.gateway.end();
    assert!(end.audit.iter().all(|record| record["reason"] == "path-dot-segment"));
    assert_eq!(end.count("path-dot-segment"), 10_000);
}

/// Small events, each of which opens two windows and measures the line.
#[test]
fn a_stream_of_small_events_is_no_flood() {
    let (arrived, has_arrived) = std::sync::mpsc::channel();
    let upstream = Upstream::of_events(3000, has_arrived);
    let gateway = Setup::serve(&upstream.url()).start();
    let mut frames = Frames::open(gateway.addr(), &[]);
    frames.try_send(get_frame(1, "/events"));
    let mut events = 0;
    loop {
        let piece = frames.next().expect("the connection goes on");
        if piece.kind != DATA {
            assert!([HEADERS, PING, WINDOW_UPDATE].contains(&piece.kind), "{piece:?}");
            continue;
        }
        if piece.flags & END_STREAM != 0 {
            break;
        }
        events += 1;
        let more = u32::try_from(piece.payload.len()).unwrap().to_be_bytes();
        let answer = [
            frame(WINDOW_UPDATE, 0, 0, &more),
            frame(WINDOW_UPDATE, 0, 1, &more),
            frame(PING, 0, 0, &[7; 8]),
        ];
        frames.try_send(answer.concat());
        arrived.send(()).unwrap();
    }
    assert_eq!(events, 3000);
    drop(frames);
    assert_eq!(gateway.end().audit, Vec::<Value>::new());
}
