use serde_json::{Value as Json, json};

use super::*;

/// An operation: method, path, id, what it takes, and whether a bearer is asked for.
pub(super) struct Row(
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) Json,
    pub(super) &'static str,
);

fn field(location: &str, name: &str, shape: u32) -> Json {
    let (name, required) = name.strip_suffix('?').map_or((name, true), |name| (name, false));
    json!({"location": location, "take": {"kind": "field", "names": [name], "multiple": false}, "shape": shape, "required": required})
}

/// Names are fields of a form; `query:…`, `path:…`, `cookie:…`, `header:…`; one with a `?` may be missing. `{"shape": …}` is a whole JSON body.
fn inputs(names: &Json) -> Vec<Json> {
    let one = |name: &Json| match name.as_str() {
        None => {
            json!({"location": "body", "take": {"kind": "whole"}, "shape": name["shape"], "required": true})
        }
        Some(name) => match name.split_once(':') {
            Some(("short", name)) => field("body", name, 1),
            Some(("bool", name)) => field("body", name, 2),
            Some(("flag", name)) => field("query", name, 2),
            Some(("password-grant", name)) => field("body", name, 9),
            Some(("grant", name)) => field("body", name, 10),
            Some((location, name)) => field(location, name, 0),
            None => field("body", name, 0),
        },
    };
    names.as_array().unwrap().iter().map(one).collect()
}

pub(super) fn contract(rows: &[Row]) -> Contract {
    let security = |security: &str| match security.split_once(':') {
        Some((location, name)) => {
            let scheme = json!({"kind": "api-key", "location": location, "name": name});
            json!([[{"name": "APIKey", "scheme": scheme, "auto-error": true}]])
        }
        None => match security {
            "bearer" => {
                let scheme = json!({"kind": "bearer", "token-url": "auth/jwt"});
                json!([[{"name": "OAuth2PasswordBearer", "scheme": scheme, "auto-error": true}]])
            }
            _ => json!([]),
        },
    };
    let route = |Row(method, path, id, names, scheme): &Row| {
        json!({"kind": "http", "path": path, "methods": [method], "hidden": false, "operation": {
            "id": id, "body": {"kind": "form", "files": false}, "inputs": inputs(names), "security": security(scheme),
        }})
    };
    let object = |fields: Json| json!({"type": "object", "name": "M", "kind": "model", "extra": "ignore", "fields": fields});
    let of = |name: &str, shape: u32, required: bool| json!({"name": name, "lookup": [[name]], "shape": shape, "required": required});
    serde_json::from_value(json!({
        "version": 1, "source": "inspector",
        "shapes": [
            {"type": "any"}, {"type": "str", "max-length": 8}, {"type": "bool"},
            object(json!([of("username", 0, true), of("password", 0, true)])),
            // In an object, and optional in two ways.
            object(json!([of("credentials", 3, true), of("remember", 2, false)])),
            object(json!([of("username", 0, false), of("email", 0, false), of("password", 0, true)])),
            {"type": "union", "choices": [3, 7], "labels": ["a", "b"]},
            object(json!([of("phone", 0, true), of("pin", 1, true)])),
            {"type": "opaque", "why": "code decides"},
            {"type": "str", "pattern": "^password$"},
            {"type": "str", "pattern": "password|refresh_token"},
            // A login or a refresh.
            {"type": "union", "choices": [12, 14], "labels": ["a", "b"]},
            object(json!([of("grant_type", 13, true), of("username", 0, true), of("password", 0, true)])),
            {"type": "literal", "expected": ["password"]},
            object(json!([of("grant_type", 15, true), of("refresh_token", 0, true)])),
            {"type": "literal", "expected": ["refresh_token"]},
            object(json!([of("user", 17, true)])),
            object(json!([of("email", 0, false), of("password", 0, false)])),
            {"type": "dict", "keys": 0, "values": 0},
            // A password, but not the caller's.
            object(json!([of("smtp", 17, true)])),
        ],
        "router": {"routes": rows.iter().map(route).collect::<Vec<_>>(), "redirect-slashes": true, "complete": true},
    }))
    .unwrap()
}

/// `purpose evidence account…` of each.
fn found(rows: &[Row]) -> Vec<String> {
    let found = find(&contract(rows));
    let line = |Row(method, path, ..): &Row| {
        let of_it =
            |one: &&SensitiveRoute| one.path == *path && one.methods.iter().any(|name| name == method);
        found.iter().find(of_it).map_or("-".to_owned(), |one| {
            let sensitivity = &one.sensitivity;
            let evidence = match sensitivity.evidence {
                Evidence::Known => "known",
                Evidence::Inputs => "inputs",
                Evidence::Word => "word",
            };
            let accounts: Vec<_> = sensitivity.accounts.iter().map(Place::to_string).collect();
            format!("{} {evidence} {}", sensitivity.purpose.name(), accounts.join(",")).trim_end().to_owned()
        })
    };
    rows.iter().map(line).collect()
}

fn check(rows: Vec<(Row, &str)>) {
    let (rows, expected): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let found = found(&rows);
    for ((row, found), expected) in rows.iter().zip(&found).zip(expected) {
        assert_eq!(found, expected, "{} {}", row.0, row.1);
    }
}

#[test]
fn what_an_operation_takes_shows_what_it_is_for() {
    check(vec![
        (Row("POST", "/auth/jwt", "a", json!(["username", "password"]), ""), "login known username"),
        (Row("POST", "/session", "b", json!(["userName", "password"]), ""), "login known userName"),
        (Row("POST", "/token", "c", json!(["username", "password"]), ""), "login known username"),
        (Row("POST", "/sign-in", "d", json!(["email"]), ""), "login known email"),
        (Row("POST", "/a", "sign_in_a_post", json!(["user", "pin"]), ""), "login known user"),
        (Row("POST", "/auth/forgot-password", "e", json!(["email"]), ""), "reset known email"),
        (Row("POST", "/auth/reset-password", "f", json!(["token", "password"]), ""), "reset known"),
        (Row("POST", "/auth/signUp", "g", json!(["email", "password"]), ""), "register known email"),
        (Row("POST", "/invitations", "h", json!(["customer_email"]), ""), "register known customer_email"),
        (Row("POST", "/mfa/{user}", "i", json!(["path:user", "code"]), "bearer"), "verify known path:user"),
        (Row("POST", "/verify", "j", json!(["short:code"]), ""), "verify known"),
        (Row("POST", "/confirm", "k", json!(["phone_number", "code"]), ""), "verify known phone_number"),
        (Row("POST", "/coupons/redeem", "l", json!(["code"]), "bearer"), "redeem known"),
        (Row("POST", "/vouchers/{code}/apply", "m", json!(["path:code"]), ""), "redeem known"),
        (Row("POST", "/guest/checkout", "n", json!(["email", "cart"]), ""), "checkout known email"),
    ]);
}

#[test]
fn words_alone_prove_nothing() {
    check(vec![
        (Row("POST", "/reset", "a", json!([]), ""), "reset word"),
        (Row("POST", "/games/{game_id}/reset", "b", json!(["path:game_id", "seed"]), ""), "reset word"),
        (Row("POST", "/api/v2/reset", "c", json!([]), ""), "reset word"),
        (Row("POST", "/verify", "d", json!(["proof", "public_key"]), ""), "verify word"),
        // A program's code is longer than one that is typed in.
        (Row("POST", "/lean/verify", "e", json!(["code", "language"]), ""), "verify word"),
        (Row("POST", "/models/register", "f", json!(["name", "uri", "user"]), ""), "register word user"),
        (Row("POST", "/branches/checkout", "g", json!(["branch"]), ""), "checkout word"),
        (Row("POST", "/cart/checkout", "h", json!([]), "bearer"), "checkout word"),
        (Row("POST", "/invite", "i", json!(["user_id"]), ""), "register word user_id"),
        (Row("POST", "/voucher", "j", json!([]), ""), "redeem word"),
        (Row("POST", "/confirm", "k", json!(["bool:email"]), ""), "verify word"),
        // A known caller may have a thousand people to invite, and passwords of its own to keep.
        (Row("POST", "/invitations", "l", json!(["email"]), "bearer"), "register word email"),
        (
            Row("POST", "/password", "m", json!(["site", "username", "password"]), "bearer"),
            "reset word username",
        ),
        (Row("POST", "/login", "n", json!(["id_token"]), ""), "login word"),
        // Neither word nor account, or words in other places.
        (Row("POST", "/token", "o", json!(["label"]), "bearer"), "-"),
        (Row("POST", "/token/count", "p", json!(["text"]), ""), "-"),
        (Row("POST", "/code", "q", json!(["code"]), ""), "-"),
        (Row("GET", "/login", "r", json!([]), ""), "-"),
        (Row("GET", "/reset", "s", json!(["query:email"]), ""), "-"),
        (Row("POST", "/items/{login}", "t", json!(["name"]), ""), "-"),
        (Row("POST", "/blogin", "u", json!(["name"]), ""), "-"),
        (Row("POST", "/users", "create_user", json!(["email", "password"]), "bearer"), "-"),
        (Row("POST", "/relays", "w", json!(["username", "password", "ttl"]), ""), "login inputs username"),
    ]);
}

/// What is guessed or flooded must be among what it takes: things have passwords, pins and codes, too.
#[test]
fn a_password_alone_is_no_account() {
    check(vec![
        (Row("POST", "/reset", "a", json!(["password"]), ""), "reset word"),
        (Row("POST", "/archives/{name}/verify", "b", json!(["path:name", "password"]), ""), "verify word"),
        (Row("POST", "/rooms/register", "c", json!(["name", "password"]), ""), "register word"),
        (Row("POST", "/branches/checkout", "d", json!(["branch", "password"]), ""), "checkout word"),
        (Row("POST", "/password", "e", json!(["password", "length"]), ""), "reset word"),
        (Row("POST", "/documents/recover", "f", json!(["passphrase"]), ""), "reset word"),
        (Row("POST", "/gpio/reset", "g", json!(["short:pin"]), ""), "reset word"),
        (Row("POST", "/gpio/pin", "h", json!(["short:pin", "level"]), ""), "verify word"),
        (Row("POST", "/currencies/activate", "i", json!(["short:currency_code"]), ""), "verify word"),
        (Row("POST", "/confirm", "j", json!(["short:errorCode"]), ""), "verify word"),
        (Row("POST", "/promo", "k", json!(["country_code"]), ""), "redeem word"),
        // Beside what stands for an account, or of a caller who is known.
        (Row("POST", "/l/reset", "l", json!(["reset_token", "password"]), ""), "reset known"),
        (Row("POST", "/m/reset/{token}", "m", json!(["path:token", "new_password"]), ""), "reset known"),
        (Row("POST", "/n/reset", "n", json!(["code", "password"]), ""), "reset known"),
        (Row("POST", "/o/reset/{uid}", "o", json!(["path:uid", "password"]), ""), "reset known path:uid"),
        (Row("POST", "/p/register", "p", json!(["user", "password"]), ""), "register known user"),
        (Row("POST", "/q/invitation", "q", json!(["token", "password"]), ""), "register known"),
        (Row("POST", "/r/verify", "r", json!(["password"]), "bearer"), "verify known"),
        (Row("POST", "/s/verify", "s", json!(["pin"]), ""), "verify known"),
        (Row("POST", "/t/verify", "t", json!(["short:login_code"]), ""), "verify known"),
        (Row("POST", "/u/redeem", "u", json!(["gift_code"]), "bearer"), "redeem known"),
        // A login with a password alone is that of an app for one.
        (Row("POST", "/v/login", "v", json!(["password"]), ""), "login known"),
    ]);
}

#[test]
fn accounts_are_found_wherever_they_stand() {
    check(vec![
        (Row("POST", "/a/login", "a", json!([{"shape": 3}]), ""), "login known username"),
        (Row("POST", "/b/login", "b", json!([{"shape": 4}]), ""), "login known credentials.username"),
        (Row("POST", "/c/login", "c", json!([{"shape": 5}]), ""), "login known username,email"),
        // Any of several forms may be the one that is sent.
        (Row("POST", "/d/login", "d", json!([{"shape": 6}]), ""), "login known username,phone"),
        (
            Row("POST", "/i/login", "i", json!(["query:email", {"shape": 3}]), ""),
            "login known username,query:email",
        ),
        (
            Row("POST", "/e/login", "e", json!(["query:username", "query:password"]), ""),
            "login known query:username",
        ),
        (
            Row("GET", "/f/login", "f", json!(["query:email", "query:password"]), ""),
            "login inputs query:email",
        ),
        (
            Row("POST", "/users/{user_id}/login", "g", json!(["path:user_id", "password"]), ""),
            "login known path:user_id",
        ),
        (Row("POST", "/h/login", "h", json!([{"shape": 8}]), ""), "login word"),
    ]);
    // One that is open to both methods is not a page where the account is in the query.
    for (inputs, methods) in [
        (json!(["query:email", "query:password"]), vec!["GET", "POST"]),
        (json!(["email", "password"]), vec!["POST"]),
    ] {
        let mut both = contract(&[Row("POST", "/login", "a", inputs, "")]);
        let Some(Route::Http { methods: of_route, .. }) = both.router.routes.first_mut() else { panic!() };
        *of_route = vec!["GET".into(), "HEAD".into(), "POST".into()];
        assert_eq!(find(&both)[0].methods, methods);
    }
    let mut contract = contract(&[Row("POST", "/login", "a", json!([]), "")]);
    let Some(Route::Http { operation: Some(operation), .. }) = contract.router.routes.first_mut() else {
        panic!()
    };
    operation.named = vec![vec!["form".into(), "username".into()], vec!["form".into(), "password".into()]];
    let found = find(&contract);
    assert_eq!(found[0].sensitivity.accounts, [Place::read("form.username")]);
    assert_eq!(found[0].sensitivity.evidence, Evidence::Known);
    for text in ["email", "user.email", "query:email", "path:id"] {
        assert_eq!(Place::read(text).to_string(), text);
    }
}
