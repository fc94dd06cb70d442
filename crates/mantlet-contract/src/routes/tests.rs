use super::*;

#[test]
fn a_root_path_is_routed_away() {
    let router = serde_json::json!({
        "routes": [{"kind": "http", "path": "/items/{x}", "methods": ["GET"], "hidden": false}],
        "redirect-slashes": false, "complete": true,
    });
    let (routes, _) = Routes::compile(&serde_json::from_value(router).unwrap());
    let routes = routes.with_root_path(Some("/api"));
    let value = |path: &'static str| match routes.find(Wanted::Http("GET"), path) {
        Found::Http { parameters, .. } => Some(&path[parameters[0].place.clone()]),
        _ => None,
    };
    assert_eq!(value("/api/items/7"), Some("7"));
    assert_eq!(value("/items/8"), Some("8"));
    assert_eq!((value("/apitems/7"), value("/api")), (None, None));
}

fn routes(routes: &serde_json::Value) -> Routes {
    let router = serde_json::json!({"routes": routes, "redirect-slashes": true, "complete": true});
    Routes::compile(&serde_json::from_value(router).unwrap()).0
}

fn http(path: &str, method: &str, hidden: bool) -> serde_json::Value {
    serde_json::json!({"kind": "http", "path": path, "methods": [method], "hidden": hidden})
}

/// What is found, in a word, with its path or methods.
fn found(routes: &Routes, method: &str, path: &str, veil: Veil) -> String {
    match routes.find_from(Wanted::Http(method), None, path, routes.roots().start_in(path), veil) {
        Found::Http { route, .. } => format!("is {}", route.path),
        Found::MethodNotAllowed(allowed) => format!("allows {}", allowed.join(" ")),
        Found::Veiled { route, allowed } => format!("veiled {} {}", route.path, allowed.join(" ")),
        Found::Redirect => "redirect".to_owned(),
        Found::None { certain: true } => "none".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn what_is_veiled_leaves_no_trace_whatever_the_method_and_the_slash() {
    let routes = routes(&serde_json::json!([
        http("/internal", "GET", true),
        http("/both", "GET", true),
        http("/both", "POST", false),
        http("/items/{x}", "GET", false),
        http("/items/{x}", "PUT", false),
        http("/items/{x}", "DELETE", true),
        http("/slash/", "GET", true),
    ]));
    let veil = Veil { hidden: true, ..Veil::default() };
    for (method, path, plain, veiled) in [
        ("GET", "/internal", "is /internal", "veiled /internal "),
        ("POST", "/internal", "allows GET", "veiled /internal "),
        ("GET", "/internal/", "redirect", "veiled /internal "),
        ("PUT", "/internal/", "redirect", "veiled /internal "),
        ("GET", "/slash", "redirect", "veiled /slash/ "),
        ("GET", "/both", "is /both", "veiled /both POST"),
        ("POST", "/both", "is /both", "is /both"),
        ("PUT", "/both", "allows GET POST", "allows POST"),
        ("POST", "/items/7", "allows DELETE GET PUT", "allows GET PUT"),
        ("DELETE", "/items/7", "is /items/{x}", "veiled /items/{x} GET PUT"),
        ("GET", "/items/7/", "redirect", "redirect"),
        ("GET", "/nothing", "none", "none"),
    ] {
        assert_eq!(found(&routes, method, path, Veil::default()), plain, "{method} {path}");
        assert_eq!(found(&routes, method, path, veil), veiled, "{method} {path}");
    }
    let veil = Veil { leaves_methods: true, ..veil };
    assert_eq!(found(&routes, "POST", "/items/7", veil), "veiled /items/{x} GET PUT");
}

#[test]
fn what_answers_by_itself_has_names() {
    let mount = |path: &str, router: serde_json::Value| serde_json::json!({"kind": "mount", "path": path, "router": router});
    let inner = serde_json::json!({
        "routes": [mount("/blog", serde_json::Value::Null)], "redirect-slashes": false, "complete": true
    });
    let null = serde_json::Value::Null;
    let routes =
        routes(&serde_json::json!([mount("/old", inner), mount("/files", null.clone()), mount("", null)]));
    for (path, expected) in [
        ("/old/blog/wp-login.php", Some("/old/blog/{path:path}")),
        ("/files/.env", Some("/files/{path:path}")),
        ("/old/wp-login.php", None),
        ("/.env", None),
    ] {
        assert_eq!(routes.named_by(path), expected, "{path}");
    }
}

#[test]
fn without_the_root_path_a_mounted_app_sees_the_whole_path() {
    let inner = serde_json::json!({"routes": [http("/x", "GET", false), http("/sub/y", "GET", false)], "redirect-slashes": false, "complete": true});
    let mount = serde_json::json!({"kind": "mount", "path": "/sub", "router": inner});
    let routes = routes(&serde_json::json!([mount, http("/z", "GET", false)]));
    let plain = |path| found(&routes, "GET", path, Veil::default());
    assert_eq!(["/sub/x", "/sub/y", "/z"].map(plain), ["is /sub/x", "none", "is /z"]);
    let routes = routes_with_root(routes);
    let below = |path| found(&routes, "GET", path, Veil::default());
    assert_eq!(["/api/sub/x", "/api/z", "/z"].map(below), ["is /sub/x", "is /z", "is /z"]);
    assert_eq!(["/sub/x", "/sub/y"].map(below), ["none", "is /sub/sub/y"]);
    let mounts: Vec<_> = routes.http().map(|route| (route.path.as_str(), route.mount())).collect();
    assert_eq!(mounts, [("/z", None), ("/sub/x", Some("/sub")), ("/sub/sub/y", Some("/sub"))]);
}

fn routes_with_root(routes: Routes) -> Routes {
    routes.with_root_path(Some("/api"))
}

#[test]
fn a_catch_all_names_no_path_and_other_templates_name_theirs() {
    for (route, path, expected) in [
        ("/login", "/login", true),
        ("/login", "/login/", true),
        ("/login/", "/login", true),
        ("/login", "/login/now", false),
        ("/items/{item_id}", "/items/.env", true),
        ("/{page}", "/.env", true),
        ("/{page}", "/.git/config", false),
        ("/{path:path}", "/.env", false),
        ("/files/{path:path}", "/files/a/.env", true),
        ("/files/{path:path}", "/.env", false),
        ("/docs", "/docs/{rest:path}", true),
        ("/docs/a/b", "/docs/{rest:path}", true),
        ("/", "/.env", false),
    ] {
        assert_eq!(super::is_named_by(route, path), expected, "{route} {path}");
    }
}
