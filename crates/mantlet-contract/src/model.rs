//! The contract: what an app accepts and promises, in Pydantic's terms.
//!
//! This is also the format of `contract.json`, which the inspector writes: version [`VERSION`], unknown keys refused. Shapes live in one
//! list and name each other by their index, so that shared and recursive ones cost nothing. Whatever a reader does not
//! understand, or Python code decides, is [`Shape::Opaque`]: the app decides.

mod app;
mod objects;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use app::{Answer, App, Assign, Code, Cookie, Handler, How, Key, Middleware, Sign, SignKind, Touch};
pub use objects::{
    Group, KeyParameter, LinkEvidence, Objects, Owner, Role, RoleKind, Shown, ShownAs, ShownObjects, Step,
    Table, TableSource, User,
};

/// The version of the format.
pub const VERSION: u32 = 1;

/// Everything that is known of an app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Contract {
    /// Always [`VERSION`].
    pub version: u32,
    /// Where it came from; an exact one is enforced, a claim is reported until it is trusted.
    pub source: Source,
    /// The app's title.
    #[serde(default)]
    pub title: Option<String>,
    /// Versions of what decided: `python`, `fastapi`, `starlette`, `pydantic`; and of what may decode
    /// tokens, if the app has imported it: `authlib`, `jose`, `joserfc`, `jwt`.
    #[serde(default)]
    pub made_with: std::collections::BTreeMap<String, String>,
    /// The app's code, or a package that it has imported, names DPoP: it may read proofs (RFC 9449)
    /// itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub names_dpop: bool,
    /// `FastAPI(root_path=…)`: a path that begins with it is routed without it, any other one as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_path: Option<String>,
    /// Prefixes that a document's servers give to its paths: each path is known with each of them, and without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
    /// The app's tables, and whose the objects in them are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<Objects>,
    /// How the app is set up. Only where it was read for a review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<App>,
    /// The router of the app itself.
    pub router: Router,
    /// All shapes; a [`ShapeId`] is an index.
    pub shapes: Vec<Shape>,
    /// What was not understood or is decided by Python code, for the load report.
    #[serde(default)]
    pub notes: Vec<Note>,
}

/// Where a contract comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The app itself, walked by the inspector: exact.
    Inspector,
    /// An OpenAPI document: a claim.
    Document,
}

/// Something opaque, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Where: `POST /items body.price`.
    pub at: String,
    /// Why: `a validator (check_price) runs before`.
    pub why: String,
}

/// Routes in the order in which the app tries them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, by its name in the format")]
pub struct Router {
    /// The routes.
    pub routes: Vec<Route>,
    /// Whether a path with one slash too many or too few is redirected (307).
    pub redirect_slashes: bool,
    /// Whether nothing outside this list can answer; in a document's contract that is a claim too. Not so if a middleware of the app's own may answer by itself, or the default for
    /// unknown paths was replaced.
    pub complete: bool,
    /// The app has a handler of its own for what does not validate: it may answer something else than FastAPI's 422.
    #[serde(default)]
    pub answers_invalid: bool,
    /// The app has a handler of its own for what Python raises where FastAPI's 422 would repeat what JSON cannot say, such as `NaN`: then the app answers
    /// something else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answers_unsayable: bool,
    /// Statuses from 500 on that error handlers of the app's own may answer with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handles: Vec<u16>,
    /// Code around it is not proven to leave requests as they are until they are validated (one middleware of a real app adds a missing
    /// Content-Type): what seems wrong may be right, so nothing here can be more than reported. Then it is never complete.
    #[serde(default)]
    pub rewrites: bool,
    /// What around it may refuse a request before its input is validated, if anything: a middleware that asks for a credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuses_first: Option<String>,
}

/// One entry of a router.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Route {
    /// Answers HTTP requests.
    Http {
        /// As Starlette has it: `/items/{item_id}`, `/files/{path:path}`; convertors `str` (none), `int`, `float`, `uuid`, `path`.
        path: String,
        /// Parameters with a convertor of the app's own, which stand as `path` in the path, and the patterns of those (Python's).
        #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        convertors: std::collections::BTreeMap<String, String>,
        /// Methods, in capitals; none means every method.
        methods: Vec<String>,
        /// It is not in the document.
        hidden: bool,
        /// One of FastAPI's own documentation pages, or the document.
        #[serde(default)]
        docs: bool,
        /// What it accepts; none if that is the handler's own business (a plain Starlette route).
        #[serde(default)]
        operation: Option<Box<Operation>>,
    },
    /// Opens WebSockets.
    WebSocket {
        /// As above.
        path: String,
    },
    /// Another router below a path.
    Mount {
        /// Without a slash at its end.
        path: String,
        /// Its routes; none if it is a foreign ASGI app, whose paths are its own business.
        #[serde(default)]
        router: Option<Router>,
    },
    /// Another router for a host. The path stays as it is.
    Host {
        /// As Starlette has it: `api.example.com`, `{tenant}.example.com`.
        host: String,
        /// Its routes; none if it is a foreign ASGI app, whose paths are its own business.
        #[serde(default)]
        router: Option<Router>,
    },
    /// Something else that may answer in place of what follows, or may not: a route class of the app's own.
    Opaque {
        /// What it is.
        why: String,
        /// It answers no other paths than this one, a template; none if it may answer any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// It answers no other methods than these; none if it may answer any.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        methods: Vec<String>,
    },
}

/// What a route accepts and promises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Operation {
    /// The operation id.
    pub id: String,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// How the body is read.
    pub body: BodyKind,
    /// What is validated, in FastAPI's order: its errors come in this order.
    pub inputs: Vec<Input>,
    /// The handler or something that runs before it may look at bytes of the body, or at undeclared
    /// parameters.
    #[serde(default)]
    pub reads_request: bool,
    /// A dependency may change the request before it is validated, or answer by itself with a
    /// response that is not an error: input that seems wrong may be right, so faults here are only
    /// reported.
    #[serde(default)]
    pub rewrites: bool,
    /// What may refuse a request before its body is read, if anything: a limit of the app's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuses_first: Option<String>,
    /// Dependencies that may refuse a request before what is invalid elsewhere is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Guard>,
    /// Security requirements; any one suffices. None: nothing is declared.
    #[serde(default)]
    pub security: Vec<Vec<SecurityRequirement>>,
    /// Numbers of the functions of the app that take the credentials. Operations with the same ones treat
    /// a credential alike. Empty: not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authenticators: Vec<u32>,
    /// Names in the body of which nothing else is known: how this version of FastAPI, or code of the app's own, takes them out is opaque.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<Vec<String>>,
    /// What is promised.
    #[serde(default)]
    pub responses: Vec<Response>,
    /// The app's authors want clients to use something else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
    /// What its path and its answer have to do with the app's tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<Box<ShownObjects>>,
    /// Where its handler stands. Only where it was read for a review, as is what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handler: Option<Handler>,
    /// What its code does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Box<Code>>,
}

/// A dependency that may refuse: its answer (401, 403, 429) comes before 422, for FastAPI calls all dependencies whose own input is
/// valid, and only then says what was invalid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// What it and those that it depends on take: inputs from this one up to, not with, that one. If any of them is invalid, it is not called.
    pub inputs: (usize, usize),
    /// Which one, and where it refuses.
    pub why: String,
}

/// How a body is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum BodyKind {
    /// The app does not read it.
    None,
    /// The handler reads the raw request: whatever comes.
    Opaque,
    /// As JSON if the Content-Type says so.
    Json {
        /// Whether a body without Content-Type is read as bytes (`true`, FastAPI's default since 0.132) or as JSON.
        strict_content_type: bool,
    },
    /// `application/x-www-form-urlencoded` or `multipart/form-data`.
    Form {
        /// Whether it has files.
        files: bool,
    },
}

/// One thing that FastAPI validates by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Input {
    /// Where it is looked for.
    pub location: Location,
    /// How it is taken out.
    pub take: Take,
    /// What it must be.
    pub shape: ShapeId,
    /// Whether it must be there.
    pub required: bool,
    /// The default is validated too.
    #[serde(default)]
    pub validate_default: bool,
}

/// Where an input is looked for; the first part of an error's `loc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Location {
    /// The path's parameters.
    Path,
    /// The query.
    Query,
    /// Headers.
    Header,
    /// Cookies.
    Cookie,
    /// The body.
    Body,
}

/// How a value is taken out of its location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Take {
    /// One field, by the first of these names that is there; `loc` is (location, that name or the first).
    Field {
        /// Names on the wire.
        names: Vec<String>,
        /// All values under the name, as a list; none at all counts as missing.
        multiple: bool,
        /// For a form: an upload, whose content is taken for the shape if it wants bytes.
        #[serde(default)]
        file: bool,
    },
    /// The whole location as an object, for a model of parameters or of a form; `loc` is (location).
    Group {
        /// The model's fields, as [`Take::Field`] takes them.
        fields: Vec<GroupField>,
        /// Whether the group counts as missing if none of its fields is there.
        optional: bool,
        /// Whether other values are handed to the model too: only then its extra policy sees them.
        extras: bool,
    },
    /// The whole body; `loc` is (`body`).
    Whole,
}

impl Take {
    /// The names on the wire; a whole body has none of its own.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let (own, fields) = match self {
            Self::Field { names, .. } => (names.as_slice(), [].as_slice()),
            Self::Group { fields, .. } => ([].as_slice(), fields.as_slice()),
            Self::Whole => ([].as_slice(), [].as_slice()),
        };
        let of_fields = fields.iter().flat_map(|field| &field.names).map(|(_, name)| name.as_str());
        own.iter().map(String::as_str).chain(of_fields)
    }
}

impl Operation {
    /// Headers that are declared, as what a key comes in or as a parameter.
    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        let keys = self.security.iter().flatten().filter_map(|requirement| match &requirement.scheme {
            SecurityScheme::ApiKey { location: Location::Header, name } => Some(name.as_str()),
            _ => None,
        });
        let inputs = self.inputs.iter().filter(|input| input.location == Location::Header);
        keys.chain(inputs.flat_map(|input| input.take.names()))
    }
}

/// A field of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GroupField {
    /// Pairs of the model's name for it and the name on the wire, in the order in which they are looked for.
    pub names: Vec<(String, String)>,
    /// As in [`Take::Field`].
    pub multiple: bool,
    /// As in [`Take::Field`].
    #[serde(default)]
    pub file: bool,
}

/// A requirement on who is calling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SecurityRequirement {
    /// The scheme's name.
    pub name: String,
    /// What it is.
    pub scheme: SecurityScheme,
    /// Scopes.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether the app itself refuses a request without it.
    pub auto_error: bool,
    /// The status with which FastAPI refuses a request without this credential. It is known where the
    /// scheme is of a class of FastAPI's own, as it was installed; a handler of the app's own for
    /// exceptions may still answer otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<u16>,
}

/// How a credential comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum SecurityScheme {
    /// `Authorization: Bearer`, with or without OAuth 2.
    Bearer {
        /// Where tokens come from, if the app says so.
        #[serde(default)]
        token_url: Option<String>,
    },
    /// `Authorization: Basic`.
    Basic,
    /// `Authorization: Digest`.
    Digest,
    /// A key under this name.
    ApiKey {
        /// `query`, `header` or `cookie`.
        location: Location,
        /// Its name there.
        name: String,
    },
    /// Something else.
    Other,
}

/// A promised answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Response {
    /// The status; none stands for every status that no other one names.
    #[serde(default)]
    pub status: Option<u16>,
    /// The first digit of all statuses that it stands for (`5XX`), where it names no single one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<u16>,
    /// What the JSON may hold, by the names that the app writes.
    #[serde(default)]
    pub shape: Option<ShapeId>,
    /// It is only documented (`responses=`), or code of the app's own may change it on its way out: FastAPI does not see to it.
    #[serde(default)]
    pub claimed: bool,
}

/// Names a shape in [`Contract::shapes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShapeId(pub u32);

/// What a value must be, as Pydantic's core schemas say it. A field that is none or false is left out of the JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[expect(missing_docs, reason = "the fields have the names that Pydantic's core schemas have")]
pub enum Shape {
    /// The app decides.
    Opaque {
        why: String,
    },
    /// Anything passes.
    Any,
    /// Nothing passes but null.
    None,
    Bool {
        #[serde(default)]
        strict: bool,
    },
    Int {
        #[serde(default)]
        strict: bool,
        /// Bounds are texts: they may be larger than any machine number.
        #[serde(default)]
        bounds: Bounds,
    },
    Float {
        #[serde(default)]
        strict: bool,
        /// Default true.
        #[serde(default = "yes")]
        allow_inf_nan: bool,
        #[serde(default)]
        bounds: Bounds,
    },
    Decimal {
        #[serde(default)]
        strict: bool,
        #[serde(default)]
        allow_inf_nan: bool,
        #[serde(default)]
        max_digits: Option<u64>,
        #[serde(default)]
        decimal_places: Option<u64>,
        #[serde(default)]
        bounds: Bounds,
    },
    Str {
        #[serde(default)]
        strict: bool,
        #[serde(default)]
        min_length: Option<u64>,
        #[serde(default)]
        max_length: Option<u64>,
        #[serde(default)]
        pattern: Option<String>,
        /// The pattern is one of Python's `re`; where it says something else to Rust's, the app decides.
        #[serde(default)]
        python_regex: bool,
        #[serde(default)]
        strip_whitespace: bool,
        #[serde(default)]
        to_lower: bool,
        #[serde(default)]
        to_upper: bool,
        #[serde(default)]
        coerce_numbers_to_str: bool,
        #[serde(default)]
        ascii_only: bool,
    },
    Bytes {
        #[serde(default)]
        strict: bool,
        #[serde(default)]
        min_length: Option<u64>,
        #[serde(default)]
        max_length: Option<u64>,
        /// How a text becomes bytes: `utf8`, `base64` or `hex`.
        #[serde(default)]
        from_text: BytesFrom,
    },
    Date {
        #[serde(default)]
        strict: bool,
        #[serde(default)]
        bounds: Bounds,
        /// `past` or `future`: the app's clock decides, so only that it is a date is checked.
        #[serde(default)]
        now: Option<String>,
    },
    Time {
        #[serde(default)]
        strict: bool,
        #[serde(default)]
        truncate: bool,
        #[serde(default)]
        bounds: Bounds,
        #[serde(default)]
        timezone: Timezone,
    },
    Datetime {
        #[serde(default)]
        strict: bool,
        #[serde(default)]
        truncate: bool,
        #[serde(default)]
        bounds: Bounds,
        #[serde(default)]
        timezone: Timezone,
        #[serde(default)]
        now: Option<String>,
    },
    Timedelta {
        #[serde(default)]
        strict: bool,
        #[serde(default)]
        truncate: bool,
        /// Bounds as ISO 8601 durations.
        #[serde(default)]
        bounds: Bounds,
    },
    /// One of these JSON values, as Python compares them.
    Literal {
        expected: Vec<Value>,
    },
    /// A member's value.
    Enum {
        /// Its class, as errors name it where only instances pass.
        #[serde(default)]
        name: String,
        values: Vec<Value>,
        /// `int`, `str` or `float` for enumerations that are such.
        #[serde(default)]
        sub_type: Option<String>,
        #[serde(default)]
        strict: bool,
        /// It has a `_missing_` of its own: the app decides about values that no member has.
        #[serde(default)]
        has_missing: bool,
    },
    Uuid {
        #[serde(default)]
        strict: bool,
        #[serde(default)]
        version: Option<u8>,
    },
    /// A URL, or several with hosts (`multi-host`).
    Url {
        #[serde(default)]
        multi_host: bool,
        #[serde(default)]
        max_length: Option<u64>,
        #[serde(default)]
        allowed_schemes: Option<Vec<String>>,
        #[serde(default)]
        host_required: bool,
        #[serde(default)]
        default_host: Option<String>,
        #[serde(default)]
        default_port: Option<u16>,
        #[serde(default)]
        default_path: Option<String>,
        #[serde(default)]
        strict: bool,
    },
    /// An IP address, interface or network: `ipv4-address`, `ipv6-address`, `ip-address`, `…-interface`, `…-network`.
    Ip {
        of: String,
    },
    List(Sequence),
    Set(Sequence),
    FrozenSet(Sequence),
    Tuple {
        items: Vec<ShapeId>,
        /// The index of the item that may stand any number of times.
        #[serde(default)]
        variadic: Option<u32>,
        #[serde(default)]
        min_length: Option<u64>,
        #[serde(default)]
        max_length: Option<u64>,
        #[serde(default)]
        strict: bool,
        /// Stops at the first error.
        #[serde(default)]
        fail_fast: bool,
    },
    Dict {
        keys: ShapeId,
        values: ShapeId,
        #[serde(default)]
        min_length: Option<u64>,
        #[serde(default)]
        max_length: Option<u64>,
        #[serde(default)]
        strict: bool,
        /// Stops at the first error.
        #[serde(default)]
        fail_fast: bool,
    },
    /// A model, dataclass or typed dict.
    Object(Object),
    Nullable {
        inner: ShapeId,
    },
    /// A default for what is missing; what is there must be the inner shape.
    WithDefault {
        inner: ShapeId,
    },
    /// The first that fits (`left-to-right`) or the best (`smart`).
    Union {
        choices: Vec<ShapeId>,
        /// What stands for each choice in an error's `loc`.
        labels: Vec<String>,
        #[serde(default)]
        left_to_right: bool,
    },
    /// The choice that a field names.
    TaggedUnion {
        /// Names of the field, in the order in which they are looked for; paths are opaque.
        discriminator: Vec<String>,
        /// How an error names it: `'kind'`.
        #[serde(default)]
        shown_as: Option<String>,
        /// Tags and their shapes, in order. Tags are texts or integers.
        choices: Vec<(Value, ShapeId)>,
    },
    /// A text that holds JSON.
    JsonText {
        #[serde(default)]
        inner: Option<ShapeId>,
    },
    /// The inner shape, then Python code that may still refuse.
    Then {
        inner: ShapeId,
        /// What runs.
        why: String,
    },
    /// An error of the app's own in the place of the inner one's.
    CustomError {
        inner: ShapeId,
        error_type: String,
        /// None if only the app can make it.
        #[serde(default)]
        message: Option<String>,
    },
    /// An upload.
    UploadFile,
}

/// Constraints on order. Numbers, dates and durations as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are Pydantic's")]
pub struct Bounds {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ge: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub le: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiple_of: Option<String>,
}

/// How a text becomes bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are Pydantic's")]
pub enum BytesFrom {
    #[default]
    Utf8,
    Base64,
    Hex,
}

/// Whether a time must know its zone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are Pydantic's")]
pub enum Timezone {
    #[default]
    Any,
    Naive,
    Aware,
    /// Aware, with this offset in seconds.
    #[serde(untagged)]
    Offset(i32),
}

/// A list, set or frozen set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are Pydantic's")]
pub struct Sequence {
    /// None: anything.
    #[serde(default)]
    pub items: Option<ShapeId>,
    #[serde(default)]
    pub min_length: Option<u64>,
    #[serde(default)]
    pub max_length: Option<u64>,
    #[serde(default)]
    pub strict: bool,
    /// Stops at the first error.
    #[serde(default)]
    pub fail_fast: bool,
}

/// A model, dataclass or typed dict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Object {
    /// Its class, as errors name it.
    pub name: String,
    /// Which of the three: decides the error for a value that is not an object.
    pub kind: ObjectKind,
    /// In order.
    pub fields: Vec<Field>,
    /// What becomes of other keys.
    pub extra: Extra,
    /// What the value of another key must be, where they are allowed.
    #[serde(default)]
    pub extras: Option<ShapeId>,
    /// What another key must be, where they are allowed.
    #[serde(default)]
    pub extra_keys: Option<ShapeId>,
    /// Only instances of a dataclass pass: in the data of a request there are none. Models and typed dicts take objects even so.
    #[serde(default)]
    pub strict: bool,
    /// A root model: the value itself is validated as this, and no object is looked for.
    #[serde(default)]
    pub root: Option<ShapeId>,
    /// Whether errors name fields by alias (Pydantic's default) or by name.
    #[serde(default = "yes")]
    pub loc_by_alias: bool,
}

/// Kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum ObjectKind {
    Model,
    Dataclass,
    TypedDict,
}

/// What becomes of keys that no field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are Pydantic's")]
pub enum Extra {
    Ignore,
    Forbid,
    Allow,
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Field {
    /// Its name in Python.
    pub name: String,
    /// The paths under which it is looked for, the first that is there counts: keys and indices.
    pub lookup: Vec<Vec<PathItem>>,
    /// What it must be.
    pub shape: ShapeId,
    /// Whether it must be there.
    pub required: bool,
    /// Its default is made by code or validated: only the app knows whether it passes.
    #[serde(default)]
    pub default_is_opaque: bool,
}

/// A step into a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PathItem {
    /// A key of an object.
    Key(String),
    /// An index of a list; negative ones count from its end.
    Index(i64),
}

const fn yes() -> bool {
    true
}
