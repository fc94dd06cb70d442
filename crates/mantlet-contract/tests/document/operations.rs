//! Routes, parameters, bodies, responses, security.

use mantlet_contract::{
    document::{self, DocumentError},
    model::{Contract, Location, SecurityRequirement, SecurityScheme},
    routes::{Found, Routes, Visibility, Wanted},
};
use serde_json::{Value, json};

use crate::show;

fn read(document: &Value) -> Contract {
    document::read(&document.to_string()).unwrap()
}

fn with_paths(paths: &Value) -> Contract {
    read(&json!({"openapi": "3.1.0", "paths": paths}))
}

fn with_operation(operation: &Value) -> Contract {
    with_paths(&json!({"/a/{id}": {"post": operation}}))
}

fn whys(contract: &Contract) -> Vec<&str> {
    contract.notes.iter().map(|note| note.why.as_str()).collect()
}

#[test]
fn what_is_no_document_is_an_error_that_says_what_to_do() {
    let operation = r#""paths": {"/": {"get": {}}}"#;
    for (text, expected) in [
        (String::new(), "the document is empty"),
        ("  \n".to_owned(), "the document is empty"),
        ("{".to_owned(), "not valid JSON"),
        ("{}".to_owned(), "not an OpenAPI document"),
        ("[]".to_owned(), "not an OpenAPI document"),
        ("<html>".to_owned(), "not an OpenAPI document"),
        ("a: [b".to_owned(), "neither JSON nor valid YAML"),
        (format!(r#"{{"swagger": "2.0", {operation}}}"#), "Swagger 2.0"),
        (format!(r#"{{"openapi": "3.7.1", {operation}}}"#), "OpenAPI 3.7.1"),
        (format!(r#"{{"openapi": "3.10.0", {operation}}}"#), "OpenAPI 3.10.0"),
        (r#"{"openapi": "3.1.0"}"#.to_owned(), "no operations"),
        (r#"{"openapi": "3.1.0", "paths": {"/": {"summary": "x"}}}"#.to_owned(), "no operations"),
        (r#"{"openapi": "3.1.0", "paths": []}"#.to_owned(), "no operations"),
    ] {
        let error = document::read(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    assert_eq!(document::read("null"), Err(DocumentError::NotOpenApi));
}

#[test]
fn yaml_is_read_as_json_is() {
    let contract = document::read(
        "
openapi: 3.0.0
info: {title: Shop}
paths:
  /b:
    get:
      parameters:
        - {name: on, in: query, schema: {enum: [on, no, 5, null, 2024-01-01]}}
      responses:
        200: {description: ok}
  /a:
    get: &same
      operationId: same
    put: *same
",
    )
    .unwrap();
    assert_eq!(contract.title.as_deref(), Some("Shop"));
    assert_eq!(show::routes(&contract), ["GET /b", "GET /a", "PUT /a"]);
    let (.., operation) = show::operations(&contract).next().unwrap();
    assert_eq!(
        show::inputs(&contract, operation),
        [r#"query on ?(literal["on","no","2024-01-01"] | enum[5])"#]
    );
    assert_eq!(operation.responses[0].status, Some(200));
}

#[test]
fn routes_keep_their_order_and_nothing_is_refused() {
    for (servers, paths, expected) in [
        (
            json!(null),
            r#"{"/b": {"get": {}}, "/a/{x}": {"get": {}, "post": {}}}"#,
            vec!["GET /b", "GET /a/{x}", "POST /a/{x}"],
        ),
        // Prefixes of servers, and the path as it is.
        (
            json!([{"url": "https://a.example/api/v1/"}, {"url": "/"}, {"url": "https://{h}/{v}", "variables": {"h": {"default": "x"}, "v": {"default": "v2"}}}]),
            r#"{"/b": {"get": {}}}"#,
            vec!["GET /b", "GET /api/v1/b", "GET /v2/b"],
        ),
        (json!([{"url": "v1"}]), r#"{"/b": {"get": {}}}"#, vec!["GET /b"]),
        (
            json!([{"url": "/p"}]),
            r#"{"/b": {"get": {"servers": [{"url": "/q"}]}, "put": {}}}"#,
            vec!["GET /b", "GET /q/b", "PUT /b", "PUT /p/b"],
        ),
        // Without parameters they win.
        (json!(null), r#"{"/{x}": {"get": {}}, "/b": {"get": {}}}"#, vec!["GET /b", "GET /{x}"]),
        // Order and precision agree.
        (
            json!(null),
            r#"{"/{x}/b": {"get": {}}, "/{x}/{y}": {"get": {}}}"#,
            vec!["GET /{x}/b", "GET /{x}/{y}"],
        ),
        // They do not.
        (
            json!(null),
            r#"{"/{x}/{y}": {"get": {}}, "/{x}/b": {"get": {}}}"#,
            vec!["GET /{p0}/b (unjudged)", "GET /{x}/{y}", "GET /{x}/b"],
        ),
        (
            json!(null),
            r#"{"/{x}/b": {"get": {}}, "/a/{y}": {"get": {}}}"#,
            vec!["GET /a/b (unjudged)", "GET /{x}/b", "GET /a/{y}"],
        ),
        (
            json!(null),
            r#"{"/a/{x}": {"get": {}}, "/a/{y}": {"get": {}}}"#,
            vec!["GET /a/{p1} (unjudged)", "GET /a/{x}", "GET /a/{y}"],
        ),
        (json!(null), r#"{"/a/{x}": {"get": {}}, "/a/{y}": {"put": {}}}"#, vec!["GET /a/{x}", "PUT /a/{y}"]),
        (
            json!(null),
            r#"{"/a/{x}.json": {"get": {}}, "/a/{y}.xml": {"get": {}}, "/a/": {"get": {}}}"#,
            vec!["GET /a/", "GET /a/{x}.json", "GET /a/{y}.xml"],
        ),
        (
            json!([{"url": "/v"}]),
            r#"{"/v/b": {"get": {}}, "/b": {"get": {}}}"#,
            vec!["GET /v/b (unjudged)", "GET /v/b", "GET /v/v/b", "GET /b", "GET /v/b"],
        ),
        // What is broken is left out.
        (
            json!(null),
            r#"{"b": {"get": {}}, "/a?b": {"get": {}}, "/c": 5, "/d": {"get": 5}, "x-e": {"get": {}}, "/f": {"get": {}}}"#,
            vec!["GET /f"],
        ),
    ] {
        let text = format!(r#"{{"openapi": "3.1.0", "servers": {servers}, "paths": {paths}}}"#);
        let contract = document::read(&text).unwrap();
        let mut routes = show::routes(&contract);
        let of_servers = contract.notes.iter().any(|note| note.at.starts_with("#/servers"));
        let is_broken = paths.contains("x-e") || of_servers;
        if is_broken {
            // What could not be read may be any path.
            assert_eq!(routes.pop().as_deref(), Some("opaque"));
        }
        assert_eq!(routes, expected, "{paths}");
        assert_eq!(
            contract.notes.iter().any(|note| note.why.contains("both fit") || note.why.contains("prefix")),
            expected[0].contains("unjudged")
        );
        let (routes, errors) = Routes::compile(&contract.router);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(routes.is_complete(), !is_broken);
        let found = routes.find(Wanted::Http("GET"), "/far/from/all/that");
        if is_broken {
            assert!(matches!(found, Found::Opaque), "{found:?}");
        } else {
            assert!(matches!(found, Found::None { certain: true }), "{found:?}");
        }
    }
}

#[test]
fn fastapis_own_pages_are_known() {
    let contract = document::read(
        r##"{
        "openapi": "3.1.0", "servers": [{"url": "/api"}],
        "paths": {"/b": {"get": {}}},
        "components": {"schemas": {"ValidationError": {}, "HTTPValidationError": {"properties": {
            "detail": {"items": {"$ref": "#/components/schemas/ValidationError"}}
        }}}}
    }"##,
    )
    .unwrap();
    let (routes, _) = Routes::compile(&contract.router);
    for path in ["/docs", "/redoc", "/openapi.json", "/api/docs", "/api/openapi.json"] {
        let found = routes.find(Wanted::Http("GET"), path);
        let Found::Http { route, .. } = found else { panic!("{path}: {found:?}") };
        assert_eq!(route.visibility, Visibility::Docs, "{path}");
    }
    assert!(matches!(routes.find(Wanted::Http("GET"), "/b/"), Found::Redirect));
    assert!(matches!(routes.find(Wanted::Http("DELETE"), "/b"), Found::MethodNotAllowed(_)));
}

#[test]
fn in_fastapis_documents_the_order_is_the_apps() {
    let contract = document::read(
        r##"{
        "openapi": "3.1.0",
        "paths": {"/{x}": {"get": {}}, "/b": {"get": {}}},
        "components": {"schemas": {"ValidationError": {}, "HTTPValidationError": {"properties": {
            "detail": {"items": {"$ref": "#/components/schemas/ValidationError"}}
        }}}}
    }"##,
    )
    .unwrap();
    let mut routes = show::routes(&contract);
    let pages = routes.drain(..4).filter(|route| route.ends_with("(unjudged)"));
    assert_eq!(pages.count(), 4);
    assert_eq!(routes, ["GET /b (unjudged)", "GET /b", "GET /{x}"]);
}

#[test]
fn references_to_parts_of_operations() {
    let contract = read(&json!({
        "openapi": "3.1.0",
        "paths": {
            "/a/{id}": {"$ref": "#/components/pathItems/Item"},
            "/b": {"$ref": "other.yaml"},
            "/c": {"get": {"responses": {"200": {"$ref": "#/components/responses/Ok"}, "404": {"$ref": "#/nowhere"}}}},
        },
        "components": {
            "pathItems": {"Item": {"put": {"parameters": [{"$ref": "#/components/parameters/Id"}, {"$ref": "#/nowhere"}], "requestBody": {"$ref": "#/components/requestBodies/B"}}}},
            "parameters": {"Id": {"name": "id", "in": "path", "schema": {"type": "integer"}}},
            "requestBodies": {"B": {"content": {"application/json": {"schema": {"type": "boolean"}}}}},
            "responses": {"Ok": {"content": {"application/json": {"schema": {"type": "string"}}}}},
        },
    }));
    let all: Vec<_> = show::operations(&contract).collect();
    assert_eq!(show::inputs(&contract, all[1].2), ["path id! int", "body bool"]);
    assert_eq!(show::shape(&contract, all[0].2.responses[0].shape.unwrap()), "str");
    assert_eq!(contract.notes.len(), 3, "{:?}", contract.notes);
}

#[test]
fn parameters() {
    let string = json!({"type": "string"});
    let strings = json!({"type": "array", "items": string});
    let object = json!({"type": "object"});
    for (parameter, expected) in [
        (
            json!({"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}),
            "path id! int",
        ),
        (json!({"name": "q", "in": "query", "schema": string}), "query q str"),
        (json!({"name": "q", "in": "query", "required": true, "schema": string}), "query q! str"),
        (
            json!({"name": "q", "in": "query", "required": true, "schema": {"type": ["string", "null"]}}),
            "query q ?str",
        ),
        (json!({"name": "q", "in": "query", "schema": {}}), "query q any"),
        (json!({"name": "q", "in": "query", "required": true, "schema": strings}), "query q* [str]"),
        (json!({"name": "q", "in": "query", "explode": false, "schema": strings}), "query q opaque"),
        (json!({"name": "q", "in": "query", "style": "pipeDelimited", "schema": strings}), "query q opaque"),
        (
            json!({"name": "q", "in": "query", "style": "spaceDelimited", "explode": true, "schema": strings}),
            "query q opaque",
        ),
        (
            json!({"name": "q", "in": "query", "allowEmptyValue": true, "schema": {"type": "integer"}}),
            "query q opaque",
        ),
        (json!({"name": "q", "in": "query", "schema": {"anyOf": [strings, string]}}), "query q opaque"),
        (
            json!({"name": "q", "in": "query", "schema": {"anyOf": [strings, {"type": "null"}]}}),
            "query q* ?[str]",
        ),
        (json!({"name": "q", "in": "query", "schema": object}), ""),
        (json!({"name": "q", "in": "query", "style": "deepObject", "required": true, "schema": object}), ""),
        (json!({"name": "q", "in": "query", "explode": false, "schema": object}), "query q opaque"),
        (
            json!({"name": "q", "in": "query", "required": true, "content": {"application/json": {"schema": object}}}),
            "query q! json(dict[str: any])",
        ),
        (json!({"name": "q", "in": "query", "content": {"text/csv": {}}}), "query q opaque"),
        (json!({"name": "q", "in": "query"}), "query q opaque"),
        (json!({"name": "X-A", "in": "header", "schema": {"type": "integer"}}), "header X-A int"),
        (json!({"name": "X-A", "in": "header", "schema": strings}), "header X-A opaque"),
        (json!({"name": "Authorization", "in": "header", "required": true, "schema": string}), ""),
        (json!({"name": "c", "in": "cookie", "schema": string}), "cookie c str"),
        (json!({"name": "c", "in": "cookie", "schema": strings}), "cookie c opaque"),
        (json!({"name": "id", "in": "path", "style": "matrix", "schema": string}), "path id! opaque"),
        (json!({"name": "id", "in": "path", "schema": strings}), "path id! opaque"),
        (json!({"name": "other", "in": "path", "schema": string}), ""),
        (json!({"name": "x", "in": "body", "schema": string}), ""),
        (json!({"name": "x"}), ""),
        (json!(5), ""),
    ] {
        let contract = with_operation(&json!({"parameters": [parameter]}));
        let (.., operation) = show::operations(&contract).next().unwrap();
        let shown = show::inputs(&contract, operation).join("; ");
        assert_eq!(shown, expected, "{parameter}");
        let is_scattered = expected.is_empty() && parameter["schema"]["type"] == "object";
        assert_eq!(operation.reads_request, is_scattered, "{parameter}");
    }
}

#[test]
fn an_operations_parameters_stand_in_for_the_paths() {
    let parameter = |name: &str, location: &str, kind: &str| json!({"name": name, "in": location, "schema": {"type": kind}});
    let contract = with_paths(&json!({"/{item-id}": {
        "parameters": [parameter("item-id", "path", "integer"), parameter("a", "query", "integer"), parameter("X-A", "header", "integer")],
        "get": {"parameters": [parameter("a", "query", "string"), parameter("a", "cookie", "string"), parameter("x-a", "header", "string")]},
    }}));
    let (_, path, operation) = show::operations(&contract).next().unwrap();
    assert_eq!(path, "/{item_id}");
    let expected = ["path item_id! int", "query a str", "header x-a str", "cookie a str"];
    assert_eq!(show::inputs(&contract, operation), expected);
}

#[test]
fn bodies() {
    let schema =
        json!({"schema": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}});
    let file = json!({"type": "string", "format": "binary"});
    for (body, kind, expected) in [
        (json!(null), "opaque", ""),
        (json!({"content": {}}), "opaque", ""),
        (json!({"content": {"application/json": schema}}), "json", "body {a!: int, +any}"),
        (
            json!({"required": true, "content": {"application/json; charset=utf-8": schema}}),
            "json",
            "body! {a!: int, +any}",
        ),
        (
            json!({"content": {"application/merge-patch+json": schema, "application/json": schema}}),
            "json",
            "body {a!: int, +any}",
        ),
        (json!({"content": {"application/json": {}, "application/x+json": schema}}), "opaque", ""),
        (json!({"content": {"application/json": {}}}), "json", "body any"),
        (json!({"content": {"application/json": schema, "application/xml": schema}}), "opaque", ""),
        (json!({"content": {"text/json": schema}}), "opaque", ""),
        (json!({"content": {"application/octet-stream": {}}}), "opaque", ""),
        (json!({"content": {"*/*": schema}}), "opaque", ""),
        (
            json!({"required": true, "content": {"application/x-www-form-urlencoded": schema}}),
            "form",
            "body! {a!: int, +any}",
        ),
        (
            json!({"content": {"application/x-www-form-urlencoded": schema, "multipart/form-data": schema}}),
            "form",
            "body {a!: int, +any}",
        ),
        (
            // An empty text may be sent, which FastAPI takes for none.
            json!({"content": {"multipart/form-data": {"schema": {"type": "object", "required": ["f", "s", "l"], "properties": {
                "f": file, "fs": {"type": "array", "items": file}, "l": {"type": "array", "items": {"type": "integer"}}, "s": {"type": "string"},
            }}}}}),
            "files",
            "body f@,fs@*,l* {f!: any, fs: any, l: [int], s: str, +any}",
        ),
        (
            json!({"content": {"multipart/form-data": {"schema": {"type": "object", "properties": {"i": {}, "o": {"type": "object"}}, "additionalProperties": false}, "encoding": {"i": {"contentType": "image/png"}}}}}),
            "files",
            "body i@ {i: any, o: opaque, +any}",
        ),
        (
            json!({"content": {"application/x-www-form-urlencoded": {"schema": {"type": "object", "required": ["e"], "properties": {"e": {"type": "array"}}, "additionalProperties": false}, "encoding": {"e": {"style": "deepObject", "explode": true}}}}}),
            "form",
            "body {e: opaque, +any}",
        ),
        (
            json!({"content": {"multipart/form-data": {"schema": {"oneOf": [schema["schema"], {"type": "object"}]}}}}),
            "opaque",
            "",
        ),
        (json!({"content": {"multipart/form-data": {}}}), "opaque", ""),
    ] {
        let contract = with_operation(&json!({"requestBody": body}));
        let (.., operation) = show::operations(&contract).next().unwrap();
        let shown = show::inputs(&contract, operation).join("; ");
        assert_eq!((show::body(operation), shown), (kind, expected.to_owned()), "{body}");
        let is_noted = kind == "opaque" && !body.is_null() || expected.contains("opaque");
        assert_eq!(!contract.notes.is_empty(), is_noted, "{body}: {:?}", whys(&contract));
    }
}

#[test]
fn responses_by_status() {
    let json = |kind: &str| json!({"content": {"application/json": {"schema": {"type": kind}}}});
    let shown = |responses: Value| {
        let contract = with_operation(&json!({"responses": responses}));
        let (.., operation) = show::operations(&contract).next().unwrap();
        let all = operation.responses.iter().map(|response| {
            let status = match (response.status, response.class) {
                (Some(status), _) => status.to_string(),
                (None, Some(class)) => format!("{class}XX"),
                (None, None) => "default".to_owned(),
            };
            let shape = response.shape.map_or_else(|| "nothing".to_owned(), |id| show::shape(&contract, id));
            format!("{status} {shape}")
        });
        all.collect::<Vec<_>>()
    };
    assert_eq!(
        shown(json!({"200": json("string"), "404": {}, "default": json("integer"), "x-a": {}, "abc": {}})),
        ["200 str", "404 nothing", "default int"]
    );
    assert_eq!(shown(json!({"204": {}, "4XX": {}})), ["204 nothing", "4XX nothing"]);
    let ranged = shown(json!({"404": json("boolean"), "4XX": json("string"), "5XX": {}}));
    assert_eq!(
        (ranged.len(), &*ranged[3], &*ranged[4], &*ranged[5]),
        (102, "403 str", "404 bool", "405 str")
    );
    // Else the default would be taken for what these promise.
    let ranged = shown(json!({"5XX": {}, "default": json("string")}));
    assert!(
        ranged.contains(&"5XX nothing".to_owned()) && ranged.contains(&"default str".to_owned()),
        "{ranged:?}"
    );
    assert_eq!((ranged.len(), &*ranged[0]), (102, "500 nothing"));
    assert_eq!(shown(json!({"200": {"content": {"*/*": {"schema": {"type": "integer"}}}}})), ["200 int"]);
    assert_eq!(
        shown(json!({"200": {"content": {"text/plain": {"schema": {"type": "integer"}}}}})),
        ["200 nothing"]
    );
}

#[test]
fn what_only_requests_have_is_no_field_of_a_response() {
    let schema = json!({"type": "object", "required": ["a", "b"], "properties": {"a": {"readOnly": true}, "b": {"writeOnly": true}}});
    let content = json!({"content": {"application/json": {"schema": schema}}});
    let contract = with_operation(&json!({"requestBody": content, "responses": {"200": content}}));
    let (.., operation) = show::operations(&contract).next().unwrap();
    assert_eq!(show::inputs(&contract, operation), ["body {a: any, b!: any, +any}"]);
    assert_eq!(show::shape(&contract, operation.responses[0].shape.unwrap()), "{a: any, +any}");
}

#[test]
fn security_is_told_and_not_enforced() {
    let contract = read(&json!({
        "openapi": "3.1.0",
        "security": [{"key": []}],
        "paths": {
            "/a": {"get": {}},
            "/b": {"get": {"security": []}},
            "/c": {"get": {"security": [{}, {"http": [], "oauth": ["read"]}, {"unknown": []}]}},
        },
        "components": {"securitySchemes": {
            "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
            "oauth": {"type": "oauth2", "flows": {"password": {"tokenUrl": "/token"}}},
            "http": {"type": "http", "scheme": "Basic"},
        }},
    }));
    let all: Vec<_> = show::operations(&contract).map(|(.., operation)| &operation.security).collect();
    let requirement = |name: &str, scheme, scopes: &[&str]| SecurityRequirement {
        name: name.to_owned(),
        scheme,
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        auto_error: false,
        missing: None,
    };
    let key = SecurityScheme::ApiKey { location: Location::Header, name: "X-Key".to_owned() };
    assert_eq!(all[0], &[[requirement("key", key, &[])]]);
    assert!(all[1].is_empty());
    let oauth =
        requirement("oauth", SecurityScheme::Bearer { token_url: Some("/token".to_owned()) }, &["read"]);
    let basic = requirement("http", SecurityScheme::Basic, &[]);
    assert_eq!(
        all[2],
        &[vec![], vec![basic, oauth], vec![requirement("unknown", SecurityScheme::Other, &[])]]
    );
    assert_eq!(whys(&contract), ["the security scheme `unknown` is described nowhere"]);
}
