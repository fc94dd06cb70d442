//! Texts with placeholders: ours, or those of an operator's folder.
//!
//! Values are put into parsed texts, never into text that is parsed afterwards, so a value cannot be a placeholder. In HTML
//! they are escaped; in a subject they have no control characters.

use std::{collections::HashMap, fs, io, path::Path};

use mantlet_accounts::outbox::Kind;

use crate::{
    fault::Unusable,
    words::{KINDS, ours},
};

/// What may stand in braces.
const NAMES: [&str; 6] = ["app", "link", "until", "address", "other_address", "left"];

/// The texts of all kinds of mail.
#[derive(Debug)]
pub struct Templates {
    of: HashMap<String, Template>,
    ours: HashMap<String, Template>,
}

#[derive(Debug)]
struct Template {
    subject: Text,
    text: Text,
    html: Text,
}

/// A mail in words.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// What is put into a template. What a mail does not have is empty.
#[derive(Debug, Default)]
pub(crate) struct Values {
    pub(crate) app: String,
    pub(crate) link: String,
    pub(crate) until: String,
    pub(crate) address: String,
    pub(crate) other_address: String,
    pub(crate) left: String,
}

impl Templates {
    /// Ours.
    pub fn ours() -> Self {
        let read = |kind: Kind| {
            let template = Template::read(kind, "", ours(kind), None).ok()?;
            Some((kind.name(), template))
        };
        Self { of: HashMap::new(), ours: KINDS.into_iter().filter_map(read).collect() }
    }

    /// Those of a folder, as in `mail/de`: `reset.txt` with `Subject: …` in its first line, and `reset.html`. Without the
    /// second the HTML is made of the first. Where there is neither, the mail is ours.
    pub fn load(folder: &Path) -> Result<Self, Unusable> {
        let mut templates = Self::ours();
        let unreadable = |path: &Path, error: &io::Error| {
            Unusable(format!("`{}` cannot be read: {error}", path.display()))
        };
        for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
            let path = entry.map_err(|error| unreadable(folder, &error))?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let is_ours = matches!(path.extension().and_then(|end| end.to_str()), Some("txt" | "html"));
            if is_ours && !KINDS.iter().any(|kind| kind.name() == stem) {
                let names: Vec<_> = KINDS.iter().map(|kind| kind.name()).collect();
                return Err(Unusable(format!(
                    "`{}`: there is no mail with this name; they are {}",
                    path.display(),
                    names.join(", ")
                )));
            }
        }
        let maybe = |path: &Path| match fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(path, &error)),
        };
        for kind in KINDS {
            let path = folder.join(format!("{}.txt", kind.name()));
            let html = maybe(&path.with_extension("html"))?;
            let Some(text) = maybe(&path)? else {
                if html.is_some() {
                    return Err(Unusable(format!(
                        "`{}` is missing: a mail needs its text beside its HTML, and the text has the subject",
                        path.display()
                    )));
                }
                continue;
            };
            let template = Template::read(kind, &path.display().to_string(), &text, html.as_deref())?;
            templates.of.insert(kind.name(), template);
        }
        Ok(templates)
    }

    /// Writes a mail.
    pub(crate) fn write(&self, kind: Kind, values: &Values) -> Option<Written> {
        let name = kind.name();
        let Template { subject, text, html } = self.of.get(&name).or_else(|| self.ours.get(&name))?;
        let visible = |value: &str| value.chars().filter(|c| !c.is_control()).collect();
        Some(Written {
            subject: subject.fill(values, visible),
            text: text.fill(values, visible),
            html: html.fill(values, |value| escape(&visible(value))),
        })
    }
}

impl Template {
    fn read(kind: Kind, file: &str, text: &str, html: Option<&str>) -> Result<Self, Unusable> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
        let subject = text.lines().next().and_then(|line| line.strip_prefix("Subject:")).map(str::trim);
        let Some(subject) = subject.filter(|subject| !subject.is_empty()) else {
            return Err(Unusable(format!(
                "`{file}`: the first line has to be the subject, as in `Subject: Hello`"
            )));
        };
        let body = text.split_once('\n').map_or("", |(_, body)| body).trim_start_matches('\n');
        let html_file =
            file.strip_suffix("txt").map_or_else(|| file.to_owned(), |start| format!("{start}html"));
        let template = Self {
            subject: Text::read(file, subject)?,
            text: Text::read(file, body)?,
            html: match html {
                Some(html) => Text::read(&html_file, html)?,
                None => Text::read(file, &html_of(body))?,
            },
        };
        for (file, text) in [(file, &template.text), (html_file.as_str(), &template.html)] {
            if needs_link(kind) && !text.has("link") {
                return Err(Unusable(format!(
                    "`{file}`: this mail is sent for its link; write `{{link}}` into it"
                )));
            }
        }
        Ok(template)
    }
}

/// Whether a mail is of no use without its link.
fn needs_link(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Verify | Kind::RegisteredAlready | Kind::Reset | Kind::ConfirmAddress | Kind::AddressChanged
    )
}

/// Text and placeholders, in turn.
#[derive(Debug)]
struct Text(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Words(String),
    Value(&'static str),
}

impl Text {
    /// A placeholder is a word in braces. Other braces, as in a style sheet, are text.
    fn read(file: &str, mut rest: &str) -> Result<Self, Unusable> {
        let mut pieces = Vec::new();
        while let Some((before, after)) = rest.split_once('{') {
            pieces.push(Piece::Words(before.to_owned()));
            rest = after;
            let word = after.split_once('}').filter(|(word, _)| {
                !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
            });
            let Some((word, after)) = word else {
                pieces.push(Piece::Words("{".to_owned()));
                continue;
            };
            let Some(name) = NAMES.into_iter().find(|name| *name == word) else {
                let names = NAMES.map(|name| format!("`{{{name}}}`")).join(", ");
                return Err(Unusable(format!(
                    "`{file}`: there is no placeholder `{{{word}}}`; they are {names}"
                )));
            };
            pieces.push(Piece::Value(name));
            rest = after;
        }
        pieces.push(Piece::Words(rest.to_owned()));
        Ok(Self(pieces))
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Value(value) if *value == name))
    }

    fn fill(&self, values: &Values, put: impl Fn(&str) -> String) -> String {
        let fill = |piece: &Piece| match piece {
            Piece::Words(words) => words.clone(),
            Piece::Value(name) => put(values.get(name)),
        };
        self.0.iter().map(fill).collect()
    }
}

impl Values {
    fn get(&self, name: &str) -> &str {
        match name {
            "app" => &self.app,
            "link" => &self.link,
            "until" => &self.until,
            "address" => &self.address,
            "other_address" => &self.other_address,
            "left" => &self.left,
            _ => "",
        }
    }
}

/// The HTML of a text: its paragraphs, and the link as one.
fn html_of(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
    let paragraphs: Vec<_> = paragraphs
        .map(|paragraph| {
            let lines = escape(paragraph).replace('\n', "<br>\n");
            format!("<p>{}</p>\n", lines.replace("{link}", "<a href=\"{link}\">{link}</a>"))
        })
        .collect();
    let paragraphs = paragraphs.concat();
    format!(
        "<!doctype html>\n<html>\n<head><meta charset=\"utf-8\"></head>\n<body>\n{paragraphs}</body>\n</html>\n"
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
