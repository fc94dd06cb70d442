//! Whose the objects of a table are, and the reasons that are given for a rule.

use super::text::quoted;
use crate::model::{Group, LinkEvidence, Owner, Shown, Step, Table};

/// A table whose objects belong to a user or to a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owned<'c> {
    pub(super) table: &'c Table,
    /// The foreign keys, from an object to its owner.
    pub(super) steps: &'c [Step],
    /// One of them may be null.
    pub(super) is_nullable: bool,
    /// The way to another user whose it is, too.
    pub(super) beside: &'c [Step],
    /// The group that owns it; none: a user.
    pub(super) group: Option<&'c Group>,
}

impl<'c> Owned<'c> {
    pub(super) fn of(table: &'c Table) -> Option<Self> {
        let user = |steps, is_nullable, beside| Some(Self { table, steps, is_nullable, beside, group: None });
        match &table.owner {
            Owner::Column { step, nullable, beside } => {
                let is_nullable = *nullable || beside.iter().any(|step| step.nullable);
                user(std::slice::from_ref(step), is_nullable, beside)
            }
            Owner::Nested { steps, nullable } => user(steps, *nullable, &[]),
            Owner::Shared { group: Some(group), .. } => {
                let (steps, is_nullable) =
                    (group.steps.as_slice(), group.steps.iter().any(|step| step.nullable));
                let own = Self { table, steps, is_nullable, beside: &[], group: Some(group) };
                Some(own).filter(|own| !own.steps.is_empty())
            }
            _ => None,
        }
    }

    /// The column of the owner that the last foreign key names.
    pub(super) fn key(&self) -> &'c str {
        self.steps.last().map_or("", |step| &step.key)
    }

    /// The foreign key to the owner, if the objects themselves have it, and have no other owner.
    pub(super) fn only_step(&self) -> Option<&'c Step> {
        match self.steps {
            [step] if self.beside.is_empty() => Some(step),
            _ => None,
        }
    }

    /// `` `comments.post_id` is `posts.id`, `posts.author_id` is `users.id` ``
    pub(super) fn chain(&self) -> String {
        let beside = if self.beside.is_empty() { String::new() } else { format!("; {}", chain(self.beside)) };
        format!("{}{beside}", chain(self.steps))
    }

    /// The column that may be null.
    pub(super) fn nullable_column(&self) -> Option<String> {
        let mut steps = self.steps.iter().chain(self.beside);
        let step = steps.find(|step| step.nullable).filter(|_| self.is_nullable)?;
        Some(format!("{}.{}", step.table, step.column))
    }
}

fn chain(steps: &[Step]) -> String {
    let said = |step: &Step| format!("`{}.{}` is `{}.{}`", step.table, step.column, step.to, step.key);
    steps.iter().map(said).collect::<Vec<_>>().join(", ")
}

pub(super) const fn is_assumed(shown: &Shown) -> bool {
    matches!(shown.evidence, LinkEvidence::Path)
}

/// What shows that an answer is of a table.
pub(super) fn link(shown: &Shown, table: &Table) -> String {
    let (name, model) = (&table.name, shown.model.as_deref().unwrap_or_default());
    match shown.evidence {
        LinkEvidence::Table => format!("the answer is `{model}`, the class of `{name}`"),
        LinkEvidence::Base => format!("`{model}` has a base in common with the class of `{name}`"),
        LinkEvidence::Attributes | LinkEvidence::Fields => format!(
            "`{model}` is called like `{name}`, which has {} % of its fields",
            shown.overlap.unwrap_or_default()
        ),
        LinkEvidence::Path => {
            format!(
                "the answer is not declared: that it shows {} as stored is assumed",
                quoted(std::slice::from_ref(name))
            )
        }
    }
}
