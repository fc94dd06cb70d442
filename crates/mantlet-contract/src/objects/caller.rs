//! What the gate can know of a caller: the fields of the app's own operation that says who is calling.

use super::{
    Located, shape,
    words::{administrator, administrators, is_list_of, list_of},
};
use crate::{
    model::{Contract, Field, Group, Object, PathItem, Role, RoleKind, Shape, ShapeId, User},
    sensitive::{Evidence, SessionRole, session_routes},
};

pub(super) struct Caller<'c> {
    /// The path of that operation.
    pub(super) me: Option<String>,
    /// What its answer is; none if that is not declared.
    pub(super) answer: Option<&'c Object>,
    user: &'c User,
}

/// An attribute of the caller, and what has to be said of it.
#[derive(Debug, Clone)]
pub(super) struct Attribute {
    pub(super) condition: String,
    /// What it is, where that is not plain.
    pub(super) why: Option<String>,
    /// That it is there is assumed, not known.
    pub(super) assumed: Option<String>,
    /// It is not there.
    pub(super) missing: Option<String>,
}

impl<'c> Caller<'c> {
    pub(super) fn of(contract: &'c Contract, user: &'c User, all: &[Located<'c>]) -> Self {
        let path = session_routes(contract).into_iter().find(|route| {
            route.role == SessionRole::Me && route.evidence == Evidence::Known && route.host.is_none()
        });
        let me = path.and_then(|route| {
            let is_it = |one: &&Located<'_>| {
                let asks_for_more = one.operation.inputs.iter().any(|input| input.required);
                one.path == route.path && one.is_get() && !asks_for_more
            };
            all.iter().find(is_it)
        });
        let answer = me.and_then(|one| answer(&contract.shapes, one));
        Self { me: me.map(|one| one.path.clone()), answer, user }
    }

    /// The attribute of the caller that a column of the table of users is.
    pub(super) fn attribute(&self, field: &str) -> Attribute {
        let table = &self.user.table;
        let condition = |name: &str| format!("principal:{name}");
        match (&self.me, self.answer) {
            (None, _) => Attribute {
                condition: condition(field),
                why: None,
                assumed: None,
                missing: Some(format!(
                    "no operation of the app says who is calling (such as `GET /users/me`): name an attribute of the caller that is `{table}.{field}`"
                )),
            },
            (Some(me), None) => Attribute {
                condition: condition(field),
                why: None,
                assumed: Some(format!(
                    "the answer of `GET {me}` is not declared: it is assumed to have `{field}`"
                )),
                missing: None,
            },
            (Some(me), Some(answer)) => match written(answer, field) {
                Some(name) => {
                    Attribute { condition: condition(name), why: None, assumed: None, missing: None }
                }
                None => Attribute {
                    condition: condition(field),
                    why: None,
                    assumed: None,
                    missing: Some(format!(
                        "the answer of `GET {me}` does not have `{field}`: name an attribute of the caller that is `{table}.{field}`"
                    )),
                },
            },
        }
    }

    /// The attribute that has the groups of the caller.
    pub(super) fn group(&self, group: &Group) -> Option<Attribute> {
        let mut names = self.answer?.fields.iter().filter_map(written_field);
        let me = self.me.as_deref().unwrap_or_default();
        let (name, why) = if let Some(field) = &group.of_user {
            let name = written(self.answer?, field)?;
            (name, format!("`{name}` of `GET {me}` is the key of the `{}` of the caller", group.table))
        } else {
            let name = names.find(|name| is_list_of(name, &group.table))?;
            (name, format!("`{name}` of `GET {me}` has the keys of each `{}` of the caller", group.table))
        };
        let condition = format!("principal:{name}");
        Some(Attribute { condition, why: Some(why), assumed: None, missing: None })
    }

    /// Why nothing is known of the groups of the caller.
    pub(super) fn no_group(&self, group: &Group) -> String {
        let table = &group.table;
        match (&self.me, &group.of_user) {
            (Some(me), Some(field)) => format!("the answer of `GET {me}` does not have `{field}`"),
            (Some(me), None) => format!(
                "the answer of `GET {me}` has no list of the keys of each `{table}` of the caller, such as `{}`",
                list_of(table)
            ),
            (None, _) => format!("no operation of the app says to which `{table}` a caller belongs"),
        }
    }

    /// Whether a path is that of the operation that says who is calling, or below it.
    pub(super) fn is_below_me(&self, path: &str) -> bool {
        let rest = self.me.as_deref().and_then(|me| path.strip_prefix(me.trim_end_matches('/')));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            || path.split('/').any(|part| part == "me")
    }

    /// Conditions under which a caller may see objects of others, as far as it can be guessed.
    pub(super) fn roles(&self) -> Vec<String> {
        let of = |(name, role): (&str, &Role)| match role.kind {
            RoleKind::Choice => administrator(&role.choices).map(|role| is(name, role)),
            RoleKind::Flag | RoleKind::Number => Some(flag(name, role.kind)),
        };
        self.known_roles().filter_map(of).collect()
    }

    /// What of these is a guess.
    pub(super) fn guess(&self) -> Option<String> {
        let mut roles = self.known_roles();
        let (name, _) = roles.find(|(_, role)| role.kind == RoleKind::Choice && role.choices.is_empty())?;
        Some(format!("`{name}` may have any text: that administrators have `admin` is a guess"))
    }

    /// Conditions of which one holds for each administrator. Where they rest on a guess alone, that is said.
    pub(super) fn administrators(&self) -> Roles {
        let mut found = Roles::default();
        let mut guess = None;
        for (name, role) in self.known_roles() {
            match role.kind {
                RoleKind::Flag | RoleKind::Number => found.conditions.push(flag(name, role.kind)),
                RoleKind::Choice if role.choices.is_empty() => guess = Some(name),
                RoleKind::Choice => {
                    found.conditions.extend(administrators(&role.choices).map(|role| is(name, role)));
                }
            }
        }
        if let Some(name) = guess.filter(|_| found.conditions.is_empty()) {
            found.conditions.push(is(name, "admin"));
            found.assumed = Some(format!(
                "the value that `{name}` has for administrators: the column may have any text, and `admin` is a guess"
            ));
        }
        found
    }

    /// Columns that say what a user may do, with the names that the caller's attributes have for them.
    fn known_roles(&self) -> impl Iterator<Item = (&str, &Role)> {
        self.user.roles.iter().filter_map(|role| {
            let name = match self.answer {
                Some(answer) => written(answer, &role.name)?,
                None => self.me.as_ref().map(|_| role.name.as_str())?,
            };
            Some((name, role))
        })
    }
}

/// What is asked of administrators.
#[derive(Debug, Default)]
pub(super) struct Roles {
    pub(super) conditions: Vec<String>,
    /// What of it is a guess.
    pub(super) assumed: Option<String>,
}

fn flag(name: &str, kind: RoleKind) -> String {
    let value = if kind == RoleKind::Number { " = 1" } else { "" };
    format!("principal:{name}{value}")
}

fn is(name: &str, role: &str) -> String {
    format!("principal:{name} = {}", value(role))
}

/// A value of a condition: with quotes unless it is one word.
fn value(text: &str) -> String {
    let is_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
    if text.chars().all(is_word) { text.to_owned() } else { format!("\"{text}\"") }
}

/// What the good answer of an operation is, if it is an object.
pub(super) fn answer<'c>(shapes: &'c [Shape], one: &Located<'c>) -> Option<&'c Object> {
    let good = |status: Option<u16>| status.is_some_and(|status| (200..300).contains(&status));
    let response = one.operation.responses.iter().find(|response| good(response.status))?;
    object(shapes, response.shape?)
}

fn object(shapes: &[Shape], id: ShapeId) -> Option<&Object> {
    match shape(shapes, id)? {
        Shape::Object(object) => Some(object),
        Shape::Nullable { inner } | Shape::WithDefault { inner } => match shape(shapes, *inner)? {
            Shape::Object(object) => Some(object),
            _ => None,
        },
        _ => None,
    }
}

/// The name under which an answer has a field.
fn written<'o>(answer: &'o Object, field: &str) -> Option<&'o str> {
    written_field(answer.fields.iter().find(|one| one.name == field)?)
}

fn written_field(found: &Field) -> Option<&str> {
    match found.lookup.first()?.first()? {
        PathItem::Key(key) => Some(key),
        PathItem::Index(_) => None,
    }
}
