//! A lock that outlives a panic of its holder.
//!
//! The state behind the locks of this crate is in order whenever foreign code (a reader's closure)
//! runs, so a panic there must fail that caller only, and not everyone who comes after.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, whether or not an earlier holder panicked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
