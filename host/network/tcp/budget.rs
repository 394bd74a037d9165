//! How much the TCP buffers of one pod may promise together.
//!
//! Buffers are promised when a connection is made (or its options change), not when they fill: so a connection that was
//! ready to be written stays ready, whatever its neighbours do in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The pod's account.
#[derive(Debug)]
pub(crate) struct BufferBudget {
    promised: AtomicU64,
    max: u64,
}

impl BufferBudget {
    pub(crate) const fn new(max: u64) -> Self {
        Self {
            promised: AtomicU64::new(0),
            max,
        }
    }

    /// Promises `wanted` bytes, or nothing when the account does not have them.
    pub(super) fn reserve(self: &Arc<Self>, wanted: u64) -> Option<Reservation> {
        let add = |promised: u64| promised.checked_add(wanted).filter(|sum| *sum <= self.max);
        self.promised
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .ok()?;
        Some(Reservation {
            budget: Arc::clone(self),
            bytes: wanted,
        })
    }
}

/// A promise; dropping it ends it.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Arc<BufferBudget>,
    bytes: u64,
}

impl Reservation {
    /// Promises `more` bytes as well, if half of the account stays free for those who come: whether it did.
    pub(super) fn extend(&mut self, more: u64) -> bool {
        let (budget, half) = (&self.budget, self.budget.max / 2);
        let add = |promised: u64| promised.checked_add(more).filter(|sum| *sum <= half);
        let extended = budget
            .promised
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .is_ok();
        if extended {
            self.bytes = self.bytes.saturating_add(more);
        }
        extended
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget
            .promised
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_never_overdrawn_and_gets_back_what_was_dropped() {
        let budget = Arc::new(BufferBudget::new(100));
        let first = budget.reserve(60).unwrap();
        assert!(budget.reserve(41).is_none() && budget.reserve(u64::MAX).is_none());
        let second = budget.reserve(40).unwrap();
        drop(first);
        assert!(budget.reserve(60).is_some());
        drop(second);
        let mut third = budget.reserve(10).unwrap();
        assert!(third.extend(40) && !third.extend(1));
        drop(third);
        assert_eq!(budget.promised.load(Ordering::Relaxed), 0);
    }
}
