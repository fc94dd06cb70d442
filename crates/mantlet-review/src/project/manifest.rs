//! What a project asks for: `pyproject.toml`, `Pipfile`, requirements files.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::{
    Project,
    files::{folder_of, is_aside, is_requirements, name_of},
    requirement::{Requirement, normal},
};

/// For what something is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// The app does not run without it.
    Production,
    /// An extra of the project; it may run in production.
    Extra,
    /// Only to work on the app.
    Development,
}

/// What one folder of a project asks for.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    /// The folder, empty for the project's own.
    pub(super) folder: String,
    /// The file that says so.
    pub(super) file: String,
    /// The name of the project, as PEP 503 compares it.
    pub(super) name: Option<String>,
    /// Its version, if it is written there.
    pub(super) version: Option<String>,
    /// What it asks for.
    pub(super) requirements: Vec<(Need, Requirement)>,
    /// What is asked for is not all written there.
    pub(super) is_partial: bool,
    /// Names whose version the project overrides, whatever else is asked for.
    pub(super) overridden: BTreeSet<String>,
    /// The whole document, for the digests of lock files.
    pub(super) document: Option<Table>,
}

/// The manifests of a project: those with no other one in a folder above them.
pub(super) fn all(project: &Project, notes: &mut Vec<String>) -> Vec<Manifest> {
    let mut found = BTreeMap::<String, Manifest>::new();
    for (path, text) in &project.files {
        let folder = folder_of(path);
        if is_aside(folder) || found.contains_key(folder) {
            continue;
        }
        let manifest = match name_of(path) {
            "pyproject.toml" => match text.parse::<Table>() {
                Ok(document) => of_pyproject(document),
                Err(error) => {
                    notes.push(format!("`{path}` is not valid TOML: {}", error.message()));
                    None
                }
            },
            "Pipfile" => text
                .parse::<Table>()
                .map_err(|error| notes.push(format!("`{path}` is not valid TOML: {}", error.message())))
                .ok()
                .map(|document| of_pipfile(&document)),
            "setup.py" => Some(Manifest { is_partial: true, ..Manifest::default() }),
            _ => None,
        };
        if let Some(manifest) = manifest {
            found.insert(
                folder.to_owned(),
                Manifest { folder: folder.to_owned(), file: path.clone(), ..manifest },
            );
        }
    }
    // A requirements file is the manifest where there is no other, or where the other says nothing.
    let requirements: Vec<&String> = project
        .files
        .keys()
        .filter(|path| is_requirements(path) && !is_aside(path) && !is_for_development(path))
        .collect();
    for path in requirements {
        let folder = folder_of(path);
        let folder = folder.strip_suffix("requirements").map_or(folder, |above| above.trim_end_matches('/'));
        let says_nothing = found.get(folder).is_none_or(|other| other.requirements.is_empty());
        if says_nothing {
            let other = found.remove(folder).unwrap_or_default();
            // Their lines are read with the locks.
            let manifest =
                Manifest { folder: folder.to_owned(), file: path.clone(), is_partial: true, ..other };
            found.insert(folder.to_owned(), manifest);
        }
    }
    let folders: Vec<String> = found.keys().cloned().collect();
    let below = |folder: &str, above: &str| {
        folder != above && (above.is_empty() || folder.starts_with(&format!("{above}/")))
    };
    found.retain(|folder, _| !folders.iter().any(|above| below(folder, above)));
    found.into_values().collect()
}

/// Requirements that are not for production, by the name of their file.
pub(super) fn is_for_development(path: &str) -> bool {
    let name = name_of(path).to_ascii_lowercase();
    name.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| {
        matches!(
            word,
            "dev"
                | "develop"
                | "development"
                | "test"
                | "tests"
                | "testing"
                | "doc"
                | "docs"
                | "lint"
                | "ci"
                | "local"
                | "debug"
                | "build"
                | "optional"
        )
    })
}

fn at<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(key))
}

fn table<'a>(document: &'a Table, path: &[&str]) -> Option<&'a Table> {
    at(document, path)?.as_table()
}

/// None: it configures tools, and asks for nothing.
fn of_pyproject(document: Table) -> Option<Manifest> {
    let is_workspace = at(&document, &["tool", "uv", "workspace"]).is_some();
    let project = table(&document, &["project"]);
    let poetry = table(&document, &["tool", "poetry"]);
    if project.is_none() && poetry.is_none() && !is_workspace && !document.contains_key("dependency-groups") {
        return None;
    }
    let mut manifest = Manifest::default();
    let text = |key: &str| [project, poetry].into_iter().flatten().find_map(|table| table.get(key)?.as_str());
    manifest.name = text("name").map(normal);
    manifest.version = text("version").map(str::to_owned);
    let dynamic = project.and_then(|project| project.get("dynamic")?.as_array());
    manifest.is_partial =
        dynamic.is_some_and(|keys| keys.iter().any(|key| key.as_str() == Some("dependencies")));
    let add = |manifest: &mut Manifest, need, list: Option<&Value>| {
        let list = list.and_then(Value::as_array).into_iter().flatten();
        manifest
            .requirements
            .extend(list.filter_map(|line| Some((need, Requirement::parse(line.as_str()?)?))));
    };
    add(&mut manifest, Need::Production, at(&document, &["project", "dependencies"]));
    for (_, extra) in table(&document, &["project", "optional-dependencies"]).into_iter().flatten() {
        add(&mut manifest, Need::Extra, Some(extra));
    }
    for (_, group) in table(&document, &["dependency-groups"]).into_iter().flatten() {
        add(&mut manifest, Need::Development, Some(group));
    }
    add(&mut manifest, Need::Development, at(&document, &["tool", "uv", "dev-dependencies"]));
    for (_, group) in table(&document, &["tool", "pdm", "dev-dependencies"]).into_iter().flatten() {
        add(&mut manifest, Need::Development, Some(group));
    }
    of_poetry(&document, &mut manifest);
    for key in ["override-dependencies", "constraint-dependencies"] {
        let overrides = at(&document, &["tool", "uv", key]).and_then(Value::as_array).into_iter().flatten();
        manifest
            .overridden
            .extend(overrides.filter_map(|line| Some(Requirement::parse(line.as_str()?)?.name)));
    }
    for (name, _) in table(&document, &["tool", "pdm", "resolution", "overrides"]).into_iter().flatten() {
        manifest.overridden.insert(normal(name));
    }
    // What comes from a workspace, a folder or a repository has the version that it has there.
    for (name, _) in table(&document, &["tool", "uv", "sources"]).into_iter().flatten() {
        manifest.overridden.insert(normal(name));
    }
    manifest.document = Some(document);
    Some(manifest)
}

fn of_poetry(document: &Table, manifest: &mut Manifest) {
    let mut add = |need, table: Option<&Table>| {
        for (name, value) in table.into_iter().flatten() {
            if name != "python"
                && let Some((need, requirement)) = poetry_requirement(need, name, value)
            {
                manifest.requirements.push((need, requirement));
            }
        }
    };
    add(Need::Production, table(document, &["tool", "poetry", "dependencies"]));
    add(Need::Development, table(document, &["tool", "poetry", "dev-dependencies"]));
    for (_, group) in table(document, &["tool", "poetry", "group"]).into_iter().flatten() {
        add(Need::Development, group.get("dependencies").and_then(Value::as_table));
    }
    // With `[project]`, Poetry's own table only adds to what is asked for there.
    let both = table(document, &["project"]).is_some_and(|project| project.contains_key("dependencies"));
    if both {
        let asked: BTreeSet<String> =
            manifest.requirements.iter().map(|(_, requirement)| requirement.name.clone()).collect();
        let mut seen = BTreeSet::new();
        manifest.requirements.retain(|(_, requirement)| {
            !asked.contains(&requirement.name) || seen.insert(requirement.name.clone())
        });
    }
}

fn poetry_requirement(need: Need, name: &str, value: &Value) -> Option<(Need, Requirement)> {
    match value {
        Value::String(versions) => Some((need, Requirement::of_poetry(name, versions, false))),
        Value::Table(table) => {
            let conditional = ["markers", "platform", "python"].iter().any(|key| table.contains_key(*key));
            let need =
                if table.get("optional").and_then(Value::as_bool) == Some(true) { Need::Extra } else { need };
            match table.get("version").and_then(Value::as_str) {
                Some(versions) => Some((need, Requirement::of_poetry(name, versions, conditional))),
                None => Some((
                    need,
                    Requirement {
                        name: normal(name),
                        specifiers: None,
                        conditional,
                        url: Some(String::new()),
                    },
                )),
            }
        }
        // Several, each on a condition.
        Value::Array(_) => {
            Some((need, Requirement { name: normal(name), specifiers: None, conditional: true, url: None }))
        }
        _ => None,
    }
}

fn of_pipfile(document: &Table) -> Manifest {
    let mut manifest = Manifest::default();
    for (section, need) in [("packages", Need::Production), ("dev-packages", Need::Development)] {
        for (name, value) in table(document, &[section]).into_iter().flatten() {
            manifest.requirements.extend(poetry_requirement(need, name, value));
        }
    }
    manifest
}
