//! The tasks that wait at one end of a stream. Usually one; a task that waits in several ways is kept once.

use std::task::Waker;

/// The waiting tasks; empty again after each wake.
#[derive(Debug, Default)]
pub(super) struct Wakers(Vec<Waker>);

impl Wakers {
    /// Remembers a task until the next [`wake`](Self::wake).
    pub(super) fn add(&mut self, waker: &Waker) {
        if !self.0.iter().any(|known| known.will_wake(waker)) {
            self.0.push(waker.clone());
        }
    }

    /// Wakes all that wait. The memory is kept for the next ones.
    pub(super) fn wake(&mut self) {
        for waker in self.0.drain(..) {
            waker.wake();
        }
    }
}
