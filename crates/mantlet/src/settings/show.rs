//! `mantlet config show`: the effective values as TOML, each with where it came from.

use serde::Serialize;

use super::key::{Segment, is_secret, key_of, quote, text_literal};
use super::origin::Origin;
use super::origins::Origins;
use super::secret::is_reference;
use super::tree::{Node, Value};

/// Comments stand in one column, unless a line is longer than this.
const WIDEST_ALIGNED: usize = 60;

/// A list that would make a longer line is written with one item a line.
const WIDEST_LIST: usize = 90;

pub(super) fn show(config: &impl Serialize, origins: &Origins) -> String {
    written(config, origins, true)
}

/// The same without where the values came from: two configurations that do the same have the same text,
/// unless a secret differs.
pub(super) fn values(config: &impl Serialize, origins: &Origins) -> String {
    written(config, origins, false)
}

fn written(config: &impl Serialize, origins: &Origins, says_origins: bool) -> String {
    let tree = toml::to_string(config).map_err(|error| error.to_string()).and_then(|text| {
        Node::of_text(&text, &|_| Origin::Default).map_err(|_| "it is not valid TOML".to_owned())
    });
    match tree {
        Ok(tree) => {
            let mut sheet = Sheet { origins, says_origins, text: String::new() };
            sheet.table(&tree, &mut Vec::new(), "");
            sheet.text
        }
        Err(error) => format!("# the configuration cannot be shown: {error}\n"),
    }
}

struct Sheet<'a> {
    origins: &'a Origins,
    says_origins: bool,
    text: String,
}

impl Sheet<'_> {
    /// `header` is the line of the table itself: empty at the top.
    fn table(&mut self, node: &Node, path: &mut Vec<Segment>, header: &str) {
        let (tables, leaves): (Vec<_>, Vec<_>) =
            node.children().partition(|(_, child)| is_table(child) || is_list_of_tables(child));

        // `[a]` need not be said where `[a.b]` is, but an item of a list and an empty table must.
        if !header.is_empty() && (!leaves.is_empty() || tables.is_empty() || header.starts_with("[[")) {
            if !self.text.is_empty() {
                self.text.push('\n');
            }
            self.text.push_str(header);
            self.text.push('\n');
        }
        self.leaves(&leaves, path);

        for (segment, child) in tables {
            path.push(segment);
            let name = names_of(path);
            if let Value::List(items) = &child.value {
                for (index, item) in items.iter().enumerate() {
                    path.push(Segment::Index(index));
                    self.table(item, path, &format!("[[{name}]]"));
                    path.pop();
                }
            } else {
                self.table(child, path, &format!("[{name}]"));
            }
            path.pop();
        }
    }

    fn leaves(&mut self, leaves: &[(Segment, &Node)], path: &mut Vec<Segment>) {
        let mut lines = Vec::new();
        for (segment, node) in leaves {
            let Segment::Key(name) = segment else { continue };
            path.push(segment.clone());
            let origin = self.origins.of_value(&key_of(path));
            let line = if is_hidden(node, &origin, path) {
                format!("# {} = (not shown)", quote(name))
            } else {
                format!("{} = {}", quote(name), wrapped(name, node))
            };
            lines.push((line, origin));
            path.pop();
        }
        // The comment on a list over several lines stands beside its name.
        let split = |line: &'_ str| {
            let end = line.find('\n').unwrap_or(line.len());
            (line.chars().take_while(|c| *c != '\n').count(), end)
        };
        let widths = lines.iter().map(|(line, _)| split(line).0);
        let column = widths.filter(|width| *width <= WIDEST_ALIGNED).max().unwrap_or_default();
        for (mut line, origin) in lines {
            let (width, end) = split(&line);
            let padding = column.saturating_sub(width);
            if self.says_origins {
                line.insert_str(end, &format!("{:padding$}  # {origin}", ""));
            }
            self.text.push_str(&line);
            self.text.push('\n');
        }
    }
}

/// A secret that a layer set. A default is none, and a reference tells none.
fn is_hidden(node: &Node, origin: &Origin, path: &[Segment]) -> bool {
    *origin != Origin::Default && is_secret(path) && tells_text(node)
}

fn tells_text(node: &Node) -> bool {
    match &node.value {
        Value::Text(text) => !text.is_empty() && !is_reference(text),
        _ => node.children().any(|(_, child)| tells_text(child)),
    }
}

fn is_table(node: &Node) -> bool {
    matches!(node.value, Value::Table(_))
}

fn is_list_of_tables(node: &Node) -> bool {
    matches!(&node.value, Value::List(items) if !items.is_empty() && items.iter().all(is_table))
}

/// The name of a table in its header, where the items of lists have no number.
fn names_of(path: &[Segment]) -> String {
    path.iter().filter_map(Segment::name).map(quote).collect::<Vec<_>>().join(".")
}

fn wrapped(name: &str, node: &Node) -> String {
    let line = literal(node);
    match &node.value {
        Value::List(items) if name.len() + line.chars().count() > WIDEST_LIST => {
            let items: Vec<String> = items.iter().map(|item| format!("    {},", literal(item))).collect();
            format!("[\n{}\n]", items.join("\n"))
        }
        _ => line,
    }
}

/// A value on one line.
fn literal(node: &Node) -> String {
    match &node.value {
        Value::Gone => text_literal(""),
        Value::Text(text) => text_literal(text),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) if number.is_nan() => "nan".to_owned(),
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Table(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Table(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(name, child)| format!("{} = {}", quote(name), literal(child))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}
