//! Who speaks first: input is never refused before what the app itself refuses first, whatever stands in front of it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::kit::{Answer, Client, Gateway, Setup, Uvicorn};

/// Numbers at random that are the same each time (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[usize::try_from(self.next()).unwrap() % all.len()]
    }
}

const DOORS: &[&str] = &[
    "open",
    "soft",
    "page",
    "database",
    "settings",
    "waved",
    "closed-after",
    "fails",
    "bearer",
    "user",
    "cookie",
    "declared-cookie",
    "scheme-cookie",
    "key",
    "key-query",
    "basic",
    "basic-soft",
    "tenant",
    "inside-tenant",
    "quota",
    "role",
    "found",
    "unannotated",
    "with-body",
    "named",
    "guard",
    "stepped",
    "page-and-quota",
    "tenant-and-user",
    "quota-and-tenant",
];
const FEW: &[&str] = &["open", "page", "bearer", "quota", "tenant", "fails"];
/// Doors that are shut by what Python itself raises.
const BUILT_IN: &[&str] = &[
    "by_user",
    "by_session",
    "by_assertion",
    "by_attribute",
    "by_operator",
    "by_loop",
    "by_unpacking",
    "by_format",
];
const MOUNTS: &[&str] = &[
    "/in/builtins",
    "/in/asks",
    "/in/helped",
    "/in/timed",
    "/in/plain",
    "/in/hosts",
    "/in/redirected",
    "/in/raises",
    "/in/outer/deep",
    "/in/looked-up",
    "/in/overridden",
    "/in/odd",
    "/in/mends",
];
const BODIES: &[&str] = &[
    r#"{"amount": 5, "to": "bob"}"#,
    r#"{"amount": 5, "to": "bob"}"#,
    r#"{"amount": "7", "to": "evil", "is_admin": true}"#,
    r#"{"amount": 0, "to": ""}"#,
    r#"{"amount": "many"}"#,
    r#"{"to": 5, "amount": NaN}"#,
    r#"{"amount": 5, "to": "bob""#,
    "[]",
    "null",
    "",
    "amount=5&to=bob",
];
const FORMS: &[&str] = &[
    "name=ann&age=7",
    "name=a",
    "age=old",
    "",
    "name=ann&is_admin=1",
    "username=ann&password=x",
    "username=ann",
    "grant_type=password&username=ann&password=x",
];

/// A request as it is sent.
fn request(r: &mut Random) -> String {
    let (mount, door) =
        if r.next().is_multiple_of(3) { (r.of(MOUNTS), r.of(FEW)) } else { ("", r.of(DOORS)) };
    let kind = r.of(&[
        "pay", "pay", "pay", "numbered", "asked", "form", "login", "upload", "token", "routed", "picked",
        "built-in", "built-in",
    ]);
    let (method, mut target) = match kind {
        "numbered" => ("PUT", format!("{mount}/{door}/pay/{}", r.of(&["1", "0", "x"]))),
        "asked" => ("GET", format!("{mount}/{door}/asked")),
        "routed" => ("POST", "/nested/routed/pay".to_owned()),
        "picked" => ("POST", "/in/looked-up/picked/pay".to_owned()),
        "built-in" => ("POST", format!("/in/builtins/{}/pay", r.of(BUILT_IN))),
        kind => ("POST", format!("{mount}/{door}/{kind}")),
    };
    let query = r.of(&[
        "",
        "",
        "n=2",
        "n=x",
        "q=long",
        "q=l&n=1",
        "first=0",
        "first=2&size=101",
        "key=good",
        "key=good&n=x",
    ]);
    if !query.is_empty() {
        write!(target, "?{query}").unwrap();
    }
    let mut lines = format!("Host: {}\r\n", r.of(&["localhost", "localhost", "localhost", "evil.example"]));
    let mut add = |line: &str| {
        if !line.is_empty() {
            write!(lines, "{line}\r\n").unwrap();
        }
    };
    add(r.of(&[
        "",
        "Authorization: Bearer good",
        "Authorization: Bearer good",
        "Authorization: Bearer expired",
        "Authorization: Basic YW5uOng=",
        "Authorization: Basic ???",
        "Authorization: bearer",
        "Authorization: Digest x",
    ]));
    add(r.of(&["", "Cookie: sid=good", "Cookie: sid=old", "Cookie: other=1"]));
    add(r.of(&["", "X-Key: good", "X-Key: good", "X-Key: bad"]));
    add(r.of(&["", "X-Tenant: 1", "X-Tenant: 1", "X-Tenant: 2", "X-Tenant: one"]));
    add(r.of(&["", "", "X-Level: 9", "X-Level: 0"]));
    add(r.of(&["", "", "X-Quota: used"]));
    add(r.of(&["", "", "X-User: nobody"]));
    if method == "GET" {
        return format!("GET {target} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n");
    }
    let (content_type, body) = match kind {
        "form" | "login" | "token" | "upload" if r.next().is_multiple_of(3) => multipart(r),
        "form" | "login" | "token" | "upload" => {
            ("application/x-www-form-urlencoded".to_owned(), r.of(FORMS).to_owned())
        }
        _ => {
            let types = [
                "application/json",
                "application/json",
                "application/json",
                "application/vnd.api+json",
                "text/plain",
                "",
            ];
            (r.of(&types).to_owned(), r.of(BODIES).to_owned())
        }
    };
    if !content_type.is_empty() {
        write!(lines, "Content-Type: {content_type}\r\n").unwrap();
    }
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\n{lines}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn multipart(r: &mut Random) -> (String, String) {
    let mut body = String::new();
    for _ in 0..r.next() % 4 {
        let name = r.of(&["name", "age", "file", "note", "is_admin"]);
        let filename = if name == "file" { "; filename=\"a.txt\"" } else { "" };
        let value = r.of(&["ann", "a", "7", "far too long"]);
        write!(body, "--sep\r\nContent-Disposition: form-data; name=\"{name}\"{filename}\r\n\r\n{value}\r\n")
            .unwrap();
    }
    let end = r.of(&["--sep--\r\n", "--sep--\r\n", "--sep--\r\n", "--se"]);
    ("multipart/form-data; boundary=sep".to_owned(), body + end)
}

/// The types and places of what is invalid, sorted; none if it is another answer.
fn faults(answer: &Answer) -> Option<Vec<String>> {
    let said: Value = serde_json::from_slice(&answer.body).ok()?;
    let faults =
        said["detail"].as_array()?.iter().map(|fault| json!([fault["type"], fault["loc"]]).to_string());
    let mut faults: Vec<_> = faults.collect();
    faults.sort_unstable();
    Some(faults)
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn status_and_words_are_those_of_the_app_whatever_stands_in_front_of_it() {
    let cases = setting("MANTLET_DIFFERENTIAL_CASES", 1_200);
    let mut r = Random(setting("MANTLET_DIFFERENTIAL_SEED", 7).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let folder = tempfile::tempdir().unwrap();
    let bare = Uvicorn::serve("doors:app", folder.path());
    let socket = Uvicorn::socket(folder.path());
    let gateway = Setup::run("doors:app").start();
    let (mut ours, mut invalid, mut refused) = (0, 0, 0);
    let mut different = Vec::new();
    for _ in 0..cases {
        let request = request(&mut r);
        let said = Client::connect_unix(socket.to_str().unwrap()).ask(&request);
        let answer = Client::connect(gateway.addr()).ask(&request);
        invalid += u32::from(said.status == 422);
        refused += u32::from(matches!(said.status, 401 | 403 | 404 | 429));
        let is_ours = answer.status == 422
            && serde_json::from_slice::<Value>(&answer.body)
                .is_ok_and(|body| body["code"] == "input-invalid");
        ours += u32::from(is_ours);
        if said.status == 500 {
            // A dependency that only fails has refused nothing, and may be spared.
            assert!(matches!(answer.status, 422 | 500), "{request}\n  {answer:?}");
            continue;
        }
        let same = answer.status == said.status
            && (said.status != 422 || faults(&answer) == faults(&said))
            && (said.status != 200 || answer.body == said.body);
        if !same {
            let text = |answer: &Answer| String::from_utf8_lossy(&answer.body).into_owned();
            let (bare, gate) = (text(&said), text(&answer));
            different
                .push(format!("{request}\n  bare {} {bare}\n  gate {} {gate}\n", said.status, answer.status));
        }
    }
    drop(bare);
    let records = gateway.end().audit;
    // One middleware mends what is invalid, and nothing but agreement could tell.
    let contradicted: Vec<_> =
        records.iter().filter(|record| record["security_event"] == "contract-contradicted").collect();
    let contradicted: Vec<_> = contradicted
        .into_iter()
        .filter(|record| !record["path"].to_string().contains("/in/mends/"))
        .collect();
    println!(
        "{cases} requests: the app refuses {refused} first and says 422 to {invalid}, of which the gate said {ours} itself; {} differ",
        different.len()
    );
    let shown: String = different.iter().take(5).map(String::as_str).collect();
    assert!(different.is_empty(), "{} differ:\n{shown}", different.len());
    assert!(contradicted.is_empty(), "{contradicted:?}");
    assert!(u64::from(refused) * 5 > cases && u64::from(invalid) * 10 > cases, "too little was compared");
    assert!(ours * 4 > invalid, "where nothing else can refuse, the gate does");
}

fn post(gateway: &Gateway, target: &str, lines: &str, body: &str) -> Answer {
    let length = body.len();
    Client::connect(gateway.addr()).ask(format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{lines}Content-Length: {length}\r\n\r\n{body}"
    ))
}

#[test]
fn the_line_that_brings_the_former_order_back() {
    let lines = "[contract]\ninput-order = \"first\"\n";
    let config = format!("{lines}\n[[route]]\npath = \"/quota/pay\"\ncontract.input-order = \"as-app\"\n");
    let gateway = Setup::run("doors:app").config(&config).start();
    let answer = post(&gateway, "/cookie/pay", "", "{}");
    assert_eq!((answer.status, answer.code().as_str()), (422, "input-invalid"));
    // A declared credential that is not there at all was never a matter of input.
    assert_eq!(post(&gateway, "/bearer/pay", "", "{}").status, 401);
    assert_eq!(post(&gateway, "/quota/pay", "X-Quota: used\r\n", "{}").status, 429);
    let gateway = Setup::run("doors:app").start();
    assert_eq!(post(&gateway, "/cookie/pay", "", "{}").status, 401);
}

#[test]
fn what_waits_for_the_app_is_told_once_for_a_place() {
    let gateway = Setup::run("doors:app").start();
    for _ in 0..3 {
        let answer = post(&gateway, "/cookie/pay", "Cookie: sid=good\r\n", r#"{"amount": 0, "secret": 1}"#);
        assert_eq!(answer.status, 422);
        assert!(answer.json().get("code").is_none(), "the app's own: {answer:?}");
        assert_eq!(post(&gateway, "/cookie/pay", "", "{}").status, 401);
    }
    let records = gateway.end().audit;
    let told: Vec<_> = records
        .iter()
        .map(|record| ["security_event", "action", "reason", "subject"].map(|name| record[name].clone()))
        .collect();
    let expected = json!([
        ["request-left-to-app", "pass", "input-invalid", "greater_than body.amount; missing body.to"],
        ["request-left-to-app", "pass", "input-invalid", "missing body.amount"],
    ]);
    assert_eq!(json!(told), expected);
}
