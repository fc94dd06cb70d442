//! The configuration that closes findings: their texts, put into the one that is there. What stands there keeps its
//! order and its comments.

use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

/// Where the configuration stands in `pyproject.toml`.
const IN_PYPROJECT: [&str; 2] = ["tool", "mantlet"];

/// Why texts cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub String);

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Puts texts of `mantlet.toml` into a configuration.
///
/// A key that is there with another value gets the one of the text: it is why something was found. A list of tables
/// (`[[authorization.own]]`) gets one more, unless it has the same already. A list of values gets those that it
/// lacks.
pub fn merged<'t>(
    configuration: &str,
    is_pyproject: bool,
    texts: impl IntoIterator<Item = &'t str>,
) -> Result<String, Unreadable> {
    let read = |text: &str| text.parse::<DocumentMut>().map_err(|error| Unreadable(error.to_string()));
    let mut whole = read(configuration)?;
    for text in texts {
        let own = read(text)?;
        let mut into: &mut dyn TableLike = whole.as_table_mut();
        if is_pyproject {
            for name in IN_PYPROJECT {
                let item = into.entry(name).or_insert_with(|| {
                    let mut table = Table::new();
                    table.set_implicit(true);
                    Item::Table(table)
                });
                into = item
                    .as_table_like_mut()
                    .ok_or_else(|| Unreadable(format!("`{name}` of pyproject.toml is not a table")))?;
            }
        }
        merge(into, own.as_table());
    }
    Ok(whole.to_string())
}

fn merge(into: &mut dyn TableLike, own: &Table) {
    for (name, item) in own {
        let Some(known) = into.get_mut(name).filter(|known| !known.is_none()) else {
            into.insert(name, placed(item));
            continue;
        };
        match (known, item) {
            (Item::ArrayOfTables(known), Item::ArrayOfTables(own)) => {
                for table in own {
                    // `[[route]]`: what is said of a path stands together.
                    let of_path = |one: &&mut Table| path_of(one).is_some() && path_of(one) == path_of(table);
                    if let Some(same) = known.iter_mut().find(of_path) {
                        merge(same, table);
                    } else if !known.iter().any(|one| says(one) == says(table)) {
                        known.push(apart(table));
                    }
                }
            }
            (known, Item::Table(own)) if known.is_table_like() => {
                if let Some(known) = known.as_table_like_mut() {
                    merge(known, own);
                }
            }
            (Item::Value(known), Item::Value(own)) => put(known, own),
            // A list of tables where inline tables stand, or the other way round: what is proposed counts.
            (known, item) => *known = placed(item),
        }
    }
}

/// Adds what a list lacks; another value takes the place of the one that is there.
fn put(known: &mut Value, own: &Value) {
    if let (Some(known), Some(own)) = (known.as_array_mut(), own.as_array()) {
        for value in own {
            if !known.iter().any(|one| bare(one) == bare(value)) {
                known.push(value.clone());
            }
        }
        return;
    }
    let decor = known.decor().clone();
    *known = own.clone();
    *known.decor_mut() = decor;
}

/// A copy that stands where it is put, not where it stood in its own text.
fn placed(item: &Item) -> Item {
    match item {
        Item::Table(table) => Item::Table(apart(table)),
        Item::ArrayOfTables(tables) => Item::ArrayOfTables(tables.iter().map(apart).collect()),
        other => other.clone(),
    }
}

/// A copy of a table with a line before it.
fn apart(table: &Table) -> Table {
    let mut copy = Table::new();
    *copy.decor_mut() = table.decor().clone();
    copy.set_implicit(table.is_implicit());
    copy.set_dotted(table.is_dotted());
    for (name, item) in table {
        copy.insert(name, placed(item));
        if let (Some(mut key), Some(old)) = (copy.key_mut(name), table.key(name)) {
            *key.leaf_decor_mut() = old.leaf_decor().clone();
        }
    }
    let before = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
    if !before.starts_with('\n') {
        copy.decor_mut().set_prefix(format!("\n{before}"));
    }
    copy
}

/// What an entry is about, if it is about one path with these methods.
fn path_of(table: &Table) -> Option<String> {
    let path = table.get("path")?.as_str()?;
    Some(format!("{path} {}", table.get("methods").map(plain).unwrap_or_default()))
}

/// What a table says, without its comments.
fn says(table: &Table) -> String {
    let mut values: Vec<_> = table.iter().map(|(name, item)| format!("{name}={}", plain(item))).collect();
    values.sort_unstable();
    values.join("\n")
}

fn plain(item: &Item) -> String {
    match item {
        Item::Value(value) => bare(value),
        Item::Table(table) => format!("{{{}}}", says(table)),
        Item::ArrayOfTables(tables) => tables.iter().map(says).collect::<Vec<_>>().join("|"),
        Item::None => String::new(),
    }
}

fn bare(value: &Value) -> String {
    let mut value = value.clone();
    value.decor_mut().clear();
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str =
        "# because\n[[authorization.own]]\npaths = [\"/orders/{id}\"]\nowner = \"response:/user_id\"\n";

    fn put(configuration: &str, texts: &[&str]) -> String {
        let merged = merged(configuration, false, texts.iter().copied()).unwrap();
        // It can be read, and the same texts change nothing more.
        assert_eq!(super::merged(&merged, false, texts.iter().copied()).unwrap(), merged);
        merged
    }

    #[test]
    fn what_is_there_keeps_its_comments_and_its_order() {
        let configuration = "# ours\nlisten = \":8000\" # all\n\n[throttle] # by hand\nrate = \"50/s\" # measured\n\n[cors]\norigins = [\"https://a.example\"] # shop\n";
        let texts = [
            "[throttle]\nrate = \"20/s\"\nburst = 40\n",
            "[host]\nallowed = [\"shop.example\"]\n",
            "[cors]\norigins = [\"https://a.example\", \"https://b.example\"]\n",
            RULE,
        ];
        assert_eq!(
            put(configuration, &texts),
            "# ours\nlisten = \":8000\" # all\n\n[throttle] # by hand\nrate = \"20/s\" # measured\nburst = 40\n\n[cors]\norigins = [\"https://a.example\", \"https://b.example\"] # shop\n\n[host]\nallowed = [\"shop.example\"]\n\n# because\n[[authorization.own]]\npaths = [\"/orders/{id}\"]\nowner = \"response:/user_id\"\n"
        );
    }

    #[test]
    fn a_rule_is_added_once() {
        let other = RULE.replace("/orders/{id}", "/lines/{id}");
        let merged = put(RULE, &[&other, RULE, &other]);
        assert_eq!(merged.matches("[[authorization.own]]").count(), 2, "{merged}");
        assert_eq!(put("", &[RULE]).trim_start(), RULE);
    }

    #[test]
    fn what_is_said_of_a_path_stands_together() {
        let texts = [
            "[[route]]\npath = \"/files\"\nlimits.body-size = \"1 MiB\"\n",
            "[[route]]\npath = \"/files\"\nuploads.file-size = \"1 MiB\"\n",
            "[[route]]\npath = \"/notes\"\nlimits.body-size = \"1 MiB\"\n",
        ];
        let merged = put("", &texts);
        assert_eq!(merged.matches("[[route]]").count(), 2, "{merged}");
        let read: DocumentMut = merged.parse().unwrap();
        assert_eq!(read["route"][0]["uploads"]["file-size"].as_str(), Some("1 MiB"));
        assert_eq!(read["route"][0]["limits"]["body-size"].as_str(), Some("1 MiB"));
    }

    #[test]
    fn pyproject_has_it_below_its_own_name() {
        let project = "[project]\nname = \"shop\" # ours\n\n[tool.ruff]\nline-length = 100\n";
        let text = merged(project, true, ["[throttle]\nrate = \"20/s\"\n", RULE]).unwrap();
        assert!(text.starts_with(project), "{text}");
        let read: DocumentMut = text.parse().unwrap();
        assert_eq!(read["tool"]["mantlet"]["throttle"]["rate"].as_str(), Some("20/s"));
        assert_eq!(
            read["tool"]["mantlet"]["authorization"]["own"][0]["owner"].as_str(),
            Some("response:/user_id")
        );
        assert_eq!(merged(&text, true, ["[throttle]\nrate = \"20/s\"\n", RULE]).unwrap(), text);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert!(merged("listen = ", false, []).unwrap_err().to_string().contains("line 1"));
    }
}
