//! Words in names.

pub(super) use crate::names::singular;

/// Of paths, tags and dependencies that are for those who may see objects of others.
const ADMINISTRATORS: [&str; 15] = [
    "admin",
    "administrator",
    "administrators",
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
/// Of these the ones that say so by themselves: what is read below the others may be for all.
const STRONG: [&str; 9] = [
    "admin",
    "administrator",
    "administrators",
    "admins",
    "backoffice",
    "moderator",
    "staff",
    "superadmin",
    "superuser",
];
/// Roles that may see everything, the strongest first.
const STRONGEST: [&str; 6] = ["superadmin", "superuser", "administrator", "admin", "staff", "backoffice"];
/// Words of roles that are for a part.
const OF_A_PART: [&str; 9] =
    ["company", "group", "org", "organisation", "organization", "project", "team", "tenant", "workspace"];
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
/// Last words of parameters of times, pages and the like: they name no object.
const NOT_IDS: [&str; 14] = [
    "count", "date", "day", "days", "hour", "limit", "month", "offset", "page", "quarter", "size", "version",
    "week", "year",
];
/// Names of what only wraps the objects of an answer.
const WRAPPERS: [&str; 14] = [
    "content", "data", "edges", "entries", "hits", "items", "list", "node", "nodes", "objects", "payload",
    "records", "result", "results",
];
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

pub(super) fn is_private(field: &str) -> bool {
    words(field).any(|word| PRIVATE.contains(&word.as_str()))
}

pub(super) fn is_no_id(parameter: &str) -> bool {
    words(parameter).last().is_some_and(|word| NOT_IDS.contains(&word.as_str()))
}

pub(super) fn is_wrapper(name: &str) -> bool {
    WRAPPERS.contains(&name)
}

pub(super) fn last_word(name: &str) -> String {
    words(name).last().unwrap_or_default()
}

/// What an id is of, by its name: `order` of `order_id`, `orderIds` and `order`; none of `id`.
pub(super) fn stem(name: &str) -> Option<String> {
    let all: Vec<_> = words(name).map(|word| singular(&word)).collect();
    let is_named = all.last().is_some_and(|last| IDS.contains(&last.as_str()));
    let stem = if is_named { all.iter().rev().nth(1) } else { all.last() };
    stem.cloned()
}

pub(super) fn is_id(parameter: &str) -> bool {
    words(parameter).last().is_some_and(|word| IDS.contains(&word.as_str()))
}

/// Whether a segment of a path says that its operation is for administrators. `/roles` may be read by all.
pub(super) fn of_administrators(segment: &str, is_read: bool) -> bool {
    if is_read {
        words(segment).any(|word| STRONG.contains(&word.as_str()))
    } else {
        is_for_administrators(segment)
    }
}

/// Whether a tag says so: `Staff`, and neither `Content management` nor `Staff picks`.
pub(super) fn is_administrators_tag(tag: &str) -> bool {
    let is_it = |word: String| word != "moderator" && STRONG.contains(&word.as_str());
    words(tag).next().is_some() && words(tag).all(is_it)
}

/// The role that may see everything, of several: one wrong role would open too much.
pub(super) fn administrator(choices: &[String]) -> Option<&str> {
    let is_it = |name: &str, strong: &str| {
        words(name).any(|word| word == strong) && !words(name).any(|word| OF_A_PART.contains(&word.as_str()))
    };
    let of = |strong: &&str| {
        let named = choices.iter().filter(|name| is_it(name, strong));
        named.min_by_key(|name| words(name).count()).map(String::as_str)
    };
    if choices.is_empty() { Some("admin") } else { STRONGEST.iter().find_map(of) }
}

/// All roles that may be those of administrators.
pub(super) fn administrators(choices: &[String]) -> impl Iterator<Item = &str> {
    choices.iter().map(String::as_str).filter(|name| is_for_administrators(name))
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
