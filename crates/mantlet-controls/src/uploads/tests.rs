use std::sync::Arc;

use mantlet_contract::multipart::FormType;

use super::*;
use crate::{
    Reason,
    config::{Posture, units::Size},
    message::Findings,
};

const TYPE: &str = "multipart/form-data; boundary=b";
const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b--\r\n";

fn policy(posture: Posture, config: &Config) -> Arc<Policy> {
    Arc::new(Policy::of(posture).with(config, false).unwrap())
}

/// What is said of a form: for what it is refused, or what is reported.
fn said(
    policy: &Arc<Policy>,
    certain: bool,
    content_type: &str,
    body: &[u8],
) -> Result<Vec<&'static str>, Reason> {
    let verdicts = [1, 3, body.len().max(1)].map(|pieces| {
        let findings = Arc::<Findings>::default();
        let form_type = FormType::of(content_type.as_bytes()).unwrap();
        FormWatch::begin(&form_type, Arc::clone(policy), certain, Arc::clone(&findings))
            .and_then(|mut watch| {
                body.chunks(pieces).try_for_each(|piece| watch.see(piece))?;
                watch.end()
            })
            .map(|()| findings.take().into_iter().map(|finding| finding.what).collect::<Vec<_>>())
    });
    assert!(verdicts.windows(2).all(|two| two[0] == two[1]), "however it is cut");
    verdicts[0].clone()
}

fn file(name: &str, content_type: &str, content: &str) -> String {
    format!(
        "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\n{content_type}\r\n{content}\r\n--b--\r\n"
    )
}

fn parts(count: usize, more: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name=\"a\"{more}\r\n\r\n\r\n").repeat(count) + "--b--\r\n"
}

#[test]
fn row_56_forms_that_are_no_forms() {
    let (compatible, strict) =
        (policy(Posture::Compatible, &Config::default()), policy(Posture::Strict, &Config::default()));
    let long = "x".repeat(71);
    let forged =
        "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\r\nX-Evil: 1\"\r\n\r\n\r\n--b--\r\n";
    let linefeed =
        "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\nb\"\r\n\r\n\r\n--b--\r\n";
    for (content_type, body) in [
        ("multipart/form-data", FORM),
        ("multipart/form-data; boundary=b; boundary=c", FORM),
        ("multipart/form-data; boundary=", FORM),
        (&format!("multipart/form-data; boundary={}", long.repeat(4)), FORM),
        (TYPE, "x"),
        (TYPE, "--c\r\n"),
        (TYPE, "--b\n\n"),
        (TYPE, "--b\r\n\r\nx\r\n--b--"),
        (TYPE, "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"),
        (TYPE, "--b\r\nno colon\r\n\r\nx\r\n--b--"),
        (TYPE, &format!("--b\r\nX: {}\r\n\r\nx\r\n--b--", "x".repeat(9000))),
        (TYPE, &format!("--b\r\n{}\r\n\r\nx\r\n--b--", "X: y\r\n".repeat(17))),
        (TYPE, forged),
        (TYPE, linefeed),
    ] {
        let shown = &body[..body.len().min(100)];
        for policy in [&compatible, &strict] {
            let verdict = said(policy, true, content_type, body.as_bytes());
            assert_eq!(verdict, Err(Reason::MultipartMalformed), "{content_type} {shown:?}");
        }
        // The app may have a parser of its own.
        assert!(said(&compatible, false, content_type, body.as_bytes()).is_ok_and(|said| !said.is_empty()));
        assert_eq!(said(&strict, false, content_type, body.as_bytes()), Err(Reason::MultipartMalformed));
        let limited = Config { file_size: Some(Size::mib(1)), ..Config::default() };
        let limited = policy(Posture::Compatible, &limited);
        assert_eq!(said(&limited, false, content_type, body.as_bytes()), Err(Reason::MultipartMalformed));
    }
    // Limits are not evaded by what versions of python-multipart read in two ways.
    let limited = policy(Posture::Compatible, &Config { file_size: Some(Size(10)), ..Config::default() });
    let large = "x".repeat(11);
    for (body, expected) in [
        (file("x", "", "x\r\n--b \r\n\r\nx"), Reason::MultipartMalformed),
        (file("x\"; filename=\"y", "", "x"), Reason::MultipartMalformed),
        (
            format!(
                "--b\r\nContent-Disposition: form-data; name=f; filename*=utf-8''x\r\n\r\n{large}\r\n--b--"
            ),
            Reason::UploadTooLarge,
        ),
        (
            "--b\r\nContent-Disposition: form-data; name=f; filename*=utf-8''..%2Fx\r\n\r\n".to_owned(),
            Reason::UploadNameForbidden,
        ),
    ] {
        assert_eq!(said(&limited, true, TYPE, body.as_bytes()), Err(expected), "{body}");
    }
    // python-multipart takes these.
    for (content_type, body) in [
        (&*format!("multipart/form-data; boundary={long}"), FORM.replace("--b", &format!("--{long}"))),
        (TYPE, FORM.replace("--b--\r\n", "--b\r\n")),
        (TYPE, FORM.replace("\r\n--b--", "")),
        (TYPE, FORM.replace("\r\n--b--", "\r\n--bx\r\n--b--")),
        (TYPE, FORM.replace("\"a\"", "\"a\"; filename=\"x\"; filename=\"y\"")),
        (TYPE, FORM.replace("\"a\"", "\"a\"; filename*=utf-8''x")),
        (TYPE, FORM.replace("form-data;", "attachment;")),
    ] {
        assert_eq!(
            said(&compatible, true, content_type, body.as_bytes()).map(|said| said.len()),
            Ok(1),
            "{body:?}"
        );
        assert_eq!(
            said(&strict, true, content_type, body.as_bytes()),
            Err(Reason::MultipartMalformed),
            "{body:?}"
        );
    }
}

#[test]
fn what_clients_send_passes() {
    let strict = policy(Posture::Strict, &Config::default());
    for body in [
        FORM.to_owned(),
        "--b--\r\n".to_owned(),
        "--b--".to_owned(),
        parts(1000, ""),
        parts(1000, "; filename=\"x\""),
        file("a%22b.png", "Content-Type: application/octet-stream\r\n", "x"),
        file("größe.txt", "Content-Type: text/plain\r\n", "x"),
        file("", "Content-Type: application/octet-stream\r\n", ""),
        file("C:\\fakepath\\x.png", "", "x"),
        file("x", "", "\r\n--\r\n--a\r\n-b"),
    ] {
        assert_eq!(
            said(&strict, true, TYPE, body.as_bytes()),
            Ok(Vec::new()),
            "{}",
            &body[..body.len().min(200)]
        );
    }
}

#[test]
fn row_56_parts_names_and_sizes() {
    let compatible = policy(Posture::Compatible, &Config::default());
    let refused = |body: String| said(&compatible, true, TYPE, body.as_bytes()).unwrap_err();
    assert_eq!(refused(parts(1001, "")), Reason::UploadTooManyParts);
    assert_eq!(refused(parts(1001, "; filename=\"x\"")), Reason::UploadTooManyParts);
    assert_eq!(refused(file("../../etc/passwd", "", "x")), Reason::UploadNameForbidden);
    let path = file("photos/x.png", "", "x");
    assert_eq!(said(&compatible, true, TYPE, path.as_bytes()), Ok(vec!["a path as a file name"]));
    let strict = policy(Posture::Strict, &Config::default());
    assert_eq!(said(&strict, true, TYPE, path.as_bytes()), Err(Reason::UploadNameForbidden));

    let small = Config { file_size: Some(Size(10)), files: Some(0), ..Config::default() };
    let none = policy(Posture::Compatible, &small);
    assert_eq!(said(&none, false, TYPE, file("x", "", "").as_bytes()), Err(Reason::UploadTooManyParts));
    let small = policy(Posture::Compatible, &Config { files: None, ..small });
    assert_eq!(said(&small, false, TYPE, file("x", "", &"x".repeat(10)).as_bytes()), Ok(Vec::new()));
    assert_eq!(
        said(&small, false, TYPE, file("x", "", &"x".repeat(11)).as_bytes()),
        Err(Reason::UploadTooLarge)
    );
    assert_eq!(said(&small, true, TYPE, FORM.replace('x', "not a file").as_bytes()), Ok(Vec::new()));
}

#[test]
fn types_are_those_that_may_come() {
    let images =
        Config { types: Some(vec!["image/*".into(), "application/pdf".into()]), ..Config::default() };
    let (images, any) =
        (policy(Posture::Compatible, &images), policy(Posture::Compatible, &Config::default()));
    let gif = "GIF89a\x01\0\x01\0";
    let forbidden = || Err(Reason::UploadTypeForbidden);
    for (declared, content, limited, unlimited) in [
        ("image/gif", gif, Ok(vec![]), Ok(vec![])),
        ("image/png; x=y", gif, Ok(vec![]), Ok(vec![])),
        ("application/pdf", "%PDF-1.7 ", Ok(vec![]), Ok(vec![])),
        ("image/gif", "<html><script>alert(1)</script>", forbidden(), Ok(vec!["the content"])),
        ("image/gif", "MZ\u{0}\u{1}", forbidden(), Ok(vec!["the content"])),
        ("text/html", "<html>", forbidden(), Ok(vec![])),
        ("application/octet-stream", gif, Ok(vec![]), Ok(vec![])),
        ("application/octet-stream", "hello", forbidden(), Ok(vec![])),
        ("text/plain", gif, forbidden(), Ok(vec!["the content"])),
        ("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'/>", forbidden(), Ok(vec![])),
        ("image/svg+xml", "<!DOCTYPE html><script>alert(1)</script>", forbidden(), Ok(vec!["the content"])),
    ] {
        let body = file("x", &format!("Content-Type: {declared}\r\n"), content);
        assert_eq!(said(&images, false, TYPE, body.as_bytes()), limited, "{declared} {content}");
        assert_eq!(said(&any, false, TYPE, body.as_bytes()), unlimited, "{declared} {content}");
        let large =
            file("x", &format!("Content-Type: {declared}\r\n"), &format!("{content}{}", " ".repeat(5000)));
        assert_eq!(said(&images, false, TYPE, large.as_bytes()), limited, "{declared} {content}");
    }
    // Nothing was chosen.
    let nothing = file("", "Content-Type: application/octet-stream\r\n", "");
    assert_eq!(said(&images, true, TYPE, nothing.as_bytes()), Ok(Vec::new()));
    let mistakes = Policy::of(Posture::Strict)
        .with(&Config { types: Some(vec!["image/*".into(), "png".into()]), ..Config::default() }, false);
    assert_eq!(mistakes.unwrap_err()[0].key, "types[1]");
}
