//! Lines as the body of a request, and what a response to it means.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use tokio_rustls::TlsConnector;

#[cfg(feature = "otlp")]
use super::otlp;
use super::{
    Outcome,
    destination::{Format, Http},
    line::Line,
};
use crate::{
    clock,
    fetch::{Fetched, Question, send_by},
};

/// Bytes of a response that are read. The bulk API says something of each line.
const LONGEST: usize = 16 << 20;
/// The longest pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// Bytes of a response that are shown.
const SHOWN: usize = 200;

/// Sends a batch, and says what has become of it.
pub(super) async fn send(
    http: &Http,
    tls: Option<&TlsConnector>,
    lines: &[Line],
    patience: Duration,
) -> Outcome {
    let (kind, body) = body_of(http.format, lines);
    let (body, is_compressed) = match http.gzip.then(|| compressed(&body)) {
        Some(Ok(compressed)) => (compressed, true),
        _ => (body, false),
    };
    let mut question = Question::post(kind, body);
    if is_compressed {
        question = question.with(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    for (name, value) in &http.headers {
        question.headers.insert(name, value.clone());
    }
    match send_by(tls, &http.target, question, patience, LONGEST).await {
        Err(error) => Outcome::failed(error.to_string()),
        Ok(response) => meaning(&response, http.format, lines.len()),
    }
}

fn body_of(format: Format, lines: &[Line]) -> (&'static str, Vec<u8>) {
    let mut body = Vec::new();
    match format {
        Format::JsonLines => {
            for line in lines {
                body.extend_from_slice(&line.text);
                body.push(b'\n');
            }
        }
        Format::Json => {
            for (index, line) in lines.iter().enumerate() {
                body.push(if index == 0 { b'[' } else { b',' });
                body.extend_from_slice(&line.text);
            }
            body.push(b']');
        }
        // With an id of its own a line that comes twice is kept once.
        Format::Elastic => {
            for line in lines {
                let log = line.position.log.rsplit('/').next().unwrap_or_default();
                let id = format!("{log}-{}", line.seq());
                body.extend_from_slice(json!({ "create": { "_id": id } }).to_string().as_bytes());
                body.push(b'\n');
                body.extend_from_slice(&line.text);
                body.push(b'\n');
            }
        }
        Format::Loki => {
            let value = |line: &Line| {
                let time = line.facts().time().unwrap_or_else(clock::now).as_nanosecond();
                json!([time.to_string(), String::from_utf8_lossy(&line.text)])
            };
            let values: Vec<_> = lines.iter().map(value).collect();
            let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
            let labels = json!({ "job": "mantlet", "host": host });
            body = json!({ "streams": [{ "stream": labels, "values": values }] }).to_string().into_bytes();
        }
        #[cfg(feature = "otlp")]
        Format::Otlp => return (otlp::CONTENT_TYPE, otlp::body(lines)),
    }
    let is_of_lines = matches!(format, Format::JsonLines | Format::Elastic);
    (if is_of_lines { "application/x-ndjson" } else { "application/json" }, body)
}

fn compressed(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

fn meaning(response: &Fetched, format: Format, lines: usize) -> Outcome {
    let mut why = format!("it responds with {}", response.status);
    if let Some(said) = response.body.get(..response.body.len().min(SHOWN)).filter(|said| !said.is_empty()) {
        let _ = write!(why, ": {}", String::from_utf8_lossy(said).trim().escape_debug());
    }
    match response.status {
        status if status.is_success() && format == Format::Elastic => of_bulk(response, lines),
        #[cfg(feature = "otlp")]
        status if status.is_success() && format == Format::Otlp => otlp::meaning(response, lines),
        status if status.is_success() => Outcome::Taken { refused: 0 },
        StatusCode::PAYLOAD_TOO_LARGE => Outcome::TooLarge,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Outcome::Refused(why),
        // A credential that has expired, a wrong path, a server that is busy: all may get well.
        _ => Outcome::Failed { why, pause: pause_of(&response.headers) },
    }
}

/// How long to wait (RFC 9110 section 10.2.3).
fn pause_of(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let until = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        Duration::try_from(until.duration_since(clock::now())).ok()?
    };
    Some(pause.min(LONGEST_PAUSE))
}

#[derive(Deserialize)]
struct Bulk {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    create: Created,
}

#[derive(Deserialize)]
struct Created {
    status: u16,
    #[serde(default)]
    error: serde_json::Value,
}

/// The bulk API answers with 200 even if it has taken nothing.
fn of_bulk(response: &Fetched, lines: usize) -> Outcome {
    let bulk = serde_json::from_slice::<Bulk>(&response.body).ok().filter(|bulk| bulk.items.len() == lines);
    let Some(bulk) = bulk else {
        return Outcome::failed("its response is not that of the bulk API".to_owned());
    };
    // 409: it has the line already.
    let is_taken = |item: &&Item| matches!(item.create.status, 200..=299 | 409);
    let bad: Vec<_> = bulk.items.iter().filter(|item| !is_taken(item)).collect();
    let Some(first) = bad.first() else { return Outcome::Taken { refused: 0 } };
    // A terminal obeys some characters, and JSON does not escape all of them.
    let plain = |char: char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char };
    let error: String = first.create.error.to_string().chars().take(SHOWN).map(plain).collect();
    let why = format!("it responds with {}: {error}", first.create.status);
    if bad.iter().any(|item| !matches!(item.create.status, 400 | 422)) {
        Outcome::failed(why)
    } else if bad.len() == lines {
        Outcome::Refused(why)
    } else {
        Outcome::Taken { refused: bad.len() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<Line> {
        let texts =
            [r#"{"seq":7,"prev":"a","time":"2026-11-30T16:47:01.5Z"}"#, r#"{"seq":8,"prev":"b","x":"\"é"}"#];
        texts
            .iter()
            .map(|text| Line::of(text.as_bytes().to_vec(), "mantlet-audit/0a", 0, 0).unwrap())
            .collect()
    }

    #[test]
    fn bodies_have_the_lines_as_they_are() {
        let lines = lines();
        let text = |line: &Line| String::from_utf8(line.text.clone()).unwrap();
        let body = |format| String::from_utf8(body_of(format, &lines).1).unwrap();
        let (a, b) = (text(&lines[0]), text(&lines[1]));
        assert_eq!(body(Format::JsonLines), format!("{a}\n{b}\n"));
        assert_eq!(body(Format::Json), format!("[{a},{b}]"));
        let create = |seq| format!("{{\"create\":{{\"_id\":\"0a-{seq}\"}}}}");
        assert_eq!(body(Format::Elastic), format!("{}\n{a}\n{}\n{b}\n", create(7), create(8)));
        let loki: serde_json::Value = serde_json::from_str(&body(Format::Loki)).unwrap();
        assert_eq!(loki["streams"][0]["values"][0], json!(["1796057221500000000", a]));
        assert_eq!(loki["streams"][0]["values"][1][1], b);
    }

    fn answer(status: u16, body: &'static str, format: Format) -> Outcome {
        let status = StatusCode::from_u16(status).unwrap();
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static("7"))]);
        meaning(&Fetched { status, headers, body: body.into() }, format, 2)
    }

    #[test]
    fn responses_mean_something() {
        let plain = |status| answer(status, "no\n", Format::JsonLines);
        assert_eq!(plain(204), Outcome::Taken { refused: 0 });
        assert_eq!(plain(413), Outcome::TooLarge);
        assert_eq!(plain(400), Outcome::Refused("it responds with 400 Bad Request: no".into()));
        for status in [301, 401, 403, 404, 408, 429, 500, 503] {
            let Outcome::Failed { pause, .. } = plain(status) else { panic!("{status}") };
            assert_eq!(pause, Some(Duration::from_secs(7)), "{status}");
        }
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn a_collector_refuses_no_more_than_there_was() {
        let refused = |body| answer(200, body, Format::Otlp);
        assert_eq!(refused(""), Outcome::Taken { refused: 0 });
        assert_eq!(refused("\x0a\x02\x08\x01"), Outcome::Taken { refused: 1 });
        // The largest number there is, and a negative one.
        let largest: &[u8] = b"\x0a\x0a\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f";
        let negative: &[u8] = b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        for (body, count) in [(largest, 2), (negative, 0)] {
            let said = Fetched { status: StatusCode::OK, headers: HeaderMap::new(), body: body.into() };
            assert_eq!(meaning(&said, Format::Otlp, 2), Outcome::Taken { refused: count });
        }
    }

    #[test]
    fn a_pause_has_a_limit() {
        let pause =
            |text| pause_of(&HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static(text))]));
        assert_eq!(pause("7"), Some(Duration::from_secs(7)));
        for long in ["18446744073709551615", "Tue, 01 Jan 2999 00:00:00 GMT"] {
            assert_eq!(pause(long), Some(LONGEST_PAUSE), "{long}");
        }
        for wrong in ["-1", "99999999999999999999999", "Thu, 01 Jan 1970 00:00:00 GMT", "soon"] {
            assert_eq!(pause(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_bulk_api_says_what_it_has_taken() {
        let bulk = |first: u16, second: u16| {
            let body = format!(
                r#"{{"errors":true,"items":[{{"create":{{"status":{first}}}}},{{"create":{{"status":{second},"error":{{"type":"x"}}}}}}]}}"#
            );
            answer(200, body.leak(), Format::Elastic)
        };
        assert_eq!(bulk(201, 201), Outcome::Taken { refused: 0 });
        assert_eq!(bulk(201, 409), Outcome::Taken { refused: 0 });
        assert_eq!(bulk(201, 400), Outcome::Taken { refused: 1 });
        assert!(matches!(bulk(400, 400), Outcome::Refused(_)));
        assert!(matches!(bulk(201, 429), Outcome::Failed { .. }));
        assert!(matches!(answer(200, "{}", Format::Elastic), Outcome::Failed { .. }));
    }
}
