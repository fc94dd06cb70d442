//! The operations of a contract, and requests for them.

use std::fmt::Write as _;

use http::{HeaderName, HeaderValue, Method, header};
use mantlet_contract::{
    model::{
        BodyKind, Contract, Input, Location, Operation, Route, Router, SecurityScheme, ShapeId, Source, Take,
    },
    sensitive::{self, Purpose, SessionRole},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::{
    values::{Amount, Maker, Wishes},
    words::{is_doing, is_for_administrators, is_login, may_be_for_administrators, noun_of_id, singular},
};
use crate::{exchange::Question, finding::Place};

/// What does not stand for itself in a path or a query.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b':').remove(b'@');
const BOUNDARY: &str = "mantlet-check-boundary";

/// An operation: one path and one method.
pub(super) struct Known<'c> {
    /// As the app has it, with what it is mounted below.
    pub(super) path: String,
    /// What clients put before it.
    prefix: String,
    pub(super) method: Method,
    pub(super) operation: &'c Operation,
    /// It is not in the document.
    pub(super) is_hidden: bool,
    /// What it does beside what its method says, if anything: it is asked only on purpose.
    pub(super) purpose: Option<Special>,
    pub(super) parameters: Vec<Parameter>,
}

/// What an operation does beside what its method says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    /// It has to do with accounts.
    Sensitive(Purpose),
    /// It ends, renews or changes a session.
    Session(SessionRole),
}

/// A parameter of a path.
pub(super) struct Parameter {
    pub(super) name: String,
    /// The path before it, without a slash at its end.
    pub(super) below: String,
    pub(super) shape: Option<ShapeId>,
    /// What it may be one of: the table, the noun of its name, the segment before it. In the singular.
    pub(super) kinds: Vec<String>,
    /// The field of an object that has its value, where the contract says it.
    pub(super) field: Option<String>,
}

/// All operations of a contract, in its order.
pub(super) fn all(contract: &Contract) -> Vec<Known<'_>> {
    let prefix = match contract.source {
        // What a document's servers give to its paths is where the app is.
        Source::Document => contract.prefixes.first().cloned().unwrap_or_default(),
        Source::Inspector => String::new(),
    };
    let mut known = Vec::new();
    collect("", &prefix, &contract.router, &mut known);
    for route in sensitive::find(contract) {
        mark(&mut known, &route.path, &route.methods, Special::Sensitive(route.sensitivity.purpose));
    }
    for route in sensitive::session_routes(contract) {
        if route.role != SessionRole::Me && !route.only_if_present {
            mark(&mut known, &route.path, &route.methods, Special::Session(route.role));
        }
    }
    known
}

fn mark(known: &mut [Known<'_>], path: &str, methods: &[String], purpose: Special) {
    for one in known.iter_mut().filter(|one| one.path == path) {
        if methods.iter().any(|method| method == one.method.as_str()) {
            one.purpose.get_or_insert(purpose);
        }
    }
}

fn collect<'c>(below: &str, prefix: &str, router: &'c Router, known: &mut Vec<Known<'c>>) {
    for route in &router.routes {
        match route {
            Route::Http { path, methods, hidden, docs: false, operation: Some(operation), .. } => {
                let path = format!("{below}{path}");
                for method in methods.iter().filter_map(|method| Method::try_from(method.as_str()).ok()) {
                    known.push(Known {
                        parameters: parameters(&path, operation),
                        path: path.clone(),
                        prefix: prefix.to_owned(),
                        method,
                        operation,
                        is_hidden: *hidden,
                        purpose: None,
                    });
                }
            }
            Route::Mount { path, router: Some(router) } => {
                collect(&format!("{below}{path}"), prefix, router, known);
            }
            _ => {}
        }
    }
}

fn parameters(path: &str, operation: &Operation) -> Vec<Parameter> {
    let mut found = Vec::new();
    let mut rest = path;
    let mut before = String::new();
    while let Some((left, right)) = rest.split_once('{') {
        before.push_str(left);
        let Some((inside, after)) = right.split_once('}') else { break };
        let name = inside.split(':').next().unwrap_or_default().to_owned();
        let input = operation
            .inputs
            .iter()
            .find(|input| input.location == Location::Path && input.take.names().any(|known| known == name));
        let facts =
            operation.objects.iter().flat_map(|facts| &facts.parameters).find(|fact| fact.name == name);
        let segment =
            before.trim_end_matches('/').rsplit('/').next().filter(|segment| !segment.contains('{'));
        let kinds = [
            facts.map(|fact| kind_of_table(&fact.table)),
            noun_of_id(&name),
            segment.filter(|segment| !segment.is_empty()).map(singular),
        ];
        found.push(Parameter {
            below: before.trim_end_matches('/').to_owned(),
            shape: input.and_then(|input| matches!(input.take, Take::Field { .. }).then_some(input.shape)),
            kinds: kinds.into_iter().flatten().collect(),
            field: facts.map(|fact| fact.field.clone()),
            name,
        });
        let _ = write!(before, "{{{inside}}}");
        rest = after;
    }
    found
}

/// The noun of a table.
pub(super) fn kind_of_table(table: &str) -> String {
    singular(table.rsplit('.').next().unwrap_or_default())
}

impl<'c> Known<'c> {
    /// As findings name it.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether it is about an object itself, and not about something that is done with it.
    pub(super) fn is_about_itself(&self) -> bool {
        self.path.trim_end_matches('/').ends_with('}')
    }

    /// Where its handler stands.
    pub(super) fn place(&self) -> Option<Place> {
        let handler = self.operation.handler.as_ref()?;
        Some(Place { file: handler.file.clone(), line: Some(handler.line) })
    }

    /// Whether its contract says that it is for callers who are known.
    pub(super) fn is_secured(&self) -> bool {
        let is_found_out = self.operation.objects.as_ref().is_some_and(|facts| facts.caller);
        is_found_out || !self.operation.security.is_empty()
    }

    /// Whether a credential must be there, by what the app declares.
    pub(super) fn must_have_credential(&self) -> bool {
        let security = &self.operation.security;
        !security.is_empty()
            && security.iter().all(|all| all.iter().any(|requirement| requirement.auto_error))
    }

    /// Whether words say that it is for administrators.
    pub(super) fn is_for_administrators(&self) -> bool {
        let fixed = self.path.split('/').filter(|segment| !segment.contains('{'));
        fixed.chain(self.operation.tags.iter().map(String::as_str)).any(is_for_administrators)
    }

    /// Whether words say that it may be.
    pub(super) fn may_be_for_administrators(&self) -> bool {
        let fixed = self.path.split('/').filter(|segment| !segment.contains('{'));
        fixed.chain(self.operation.tags.iter().map(String::as_str)).any(may_be_for_administrators)
    }

    /// Whether asking for it changes nothing, by all that is known.
    pub(super) fn is_safe(&self) -> bool {
        self.method == Method::GET
            && self.purpose.is_none()
            && !self.path.split('/').filter(|segment| !segment.contains('{')).any(is_doing)
    }

    /// The last segment that is not a parameter, in the singular.
    pub(super) fn noun(&self) -> String {
        let mut segments = self.path.rsplit('/').filter(|segment| !segment.is_empty());
        segments.find(|segment| !segment.contains('{')).map(singular).unwrap_or_default()
    }

    /// The path with values for its parameters, as it is sent.
    pub(super) fn target(&self, values: &[String]) -> String {
        format!("{}{}", self.prefix, fill(&self.path, values))
    }

    /// Another path of the same app, as it is sent.
    pub(super) fn filled(&self, path: &str, values: &[String]) -> String {
        format!("{}{}", self.prefix, fill(path, values))
    }

    /// The parameter of the query by which a client says how much it wants, and the most that it may say.
    pub(super) fn page_size(&self, maker: &Maker<'_>) -> Option<(String, u64)> {
        let names = ["limit", "page_size", "pagesize", "per_page", "perpage", "size", "take", "top"];
        self.query_named(&names).and_then(|(name, shape)| {
            let most = [100_u64, 50, 20, 10]
                .into_iter()
                .find(|most| maker.accepts_text(shape, &most.to_string()))?;
            Some((name, most))
        })
    }

    /// The parameter of the query that says how many to leave out; and the one that says which page, from 1.
    pub(super) fn next_page(&self) -> Option<(String, bool)> {
        self.query_named(&["offset", "skip", "start"])
            .map(|(name, _)| (name, false))
            .or_else(|| self.query_named(&["page", "page_number"]).map(|(name, _)| (name, true)))
    }

    fn query_named(&self, names: &[&str]) -> Option<(String, ShapeId)> {
        self.query()
            .find(|(name, ..)| names.contains(&name.to_ascii_lowercase().as_str()))
            .map(|(name, shape, _)| (name, shape))
    }

    /// The parameters of the query, what each must be, and whether it must be there.
    pub(super) fn query(&self) -> impl Iterator<Item = (String, ShapeId, bool)> {
        let inputs = self.operation.inputs.iter().filter(|input| input.location == Location::Query);
        inputs.filter_map(|input| match &input.take {
            Take::Field { names, .. } => Some((names.first()?.clone(), input.shape, input.required)),
            Take::Group { .. } | Take::Whole => None,
        })
    }

    /// A request that the app should take; none if that cannot be made.
    pub(super) fn request(
        &self,
        maker: &Maker<'_>,
        values: &[String],
        amount: Amount,
        wishes: Wishes<'_>,
    ) -> Option<Question> {
        let mut question = Question::new(self.method.clone(), self.target(values));
        let mut query = String::new();
        let mut body = Map::new();
        for input in &self.operation.inputs {
            match input.location {
                Location::Query if input.required => {
                    for (name, value) in fields(maker, input, amount, wishes)? {
                        let sign = if query.is_empty() { '?' } else { '&' };
                        let _ = write!(query, "{sign}{}={}", encoded(&name), encoded(&text_of(&value)));
                    }
                }
                Location::Header if input.required => {
                    for (name, value) in fields(maker, input, amount, wishes)? {
                        let name = HeaderName::try_from(name).ok()?;
                        if name != header::AUTHORIZATION {
                            question.headers.insert(name, HeaderValue::try_from(text_of(&value)).ok()?);
                        }
                    }
                }
                Location::Body => match &input.take {
                    Take::Whole => match maker.value(input.shape, "body", amount, wishes)? {
                        Value::Object(map) => body.extend(map),
                        whole => return Some(question.json(&whole)),
                    },
                    Take::Field { file: true, names, .. } if input.required || amount == Amount::All => {
                        body.insert(names.first()?.clone(), FILE.into());
                    }
                    Take::Field { names, .. }
                        if input.required
                            || amount == Amount::All
                            || names.first().is_some_and(|name| !wishes(name).is_empty()) =>
                    {
                        body.extend(fields(maker, input, amount, wishes)?);
                    }
                    Take::Field { .. } => {}
                    Take::Group { .. } => body.extend(fields(maker, input, amount, wishes)?),
                },
                _ => {}
            }
        }
        question.target.push_str(&query);
        Some(match self.operation.body {
            BodyKind::Json { .. } => question.json(&Value::Object(body)),
            BodyKind::Form { files } => form(question, &body, files),
            BodyKind::None | BodyKind::Opaque => question,
        })
    }

    /// The shapes of what the body must be, each with the names under which it stands; no name for the whole.
    pub(super) fn body_fields(&self, maker: &Maker<'c>) -> Vec<(String, ShapeId)> {
        let inputs = self.operation.inputs.iter().filter(|input| input.location == Location::Body);
        let mut found = Vec::new();
        for input in inputs {
            match &input.take {
                Take::Whole | Take::Group { .. } => {
                    found.extend(
                        maker
                            .fields(input.shape)
                            .into_iter()
                            .map(|(name, field)| (name.to_owned(), field.shape)),
                    );
                }
                Take::Field { names, .. } => {
                    found.extend(names.first().map(|name| (name.clone(), input.shape)));
                }
            }
        }
        found
    }

    /// The same, with the fields of an object in the body: `{"user": {"email": …}}`.
    pub(super) fn deep_fields(&self, maker: &Maker<'c>) -> Vec<(String, ShapeId)> {
        let mut found = self.body_fields(maker);
        let inner: Vec<_> = found.iter().flat_map(|(_, shape)| maker.fields(*shape)).collect();
        found.extend(inner.into_iter().map(|(name, field)| (name.to_owned(), field.shape)));
        found
    }

    /// The shape of the whole body, if it is one object.
    pub(super) fn whole_body(&self) -> Option<ShapeId> {
        let mut inputs = self.operation.inputs.iter().filter(|input| input.location == Location::Body);
        let first = inputs.next().filter(|input| input.take == Take::Whole)?;
        inputs.next().is_none().then_some(first.shape)
    }

    /// The headers, cookies and parameters in which the app takes keys.
    pub(super) fn key_header(&self) -> Option<&'c str> {
        self.operation.security.iter().flatten().find_map(|requirement| match &requirement.scheme {
            SecurityScheme::ApiKey { location: Location::Header, name } => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether it surely logs in, and makes nothing: the app says that tokens come from it, or its words do.
    pub(super) fn is_login(&self, all: &[Self]) -> bool {
        let says_so = || {
            let mut schemes = all.iter().flat_map(|known| known.operation.security.iter().flatten());
            schemes.any(|requirement| match &requirement.scheme {
                SecurityScheme::Bearer { token_url: Some(url) } => sensitive::path_of(url)
                    .is_some_and(|path| path.ends_with(&self.path) || self.path.ends_with(&path)),
                _ => false,
            })
        };
        let is_special = matches!(self.purpose, Some(Special::Sensitive(Purpose::Login)));
        is_special && (says_so() || is_login(&self.path))
    }

    /// Whether it takes a token in `Authorization`.
    pub(super) fn takes_bearer(&self) -> bool {
        let mut all = self.operation.security.iter().flatten();
        all.any(|requirement| matches!(requirement.scheme, SecurityScheme::Bearer { .. }))
    }
}

/// A path with values for its parameters, as far as there are any.
fn fill(path: &str, values: &[String]) -> String {
    let mut filled = String::new();
    let mut rest = path;
    let mut values = values.iter();
    while let Some((left, right)) = rest.split_once('{') {
        filled.push_str(left);
        let Some((inside, after)) = right.split_once('}') else { break };
        let is_path = inside.ends_with(":path");
        let value = values.next().map(String::as_str).unwrap_or_default();
        if is_path {
            filled.push_str(&value.split('/').map(encoded).collect::<Vec<_>>().join("/"));
        } else {
            filled.push_str(&encoded(value));
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// A request with one more parameter in its query.
pub(super) fn with_query(mut question: Question, name: &str, value: &str) -> Question {
    let sign = if question.target.contains('?') { '&' } else { '?' };
    let _ = write!(question.target, "{sign}{}={}", encoded(name), encoded(value));
    question
}

pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// What a value is in a path, a query or a form.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Stands for a file in a form.
const FILE: &str = "\u{0}file";

fn fields(
    maker: &Maker<'_>,
    input: &Input,
    amount: Amount,
    wishes: Wishes<'_>,
) -> Option<Map<String, Value>> {
    match &input.take {
        Take::Field { names, multiple, .. } => {
            let name = names.first()?;
            let value = maker.value(input.shape, name, amount, wishes);
            let value = match (value, *multiple && input.location != Location::Body) {
                (Some(Value::Array(all)), true) => all.first().cloned().unwrap_or(Value::Null),
                (value, _) => value?,
            };
            Some([(name.clone(), value)].into_iter().collect())
        }
        Take::Group { fields, .. } => {
            let Value::Object(made) = maker.value(input.shape, "", amount, wishes)? else { return None };
            let mut map = Map::new();
            for field in fields {
                let Some((own, wire)) = field.names.first() else { continue };
                if field.file {
                    map.insert(wire.clone(), FILE.into());
                } else if let Some(value) = made.get(own).or_else(|| made.get(wire)) {
                    map.insert(wire.clone(), value.clone());
                }
            }
            Some(map)
        }
        Take::Whole => None,
    }
}

fn form(question: Question, body: &Map<String, Value>, has_files: bool) -> Question {
    if !has_files {
        let pairs: Vec<_> = body
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(&text_of(value))))
            .collect();
        return question.form(pairs.join("&"));
    }
    let mut text = String::new();
    for (name, value) in body {
        let is_file = value == FILE;
        let kind = if is_file { "; filename=\"mantlet-check.txt\"\r\nContent-Type: text/plain" } else { "" };
        let content = if is_file { "written by mantlet check".to_owned() } else { text_of(value) };
        let _ = write!(
            text,
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{kind}\r\n\r\n{content}\r\n"
        );
    }
    let _ = write!(text, "--{BOUNDARY}--\r\n");
    let mut question = question.form(text);
    let kind = HeaderValue::from_static("multipart/form-data; boundary=mantlet-check-boundary");
    question.headers.insert(header::CONTENT_TYPE, kind);
    question
}
