//! All layers, merged and judged.

use std::{fmt::Write as _, path::PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::mistake::{Located, Mistakes};
use super::origin::Origin;
use super::origins::Origins;
use super::sources::Sources;
use super::tree::Node;
use super::{environment, file, judge, show};

/// A configuration without mistakes of form; what its values mean is for the caller to check.
#[derive(Clone, Debug)]
pub(crate) struct Loaded<C> {
    /// The effective values.
    pub(crate) config: C,
    /// Where each of them came from; turns a caller's finding into a [`Located`].
    pub(crate) origins: Origins,
    /// The file that was read, if there was one.
    pub(crate) file: Option<PathBuf>,
    /// What the user should know although it is no mistake.
    pub(crate) notes: Vec<String>,
    /// Variables that are settings of ours: no other program has a use for them.
    pub(crate) own_variables: Vec<String>,
    /// Variables that values name, as in `env:NAME`.
    pub(crate) referenced: Vec<String>,
}

impl<C: Serialize> Loaded<C> {
    /// The effective values as TOML that can be loaded again, each with where it came from.
    pub(crate) fn show(&self) -> String {
        show::show(&self.config, &self.origins)
    }

    /// The SHA-256 of the effective values, without secrets, in hexadecimal digits.
    pub(crate) fn digest(&self) -> String {
        let hash = Sha256::digest(show::values(&self.config, &self.origins));
        hash.iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a text cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Reads all layers, or says all that is wrong with their form.
pub(crate) fn load<C>(sources: &Sources<'_>) -> Result<Loaded<C>, Mistakes>
where
    C: DeserializeOwned + Serialize + Default,
{
    match read(sources) {
        (Some(loaded), mistakes) if mistakes.is_empty() => Ok(loaded),
        (_, mistakes) => Err(Mistakes::from(mistakes)),
    }
}

/// Reads all layers. Besides mistakes there is a configuration without what they concern, so that
/// the rest of it can be judged too.
pub(crate) fn read<C>(sources: &Sources<'_>) -> (Option<Loaded<C>>, Vec<Located>)
where
    C: DeserializeOwned + Serialize + Default,
{
    let mut mistakes = Vec::new();
    let mut notes = Vec::new();

    let defaults = Node::of_defaults(&C::default());
    let mut tree = defaults.clone();
    let place = |tree: &mut Node, key: &str, value: &toml::Value, origin: Origin| {
        let path: Vec<&str> = key.split('.').collect();
        tree.place(&path, Node::of_value(value, &origin)).err()
    };

    for adopted in &sources.adopted {
        let origin = Origin::Environment(adopted.variable.clone());
        // Laid over defaults alone, where all of them have their place.
        place(&mut tree, &adopted.key, &adopted.value, origin);
    }
    let file = file::find(sources, &mut notes, &mut mistakes).map(|file| {
        tree.merge(file.content);
        file.path
    });
    let known = (&defaults, judge::known_keys::<C>());
    let own_variables = environment::merge(&mut tree, known, sources, &mut notes, &mut mistakes);
    for flag in &sources.flags {
        let origin = Origin::Flag(flag.name.clone());
        mistakes.extend(place(&mut tree, &flag.key, &flag.value, origin).map(|mistake| *mistake));
    }

    let config = judge::settle(&mut tree, &defaults, &mut mistakes);
    let loaded = config.map(|config| Loaded {
        config,
        origins: Origins::of_tree(&tree),
        file,
        notes,
        own_variables,
        referenced: environment::references(&tree),
    });
    (loaded, mistakes)
}
