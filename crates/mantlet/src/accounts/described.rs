//! The app's OpenAPI document with the login in it: `/docs` shows "Authorize", and sends the token from then on.
//!
//! Everything else of the document stays as it came, byte for byte and in its order.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};

/// The name of the scheme, as FastAPI would have it.
const SCHEME: &str = "OAuth2PasswordBearer";
/// The same in a document that has one of that name.
const OTHER_SCHEME: &str = "MantletAccounts";
/// The operations of a path.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// The members of an object, in their order.
struct Members(Vec<(String, Box<RawValue>)>);

impl Members {
    fn of(raw: Option<&RawValue>) -> Option<Self> {
        match raw {
            Some(raw) => serde_json::from_str(raw.get()).ok(),
            None => Some(Self(Vec::new())),
        }
    }

    fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| &**value)
    }

    fn set(&mut self, name: &str, value: &impl Serialize) -> Option<()> {
        let value = to_raw_value(value).ok()?;
        match self.0.iter_mut().find(|(own, _)| own == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
        Some(())
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Adds the login. None if this is not an OpenAPI 3 document.
pub(super) fn with_login(
    document: &[u8],
    token_url: &str,
    is_public: impl Fn(&str) -> bool,
) -> Option<Vec<u8>> {
    let mut root: Members = serde_json::from_slice(document).ok()?;
    let version: String = serde_json::from_str(root.get("openapi")?.get()).ok()?;
    if !version.starts_with("3.") {
        return None;
    }
    let mut components = Members::of(root.get("components"))?;
    let mut schemes = Members::of(components.get("securitySchemes"))?;
    let name = if schemes.get(SCHEME).is_some() { OTHER_SCHEME } else { SCHEME };
    let flow = json!({ "type": "oauth2", "flows": { "password": { "scopes": {}, "tokenUrl": token_url } } });
    schemes.set(name, &flow)?;
    components.set("securitySchemes", &schemes)?;
    root.set("components", &components)?;
    // What holds for all operations holds for those that say nothing themselves.
    if root.get("security").is_none() {
        let mut paths = Members::of(root.get("paths"))?;
        for (path, item) in &mut paths.0 {
            if !is_public(path) {
                *item = secured(item, name)?;
            }
        }
        root.set("paths", &paths)?;
    }
    serde_json::to_vec(&root).ok()
}

/// The operations of a path, with the login for those that say nothing of credentials.
fn secured(item: &RawValue, scheme: &str) -> Option<Box<RawValue>> {
    let mut item = Members::of(Some(item))?;
    for (method, operation) in &mut item.0 {
        if !METHODS.contains(&method.as_str()) {
            continue;
        }
        let mut members = Members::of(Some(operation))?;
        if members.get("security").is_none() {
            members.set("security", &json!([{ scheme: [] }]))?;
            *operation = to_raw_value(&members).ok()?;
        }
    }
    to_raw_value(&item).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn described(document: &str) -> Option<String> {
        with_login(document.as_bytes(), "/auth/token", |path| path == "/health")
            .map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn operations_that_need_a_login_say_so_and_nothing_else_changes() {
        let text = described(
            r#"{"openapi":"3.1.0","info":{"title":"O"},"paths":{"/z":{"summary":"s","get":{"x":1e2,"responses":{}},
            "post":{"security":[{"Own":[]}]}},"/health":{"get":{}},"/a":{"get":{}}},"tags":[]}"#,
        )
        .unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        let login = json!([{ "OAuth2PasswordBearer": [] }]);
        assert_eq!(value["paths"]["/z"]["get"]["security"], login);
        assert_eq!(value["paths"]["/a"]["get"]["security"], login);
        assert_eq!(value["paths"]["/z"]["post"]["security"], json!([{ "Own": [] }]));
        assert_eq!(value["paths"]["/health"]["get"], json!({}));
        let flow = &value["components"]["securitySchemes"]["OAuth2PasswordBearer"]["flows"]["password"];
        assert_eq!(flow["tokenUrl"], "/auth/token");
        assert!(text.contains(r#""x":1e2,"responses":{}"#), "{text}");
        assert!(text.find("/z") < text.find("/health") && text.find("/health") < text.find("/a"), "{text}");
    }

    #[test]
    fn schemes_and_requirements_of_the_app_stay() {
        let text = described(
            r#"{"openapi":"3.0.3","security":[{"OAuth2PasswordBearer":[]}],"paths":{"/a":{"get":{}}},
            "components":{"schemas":{"A":{}},"securitySchemes":{"OAuth2PasswordBearer":{"type":"http"}}}}"#,
        )
        .unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        let schemes = &value["components"]["securitySchemes"];
        assert_eq!(schemes["OAuth2PasswordBearer"], json!({ "type": "http" }));
        assert_eq!(schemes["MantletAccounts"]["type"], "oauth2");
        assert_eq!(value["paths"]["/a"]["get"], json!({}));
        assert_eq!(value["components"]["schemas"], json!({ "A": {} }));
    }

    #[test]
    fn what_is_not_a_document_is_left() {
        for other in
            ["", "[]", "{}", r#"{"openapi":3}"#, r#"{"openapi":"2.0"}"#, r#"{"openapi":"3.1.0","paths":[]}"#]
        {
            assert_eq!(described(other), None, "{other}");
        }
    }
}
