//! What is said of a table.

use crate::model::{Owner, Step, Table};

/// Whose the objects of a table are: ``are owned by `users.id` through `user_id` ``.
pub(super) fn owned(table: &Table) -> String {
    match &table.owner {
        Owner::User => "are the users themselves".to_owned(),
        Owner::Column { step, beside, .. } if !beside.is_empty() => {
            format!(
                "are owned by `{}.{}` through `{}`, and {}",
                step.to,
                step.key,
                step.column,
                through(beside).replacen("are owned by", "by", 1)
            )
        }
        Owner::Column { step, .. } if step.part => {
            format!(
                "have one column that names a user, and it does not say that this is the owner (`{}`)",
                step.column
            )
        }
        Owner::Column { step, .. } => {
            format!("are owned by `{}.{}` through `{}`", step.to, step.key, step.column)
        }
        Owner::Nested { steps, .. } => through(steps),
        Owner::Ambiguous { columns } if columns.len() == 1 => {
            format!("have a column that may name a user who is not the owner ({})", quoted(columns))
        }
        Owner::Ambiguous { columns } => {
            format!("have no single column that names the owner ({})", quoted(columns))
        }
        Owner::Shared { group: Some(group), through } => {
            format!("belong to the members of one `{}`, as {} says", group.table, quoted(through))
        }
        Owner::Shared { through, .. } => {
            let say = if through.len() == 1 { "says" } else { "say" };
            format!("are shared: {} {say} which users have a part in them", quoted(through))
        }
        Owner::Join | Owner::None => "have no owner".to_owned(),
    }
}

fn through(steps: &[Step]) -> String {
    let Some((last, _)) = steps.split_last() else { return String::new() };
    let mut path = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        path.push(if at == 0 {
            format!("`{}`", step.column)
        } else {
            format!("`{}.{}`", step.table, step.column)
        });
    }
    format!("are owned by `{}.{}` through {}", last.to, last.key, path.join(", then "))
}

pub(super) fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
