//! Values that must not be shown.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// A secret of the operator: a key, a password, an address with one in it. `Debug` does not show it, it cannot be serialised, and its memory
/// is overwritten when it is dropped.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Keeps it.
    pub fn new(secret: T) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The secret itself, for the code that needs it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(secret: T) -> Self {
        Self::new(secret)
    }
}

/// A key or a password that was read from where it is. It can be compared, and is not shown.
#[derive(Debug, Clone)]
pub struct Material(pub Secret<Vec<u8>>);

impl PartialEq for Material {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose() == other.0.expose()
    }
}

impl Eq for Material {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_it() {
        let secret = Secret::new("redis://:hunter2@db".to_owned());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret.expose(), "redis://:hunter2@db");
    }
}
