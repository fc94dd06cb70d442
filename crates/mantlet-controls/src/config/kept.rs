//! State that controls keep beyond one configuration.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// The state of the controls, each in a type of its own: counters, the app's contract, keys. It
/// outlives a policy, so a reload loses nothing. Cloning it gives the same memory.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<HashMap<TypeId, Box<dyn Any + Send>>>>);

impl Kept {
    /// The state of this type; created now if it is missing.
    pub fn get<T: Clone + Default + Send + 'static>(&self) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = all.entry(TypeId::of::<T>()).or_insert_with(|| Box::new(T::default()));
        one.downcast_ref::<T>().cloned().unwrap_or_default()
    }

    /// Replaces the state of this type.
    pub fn put<T: Clone + Default + Send + 'static>(&self, value: T) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(TypeId::of::<T>(), Box::new(value));
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}
