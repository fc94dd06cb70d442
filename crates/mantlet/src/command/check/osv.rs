//! Known weaknesses, asked of a service with the API of OSV (<https://google.github.io/osv.dev/api/>): which records
//! there are about packages, and then each record. The names and versions of the locked packages leave this machine, so
//! it is asked only with `--osv`.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use http::Method;
use mantlet_review::{
    client::{Client, Silence, Target},
    exchange::{Answer, Question},
    project::{Record, Source},
};
use serde_json::{Value, json};

use crate::say::Failure;

/// Packages in one question, as the service allows.
const BATCH: usize = 1_000;
/// Pages of one question.
const PAGES: usize = 20;

/// The service.
pub(super) struct Service {
    target: Target,
    /// What could not be read.
    notes: RefCell<Vec<String>>,
}

impl Service {
    pub(super) fn at(url: &str) -> Result<Self, Failure> {
        let target = Target::read(url).map_err(|why| Failure::usage(format!("`--osv`: {why}")))?;
        Ok(Self { target, notes: RefCell::default() })
    }

    async fn records(&self, packages: &[(&str, &str)]) -> Result<Vec<Record>, String> {
        let mut client = Client::new(self.target.clone());
        let mut ids = BTreeSet::new();
        for batch in packages.chunks(BATCH) {
            ids.extend(named(&mut client, batch).await?);
        }
        let mut records = Vec::new();
        for id in ids {
            // An id is a word: it cannot lead elsewhere.
            if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                self.notes.borrow_mut().push(format!("the record `{id}` of the service was not asked for"));
                continue;
            }
            let answer = good(client.ask(&Question::get(format!("/v1/vulns/{id}"))).await)?;
            match answer.as_ref().map_err(Clone::clone).and_then(Record::read) {
                Ok(record) => records.push(record),
                Err(why) => {
                    self.notes
                        .borrow_mut()
                        .push(format!("the record `{id}` of the service cannot be read: {why}"));
                }
            }
        }
        Ok(records)
    }
}

impl Source for Service {
    fn query(&self, packages: &[(&str, &str)]) -> Result<Vec<Record>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let base = self.target.base();
        runtime.block_on(self.records(packages)).map_err(|why| format!("`{base}` was asked, and {why}"))
    }

    fn notes(&self) -> Vec<String> {
        self.notes.borrow().clone()
    }
}

/// The ids of the records about these packages.
async fn named(client: &mut Client, packages: &[(&str, &str)]) -> Result<BTreeSet<String>, String> {
    let mut ids = BTreeSet::new();
    // What is asked, and from which page on.
    let mut pending: BTreeMap<usize, Option<String>> = (0..packages.len()).map(|at| (at, None)).collect();
    for _ in 0..PAGES {
        let queries = pending.iter().filter_map(|(at, page)| {
            let (name, version) = packages.get(*at)?;
            let mut query = json!({"package": {"name": name, "ecosystem": "PyPI"}, "version": version});
            if let (Some(page), Some(query)) = (page, query.as_object_mut()) {
                query.insert("page_token".to_owned(), json!(page));
            }
            Some(query)
        });
        let question = Question::new(Method::POST, "/v1/querybatch")
            .json(&json!({"queries": queries.collect::<Vec<_>>()}));
        let answer = good(client.ask(&question).await)??;
        let results =
            answer.get("results").and_then(Value::as_array).filter(|results| results.len() == pending.len());
        let results = results.ok_or("its answer does not fit the question")?;
        let mut more = BTreeMap::new();
        for ((at, _), result) in pending.iter().zip(results) {
            let found = result.get("vulns").and_then(Value::as_array).into_iter().flatten();
            ids.extend(found.filter_map(|one| one.get("id").and_then(Value::as_str)).map(str::to_owned));
            if let Some(page) =
                result.get("next_page_token").and_then(Value::as_str).filter(|page| !page.is_empty())
            {
                more.insert(*at, Some(page.to_owned()));
            }
        }
        if more.is_empty() {
            return Ok(ids);
        }
        pending = more;
    }
    Err("its answers have no end".to_owned())
}

/// The JSON of a good answer. The service as a whole fails, or only this answer.
fn good(answer: Result<Answer, Silence>) -> Result<Result<Value, String>, String> {
    let answer = answer.map_err(|silence| format!("does not answer: {silence}"))?;
    if !answer.status.is_success() {
        return Err(format!("answered {}", answer.status));
    }
    Ok(answer.json().ok_or_else(|| "it is not JSON, or too long".to_owned()))
}
