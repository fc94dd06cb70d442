//! Row 66 with a rate: a stream that is reset is a request of its address.

use super::{from, get};
use crate::kit::{
    Client, Setup,
    http2::{END_HEADERS, END_STREAM, Fate, Frames, HEADERS, PING, RST_STREAM, block, frame},
};

/// CANCEL.
const CODE: [u8; 4] = [0, 0, 0, 8];

fn request(stream: u32) -> Vec<u8> {
    let fields =
        block(&[(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/items/1")]);
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields)
}

#[test]
fn row_66_streams_that_are_reset_at_once_use_up_the_rate() {
    let gateway = Setup::run("logins:app").config("[throttle]\nrate = \"100/h\"\nburst = 100\n").start();
    // 15 streams that are given up in the very packet that opens them, then one that is not: few enough that no connection is closed for it.
    let fates: Vec<_> = (0..10)
        .map(|_| {
            let mut frames = Frames::open(gateway.addr(), &[]);
            let resets = (0..15).map(|number| 2 * number + 1);
            let resets =
                resets.flat_map(|stream| [request(stream), frame(RST_STREAM, 0, stream, &CODE)].concat());
            frames.try_send(resets.chain(request(31)).collect::<Vec<_>>());
            frames.fate(31)
        })
        .collect();
    // The seventh connection brings the 112th.
    let (passed, refused) = fates.split_at(6);
    assert!(passed.iter().all(|fate| *fate == Fate::Answered(200)), "{fates:?}");
    assert!(refused.iter().all(|fate| *fate == Fate::Answered(429)), "{fates:?}");
    assert_eq!(get(&mut Client::connect(gateway.addr()), "/items/1", "").status, 429);
    assert_eq!(get(&mut from("127.0.1.1", gateway.addr()), "/items/1", "").status, 200, "others are served");
}

#[test]
fn row_66_streams_that_are_reset_one_by_one_use_up_the_rate() {
    let gateway = Setup::run("logins:app").config("[throttle]\nrate = \"100/h\"\nburst = 100\n").start();
    let mut frames = Frames::open(gateway.addr(), &[]);
    for stream in (1..).step_by(2).take(100) {
        frames.try_send(request(stream));
        // The answer to a PING says that the request was read.
        frames.try_send(frame(PING, 0, 0, &[7; 8]));
        while frames.next().expect("the connection goes on").kind != PING {}
        frames.try_send(frame(RST_STREAM, 0, stream, &CODE));
    }
    frames.try_send(request(201));
    assert_eq!(frames.fate(201), Fate::Answered(429));
    assert_eq!(get(&mut from("127.0.1.1", gateway.addr()), "/items/1", "").status, 200, "others are served");
}
