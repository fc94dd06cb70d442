//! What the inspector reads of an app, through `mantlet contract`.

use std::collections::BTreeMap;

use mantlet_contract::model::{Contract, Operation, Route, Router, ShapeId};
use serde_json::{Value, json};

use crate::kit::command::{Finished, THREE_LINES, Typed};

/// The contract of an app, with the operations by their method and path.
struct Read {
    contract: Contract,
    json: Value,
    said: String,
}

fn read(typed: Typed) -> Read {
    let Finished { code, stdout, stderr, runtime, .. } = typed.finish();
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(runtime.path().read_dir().unwrap().count(), 0, "nothing private is left behind");
    Read {
        contract: serde_json::from_str(&stdout).expect("only the contract is printed"),
        json: serde_json::from_str(&stdout).unwrap(),
        said: stderr,
    }
}

fn everything() -> Read {
    read(Typed::mantlet(["contract", "contract_app:app"]).app("contract_app.py"))
}

fn routed<'a>(router: &'a Router, at: &str, found: &mut BTreeMap<String, &'a Route>) {
    for route in &router.routes {
        match route {
            Route::Http { path, methods, .. } => {
                found.insert(format!("{} {at}{path}", methods.join(",")), route);
            }
            Route::WebSocket { path } => {
                found.insert(format!("ws {at}{path}"), route);
            }
            Route::Mount { path, router } => {
                found.insert(format!("mount {at}{path}"), route);
                if let Some(router) = router {
                    routed(router, &format!("{at}{path}"), found);
                }
            }
            Route::Host { host, router } => {
                found.insert(format!("host {host}"), route);
                if let Some(router) = router {
                    routed(router, &format!("{host}{at}"), found);
                }
            }
            Route::Opaque { why, .. } => {
                found.insert(why.clone(), route);
            }
        }
    }
}

impl Read {
    fn routes(&self) -> BTreeMap<String, &Route> {
        let mut found = BTreeMap::new();
        routed(&self.contract.router, "", &mut found);
        found
    }

    fn operation(&self, route: &str) -> &Operation {
        match self.routes().get(route) {
            Some(Route::Http { operation: Some(operation), .. }) => operation,
            other => panic!("{route} is {other:?}; there are {:?}", self.routes().keys()),
        }
    }

    fn shape(&self, id: ShapeId) -> &Value {
        &self.json["shapes"][id.0 as usize]
    }

    /// A shape with those inside it in place of their numbers, down to objects, of which only the names remain.
    fn spelled(&self, id: u64) -> Value {
        let mut shape = self.json["shapes"][usize::try_from(id).unwrap()].clone();
        if shape["type"] == "object" && shape.get("root").is_none() {
            return json!(shape["name"]);
        }
        let parts = ["inner", "items", "keys", "values", "root", "extras"];
        for part in parts {
            if let Some(number) = shape[part].as_u64() {
                shape[part] = self.spelled(number);
            }
        }
        for part in ["items", "choices"] {
            let Some(list) = shape.get_mut(part).and_then(Value::as_array_mut) else { continue };
            for item in list {
                let number = item.as_array().map_or(&*item, |pair| &pair[1]).as_u64().unwrap();
                *item = self.spelled(number);
            }
        }
        let shape = shape.as_object_mut().unwrap();
        shape.retain(|_, value| !value.is_null());
        json!(shape)
    }

    /// The fields of an object, spelled.
    fn fields(&self, id: ShapeId) -> BTreeMap<String, Value> {
        let mut shape = self.shape(id);
        while shape["type"] != "object" {
            shape = &self.json["shapes"][usize::try_from(shape["inner"].as_u64().unwrap()).unwrap()];
        }
        let fields = shape["fields"].as_array().unwrap();
        fields
            .iter()
            .map(|field| {
                (field["name"].as_str().unwrap().to_owned(), self.spelled(field["shape"].as_u64().unwrap()))
            })
            .collect()
    }

    /// The one body of an operation.
    fn body(&self, route: &str) -> ShapeId {
        let [input] = self.operation(route).inputs.as_slice() else { panic!("{route} has one input") };
        input.shape
    }

    /// The inputs of an operation, each in a line.
    fn inputs(&self, route: &str) -> Vec<String> {
        let operation = serde_json::to_value(self.operation(route)).unwrap();
        let inputs = operation["inputs"].as_array().unwrap();
        inputs
            .iter()
            .map(|input| {
                let take = &input["take"];
                let mark = |mark: &str, is: bool| if is { mark.to_owned() } else { String::new() };
                let names = |field: &Value| {
                    let names = field["names"].as_array().unwrap().iter();
                    let names: Vec<_> = names.map(|name| name.to_string().replace('"', "")).collect();
                    let many = mark("*", field["multiple"] == true);
                    format!("{}{many}{}", names.join("|"), mark("^", field["file"] == true))
                };
                let what = match take["kind"].as_str().unwrap() {
                    "field" => format!(" {}", names(take)),
                    "group" => {
                        let fields: Vec<_> = take["fields"].as_array().unwrap().iter().map(names).collect();
                        format!(" {{{}}}", fields.join(" ")) + &mark(" optional", take["optional"] == true)
                    }
                    _ => String::new(),
                };
                let location = input["location"].as_str().unwrap().to_owned();
                let required = mark(" required", input["required"] == true);
                location + &what + &required + &mark(" validate-default", input["validate-default"] == true)
            })
            .collect()
    }

    fn notes(&self) -> Vec<(&str, &str)> {
        self.contract.notes.iter().map(|note| (note.at.as_str(), note.why.as_str())).collect()
    }
}

#[test]
fn scalars_are_what_pydantic_accepts() {
    let read = everything();
    let fields = read.fields(read.body("POST /scalars"));
    let text = json!({"type": "str", "max-length": 100, "strip-whitespace": true});
    let expected = [
        (
            "integer",
            json!({"type": "int", "bounds": {"gt": "0", "le": "1000000000000000000000000000000", "multiple_of": "3"}}),
        ),
        ("strict_integer", json!({"type": "int", "strict": true})),
        ("number", json!({"type": "float", "allow-inf-nan": false, "bounds": {"lt": "2.5"}})),
        ("money", json!({"type": "decimal", "max-digits": 6, "decimal-places": 2, "bounds": {"ge": "0"}})),
        (
            "text",
            json!({"type": "str", "min-length": 1, "max-length": 100, "pattern": "^[a-z]+$", "strip-whitespace": true,
                   "to-lower": true}),
        ),
        ("truth", json!({"type": "bool"})),
        ("raw", json!({"type": "bytes", "from-text": "utf8"})),
        ("day", json!({"type": "date", "bounds": {"ge": "2020-01-02"}})),
        ("birthday", json!({"type": "date", "now": "past"})),
        ("moment", json!({"type": "datetime", "truncate": true, "timezone": "aware"})),
        ("clock", json!({"type": "time", "truncate": true})),
        ("span", json!({"type": "timedelta", "truncate": true, "bounds": {"le": "P1DT5S"}})),
        ("color", json!({"type": "enum", "name": "Color", "values": ["red", 2]})),
        ("size", json!({"type": "enum", "name": "Size", "values": [1, 2], "sub-type": "int"})),
        ("literal", json!({"type": "literal", "expected": ["a", 1, null]})),
        ("identifier", json!({"type": "uuid"})),
        ("address", json!({"type": "ip", "of": "ipv4-address"})),
        ("site", json!({"type": "url", "max-length": 2083, "allowed-schemes": ["http", "https"]})),
        ("anywhere", json!({"type": "url"})),
        (
            "password",
            json!({"type": "custom-error", "inner": text, "error-type": "string_type",
                   "message": "Input should be a valid string"}),
        ),
        (
            "path",
            json!({"type": "custom-error", "error-type": "path_type",
                   "message": "Input is not a valid path for <class 'pathlib.Path'>",
                   "inner": {"type": "str", "strict": true, "max-length": 100, "strip-whitespace": true}}),
        ),
        ("inside", json!({"type": "json-text", "inner": {"type": "list", "items": {"type": "int"}}})),
        ("encoded", json!({"type": "then", "inner": text, "why": "`EncodedStr.decode_str` runs after"})),
        ("hidden", json!({"type": "int"})),
        ("anything", json!({"type": "any"})),
    ];
    for (name, shape) in &expected {
        assert_eq!(fields.get(*name), Some(shape), "{name}");
    }
    assert_eq!(fields["database"]["multi-host"], true);
    assert_eq!(fields.len(), expected.len() + 1);
    assert_eq!(read.shape(read.body("POST /scalars"))["extra"], "forbid");
}

#[test]
fn containers_are_what_pydantic_accepts() {
    let read = everything();
    let fields = read.fields(read.body("POST /containers"));
    let (int, text) = (json!({"type": "int"}), json!({"type": "str"}));
    let expected = [
        ("numbers", json!({"type": "list", "items": int, "min-length": 1, "max-length": 3})),
        ("unique", json!({"type": "set", "items": text})),
        ("frozen", json!({"type": "frozen-set", "items": int})),
        ("pair", json!({"type": "tuple", "items": [int, text]})),
        ("many", json!({"type": "tuple", "items": [int], "variadic": 0})),
        (
            "mapping",
            json!({"type": "dict", "keys": text, "values": {"type": "float", "allow-inf-nan": true}}),
        ),
        ("sequence", json!({"type": "list", "items": int})),
        ("maybe", json!({"type": "nullable", "inner": int})),
        (
            "either",
            json!({"type": "union", "labels": ["int", "str", "list[constrained-str]"],
                   "choices": [int, text, {"type": "list", "items": {"type": "str", "max-length": 2}}]}),
        ),
        (
            "ordered",
            json!({"type": "union", "labels": ["int", "str"], "choices": [int, text], "left-to-right": true}),
        ),
        (
            "pet",
            json!({"type": "tagged-union", "discriminator": ["kind"], "shown-as": "'kind'", "choices": ["Cat", "Dog"]}),
        ),
        ("node", json!("Node")),
        ("movie", json!("Movie")),
        ("point", json!("Point")),
        ("page", json!("Page[Cat]")),
    ];
    for (name, shape) in &expected {
        assert_eq!(fields.get(*name), Some(shape), "{name}");
    }
    assert_eq!(fields["root"]["root"], json!({"type": "list", "items": int}));
    assert_eq!(fields.len(), expected.len() + 1);
}

#[test]
fn objects_know_their_names_and_what_code_decides() {
    let read = everything();
    let aliased = read.shape(read.body("POST /aliased"));
    assert_eq!(aliased["fields"][0]["lookup"], json!([["First"], ["one"]]));
    assert_eq!(aliased["fields"][1]["lookup"], json!([["second"], ["deep", 0], ["two"]]));
    assert_eq!(
        (&aliased["fields"][0]["required"], &aliased["fields"][1]["required"]),
        (&json!(true), &json!(false))
    );

    // A shape that contains itself.
    let shapes = read.json["shapes"].as_array().unwrap();
    let node = shapes.iter().position(|shape| shape["name"] == "Node").unwrap();
    let children = usize::try_from(shapes[node]["fields"][1]["shape"].as_u64().unwrap()).unwrap();
    assert_eq!(shapes[children], json!({"type": "list", "items": node}));
    let movie = shapes.iter().find(|shape| shape["name"] == "Movie").unwrap();
    assert_eq!((&movie["kind"], &movie["fields"][0]["required"]), (&json!("typed-dict"), &json!(false)));
    let point = shapes.iter().find(|shape| shape["name"] == "Point").unwrap();
    assert_eq!(
        (&point["kind"], &point["fields"][1]["default-is-opaque"]),
        (&json!("dataclass"), &json!(true))
    );

    let validated = read.operation("POST /validated");
    let [body, whole, later, constructed] = validated.inputs.as_slice() else { panic!("{validated:?}") };
    let fields = read.fields(body.shape);
    assert_eq!(fields["before"], json!({"type": "opaque", "why": "a validator (`emptied`) runs before"}));
    let after = json!({"type": "then", "inner": {"type": "int"}, "why": "`positive` runs after"});
    assert_eq!(fields["after"], after);
    assert_eq!(read.shape(whole.shape)["why"], "a validator (`Whole.old_names`) decides");
    assert_eq!(read.shape(later.shape)["why"], "`Later.consistent` runs after");
    assert_eq!(read.fields(later.shape)["value"], json!({"type": "int"}));
    assert_eq!(read.shape(constructed.shape)["why"], "`Constructed.__init__` decides");
    for note in [
        ("POST /validated body.body.before", "a validator (`emptied`) runs before"),
        ("POST /validated body.body.checked", "a validator (`Validated.wrapped`) wraps it"),
        ("POST /validated body.whole", "a validator (`Whole.old_names`) decides"),
        ("DELETE /raw body", "the handler or a dependency reads the raw request"),
    ] {
        assert!(read.notes().contains(&note), "{note:?} in {:?}", read.notes());
    }
}

#[test]
fn inputs_come_in_the_order_in_which_fastapi_validates_them() {
    let read = everything();
    for (route, inputs) in [
        (
            "GET /inputs/{item_id}",
            // A dependency that is used twice is validated twice.
            &[
                "query offset",
                "header token",
                "query offset",
                "header token",
                "cookie session",
                "path item_id required",
                "query search* required",
                "query checked validate-default",
                "header x-token*",
            ] as &[_],
        ),
        (
            "GET /groups",
            &[
                "query {[limit,limit] [tags,tags]*} required",
                "header {[user_agent,user-agent] [x_kind,x-kind]} optional",
            ],
        ),
        ("PUT /embedded", &["body item required", "body importance"]),
        ("PUT /alone", &["body importance required"]),
        ("POST /form", &["body name required", "body tags*"]),
        ("POST /login", &["body {[username,username] [picture,picture]} required"]),
        ("POST /upload", &["body content^ required", "body more*^ required", "body note"]),
        ("POST /outer/v1/lenient/json", &["query offset", "header token", "body required"]),
        ("DELETE /raw", &[]),
    ] {
        assert_eq!(read.inputs(route), inputs, "{route}");
    }
    for (route, kind, reads_request) in [
        ("GET /inputs/{item_id}", json!({"kind": "none"}), false),
        ("PUT /embedded", json!({"kind": "json", "strict-content-type": true}), false),
        ("POST /outer/v1/lenient/json", json!({"kind": "json", "strict-content-type": false}), true),
        ("POST /form", json!({"kind": "form", "files": false}), false),
        ("POST /login", json!({"kind": "form", "files": true}), false),
        ("POST /upload", json!({"kind": "form", "files": true}), false),
        ("DELETE /raw", json!({"kind": "opaque"}), true),
        ("POST /compressed", json!({"kind": "opaque"}), true),
        ("POST /timed", json!({"kind": "json", "strict-content-type": true}), false),
        ("POST /named", json!({"kind": "json", "strict-content-type": true}), false),
        ("GET /secured", json!({"kind": "none"}), false),
    ] {
        let operation = read.operation(route);
        let found = serde_json::to_value(&operation.body).unwrap();
        assert_eq!((found, operation.reads_request), (kind, reads_request), "{route}");
    }
}

#[test]
fn security_and_answers_are_read() {
    let read = everything();
    let secured = serde_json::to_value(&read.operation("GET /secured").security).unwrap();
    assert_eq!(
        secured,
        json!([[
            {"name": "OAuth2PasswordBearer", "scheme": {"kind": "bearer", "token-url": "token"}, "scopes": ["items"],
             "auto-error": false},
            {"name": "APIKeyHeader", "scheme": {"kind": "api-key", "location": "header", "name": "X-Key"}, "scopes": [],
             "auto-error": true, "missing": 401},
            {"name": "HTTPBasic", "scheme": {"kind": "basic"}, "scopes": [], "auto-error": true, "missing": 401},
        ]])
    );

    let names = |shape: Option<ShapeId>| {
        let fields = read.shape(shape?)["fields"].as_array()?.iter();
        Some(
            fields
                .map(|field| field["lookup"][0][0].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
                .join(" "),
        )
    };
    let answers = |route: &str| {
        let responses = read.operation(route).responses.iter();
        responses.map(|response| (response.status, names(response.shape))).collect::<Vec<_>>()
    };
    let owned = |names: &str| Some(names.to_owned());
    assert_eq!(
        answers("GET /shown"),
        [
            (Some(202), owned("displayName pets initials")),
            (Some(404), owned("reason")),
            (Some(410), None),
            (None, owned("reason"))
        ]
    );
    assert_eq!(answers("GET /excluded"), [(Some(200), owned("name initials"))]);
    assert_eq!(answers("GET /page"), [(Some(200), None)]);
    assert_eq!(answers("GET /text-or-model"), [(Some(200), owned("reason"))]);
    assert_eq!(read.operation("GET /unions").responses[0].shape, None, "any dictionary may be among them");
    let several = read.operation("GET /several").responses[0].shape.unwrap();
    assert_eq!(
        read.spelled(several.0.into())["inner"]["values"]["choices"],
        json!(["Cat", "Dog"]),
        "{}",
        read.shape(several)
    );
}

#[test]
fn routes_are_in_the_order_of_the_app() {
    let read = everything();
    assert_eq!(read.contract.root_path.as_deref(), Some("/behind"));
    assert!(read.contract.router.complete && read.contract.router.redirect_slashes, "{:?}", read.notes());
    let routes = read.routes();
    for (route, facts) in [
        ("GET,HEAD /docs", json!([true, true, null])),
        ("GET,HEAD /openapi.json", json!([true, true, null])),
        ("GET /files/{name:path}", json!([true, false, "files_files__name__get"])),
        ("GET,HEAD /plain", json!([true, false, null])),
        ("POST /outer/v1/plain", json!([true, false, null])),
        // What a convertor of the app's own takes is known by its pattern, what it makes of that is not.
        (
            "GET /outer/v1/lenient/numbers/{number:path}",
            json!([false, false, "numbers_outer_v1_lenient_numbers__number__get"]),
        ),
        (" /web", json!([true, false, null])),
        ("GET,POST /several-methods", json!([false, false, "several"])),
        ("GET,HEAD /outer/v1/mounted/deep", json!([true, false, null])),
        ("GET /inner/things", json!([false, false, "things_things_get"])),
    ] {
        let Some(Route::Http { hidden, docs, operation, .. }) = routes.get(route) else {
            panic!("{route} in {:?}", routes.keys())
        };
        let id = operation.as_ref().map(|operation| &operation.id);
        assert_eq!(json!([hidden, docs, id]), facts, "{route}");
    }
    for route in ["ws /socket/{room}", "ws /outer/socket", "host api.example.com"] {
        assert!(routes.contains_key(route), "{route} in {:?}", routes.keys());
    }
    for (mount, known) in [("/inner", true), ("/router", true), ("/foreign", false), ("/web", false)] {
        let Some(Route::Mount { router, .. }) = routes.get(&format!("mount {mount}")) else {
            panic!("{mount}")
        };
        assert_eq!(router.is_some(), known, "{mount}");
    }
    let Some(Route::Mount { router: Some(inner), .. }) = routes.get("mount /inner") else { panic!() };
    assert!(!inner.complete && !inner.redirect_slashes, "its own handler of 404 may answer what it likes");
    let tags = &read.operation("POST /outer/v1/lenient/json").tags;
    assert_eq!(tags, &["outer", "lenient"]);
}

#[test]
fn code_around_the_routes_is_looked_at() {
    let head = "from contextlib import asynccontextmanager\nfrom fastapi import APIRouter, FastAPI\n\
                from fastapi.exceptions import RequestValidationError\n";
    let tail = "\n@app.get('/')\ndef root(): ...\n";
    // Whether unknown paths are refused, whether the app answers what is invalid, whether requests may be changed.
    for (code, complete, answers_invalid, rewrites) in [
        ("app = FastAPI()", true, false, false),
        (
            "app = FastAPI()\n@app.middleware('http')\nasync def timed(request, call_next):\n    \
             answer = await call_next(request)\n    answer.headers['X-Time'] = '1'\n    return answer",
            true,
            false,
            false,
        ),
        (
            "app = FastAPI()\n@app.middleware('http')\nasync def page(request, call_next):\n    \
             answer = await call_next(request)\n    return answer if answer.status_code < 400 else page_of(request)",
            false,
            false,
            true,
        ),
        (
            "class Counted:\n    def __init__(self, app): self.app = app\n    \
             async def __call__(self, scope, receive, send):\n        async def counted(message): await send(message)\n        \
             await self.app(scope, receive, counted)\napp = FastAPI()\napp.add_middleware(Counted)",
            true,
            false,
            false,
        ),
        (
            "class Files:\n    def __init__(self, app): self.app = app\n    \
             async def __call__(self, scope, receive, send):\n        \
             await (self.files if scope['path'] == '/f' else self.app)(scope, receive, send)\n\
             app = FastAPI()\napp.add_middleware(Files)",
            false,
            false,
            true,
        ),
        (
            "app = FastAPI()\n@app.middleware('http')\nasync def typed(request, call_next):\n    \
             request.scope['headers'] = [*request.scope['headers'], (b'content-type', b'application/json')]\n    \
             return await call_next(request)",
            false,
            false,
            true,
        ),
        (
            "class Renamed:\n    def __init__(self, app): self.app = app\n    \
             async def __call__(self, scope, receive, send):\n        \
             await self.app({**scope, 'path': scope['path'].lower()}, receive, send)\n\
             app = FastAPI()\napp.add_middleware(Renamed)",
            false,
            false,
            true,
        ),
        (
            "app = FastAPI()\n@app.exception_handler(404)\nasync def own(request, error): ...",
            false,
            false,
            false,
        ),
        (
            "app = FastAPI()\n@app.exception_handler(RequestValidationError)\nasync def own(request, error): ...",
            true,
            true,
            false,
        ),
        ("class Own(FastAPI):\n    async def __call__(self, *args): ...\napp = Own()", false, false, true),
        ("app = FastAPI()\napp.router.default = print", false, false, false),
        (
            "@asynccontextmanager\nasync def life(app):\n    app.state.pool = 1\n    yield\napp = FastAPI(lifespan=life)",
            true,
            false,
            false,
        ),
        (
            "@asynccontextmanager\nasync def life(app):\n    app.mount('/late', FastAPI())\n    yield\n\
             app = FastAPI(lifespan=life)",
            false,
            false,
            false,
        ),
        (
            "@asynccontextmanager\nasync def life(_):\n    late()\n    yield\napp = FastAPI(lifespan=life)\n\
             def late():\n    app.include_router(APIRouter())",
            false,
            false,
            false,
        ),
        ("app = FastAPI()\n@app.on_event('startup')\ndef start():\n    print('hello')", true, false, false),
    ] {
        let read = read(Typed::mantlet(["contract"]).file("main.py", &format!("{head}{code}{tail}")));
        let router = &read.contract.router;
        let found = (router.complete, router.answers_invalid, router.rewrites);
        assert_eq!(found, (complete, answers_invalid, rewrites), "{code}\n{:?}", read.notes());
        assert_eq!(
            read.contract.notes.is_empty(),
            complete && !answers_invalid,
            "{code}: {:?}",
            read.notes()
        );
    }
}

#[test]
fn an_app_in_another_one_is_found() {
    let code = "class Around:\n    def __init__(self, app): self.app = app\n    async def __call__(self, *args): ...\n\
                app = Around(app)\n";
    let read =
        read(Typed::mantlet(["contract", "main:app"]).file("main.py", &format!("{THREE_LINES}{code}")));
    assert!(!read.contract.router.complete && read.contract.router.rewrites);
    assert_eq!(read.operation("GET /").id, "root__get");
    assert_eq!(
        read.notes()[0].1,
        "the middleware `Around` (main.py:7) takes what it is handed as `*args`: input is reported, not refused"
    );
}

#[test]
fn an_app_may_have_modules_of_the_same_names_and_print_what_it_likes() {
    let app = format!(
        "import candidates, contract, launcher, schemas, source, walk\nprint(schemas.MINE)\n{THREE_LINES}"
    );
    let own = "MINE = 'printed by the app'\n";
    let rooms = ["candidates.py", "contract.py", "proof.py", "source.py"];
    let files = ["inspector.py", "json.py", "launcher.py", "operations.py", "schemas.py", "walk.py"];
    let typed = rooms
        .into_iter()
        .chain(files)
        .fold(Typed::mantlet(["contract"]).file("main.py", &app), |typed, name| typed.file(name, own));
    assert!(read(typed).said.contains("printed by the app"));
}

#[test]
fn the_shop_is_read() {
    let read = read(Typed::mantlet(["contract"]).shop());
    let (known, rest) = read.said.split_once("\n  objects:\n").expect("objects");
    let (objects, places) = rest.split_once("\n  3 places").expect("places");
    assert_eq!(
        known,
        "mantlet: the contract of main:app (Archers' shop), read from the app: 28 operations (2 not in its document), \
         1 WebSocket\n  paths: all are known\n  responses: described for 13 of 28\n  may refuse before input is validated:\n    \
         `current_user` (users.py:21): 13 operations\n  not in its document:\n    GET /\n    \
         GET /internal/debug"
    );
    // The rules that are proposed have tests of their own.
    let owned =
        "    `orders` are owned by `users.id` through `user_id`; in 3 operations, checked by no rule\n";
    assert!(objects.starts_with(owned), "{objects}");
    assert_eq!(
        places,
        " where the app decides:\n    the handler or a dependency reads the raw request\n      \
         POST /partners/payments body\n      PUT /partners/prices body\n    a validator (`NewReview.<lambda>`) runs before\n      \
         POST /products/{product_id}/reviews body.text"
    );
    let order = read.fields(read.body("POST /orders"));
    assert_eq!(order["quantity"], json!({"type": "int", "bounds": {"ge": "1", "le": "100"}}));
    let filters = read.fields(read.body("GET /search"));
    assert_eq!(filters["limit"], json!({"type": "int", "bounds": {"ge": "1"}}));
    let shown = read.operation("GET /products").responses[0].shape.unwrap();
    assert_eq!(read.spelled(shown.0.into()), json!({"type": "list", "items": "Product"}));
}

#[test]
fn what_cannot_be_read_is_said() {
    let contract = || Typed::mantlet(["contract"]);
    for (typed, code, says) in [
        (contract(), 3, "error: found no app in `"),
        (
            contract().argument("main:other").file("main.py", THREE_LINES),
            3,
            "error: `main.py` has no `other`; did you",
        ),
        (
            contract().file("main.py", "from fastapi import FastAPI\napp = FastAPI(title='Empty')\n"),
            1,
            "error: main:app (Empty) has no operations: nothing would be checked",
        ),
        (
            contract().argument("main:app").file("main.py", "async def app(scope, receive, send): ...\n"),
            3,
            "error: `main:app` is a `function` and no FastAPI app is found in it",
        ),
        (
            contract().argument("main:make()").file("main.py", "def make():\n    raise ValueError('no')\n"),
            3,
            "error: the app `main` cannot be imported: ValueError: no",
        ),
        (
            contract().argument("--python").argument("/nowhere/python").file("main.py", THREE_LINES),
            127,
            "error: the Python interpreter `/nowhere/python` cannot be started",
        ),
    ] {
        let finished = typed.finish();
        assert_eq!(finished.code, Some(code), "{}", finished.stderr);
        assert!(finished.stderr.contains(&format!("mantlet: {says}")), "{says} in\n{}", finished.stderr);
        assert_eq!(finished.stdout, "");
    }
}
