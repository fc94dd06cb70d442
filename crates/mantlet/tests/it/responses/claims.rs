//! What models say of answers is a claim where code of the app's own may write something else.

use serde_json::Value;

use crate::kit::command::Typed;

const HEAD: &str = "from fastapi import APIRouter, FastAPI, Request\nfrom fastapi.responses import JSONResponse\n\
                    from fastapi.routing import APIRoute\nfrom pydantic import BaseModel\n\
                    from starlette.middleware.gzip import GZipMiddleware\nfrom starlette.exceptions import HTTPException\n\
                    class User(BaseModel):\n    id: int\nclass Own(APIRoute):\n    pass\napp = FastAPI()\n";
const TAIL: &str =
    "\n@app.get('/user', response_model=User, responses={404: {'model': User}})\ndef user(): ...\n";

/// Whether the route's own model, and what it only documents, are claims.
fn claimed(code: &str) -> [bool; 2] {
    let typed = Typed::mantlet(["contract"]).file("main.py", &format!("{HEAD}{code}{TAIL}"));
    let finished = typed.finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let contract: Value = serde_json::from_str(&finished.stdout).unwrap();
    let routes = contract["router"]["routes"].as_array().unwrap();
    let route = routes.iter().find(|route| route["path"] == "/user").unwrap();
    let Some(responses) = route["operation"]["responses"].as_array() else {
        // Nothing is known of what is answered.
        return [true, true];
    };
    [200, 404].map(|status| {
        let responses = responses.iter();
        let response = responses.clone().find(|response| response["status"] == status).unwrap();
        assert!(response["shape"].is_u64(), "{response}");
        response.get("claimed") == Some(&true.into())
    })
}

#[test]
fn code_that_may_write_answers_is_looked_at() {
    let function =
        |body: &str| format!("@app.middleware('http')\nasync def own(request, call_next):\n{body}");
    let class = |body: &str| {
        format!(
            "class Around:\n    def __init__(self, app): self.app = app\n    \
             async def __call__(self, scope, receive, send):\n        async def on(message):\n            {body}\n            \
             await send(message)\n        await self.app(scope, receive, on)\napp.add_middleware(Around)"
        )
    };
    let handler = |answer: &str| {
        format!(
            "class Mine(Exception): ...\n@app.exception_handler(Mine)\nasync def own(request, error):\n    return {answer}"
        )
    };
    for (code, expected) in [
        (String::new(), false),
        ("app.add_middleware(GZipMiddleware)".into(), false),
        (function("    answer = await call_next(request)\n    answer.headers['X-Time'] = '1'\n    return answer"), false),
        // Whoever is not let in gets another status.
        (function("    if not request.headers.get('x-key'):\n        return JSONResponse({}, status_code=401)\n    return await call_next(request)"), false),
        (function("    answer = await call_next(request)\n    async for piece in answer.body_iterator: ...\n    return answer"), true),
        (class("if message['type'] == 'http.response.start': message['headers'].append((b'a', b'b'))"), false),
        (class("if message['type'] == 'http.response.body': message['body'] = b''"), true),
        (handler("JSONResponse({'code': 1}, status_code=418)"), false),
        (handler("JSONResponse({'code': 1})"), true),
        (handler("JSONResponse({'code': 1}, status_code=200)"), true),
        ("app.router.route_class = Own".into(), false),
        (
            "class Wrapped(APIRoute):\n    def get_route_handler(self):\n        original = super().get_route_handler()\n        \
             async def own(request: Request):\n            answer = await original(request)\n            \
             return JSONResponse({'id': 0, 'data': answer.body.decode()})\n        return own\napp.router.route_class = Wrapped"
                .into(),
            true,
        ),
    ] {
        assert_eq!(claimed(&code), [expected, true], "{code}");
    }
}

/// What an app declares of its failures, in whatever words, and what handlers of its own answer.
#[test]
fn failures_that_are_meant_are_in_the_contract() {
    let code = "from fastapi import FastAPI\nfrom fastapi.responses import JSONResponse, PlainTextResponse\nfrom pydantic import BaseModel, model_serializer\n\
                app = FastAPI()\nclass Busy(Exception): ...\n\
                class Pretty(JSONResponse): ...\n\
                class Written(BaseModel):\n    password: str\n    @model_serializer(mode='wrap')\n    def write(self, handler): return handler(self)\n\
                @app.exception_handler(Exception)\nasync def unexpected(request, error): return PlainTextResponse('oops', status_code=500)\n\
                @app.exception_handler(Busy)\nasync def busy(request, error): return JSONResponse({}, status_code=503)\n\
                @app.get('/a', responses={'5XX': {'description': 'down'}, 'default': {'description': 'more'}, 500: {'model': dict}})\ndef a() -> dict[str, str]: ...\n\
                @app.get('/b', response_class=Pretty)\ndef b() -> Written: ...\n\
                @app.get('/c')\ndef c() -> dict: ...\n";
    let finished = Typed::mantlet(["contract"]).file("main.py", code).finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let contract: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(contract["router"]["handles"], serde_json::json!([500, 503]));
    let responses = |path: &str| {
        let routes = contract["router"]["routes"].as_array().unwrap();
        let route = routes.iter().find(|route| route["path"] == path).unwrap();
        route["operation"]["responses"].as_array().unwrap().clone()
    };
    let shape = |response: &Value| {
        contract["shapes"][usize::try_from(response["shape"].as_u64().unwrap()).unwrap()].clone()
    };
    let of_a = responses("/a");
    assert_eq!(shape(&of_a[0])["type"], "dict", "its values are declared, under any name");
    let declared: Vec<_> = of_a.iter().skip(1).map(|one| (&one["status"], &one["class"])).collect();
    let null = Value::Null;
    assert_eq!(declared, [(&null, &Value::from(5)), (&null, &null), (&Value::from(500), &null)]);
    // What code writes still says which names are declared, and nothing more.
    let written = &responses("/b")[0];
    assert_eq!((shape(written)["extra"].as_str(), written["claimed"].as_bool()), (Some("allow"), Some(true)));
    assert_eq!(shape(written)["fields"][0]["name"], "password");
    assert!(responses("/c")[0]["shape"].is_null());
}
