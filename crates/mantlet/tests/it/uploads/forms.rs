//! Whole forms.

use serde_json::{Value, json};

use super::{END, TYPE, file, part, post};
use crate::kit::{Answer, Gateway, Setup};

const STRICT: &str = "[contract]\nposture = \"strict\"\n";

fn both() -> [Gateway; 2] {
    ["", STRICT].map(|config| Setup::run("uploads:app").config(config).start())
}

fn assert_refused(gateway: &Gateway, answer: &Answer, status: u16, code: &str, subject: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{answer:?}");
    let record = gateway.audit_of(answer.request_id());
    assert_eq!(
        (&record["action"], &record["reason"], &record["subject"]),
        (&json!("refuse"), &json!(code), &json!(subject))
    );
}

#[test]
fn row_56_ten_thousand_parts_are_refused() {
    for gateway in both() {
        let fields = part("tags", "", "x").repeat(10_000) + END;
        assert_refused(
            &gateway,
            &post(&gateway, "/many", TYPE, fields),
            413,
            "upload-too-many-parts",
            "fields",
        );
        let files = file("files", "x", "").repeat(10_000) + END;
        assert_refused(
            &gateway,
            &post(&gateway, "/many", TYPE, files),
            413,
            "upload-too-many-parts",
            "files",
        );
        let most = part("tags", "", "x").repeat(1000) + &file("files", "x", "").repeat(1000) + END;
        let answer = post(&gateway, "/many", TYPE, most);
        assert_eq!(answer.json()["files"].as_array().map(Vec::len), Some(1000), "as many as Starlette takes");
    }
}

#[test]
fn row_56_forms_with_more_than_one_reading_are_refused() {
    let whole = file("picture", "x.png", "x") + END;
    let two = "Content-Type: multipart/form-data; boundary=b; boundary=c\r\n";
    let none = "Content-Type: multipart/form-data\r\n";
    for gateway in both() {
        for (lines, body, subject) in [
            (two, whole.clone(), "two boundaries"),
            (none, whole.clone(), "no boundary"),
            (TYPE, file("picture", "x\r\nX-Evil: 1\r\nX-More: \"", "x") + END, "a quote that does not end"),
            (TYPE, file("picture", "x\ny", "x") + END, "a control character in a header"),
            (TYPE, file("picture", "x\0.png", "x") + END, "a control character in a header"),
            (TYPE, part("picture", "; filename=\"x\"\r\n folded", "x") + END, "a malformed header"),
            (TYPE, "--b\r\n\r\nx\r\n".to_owned() + END, "a part without a name"),
            (TYPE, "--c\r\n".to_owned() + &whole, "does not begin with the boundary"),
        ] {
            let answer = post(&gateway, "/picture", lines, body);
            assert_refused(&gateway, &answer, 400, "multipart-malformed", subject);
        }
        let answer = post(&gateway, "/picture", TYPE, file("picture", "../../app.py", "x") + END);
        assert_refused(&gateway, &answer, 400, "upload-name-forbidden", "`..` in a file name");
    }
}

/// What the app's own parser takes passes, and is told once.
#[test]
fn what_is_merely_odd_is_reported_and_refused_in_strict_posture() {
    let [compatible, strict] = both();
    let cases = [
        (file("picture", "photos/x.png", "x") + END, "upload-name-forbidden", "a path as a file name"),
        (file("picture", "x", "x") + "--b\r\n", "multipart-malformed", "no final boundary"),
        (
            part("picture", "; filename=\"x\"; filename=\"y\"", "x") + END,
            "multipart-malformed",
            "a parameter twice",
        ),
        (
            part("picture", "; filename=\"x.png\"\r\nContent-Type: image/png", "<html><script>") + END,
            "upload-type-forbidden",
            "the content",
        ),
    ];
    for (body, code, subject) in &cases {
        for _ in 0..2 {
            let answer = post(&compatible, "/picture", TYPE, body);
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let answer = post(&strict, "/picture", TYPE, body);
        assert_eq!(answer.code(), *code, "{answer:?}");
        assert_eq!(strict.audit_of(answer.request_id())["subject"], *subject);
    }
    let told = |record: &Value| ["path", "action", "reason", "subject"].map(|name| record[name].clone());
    let told: Vec<_> = compatible.end().audit.iter().map(told).collect();
    let expected: Vec<_> =
        cases.iter().map(|(_, code, subject)| json!(["/picture", "pass", code, subject])).collect();
    assert_eq!(json!(told), json!(expected));
}

/// The handler reads the request itself, by whatever parser.
#[test]
fn what_is_no_form_to_the_contract_is_only_reported() {
    let [compatible, strict] = both();
    let answer = post(&compatible, "/raw/mine", TYPE, "whatever");
    assert_eq!((answer.status, answer.json()["bytes"].as_u64()), (200, Some(8)));
    assert_eq!(compatible.audit_of(answer.request_id())["reason"], "multipart-malformed");
    assert_eq!(post(&strict, "/raw/mine", TYPE, "whatever").code(), "multipart-malformed");
}

#[test]
fn row_50_a_form_is_validated_before_the_app_sees_it() {
    let gateway = Setup::run("uploads:app").config("[contract]\ninput = \"enforce\"\n").start();
    let answer = post(&gateway, "/picture", TYPE, part("note", "", "far too long") + END);
    assert_eq!((answer.status, answer.code().as_str()), (422, "input-invalid"));
    let faults: Vec<_> =
        answer.json()["detail"].as_array().unwrap().iter().map(|one| one["loc"].clone()).collect();
    assert_eq!(json!(faults), json!([["body", "picture"], ["body", "note"]]));
    let good = part("note", "", "short") + &file("picture", "x.png", "x") + END;
    let answer = post(&gateway, "/picture", TYPE, good);
    assert_eq!(answer.json()["picture"]["name"], "x.png", "{answer:?}");
}

#[test]
fn a_route_says_which_files_it_takes() {
    let config =
        "[[route]]\npath = \"/picture\"\nuploads = { types = [\"image/*\"], file-size = \"1KiB\" }\n";
    let gateway = Setup::run("uploads:app").config(config).start();
    let picture = |kind: &str, content: &str| {
        let body = part("picture", &format!("; filename=\"x\"\r\nContent-Type: {kind}"), content) + END;
        post(&gateway, "/picture", TYPE, body)
    };
    assert_eq!(picture("image/gif", "GIF89a").status, 200);
    for (kind, content, subject) in [
        ("text/html", "GIF89a", "the declared type"),
        ("image/gif", "<html><script>alert(1)</script>", "the content"),
        ("image/png", "MZ\u{1}\0", "the content"),
    ] {
        assert_refused(&gateway, &picture(kind, content), 415, "upload-type-forbidden", subject);
    }
    let large = "GIF89a".to_owned() + &"x".repeat(1024);
    assert_refused(&gateway, &picture("image/gif", &large), 413, "upload-too-large", "a file");
    let elsewhere = file("files", "x", &large) + END;
    assert_eq!(post(&gateway, "/many", TYPE, elsewhere).status, 200, "another route");
}
