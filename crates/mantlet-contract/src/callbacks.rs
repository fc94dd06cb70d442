//! Which operations look as if another site's page sends their requests on purpose, with its user's browser: answers of identity providers, launches of
//! learning tools, returns from a bank.
//!
//! A browser tells of such a request what it tells of a forged one. The findings decide nothing:
//! they are for the operator.

use crate::model::{
    BodyKind, Contract, Input, Location, Operation, PathItem, Route, Router, Shape, ShapeId, Take,
};

/// An operation that looks like a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// As the app has it, with what it is mounted below.
    pub path: String,
    /// What shows it: `SAML`, `OpenID Connect`, the word in its path.
    pub why: String,
}

/// Fields of a form that only such a request has, and what it is. All of a row must be there.
const FORMS: [(&str, &[&str]); 11] = [
    ("SAML", &["SAMLResponse"]),
    ("SAML", &["SAMLRequest"]),
    ("WS-Federation", &["wresult"]),
    ("OpenID Connect", &["id_token"]),
    ("OAuth", &["code", "state"]),
    ("LTI", &["iss", "login_hint"]),
    ("LTI", &["lti_message_type"]),
    ("LTI", &["oauth_consumer_key"]),
    ("3-D Secure", &["PaRes"]),
    ("3-D Secure", &["cres"]),
    ("3-D Secure", &["threeDSMethodData"]),
];

/// Words of a path for handlers that read a form by themselves.
const WORDS: [&str; 9] = ["acs", "callback", "lti", "oauth", "oidc", "saml", "saml2", "sso", "3ds"];

/// All that look so, in the app's order.
pub fn find(contract: &Contract) -> Vec<Callback> {
    let mut found = Vec::new();
    search(&contract.shapes, "", &contract.router, &mut found);
    found
}

fn search(shapes: &[Shape], below: &str, router: &Router, found: &mut Vec<Callback>) {
    for route in &router.routes {
        match route {
            Route::Http { path, methods, operation: Some(operation), .. }
                if methods.iter().any(|method| method == "POST") =>
            {
                let path = format!("{below}{path}");
                if let Some(why) = why(shapes, &path, operation) {
                    found.push(Callback { path, why });
                }
            }
            Route::Mount { path, router: Some(inner) } => {
                search(shapes, &format!("{below}{path}"), inner, found);
            }
            Route::Host { router: Some(inner), .. } => search(shapes, below, inner, found),
            _ => {}
        }
    }
}

fn why(shapes: &[Shape], path: &str, operation: &Operation) -> Option<String> {
    // Where a key or a token is asked for, no page of another site sends it along.
    if !operation.security.is_empty() {
        return None;
    }
    match operation.body {
        BodyKind::Form { .. } => {
            let fields = fields(shapes, operation);
            let has = |name: &&str| fields.iter().any(|own| own == name);
            let (what, names) = FORMS.iter().find(|(_, names)| names.iter().all(has))?;
            Some(format!(
                "{what}: {}",
                names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
            ))
        }
        BodyKind::Opaque | BodyKind::None
            if operation.reads_request || operation.body == BodyKind::Opaque =>
        {
            let segments = path.split('/').filter(|segment| !segment.starts_with('{'));
            let mut words = segments.flat_map(|segment| segment.split(['-', '_', '.']));
            let word = words.find(|word| WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)))?;
            Some(format!("`{word}` in its path, and its handler reads what comes by itself"))
        }
        _ => None,
    }
}

/// Names of the form's fields, as they come over the wire.
fn fields(shapes: &[Shape], operation: &Operation) -> Vec<String> {
    let mut fields = Vec::new();
    for input in operation.inputs.iter().filter(|input| input.location == Location::Body) {
        if input.take == Take::Whole {
            of_model(shapes, input, &mut fields);
        } else {
            fields.extend(input.take.names().map(str::to_owned));
        }
    }
    fields
}

fn of_model(shapes: &[Shape], input: &Input, fields: &mut Vec<String>) {
    let shape = |id: ShapeId| shapes.get(usize::try_from(id.0).unwrap_or(usize::MAX));
    let mut next = shape(input.shape);
    // Bounded, for a shape may stand around itself.
    for _ in 0..8 {
        next = match next {
            Some(Shape::Object(object)) => {
                let names = object.fields.iter().flat_map(|field| &field.lookup);
                fields.extend(names.filter_map(|path| match &path[..] {
                    [PathItem::Key(name)] => Some(name.clone()),
                    _ => None,
                }));
                return;
            }
            Some(Shape::Nullable { inner } | Shape::WithDefault { inner } | Shape::Then { inner, .. }) => {
                shape(*inner)
            }
            _ => return,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_are_known_by_their_forms_and_by_words_where_the_handler_reads_by_itself() {
        let form = serde_json::json!({"kind": "form", "files": false});
        let (opaque, none) = (serde_json::json!({"kind": "opaque"}), serde_json::json!({"kind": "none"}));
        let rows = [
            ("/auth/apple", &form, &["code", "state", "user"][..], Some("OAuth: `code` and `state`")),
            ("/sso/acs", &form, &["SAMLResponse", "RelayState"], Some("SAML: `SAMLResponse`")),
            ("/signin-oidc", &form, &["id_token", "state"], Some("OpenID Connect: `id_token`")),
            (
                "/lti/login",
                &form,
                &["iss", "login_hint", "target_link_uri"],
                Some("LTI: `iss` and `login_hint`"),
            ),
            ("/pay/done", &form, &["cres"], Some("3-D Secure: `cres`")),
            (
                "/raw/saml2/acs",
                &opaque,
                &[],
                Some("`saml2` in its path, and its handler reads what comes by itself"),
            ),
            ("/promo", &form, &["code"], None),
            ("/saml/settings", &none, &[], None),
            ("/callbacks", &opaque, &[], None),
            ("/upload", &opaque, &[], None),
        ];
        let routes: Vec<_> = rows
            .iter()
            .map(|(path, body, fields, _)| {
                let inputs: Vec<_> = fields.iter().map(|name| serde_json::json!({"location": "body", "take": {"kind": "field", "names": [name], "multiple": false}, "shape": 0, "required": true})).collect();
                let operation = serde_json::json!({"id": path, "body": body, "inputs": inputs});
                serde_json::json!({"kind": "http", "path": path, "methods": ["POST"], "hidden": false, "operation": operation})
            })
            .collect();
        let contract = serde_json::from_value(serde_json::json!({
            "version": 1, "source": "inspector", "shapes": [{"type": "any"}],
            "router": {"routes": routes, "redirect-slashes": true, "complete": true},
        }))
        .unwrap();
        let found = find(&contract);
        for (path, _, _, expected) in rows {
            let why =
                found.iter().find(|callback| callback.path == path).map(|callback| callback.why.as_str());
            assert_eq!(why, expected, "{path}");
        }
    }
}
