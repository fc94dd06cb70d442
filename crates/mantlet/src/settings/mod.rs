//! The configuration, from its layers to one checked-by-type value.
//!
//! Each layer overrides the former, key by key:
//!
//! 1. the defaults of the configuration type,
//! 2. variables of other programs that mean the same, such as uvicorn's own,
//! 3. one file: the one named with `--config`, else `mantlet.toml` in the working folder, else
//!    `[tool.mantlet]` in `pyproject.toml`,
//! 4. environment variables: `MANTLET_LIMITS__HEAD_SIZE` sets `limits.head-size`,
//! 5. flags.
//!
//! Tables are merged, everything else (lists too) is replaced as a whole. All mistakes are found in
//! one go: what is wrong is noted with its origin, replaced by what was most likely meant or taken
//! out, and the rest is judged again.
//!
//! What is needed of the type: `#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]`
//! on its structs, and a default that serialises to what it deserialises from. Without
//! `deny_unknown_fields` a misspelt key is not noticed; under `flatten` and in untagged enums a
//! mistake is located at the table, not at the key.
//!
//! What to mind: the value of a key that looks like a secret is never printed (see [`secret`]).
//! A file that cannot be read or decoded is a mistake, never a reason to go on with the defaults.

mod origin;
mod secret;
mod spelling;
mod variable;

mod key;
mod mistake;
mod sources;

mod problem;
mod tree;

mod file;
mod origins;
mod reader;
mod suggest;
mod wording;

mod environment;
mod judge;
mod show;

mod load;

#[cfg(test)]
mod tests;

pub(crate) use load::{Loaded, load, read};
pub(crate) use mistake::{Located, Mistakes};
pub(crate) use origin::Origin;
pub(crate) use origins::Origins;
pub(crate) use secret::SCHEMES;
pub(crate) use sources::{Adopted, Flag, Sources};
