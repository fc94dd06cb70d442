//! Mistakes in a configuration.

use http::HeaderName;

/// A mistake in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The key, such as `limits.head-size` or `route[1].path`.
    pub key: String,
    /// What is wrong, in lower case, without a period.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Mistake {
    /// A mistake without help.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), help: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A path that does not begin with `/`.
    pub(crate) fn of_path(key: impl Into<String>, path: &str) -> Option<Self> {
        let mistake =
            || Self::new(key, format!("`{path}` has no leading `/`")).help(format!("write `/{path}`"));
        (!path.starts_with('/')).then(mistake)
    }

    /// A path that is not a template, or not a new one.
    pub(crate) fn of_template(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(key, message).help("write `/items/{item_id}` or `/files/{path:path}`")
    }

    /// Methods of which one is not a method.
    pub(crate) fn of_methods(key: impl Into<String>) -> Self {
        Self::new(key, "contains an invalid HTTP method")
    }

    pub(crate) fn under(mut self, section: &str) -> Self {
        if !section.is_empty() {
            // An item of a list stands at its name: `issuer[0].audience`.
            let point = if self.key.starts_with('[') { "" } else { "." };
            self.key = format!("{section}{point}{}", self.key);
        }
        self
    }
}

/// Reads a list of header names; anything else is a mistake.
pub(crate) fn header_names<'a>(
    key: &str,
    names: impl Iterator<Item = (usize, &'a String)>,
    mistakes: &mut Vec<Mistake>,
) -> Vec<HeaderName> {
    let mut read = Vec::new();
    for (index, name) in names {
        match name.parse() {
            Ok(name) => read.push(name),
            Err(_) => mistakes
                .push(Mistake::new(format!("{key}[{index}]"), format!("`{name}` is not a header name"))),
        }
    }
    read
}
