use std::{io::Write, sync::Arc};

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use http::HeaderMap;

use super::*;
use crate::{
    Reason,
    config::Posture,
    message::Findings,
    uploads::{self, FormWatch},
};

fn policy(posture: Posture, max_ratio: u32) -> Arc<Policy> {
    let config = Config { max_ratio: Some(max_ratio), ..Config::default() };
    Arc::new(Policy::of(posture).with(&config, false).unwrap())
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// How many bytes passed, and the findings.
fn said(
    policy: &Arc<Policy>,
    coding: Coding,
    body: &[u8],
    pieces: usize,
) -> (usize, Result<Vec<Reason>, Reason>) {
    let findings = Arc::<Findings>::default();
    let mut inflate =
        Inflate::begin(coding, 10 << 20, Arc::clone(policy), None, Arc::clone(&findings)).unwrap();
    let mut passed = 0;
    for piece in body.chunks(pieces) {
        if let Err(reason) = inflate.see(piece) {
            return (passed, Err(reason));
        }
        passed += piece.len();
    }
    let seen = || findings.take().into_iter().map(|finding| finding.reason).collect();
    (passed, inflate.end().map(|()| seen()))
}

#[test]
fn codings() {
    for (values, expected) in [
        (&[][..], Encoded::Not),
        (&["identity"], Encoded::Not),
        (&["GZip"], Encoded::As(Coding::Gzip)),
        (&["identity, x-gzip"], Encoded::As(Coding::Gzip)),
        (&["deflate"], Encoded::As(Coding::Deflate)),
        (&["br"], Encoded::As(Coding::Brotli)),
        (&["ZSTD"], Encoded::As(Coding::Zstd)),
        (&["zstd, gzip"], Encoded::Unreadable),
        (&["gzip, gzip"], Encoded::Unreadable),
        (&["gzip", "deflate"], Encoded::Unreadable),
        (&["compress"], Encoded::Unreadable),
    ] {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_ENCODING, value.parse().unwrap());
        }
        assert_eq!(of(&headers), expected, "{values:?}");
    }
}

#[test]
fn row_51_bombs_break_off() {
    let zeros = vec![0; 20 << 20];
    let bomb = gzip(&zeros);
    assert!(bomb.len() < 30 << 10, "about 1000:1");
    let compatible = policy(Posture::Compatible, 100);
    for pieces in [1, 1000, 1 << 20] {
        let (passed, verdict) = said(&compatible, Coding::Gzip, &bomb, pieces);
        assert_eq!(verdict, Err(Reason::BodyBomb), "in pieces of {pieces}");
        assert!(passed < 12 << 10, "{passed} of {}", bomb.len());
    }
    // In members of their own none is large.
    let members = gzip(&vec![0; 512 << 10]).repeat(100);
    assert_eq!(said(&compatible, Coding::Gzip, &members, 1000).1, Err(Reason::BodyBomb));
    // Whatever the ratio, no more than a body may have.
    assert_eq!(
        said(&policy(Posture::Compatible, 100_000), Coding::Gzip, &bomb, 1000).1,
        Err(Reason::BodyTooLarge)
    );
}

/// In report mode the rest costs nothing: what follows, larger and malformed, is not seen.
#[test]
fn row_51_a_reported_bomb_is_not_inflated_to_its_end() {
    let bomb = [gzip(&vec![0; 20 << 20]), b"no gzip".to_vec()].concat();
    let mut report = Policy::clone(&policy(Posture::Compatible, 100));
    (report.mode, report.bomb) = (Mode::Report, Mode::Report);
    let report = Arc::new(report);
    let whole = (bomb.len(), Ok(vec![Reason::BodyBomb]));
    assert_eq!(said(&report, Coding::Gzip, &bomb, 1000), whole);
}

/// That the ratio is only reported opens no way round the size that a body may have.
#[test]
fn a_reported_ratio_leaves_the_size_limited() {
    let by_default = Arc::new(Policy::of(Posture::Compatible));
    let large = gzip(&vec![0; 9 << 20]);
    let told = (large.len(), Ok(vec![Reason::BodyBomb]));
    assert_eq!(said(&by_default, Coding::Gzip, &large, 1000), told);
    let zeros = gzip(&vec![0; 20 << 20]);
    for (coding, bomb) in
        [(Coding::Gzip, &zeros[..]), (Coding::Brotli, BROTLI_ZEROS), (Coding::Zstd, ZSTD_ZEROS)]
    {
        assert_eq!(said(&by_default, coding, bomb, 1000).1, Err(Reason::BodyTooLarge), "{coding:?}");
    }
}

/// FastAPI inflates nothing: an app may keep a body as it came, and a picture of one colour is honest data.
#[test]
fn by_default_bombs_are_told_and_a_line_refuses_them() {
    let of = |posture, config: &Config| Policy::of(posture).with(config, false).unwrap().bomb;
    let (ratio, mode) = (
        Config { max_ratio: Some(100), ..Config::default() },
        Config { mode: Some(Mode::Enforce), ..Config::default() },
    );
    assert_eq!(of(Posture::Compatible, &Config::default()), Mode::Report);
    for (posture, config) in
        [(Posture::Strict, &Config::default()), (Posture::Compatible, &ratio), (Posture::Compatible, &mode)]
    {
        assert_eq!(of(posture, config), Mode::Enforce);
    }
}

#[test]
fn honest_bodies_pass() {
    let data: Vec<u8> =
        (0..2_000_000_u32).flat_map(|number| (number / 7).to_string().into_bytes()).take(2 << 20).collect();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(&data).unwrap();
    let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
    raw.write_all(&data).unwrap();
    let strict = policy(Posture::Strict, 100);
    for (coding, body) in [
        (Coding::Gzip, gzip(&data)),
        (Coding::Gzip, [gzip(b"a"), gzip(b"b")].concat()),
        (Coding::Gzip, gzip(b"")),
        (Coding::Deflate, zlib.finish().unwrap()),
        (Coding::Deflate, raw.finish().unwrap()),
        // The first MiB is free.
        (Coding::Gzip, gzip(&vec![0; 1 << 20])),
    ] {
        for pieces in [61, 4096, 1 << 20] {
            assert_eq!(
                said(&strict, coding, &body, pieces),
                (body.len(), Ok(Vec::new())),
                "{coding:?} {pieces}"
            );
        }
    }
}

#[test]
fn what_is_not_what_it_says() {
    let body = gzip(b"hello hello hello");
    for body in [&b"hello"[..], &body[..body.len() - 3], &[&body[..], b"more"].concat()] {
        let reported = said(&policy(Posture::Compatible, 100), Coding::Gzip, body, 2);
        assert_eq!(reported, (body.len(), Ok(vec![Reason::ContentEncodingMalformed])));
        assert_eq!(
            said(&policy(Posture::Strict, 100), Coding::Gzip, body, 2).1,
            Err(Reason::ContentEncodingMalformed)
        );
    }
    assert_eq!(
        said(&policy(Posture::Strict, 100), Coding::Deflate, b"x", 1).1,
        Err(Reason::ContentEncodingMalformed)
    );
}

#[test]
fn a_compressed_form_is_a_form() {
    let policy = policy(Posture::Compatible, 100);
    let form_type = mantlet_contract::multipart::FormType::of(b"multipart/form-data; boundary=b").unwrap();
    for (body, expected) in [
        (
            "--b\r\nContent-Disposition: form-data; name=a; filename=\"../x\"\r\n\r\n",
            Err(Reason::UploadNameForbidden),
        ),
        ("--b\r\nContent-Disposition: form-data; name=a; filename=\"x\"\r\n\r\n\r\n--b--", Ok(())),
        ("no form", Err(Reason::MultipartMalformed)),
    ] {
        let findings = Arc::<Findings>::default();
        let form = FormWatch::begin(
            &form_type,
            uploads::Policy::of(Posture::Compatible).into(),
            true,
            Arc::clone(&findings),
        )
        .unwrap();
        let mut inflate =
            Inflate::begin(Coding::Gzip, 10 << 20, Arc::clone(&policy), Some(Box::new(form)), findings)
                .unwrap();
        let seen = inflate.see(&gzip(body.as_bytes())).and_then(|()| inflate.end());
        assert_eq!(seen, expected, "{body}");
    }
}

fn zstd(data: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
}

/// `brotli.compress(…)` of Python: a text, and 20 MiB of zeros.
const BROTLI_TEXT: &[u8] = &[
    27, 32, 0, 248, 141, 148, 110, 222, 68, 85, 134, 214, 108, 32, 105, 111, 187, 16, 67, 36, 129, 71, 30,
    48, 18, 75, 27, 15, 85, 229, 23, 205, 0,
];
const BROTLI_ZEROS: &[u8] = &[
    203, 255, 255, 63, 248, 39, 0, 226, 177, 64, 32, 247, 254, 143, 255, 255, 127, 240, 79, 0, 196, 97, 17,
    128, 238, 253, 95, 254, 255, 255, 224, 159, 0, 136, 195, 2, 0, 221, 251, 31,
];
/// `zstd -19 --check` of 20 MiB of zeros.
const ZSTD_ZEROS: &[u8] = include_bytes!("zeros.zst");

#[test]
fn row_51_brotli_and_zstd_are_read_too() {
    let text: Vec<u8> =
        (0..200_000_u32).flat_map(|number| (number / 7).to_string().into_bytes()).take(1 << 20).collect();
    let skipped = [&[0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(b"after")].concat();
    let strict = policy(Posture::Strict, 100);
    for (coding, body) in [
        (Coding::Brotli, BROTLI_TEXT.to_vec()),
        (Coding::Zstd, zstd(&text)),
        (Coding::Zstd, [zstd(b"a"), zstd(b""), zstd(&text)].concat()),
        (Coding::Zstd, skipped),
    ] {
        for pieces in [1, 61, 4096, 1 << 20] {
            assert_eq!(
                said(&strict, coding, &body, pieces),
                (body.len(), Ok(Vec::new())),
                "{coding:?} {pieces}"
            );
        }
        let cut = &body[..body.len() - 1];
        assert_eq!(said(&strict, coding, cut, 61).1, Err(Reason::ContentEncodingMalformed), "{coding:?}");
        let more = [&body[..], b"more"].concat();
        assert_eq!(said(&strict, coding, &more, 61).1, Err(Reason::ContentEncodingMalformed), "{coding:?}");
    }
    for (coding, bomb) in [(Coding::Brotli, BROTLI_ZEROS), (Coding::Zstd, ZSTD_ZEROS)] {
        for pieces in [1, 1000] {
            assert_eq!(said(&strict, coding, bomb, pieces).1, Err(Reason::BodyBomb), "{coding:?} {pieces}");
        }
        assert_eq!(
            said(&strict, coding, b"no such thing at all, really", 7).1,
            Err(Reason::ContentEncodingMalformed)
        );
    }
    few_windows_at_once();
}

/// A part of the test above, for others would find none left.
fn few_windows_at_once() {
    let compatible = policy(Posture::Compatible, 100);
    let begin = |findings: &Arc<Findings>| {
        Inflate::begin(Coding::Zstd, 10 << 20, Arc::clone(&compatible), None, Arc::clone(findings)).unwrap()
    };
    let mut running = Vec::new();
    let told = (0..40).any(|_| {
        let findings = Arc::<Findings>::default();
        running.push(begin(&findings));
        findings.take().iter().any(|finding| finding.reason == Reason::ContentEncodingUnsupported)
    });
    assert!(told, "the forty-first is not looked into, and that is told");
    // What is not looked into passes.
    let mut last = running.pop().unwrap();
    assert_eq!(last.see(b"anything").and_then(|()| last.end()), Ok(()));
}
