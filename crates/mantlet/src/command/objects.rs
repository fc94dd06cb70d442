//! `mantlet objects`: rules about owners, in force and proposed, what traffic says of them, and accepting one.

use std::{fmt::Write as _, fs, path::Path, process::ExitCode};

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;

use super::ask::{Client, print_answer, understood};
use crate::{
    cli::{ObjectsAction, ObjectsArguments, Running},
    config::{Reader, summary},
    say::{Failure, print, say},
};

/// The file that is made if there is none.
const OWN: &str = "mantlet.toml";
const HEAD: &str = "[[authorization.";

#[derive(Deserialize)]
struct Listed {
    contract: bool,
    learning: bool,
    objects: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(rename = "rule")]
    name: String,
    toml: String,
    mode: String,
    counted: Vec<Counted>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Counted {
    operation: String,
    own: u64,
    callers: usize,
    foreign: u64,
    foreign_callers: usize,
    foreign_requests: Vec<String>,
    unclear: u64,
    unclear_callers: usize,
    unclear_why: Option<String>,
    verdict: String,
    enforced: bool,
    enforced_from: Option<Timestamp>,
}

pub(crate) fn objects(arguments: &ObjectsArguments) -> Result<ExitCode, Failure> {
    let ObjectsArguments { action, running } = arguments;
    let answer = Client::of(running)?.ask(Method::GET, &["objects"])?;
    match action {
        None | Some(ObjectsAction::List) => print_answer(answer, running.json, list),
        Some(ObjectsAction::Accept { numbers, enforce }) => {
            accept(&understood(answer)?, numbers, *enforce, running)
        }
    }
}

fn list(Listed { contract, learning, objects }: &Listed) -> String {
    match (contract, objects.is_empty()) {
        (false, true) => say("no contract is in force, so no rules can be proposed"),
        (true, true) => say(
            "no rules are proposed: the app has no tables of SQLAlchemy or SQLModel with an owner that its answers show\n\
             `mantlet contract` says what is known; docs/objects.md says how to write a rule",
        ),
        _ => {}
    }
    let mut text = String::new();
    for rule in objects {
        let _ = writeln!(text, "{}  {}", rule.name, rule.mode);
        let is_counted = *learning || rule.mode != "proposed";
        for counted in rule.counted.iter().filter(|_| is_counted) {
            let _ = writeln!(text, "    {}", counted.told(&rule.mode));
        }
        for line in rule.toml.lines() {
            let _ = writeln!(text, "    {line}");
        }
        text.push('\n');
    }
    let is_proposed = |rule: &Rule| rule.mode == "proposed";
    if !learning && objects.iter().any(|rule| is_proposed(rule) && !rule.counted.is_empty()) {
        say(
            "proposed rules are not compared with the app's answers: write `authorization.learn = true` to see whether traffic confirms them",
        );
    }
    if objects.iter().any(is_proposed) {
        say(
            "accept proposals with `mantlet objects accept NUMBER …`: they report, and with `--enforce` they refuse",
        );
    }
    text
}

impl Counted {
    fn told(&self, mode: &str) -> String {
        let Self { operation, verdict, own, foreign, unclear, .. } = self;
        // What a rule refuses is not counted.
        let mut text = if own + foreign + unclear == 0 {
            format!("{operation}: no answer was compared yet")
        } else if mode == "enforce" || self.enforced {
            format!("{operation}: {own} answers were their callers' own, for {} callers", self.callers)
        } else {
            format!(
                "{operation}: {verdict}: would have refused {} of {} answers (own: {} callers; of others: {} callers)",
                foreign + unclear,
                own + foreign + unclear,
                self.callers,
                self.foreign_callers,
            )
        };
        if let Some(why) = &self.unclear_why {
            let _ = write!(
                text,
                "\n      the owner was not clear in {unclear} answers to {} callers: {why}",
                self.unclear_callers
            );
        }
        if !self.foreign_requests.is_empty() {
            let _ =
                write!(text, "\n      objects of others in requests {}", self.foreign_requests.join(", "));
        }
        if self.enforced {
            text.push_str("\n      enforced, because the posture is strict");
        } else if let Some(from) = &self.enforced_from {
            let _ = write!(text, "\n      will be enforced from {from} on, if nothing contradicts it");
        }
        text
    }
}

impl Rule {
    /// What keeps it from being accepted.
    fn missing(&self) -> Option<&str> {
        self.toml.lines().find_map(|line| line.strip_prefix("# missing: "))
    }

    fn is_doubtful(&self) -> bool {
        self.toml.lines().any(|line| line.starts_with("# doubt: "))
    }
}

impl Listed {
    /// The proposals with these numbers.
    fn numbered<'l>(&'l self, numbers: &'l [String]) -> Result<Vec<&'l Rule>, Failure> {
        let named = numbers.iter().map(|number| {
            let mut proposed = self.proposed();
            let rule = proposed.find(|rule| rule.name == *number).ok_or_else(|| {
                Failure::usage(format!(
                    "`{number}` is not the number of a proposed rule\n`mantlet objects` shows them"
                ))
            })?;
            match rule.missing() {
                None => Ok(rule),
                Some(what) => Err(Failure::usage(format!(
                    "rule {number} is not complete: {what}\ncopy it from `mantlet objects` into the configuration, and add that"
                ))),
            }
        });
        named.collect()
    }

    fn proposed(&self) -> impl Iterator<Item = &Rule> {
        self.objects.iter().filter(|rule| rule.mode == "proposed")
    }
}

/// Names of rules, in a text.
fn names<'r>(rules: impl Iterator<Item = &'r Rule>) -> Option<String> {
    let names: Vec<_> = rules.map(|rule| rule.name.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Writes proposals into the configuration file, if the file is good with them. Of all at once, those that are not
/// complete are left out, and those with a doubt only report.
fn accept(
    listed: &Listed,
    numbers: &[String],
    enforce: bool,
    running: &Running,
) -> Result<ExitCode, Failure> {
    let all = numbers == ["all"];
    let rules = if all {
        listed.proposed().filter(|rule| rule.missing().is_none()).collect()
    } else {
        listed.numbered(numbers)?
    };
    let incomplete = names(listed.proposed().filter(|rule| all && rule.missing().is_some()));
    if rules.is_empty() {
        return Err(Failure::usage(match incomplete {
            Some(names) => {
                format!("no proposed rule is complete ({names})\n`mantlet objects` says what is missing")
            }
            None => "no rules are proposed".to_owned(),
        }));
    }
    let is_enforced_now = |rule: &Rule| enforce && !(all && rule.is_doubtful());
    let reader = Reader::of_file(running.config.clone());
    let loaded =
        reader.load().map_err(|mistakes| Failure::usage(summary(&mistakes, "nothing was written")))?;
    let path = loaded.file.unwrap_or_else(|| OWN.into());
    let before = fs::read_to_string(&path).unwrap_or_default();
    let mut written = String::new();
    for rule in &rules {
        written += joint(&format!("{before}{written}"));
        written += &as_accepted(&rule.toml, is_enforced_now(rule), &path);
        written += "\n";
    }
    let failed = |error: std::io::Error| Failure::new(format!("cannot write `{}`: {error}", path.display()));
    fs::write(&path, format!("{before}{written}")).map_err(failed)?;
    if let Err(mistakes) = reader.read() {
        fs::write(&path, &before).map_err(failed)?;
        return Err(Failure::new(summary(&mistakes, "the file was left as it was")));
    }
    let mode = if rules.iter().any(|rule| is_enforced_now(rule)) { "refuses" } else { "reports" };
    say(format!(
        "added to `{}`; Mantlet {mode} once it has read the file: send it SIGHUP, or restart it",
        path.display()
    ));
    if let Some(names) = names(rules.iter().copied().filter(|rule| enforce && !is_enforced_now(rule))) {
        say(format!(
            "with a `# doubt:`, and so only reported: {names}; to enforce one, look at what it reports and write `mode = \"enforce\"` in its place in the file"
        ));
    }
    if let Some(names) = incomplete {
        say(format!("left out, because something is missing that `mantlet objects` names: {names}"));
    }
    let is_enforced_already = |rule: &&Rule| rule.counted.iter().any(|counted| counted.enforced);
    if rules.iter().copied().filter(|rule| !is_enforced_now(rule)).any(|rule| is_enforced_already(&rule)) {
        say(
            "until then it is enforced, because the posture is strict; with `mode = \"enforce\"` it stays so",
        );
    }
    print(written.trim_start())?;
    Ok(ExitCode::SUCCESS)
}

/// What separates it from what is there.
fn joint(before: &str) -> &'static str {
    match before {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    }
}

/// The lines of a rule, with its mode.
fn as_accepted(toml: &str, enforce: bool, path: &Path) -> String {
    let mode = if enforce { "enforce" } else { "report" };
    let lines = toml.lines().filter(|line| !line.starts_with("mode "));
    let mut text = lines.fold(String::new(), |text, line| text + line + "\n");
    let _ = write!(text, "mode    = \"{mode}\"");
    if path.ends_with("pyproject.toml") {
        text = text.replace(HEAD, "[[tool.mantlet.authorization.");
    }
    text
}
