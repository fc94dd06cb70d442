//! Tables and objects, as the app's own models describe them. Facts only; what follows from them is in
//! [`crate::objects`].

use serde::{Deserialize, Serialize};

/// The app's tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Objects {
    /// The table of users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// Why it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
    /// All tables, by name.
    pub tables: Vec<Table>,
}

/// The table of users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct User {
    /// Its name.
    pub table: String,
    /// Its key, by the names that objects have for it.
    pub key: Vec<String>,
    /// What shows that it is the table of users: ``the dependency `current_user` returns it``.
    pub why: String,
    /// Columns that say what a user may do, by their names.
    #[serde(default)]
    pub roles: Vec<Role>,
}

/// A column that says what a user may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Role {
    /// The name that objects have for it.
    pub name: String,
    /// What it holds.
    pub kind: RoleKind,
    /// All roles that there are, as texts; none if they are not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// What a column holds that says what a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleKind {
    /// True or false.
    Flag,
    /// 1 or 0.
    Number,
    /// The name of a role.
    Choice,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Table {
    /// Its name, below that of its schema.
    pub name: String,
    /// How it is known.
    pub source: TableSource,
    /// The class of its objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its key, by the names that objects have for it.
    pub key: Vec<String>,
    /// Whose its objects are.
    pub owner: Owner,
}

/// How a table is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableSource {
    /// A mapper of `SQLAlchemy` or `SQLModel`.
    Mapper,
    /// A table of `SQLAlchemy` without a mapper.
    Table,
    /// A `CREATE TABLE` in a text of the app.
    Statement,
}

/// Whose the objects of a table are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Owner {
    /// They are the users themselves.
    User,
    /// A foreign key names the owner.
    Column {
        /// The foreign key.
        step: Step,
        /// It may be null.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        nullable: bool,
        /// The way to another user whose it is, too: of a comment, from its note to the owner of that. Two
        /// foreign keys, or none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        beside: Vec<Step>,
    },
    /// A foreign key names another object, and that has the owner.
    Nested {
        /// The foreign keys, from the object to the user.
        steps: Vec<Step>,
        /// One of them may be null.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        nullable: bool,
    },
    /// Each of several columns may name the owner.
    Ambiguous {
        /// The columns.
        columns: Vec<String>,
    },
    /// Several users have a part in each.
    Shared {
        /// The tables that say which.
        through: Vec<String>,
        /// The group to which they belong, if nothing but membership in it says who may see them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<Group>,
    },
    /// Each says which objects of other tables belong to which users.
    Join,
    /// No foreign key leads to a user.
    None,
}

/// Users that belong together: an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Group {
    /// Its table.
    pub table: String,
    /// Its key, by the name that objects have for it.
    pub key: String,
    /// The column by which a user is in one of them alone, by the name that objects have for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_user: Option<String>,
    /// The foreign keys, from an object to its group; none for the groups themselves.
    pub steps: Vec<Step>,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Step {
    /// The table that has it.
    pub table: String,
    /// The name that objects have for the column.
    pub field: String,
    /// The column.
    pub column: String,
    /// The table to which it leads.
    pub to: String,
    /// The name that objects there have for the column to which it leads.
    pub key: String,
    /// It may be null.
    #[serde(default)]
    pub nullable: bool,
    /// It leads to a user, and its name says which part the user has in the object, not that it is theirs:
    /// `created_by`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub part: bool,
}

/// What the path and the answer of an operation have to do with the app's tables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ShownObjects {
    /// Parameters of the path that say which object is meant, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<KeyParameter>,
    /// What the answer shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shows: Option<Shown>,
    /// A dependency finds out who is calling.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub caller: bool,
    /// Dependencies that are told who is calling, and may refuse, by their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<String>,
}

/// A parameter of a path that says which object is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KeyParameter {
    /// Its name.
    pub name: String,
    /// The table of the object.
    pub table: String,
    /// The column of which it is the value, by the name that objects have for it.
    pub field: String,
}

/// What an answer shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Shown {
    /// The table of the objects.
    pub table: String,
    /// How many.
    #[serde(rename = "as")]
    pub shown_as: ShownAs,
    /// The model that describes one; none if nothing is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What shows that the objects are those of the table.
    pub evidence: LinkEvidence,
    /// How much of the model is in the table, per cent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<u8>,
    /// Where the answer has the list. A JSON pointer, as are those below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<String>,
    /// Where it has their number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<String>,
    /// Where the answer, or each item, has the key of the owner; none if it does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Where it has the key of the object that has the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The handler makes some of its answers itself: they may be something else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub varies: bool,
}

/// How many objects an answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShownAs {
    /// One.
    One,
    /// A list, which is the answer itself.
    List,
    /// A list in an object.
    Page,
}

/// What shows that a model is of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkEvidence {
    /// It is the class of the table itself.
    Table,
    /// They have a base in common that no other table has.
    Base,
    /// It reads attributes of objects, is called like the table and has its fields.
    Attributes,
    /// It is called like the table and has its fields.
    Fields,
    /// Only the path says so: the answer is not declared.
    Path,
}
