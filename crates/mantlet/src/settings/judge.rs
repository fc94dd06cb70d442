//! Finds all mistakes, though the first one ends a reading: it is noted and taken out of the tree,
//! and the rest is read again.

use serde::de::DeserializeOwned;

use super::key::{Segment, is_secret, key_of};
use super::mistake::Located;
use super::origin::Origin;
use super::problem::{Misfit, Problem};
use super::reader::Reader;
use super::tree::{AsText, Node, Value, reaches_into_list};
use super::wording::{explain, is_about_untagged, proposals};
use super::{secret, suggest};

/// More are not told: a file with that many is the wrong one.
const MOST_MISTAKES: usize = 100;

/// Readings in all. Each one changes the tree, so this is only reached by a tree of that size.
const MOST_READINGS: usize = 10_000;

/// Reads the tree. What was wrong has been added to `mistakes`, and taken out of the tree.
pub(super) fn settle<C: DeserializeOwned>(
    tree: &mut Node,
    defaults: &Node,
    mistakes: &mut Vec<Located>,
) -> Option<C> {
    for _ in 0..MOST_READINGS {
        let misfit = match C::deserialize(Reader(tree)) {
            Ok(config) => return Some(config),
            Err(misfit) => misfit,
        };
        if mistakes.len() >= MOST_MISTAKES {
            break;
        }
        let path = place_of(&misfit, tree);
        if matches!(misfit.problem, Problem::Covered { .. }) {
            let Some(node) = node_at(tree, &path) else { break };
            if let Some(covered) = node.covered() {
                mistakes.extend(mistakes_of(&misfit.problem, covered, &path, defaults));
            }
            node.uncover();
            continue;
        }
        if mend_silently(tree, &path, &misfit) {
            continue;
        }
        let Some(node) = node_at(tree, &path) else { break };
        let is_known = lost_something(node) && may_be_consequence(&misfit.problem);
        if !is_known && let Some((meant, found)) = meant::<C>(tree, &path, &misfit.problem, defaults) {
            mistakes.extend(found);
            if let (Some(meant), Some(node)) = (meant, node_at(tree, &path)) {
                // In force from here on, so that what it means is judged too.
                node.value = meant;
                continue;
            }
        }
        let Some(node) = node_at(tree, &path) else { break };
        let is_about_the_key = matches!(misfit.problem, Problem::UnknownKey { .. } | Problem::Twice { .. });
        if is_about_the_key {
            node.erase();
        } else {
            node.take_out();
        }
        if path.is_empty() && tree.is_gone() {
            break;
        }
    }
    if mistakes.is_empty() {
        // A type that cannot even be read from nothing; better said than started without.
        let message = "the configuration cannot be read".to_owned();
        mistakes.push(Located::about_source(message));
    }
    None
}

/// The keys at the top, also those without a default.
pub(super) fn known_keys<C: DeserializeOwned>() -> &'static [&'static str] {
    let unknown = ("no key".to_owned(), Node::new(Value::Boolean(true), Origin::Default));
    let probe = Node::new(Value::Table(vec![unknown]), Origin::Default);
    match C::deserialize(Reader(&probe)) {
        Err(Misfit { problem: Problem::UnknownKey { known, .. }, .. }) => known,
        Ok(_) | Err(_) => &[],
    }
}

/// What was most likely meant, if that would be accepted, and the mistakes that there are.
fn meant<C: DeserializeOwned>(
    tree: &mut Node,
    path: &[Segment],
    problem: &Problem,
    defaults: &Node,
) -> Option<(Option<Value>, Vec<Located>)> {
    let node = node_at(tree, path)?.clone();
    let mut found = mistakes_of(problem, &node, path, defaults);
    // Of a table it may be said what is wrong with one of its values.
    if is_secret(path) || matches!(node.value, Value::Gone | Value::List(_) | Value::Table(_)) {
        return Some((None, found));
    }
    for (value, help) in proposals(problem, &node.origin) {
        match trial::<C>(tree, path, value.clone()) {
            Ok(()) => {
                if let [mistake] = found.as_mut_slice() {
                    mistake.help = help.or(mistake.help.take());
                }
                return Some((Some(value), found));
            }
            // What knows better what it expects says it better.
            Err(Some(Problem::Mismatch { expected, .. })) => {
                if let Problem::Mismatch { found: given, .. } = problem {
                    let narrower = Problem::Mismatch { found: given.clone(), expected };
                    found = mistakes_of(&narrower, &node, path, defaults);
                }
            }
            Err(_) => {}
        }
    }
    Some((None, found))
}

/// Whether a value would be accepted at this place; else what is said of it, if it is about this
/// place alone.
fn trial<C: DeserializeOwned>(tree: &Node, path: &[Segment], value: Value) -> Result<(), Option<Problem>> {
    let mut trial = tree.clone();
    let Some(node) = node_at(&mut trial, path) else { return Err(None) };
    node.value = value;
    node.as_text = AsText::No;
    match C::deserialize(Reader(&trial)) {
        Err(misfit) if misfit.path() == path => Err(Some(misfit.problem)),
        Err(misfit) if misfit.path().starts_with(path) || path.starts_with(&misfit.path()) => Err(None),
        // What is wrong elsewhere comes later.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The path of the node that is to blame, which exists.
fn place_of(misfit: &Misfit, tree: &mut Node) -> Vec<Segment> {
    let mut path = misfit.path();
    // Types that buffer their input, such as tagged enums, say this of the table.
    let name = match &misfit.problem {
        Problem::UnknownKey { name, .. } => Some(name.as_str()),
        Problem::Twice { name } => Some(*name),
        _ => None,
    };
    if let Some(name) = name {
        let segment = Segment::Key(name.to_owned());
        if path.last() != Some(&segment) {
            path.push(segment);
        }
    }
    while node_at(tree, &path).is_none() && path.pop().is_some() {}
    path
}

fn node_at<'a>(tree: &'a mut Node, path: &[Segment]) -> Option<&'a mut Node> {
    path.iter().try_fold(tree, |node, segment| node.child_mut(segment))
}

/// What is not the user's mistake, or not yet: a value that can also be taken as a text, and
/// defaults that do not go with what the user set.
fn mend_silently(tree: &mut Node, path: &[Segment], misfit: &Misfit) -> bool {
    for length in (0..=path.len()).rev() {
        let Some(node) = path.get(..length).and_then(|path| node_at(tree, path)) else { continue };
        match std::mem::replace(&mut node.as_text, AsText::No) {
            AsText::No => {}
            AsText::Untried(text) => {
                let value = std::mem::replace(&mut node.value, Value::Text(text));
                node.as_text = AsText::Trying(Box::new(value));
                return true;
            }
            // Neither fits. The first is what was meant, so it is what is complained of.
            AsText::Trying(value) => {
                node.value = *value;
                return true;
            }
        }
    }
    if node_at(tree, path).is_some_and(|node| node.origin == Origin::Default) {
        return forget_default(tree, path);
    }
    // Of an untagged enum it is not known which default does not go with what the user set.
    let is_untagged = matches!(&misfit.problem, Problem::Told(told) if is_about_untagged(told));
    if let (true, Some(Value::Table(entries))) =
        (is_untagged, node_at(tree, path).map(|node| &mut node.value))
    {
        let all = entries.len();
        entries.retain(|(_, child)| child.origin != Origin::Default);
        return entries.len() < all;
    }
    false
}

/// Leaves the innermost key on the path to the default of its type. It leaves no trace: what is
/// `Gone` has been complained of.
fn forget_default(tree: &mut Node, path: &[Segment]) -> bool {
    let Some(index) = path.iter().rposition(|segment| segment.name().is_some()) else {
        return false;
    };
    let (parents, name) = (path.get(..index).unwrap_or_default(), path.get(index).and_then(Segment::name));
    let (Some(parent), Some(name)) = (node_at(tree, parents), name) else { return false };
    let Value::Table(entries) = &mut parent.value else { return false };
    entries.retain(|(key, _)| key != name);
    true
}

/// Whether something was taken out of this node: it has been complained of already.
fn lost_something(node: &Node) -> bool {
    match &node.value {
        Value::Gone => true,
        Value::List(items) => items.iter().any(lost_something),
        Value::Table(entries) => entries.iter().any(|(_, child)| lost_something(child)),
        _ => false,
    }
}

fn may_be_consequence(problem: &Problem) -> bool {
    !matches!(problem, Problem::UnknownKey { .. } | Problem::Twice { .. })
}

fn mistakes_of(problem: &Problem, node: &Node, path: &[Segment], defaults: &Node) -> Vec<Located> {
    let mistake_at = |origin: Origin| {
        let (mut message, mut help) = explain(problem, is_secret(path), &origin);
        if tells_secret(&message, node, &mut path.to_vec()) {
            (message, help) = explain(problem, true, &origin);
        }
        if tells_secret(&message, node, &mut path.to_vec()) {
            (message, help) = (String::from("this value does not fit (it is not shown)"), None);
        }
        let mut key = key_of(path);
        match problem {
            Problem::UnknownKey { name, known } if path.last().and_then(Segment::name) == Some(name) => {
                help = suggest::for_key(path, known, defaults, &origin);
            }
            Problem::Missing { name } => {
                let mut path = path.to_vec();
                path.push(Segment::Key((*name).to_owned()));
                key = key_of(&path);
            }
            _ => {}
        }
        Located { key, origin: Some(origin), message, help }
    };
    match problem {
        Problem::UnknownKey { .. } => node.all_origins().into_iter().map(mistake_at).collect(),
        Problem::Mismatch { expected, .. } if is_reach(expected, node) => {
            let names: Vec<&str> = path.iter().filter_map(Segment::name).collect();
            node.all_origins().into_iter().map(|origin| reaches_into_list(&names, origin)).collect()
        }
        _ => vec![mistake_at(node.origin.clone())],
    }
}

/// Whether a variable or flag made a table where there should be a list.
fn is_reach(expected: &str, node: &Node) -> bool {
    expected == "a sequence"
        && matches!(node.value, Value::Table(_))
        && matches!(node.origin, Origin::Environment(_) | Origin::Flag(_))
}

/// Whether a message tells a secret that is in this node. A type may know no better, and one that
/// buffers its input says of the whole table what is wrong with one of its values.
fn tells_secret(message: &str, node: &Node, path: &mut Vec<Segment>) -> bool {
    let is_told = |value: &str| secret::is_told_by(message, value);
    match &node.value {
        Value::Text(text) => is_secret(path) && is_told(text),
        Value::Integer(number) => is_secret(path) && is_told(&number.to_string()),
        Value::Float(number) => is_secret(path) && is_told(&format!("{number:?}")),
        _ => node.children().any(|(segment, child)| {
            path.push(segment);
            let tells = tells_secret(message, child, path);
            path.pop();
            tells
        }),
    }
}
