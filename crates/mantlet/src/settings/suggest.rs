//! What may have been meant by a key that is not known.

use super::key::{Segment, quote};
use super::origin::Origin;
use super::spelling::{did_you_mean, distance, listed, nearest};
use super::tree::{Node, Value};
use super::variable::variable_of;

/// Whether the unknown key at `path` is most likely a slip in one that is known.
pub(super) fn is_meant(path: &[Segment], defaults: &Node, origin: &Origin) -> bool {
    let Some((Segment::Key(name), parents)) = path.split_last() else { return false };
    let all_keys = keys_of(defaults);
    nearest(name, keys_in(defaults, parents).into_iter()).is_some()
        || all_keys.iter().any(|path| path.last() == Some(&name.as_str()))
        || flattened(path, &all_keys, origin).is_some()
}

/// The help for the unknown key at `path`, in the terms of where it was written.
pub(super) fn for_key(path: &[Segment], known: &[&str], defaults: &Node, origin: &Origin) -> Option<String> {
    let Some((Segment::Key(name), parents)) = path.split_last() else { return None };
    if parents.is_empty() && name == "tool" && !is_pyproject(origin) {
        return Some("here the keys stand without `[tool.mantlet]`".to_owned());
    }
    let all_keys = keys_of(defaults);
    let siblings = if known.is_empty() { keys_in(defaults, parents) } else { known.to_vec() };

    let in_place = nearest(name, siblings.iter().copied());
    let is_certain = in_place.is_some_and(|found| distance(name, found) <= 1);
    let place = in_place.filter(|_| is_certain).map(|found| sibling(parents, name, found, origin));
    place
        .or_else(|| elsewhere(name, &all_keys, origin))
        .or_else(|| flattened(path, &all_keys, origin))
        .or_else(|| in_place.map(|found| sibling(parents, name, found, origin)))
        .or_else(|| (!siblings.is_empty()).then(|| format!("known keys: {}", listed(&siblings))))
}

/// Another key of the same table was meant.
fn sibling(parents: &[Segment], name: &str, meant: &str, origin: &Origin) -> String {
    let Origin::Environment(variable) = origin else { return did_you_mean(meant) };
    let names = || parents.iter().filter_map(Segment::name);
    // The variable may set a key below, which stays.
    let rest = variable.strip_prefix(&variable_of(names().chain([name]))).unwrap_or_default();
    did_you_mean(&format!("{}{rest}", variable_of(names().chain([meant]))))
}

/// The key exists, in another table.
fn elsewhere(name: &str, all_keys: &[Vec<&str>], origin: &Origin) -> Option<String> {
    let places: Vec<&Vec<&str>> = all_keys.iter().filter(|path| path.last() == Some(&name)).collect();
    if places.is_empty() || places.len() > 3 {
        return None;
    }
    if matches!(origin, Origin::Environment(_)) {
        let variables: Vec<String> =
            places.iter().map(|path| format!("`{}`", variable_of(path.iter().copied()))).collect();
        return Some(format!("did you mean {}?", variables.join(" or ")));
    }
    let sections: Vec<String> = places.iter().map(|path| section_of(path, origin)).collect();
    Some(format!("`{name}` belongs {}", sections.join(" or ")))
}

/// Separators between levels were mixed up: `limits_head_size` for `limits.head-size`.
fn flattened(path: &[Segment], all_keys: &[Vec<&str>], origin: &Origin) -> Option<String> {
    let flat = path.iter().map(Segment::name).collect::<Option<Vec<_>>>()?.join("-");
    let keys: Vec<String> = all_keys.iter().map(|path| path.join("-")).collect();
    let found = nearest(&flat, keys.iter().map(String::as_str))?;
    let index = keys.iter().position(|key| key == found)?;
    let meant = all_keys.get(index).filter(|meant| meant.len() > 1 || path.len() > 1)?;
    if matches!(origin, Origin::Environment(_)) {
        return Some(did_you_mean(&variable_of(meant.iter().copied())));
    }
    let quoted: Vec<_> = meant.iter().map(|name| quote(name)).collect();
    Some(did_you_mean(&quoted.join(".")))
}

fn section_of(path: &[&str], origin: &Origin) -> String {
    let parents = path.split_last().map_or(&[][..], |(_, parents)| parents);
    let prefix: &[&str] = if is_pyproject(origin) { &["tool", "mantlet"] } else { &[] };
    let names: Vec<_> = prefix.iter().chain(parents).map(|name| quote(name)).collect();
    if names.is_empty() {
        return "at the top of the file, before the first `[…]`".to_owned();
    }
    format!("under `[{}]`", names.join("."))
}

fn is_pyproject(origin: &Origin) -> bool {
    matches!(origin, Origin::File { path, .. } if path.ends_with("pyproject.toml"))
}

/// The names in the table at `path`.
fn keys_in<'a>(root: &'a Node, path: &[Segment]) -> Vec<&'a str> {
    let mut node = root;
    for segment in path {
        let Value::Table(entries) = &node.value else { return Vec::new() };
        let Segment::Key(name) = segment else { return Vec::new() };
        let Some((_, child)) = entries.iter().find(|(key, _)| key == name) else {
            return Vec::new();
        };
        node = child;
    }
    match &node.value {
        Value::Table(entries) => entries.iter().map(|(name, _)| name.as_str()).collect(),
        _ => Vec::new(),
    }
}

/// The paths of all keys that have a default, without those inside of lists.
fn keys_of(root: &Node) -> Vec<Vec<&str>> {
    fn collect<'a>(node: &'a Node, path: &mut Vec<&'a str>, keys: &mut Vec<Vec<&'a str>>) {
        let Value::Table(entries) = &node.value else { return };
        for (name, child) in entries {
            path.push(name);
            keys.push(path.clone());
            collect(child, path, keys);
            path.pop();
        }
    }
    let mut keys = Vec::new();
    collect(root, &mut Vec::new(), &mut keys);
    keys
}
