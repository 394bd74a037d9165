//! Taking a mutex whose holder cannot have left it half changed.
//!
//! No code of this crate panics while it holds a lock, so a poisoned mutex can only come from a panic in a caller's waker;
//! the state behind it is whole and the pod's other containers go on.
//!
//! Lock order, outermost first: a socket's state, the port tables, a listener, a connection attempt, a connection.
//! Wakers are called with no lock held.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
