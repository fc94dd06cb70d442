//! What a real browser and a real client library send passes in strict posture, and arrives as it does without the gate.

use std::process::Command;

use serde_json::json;

use crate::kit::{Setup, browser::Browser, provided};

/// As strict as it can be.
const STRICT: &str = "[contract]\nposture = \"strict\"\n";

#[test]
fn forms_of_a_browser_pass() {
    let gateway = Setup::run("uploads:app").config(STRICT).start();
    let mut browser = Browser::open(&format!("http://{}/page", gateway.addr()));
    browser.wait_until("document.title === 'uploads'");
    let script = r#"(async () => {
        const told = [];
        for (const name of ["x.png", "größe 名前.txt", "a\"b\r\nc.txt", "it's.txt", ""]) {
            const form = new FormData();
            form.append("note", "ä\r\nb");
            form.append("picture", new Blob(["content"], {type: "text/plain"}), name);
            const answer = await fetch("/picture", {method: "POST", body: form});
            const said = await answer.json();
            told.push([answer.status, said.picture && said.picture.name, said.note]);
        }
        const nothing = document.createElement("form");
        nothing.innerHTML = '<input type="file" name="files"><input name="tags" value="t">';
        const answer = await fetch("/many", {method: "POST", body: new FormData(nothing)});
        told.push([answer.status, (await answer.json()).files, null]);
        const none = await fetch("/many", {method: "POST", body: new FormData()});
        told.push([none.status, (await none.json()).files, null]);
        return told;
    })()"#;
    let expected = json!([
        [200, "x.png", "ä\r\nb"],
        [200, "größe 名前.txt", "ä\r\nb"],
        [200, "a%22b%0D%0Ac.txt", "ä\r\nb"],
        [200, "it's.txt", "ä\r\nb"],
        [200, "", "ä\r\nb"],
        [200, [], null],
        [200, [], null],
    ]);
    assert_eq!(browser.run(script), expected);
    // Browsers ask for the icon.
    let audit = gateway.end().audit;
    assert!(audit.iter().all(|record| record["path"] == "/favicon.ico"), "{audit:?}");
}

#[test]
fn forms_of_httpx_pass() {
    let gateway = Setup::run("uploads:app").config(STRICT).start();
    let script = r#"
import io, httpx, json, sys
client = httpx.Client(base_url=sys.argv[1])
for name in ["x.bin", "größe 名前.txt", 'a"b.txt', "a;b.txt", "it's.txt", "a%22.txt"]:
    files = {"picture": (name, io.BytesIO(b"content"))}
    answer = client.post("/picture", files=files, data={"note": "ä"})
    print(json.dumps([answer.status_code, answer.json()]))
for files in ([], [("files", ("a", b"")), ("files", ("b.png", b"\x89PNG\r\n\x1a\n" + b"x" * 300_000))]):
    answer = client.post("/many", files=files, data={"tags": ["a", "b"]})
    print(json.dumps([answer.status_code, answer.json()]))
"#;
    let url = format!("http://{}", gateway.addr());
    let output =
        Command::new(provided("MANTLET_TEST_PYTHON")).args(["-c", script, &url]).output().expect("Python");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert_eq!(said.matches("[200, ").count(), 8, "{said}");
}
