//! Pages of several origins in a real browser, and what they get from the shop: the table of outcomes.
//!
//! The user has logged in to the shop with a cookie that every site's page can send. Among what the app sees are Mantlet's own questions: `OPTIONS`, as the
//! page's browser would send it, before a request is refused as forged.

mod callbacks;
mod orders;
mod proxies;
mod world;

use self::world::{Row, World};
use crate::kit::command::Typed;

/// The shop's own page can do everything.
const OWN: &[Row] = &[
    Row("GET, include", "200", "GET 200", ""),
    Row("GET, omit", "401", "GET 401", ""),
    Row("GET dots, include", "400 path-dot-segment", "", "path-dot-segment"),
    Row("GET header, include", "200", "GET 200", ""),
    Row("GET bearer, omit", "200", "GET 200", ""),
    Row("POST form, include", "200", "POST 200", ""),
    Row("POST form, omit", "401", "POST 401", ""),
    Row("POST form no-cors, include", "200", "POST 200", ""),
    Row("POST text, include", "422", "POST 422", ""),
    Row("POST json, include", "201", "POST 201", ""),
    Row("PATCH json, include", "204", "PATCH 204", ""),
    Row("DELETE, include", "404", "DELETE 404", ""),
    Row("urlencoded form submitted", "200", "POST 200", ""),
    Row("multipart form submitted", "201", "POST 201", ""),
    Row("WebSocket", "says hello", "WebSocket [accepted]", ""),
];

/// What a page shows in a sandbox has the origin `null` and is as foreign as any, even in the shop's own page.
const SANDBOXED: &[Row] = &[
    Row("sandboxed GET, include", "network error", "GET 200", ""),
    Row("sandboxed POST form, include", "network error", "OPTIONS 405", "csrf-cross-site"),
    Row("sandboxed WebSocket", "closed 1006", "OPTIONS 404", "websocket-origin-denied"),
];

/// Nobody has said a word about any other: it can ask without the user's cookies, or for what changes nothing, and reads nothing.
const FOREIGN: &[Row] = &[
    Row("GET, include", "network error", "GET 200", ""),
    Row("GET, omit", "network error", "GET 401", ""),
    Row("GET dots, include", "network error", "", "path-dot-segment"),
    Row("GET header, include", "network error", "OPTIONS 405", ""),
    Row("GET bearer, omit", "network error", "OPTIONS 405", ""),
    Row("POST form, include", "network error", "OPTIONS 405", "csrf-cross-site"),
    Row("POST form, omit", "network error", "POST 401", ""),
    Row("POST form no-cors, include", "network error", "OPTIONS 405", "csrf-cross-site"),
    Row("POST text, include", "network error", "OPTIONS 405", "csrf-cross-site"),
    Row("POST text, omit", "network error", "POST 401", ""),
    Row("POST json, include", "network error", "OPTIONS 405", ""),
    Row("POST json, omit", "network error", "OPTIONS 405", ""),
    Row("PATCH json, include", "network error", "OPTIONS 405", ""),
    Row("DELETE, include", "network error", "OPTIONS 405", ""),
    Row("urlencoded form submitted", "403", "OPTIONS 405", "csrf-cross-site"),
    Row("multipart form submitted", "403", "OPTIONS 405", "csrf-cross-site"),
    Row("WebSocket", "closed 1006", "OPTIONS 404", "websocket-origin-denied"),
];

#[test]
fn without_configuration() {
    let mut world = World::https(|typed, _| typed, |_| String::new());
    world.try_own(OWN);
    world.try_own(SANDBOXED);
    // Another port of the same host, a subdomain, another site.
    for name in ["shop.test", "blog.shop.test", "evil.test"] {
        world.try_from(name, FOREIGN);
        world.try_from(name, SANDBOXED);
    }
    world.end();
}

/// Data are not to be embedded elsewhere.
const NOT_EMBEDDED: &str = "[headers]\ncross-origin-resource-policy = \"same-origin\"\n";

/// Named in `[cors]` with credentials: as our own page, but for headers that nobody allowed. Who asks with `no-cors` for data that are
/// not to be embedded sees an error.
const FRIEND: &[Row] = &[
    Row("GET, include", "200", "GET 200", ""),
    Row("GET, omit", "401", "GET 401", ""),
    Row("GET dots, include", "400 path-dot-segment", "", "path-dot-segment"),
    Row("GET header, include", "network error", "", "cors-header-denied"),
    Row("GET bearer, omit", "200", "GET 200", ""),
    Row("POST form, include", "200", "POST 200", ""),
    Row("POST form, omit", "401", "POST 401", ""),
    Row("POST form no-cors, include", "network error", "POST 200", ""),
    Row("POST text, include", "422", "POST 422", ""),
    Row("POST text, omit", "401", "POST 401", ""),
    Row("POST json, include", "201", "POST 201", ""),
    Row("POST json, omit", "401", "POST 401", ""),
    Row("PATCH json, include", "204", "PATCH 204", ""),
    Row("DELETE, include", "404", "DELETE 404", ""),
    Row("urlencoded form submitted", "200", "POST 200", ""),
    Row("multipart form submitted", "201", "POST 201", ""),
    Row("WebSocket", "says hello", "WebSocket [accepted]", ""),
];

/// Not named there: preflights do not even reach the app.
const STRANGER: &[Row] = &[
    Row("GET, include", "network error", "GET 200", ""),
    Row("GET, omit", "network error", "GET 401", ""),
    Row("GET dots, include", "network error", "", "path-dot-segment"),
    Row("GET header, include", "network error", "", "cors-origin-denied"),
    Row("GET bearer, omit", "network error", "", "cors-origin-denied"),
    Row("POST form, include", "network error", "OPTIONS 405", "csrf-cross-site"),
    Row("POST form, omit", "network error", "POST 401", ""),
    Row("POST form no-cors, include", "network error", "OPTIONS 405", "csrf-cross-site"),
    Row("POST text, include", "network error", "OPTIONS 405", "csrf-cross-site"),
    Row("POST text, omit", "network error", "POST 401", ""),
    Row("POST json, include", "network error", "", "cors-origin-denied"),
    Row("POST json, omit", "network error", "", "cors-origin-denied"),
    Row("PATCH json, include", "network error", "", "cors-origin-denied"),
    Row("DELETE, include", "network error", "", "cors-origin-denied"),
    Row("urlencoded form submitted", "403", "OPTIONS 405", "csrf-cross-site"),
    Row("multipart form submitted", "403", "OPTIONS 405", "csrf-cross-site"),
    Row("WebSocket", "closed 1006", "OPTIONS 404", "websocket-origin-denied"),
];

#[test]
fn with_cors_and_credentials() {
    let config = |port| {
        format!("[cors]\norigins = [\"https://friend.test:{port}\"]\ncredentials = true\n{NOT_EMBEDDED}")
    };
    let mut world = World::https(|typed, _| typed, config);
    world.try_own(OWN);
    world.try_own(SANDBOXED);
    world.try_from("friend.test", FRIEND);
    world.try_from("friend.test", SANDBOXED);
    for name in ["shop.test", "blog.shop.test", "evil.test"] {
        world.try_from(name, STRANGER);
    }
    world.end();
}

/// Named in `[cors]` without credentials: it can do what anybody can, and read what comes back.
const READER: &[Row] = &[
    Row("GET, include", "network error", "GET 200", ""),
    Row("GET, omit", "401", "GET 401", ""),
    Row("GET dots, omit", "400 path-dot-segment", "", "path-dot-segment"),
    Row("GET bearer, omit", "200", "GET 200", ""),
    Row("POST form, include", "network error", "OPTIONS 405", "csrf-cross-site"),
    Row("POST form, omit", "401", "POST 401", ""),
    Row("POST form no-cors, include", "network error", "OPTIONS 405", "csrf-cross-site"),
    Row("POST json, include", "network error", "", ""),
    Row("POST json, omit", "401", "POST 401", ""),
    Row("urlencoded form submitted", "403", "OPTIONS 405", "csrf-cross-site"),
    Row("WebSocket", "closed 1006", "OPTIONS 404", "websocket-origin-denied"),
];

#[test]
fn with_cors_but_no_credentials() {
    let config = |port| format!("[cors]\norigins = [\"https://friend.test:{port}\"]\n");
    let mut world = World::https(|typed, _| typed, config);
    world.try_own(OWN);
    world.try_from("friend.test", READER);
    world.end();

    let mut world = World::https(|typed, _| typed, |_| "[cors]\norigins = [\"*\"]\n".to_owned());
    world.try_from("anybody.test", READER);
    world.end();
}

/// The shop with FastAPI's own middleware. Its authors have named a friend, and allow it everything.
const OWN_CORS: &str = r#"
import os
from fastapi.middleware.cors import CORSMiddleware
from main import app

app.add_middleware(
    CORSMiddleware,
    allow_origins=[os.environ["FRIEND"]],
    allow_credentials=True,
    allow_methods=["*"],
    allow_headers=["*"],
)
"#;

/// Named by the app: what the app allows works, with one word each; a browser takes two for none. Our refusals are not the app's.
const FRIEND_OF_THE_APP: &[Row] = &[
    Row("GET, include", "200", "GET 200", ""),
    Row("GET, omit", "401", "GET 401", ""),
    Row("GET dots, include", "network error", "", "path-dot-segment"),
    Row("GET header, include", "200", "OPTIONS 200, GET 200", ""),
    Row("GET bearer, omit", "200", "OPTIONS 200, GET 200", ""),
    Row("POST form, include", "200", "OPTIONS 200, POST 200", ""),
    Row("POST form, omit", "401", "POST 401", ""),
    Row("POST form no-cors, include", "opaque", "OPTIONS 200, POST 200", ""),
    Row("POST text, include", "422", "OPTIONS 200, POST 422", ""),
    Row("POST json, include", "201", "OPTIONS 200, OPTIONS 200, POST 201", ""),
    Row("POST json, omit", "401", "OPTIONS 200, POST 401", ""),
    Row("PATCH json, include", "204", "OPTIONS 200, OPTIONS 200, PATCH 204", ""),
    Row("DELETE, include", "404", "OPTIONS 200, OPTIONS 200, DELETE 404", ""),
    Row("urlencoded form submitted", "200", "OPTIONS 200, POST 200", ""),
    Row("multipart form submitted", "201", "OPTIONS 200, POST 201", ""),
    Row("WebSocket", "says hello", "OPTIONS 200, WebSocket [accepted]", ""),
];

const STRANGER_TO_THE_APP: &[Row] = &[
    Row("GET, include", "network error", "GET 200", ""),
    Row("GET header, include", "network error", "OPTIONS 400", ""),
    Row("POST form, include", "network error", "OPTIONS 400", "csrf-cross-site"),
    Row("POST form, omit", "network error", "POST 401", ""),
    Row("POST json, include", "network error", "OPTIONS 400", ""),
    Row("DELETE, include", "network error", "OPTIONS 400", ""),
    Row("multipart form submitted", "403", "OPTIONS 400", "csrf-cross-site"),
    Row("WebSocket", "closed 1006", "OPTIONS 400", "websocket-origin-denied"),
];

#[test]
fn with_the_apps_own_cors() {
    let prepare = |typed: Typed, port| {
        let friend = format!("https://friend.test:{port}");
        typed.file("with_cors.py", OWN_CORS).variable("FRIEND", friend).argument("with_cors:app")
    };
    let mut world = World::https(prepare, |_| String::new());
    world.try_own(OWN);
    world.try_from("friend.test", FRIEND_OF_THE_APP);
    world.try_from("evil.test", STRANGER_TO_THE_APP);
    world.end();

    // Ours in its place: the app's words are gone, and not one of them is doubled.
    let config = |port| {
        format!("[cors]\norigins = [\"https://friend.test:{port}\"]\ncredentials = true\n{NOT_EMBEDDED}")
    };
    let mut world = World::https(prepare, config);
    world.try_from("friend.test", FRIEND);
    // The app is asked here too, and answers in its own way.
    let asked = |Row(name, sees, app, reason): &Row| match *app {
        "OPTIONS 405" | "OPTIONS 404" => Row(name, sees, "OPTIONS 400", reason),
        app => Row(name, sees, app, reason),
    };
    world.try_from("evil.test", &STRANGER.iter().map(asked).collect::<Vec<_>>());
    world.end();
}

/// Another site's page without encryption. The cookie has no `SameSite`: only a form that leads to a new page carries it.
const FOREIGN_HTTP: &[Row] = &[
    Row("GET, include", "network error", "GET 401", ""),
    Row("POST form, include", "network error", "POST 401", ""),
    Row("DELETE, include", "network error", "OPTIONS 405", ""),
    Row("urlencoded form submitted", "403", "OPTIONS 405", "csrf-cross-site"),
    Row("multipart form submitted", "403", "OPTIONS 405", "csrf-cross-site"),
    Row("WebSocket", "says hello", "WebSocket [accepted]", ""),
];

/// From HTTP to HTTP, browsers do not tell the site: `Origin` has to do.
#[test]
fn without_encryption() {
    let mut world = World::http();
    world.try_own(OWN);
    // Another port, and a subdomain, are the same site: the cookie comes along.
    for name in ["shop.test", "blog.shop.test"] {
        world.try_from(name, FOREIGN);
    }
    world.set_cookie();
    world.try_from("evil.test", FOREIGN_HTTP);
    world.end();
}
