//! The cases in `field/`: small apps and requests, asked of bare uvicorn and through the gate.

mod case;

use std::{
    any::Any,
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use serde_json::Value;

use self::case::{Case, Expected, Gate, Request};
use crate::kit::{Answer, App, Client, Setup, provided};

/// Cases under way at once: each starts the app twice.
const AT_ONCE: usize = 2;

/// What differs between two answers to the same request, wherever they come from.
const NEVER_ALIKE: [&str; 2] = ["date", "server"];

#[test]
fn each_case_is_as_its_file_says() {
    let files = files();
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Relaxed)) {
                    let checked = catch_unwind(AssertUnwindSafe(|| check(file)));
                    if let Err(failure) = checked.unwrap_or_else(|panic| Err(text_of(&*panic))) {
                        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                        eprintln!("field/{name}: {failure}");
                        failures.lock().unwrap().push(name);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    println!("{} cases, {} failed", files.len(), failures.len());
    assert!(failures.is_empty(), "{} of {} cases: {failures:#?}", failures.len(), files.len());
}

/// All cases, or those whose names hold a word of `MANTLET_FIELD`.
fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../field");
    let words = std::env::var("MANTLET_FIELD").unwrap_or_default();
    let is_asked = |file: &Path| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let mut words = words.split_whitespace().peekable();
        name.ends_with(".toml") && (words.peek().is_none() || words.any(|word| name.contains(word)))
    };
    let entries = fs::read_dir(&folder).expect("the folder of cases");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| is_asked(file));
    files.sort();
    assert!(!files.is_empty(), "no case in {} is called {words:?}", folder.display());
    files
}

fn check(file: &Path) -> Result<(), String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    let case: Case = toml::from_str(&text).map_err(|error| error.to_string())?;
    if case.about.is_empty() || case.kind.is_empty() || case.requests.is_empty() {
        return Err("`about`, `kind` and a `[[request]]` must be there".to_owned());
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("main.py"), &case.app).expect("the app is written");
    for (name, content) in &case.files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder.path())).expect("a folder");
        fs::write(path, content).expect("a file is written");
    }

    let (bare, address) = App::of_folder(&provided("MANTLET_TEST_PYTHON"), folder.path(), "main:app");
    let mut alone = Vec::new();
    for request in &case.requests {
        for _ in 0..request.repeat {
            let answer = ask(address, request, true)?;
            agrees(&answer, &request.bare)
                .map_err(|fault| format!("{}: the bare app: {fault}: {}", request.name(), shown(&answer)))?;
            alone.push(answer);
        }
    }
    drop(bare);

    let gateway = Setup::run_in(folder.path(), "main:app", &case.arguments).config(&case.config).start();
    let mut behind = Vec::new();
    let mut bare = alone.iter();
    for request in &case.requests {
        for _ in 0..request.repeat {
            let answer = ask(gateway.addr(), request, false)?;
            let expected = match &request.gate {
                Gate::Other(expected) => agrees(&answer, expected),
                Gate::Word(_) => bare.clone().next().map_or(Ok(()), |bare| is_same(bare, &answer)),
            };
            expected.map_err(|fault| format!("{}: the gate: {fault}: {}", request.name(), shown(&answer)))?;
            behind.push(answer);
            bare.next();
        }
    }
    let records = gateway.end().audit;
    let mut behind = behind.into_iter();
    let mut attributed = 0;
    for request in &case.requests {
        let ids: Vec<_> = behind.by_ref().take(request.repeat).map(|answer| id_of(&answer)).collect();
        attributed +=
            recorded(request, &ids, &records).map_err(|fault| format!("{}: {fault}", request.name()))?;
    }
    if attributed != records.len() {
        return Err(format!("records of no request: {records:#?}"));
    }
    Ok(())
}

fn ask(address: SocketAddr, request: &Request, is_bare: bool) -> Result<Answer, String> {
    let mut client = Client::connect(address);
    if is_bare {
        client.forgive_two_framings();
    }
    // An answer may come before all has been taken.
    client.try_send(request.bytes()?);
    let mut answer = if request.method() == "HEAD" { client.answer_to_head() } else { client.answer() };
    while answer.status < 200 && answer.status != 101 {
        answer = client.answer();
    }
    Ok(answer)
}

fn agrees(answer: &Answer, expected: &Expected) -> Result<(), String> {
    let text = String::from_utf8_lossy(&answer.body);
    if let Some(status) = expected.status.filter(|status| *status != answer.status) {
        return Err(format!("expected the status {status}"));
    }
    if let Some(reason) = &expected.reason {
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if json["code"] != reason.as_str() {
            return Err(format!("expected a refusal for `{reason}`"));
        }
    }
    if let Some(body) = expected.body.as_ref().filter(|body| **body != text) {
        return Err(format!("expected the body {body:?}"));
    }
    if let Some(json) = &expected.json
        && serde_json::from_slice::<Value>(&answer.body).ok().as_ref() != Some(json)
    {
        return Err(format!("expected the JSON {json}"));
    }
    if let Some(part) = expected.has.as_ref().filter(|part| !text.contains(*part)) {
        return Err(format!("expected {part:?} in the body"));
    }
    if let Some(part) = expected.lacks.as_ref().filter(|part| text.contains(*part)) {
        return Err(format!("expected no {part:?} in the body"));
    }
    for (name, value) in &expected.headers {
        if !values(answer, &name.to_ascii_lowercase()).contains(&value.as_str()) {
            return Err(format!("expected the header `{name}: {value}`"));
        }
    }
    for name in &expected.lacks_headers {
        if !values(answer, &name.to_ascii_lowercase()).is_empty() {
            return Err(format!("expected no header `{name}`"));
        }
    }
    Ok(())
}

/// Whether a client sees what it would see without the gate, and perhaps more headers.
fn is_same(bare: &Answer, behind: &Answer) -> Result<(), String> {
    if bare.status != behind.status || bare.body != behind.body {
        return Err(format!("the bare app says {}", shown(bare)));
    }
    for (name, _) in bare.headers.iter().filter(|(name, _)| !NEVER_ALIKE.contains(&name.as_str())) {
        let (before, after) = (values(bare, name), values(behind, name));
        let kept = if name == "vary" || name == "allow" {
            // More may be said to vary, in one line or several; Starlette tells methods in any order.
            let after = after.join(",").to_ascii_lowercase();
            before
                .iter()
                .flat_map(|value| value.split(','))
                .all(|word| after.contains(&word.trim().to_ascii_lowercase()))
        } else {
            before.iter().all(|value| after.contains(value))
        };
        if !kept {
            return Err(format!("the bare app's header `{name}: {}` has not come", before.join(", ")));
        }
    }
    Ok(())
}

fn values<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    answer.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}

/// How many records a request has, if they are those that are expected.
fn recorded(request: &Request, ids: &[String], records: &[Value]) -> Result<usize, String> {
    let of_it =
        |record: &&Value| record["request_id"].as_str().is_some_and(|id| ids.iter().any(|own| own == id));
    let found: Vec<_> = records.iter().filter(of_it).collect();
    let mut expected: Vec<_> = request.records.iter().map(String::as_str).collect();
    let gate = match &request.gate {
        Gate::Other(expected) => Some(expected),
        Gate::Word(_) => None,
    };
    expected.extend(gate.and_then(|gate| gate.reason.as_deref()));
    let mut reasons: Vec<_> =
        found.iter().map(|record| record["reason"].as_str().unwrap_or_default()).collect();
    let alike = if request.repeat > 1 {
        let set =
            |reasons: &[&str]| reasons.iter().map(|reason| (*reason).to_owned()).collect::<BTreeSet<_>>();
        set(&expected) == set(&reasons)
    } else {
        expected.sort_unstable();
        reasons.sort_unstable();
        expected == reasons
    };
    if !alike {
        return Err(format!("expected records of {expected:?}, found {found:#?}"));
    }
    if let Some(remedy) = gate.and_then(|gate| gate.remedy.as_ref())
        && !found.iter().any(|record| record["remedy"].as_str().is_some_and(|line| line.contains(remedy)))
    {
        return Err(format!("expected a record whose remedy has {remedy:?}, found {found:#?}"));
    }
    Ok(found.len())
}

fn id_of(answer: &Answer) -> String {
    answer.header("x-request-id").unwrap_or_default().to_owned()
}

fn shown(answer: &Answer) -> String {
    let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(2000)]).into_owned();
    format!("{} {:?} {body:?}", answer.status, answer.headers)
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
