//! The text of a table, and requests.
//!
//! ```text
//! PATCH /notes/{note}
//!     body   {"title": "changed"}
//!     bare   200   200   200   200   401   404
//!     gated  200   404   404   200   401   404
//! ```
//!
//! The columns are [`COLUMNS`]. A status alone says that the answer to a GET has the object in it, or that a
//! write has changed it. `200-` is a status without either, and `-` a request that makes no sense.
//!
//! `{note}` is the id of a note that the owner has just made; in the last column it is an id that no object
//! has. `{note.hex}` is the id without hyphens, `{note.upper}` the id in capitals; `{new}` is a new text.
//!
//! | line | meaning |
//! |---|---|
//! | `bare`, `gated`, `both` | what the app answers, and what the gate in front of it |
//! | `accepted` | what the gate answers with the proposed rules alone, where that is not enough |
//! | `body`, `form`, `file` | the request's JSON, form fields, or the text of an uploaded file |
//! | `with` | a header line |
//! | `needs` | an object that the owner has made, and that the row is about |
//! | `look` | where the owner sees whether a write has changed the object |
//! | `early` | the gate refuses before the app is asked, so not in the app's own words |
//! | `endless` | the answer does not end: only its head is read |

use std::net::SocketAddr;

/// Who asks.
pub(super) const COLUMNS: [&str; 6] =
    ["owner", "other user", "other organisation", "admin", "anonymous", "absent id"];

/// One operation.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) request: Request,
    pub(super) needs: Vec<String>,
    pub(super) look: Option<String>,
    pub(super) is_early: bool,
    pub(super) bare: Cells,
    accepted: Option<Cells>,
    pub(super) gated: Cells,
}

/// By column; none where a request makes no sense.
pub(super) type Cells = [Option<Expected>; COLUMNS.len()];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) status: u16,
    /// The object is in the answer, or has changed.
    pub(super) is_touched: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    lines: String,
    body: String,
    pub(super) is_endless: bool,
}

/// All rows of a table.
pub(super) fn rows(text: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let rest = rest.trim();
        if !line.starts_with(' ') {
            let request = Request::new(word, rest);
            let (needs, look, is_early) = (vec![], None, false);
            let (bare, accepted, gated) = ([None; _], None, [None; _]);
            rows.push(Row { request, needs, look, is_early, bare, accepted, gated });
            continue;
        }
        let row = rows.last_mut().expect("a request before its lines");
        match word {
            "bare" => row.bare = cells(rest),
            "accepted" => row.accepted = Some(cells(rest)),
            "gated" => row.gated = cells(rest),
            "both" => (row.bare, row.gated) = (cells(rest), cells(rest)),
            "body" => row.request = row.request.clone().json(rest),
            "form" => row.request = row.request.clone().form(rest),
            "file" => row.request = row.request.clone().file(rest),
            "with" => row.request.lines.extend([rest, "\r\n"]),
            "needs" => row.needs.push(rest.to_owned()),
            "look" => row.look = Some(rest.to_owned()),
            "early" => row.is_early = true,
            "endless" => row.request.is_endless = true,
            _ => panic!("{line:?}"),
        }
    }
    assert!(rows.len() >= 10, "{} rows", rows.len());
    rows
}

fn cells(text: &str) -> Cells {
    let cells: Vec<_> = text.split_whitespace().map(cell).collect();
    cells.try_into().unwrap_or_else(|_| panic!("{text:?} has not {} columns", COLUMNS.len()))
}

fn cell(text: &str) -> Option<Expected> {
    let (status, is_touched) = match text.strip_suffix('-') {
        Some("") => return None,
        Some(status) => (status, false),
        None => (text, text.starts_with('2')),
    };
    Some(Expected { status: status.parse().expect("a status"), is_touched })
}

impl Row {
    /// What the gate answers with the proposed rules alone.
    pub(super) fn accepted(&self) -> &Cells {
        self.accepted.as_ref().unwrap_or(&self.gated)
    }

    /// The objects of a request. The first is the one whose owner asks.
    pub(super) fn objects(&self) -> Vec<String> {
        let Request { target, lines, body, .. } = &self.request;
        let mut names = self.needs.clone();
        for part in [target, lines, body].into_iter().flat_map(|text| text.split('{').skip(1)) {
            let name = part.split(['}', '.']).next().unwrap_or_default();
            let is_name = !matches!(name, "" | "new") && name.bytes().all(|byte| byte.is_ascii_lowercase());
            if is_name && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// Whether the answer may have more in it than the objects of this request.
    pub(super) fn is_list(&self) -> bool {
        !self.needs.is_empty() || self.request.is_endless
    }
}

impl Request {
    pub(super) fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), ..Self::default() }
    }

    pub(super) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(super) fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    pub(super) fn put(target: &str) -> Self {
        Self::new("PUT", target)
    }

    pub(super) fn json(self, body: &str) -> Self {
        self.with_body("application/json", body)
    }

    pub(super) fn form(self, body: &str) -> Self {
        self.with_body("application/x-www-form-urlencoded", body)
    }

    pub(super) fn file(self, text: &str) -> Self {
        let head = "Content-Disposition: form-data; name=\"file\"; filename=\"plan.bin\"";
        let kind = "Content-Type: application/octet-stream";
        let body = format!("--limit\r\n{head}\r\n{kind}\r\n\r\n{text}\r\n--limit--\r\n");
        self.with_body("multipart/form-data; boundary=limit", &body)
    }

    fn with_body(mut self, kind: &str, body: &str) -> Self {
        self.lines.extend(["Content-Type: ", kind, "\r\n"]);
        body.clone_into(&mut self.body);
        self
    }

    pub(super) fn is_write(&self) -> bool {
        !matches!(&*self.method, "GET" | "HEAD")
    }

    /// With ids in place of the names of objects.
    pub(super) fn filled(&self, name: &str, id: &str) -> Self {
        let fill = |text: &str| {
            text.replace(&format!("{{{name}}}"), id)
                .replace(&format!("{{{name}.hex}}"), &id.replace('-', ""))
                .replace(&format!("{{{name}.upper}}"), &id.to_uppercase())
        };
        Self { target: fill(&self.target), lines: fill(&self.lines), body: fill(&self.body), ..self.clone() }
    }

    pub(super) fn text(&self, address: SocketAddr, token: &str) -> String {
        let Self { method, target, lines, body, .. } = self;
        let length =
            if self.is_write() { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
        format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\n{token}{lines}{length}\r\n{body}")
    }
}
