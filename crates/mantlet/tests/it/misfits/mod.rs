//! What real apps do and their documents do not tell: in `compatible` posture, with input enforced, everything is as it is
//! without Mantlet, and what the app decides by itself is named.

mod bodies;
mod documents;
mod paths;
mod running;

use std::borrow::Cow;

use mantlet_contract::model::Contract;
use serde_json::Value;

use crate::kit::{Answer, App, Client, Gateway, Setup, command::Typed};

/// Nothing else differs from the default.
const ENFORCED: &str = "[contract]\ninput = \"enforce\"\n";

const JSON: &str = "Content-Type: application/json\r\n";

/// A request that the app answers with this status.
struct Case {
    method: &'static str,
    target: Cow<'static, str>,
    lines: &'static str,
    body: Cow<'static, [u8]>,
    status: u16,
    told: Told,
}

/// Where one reads of it.
#[derive(Clone, Copy)]
enum Told {
    /// In the load report: at this place, for this reason.
    Load(&'static str, &'static str),
    /// In an audit record: with this reason, about this.
    Audit(&'static str, &'static str),
    /// Nowhere: the contract says exactly what the app does.
    Exact,
}

impl Case {
    fn new(method: &'static str, target: &'static str, status: u16, told: Told) -> Self {
        Self { method, target: target.into(), lines: "", body: Cow::Borrowed(b""), status, told }
    }

    fn body(self, lines: &'static str, body: &'static (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { lines, body: Cow::Borrowed(body.as_ref()), ..self }
    }

    fn ask(&self, client: &mut Client) -> Answer {
        let Self { method, target, lines, body, .. } = self;
        // A length of zero is something else than none.
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{lines}{length}\r\n");
        client.send(head);
        client.send(body);
        client.answer()
    }
}

/// What a client can tell apart.
fn seen(answer: &Answer) -> (u16, Option<&str>, Option<&str>, Option<&str>, Cow<'_, str>) {
    let header = |name| answer.header(name);
    let body = String::from_utf8_lossy(&answer.body);
    (answer.status, header("content-type"), header("location"), header("allow"), body)
}

/// An app as it is, and the same app behind Mantlet.
struct Both {
    app: App,
    gateway: Gateway,
    contract: Contract,
}

impl Both {
    fn of(app: &str) -> Self {
        let gateway = Setup::run(app).config(ENFORCED).start();
        Self { app: App::start(app), gateway, contract: contract(app) }
    }

    /// Sends a request to both. The answers are the same.
    fn same(&self, case: &Case) -> Answer {
        let (bare, behind) =
            (case.ask(&mut self.app.connect()), case.ask(&mut Client::connect(self.gateway.addr())));
        let what = format!("{} {}", case.method, case.target);
        assert_eq!(bare.status, case.status, "{what} without Mantlet: {bare:?}");
        assert_eq!(seen(&bare), seen(&behind), "{what}");
        behind
    }

    /// Sends all to both, in this order. Nothing is refused, and all is told where the cases say.
    fn check(self, cases: &[Case]) {
        for case in cases {
            self.same(case);
        }
        let Self { gateway, contract, .. } = self;
        let records = gateway.end().audit;
        nothing_is_refused(&records);
        for Case { method, target, told, .. } in cases {
            let is_told = match *told {
                Told::Exact => true,
                Told::Load(at, why) => {
                    contract.notes.iter().any(|note| note.at == at && note.why.contains(why))
                }
                Told::Audit(reason, subject) => records.iter().any(|record| {
                    record["reason"] == reason && (record["subject"] == subject || record["path"] == subject)
                }),
            };
            assert!(is_told, "{method} {target} is told nowhere: {:#?}\n{records:#?}", contract.notes);
        }
    }
}

fn nothing_is_refused(records: &[Value]) {
    let refused: Vec<_> = records.iter().filter(|record| record["action"] == "refuse").collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

/// What `mantlet contract` prints of an app in `tests/apps`.
fn contract(app: &str) -> Contract {
    let finished = Typed::mantlet(["contract", app]).among_the_apps().finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    serde_json::from_str(&finished.stdout).expect("a contract")
}
