//! Known weaknesses, by real records.

use std::{io::Write as _, path::Path};

use mantlet_review::{
    Level, Review,
    project::{Database, Project, Record, Source},
    review::Row,
    rule::Practice,
};
use tempfile::TempDir;

use crate::kit::{fixture, folder, judge, told};

/// A project whose lock has these versions.
fn project(packages: &[(&str, &str)]) -> TempDir {
    let lines: Vec<String> =
        packages.iter().map(|(name, version)| format!("{name}=={version} --hash=sha256:00")).collect();
    folder(&[("requirements.txt", &lines.join("\n"))])
}

fn against(packages: &[(&str, &str)], database: Database) -> Review {
    judge(&Project::read(project(packages).path()).with_advisories(database))
}

fn weaknesses(review: &Review) -> Vec<String> {
    told(review).into_iter().filter(|line| line.starts_with("vulnerable-dependency ")).collect()
}

fn records() -> Database {
    Database::read(&fixture("osv/records")).unwrap()
}

#[test]
fn hits_and_misses_of_real_records() {
    let hits = [
        ("jinja2", "3.1.2", "medium", "CVE-2024-22195"),
        ("Jinja2", "2.11.3", "medium", "CVE-2024-22195"),
        ("jinja2", "3.1.3rc1", "medium", "CVE-2024-22195"),
        ("ecdsa", "0.18.0", "high", "CVE-2024-23342"),
        ("ecdsa", "0.18", "high", "CVE-2024-23342"),
        ("starlette", "0.13.5", "low", "GHSA-v5gw-mw7f-84px"),
        ("starlette", "0.26.1", "low", "GHSA-v5gw-mw7f-84px"),
        ("pyjwt", "2.3.0", "high", "CVE-2022-29217"),
        ("PyJWT", "2.0.0a1", "high", "CVE-2022-29217"),
        ("python_multipart", "0.0.6", "high", "CVE-2024-24762"),
        ("fastapi", "0.109.0", "low", "CVE-2024-24762"),
        ("tool", "1!1.0", "critical", "TEST-limit"),
        ("tool", "1!2.9.post1", "critical", "TEST-limit"),
        ("fastapl", "0.1.0", "critical", "MAL-2024-TEST"),
    ];
    for (name, version, level, id) in hits {
        let normal = name.to_lowercase().replace('_', "-");
        let found = weaknesses(&against(&[(name, version)], records()));
        assert_eq!(
            found,
            [format!("vulnerable-dependency {level} {normal} {version} [{id}] requirements.txt:1")]
        );
    }
    for (name, version) in [
        ("jinja2", "3.1.3"),
        ("jinja2", "3.1.3.post1"),
        ("jinja2", "1!0.1"),
        ("ecdsa", "0.18.0.post1"),
        ("ecdsa", "0.18.0+local"),
        ("ecdsa", "0.19.0"),
        ("starlette", "0.13.4"),
        ("starlette", "0.13.5rc1"),
        ("starlette", "0.27.0"),
        ("pyjwt", "1.4.2"),
        ("pyjwt", "2.4.0"),
        ("python-multipart", "0.0.7"),
        ("fastapi", "0.109.1"),
        ("tool", "1!3.0"),
        ("tool", "2.0"),
        ("fastapl", "0.1.1"),
        ("unknown", "1.0"),
    ] {
        let found = weaknesses(&against(&[(name, version)], records()));
        assert_eq!(found, Vec::<String>::new(), "{name} {version}");
    }
}

#[test]
fn a_finding_says_what_to_do() {
    let review = against(&[("anyio", "4.0"), ("pyjwt", "2.3.0")], records());
    let findings = review.findings();
    let finding = findings.iter().find(|one| one.rule.id == "vulnerable-dependency").unwrap();
    // Two databases tell of it, and it is one weakness.
    assert_eq!(
        finding.message,
        "`pyjwt 2.3.0` has the known weakness CVE-2022-29217 (GHSA-ffqj-6fqr-9h24, PYSEC-2022-202): Key confusion through non-blocklisted public key formats."
    );
    assert_eq!(finding.place.as_ref().unwrap().line, Some(2));
    let text = serde_json::to_string(finding).unwrap();
    assert!(text.contains("Update `pyjwt` to 2.4.0 or later"), "{text}");
    assert!(
        text.contains("GHSA-ffqj-6fqr-9h24, severity 7.4 (CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:N)"),
        "{text}"
    );
    let review = against(&[("ecdsa", "0.18.0")], records());
    assert!(serde_json::to_string(review.findings()[0]).unwrap().contains("No version without it is known"));
}

#[test]
fn broken_records_are_notes_and_stop_nothing() {
    let review = against(&[("jinja2", "3.1.2")], records());
    assert_eq!(weaknesses(&review).len(), 1);
    let notes = review.notes().join("\n");
    for (record, why) in [
        ("broken-json.json", "not valid JSON"),
        ("broken-no-id.json", "no `id`"),
        ("broken-affected.json", "`affected` is not a list"),
        ("broken-events.json", "`introduced` is not a text"),
        ("broken-text.json: record 1", "no `id`"),
        ("TEST-version", "`not a version` does not follow PEP 440"),
    ] {
        assert!(notes.lines().any(|note| note.contains(record) && note.contains(why)), "{record}: {notes}");
    }
    assert_eq!(review.notes().len(), 8, "{notes}");
}

#[test]
fn what_is_only_for_development_is_a_hint() {
    let pyproject =
        "[project]\nname = \"x\"\ndependencies = [\"starlette\"]\n[dependency-groups]\ndev = [\"tool\"]\n";
    let package = |name: &str, version: &str, on: &str| {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = {{ registry = \"r\" }}\ndependencies = [{on}]\nsdist = {{ url = \"u\", hash = \"sha256:00\" }}\n\n"
        )
    };
    let lock = [
        package("starlette", "0.30", "{ name = \"jinja2\" }"),
        package("jinja2", "3.1.2", ""),
        package("tool", "1!2.0", "{ name = \"pyjwt\" }, { name = \"jinja2\" }, { name = \"fastapl\" }"),
        package("pyjwt", "2.3.0", ""),
        package("fastapl", "0.1.0", ""),
    ];
    let folder = folder(&[("pyproject.toml", pyproject), ("uv.lock", &lock.concat())]);
    let review = judge(&Project::read(folder.path()).with_advisories(records()));
    let levels: Vec<String> = weaknesses(&review)
        .iter()
        .map(|line| line.split(' ').skip(1).take(2).collect::<Vec<_>>().join(" "))
        .collect();
    // One that was published to do harm does it where it is installed.
    assert_eq!(levels, ["critical fastapl", "medium jinja2", "low pyjwt", "low tool"]);
}

#[test]
fn a_zip_a_list_and_an_answer_are_databases() {
    let folder = tempfile::tempdir().unwrap();
    let record = std::fs::read_to_string(fixture("osv/records/GHSA-h5c8-rqwp-cp95.json")).unwrap();
    let path = folder.path().join("all.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (name, text) in
        [("GHSA-h5c8-rqwp-cp95.json", record.as_str()), ("broken.json", "{"), ("README", "no record")]
    {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    let list = folder.path().join("list.json");
    std::fs::write(&list, format!("[{record}, {{\"id\": 1}}]")).unwrap();
    let answer = folder.path().join("answer.json");
    std::fs::write(&answer, format!("{{\"vulns\": [{record}]}}")).unwrap();
    for path in [&path, &list, &answer] {
        let database = Database::read(path).unwrap();
        assert_eq!(database.len(), 1);
        assert_eq!(weaknesses(&against(&[("jinja2", "3.1.2")], database)).len(), 1, "{}", path.display());
    }
}

#[test]
fn a_database_that_is_none_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    assert_eq!(Database::read(folder.path()).unwrap_err(), "there is no advisory in it");
    assert!(Database::read(&path("x.zip", "not a zip")).unwrap_err().contains("ZIP"));
    assert!(Database::read(&path("x.json", "not json")).unwrap_err().contains("not valid JSON"));
    assert!(Database::read(Path::new("/does/not/exist")).is_err());
}

/// A service that cannot be reached, and one that answers about more than it was asked.
struct Service(Result<Vec<Record>, String>);

impl Source for Service {
    fn query(&self, packages: &[(&str, &str)]) -> Result<Vec<Record>, String> {
        assert_eq!(packages, [("jinja2", "3.1.2"), ("pyjwt", "2.4.0")]);
        self.0.clone()
    }
}

#[test]
fn a_service_may_be_asked_instead() {
    let read = |name: &str| {
        let text = std::fs::read_to_string(fixture(&format!("osv/records/{name}.json"))).unwrap();
        Record::read(&serde_json::from_str(&text).unwrap()).unwrap()
    };
    let folder = project(&[("pyjwt", "2.4.0"), ("jinja2", "3.1.2")]);
    let answer = Service(Ok(vec![read("GHSA-h5c8-rqwp-cp95"), read("GHSA-ffqj-6fqr-9h24")]));
    let review = judge(&Project::read(folder.path()).with_advisories(answer));
    assert_eq!(weaknesses(&review).len(), 1);
    let silent = Service(Err("the service did not answer".to_owned()));
    let review = judge(&Project::read(folder.path()).with_advisories(silent));
    assert_eq!(weaknesses(&review).len(), 0);
    let unjudged = review.row(Row::Practice(Practice::Dependencies)).unjudged;
    assert!(unjudged.iter().any(|why| why.contains("the service did not answer")), "{unjudged:?}");
    // Without a source, the row says so, too.
    let review = crate::kit::review(folder.path());
    let unjudged = review.row(Row::Practice(Practice::Dependencies)).unjudged;
    assert!(unjudged.iter().any(|why| why.contains("--osv-db")), "{unjudged:?}");
    assert_eq!(review.at_least(Level::Medium), 0);
}
