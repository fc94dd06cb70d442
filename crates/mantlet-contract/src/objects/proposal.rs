//! A rule that is proposed, and its text.

use std::fmt::Write as _;

use serde::Serialize;

use super::Place;

/// A rule that is proposed: whose an object has to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Proposal {
    /// The paths that it is for.
    pub paths: Vec<String>,
    /// The methods; none means all.
    pub methods: Vec<String>,
    /// Where the owner is: `response:/user_id`, `item:/user_id`, `path:user_id`.
    pub owner: String,
    /// The attribute of the caller that it has to be: `principal:id`.
    pub equals: String,
    /// Where the object is read, if not at the same path.
    pub read: Option<String>,
    /// Where the object itself names another user whose it is, too.
    pub also: Option<String>,
    /// Where the answer has the list, a JSON pointer.
    pub items: Option<String>,
    /// Where it has the number of items.
    pub count: Option<String>,
    /// A column that may be null, so that there is no owner.
    pub nullable: Option<String>,
    /// Where there is no owner, the request passes.
    pub passes_nulls: bool,
    /// Where the request does not say the owner, it passes.
    pub passes_missing: bool,
    /// Conditions under which a caller may see objects of others, as the app's own columns call them.
    pub roles: Vec<String>,
    /// What keeps it from being enforced by itself, whatever traffic says.
    pub doubts: Vec<String>,
    /// It rests on names alone: the answers are not declared.
    pub is_assumed: bool,
    /// What it rests on.
    pub evidence: Vec<String>,
    /// What has to be added before it works.
    pub missing: Vec<String>,
}

impl Proposal {
    /// Whether a mapper and the declared answers agree on whose the objects are.
    pub const fn is_sure(&self) -> bool {
        self.doubts.is_empty() && !self.is_assumed && self.missing.is_empty()
    }

    /// Whether it is about an operation.
    pub fn is_for(&self, place: &Place) -> bool {
        self.paths.contains(&place.path)
            && (self.methods.is_empty() || place.methods.iter().all(|method| self.methods.contains(method)))
    }

    /// As it is written in the configuration.
    pub fn to_toml(&self) -> String {
        let mut lines: Vec<String> = self.evidence.iter().map(|why| format!("# {why}")).collect();
        lines.extend(self.doubts.iter().map(|why| format!("# doubt: {why}")));
        lines.extend(self.missing.iter().map(|what| format!("# missing: {what}")));
        lines.push("[[authorization.own]]".to_owned());
        let mut add = |key: &str, value: String| lines.push(format!("{key:<7} = {value}"));
        add("paths", list(&self.paths));
        if !self.methods.is_empty() {
            add("methods", list(&self.methods));
        }
        for (key, value) in [("read", &self.read), ("items", &self.items)] {
            if let Some(value) = value {
                add(key, text(value));
            }
        }
        add("owner", text(&self.owner));
        if let Some(also) = &self.also {
            add("also", text(also));
        }
        add("equals", text(&self.equals));
        if let Some(count) = &self.count {
            add("count", text(count));
        }
        if !self.roles.is_empty() {
            add("unless", format!("{} # delete this line if they may see only their own", list(&self.roles)));
        }
        for (key, _) in [("missing", self.passes_missing), ("nulls", self.passes_nulls)]
            .iter()
            .filter(|(_, passes)| *passes)
        {
            add(key, text("pass"));
        }
        if self.is_assumed {
            add("mode", format!("{} # until the answers were seen to have it", text("report")));
        } else if !self.doubts.is_empty() {
            add("mode", format!("{} # until you know that it is right", text("report")));
        }
        if let Some(column) = &self.nullable {
            lines.push(if self.passes_nulls {
                format!("# `{column}` may be null: such an object is of nobody, and nothing changes for it")
            } else {
                format!(
                    "# nulls = \"pass\" # `{column}` may be null; by default nobody changes such an object"
                )
            });
        }
        lines.join("\n")
    }
}

pub(super) fn list(values: &[String]) -> String {
    format!("[{}]", values.iter().map(|value| text(value)).collect::<Vec<_>>().join(", "))
}

/// A string of TOML, a literal one if it has quotes in it.
pub(super) fn text(value: &str) -> String {
    if value.contains('"') && !value.contains(|letter: char| letter == '\'' || letter.is_control()) {
        return format!("'{value}'");
    }
    let mut written = String::from("\"");
    for letter in value.chars() {
        match letter {
            '"' | '\\' => written.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(written, "\\u{:04X}", u32::from(letter));
            }
            letter => written.push(letter),
        }
    }
    written.push('"');
    written
}
