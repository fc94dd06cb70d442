//! The oldest Python and the oldest FastAPI: an app is read there as it is on a new one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    candidates::Launched,
    kit::{
        Client,
        command::{Finished, Typed},
        provided,
    },
};

fn python() -> String {
    provided("MANTLET_TEST_OLDEST").into_string().expect("text")
}

#[test]
fn an_app_on_the_oldest_versions_is_read() {
    let typed = Typed::mantlet(["contract", "oldest:app", "--python", &python()]).app("oldest.py");
    let Finished { code, stdout, stderr, .. } = typed.finish();
    assert_eq!(code, Some(0), "{stderr}");
    let contract: Value = serde_json::from_str(&stdout).expect("only the contract is printed");
    let version = |of: &str| contract["made-with"][of].as_str().unwrap_or_default().to_owned();
    assert!(version("python").starts_with("3.9."), "{}", version("python"));
    assert_eq!(version("fastapi"), "0.100.0");
    // The code around the routes is read, and each operation but for one body, which is taken in a former way.
    let why = "this version of FastAPI takes it out of the request in a way of its own";
    assert_eq!(contract["notes"], json!([{ "at": "POST /login body", "why": why }]));
    let routes = contract["router"]["routes"].as_array().expect("routes");
    let bodies: BTreeMap<_, _> = routes
        .iter()
        .filter(|route| route["operation"].is_object())
        .map(|route| (route["operation"]["id"].as_str(), route["operation"]["body"]["kind"].as_str()))
        .collect();
    let expected = [
        (Some("login_login_post"), Some("form")),
        (Some("order_orders__number__get"), Some("none")),
        (Some("place_orders_post"), Some("json")),
    ];
    assert_eq!(bodies, BTreeMap::from(expected));
    // FastAPI refused with 403 then.
    let secured = routes.iter().map(|route| &route["operation"]["security"][0][0]);
    let missing: Vec<_> =
        secured.map(|scheme| &scheme["missing"]).filter(|status| !status.is_null()).collect();
    assert_eq!(missing, [403]);
}

/// And served: input that is invalid is refused before the app, what is valid reaches it.
#[test]
fn an_app_on_the_oldest_versions_is_served() {
    let process = Typed::run(&["oldest:app", "--python", &python()]).app("oldest.py").start();
    let address = process.ready();
    for (number, status) in [("7", 200), ("seven", 422)] {
        let answer = Client::connect(address).get(&format!("/orders/{number}"));
        let code = answer.json()["code"].as_str().map(str::to_owned);
        let expected = (status == 422).then(|| "input-invalid".to_owned());
        assert_eq!((answer.status, code), (status, expected), "{answer:?}");
    }
}

#[test]
fn what_may_be_a_key_is_found_on_the_oldest_versions() {
    let app = "
import functools, types
from fastapi import Depends, FastAPI
from pydantic import BaseModel, SecretStr

class Settings(BaseModel):
    jwt_secret: SecretStr = SecretStr('of a model')

@functools.lru_cache()
def get_settings(): return Settings()

@functools.lru_cache(maxsize=None)
def get_key(number): return 'of a cache'

def current_user(settings=Depends(get_settings)): return types.SimpleNamespace(key='not made')

get_settings()
get_key(1)
app = FastAPI()
SECRET_KEY = 'of a module'
HELD = types.SimpleNamespace(key='of a plain object')

@app.get('/')
def root(user=Depends(current_user)): return {}
";
    let found = Launched::start(python().as_ref(), &[("main.py", app.as_bytes())]).found();
    for (value, name) in [
        ("of a model", "Settings.jwt_secret in main"),
        ("of a cache", "get_key() in main"),
        ("of a module", "SECRET_KEY in main"),
        ("of a plain object", "HELD.key in main"),
        ("not made", "a literal of current_user in main"),
    ] {
        assert_eq!(found.get(value.as_bytes()).map(|(name, _)| name.as_str()), Some(name), "{value}");
    }
}
