//! What a provider says of a caller: which of it is kept, and whether the caller may log in.

use serde_json::{Map, Value};

use crate::settings::Checked;

/// A claim by its name, or else by a path through objects: `realm_access.roles`. A name may have dots of its own:
/// `https://example.com/roles`.
pub(crate) fn claim<'c>(claims: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    if let Some(found) = claims.get(path) {
        return Some(found);
    }
    let mut names = path.split('.');
    let first = claims.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name)).filter(|_| path.contains('.'))
}

/// The claims that the configuration needs and that are not there.
pub(crate) fn are_missing(settings: &Checked, claims: &Map<String, Value>) -> bool {
    let email = settings.allow.asks_for_email().then_some(["email", "email_verified"]);
    let groups = (!settings.allow.groups.is_empty()).then_some(&*settings.groups);
    let wanted = settings.attributes.iter().map(String::as_str);
    wanted.chain(email.into_iter().flatten()).chain(groups).any(|name| claim(claims, name).is_none())
}

/// What becomes of the claims: attributes of the caller.
pub(crate) fn attributes(settings: &Checked, claims: &Map<String, Value>) -> Map<String, Value> {
    let kept = settings.attributes.iter();
    kept.filter_map(|name| Some((name.clone(), claim(claims, name)?.clone()))).collect()
}

/// Why a caller may not log in, for the operator; none if it may. An address has to be on one of the lists of addresses, if
/// there is any, and a group on the list of groups, if there is one.
pub(crate) fn refusal(settings: &Checked, claims: &Map<String, Value>) -> Option<String> {
    let allow = &settings.allow;
    if allow.asks_for_email() {
        let Some(email) = claim(claims, "email").and_then(Value::as_str).map(str::to_lowercase) else {
            return Some("the provider names no e-mail address".to_owned());
        };
        // Amazon Cognito writes it as a text.
        let is_verified = matches!(claim(claims, "email_verified"), Some(Value::Bool(true)))
            || claim(claims, "email_verified").and_then(Value::as_str) == Some("true");
        if !is_verified {
            return Some("the provider does not say that it has verified the e-mail address".to_owned());
        }
        let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
        let is_listed = allow.domains.iter().any(|own| own == domain) || allow.emails.contains(&email);
        if !is_listed {
            return Some("the e-mail address is on no list".to_owned());
        }
    }
    if !allow.groups.is_empty() {
        let is_listed = |name: &str| allow.groups.iter().any(|own| own == name);
        let is_member = match claim(claims, &settings.groups) {
            Some(Value::String(one)) => is_listed(one),
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).any(is_listed),
            _ => return Some(format!("the provider names no groups in `{}`", settings.groups)),
        };
        if !is_member {
            return Some("none of the groups is on the list".to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::{Login, check};

    fn settings(login: Login) -> Checked {
        let login = Login { issuer: "https://id.example".into(), client_id: "app".into(), ..login };
        check(&[login]).unwrap().remove(0)
    }

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_claim_has_a_name_or_a_path() {
        let claims = map(&json!({
            "email": "a@b.c", "realm_access": {"roles": ["x"]}, "https://b.c/roles": ["y"], "n": {"a": {"b": 1}},
        }));
        assert_eq!(claim(&claims, "email"), Some(&json!("a@b.c")));
        assert_eq!(claim(&claims, "realm_access.roles"), Some(&json!(["x"])));
        assert_eq!(claim(&claims, "https://b.c/roles"), Some(&json!(["y"])));
        assert_eq!(claim(&claims, "n.a.b"), Some(&json!(1)));
        for missing in ["name", "realm_access.groups", "email.x", "", "."] {
            assert_eq!(claim(&claims, missing), None, "{missing}");
        }
    }

    #[test]
    fn what_is_not_named_is_not_kept() {
        let settings = settings(Login { attributes: vec!["a.b".into(), "c".into()], ..Login::default() });
        let claims = map(&json!({"a": {"b": 1, "secret": 2}, "sub": "x"}));
        assert_eq!(attributes(&settings, &claims), map(&json!({"a.b": 1})));
        assert!(are_missing(&settings, &claims));
        assert!(!are_missing(&settings, &map(&json!({"a": {"b": 1}, "c": null}))));
    }

    #[test]
    fn lists_allow() {
        let by_address = settings(Login {
            allow_domains: vec!["Example.com".into()],
            allow_emails: vec!["Guest@other.example".into()],
            ..Login::default()
        });
        let email =
            |address: &str, verified: Value| map(&json!({"email": address, "email_verified": verified}));
        assert_eq!(refusal(&by_address, &email("ada@example.COM", json!(true))), None);
        assert_eq!(refusal(&by_address, &email("guest@other.example", json!("true"))), None);
        for refused in [
            email("ada@example.com", json!(false)),
            email("ada@example.com", json!(null)),
            email("ada@example.com", json!(1)),
            email("ada@example.com.evil.example", json!(true)),
            email("ada@sub.example.com", json!(true)),
            email("example.com", json!(true)),
            email("ada@evil.example", json!(true)),
            map(&json!({"email": ["ada@example.com"], "email_verified": true})),
            map(&json!({"email_verified": true})),
        ] {
            assert!(refusal(&by_address, &refused).is_some(), "{refused:?}");
        }
        let by_group = settings(Login {
            allow_groups: vec!["staff".into()],
            groups: "realm_access.roles".into(),
            ..Login::default()
        });
        let roles = |roles: Value| map(&json!({"realm_access": {"roles": roles}}));
        assert_eq!(refusal(&by_group, &roles(json!(["x", "staff"]))), None);
        assert_eq!(refusal(&by_group, &roles(json!("staff"))), None);
        for refused in [
            roles(json!(["Staff"])),
            roles(json!([])),
            roles(json!({"staff": true})),
            map(&json!({"groups": ["staff"]})),
        ] {
            assert!(refusal(&by_group, &refused).is_some(), "{refused:?}");
        }
        // Both have to fit where both are there.
        let both = settings(Login {
            allow_groups: vec!["staff".into()],
            allow_domains: vec!["example.com".into()],
            ..Login::default()
        });
        let mut claims = email("ada@example.com", json!(true));
        assert!(refusal(&both, &claims).is_some());
        claims.insert("groups".into(), json!(["staff"]));
        assert_eq!(refusal(&both, &claims), None);
    }
}
