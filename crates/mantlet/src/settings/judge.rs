//! Finds all mistakes, though the first one ends a reading: it is noted and taken out of the tree,
//! and the rest is read again.

use serde::de::DeserializeOwned;

use super::origin::{Segment, is_secret, key_of};
use super::problem::{Misfit, Problem};
use super::reader::Reader;
use super::tree::{AsText, Node, Value, reaches_into_list};
use super::wording::explain;
use super::{Mistake, Origin, secret, suggest};

/// More are not told: whoever has that many gave the wrong file.
const MOST_MISTAKES: usize = 100;

/// Readings in all. Each one changes the tree, so this is only reached by a tree of that size.
const MOST_READINGS: usize = 10_000;

/// Reads the tree. What was wrong has been added to `mistakes`, and taken out of the tree.
pub(super) fn settle<C: DeserializeOwned>(
    tree: &mut Node,
    defaults: &Node,
    mistakes: &mut Vec<Mistake>,
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
        if mend_silently(tree, &path, &misfit) {
            continue;
        }
        let Some(node) = node_at(tree, &path) else { break };
        let is_known = lost_something(node) && may_be_consequence(&misfit.problem);
        if !is_known {
            mistakes.extend(mistakes_of(&misfit.problem, node, &path, defaults));
        }
        let whole_table_is_wrong =
            matches!(misfit.problem, Problem::UnknownKey { .. } | Problem::Twice { .. });
        if whole_table_is_wrong { node.erase() } else { node.take_out() }
        if path.is_empty() && tree.is_gone() {
            break;
        }
    }
    if mistakes.is_empty() {
        // A type that cannot even be read from nothing; better said than started without.
        let message = "the configuration cannot be read".to_owned();
        mistakes.push(Mistake::about_source(message));
    }
    None
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
    let Some(node) = node_at(tree, path) else { return false };
    if node.origin == Origin::Default && !path.is_empty() {
        node.erase();
        return true;
    }
    let is_about_one_key = matches!(
        misfit.problem,
        Problem::UnknownKey { .. } | Problem::Twice { .. } | Problem::Missing { .. }
    );
    if let (Value::Table(entries), false) = (&mut node.value, is_about_one_key) {
        let all = entries.len();
        entries.retain(|(_, child)| child.origin != Origin::Default || child.is_gone());
        return entries.len() < all && !entries.is_empty();
    }
    false
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
    matches!(problem, Problem::Missing { .. } | Problem::Count { .. } | Problem::Told(_))
}

fn mistakes_of(
    problem: &Problem,
    node: &Node,
    path: &[Segment],
    defaults: &Node,
) -> Vec<Mistake> {
    let mistake_at = |origin: Origin| {
        let is_secret = is_secret(path);
        let (mut message, mut help) = explain(problem, is_secret, &origin);
        let mut key = key_of(path);
        match problem {
            Problem::UnknownKey { known, .. } => {
                help = suggest::for_key(path, known, defaults, &origin);
            }
            Problem::Missing { name } => {
                let mut path = path.to_vec();
                path.push(Segment::Key((*name).to_owned()));
                key = key_of(&path);
            }
            Problem::Told(told) if is_secret && tells(told, node) => {
                message = "this value does not fit (it is not shown)".to_owned();
            }
            _ => {}
        }
        Mistake { key, origin: Some(origin), message, help }
    };
    match problem {
        Problem::UnknownKey { .. } => node.all_origins().into_iter().map(mistake_at).collect(),
        Problem::Mismatch { expected, .. } if is_reach(expected, node) => {
            let names: Vec<&str> = path.iter().filter_map(name_of).collect();
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

fn name_of(segment: &Segment) -> Option<&str> {
    match segment {
        Segment::Key(name) => Some(name),
        Segment::Index(_) => None,
    }
}

/// Whether a type's own message tells a text that is in this node.
fn tells(message: &str, node: &Node) -> bool {
    match &node.value {
        Value::Text(text) => secret::is_told_by(message, text),
        Value::Integer(number) => message.contains(&number.to_string()),
        Value::Float(number) => message.contains(&number.to_string()),
        _ => node.children().any(|(_, child)| tells(message, child)),
    }
}
