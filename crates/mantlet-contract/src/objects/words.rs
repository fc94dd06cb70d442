//! Words in names.

/// Of paths, tags and dependencies that are for those who may see objects of others.
const ADMINISTRATORS: [&str; 14] = [
    "admin",
    "administrator",
    "admins",
    "backoffice",
    "internal",
    "management",
    "moderator",
    "permission",
    "permissions",
    "role",
    "roles",
    "staff",
    "superadmin",
    "superuser",
];
/// What a caller does to another user, in their path.
const TO_OTHERS: [&str; 10] = [
    "block",
    "follow",
    "followers",
    "following",
    "invite",
    "message",
    "mute",
    "report",
    "unblock",
    "unfollow",
];
/// What a client does in the path of a group that it is not in yet.
const JOINING: [&str; 10] = [
    "accept",
    "application",
    "applications",
    "apply",
    "invitation",
    "invitations",
    "join",
    "member",
    "members",
    "memberships",
];
/// Fields that a profile for all does not have.
const PRIVATE: [&str; 9] =
    ["address", "birth", "birthday", "birthdate", "email", "iban", "mail", "phone", "salary"];
/// Last words of parameters that say which object is meant.
const IDS: [&str; 9] = ["code", "guid", "id", "key", "no", "number", "pk", "slug", "uuid"];

pub(super) fn is_for_administrators(name: &str) -> bool {
    words(name).any(|word| ADMINISTRATORS.contains(&word.as_str()))
}

pub(super) fn is_to_others(segment: &str) -> bool {
    words(segment).any(|word| TO_OTHERS.contains(&word.as_str()))
}

pub(super) fn is_joining(segment: &str) -> bool {
    words(segment).any(|word| JOINING.contains(&word.as_str()))
}

/// Whether a name is that of a table, in the singular or the plural.
pub(super) fn is_called(name: &str, table: &str) -> bool {
    let table = table.rsplit('.').next().unwrap_or_default();
    singular(name) == singular(table)
}

/// Whether a field is a list of keys of a group: `org_ids`, `organization_ids`.
pub(super) fn is_list_of(field: &str, group: &str) -> bool {
    let all: Vec<_> = words(field).collect();
    let Some((last, rest)) = all.split_last() else { return false };
    let said = rest.concat();
    let group = singular(group.rsplit('.').next().unwrap_or_default());
    last == "ids" && said.len() >= 3 && group.starts_with(singular(&said).as_str())
}

/// How such a field may be called.
pub(super) fn list_of(group: &str) -> String {
    format!("{}_ids", singular(group.rsplit('.').next().unwrap_or_default()))
}

/// The words of a name as one, in the singular.
fn singular(name: &str) -> String {
    let name = words(name).collect::<String>();
    for (end, instead) in [("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh")] {
        if let Some(start) = name.strip_suffix(end) {
            return format!("{start}{instead}");
        }
    }
    let is_plural = name.ends_with('s') && !["ss", "us", "is"].iter().any(|end| name.ends_with(end));
    if is_plural { name.trim_end_matches('s').to_owned() } else { name }
}

pub(super) fn is_private(field: &str) -> bool {
    words(field).any(|word| PRIVATE.contains(&word.as_str()))
}

pub(super) fn is_id(parameter: &str) -> bool {
    words(parameter).last().is_some_and(|word| IDS.contains(&word.as_str()))
}

/// The role that may see everything, of several.
pub(super) fn administrator(choices: &[String]) -> Option<&str> {
    let mut named = choices.iter().map(String::as_str);
    if choices.is_empty() { Some("admin") } else { named.find(|name| is_for_administrators(name)) }
}

/// `RoleChecker`, `require_role`, `order-id` in small letters.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut parts = vec![String::new()];
    let mut was_small = false;
    for letter in name.chars() {
        let starts = letter.is_uppercase() && was_small;
        was_small = letter.is_lowercase() || letter.is_ascii_digit();
        if starts || !letter.is_alphanumeric() {
            parts.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(last) = parts.last_mut()
        {
            last.extend(letter.to_lowercase());
        }
    }
    parts.into_iter().filter(|part| !part.is_empty())
}
