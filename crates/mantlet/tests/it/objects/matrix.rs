//! Asks what is in a table, and compares.

use std::{fmt, io::Read};

use flate2::read::GzDecoder;
use serde_json::Value;

use super::{
    Clients, NAMES, Object, Subject,
    table::{COLUMNS, Cells, Expected, Request, Row, rows},
};
use crate::kit::{Answer, eventually};

/// The column of those that ask for an id which no object has.
const ABSENT: usize = COLUMNS.len() - 1;

/// What came of one cell.
struct Seen {
    status: u16,
    kind: Option<String>,
    /// Not compressed.
    body: String,
    is_touched: bool,
    /// The answer has the object's secret, wherever.
    is_told: bool,
}

impl Seen {
    /// The number that a list says it has, and the number that it has.
    fn counted(&self) -> Option<[usize; 2]> {
        let json: Value = serde_json::from_str(&self.body).ok()?;
        let count = json.get("count")?.as_u64()?;
        Some([count.try_into().ok()?, json.get("data")?.as_array()?.len()])
    }

    /// What a client compares.
    fn shown(&self) -> (u16, Option<&str>, &str) {
        (self.status, self.kind.as_deref(), &self.body)
    }

    /// The same without what differs in each run.
    fn normal(&self) -> (u16, Option<&str>, String) {
        let lines: Vec<_> = self.body.split('\n').map(normal).collect();
        (self.status, self.kind.as_deref(), lines.join("\n"))
    }
}

/// A line, if it is JSON without its ids and without times.
fn normal(line: &str) -> String {
    fn clean(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(clean),
            Value::Object(members) => {
                members.retain(|name, value| name != "created_at" && !(name == "id" && value.is_number()));
                members.values_mut().for_each(clean);
            }
            Value::String(text) if text.len() == 36 && text.matches('-').count() == 4 => text.clear(),
            _ => {}
        }
    }
    serde_json::from_str(line).map_or_else(
        |_| line.to_owned(),
        |mut value| {
            clean(&mut value);
            value.to_string()
        },
    )
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let touched = if self.is_touched { "the object" } else { "not the object" };
        let body: String = self.body.chars().take(200).collect();
        write!(f, "{}, {touched}: {body}", self.status)
    }
}

/// What came of a row, by column.
type Outcome = [Option<Seen>; COLUMNS.len()];

/// The app alone does what its table says.
pub(super) fn check_bare(subject: &Subject) {
    let home = subject.home();
    let (_app, address) = subject.bare(&home);
    let rows = rows(subject.table);
    let (_, wrong) = walk(subject, &rows, &subject.clients(address), |row| &row.bare);
    assert!(wrong.is_empty(), "{} cells differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// How many cells are not as they are without the gate.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Covered {
    /// By the proposed rules.
    pub(super) by_proposals: usize,
    /// Only with the rules that are written by hand.
    pub(super) by_hand: usize,
}

/// The gate in front of the app does what the table says, with the proposed rules alone and with those that
/// are written by hand, too. So
///
/// 1. what is refused looks in status and body like an id that no object has, with the first request already;
/// 2. what is not refused is as it is without the gate.
pub(super) fn check_gated(subject: &Subject, expected: &Covered) {
    let rows = rows(subject.table);
    let is_changed = |row: &Row, column: usize| row.gated[column] != row.bare[column];
    let cells = || rows.iter().flat_map(|row| (0..COLUMNS.len()).map(move |column| (row, column)));
    let by_hand = cells().filter(|(row, column)| row.accepted()[*column] != row.gated[*column]).count();
    let changed = cells().filter(|(row, column)| is_changed(row, *column)).count();
    let covered = Covered { by_proposals: changed - by_hand, by_hand };
    let asked = cells().filter(|(row, column)| row.gated[*column].is_some()).count();
    println!("{asked} cells, {} unharmed; {covered:?}", asked - changed);
    assert_eq!(covered, *expected);

    let home = subject.home();
    let (app, address) = subject.bare(&home);
    let (alone, wrong) = walk(subject, &rows, &subject.clients(address), |row| &row.bare);
    assert!(wrong.is_empty(), "the app alone:\n{}", wrong.join("\n"));
    drop(app);

    let accepted = subject.accepted();
    compare(subject, &rows, &alone, &accepted, Row::accepted);
    compare(subject, &rows, &alone, &format!("{accepted}\n{}", subject.by_hand), |row| &row.gated);
}

/// Compares what comes of a table behind the gate, with these rules, with what came of it without.
fn compare(subject: &Subject, rows: &[Row], alone: &[Outcome], rules: &str, of: fn(&Row) -> &Cells) {
    let (_home, gateway) = subject.gated(rules);
    let (gated, mut wrong) = walk(subject, rows, &subject.clients(gateway.addr()), of);
    let mut refused = 0;
    for ((row, alone), gated) in rows.iter().zip(alone).zip(&gated) {
        for (column, pair) in alone.iter().zip(gated).enumerate() {
            let (Some(alone), Some(seen)) = pair else { continue };
            if of(row)[column] == row.bare[column] {
                // Who says first that nobody is logged in says it in its own words.
                let is_free = row.is_list() || alone.status == 401 || (row.is_early && column == ABSENT);
                if !is_free && seen.status == alone.status && seen.normal() != alone.normal() {
                    wrong.push(format!("{}: {seen} was without the gate {alone}", named(row, column)));
                }
            } else if let (404, Some(absent)) = (seen.status, &gated[ABSENT]) {
                refused += 1;
                if seen.shown() != absent.shown() {
                    wrong.push(format!("{}: {seen} differs from {absent}", named(row, column)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} cells differ:\n{}\nwith\n{rules}", wrong.len(), wrong.join("\n"));
    assert!(refused > 0);
}

/// Asks for all cells. Returns what came of them, and where that is not what the table says.
fn walk(
    subject: &Subject,
    rows: &[Row],
    clients: &Clients,
    of: impl Fn(&Row) -> &Cells,
) -> (Vec<Outcome>, Vec<String>) {
    let mut wrong = Vec::new();
    let outcomes = rows.iter().map(|row| {
        let mut outcome = [const { None }; COLUMNS.len()];
        for (column, (expected, outcome)) in of(row).iter().zip(&mut outcome).enumerate() {
            let Some(expected) = *expected else { continue };
            let seen = visit(subject, row, clients, column, expected);
            if (seen.status, seen.is_touched) != (expected.status, expected.is_touched) {
                wrong.push(format!("{}: {seen} instead of {expected:?}", named(row, column)));
            } else if seen.is_told && !expected.is_touched {
                wrong.push(format!("{}: the object is in the answer: {seen}", named(row, column)));
            }
            if let Some([count, length]) = seen.counted().filter(|[count, length]| count != length) {
                wrong.push(format!("{}: {length} items, counted as {count}", named(row, column)));
            }
            *outcome = Some(seen);
        }
        outcome
    });
    (outcomes.collect(), wrong)
}

fn named(row: &Row, column: usize) -> String {
    format!("{} {} by {}", row.request.method, row.request.target, COLUMNS[column])
}

fn visit(subject: &Subject, row: &Row, clients: &Clients, column: usize, expected: Expected) -> Seen {
    let names = row.objects();
    let objects: Vec<(&String, Object)> = if column == ABSENT {
        vec![]
    } else {
        names.iter().map(|name| (name, (subject.make)(clients, name))).collect()
    };
    let mut request = row.request.filled("new", &clients.secret());
    let mut look = row.look.as_deref().map(Request::get);
    for name in &names {
        let made = objects.iter().find(|(known, _)| *known == name).map(|(_, object)| object.id.clone());
        let id = made.unwrap_or_else(subject.absent);
        request = request.filled(name, &id);
        look = look.map(|look| look.filled(name, &id));
    }
    let object = objects.first().map(|(_, object)| object);
    let seen_at = look.map(|look| look.target).or_else(|| Some(object?.seen_at.clone()));
    // Of an id that no object has, nothing can be seen.
    let seen_at = seen_at.filter(|_| request.is_write() && column != ABSENT);
    let state = || seen_at.as_ref().map(|target| clients.owner().get(target));

    let before = state();
    let caller = match NAMES.get(column) {
        Some(name) => clients.named(name),
        None if column == ABSENT => clients.owner(),
        None => clients.nobody(),
    };
    let answer = caller.ask(&request);
    let is_done = (answer.status, before.is_some()) == (expected.status, true);
    if is_done && expected.is_touched {
        // The shop answers first and commits then.
        eventually(&format!("{} changes the object", named(row, column)), || {
            (state() != before).then_some(())
        });
    }
    let body = text(&answer);
    let secret = object.map(|object| &*object.secret);
    let is_told = secret
        .is_some_and(|secret| body.contains(secret) || format!("{:?}", answer.headers).contains(secret));
    let is_touched = if request.is_write() {
        if column == ABSENT { expected.is_touched } else { state() != before }
    } else if request.method == "HEAD" && answer.status == 200 {
        expected.is_touched
    } else {
        is_told
    };
    let kind = answer.header("content-type").map(str::to_owned);
    Seen { status: answer.status, kind, body, is_touched, is_told }
}

/// The body, decompressed.
fn text(answer: &Answer) -> String {
    let mut body = answer.body.clone();
    if answer.header("content-encoding") == Some("gzip") {
        body.clear();
        GzDecoder::new(&*answer.body).read_to_end(&mut body).expect("gzip");
    }
    String::from_utf8(body).expect("text")
}
