//! Reads OpenAPI 3.1 and 3.0 documents, in JSON or YAML.
//!
//! A document is a claim of what an app accepts. When it is trusted, it must still refuse nothing that a client sends who keeps
//! to it, so JSON Schema becomes the model's shapes **never stricter than the document**:
//!
//! 1. What the model cannot say is left to the app, at exactly that place, and is a [`Note`] with its JSON pointer.
//! 2. Numbers are as Pydantic has them: 64-bit floats, and integers of any length unless written with an exponent.
//! 3. Types are lax: the app may be, and a document does not say so.
//! 4. Whether it names every route is its own claim; it names no WebSockets.
//! 5. A part that is broken is a note, not a failure.

mod body;
mod dialect;
mod operation;
mod parameters;
mod paths;
mod place;
mod responses;
mod schema;
mod security;
mod tree;

use self::{dialect::Dialect, place::Place, schema::Shapes, tree::Node};
use crate::model::{Contract, Note, Source, VERSION};

/// Why a document gives no contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Nothing in it.
    #[error(
        "the document is empty; is the address that of the app's OpenAPI document, usually `/openapi.json`?"
    )]
    Empty,
    /// It is not JSON.
    #[error("the document is not valid JSON: {0}")]
    Json(String),
    /// It is not YAML.
    #[error("the document is neither JSON nor valid YAML: {0}")]
    Yaml(String),
    /// It is something else.
    #[error(
        "this is not an OpenAPI document: it has no `openapi: 3.…`; is the address that of the app's OpenAPI document, usually `/openapi.json`?"
    )]
    NotOpenApi,
    /// The predecessor.
    #[error(
        "the document is Swagger {0}, the predecessor of OpenAPI; convert it to OpenAPI 3, for example with `npx swagger2openapi`"
    )]
    Swagger(String),
    /// Another version.
    #[error("the document is OpenAPI {0}, which is not known here; 3.0 and 3.1 are")]
    Version(String),
    /// No route at all.
    #[error("the document has no operations, so nothing could be checked; is it the app's whole document?")]
    NoOperation,
}

/// Reads a document.
///
/// ```
/// let contract = mantlet_contract::document::read(r#"{
///     "openapi": "3.1.0", "info": {"title": "Shop", "version": "1"},
///     "paths": {"/orders/{id}": {"get": {"parameters": [
///         {"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}
///     ]}}}
/// }"#)?;
/// assert_eq!(contract.title.as_deref(), Some("Shop"));
/// # Ok::<(), mantlet_contract::document::DocumentError>(())
/// ```
pub fn read(text: &str) -> Result<Contract, DocumentError> {
    let root = Node::parse(text)?;
    let version = version(&root)?;
    let mut reader = Reader {
        root: &root,
        dialect: Dialect::of(&root),
        is_30: is_version(&version, "3.0"),
        shapes: Shapes::default(),
        notes: Notes::default(),
        unread_prefixes: 0,
    };
    let (router, operations, prefixes) = reader.router();
    if operations == 0 {
        return Err(DocumentError::NoOperation);
    }
    reader.finish_shapes();
    Ok(Contract {
        version: VERSION,
        source: Source::Document,
        title: root.get("info").and_then(|info| info.get("title")?.text()).map(str::to_owned),
        made_with: [("openapi".to_owned(), version)].into(),
        names_dpop: false,
        app: None,
        root_path: None,
        prefixes,
        objects: None,
        router,
        shapes: reader.shapes.list,
        notes: reader.notes.list,
    })
}

fn version(root: &Node) -> Result<String, DocumentError> {
    // YAML without quotes has a number here.
    let told = |name| match root.get(name) {
        Some(Node::Text(text)) => Some(text.trim().to_owned()),
        Some(Node::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    match (told("openapi"), told("swagger")) {
        (Some(version), _) if ["3.0", "3.1"].iter().any(|known| is_version(&version, known)) => Ok(version),
        (Some(version), _) => Err(DocumentError::Version(version)),
        (None, Some(version)) => Err(DocumentError::Swagger(version)),
        (None, None) => Err(DocumentError::NotOpenApi),
    }
}

fn is_version(version: &str, known: &str) -> bool {
    version.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
}

/// What is being read, and what has become of it so far.
struct Reader<'d> {
    root: &'d Node,
    dialect: Dialect,
    /// 3.0 ignores what stands beside a reference.
    is_30: bool,
    shapes: Shapes<'d>,
    notes: Notes,
    /// Prefixes of servers that could not be read.
    unread_prefixes: usize,
}

#[derive(Default)]
struct Notes {
    list: Vec<Note>,
    known: std::collections::HashSet<(String, String)>,
}

impl Reader<'_> {
    /// Says once what was not understood.
    fn note(&mut self, at: &str, why: impl Into<String>) {
        let (at, why) = (at.to_owned(), why.into());
        if self.notes.known.insert((at.clone(), why.clone())) {
            self.notes.list.push(Note { at, why });
        }
    }
}

impl<'d> Reader<'d> {
    /// What a `$ref` leads to, which may be another one; the place itself if it is none. None, with a note, if it leads nowhere.
    fn follow(&mut self, place: &Place<'d>) -> Option<Place<'d>> {
        let mut now = place.clone();
        for _ in 0..32 {
            let Some(reference) = now.text("$ref") else { return Some(now) };
            match place::resolve(self.root, reference) {
                Ok(next) => now = next,
                Err(why) => {
                    self.note(&place.at, why);
                    return None;
                }
            }
        }
        self.note(&place.at, "the reference leads to itself");
        None
    }
}
