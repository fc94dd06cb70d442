//! The configuration file: which one it is, and what is in it.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::mistake::Located;
use super::origin::Origin;
use super::sources::Sources;
use super::tree::{Node, Value};

const OWN: &str = "mantlet.toml";
const PYPROJECT: &str = "pyproject.toml";

/// Bytes that a file may have. Far more than a configuration, far less than the memory.
const LARGEST: u64 = 4 * 1024 * 1024;

/// A file that was read.
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) content: Node,
}

/// The one file that counts, if there is one.
pub(super) fn find(
    sources: &Sources<'_>,
    notes: &mut Vec<String>,
    mistakes: &mut Vec<Located>,
) -> Option<File> {
    match find_or_refuse(sources, notes) {
        Ok(file) => file,
        Err(found) => {
            mistakes.extend(found);
            None
        }
    }
}

fn find_or_refuse(sources: &Sources<'_>, notes: &mut Vec<String>) -> Result<Option<File>, Vec<Located>> {
    if let Some(path) = &sources.explicit_file {
        let Some(text) = text_of(path, path)? else {
            let message = format!("there is no file `{}`", path.display());
            return Err(vec![Located::about_source(message)]);
        };
        let content = parse(&text, path)?;
        if !path.ends_with(PYPROJECT) {
            return Ok(Some(File { path: path.clone(), content }));
        }
        let Some(content) = own_table(content)? else {
            let message = format!("`{}` has no table `[tool.mantlet]`", path.display());
            return Err(vec![Located::about_source(message)]);
        };
        return Ok(Some(File { path: path.clone(), content }));
    }

    let path = sources.folder.join(OWN);
    let python_path = sources.folder.join(PYPROJECT);
    if let Some(text) = text_of(&path, Path::new(OWN))? {
        let is_elsewhere_too = || {
            let text = text_of(&python_path, Path::new(PYPROJECT)).ok()??;
            own_table(parse(&text, Path::new(PYPROJECT)).ok()?).ok()?
        };
        if is_elsewhere_too().is_some() {
            notes.push(format!("`[tool.mantlet]` in {PYPROJECT} is ignored, because there is {OWN}"));
        }
        return Ok(Some(File { content: parse(&text, Path::new(OWN))?, path }));
    }

    let shown = Path::new(PYPROJECT);
    let Some(text) = text_of(&python_path, shown)? else { return Ok(None) };
    let content = match parse(&text, shown) {
        Ok(content) => content,
        // Not ours to complain of, if it is not about us.
        Err(_) if !text.contains("mantlet") => {
            notes.push(format!(
                "{PYPROJECT} is not valid TOML; it is ignored, because it does not mention mantlet"
            ));
            return Ok(None);
        }
        Err(mistakes) => return Err(mistakes),
    };
    Ok(own_table(content)?.map(|content| File { path: python_path, content }))
}

/// `[tool.mantlet]`
fn own_table(mut content: Node) -> Result<Option<Node>, Vec<Located>> {
    for name in ["tool", "mantlet"] {
        let Value::Table(entries) = content.value else { return Ok(None) };
        let Some((_, child)) = entries.into_iter().find(|(key, _)| key == name) else {
            return Ok(None);
        };
        content = child;
    }
    match content.value {
        Value::Table(_) => Ok(Some(content)),
        _ => Err(vec![Located {
            key: "tool.mantlet".to_owned(),
            origin: Some(content.origin),
            message: "expected a table".to_owned(),
            help: None,
        }]),
    }
}

/// The text of a file, or nothing if there is no such file.
fn text_of(path: &Path, shown: &Path) -> Result<Option<String>, Vec<Located>> {
    let refused =
        |message: &str| vec![Located::about_source(format!("cannot read `{}`: {message}", shown.display()))];
    let bytes = match bytes_of(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A link to nowhere is not the absence of a configuration.
            return match fs::symlink_metadata(path) {
                Ok(_) => Err(refused("it is a link to a file that does not exist")),
                Err(_) => Ok(None),
            };
        }
        Err(error) => return Err(refused(&error.kind().to_string())),
    };
    if bytes.len() as u64 > LARGEST {
        return Err(refused("it is larger than 4 MiB"));
    }
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        let mistakes = refused("it is encoded as UTF-16");
        return Err(mistakes.into_iter().map(|mistake| mistake.with_help(SAVE_AS)).collect());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(error.as_bytes().get(..valid).unwrap_or_default());
        let (line, column) = Lines::of(&before).position(valid);
        let origin = Origin::File { path: shown.to_owned(), line };
        let mistake = Located::about_source(format!("this is not UTF-8 (column {column})"));
        vec![Located { origin: Some(origin), ..mistake.with_help(SAVE_AS) }]
    })?;
    let text = text.strip_prefix('\u{FEFF}').map(ToOwned::to_owned).unwrap_or(text);
    Ok(Some(text))
}

const SAVE_AS: &str = "save the file as UTF-8";

fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse(text: &str, shown: &Path) -> Result<Node, Vec<Located>> {
    let lines = Lines::of(text);
    let origin_at = |byte| {
        let (line, _) = lines.position(byte);
        Origin::File { path: shown.to_owned(), line }
    };
    Node::of_text(text, &origin_at).map_err(|mut errors| {
        errors.sort_by_key(|error| error.span().map(|span| span.start));
        let mut mistakes: Vec<Located> = Vec::new();
        for error in errors {
            let mut span = error.span().unwrap_or_default();
            if span.is_empty() {
                // Something is missing: after what is there, not before what comes next.
                span = text.get(..span.start).map_or(span.clone(), |before| {
                    let end = before.trim_end().len();
                    end..end
                });
            }
            let origin = Some(origin_at(span.start));
            if mistakes.iter().any(|earlier| earlier.origin == origin) {
                continue;
            }
            let (_, column) = lines.position(span.start);
            let message = syntax(error.message(), text.get(span).unwrap_or_default());
            let mistake = Located::about_source(format!("{message} (column {column})"));
            mistakes.push(Located { origin, ..mistake });
            if hides_the_rest(error.message()) {
                break;
            }
        }
        mistakes
    })
}

/// The parser's message without what only repeats it.
fn syntax(message: &str, at: &str) -> String {
    match message.split_once(", expected ") {
        Some((message, "nothing" | "literal string")) => message.to_owned(),
        None if message == "duplicate key" => format!("the key `{at}` occurs twice"),
        _ => message.to_owned(),
    }
}

/// Whether what the parser says about later lines may only follow from this.
fn hides_the_rest(message: &str) -> bool {
    ["unclosed", "missing comma", "invalid basic string", "invalid literal string", "invalid multi"]
        .iter()
        .any(|start| message.starts_with(start))
}

/// Where the lines of a text begin.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(index, _)| index + 1);
        Self { text, starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// Line and column of a byte, both from 1, columns in characters.
    fn position(&self, byte: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or_default();
        let column = self.text.get(start..byte).map_or(1, |before| before.chars().count() + 1);
        (line, column)
    }
}
