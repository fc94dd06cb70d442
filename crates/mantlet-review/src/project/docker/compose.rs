//! Compose files. Files beside each other are read as one project, so that an override counts.

use serde_json::Value;

use super::{DEFAULT, ROWS, WRITTEN, base::reference, image::Image, parse::Dockerfile};
use crate::{
    finding::{Finding, Place},
    project::{
        Project,
        files::{folder_of, is_aside, is_compose, is_for_development, name_of},
        text::has_word,
        yaml,
    },
    review::Review,
    rule::{Level, Rule, project as rules},
    secret::{self, Judged},
};

/// A service, in one file.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the file, and none depends on another")]
pub(super) struct Service {
    pub(super) file: String,
    pub(super) name: String,
    line: u32,
    image: Option<String>,
    /// The folder that its build sees, below the project's.
    pub(super) context: Option<String>,
    dockerfile: Option<String>,
    pub(super) has_health_check: bool,
    pub(super) runs_as_user: bool,
    is_read_only: bool,
    is_privileged: bool,
    /// Names and values that stand in the file.
    environment: Vec<(String, String, u32)>,
    /// Ports that others can reach.
    published: Vec<String>,
    command: Option<String>,
}

impl Service {
    /// Whether it builds this Dockerfile.
    pub(super) fn builds(&self, path: &str) -> bool {
        self.dockerfile.as_deref() == Some(path)
    }
}

/// The services of all compose files.
pub(super) fn read(project: &Project, review: &mut Review) -> Vec<Service> {
    let mut services = Vec::new();
    for (path, text) in project.files.iter().filter(|(path, _)| is_compose(name_of(path)) && !is_aside(path))
    {
        let document = match yaml::parse(text) {
            Ok(document) => document,
            Err(why) => {
                review.note(format!("`{path}` is not valid YAML: {why}"));
                continue;
            }
        };
        for (name, value) in document.get("services").and_then(Value::as_object).into_iter().flatten() {
            services.push(service(path, text, name, value));
        }
    }
    services
}

fn service(path: &str, text: &str, name: &str, value: &Value) -> Service {
    let line = |keys: &[&str]| yaml::line(text, &[&["services", name], keys].concat());
    let word = |key: &str| value.get(key).and_then(scalar);
    let folder = folder_of(path);
    let build = value.get("build");
    let context = build.map(|build| match build {
        Value::String(context) => context.clone(),
        _ => build.get("context").and_then(scalar).unwrap_or_else(|| ".".to_owned()),
    });
    let context = context.and_then(|context| join(folder, &context));
    let dockerfile = build
        .and_then(|build| build.get("dockerfile"))
        .and_then(scalar)
        .unwrap_or_else(|| "Dockerfile".to_owned());
    let dockerfile = context.as_ref().and_then(|context| join(context, &dockerfile));
    let check = value.get("healthcheck");
    let is_disabled = check.is_some_and(|check| {
        check.get("disable").and_then(Value::as_bool) == Some(true)
            || check.get("test").is_some_and(|test| *test == serde_json::json!(["NONE"]))
    });
    let runs_as_user =
        word("user").is_some_and(|user| !matches!(user.split(':').next(), Some("root" | "0" | "")));
    let environment = match value.get("environment") {
        Some(Value::Object(pairs)) => pairs
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), scalar(value)?, line(&["environment", key]))))
            .collect(),
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(|entry| {
                let (key, value) = entry.as_str()?.split_once('=')?;
                let from = line(&["environment"]);
                Some((key.to_owned(), value.to_owned(), yaml::item(text, from, key)))
            })
            .collect(),
        _ => Vec::new(),
    };
    let command = [value.get("entrypoint"), value.get("command")]
        .into_iter()
        .flatten()
        .filter_map(joined)
        .collect::<Vec<_>>();
    Service {
        file: path.to_owned(),
        name: name.to_owned(),
        line: line(&[]),
        image: word("image"),
        context,
        dockerfile,
        has_health_check: check.is_some() && !is_disabled,
        runs_as_user,
        is_read_only: value.get("read_only").and_then(Value::as_bool) == Some(true),
        is_privileged: value.get("privileged").and_then(Value::as_bool) == Some(true),
        environment,
        published: value
            .get("ports")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(published)
            .collect(),
        command: (!command.is_empty()).then(|| command.join(" ")),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is_true) => Some(is_true.to_string()),
        _ => None,
    }
}

fn joined(value: &Value) -> Option<String> {
    match value {
        Value::Array(words) => Some(words.iter().filter_map(scalar).collect::<Vec<_>>().join(" ")),
        _ => scalar(value),
    }
}

/// A port that other machines can reach, as the file writes it.
fn published(value: &Value) -> Option<String> {
    match value {
        Value::Object(port) => {
            let is_local = port.get("host_ip").and_then(Value::as_str).is_some_and(is_loopback);
            let public = port.get("published").and_then(scalar)?;
            (!is_local).then_some(public)
        }
        _ => scalar(value).filter(|port| !is_loopback(port)),
    }
}

fn is_loopback(port: &str) -> bool {
    ["127.", "localhost:", "localhost", "[::1]", "::1"].iter().any(|start| port.starts_with(start))
}

/// A path below the project's folder; none if it leads out of it, or is a URL.
fn join(folder: &str, path: &str) -> Option<String> {
    if path.contains("://") || path.starts_with('/') || path.contains('$') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Judges the services.
pub(super) fn review(
    project: &Project,
    services: &[Service],
    files: &[(&String, Dockerfile)],
    review: &mut Review,
) {
    // Of one service in several files beside each other, one file is enough to say something.
    let anywhere = |one: &Service, says: fn(&Service) -> bool| {
        services.iter().any(|other| {
            other.name == one.name && folder_of(&other.file) == folder_of(&one.file) && says(other)
        })
    };
    for service in services {
        let is_own = service.dockerfile.is_some();
        let is_aside = is_for_development(name_of(&service.file));
        let finding = |rule: &'static Rule, message: String, line: u32| {
            let place = Place { file: service.file.clone(), line: Some(line) };
            let finding =
                Finding::new(rule, format!("{} ({})", service.name, service.file), message).at(Some(place));
            let level = if is_aside { finding.level.min(Level::Low) } else { finding.level };
            finding.level(level)
        };
        if is_own && !is_aside && !anywhere(service, |other| other.is_read_only) {
            let message = format!("The service `{}` does not set `read_only: true`.", service.name);
            review.found(finding(&rules::WRITABLE_ROOT_FILE_SYSTEM, message, service.line));
        }
        if is_own && service.is_privileged {
            let message = format!("The service `{}` sets `privileged: true`.", service.name);
            review.found(finding(&rules::PRIVILEGED_CONTAINER, message, service.line));
        }
        if let Some(image) = service.image.as_deref().filter(|image| !is_own && !image.contains(['@', '$'])) {
            let (name, tag) = reference(image);
            if tag.is_none_or(|tag| tag == "latest") {
                let message = format!("The service `{}` uses `{image}` without a version.", service.name);
                review.found(
                    finding(&rules::IMAGE_WITHOUT_VERSION, message, service.line)
                        .part(name)
                        .level(Level::Low),
                );
            }
        }
        for (name, value, line) in &service.environment {
            // `${NAME:-value}` has a value even if nothing is set.
            let inner = value
                .strip_prefix("${")
                .and_then(|inner| inner.strip_suffix('}'))
                .and_then(|inner| inner.split_once(":-"))
                .map(|(_, inner)| inner);
            let (what, level) = match secret::judge(name, inner.unwrap_or(value)) {
                Judged::Nothing => continue,
                Judged::Default if is_aside => continue,
                Judged::Default => (DEFAULT, Level::Low),
                Judged::Written => (WRITTEN, Level::Low),
                Judged::Secret("a random value") if is_aside => ("a random value", Level::Low),
                Judged::Secret(what) => (what, Level::High),
            };
            let message = format!("The service `{}` sets `{name}` to {what}.", service.name);
            review.found(finding(&rules::SECRET_IN_COMPOSE, message, *line).part(name).level(level));
        }
    }
    past_the_gate(project, services, files, review);
}

/// A server that others can reach although there is a gate. Shown only if both are in the files.
fn past_the_gate(
    project: &Project,
    services: &[Service],
    files: &[(&String, Dockerfile)],
    review: &mut Review,
) {
    const SERVERS: [&str; 5] = ["uvicorn", "gunicorn", "hypercorn", "granian", "fastapi"];
    let command = |service: &Service| {
        service.command.clone().or_else(|| {
            let (path, file) = files.iter().find(|(path, _)| service.builds(path))?;
            Some(Image::of(project, path, file, Vec::new(), &[]).command())
        })
    };
    let commands: Vec<(&Service, String)> =
        services.iter().filter_map(|service| Some((service, command(service)?))).collect();
    if !commands.iter().any(|(_, command)| has_word(command, "mantlet")) {
        return;
    }
    review.looked(ROWS[0], "services beside the gate", commands.len());
    for (service, command) in commands {
        let server = SERVERS.iter().find(|server| has_word(&command, server));
        let is_open = ["0.0.0.0", "::"].iter().any(|host| command.contains(host));
        let (Some(server), Some(port)) = (server, service.published.first()) else { continue };
        if has_word(&command, "mantlet") || !is_open || is_for_development(name_of(&service.file)) {
            continue;
        }
        let message = format!(
            "The service `{}` runs `{server}` on all addresses and publishes port `{port}`, beside the gate.",
            service.name
        );
        let place = Place { file: service.file.clone(), line: Some(service.line) };
        review.found(
            Finding::new(
                &rules::APP_PUBLISHED_PAST_GATE,
                format!("{} ({})", service.name, service.file),
                message,
            )
            .at(Some(place)),
        );
    }
}
