//! Taking a mutex whose holder cannot have left it half changed.
//!
//! No code of this crate panics while it holds a lock, so a poisoned mutex can only come from a panic in a caller's waker;
//! the state behind it is whole and the pod's other containers go on.
//!
//! Lock order, outermost first: a socket's state, the policies, the services, a service's clients, the table of pods, the
//! port tables, a listener, a connection attempt, a connection or a UDP socket, a tap, its queues. Dropping the last handle
//! of a pod takes the table of pods.
//! Connections and listeners call wakers after letting go of their own lock; a connecting socket's state may still be held.
//! So a waker must only schedule its task, as wakers do, and not call into this crate.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
