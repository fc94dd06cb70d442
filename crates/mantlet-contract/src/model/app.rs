//! What the review needs of an app and the gate does not: how it is set up, and what its code was seen to do.
//! Facts only, and no secret. All of it is optional: what was not understood is not there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How an app is set up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct App {
    /// `FastAPI(debug=True)`
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub debug: bool,
    /// Paths of its documentation pages and of its document.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub docs: Vec<String>,
    /// Its middleware, from the outside in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub middleware: Vec<Middleware>,
    /// Keys with which it signs, if something is wrong with them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
    /// What its handlers of all exceptions do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signs: Vec<Sign>,
    /// Columns of what it keeps its objects in, by the names of tables and variables.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Vec<String>>,
    /// Not all of its code was read, because the time was up.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

/// A middleware, with what matters of its options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Middleware {
    /// `CORSMiddleware`
    Cors {
        /// Origins whose pages may read answers.
        #[serde(default)]
        origins: Vec<String>,
        /// A pattern of such origins.
        #[serde(default)]
        origin_regex: Option<String>,
        /// Their pages may send cookies.
        #[serde(default)]
        credentials: bool,
        /// Methods.
        #[serde(default)]
        methods: Vec<String>,
        /// Headers of requests.
        #[serde(default)]
        headers: Vec<String>,
    },
    /// `TrustedHostMiddleware`
    TrustedHost {
        /// Hosts that are the app's own.
        hosts: Vec<String>,
    },
    /// `SessionMiddleware`
    Session {
        /// The name of its cookie.
        #[serde(default)]
        cookie: Option<String>,
        /// The cookie is `Secure`.
        #[serde(default)]
        https_only: bool,
        /// Its `SameSite`.
        #[serde(default)]
        same_site: Option<String>,
        /// How long it is good, in seconds.
        #[serde(default)]
        max_age: Option<u64>,
        /// What is wrong with its key.
        #[serde(default)]
        key: Option<Key>,
    },
    /// `HTTPSRedirectMiddleware`
    HttpsRedirect,
    /// Another one.
    Other {
        /// Its name.
        name: String,
    },
}

/// A key with which an app signs, and how weak it is. Never what it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Key {
    /// What it is called.
    pub name: String,
    /// Its length in bytes, if it is too short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short: Option<u64>,
    /// It is made of words that stand for a key that is still to be chosen.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub placeholder: bool,
    /// It stands in the app's code.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub literal: bool,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// A line of a file of the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handler {
    /// Below the project's folder, with `/`.
    pub file: String,
    /// From 1.
    pub line: u32,
}

/// What the code of an operation does, and that of its dependencies and of the functions that it calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, by its name in the format")]
pub struct Code {
    /// What can be shown to be unsafe.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signs: Vec<Sign>,
    /// What it does to the app's objects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub touches: Vec<Touch>,
    /// Fields of the app's objects that get a value that the client has sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assigns: Vec<Assign>,
    /// Cookies that it sets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cookies: Vec<Cookie>,
    /// Cookies that its dependencies look for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reads_cookies: Vec<String>,
    /// Attributes of the caller that decide whether it refuses: `is_admin`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<String>,
    /// Those that let a caller do what else only the owner may.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excuses: Vec<String>,
    /// Attributes of the caller by which it chooses objects, or compares with them: `tenant_id`. `*` is the caller, or
    /// any of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chosen_by: Vec<String>,
    /// Inputs that say how many rows are read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bounds: Vec<String>,
    /// Inputs whose value, size or length it looks at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub measured: Vec<String>,
    /// It may refuse for want of a credential or of a right.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refuses: bool,
    /// It asks for a credential, and never looks at the one that it gets.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unchecked: bool,
    /// It finds out who is calling, and refuses a caller that it does not know.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub caller: bool,
    /// It is for callers, too, who do not say who they are.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// It makes an object with a password.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub makes_account: bool,
    /// It looks at who is calling, beyond that there is a caller.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub uses_caller: bool,
    /// Not all of it was understood.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// What its answer shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

/// Something in code that can be shown to be unsafe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sign {
    /// What it is.
    pub kind: SignKind,
    /// The file; none if it is not below the project's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line.
    pub line: u32,
    /// The input from which it comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The function that is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The status of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// A time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

/// What can be shown to be unsafe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignKind {
    /// Text of a client stands in a statement of SQL.
    SqlFromInput,
    /// Text of a client is run as code or as a command.
    CodeFromInput,
    /// A client chooses the host that the app asks.
    RequestToInput,
    /// A client chooses the host that a browser is sent to.
    RedirectToInput,
    /// A client chooses the path of a file.
    FileNameAsPath,
    /// A password is hashed with a function that is quick to guess.
    WeakPasswordHash,
    /// A password is kept, or compared, as it is.
    PasswordInPlain,
    /// A password is hashed well, in a form of the app's own.
    OwnPasswordHash,
    /// A token that never expires.
    TokenWithoutEnd,
    /// How long a token is good.
    TokenLifetime,
    /// The signature of a token is not verified.
    TokenUnverified,
    /// The text of any exception is told to clients.
    ErrorText,
    /// A key is shown in an answer.
    SecretShown,
    /// The certificate of the other side is not verified.
    UnverifiedPeer,
    /// Another service is asked without encryption.
    PlainHttp,
    /// A credential is compared with one that stands in the code.
    LiteralCredential,
    /// A number is random in a way that can be foretold.
    WeakRandom,
    /// Another service is waited for without a limit.
    NoTimeout,
}

/// What is done to objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Touch {
    /// The table, or the variable in which the app keeps them.
    pub store: String,
    /// What.
    pub how: Vec<How>,
    /// They are chosen, or judged, by who is calling.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_caller: bool,
    /// New ones hold who has made them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owned: bool,
    /// The fields in which they hold it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
}

/// What can be done to objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// They are looked for.
    Read,
    /// They are changed.
    Write,
    /// New ones are made.
    Create,
    /// They are removed.
    Delete,
}

/// A field of an object that gets a value that a client has sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    /// The table, or the variable in which the app keeps its objects.
    pub store: String,
    /// The field; `*` for any that the client names.
    pub field: String,
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line.
    pub line: u32,
}

/// A cookie that is set, as far as the code says how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cookie {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `Secure`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure: Option<bool>,
    /// `HttpOnly`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_only: Option<bool>,
    /// `SameSite`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_site: Option<String>,
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line.
    pub line: u32,
}

/// What an answer shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// Objects of a table, or of a variable, with all that they have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<String>,
    /// Fields of the declared model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub declared: Vec<String>,
    /// Those of them that hold passwords.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
}
