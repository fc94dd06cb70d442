//! A place in a document, and what `$ref` leads to.

use std::rc::Rc;

use super::tree::{Members, Node};

/// A node, and its JSON pointer as it is shown.
#[derive(Debug, Clone)]
pub(super) struct Place<'d> {
    pub(super) node: &'d Node,
    pub(super) at: Rc<str>,
}

impl<'d> Place<'d> {
    pub(super) fn root(node: &'d Node) -> Self {
        Self { node, at: "#".into() }
    }

    pub(super) fn get(&self, name: &str) -> Option<Self> {
        Some(self.below(name, self.node.get(name)?))
    }

    pub(super) fn members(&self) -> Option<&'d Members> {
        self.node.members()
    }

    /// The members of an object, in order; none if it is not an object.
    pub(super) fn each(&self) -> impl Iterator<Item = (&'d str, Self)> {
        let members = self.members().into_iter().flatten();
        members.map(|(name, node)| (name.as_str(), self.below(name, node)))
    }

    /// The items of a list; none if it is not a list.
    pub(super) fn items(&self) -> impl Iterator<Item = Self> {
        let items = self.node.list().unwrap_or_default().iter().enumerate();
        items.map(|(index, node)| self.below(&index.to_string(), node))
    }

    pub(super) fn text(&self, name: &str) -> Option<&'d str> {
        self.node.get(name)?.text()
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.node.get(name).is_some_and(Node::is_true)
    }

    /// The last step of its pointer, as it is written there.
    pub(super) fn name(&self) -> String {
        unescape(self.at.rsplit('/').next().unwrap_or_default())
    }

    fn below(&self, name: &str, node: &'d Node) -> Self {
        Self { node, at: format!("{}/{}", self.at, escape(name)).into() }
    }
}

/// What a reference leads to, or why it leads nowhere.
pub(super) fn resolve<'d>(root: &'d Node, reference: &str) -> Result<Place<'d>, String> {
    if reference.is_empty() {
        return Err("the reference is empty".to_owned());
    }
    let Some(fragment) = reference.strip_prefix('#') else {
        return Err(format!("`{reference}` is another document, which is not read"));
    };
    let Some(fragment) = percent_decoded(fragment) else {
        return Err(format!("`{reference}` cannot be decoded"));
    };
    if !fragment.is_empty() && !fragment.starts_with('/') {
        return Err(format!("`{reference}` is an anchor, not a JSON pointer"));
    }
    let mut node = root;
    for step in fragment.split('/').skip(1) {
        let step = unescape(step);
        let next = match node {
            Node::Object(members) => members.get(&step),
            Node::List(items) => step.parse().ok().and_then(|index: usize| items.get(index)),
            _ => None,
        };
        node = next.ok_or_else(|| format!("there is nothing at `{reference}`"))?;
    }
    Ok(Place { node, at: format!("#{fragment}").into() })
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

/// None if it is not percent-encoded UTF-8.
pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend(parts.next()?.bytes());
    for part in parts {
        let code = part.get(..2).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend(part.get(2..)?.bytes());
    }
    String::from_utf8(bytes).ok()
}
