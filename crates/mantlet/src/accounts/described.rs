//! The app's OpenAPI document with the login in it: `/docs` shows "Authorize", and sends the token from then on.
//!
//! Everything else of the document says what it said, in its order.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, json};

/// The name of the scheme, as FastAPI would have it.
const SCHEME: &str = "OAuth2PasswordBearer";
/// The same in a document that has one of that name.
const OTHER_SCHEME: &str = "MantletAccounts";
/// The operations of a path.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// JSON whose objects keep their order, in which `/docs` shows operations.
#[derive(Debug)]
enum Node {
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Other(Value),
}

impl Node {
    const EMPTY: Self = Self::Object(Vec::new());

    fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(own, _)| own == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// A member, which is made if it is not there. None if this is not an object.
    fn member(&mut self, name: &str) -> Option<&mut Self> {
        let Self::Object(members) = self else { return None };
        let at = members.iter().position(|(own, _)| own == name).unwrap_or_else(|| {
            members.push((name.to_owned(), Self::EMPTY));
            members.len() - 1
        });
        members.get_mut(at).map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Node::Object(members))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = sequence.next_element()? {
                    items.push(item);
                }
                Ok(Node::Array(items))
            }

            fn visit_str<E: de::Error>(self, v: &str) -> Result<Node, E> {
                Ok(Node::Other(v.into()))
            }

            fn visit_bool<E: de::Error>(self, v: bool) -> Result<Node, E> {
                Ok(Node::Other(v.into()))
            }

            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Node, E> {
                Ok(Node::Other(v.into()))
            }

            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Node, E> {
                Ok(Node::Other(v.into()))
            }

            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Node, E> {
                Ok(Node::Other(v.into()))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
                Ok(Node::Other(Value::Null))
            }
        }
        deserializer.deserialize_any(InOrder)
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Object(members) => {
                serializer.collect_map(members.iter().map(|(name, value)| (name, value)))
            }
            Self::Array(items) => serializer.collect_seq(items),
            Self::Other(value) => value.serialize(serializer),
        }
    }
}

/// Adds the login. None if this is not an OpenAPI 3 document.
pub(super) fn with_login(
    document: &[u8],
    token_url: &str,
    is_public: impl Fn(&str) -> bool,
) -> Option<Vec<u8>> {
    let mut root: Node = serde_json::from_slice(document).ok()?;
    let is_known =
        matches!(root.get("openapi"), Some(Node::Other(Value::String(version))) if version.starts_with("3."));
    if !is_known {
        return None;
    }
    let schemes = root.member("components")?.member("securitySchemes")?;
    let name = if schemes.get(SCHEME).is_some() { OTHER_SCHEME } else { SCHEME };
    let flow = json!({ "type": "oauth2", "flows": { "password": { "scopes": {}, "tokenUrl": token_url } } });
    *schemes.member(name)? = Node::Other(flow);
    // What holds for all operations holds for those that say nothing themselves.
    if root.get("security").is_none() {
        let Node::Object(paths) = root.member("paths")? else { return None };
        for (path, item) in paths {
            if !is_public(path) {
                secure(item, name);
            }
        }
    }
    serde_json::to_vec(&root).ok()
}

/// Adds the login to the operations of a path that say nothing of credentials.
fn secure(item: &mut Node, scheme: &str) {
    let Node::Object(members) = item else { return };
    for (_, operation) in members.iter_mut().filter(|(name, _)| METHODS.contains(&name.as_str())) {
        if operation.get("security").is_none()
            && let Some(security) = operation.member("security")
        {
            *security = Node::Other(json!([{ scheme: [] }]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(document: &str) -> Option<String> {
        with_login(document.as_bytes(), "/auth/token", |path| path == "/health")
            .map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn operations_that_need_a_login_say_so_and_nothing_else_changes() {
        let text = described(
            r#"{"openapi":"3.1.0","info":{"title":"O"},"paths":{"/z":{"summary":"s","get":{"x":2.5,"responses":{}},
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
        assert!(text.contains(r#""x":2.5,"responses":{}"#), "{text}");
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
