//! OpenAPI's path templates as Starlette's.

use std::collections::HashMap;

use super::super::place::percent_decoded;

/// The document's names of a template's parameters, and those that Starlette can have.
pub(in super::super) type Names = HashMap<String, String>;

pub(super) struct Template {
    path: String,
    names: Names,
}

impl Template {
    pub(super) fn read(path: &str) -> Result<Self, String> {
        if !path.starts_with('/') || path.contains(['?', '#']) {
            return Err("this is not a path: a path begins with a slash and has no query".to_owned());
        }
        let (mut made, mut names) = (String::new(), Names::new());
        let mut rest = path;
        while let Some((text, after)) = rest.split_once('{') {
            made += &literal(text)?;
            let (name, after) = after.split_once('}').ok_or("a brace is not closed")?;
            if names.contains_key(name) {
                return Err(format!("`{name}` is in it twice"));
            }
            let own = unique(name, &names);
            made.extend(["{", &own, "}"]);
            names.insert(name.to_owned(), own);
            rest = after;
        }
        made += &literal(rest)?;
        Ok(Self { path: made, names })
    }

    pub(super) const fn names(&self) -> &Names {
        &self.names
    }

    pub(super) fn below(&self, prefix: &str) -> String {
        format!("{prefix}{}", self.path)
    }
}

/// Routes are found by the decoded path.
fn literal(text: &str) -> Result<String, String> {
    let decoded = percent_decoded(text).ok_or("its percent-encoding is malformed")?;
    if decoded.contains(['{', '}']) {
        return Err("it has braces that do not name a parameter".to_owned());
    }
    Ok(decoded)
}

/// Letters, digits and underscores.
fn unique(name: &str, taken: &Names) -> String {
    let word: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let word = if word.starts_with(|c: char| c.is_ascii_digit()) || word.is_empty() {
        format!("_{word}")
    } else {
        word
    };
    let mut own = word.clone();
    let mut number = 1;
    while taken.values().any(|known| *known == own) {
        number += 1;
        own = format!("{word}_{number}");
    }
    own
}

#[cfg(test)]
mod tests {
    use super::Template;

    #[test]
    fn templates_get_names_that_starlette_can_have() {
        for (path, expected) in [
            ("/items/{item_id}", "/items/{item_id}"),
            ("/items/{item-id}/{item.id}", "/items/{item_id}/{item_id_2}"),
            ("/{1}:archive", "/{_1}:archive"),
            ("/a%20b/{c}.json", "/a b/{c}.json"),
            ("/files/{path:.*}", "/files/{path___}"),
        ] {
            assert_eq!(Template::read(path).unwrap().below(""), expected);
        }
        for path in ["items", "/a?b={c}", "/{a}/{a}", "/{a", "/a}", "/%7Ba%7D", "/%zz"] {
            assert!(Template::read(path).is_err(), "{path}");
        }
    }
}
