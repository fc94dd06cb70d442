//! A whole request against an operation: what FastAPI's dependencies take out of it and validate, in FastAPI's order and words.

mod body;
mod encoded;
mod forms;
mod group;
mod named;

pub use encoded::unquoted;
pub use forms::without;
pub use named::{Named, all_in_query, in_cookies, in_query, named};

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use body::Reading;
use encoded::Pairs;

use crate::fault::{Fault, Loc, Problem};
use crate::json::{self, Json, Limits, Odd, ParseError};
use crate::model::{BodyKind, Input, Location, Operation, SecurityScheme, Take};
use crate::multipart;
use crate::shape::Shapes;
use crate::validate::{Outcome, validate};
use crate::value::{Dict, Value, View};

/// The parts of a request, raw, as they will be forwarded.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Path parameters as the route's convertors made them.
    pub path: &'a [(&'a str, PathValue<'a>)],
    /// Without the question mark.
    pub query: &'a [u8],
    /// In order, with names in lower case.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body.
    pub body: Body<'a>,
    /// A body without a Content-Type is never read as JSON, whatever the app's version does.
    pub strict_content_type: bool,
}

/// A path parameter.
#[derive(Debug, Clone, Copy)]
pub enum PathValue<'a> {
    /// `{name}`, `{name:path}`
    Text(&'a str),
    /// `{name:int}`, as it is written.
    Int(&'a str),
    /// `{name:float}`, `{name:uuid}`, or a convertor of the app's own.
    Other,
}

/// A body.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// All of it, maybe nothing.
    Whole(&'a [u8]),
    /// Not here: too large to be judged, or streamed.
    Elsewhere,
}

/// What came out.
#[derive(Debug, Default)]
pub struct Judgement {
    /// All faults in FastAPI's order; none if it passes.
    pub faults: Vec<Fault>,
    /// A dependency is called all the same, and may refuse before the app says what is invalid. Never so where the body cannot be read, which
    /// FastAPI says first.
    pub guarded: bool,
    /// Something was not judged, so the app may still refuse.
    pub undecided: bool,
    /// It was too deep, or cost too much, to be judged to its end.
    pub exhausted: bool,
    /// Bytes of the body's members that the app would ignore.
    pub ignored: Vec<Range<usize>>,
    /// Names and bytes of a form's fields that the app would ignore.
    pub ignored_fields: Vec<(String, Range<usize>)>,
    /// Names in the query that the app does not declare, and names that come more often than
    /// declared.
    pub unknown_query: Vec<String>,
    /// What is odd about the JSON.
    pub odd: Odd,
    /// Why the body could not be read here, except malformed JSON, which is a fault. FastAPI answers 400 or does its own.
    pub unread: Option<ParseError>,
}

/// Judges a request.
pub fn judge(operation: &Operation, shapes: &Shapes, request: &Request<'_>, limits: Limits) -> Judgement {
    let content_type = content_type(request);
    let bytes = match request.body {
        Body::Whole(bytes) => bytes,
        Body::Elsewhere => &[],
    };
    let reading = body::reading(&operation.body, content_type, bytes.is_empty(), request.strict_content_type);
    let mut judgement = Judgement::default();
    let mut document: Option<Json<'_>> = None;
    if reading == Reading::Json {
        match json::parse(bytes, limits) {
            Ok(json) => {
                judgement.odd = json.odd().clone();
                judgement.undecided = judgement.odd.huge_integer.is_some();
                document = Some(json);
            }
            Err(ParseError::Decode(decode)) => {
                judgement.faults.push(malformed(&decode));
                return judgement;
            }
            Err(error) => {
                judgement.unread = Some(error);
                judgement.undecided = true;
                return judgement;
            }
        }
    }
    // FastAPI answers 400 before it validates anything.
    if judgement.undecided {
        return judgement;
    }
    let received = match (reading, request.body) {
        (Reading::Unsure, _) | (Reading::Json | Reading::Bytes | Reading::UrlEncoded, Body::Elsewhere) => {
            Received::Unsure
        }
        (Reading::Nothing, Body::Elsewhere) if !matches!(operation.body, BodyKind::None) => Received::Unsure,
        (Reading::Multipart, Body::Elsewhere) => Received::Unsure,
        (Reading::Multipart, Body::Whole(_)) => {
            FormData::of_multipart(content_type.unwrap_or_default(), bytes)
                .map_or(Received::Unsure, Received::Form)
        }
        (Reading::UrlEncoded, _) => FormData::of_bytes(bytes).map_or(Received::Unsure, Received::Form),
        (Reading::Bytes, _) => Received::Value(Value::Bytes(bytes)),
        (Reading::Json, _) => {
            document.as_ref().map_or(Received::Nothing, |json| Received::Value(Value::Json(json.root())))
        }
        (Reading::Nothing, _) if matches!(operation.body, BodyKind::Form { .. }) => {
            Received::Form(FormData::default())
        }
        (Reading::Nothing, _) => Received::Nothing,
    };
    // What cannot be read here FastAPI may answer with 400, before it validates anything.
    let is_read = !matches!(received, Received::Unsure)
        || !matches!(operation.body, BodyKind::Json { .. } | BodyKind::Form { .. });
    let mut run = Run {
        shapes,
        request,
        received,
        query: if needs(operation, Location::Query) { encoded::query(request.query) } else { Pairs::new() },
        cookies: if needs(operation, Location::Cookie) { cookies(request) } else { Pairs::new() },
        used: HashSet::new(),
        takes_all: false,
        ignored: HashMap::new(),
        judgement,
    };
    // How many faults there are once each input is judged; not kept where nothing may refuse first.
    let mut seen = Vec::new();
    for input in &operation.inputs {
        run.input(input);
        if !operation.guards.is_empty() {
            seen.push(run.judgement.faults.len());
        }
    }
    run.judgement.guarded = !is_read || is_guarded(operation, &seen);
    run.finish(operation)
}

/// Whether FastAPI's 422 may repeat, of a body with these faults, what Python raises on when it writes it as strict JSON.
pub fn repeats_unsayable(faults: &[Fault], body: &[u8], limits: Limits) -> bool {
    let is_in_body = |fault: &Fault| matches!(fault.loc.first(), Some(Loc::Key(place)) if place == "body");
    faults.iter().any(is_in_body) && json::parse(body, limits).is_ok_and(|json| json.is_unsayable())
}

/// Whether a dependency that may refuse is called: nothing is wrong with what it, and what it depends on, takes.
fn is_guarded(operation: &Operation, faults: &[usize]) -> bool {
    let until = |input: usize| input.checked_sub(1).and_then(|last| faults.get(last)).copied().unwrap_or(0);
    operation.guards.iter().any(|guard| until(guard.inputs.0) == until(guard.inputs.1))
}

fn content_type<'a>(request: &Request<'a>) -> Option<&'a [u8]> {
    request.headers.iter().find(|(name, _)| *name == "content-type").map(|(_, value)| *value)
}

fn needs(operation: &Operation, location: Location) -> bool {
    operation.inputs.iter().any(|input| input.location == location)
        || (location == Location::Query && !operation.reads_request)
}

fn cookies<'a>(request: &Request<'a>) -> Pairs<'a> {
    let headers = request.headers.iter().filter(|(name, _)| *name == "cookie");
    encoded::cookies(headers.map(|(_, value)| encoded::latin1(value)))
}

fn malformed(decode: &json::Decode) -> Fault {
    let position = i64::try_from(decode.position).unwrap_or(i64::MAX);
    Problem::new("json_invalid", "JSON decode error")
        .with("error", decode.message)
        .at(vec![Loc::from("body"), Loc::Index(position)])
}

/// The body as FastAPI has it.
enum Received<'a> {
    Nothing,
    Value(Value<'a>),
    Form(FormData<'a>),
    Unsure,
}

/// A form: texts, and uploads as none.
#[derive(Default)]
struct FormData<'a> {
    items: Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>,
    /// What the last upload under a name holds.
    contents: HashMap<String, Option<Vec<u8>>>,
}

/// Starlette refuses more fields, or larger ones, unless the app says otherwise.
const FORM_FIELDS: usize = 1000;
const FORM_FIELD: usize = 1024 * 1024;

impl<'a> FormData<'a> {
    fn of_multipart(content_type: &[u8], bytes: &[u8]) -> Option<Self> {
        let parts = multipart::read(content_type, bytes)?.parts;
        let texts = parts.iter().filter_map(|part| part.text.as_ref());
        let (fields, largest) = (texts.clone().count(), texts.map(String::len).max().unwrap_or(0));
        if fields > FORM_FIELDS || parts.len() - fields > FORM_FIELDS || largest > FORM_FIELD {
            return None;
        }
        let mut form = Self::default();
        for part in parts {
            if part.text.is_none() {
                form.contents.insert(part.name.clone(), part.content);
            }
            form.items.push((part.name.into(), part.text.map(Into::into)));
        }
        Some(form)
    }

    fn of_bytes(bytes: &'a [u8]) -> Option<Self> {
        if bytes.split(|byte| *byte == b'&').any(|field| field.len() > FORM_FIELD) {
            return None;
        }
        let pairs = encoded::query(bytes);
        if pairs.len() > FORM_FIELDS {
            return None;
        }
        let items = pairs.into_iter().map(|(name, value)| (name, Some(value))).collect();
        Some(Self { items, contents: HashMap::new() })
    }
}

/// A value that was taken out.
enum Taken<'a> {
    Nothing,
    Value(Value<'a>),
    Text(Cow<'a, str>),
    Texts(Vec<Cow<'a, str>>),
    /// Of an upload.
    Content(Vec<u8>),
    /// The app decides.
    Unsure,
}

struct Run<'r, 'a> {
    shapes: &'r Shapes,
    request: &'r Request<'a>,
    received: Received<'r>,
    query: Pairs<'r>,
    cookies: Pairs<'r>,
    /// Names of the query that an input takes.
    used: HashSet<&'r str>,
    /// An input takes them all.
    takes_all: bool,
    /// What is ignored below each part of the body: a name, or all of it. Only if every input that
    /// takes the part ignores it.
    ignored: HashMap<Option<&'r str>, Vec<Range<usize>>>,
    judgement: Judgement,
}

impl<'r> Run<'r, '_> {
    fn input(&mut self, input: &'r Input) {
        match &input.take {
            Take::Whole => self.whole(input),
            Take::Field { names, multiple, file } => self.field(input, names, *multiple, *file),
            Take::Group { fields, optional, extras } => self.group(input, fields, *optional, *extras),
        }
    }

    fn whole(&mut self, input: &'r Input) {
        let taken = match &self.received {
            Received::Nothing => Taken::Nothing,
            Received::Value(value) => {
                // Whether `null` is a body at all depends on the version of FastAPI.
                if !input.required && matches!(value.view(), View::None) {
                    Taken::Unsure
                } else {
                    Taken::Value(*value)
                }
            }
            Received::Form(_) | Received::Unsure => Taken::Unsure,
        };
        self.validate(input, taken, &["body"], None);
    }

    fn field(&mut self, input: &'r Input, names: &'r [String], multiple: bool, file: bool) {
        let Some(first) = names.first() else { return };
        let (name, taken) = match input.location {
            Location::Body => {
                let Some(found) = self.body_field(names, multiple) else {
                    self.judgement.faults.push(missing(&["body", first]));
                    return;
                };
                match (found, &self.received) {
                    ((name, Taken::Unsure), Received::Form(form)) if file && !multiple => {
                        let content = form.contents.get(name).cloned().flatten();
                        (name, content.map_or(Taken::Unsure, Taken::Content))
                    }
                    (found, _) => found,
                }
            }
            location => {
                let name = names.iter().find(|name| self.has(location, name)).unwrap_or(first);
                if location == Location::Query {
                    self.used.insert(name);
                }
                (name, self.take(location, name, multiple))
            }
        };
        self.validate(input, taken, &[place(input.location), name], Some(name));
    }

    /// None if the body is not an object: then the field is missing, whether it is required or not.
    fn body_field(&self, names: &'r [String], multiple: bool) -> Option<(&'r String, Taken<'r>)> {
        let first = names.first()?;
        Some(match &self.received {
            Received::Nothing => (first, Taken::Nothing),
            Received::Unsure => (first, Taken::Unsure),
            Received::Value(value) => match value.view() {
                View::Dict(dict) => names
                    .iter()
                    .find_map(|name| Some((name, Taken::Value(dict.get(name)?))))
                    .unwrap_or((first, Taken::Nothing)),
                View::Bytes(_) => (first, Taken::Nothing),
                View::Unknown => (first, Taken::Unsure),
                _ => return None,
            },
            Received::Form(_) => names
                .iter()
                .map(|name| (name, self.take(Location::Body, name, multiple)))
                .find(|(_, taken)| !matches!(taken, Taken::Nothing))
                .unwrap_or((first, Taken::Nothing)),
        })
    }

    fn validate(&mut self, input: &'r Input, taken: Taken<'_>, loc: &[&str], part: Option<&'r str>) {
        let (text, texts, content);
        let value = match taken {
            Taken::Nothing if input.required => {
                self.judgement.faults.push(missing(loc));
                return;
            }
            Taken::Nothing => {
                self.judgement.undecided |= input.validate_default;
                return;
            }
            Taken::Unsure => {
                self.judgement.undecided = true;
                return;
            }
            Taken::Value(value) => value,
            Taken::Text(one) => {
                text = one;
                Value::Text(&text)
            }
            Taken::Content(bytes) => {
                content = bytes;
                Value::Bytes(&content)
            }
            Taken::Texts(many) => {
                texts = many;
                Value::Texts(&texts)
            }
        };
        let outcome = validate(self.shapes, input.shape.0, value, loc);
        self.take_in(input, outcome, part);
    }

    fn take_in(&mut self, input: &Input, outcome: Outcome, part: Option<&'r str>) {
        self.judgement.undecided |= outcome.undecided;
        self.judgement.exhausted |= outcome.exhausted;
        self.judgement.faults.extend(outcome.faults);
        if input.location == Location::Body {
            self.ignored
                .entry(part)
                .and_modify(|ignored| ignored.retain(|span| outcome.ignored.contains(span)))
                .or_insert(outcome.ignored);
        }
    }

    fn finish(mut self, operation: &Operation) -> Judgement {
        if operation.reads_request || !self.judgement.faults.is_empty() {
            return self.judgement;
        }
        if !self.takes_all {
            // A key that the app asks for is an input, too.
            let is_key = |name: &str| {
                operation.security.iter().flatten().any(|requirement| {
                    matches!(&requirement.scheme, SecurityScheme::ApiKey { location: Location::Query, name: key } if key == name)
                })
            };
            let unknown = self.query.iter().filter(|(name, _)| !self.used.contains(&**name) && !is_key(name));
            self.judgement.unknown_query = unknown.map(|(name, _)| name.to_string()).collect();
        }
        self.judgement.unknown_query.extend(self.repeated(operation));
        if let Some(fields) = self.outside_form(operation) {
            self.judgement.ignored_fields = fields;
        }
        if let Received::Value(Value::Json(item)) = &self.received {
            self.outside_fields(operation, Value::Json(*item));
            self.judgement.ignored.extend(self.ignored.into_values().flatten());
            self.judgement.ignored.sort_by_key(|span| span.start);
        }
        self.judgement
    }

    /// Names in the query of which all who ask for them take one value, and which come with more.
    fn repeated(&self, operation: &Operation) -> Vec<String> {
        let mut seen = HashSet::new();
        let again =
            self.query.iter().filter(|(name, _)| self.used.contains(&**name) && !seen.insert(&**name));
        let mut again: Vec<_> = again.map(|(name, _)| name.to_string()).collect();
        again.sort_unstable();
        again.dedup();
        let queries = || operation.inputs.iter().filter(|input| input.location == Location::Query);
        again.retain(|name| {
            !queries().any(|input| match &input.take {
                Take::Field { names, multiple, .. } => *multiple && names.contains(name),
                Take::Group { fields, .. } => fields
                    .iter()
                    .any(|field| field.multiple && field.names.iter().any(|(_, wire)| wire == name)),
                Take::Whole => false,
            })
        });
        again
    }

    /// Of a body of several fields, the members that are none of them.
    fn outside_fields(&mut self, operation: &Operation, body: Value<'_>) {
        let mut names = HashSet::new();
        for input in operation.inputs.iter().filter(|input| input.location == Location::Body) {
            match &input.take {
                Take::Field { names: own, .. } => names.extend(own.iter().map(String::as_str)),
                Take::Group { .. } | Take::Whole => return,
            }
        }
        let View::Dict(dict @ Dict::Members(_)) = body.view() else { return };
        if names.is_empty() {
            return;
        }
        let outside = dict.pairs().filter(|pair| pair.key.is_some_and(|key| !names.contains(key)));
        self.judgement.ignored.extend(outside.filter_map(|pair| pair.span));
    }

    fn has(&self, location: Location, name: &str) -> bool {
        match location {
            Location::Path => self.request.path.iter().any(|(own, _)| *own == name),
            Location::Query => self.query.iter().any(|(own, _)| own == name),
            Location::Header => self.request.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)),
            Location::Cookie => self.cookies.iter().any(|(own, _)| own == name),
            Location::Body => match &self.received {
                Received::Form(form) => form.items.iter().any(|(own, _)| own == name),
                _ => false,
            },
        }
    }

    /// The value under a name, as FastAPI's `_get_multidict_value` has it.
    fn take(&self, location: Location, name: &str, multiple: bool) -> Taken<'r> {
        match location {
            Location::Path => {
                match self.request.path.iter().find(|(own, _)| *own == name).map(|(_, value)| *value) {
                    None => Taken::Nothing,
                    Some(PathValue::Text(text)) => Taken::Value(Value::Text(text)),
                    Some(PathValue::Int(digits)) => Taken::Value(Value::Int(digits)),
                    Some(PathValue::Other) => Taken::Unsure,
                }
            }
            Location::Query => taken(&self.query, name, multiple),
            // Cookies are not a multidict; an empty one counts as missing where a list is wanted.
            Location::Cookie => match taken(&self.cookies, name, false) {
                Taken::Text(text) if multiple && text.is_empty() => Taken::Nothing,
                taken => taken,
            },
            Location::Header => {
                let mut values = self
                    .request
                    .headers
                    .iter()
                    .filter(|(own, _)| own.eq_ignore_ascii_case(name))
                    .map(|(_, value)| encoded::latin1(value));
                if multiple {
                    many(values.collect())
                } else {
                    values.next().map_or(Taken::Nothing, Taken::Text)
                }
            }
            Location::Body => {
                let Received::Form(form) = &self.received else { return Taken::Nothing };
                let found: Vec<_> = form.items.iter().filter(|(own, _)| own == name).collect();
                let texts = || found.iter().map(|(_, text)| text.clone()).collect::<Option<Vec<_>>>();
                match found.last() {
                    None => Taken::Nothing,
                    Some(_) if multiple => texts().map_or(Taken::Unsure, many),
                    Some((_, None)) => Taken::Unsure,
                    Some((_, Some(text))) if text.is_empty() => Taken::Nothing,
                    Some((_, Some(text))) => Taken::Text(text.clone()),
                }
            }
        }
    }
}

fn taken<'r>(pairs: &Pairs<'r>, name: &str, multiple: bool) -> Taken<'r> {
    let mut found = pairs.iter().filter(|(own, _)| own == name).map(|(_, value)| value);
    if multiple {
        many(found.cloned().collect())
    } else {
        found.next_back().cloned().map_or(Taken::Nothing, Taken::Text)
    }
}

fn many(texts: Vec<Cow<'_, str>>) -> Taken<'_> {
    if texts.is_empty() { Taken::Nothing } else { Taken::Texts(texts) }
}

fn missing(loc: &[&str]) -> Fault {
    Problem::missing().at(loc.iter().map(|part| Loc::from(*part)).collect())
}

const fn place(location: Location) -> &'static str {
    match location {
        Location::Path => "path",
        Location::Query => "query",
        Location::Header => "header",
        Location::Cookie => "cookie",
        Location::Body => "body",
    }
}
