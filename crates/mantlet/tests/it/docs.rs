//! What the documentation shows is true.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use mantlet_controls::{Reason, audit::ACTIONS, reason::EVENTS};

use crate::kit::is_code;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root of the repository")
}

/// The README and all pages.
fn pages() -> Vec<PathBuf> {
    let pages = fs::read_dir(root().join("docs")).expect("docs").map(|entry| entry.expect("an entry").path());
    let mut pages: Vec<_> = pages.filter(|path| path.extension().is_some_and(|kind| kind == "md")).collect();
    pages.push(root().join("README.md"));
    assert!(pages.len() > 5, "{pages:?}");
    pages
}

/// The fenced blocks of a language, each with the line on which it begins.
fn blocks(text: &str, language: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.trim() == format!("```{language}") {
            let block = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```");
            blocks.push((number + 1, block.collect::<Vec<_>>().join("\n")));
        }
    }
    blocks
}

/// What `mantlet config` says of a file.
fn config_says(command: &str, file: &Path) -> Output {
    let mut mantlet = Command::new(env!("CARGO_BIN_EXE_mantlet"));
    mantlet.args(["config", command, "--config"]).arg(file).env_clear();
    // Credentials of systemd that an example names are beside it.
    mantlet.env("CREDENTIALS_DIRECTORY", file.parent().expect("a folder"));
    mantlet.output().expect("mantlet starts")
}

/// Of each thing that is done by default the page says how it is known, and a line that changes it.
#[test]
fn what_is_done_by_default_is_on_one_page() {
    let text = fs::read_to_string(root().join("docs/defaults.md")).expect("the page");
    for reason in Reason::ALL {
        let code = format!("`{}`", reason.code());
        assert_eq!(text.matches(&code).count(), 1, "{code} stands once in docs/defaults.md");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mantlet.toml");
    let shown = |config: &str| {
        fs::write(&file, config).expect("a file");
        let shown = config_says("show", &file);
        let said = String::from_utf8_lossy(&shown.stderr);
        assert!(shown.status.success(), "{config}: {said}");
        let text = String::from_utf8(shown.stdout).expect("text");
        // Without where each value comes from.
        text.lines()
            .map(|line| line.split("  #").next().unwrap_or_default().trim_end().to_owned())
            .collect::<Vec<_>>()
    };
    let by_default = shown("");
    let (mut section, mut lines) = (String::new(), 0);
    for row in text.lines() {
        if let Some(heading) = row.strip_prefix("## ") {
            heading.clone_into(&mut section);
        }
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [what, knowledge, line] = cells[..] else { continue };
        if !row.starts_with("| ") || what == "what" {
            continue;
        }
        assert!(knowledge.len() > 10, "{section}: how it is known: {row}");
        let Some(line) = line.strip_prefix('`').and_then(|line| line.strip_suffix('`')) else {
            assert!(
                line.starts_with("none") && section != "Recorded only",
                "{section}: a line, or none: {row}"
            );
            continue;
        };
        assert_ne!(shown(line), by_default, "{line} changes nothing: {row}");
        lines += 1;
    }
    assert!(lines > 30, "{lines}");
}

/// Each header that is added by default is on the page.
#[test]
fn headers_that_are_added_by_default_are_on_the_page() {
    let text = fs::read_to_string(root().join("docs/defaults.md")).expect("the page");
    let app = crate::kit::App::shared();
    let gateway = crate::kit::Setup::run("recorder:app").by_default().start();
    for path in ["/defaults", "/defaults.html"] {
        let bare = app.connect().get(path);
        let behind = crate::kit::Client::connect(gateway.addr()).get(path);
        let added =
            behind.headers.iter().filter(|(name, _)| !bare.headers.iter().any(|(known, _)| known == name));
        let added: Vec<_> = added.map(|(name, _)| name.as_str()).collect();
        assert!(added.len() > 2, "{added:?}");
        for name in added {
            assert!(
                text.to_ascii_lowercase().contains(&format!("`{name}")),
                "{name} is added and not on the page"
            );
        }
    }
    // FastAPI's own pages and those of an app, with what is only reported to them.
    for (app, path, reports) in [
        ("recorder:app", "/html", true),
        ("recorder:app", "/slow?seconds=0", false),
        ("uploads:app", "/docs", true),
    ] {
        let gateway = crate::kit::Setup::run(app).by_default().start();
        let answer = crate::kit::Client::connect(gateway.addr()).get(path);
        let names = answer.headers.iter().map(|(name, _)| name.to_ascii_lowercase());
        let of_any_app = ["content-type", "content-length", "date", "connection", "keep-alive"];
        let added: Vec<_> = names.filter(|name| !of_any_app.contains(&name.as_str())).collect();
        let is_reported = added.iter().any(|name| name == "cross-origin-opener-policy-report-only");
        assert_eq!((answer.status, is_reported), (200, reports), "{path} {added:?}");
        assert_eq!(added.iter().any(|name| name == "permissions-policy"), !reports, "{path} {added:?}");
        for name in added {
            assert!(
                text.to_ascii_lowercase().contains(&format!("`{name}")),
                "{name} is added to {path} and not on the page"
            );
        }
    }
}

/// What a record tells an operator to write is taken as it is.
#[test]
fn every_remedy_is_valid_configuration() {
    let remedies = mantlet_controls::refusal::remedy::all();
    assert!(remedies.len() > 60, "{remedies:#?}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mantlet.toml");
    for line in remedies {
        assert!(!line.contains('\n'), "{line}");
        fs::write(&file, format!("{line}\n[audit]\nterminal = true\n")).expect("a file");
        let checked = config_says("check", &file);
        assert!(checked.status.success(), "{line}\n{}", String::from_utf8_lossy(&checked.stderr));
    }
}

/// There are no servers with secrets here: what they would give stands in a file.
fn without_servers(block: &str) -> String {
    let mut parts = block.split('"').map(|part| {
        let is_of_server = part.starts_with("vault:") || part.starts_with("aws-sm:");
        if is_of_server { "cred:of-a-server" } else { part }
    });
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "\"" + part)
}

#[test]
fn every_configuration_shown_is_valid() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut found = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        for (line, block) in blocks(&text, "toml") {
            found += 1;
            // What belongs into pyproject.toml is read as that.
            let name = if block.contains("[tool.") { "pyproject.toml" } else { "mantlet.toml" };
            let file = folder.path().join(name);
            let block = without_servers(&block);
            fs::write(&file, &block).expect("a file");
            for name in block.split("\"cred:").skip(1).filter_map(|rest| rest.split('"').next()) {
                fs::write(folder.path().join(name), "a secret\n").expect("a file");
            }
            let checked = config_says("check", &file);
            let said = String::from_utf8_lossy(&checked.stderr);
            assert!(checked.status.success(), "{}:{line}\n{block}\n{said}", page.display());
        }
    }
    assert!(found >= 5, "only {found} blocks were found");
}

#[test]
fn every_reason_is_documented() {
    let page = fs::read_to_string(root().join("docs/reasons.md")).expect("docs/reasons.md");
    let documented: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(code, rest)| (code, rest.chars().take_while(char::is_ascii_digit).collect::<String>()))
        .collect();
    let refusals = Reason::ALL.iter().map(|reason| (reason.code(), Some(reason.status())));
    let events = EVENTS.iter().chain(ACTIONS).map(|code| (*code, None));
    for (code, own_status) in refusals.chain(events) {
        let entries: Vec<_> = documented.iter().filter(|(entry, _)| *entry == code).collect();
        let [(_, status)] = entries.as_slice() else {
            panic!("`{code}` stands {} times in docs/reasons.md", entries.len());
        };
        // Some end a connection, without a status that anybody would see.
        let is_right = own_status.is_some_and(|own_status| *status == own_status.as_str());
        assert!(status.is_empty() || is_right, "{code}: {status}");
    }
    for (code, _) in documented {
        assert!(is_code(code), "`{code}` is documented and does not exist");
    }
}
