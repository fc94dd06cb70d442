//! What there is, as an OpenAPI document: for people, for `/docs`, and for the gate, which finds in it what it guards.

use serde_json::{Map, Value, json};

use crate::{
    SignIn,
    operations::{self, Body, Field, Kind, MFA_GRANT, OPERATIONS, Operation, What},
    pages::FORMS,
};

/// The name of the scheme by which `/docs` logs in, as FastAPI's own class is called.
const BEARER: &str = "OAuth2PasswordBearer";
const COOKIE: &str = "SessionCookie";

pub(crate) fn document(sign_in: &SignIn) -> Value {
    let below = sign_in.settings.path.as_str();
    let mut paths = Map::new();
    let mut add = |path: String, method: &str, operation: Value| {
        let item = paths.entry(path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(method.to_ascii_lowercase(), operation);
        }
    };
    for operation in &OPERATIONS {
        if operation.what == What::Register && !sign_in.settings.registration {
            continue;
        }
        let root = if operation.is_well_known() { "" } else { below };
        add(format!("{root}{}", operation.path), operation.method, described(operation));
    }
    for (path, fields) in FORMS {
        if *path == "/register" && !sign_in.settings.registration {
            continue;
        }
        add(format!("{below}{path}"), "POST", page(path, fields));
    }
    let scopes: Map<String, Value> =
        sign_in.scopes.iter().map(|scope| (scope.clone(), Value::String(String::new()))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {"title": format!("Accounts of {}", sign_in.settings.app), "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                BEARER: {
                    "type": "oauth2",
                    "flows": {"password": {
                        "tokenUrl": format!("{below}/token"),
                        "refreshUrl": format!("{below}/token"),
                        "scopes": scopes,
                    }},
                },
                COOKIE: {"type": "apiKey", "in": "cookie", "name": mantlet_controls::accounts::COOKIES[0]},
            },
        },
    })
}

fn described(operation: &Operation) -> Value {
    let mut all = json!({
        "tags": ["accounts"],
        "summary": operation.summary,
        "operationId": operation.id,
        "responses": answers(operation),
    });
    let Some(members) = all.as_object_mut() else { return all };
    if operation.is_own {
        members.insert("security".to_owned(), security());
    }
    let taken = match operation.body {
        Body::Nothing => None,
        Body::Json(fields) => Some(body("application/json", fields)),
        Body::Form(fields) => Some(body("application/x-www-form-urlencoded", fields)),
    };
    if let Some(taken) = taken {
        members.insert("requestBody".to_owned(), taken);
    }
    if operation.path == operations::SESSION {
        let schema = json!({"type": "string", "format": "uuid"});
        members.insert(
            "parameters".to_owned(),
            json!([{"name": "id", "in": "path", "required": true, "schema": schema}]),
        );
    }
    all
}

fn security() -> Value {
    json!([{BEARER: []}, {COOKIE: []}])
}

fn body(kind: &str, fields: &[Field]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), schema(field))).collect();
    let required: Vec<&str> =
        fields.iter().filter(|field| field.is_required).map(|field| field.name).collect();
    let mut schema = json!({"type": "object", "properties": properties});
    if let (Some(schema), false) = (schema.as_object_mut(), required.is_empty()) {
        schema.insert("required".to_owned(), json!(required));
    }
    json!({"required": true, "content": {kind: {"schema": schema}}})
}

/// An address has no format `email`: what may be one is read more freely.
fn schema(field: &Field) -> Value {
    let mut schema = json!({"type": "string", "maxLength": field.most});
    let Some(members) = schema.as_object_mut() else { return schema };
    if field.is_required {
        members.insert("minLength".to_owned(), json!(1));
    }
    match (field.name, field.kind) {
        ("grant_type", _) => {
            members.insert("default".to_owned(), json!("password"));
            let said = format!("`password`, `refresh_token` or `{MFA_GRANT}`");
            members.insert("description".to_owned(), json!(said));
        }
        (_, Kind::Secret) if field.name.contains("password") => {
            members.insert("format".to_owned(), json!("password"));
        }
        _ => {}
    }
    schema
}

/// A form of a page: it answers with a page, or leads to one.
fn page(path: &str, names: &[&'static str]) -> Value {
    let fields: Vec<Field> = names.iter().map(|name| of_page(name)).collect();
    let name = path.replace(['/', '-'], "_");
    let mut all = json!({
        "tags": ["account pages"],
        "summary": format!("The form of the page {path}"),
        "operationId": format!("page{name}"),
        "responses": {
            "200": {"description": "A page that says what was done.", "content": {"text/html": {}}},
            "303": {"description": "It is done: the next page."},
            "4XX": {"description": "The page again, with what is wrong.", "content": {"text/html": {}}},
            "503": unavailable("text/html"),
        },
    });
    let Some(members) = all.as_object_mut() else { return all };
    if !fields.is_empty() {
        members.insert("requestBody".to_owned(), body("application/x-www-form-urlencoded", &fields));
    }
    if path.starts_with("/account") || path == "/logout" {
        members.insert("security".to_owned(), json!([{COOKIE: []}]));
    }
    all
}

/// A field of a page's form, by its name.
fn of_page(name: &'static str) -> Field {
    match name {
        "email" => operations::field(name, Kind::Address, operations::ADDRESS),
        "next" => operations::optional(name, Kind::Text, 2048),
        _ => operations::field(name, Kind::Secret, operations::PASSWORD),
    }
}

fn unavailable(kind: &str) -> Value {
    json!({
        "description": "Accounts cannot be reached at the moment.",
        "headers": {"Retry-After": {"schema": {"type": "integer"}}},
        "content": {kind: {}},
    })
}

fn answers(operation: &Operation) -> Value {
    let one = |description: &str, schema: Option<Value>| match schema {
        Some(schema) => {
            json!({"description": description, "content": {"application/json": {"schema": schema}}})
        }
        None => json!({ "description": description }),
    };
    let named = |name: &str| Some(json!({"$ref": format!("#/components/schemas/{name}")}));
    let is_oauth = matches!(operation.body, Body::Form(_));
    let wrong = if is_oauth { "OAuthError" } else { "Detail" };
    let success = match operation.what {
        What::Token => named("Tokens"),
        What::Me | What::Login | What::LoginSecondFactor => named("Account"),
        What::Sessions => Some(json!({"type": "array", "items": {"$ref": "#/components/schemas/Session"}})),
        What::FactorEnrol => named("Enrolment"),
        What::FactorConfirm | What::FactorRecoveryCodes => named("RecoveryCodes"),
        What::Jwks | What::Metadata => Some(json!({"type": "object"})),
        _ if matches!(operation.success, 200 | 202) && !is_oauth => named("Detail"),
        _ => None,
    };
    let mut answers = Map::new();
    answers.insert(operation.success.to_string(), one("It is done.", success));
    for (status, said) in operation.others {
        answers.insert(status.to_string(), one(said, named(wrong)));
    }
    if operation.is_own {
        answers.insert("401".to_owned(), one("Not logged in.", named("Detail")));
    }
    if matches!(operation.body, Body::Json(_)) {
        answers.insert("422".to_owned(), one("Validation Error", named("HTTPValidationError")));
    }
    if operation.what != What::Metadata {
        answers.insert("503".to_owned(), unavailable("application/json"));
    }
    Value::Object(answers)
}

fn schemas() -> Value {
    let text = json!({"type": "string"});
    let time = json!({"type": "string", "format": "date-time"});
    let object = |properties: Value, required: &[&str]| json!({"type": "object", "properties": properties, "required": required});
    json!({
        "Detail": object(json!({"detail": text, "error": text, "mfa_token": text}), &["detail"]),
        "OAuthError": object(json!({"error": text, "error_description": text, "mfa_token": text}), &["error"]),
        "Tokens": object(
            json!({
                "access_token": text,
                "token_type": {"const": "bearer"},
                "expires_in": {"type": "integer"},
                "refresh_token": text,
                "scope": text,
            }),
            &["access_token", "token_type", "expires_in", "refresh_token"],
        ),
        "Account": object(
            json!({
                "id": text,
                "email": text,
                "is_verified": {"type": "boolean"},
                "has_second_factor": {"type": "boolean"},
                "created": time,
                "session": {"type": "object"},
            }),
            &["id", "email", "is_verified", "has_second_factor", "created", "session"],
        ),
        "Session": object(
            json!({
                "id": text,
                "kind": {"enum": ["browser", "tokens"]},
                "device": text,
                "factors": {"type": "integer"},
                "scope": text,
                "created": time,
                "last_seen": time,
                "is_current": {"type": "boolean"},
            }),
            &["id", "kind", "device", "factors", "scope", "created", "last_seen", "is_current"],
        ),
        "Enrolment": object(json!({"secret": text, "url": text}), &["secret", "url"]),
        "RecoveryCodes": object(json!({"recovery_codes": {"type": "array", "items": text}}), &["recovery_codes"]),
        "ValidationError": object(
            json!({
                "loc": {"type": "array", "items": {"anyOf": [text, {"type": "integer"}]}},
                "msg": text,
                "type": text,
                "ctx": {"type": "object"},
            }),
            &["loc", "msg", "type"],
        ),
        "HTTPValidationError": {
            "type": "object",
            "properties": {
                "detail": {"type": "array", "items": {"$ref": "#/components/schemas/ValidationError"}},
            },
        },
    })
}
