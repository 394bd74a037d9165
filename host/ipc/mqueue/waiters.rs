//! Who waits in one direction of a queue.
//!
//! A wake goes to everybody who waits, in the order in which they came, and empties the list; who
//! comes too late for the message or the space registers again. Waking only the first would be
//! cheaper, but the first may have given up (a time-out, a container that ended), and then the wake
//! would be lost: a waker cannot be asked whether anyone still listens. A pod has a handful of
//! containers and each waits at one place at a time, so everybody is few.

use std::task::Waker;

use crate::limits::MAX_WAITERS;

/// The tasks that wait, oldest first. One waiter, the usual case, needs no memory but this.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    first: Option<Waker>,
    rest: Vec<Waker>,
}

/// Tasks taken out of a list, to be woken when the queue's lock is released.
#[derive(Debug, Default)]
#[must_use = "these tasks sleep until they are woken"]
pub(super) struct Taken(Waiters);

impl Waiters {
    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Adds a task once. Returns those who must be woken because the list was full.
    pub(super) fn register(&mut self, waker: &Waker) -> Taken {
        if self
            .first
            .iter()
            .chain(&self.rest)
            .any(|waiting| waiting.will_wake(waker))
        {
            return Taken::default();
        }
        let overflow = if self.rest.len() + 1 >= MAX_WAITERS {
            self.take()
        } else {
            Taken::default()
        };
        match self.first {
            None => self.first = Some(waker.clone()),
            Some(_) => self.rest.push(waker.clone()),
        }
        overflow
    }

    /// Everybody who waits; nobody does afterwards.
    pub(super) fn take(&mut self) -> Taken {
        Taken(std::mem::take(self))
    }
}

impl Taken {
    /// Wakes them, the oldest first. Call it without a lock: a waker may run anything.
    pub(super) fn wake(self) {
        if let Some(first) = self.0.first {
            first.wake();
        }
        for waker in self.0.rest {
            waker.wake();
        }
    }
}
