//! The environment as a layer: `MANTLET_LIMITS__HEAD_SIZE=16KiB` sets `limits.head-size`.

use toml::de::DeValue;

use super::key::Segment;
use super::mistake::Located;
use super::origin::Origin;
use super::sources::Sources;
use super::tree::{AsText, Node, Value};
use super::variable::{LEVEL, PREFIX, part_of};
use super::{spelling, suggest};

/// What flags are called whose settings are called otherwise. Who writes `MANTLET_STRICT=1` means
/// one.
const FLAGS: [(&str, &str); 3] = [
    ("STRICT", "MANTLET_CONTRACT__POSTURE=strict"),
    ("TLS_CERT", "MANTLET_TLS__CERTIFICATE"),
    ("TRUST_DOCUMENT", "MANTLET_CONTRACT__TRUST=document"),
];

/// Lays the variables over the tree, in the order of their names: a table before its keys. Says
/// which of them are ours.
///
/// A variable that resembles a setting is one, and a slip in it a mistake. One that does not is
/// another program's, or of another version, and is only named: it must not keep a gate from
/// starting.
pub(super) fn merge(
    tree: &mut Node,
    (defaults, known): (&Node, &[&str]),
    sources: &Sources<'_>,
    notes: &mut Vec<String>,
    mistakes: &mut Vec<Located>,
) -> Vec<String> {
    let mut referenced = references(tree);
    referenced
        .extend(sources.environment.iter().filter_map(|(_, value)| reference(value)).map(str::to_owned));
    let mut variables: Vec<(&str, &str, &str)> = sources
        .environment
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), name.strip_prefix(PREFIX)?, value.as_str())))
        .collect();
    variables.sort_unstable();

    let (mut own, mut foreign) = (Vec::new(), Vec::new());
    let mut service_links = 0;
    for (name, rest, value) in variables {
        if sources.ignored_variables.contains(&name) || referenced.iter().any(|other| other == name) {
            own.push(name.to_owned());
            continue;
        }
        if is_service_link(rest, value) {
            service_links += 1;
            continue;
        }
        let origin = Origin::Environment(name.to_owned());
        if let Some((_, setting)) = FLAGS.iter().find(|(flag, _)| *flag == rest.to_uppercase()) {
            let mistake = Located::about_source("this is not the name of a setting".to_owned());
            let mistake = mistake.with_help(&format!("did you mean `{setting}`?"));
            mistakes.push(Located { origin: Some(origin), ..mistake });
            continue;
        }
        if !resembles_a_setting(rest, defaults, known, &origin) {
            foreign.push(format!("`{name}`"));
            continue;
        }
        let placed = path_of(rest, tree, &origin).and_then(|path| {
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            tree.place(&names, node_of(value, origin))
        });
        match placed {
            Ok(()) => own.push(name.to_owned()),
            Err(mistake) => mistakes.push(*mistake),
        }
    }
    if service_links > 0 {
        notes.push(format!(
            "{service_links} variables that Kubernetes sets for a Service named `mantlet…` are \
             ignored; `enableServiceLinks: false` in the pod's spec stops them"
        ));
    }
    if !foreign.is_empty() {
        let verb = if foreign.len() == 1 { "is not a setting and is" } else { "are not settings and are" };
        notes.push(format!("{} {verb} not used", foreign.join(", ")));
    }
    own
}

/// Whether a variable's name, without its prefix, is that of a setting, or nearly.
fn resembles_a_setting(rest: &str, defaults: &Node, known: &[&str], origin: &Origin) -> bool {
    // No other program separates its words so.
    if rest.contains(LEVEL) {
        return true;
    }
    let name = rest.to_lowercase().replace('_', "-");
    known.contains(&name.as_str())
        || spelling::nearest(&name, known.iter().copied()).is_some()
        || suggest::is_meant(&[Segment::Key(name)], defaults, origin)
}

/// The names of variables that texts refer to.
pub(super) fn references(node: &Node) -> Vec<String> {
    match &node.value {
        Value::Text(text) => reference(text).map(str::to_owned).into_iter().collect(),
        _ => node.children().flat_map(|(_, child)| references(child)).collect(),
    }
}

fn reference(text: &str) -> Option<&str> {
    text.strip_prefix("env:").filter(|name| !name.is_empty())
}

/// The key that a variable sets, given without its prefix.
fn path_of(rest: &str, tree: &Node, origin: &Origin) -> Result<Vec<String>, Box<Located>> {
    let refused = |message: &str, help: &str| {
        let mistake = Located::about_source(message.to_owned()).with_help(help);
        Err(Box::new(Located { origin: Some(origin.clone()), ..mistake }))
    };
    if rest.chars().any(char::is_lowercase) {
        let help = format!("did you mean `{PREFIX}{}`?", part_of(rest));
        return refused("the name of a variable must be in capitals", &help);
    }
    let parts: Vec<&str> = rest.split(LEVEL).collect();
    if parts.iter().any(|part| part.is_empty() || part.starts_with('_')) {
        let help = "`__` separates two levels of a key, and `_` stands for `-`, as in \
                    `MANTLET_LIMITS__HEAD_SIZE` for `limits.head-size`";
        return refused("this is not the name of a key", help);
    }

    let mut path = Vec::new();
    let mut node = Some(tree);
    for part in parts {
        let known = node.and_then(|node| match &node.value {
            Value::Table(entries) => entries.iter().find(|(name, _)| part_of(name) == part),
            _ => None,
        });
        path.push(known.map_or_else(|| part.to_lowercase().replace('_', "-"), |(name, _)| name.clone()));
        node = known.map(|(_, child)| child);
    }
    Ok(path)
}

/// The value: TOML if it is that, which can still be taken as the plain text; else that text.
fn node_of(value: &str, origin: Origin) -> Node {
    let Ok(parsed) = DeValue::parse(value.trim()) else {
        return Node::new(Value::Text(value.to_owned()), origin);
    };
    let mut node = Node::of_parsed(parsed.into_inner(), 0, &|_| origin.clone());
    node.as_text = AsText::Untried(value.to_owned());
    node
}

/// Kubernetes sets variables such as `MANTLET_SERVICE_HOST` and `MANTLET_PORT=tcp://…` in every
/// pod that shares a namespace with a Service named `mantlet`; Docker's old links do likewise.
fn is_service_link(rest: &str, value: &str) -> bool {
    let has_protocol = ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| rest.contains(protocol));
    !rest.contains(LEVEL)
        && (rest.ends_with("SERVICE_HOST")
            || rest.ends_with("SERVICE_PORT")
            || rest.contains("SERVICE_PORT_")
            || (rest.ends_with("PORT") && value.contains("://"))
            || (rest.contains("PORT_") && has_protocol))
}
