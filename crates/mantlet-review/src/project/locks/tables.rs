//! Lock files in TOML: uv, Poetry, PDM and `pylock.toml` (PEP 751).
//!
//! Each is read entry by entry: one that is broken is a note, and the others count.

use toml::de::{DeTable, DeValue};

use super::{Artifact, Format, Lock, Locked, Origin};
use crate::project::{
    files::Lines,
    requirement::{Requirement, normal},
};

type Value<'a> = toml::Spanned<DeValue<'a>>;

fn get<'v, 'a>(value: &'v DeValue<'a>, key: &str) -> Option<&'v DeValue<'a>> {
    value.get(key).map(toml::Spanned::get_ref)
}

fn text<'v>(value: &'v DeValue<'_>, key: &str) -> Option<&'v str> {
    get(value, key)?.as_str()
}

fn list<'v, 'a>(value: &'v DeValue<'a>, key: &str) -> impl Iterator<Item = &'v Value<'a>> {
    get(value, key).and_then(DeValue::as_array).into_iter().flat_map(|list| list.iter())
}

fn entries<'v, 'a>(value: &'v DeValue<'a>, key: &str) -> impl Iterator<Item = (&'v str, &'v DeValue<'a>)> {
    let table = get(value, key).and_then(DeValue::as_table);
    table
        .into_iter()
        .flat_map(|table| table.iter())
        .map(|(key, value)| (key.get_ref().as_ref(), value.get_ref()))
}

/// Reads the packages under a key; `more` fills in what the format alone has.
fn read(
    file: &str,
    source: &str,
    format: Format,
    key: &str,
    mut more: impl FnMut(&DeValue<'_>, &mut Locked, &mut Lock),
) -> Lock {
    let mut lock = Lock::of(file, format);
    source.lines().next().unwrap_or_default().clone_into(&mut lock.head);
    let (document, errors) = DeTable::parse_recoverable(source);
    if let Some(error) = errors.first() {
        lock.notes.push(format!("`{file}` is not valid TOML: {}; what could be read was", error.message()));
    }
    let document = DeValue::Table(document.into_inner());
    let lines = Lines::of(source);
    for (at, entry) in list(&document, key).enumerate() {
        let value = entry.get_ref();
        let Some(name) = text(value, "name") else {
            lock.notes.push(format!("`{file}`: package {} has no name and was passed over", at + 1));
            continue;
        };
        let place = value.get("name").map_or_else(|| entry.span().start, |name| name.span().start);
        let mut package = Locked {
            name: normal(name),
            version: text(value, "version").map(str::to_owned),
            line: lines.at(place),
            origin: Origin::Index,
            artifacts: Vec::new(),
            dependencies: Vec::new(),
            for_development: false,
        };
        more(value, &mut package, &mut lock);
        lock.packages.push(package);
    }
    lock.content_hash = get(&document, "metadata")
        .and_then(|metadata| text(metadata, "content-hash").or_else(|| text(metadata, "content_hash")))
        .map(str::to_owned);
    // Before version 2 of its format, Poetry kept all digests in one place.
    for (name, files) in
        get(&document, "metadata").into_iter().flat_map(|metadata| entries(metadata, "files"))
    {
        let name = normal(name);
        for package in lock.packages.iter_mut().filter(|package| package.name == name) {
            let files = files.as_array().into_iter().flat_map(|files| files.iter());
            package.artifacts.extend(files.filter_map(|file| artifact(file.get_ref())));
        }
    }
    lock
}

/// `{ url = "…", hash = "sha256:…" }`, as uv, Poetry and PDM write it.
fn artifact(value: &DeValue<'_>) -> Option<Artifact> {
    let (algorithm, digest) = text(value, "hash")?.split_once(':')?;
    Some(Artifact {
        url: text(value, "url").map(str::to_owned),
        digest: (algorithm.to_owned(), digest.to_owned()),
    })
}

pub(super) fn uv(file: &str, source: &str) -> Lock {
    read(file, source, Format::Uv, "package", |value, package, lock| {
        if let Some(from) = get(value, "source") {
            let folder = ["editable", "virtual", "directory"].iter().find_map(|key| text(from, key));
            let url = ["git", "url", "path"].iter().find_map(|key| text(from, key));
            if let Some(folder) = folder {
                package.origin = Origin::Folder(folder.to_owned());
            } else if let Some(url) = url {
                package.origin = Origin::Url(url.to_owned());
            }
        }
        package.artifacts.extend(get(value, "sdist").and_then(artifact));
        package.artifacts.extend(list(value, "wheels").filter_map(|wheel| artifact(wheel.get_ref())));
        let mut depend = |on: &Value<'_>| {
            if let Some(name) = text(on.get_ref(), "name") {
                package.dependencies.push((normal(name), get(on.get_ref(), "marker").is_some()));
            }
        };
        list(value, "dependencies").for_each(&mut depend);
        for (_, extra) in entries(value, "optional-dependencies") {
            extra.as_array().into_iter().flat_map(|list| list.iter()).for_each(&mut depend);
        }
        if let Some(metadata) = get(value, "metadata") {
            let asked = list(metadata, "requires-dist").filter_map(|asked| {
                let asked = asked.get_ref();
                Some((normal(text(asked, "name")?), text(asked, "specifier").map(str::to_owned)))
            });
            let mut all = std::collections::BTreeMap::<String, Option<String>>::new();
            let mut twice = std::collections::BTreeSet::new();
            for (name, specifier) in asked {
                if all.insert(name.clone(), specifier).is_some() {
                    twice.insert(name);
                }
            }
            // What is asked for twice, on conditions or in extras, has no one specifier.
            for name in twice {
                all.insert(name, None);
            }
            lock.asked.insert(package.name.clone(), all);
        }
    })
}

pub(super) fn poetry(file: &str, source: &str) -> Lock {
    read(file, source, Format::Poetry, "package", |value, package, _| {
        if let Some(from) = get(value, "source") {
            match (text(from, "type"), text(from, "url")) {
                (Some("directory"), Some(folder)) => package.origin = Origin::Folder(folder.to_owned()),
                (Some("git" | "url" | "file"), Some(url)) => package.origin = Origin::Url(url.to_owned()),
                _ => {}
            }
        }
        package.artifacts.extend(list(value, "files").filter_map(|file| artifact(file.get_ref())));
        for (name, on) in entries(value, "dependencies") {
            let conditional = match on {
                DeValue::String(_) => false,
                DeValue::Table(_) => {
                    ["markers", "optional", "python", "platform"].iter().any(|key| get(on, key).is_some())
                }
                _ => true,
            };
            package.dependencies.push((normal(name), conditional));
        }
        let groups: Vec<&str> = list(value, "groups").filter_map(|group| group.get_ref().as_str()).collect();
        package.for_development =
            text(value, "category") == Some("dev") || (!groups.is_empty() && !groups.contains(&"main"));
    })
}

pub(super) fn pdm(file: &str, source: &str) -> Lock {
    read(file, source, Format::Pdm, "package", |value, package, _| {
        if let Some(folder) = text(value, "path") {
            package.origin = Origin::Folder(folder.to_owned());
        } else if let Some(url) = text(value, "git").or_else(|| text(value, "url")) {
            package.origin = Origin::Url(url.to_owned());
        }
        package.artifacts.extend(list(value, "files").filter_map(|file| artifact(file.get_ref())));
        for on in list(value, "dependencies").filter_map(|on| on.get_ref().as_str()) {
            if let Some(on) = Requirement::parse(on) {
                package.dependencies.push((on.name, on.conditional));
            }
        }
        let groups: Vec<&str> = list(value, "groups").filter_map(|group| group.get_ref().as_str()).collect();
        package.for_development = !groups.is_empty()
            && groups
                .iter()
                .all(|group| matches!(*group, "dev" | "test" | "tests" | "lint" | "docs" | "doc"));
    })
}

pub(super) fn pylock(file: &str, source: &str) -> Lock {
    read(file, source, Format::Pylock, "packages", |value, package, _| {
        if let Some(folder) = get(value, "directory").and_then(|from| text(from, "path")) {
            package.origin = Origin::Folder(folder.to_owned());
        } else if let Some(from) = get(value, "vcs").or_else(|| get(value, "archive")) {
            package.origin =
                Origin::Url(text(from, "url").or_else(|| text(from, "path")).unwrap_or_default().to_owned());
        }
        let files = get(value, "sdist").into_iter().chain(list(value, "wheels").map(toml::Spanned::get_ref));
        for file in files.chain(get(value, "archive")) {
            for (algorithm, digest) in entries(file, "hashes") {
                if let Some(digest) = digest.as_str() {
                    let digest = (algorithm.to_owned(), digest.to_owned());
                    package.artifacts.push(Artifact { url: text(file, "url").map(str::to_owned), digest });
                }
            }
        }
        for on in list(value, "dependencies") {
            if let Some(name) = text(on.get_ref(), "name") {
                package.dependencies.push((normal(name), get(on.get_ref(), "marker").is_some()));
            }
        }
    })
}
