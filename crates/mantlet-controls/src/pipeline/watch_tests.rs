use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use http::Request;
use serde_json::json;

use super::*;
use crate::{
    Config, Peer, Scheme,
    config::{Posture, Tolerance, units::Size},
    message::Finding,
    operation::Contract,
    pipeline::{Arrival, Policy, WireVerdict, open},
};

const TYPE: &str = "multipart/form-data; boundary=b";

/// An app that reads a form at `/form` and something at `/raw`.
fn policy(source: &str, rewrites: bool, change: impl FnOnce(&mut Config)) -> Box<Policy> {
    let mut config = Config::default();
    config.host.allow = vec!["example.com".into()];
    change(&mut config);
    let route = |path: &str, body: serde_json::Value| {
        let operation = json!({"id": path, "body": body, "inputs": []});
        json!({"kind": "http", "path": path, "methods": ["POST"], "hidden": false, "operation": operation})
    };
    let form = json!({"kind": "form", "files": true});
    let routes = [route("/form", form), route("/raw", json!({"kind": "opaque"}))];
    let router =
        json!({"routes": routes, "redirect-slashes": true, "complete": !rewrites, "rewrites": rewrites});
    let model = json!({"version": 1, "source": source, "router": router, "shapes": []});
    config.contract_handle().put(Contract::compile(&serde_json::from_value(model).unwrap()).0);
    Box::new(config.check().unwrap())
}

/// What is said of a body, with all that was seen in it.
fn said(policy: &Policy, path: &str, coding: &str, body: &[u8]) -> (Result<(), Reason>, Vec<Finding>) {
    let mut request = Request::post(path).header("content-type", TYPE);
    if !coding.is_empty() {
        request = request.header("content-encoding", coding);
    }
    let request = request.body(()).unwrap();
    let peer = Peer::Ip("203.0.113.1:4711".parse().unwrap());
    let arrival = Arrival { peer, scheme: Scheme::Http, wire: WireVerdict::Unread, certificate: None };
    let mut call = open(policy, &arrival, &request);
    let settings = policy.routes.of(request.method(), call.spellings());
    call.operation =
        policy.contract.route(request.method(), false, None, (path, &call.place), &settings.rules).route;
    assert!(call.operation.is_some());
    let findings = Arc::<Findings>::default();
    let verdict = Watch::begin(&call, settings, request.headers(), &findings).and_then(|watch| {
        let Some(mut watch) = watch else { return Ok(()) };
        body.chunks(100).try_for_each(|piece| watch.see(piece))?;
        watch.end()
    });
    (verdict, findings.take())
}

fn file(name: &str, content: &str) -> Vec<u8> {
    format!(
        "--b\r\nContent-Disposition: form-data; name=f; filename=\"{name}\"\r\n\r\n{content}\r\n--b--\r\n"
    )
    .into_bytes()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn limited(config: &mut Config) {
    config.uploads.file_size = Some(Size(10));
}

const CODINGS: [&str; 6] = ["", "br", "gzip, gzip", "gzip", "deflate", "x"];

/// FastAPI ignores what a request says of its coding.
#[test]
fn row_56_a_form_is_watched_whatever_coding_it_claims() {
    let (large, climbing) = (file("x", "more than ten bytes"), file("../x", "x"));
    let off = |config: &mut Config| {
        limited(config);
        config.encoding.mode = Some(Mode::Off);
    };
    let allowed = |config: &mut Config| {
        limited(config);
        config.encoding.unreadable = Some(Tolerance::Allow);
    };
    for coding in CODINGS {
        for proven in [
            policy("inspector", false, limited),
            policy("inspector", false, off),
            policy("inspector", false, allowed),
        ] {
            assert_eq!(said(&proven, "/form", coding, &large).0, Err(Reason::UploadTooLarge), "{coding}");
            assert_eq!(
                said(&proven, "/form", coding, &climbing).0,
                Err(Reason::UploadNameForbidden),
                "{coding}"
            );
            assert_eq!(said(&proven, "/form", coding, &file("x", "small")).0, Ok(()), "{coding}");
        }
        let without = policy("inspector", false, |_| {});
        assert_eq!(
            said(&without, "/form", coding, &climbing).0,
            Err(Reason::UploadNameForbidden),
            "{coding}"
        );
    }
}

/// A body that cannot be examined does not evade a limit where code may inflate it, or its reader
/// is not known.
#[test]
fn row_56_limits_are_not_evaded_by_codings() {
    let large = file("x", "more than ten bytes");
    let off = |config: &mut Config| {
        limited(config);
        config.encoding.mode = Some(Mode::Off);
    };
    for coding in CODINGS.into_iter().filter(|coding| !coding.is_empty()) {
        for (policy, path) in [
            (policy("inspector", true, limited), "/form"),
            (policy("inspector", true, off), "/form"),
            (policy("document", false, limited), "/form"),
            (policy("inspector", false, limited), "/raw"),
            (policy("inspector", false, off), "/raw"),
        ] {
            let (verdict, _) = said(&policy, path, coding, &large);
            assert_eq!(verdict, Err(Reason::MultipartMalformed), "{path} {coding}");
        }
        let (verdict, seen) = said(&policy("inspector", false, |_| {}), "/raw", coding, &large);
        assert!(
            verdict.is_ok() && !seen.is_empty(),
            "without limits it is the app's business: {coding} {seen:?}"
        );
        let strict = policy("inspector", true, |config| config.contract.posture = Posture::Strict);
        assert!(said(&strict, "/form", coding, &large).0.is_err());
    }
    // What can be looked into is.
    let behind = policy("inspector", true, limited);
    assert_eq!(said(&behind, "/form", "gzip", &gzip(&large)).0, Err(Reason::UploadTooLarge));
    assert_eq!(said(&behind, "/form", "gzip", &gzip(&file("x", "small"))).0, Ok(()));
}
