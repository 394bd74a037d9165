//! What the objects of one kind take together, against what they may take.
//!
//! An [`Account`] is a number with an upper end; a [`Charge`] is one object's part of it and gives it
//! back when the object goes, whatever way that comes. Amounts are bytes or objects.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A sum that never exceeds its upper end.
#[derive(Debug)]
pub(crate) struct Account {
    used: AtomicU64,
    most: u64,
}

/// A part of an account, given back when dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    account: Arc<Account>,
    amount: u64,
}

impl Account {
    pub(crate) fn new(most: u64) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicU64::new(0),
            most,
        })
    }

    /// Takes a part, unless that is more than there is.
    pub(crate) fn charge(self: &Arc<Self>, amount: u64) -> Option<Charge> {
        self.take(amount).then(|| Charge {
            account: Arc::clone(self),
            amount,
        })
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, amount: u64) -> bool {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(amount).filter(|sum| *sum <= self.most)
            })
            .is_ok()
    }

    fn give_back(&self, amount: u64) {
        self.used.fetch_sub(amount, Ordering::Relaxed);
    }
}

impl Charge {
    /// Takes more for the same object; false, and nothing changed, when there is not as much.
    #[must_use]
    pub(crate) fn grow(&mut self, more: u64) -> bool {
        let grown = self.account.take(more);
        if grown {
            self.amount += more;
        }
        grown
    }

    /// Gives a part back, at most all of it.
    pub(crate) fn shrink(&mut self, less: u64) {
        let less = less.min(self.amount);
        self.amount -= less;
        self.account.give_back(less);
    }

    /// Makes it this amount; false, and nothing changed, when there is not as much.
    #[must_use]
    pub(crate) fn resize(&mut self, amount: u64) -> bool {
        if amount > self.amount {
            self.grow(amount - self.amount)
        } else {
            self.shrink(self.amount - amount);
            true
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.give_back(self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_never_exceeds_its_end_and_gets_back_what_it_gave() {
        let account = Account::new(10);
        let mut first = account.charge(6).unwrap();
        assert!(account.charge(5).is_none());
        assert!(account.charge(u64::MAX).is_none());
        assert!(!first.grow(5) && first.grow(4));
        assert_eq!(account.used(), 10);
        assert!(first.resize(3) && !first.resize(11));
        assert_eq!(account.used(), 3);
        first.shrink(100);
        assert_eq!(account.used(), 0);
        assert!(first.resize(7));
        drop(first);
        assert_eq!(account.used(), 0);
    }
}
