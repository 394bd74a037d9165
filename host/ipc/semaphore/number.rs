//! The word of a semaphore: its own, or one of the page that guests map (`numbers`).
//!
//! Who maps the page may write anything there at any time. So every value is a possible one to all code that looks at
//! it, and nothing that the host's own safety needs is kept there.

use super::numbers::Slot;
use crate::AtomicOp;
use crate::sync::{AtomicU32, Ordering};

/// 32 bits that change atomically.
#[derive(Debug)]
pub(crate) enum Number {
    Own(AtomicU32),
    Shared(Slot),
}

impl Number {
    pub(crate) fn get(&self) -> u32 {
        match self {
            Self::Own(word) => word.load(Ordering::Relaxed),
            Self::Shared(slot) => slot.update(AtomicOp::Load),
        }
    }

    /// Puts what `f` makes of the value there, and returns that value; the error is a value of which it makes nothing.
    pub(crate) fn change(&self, mut f: impl FnMut(u32) -> Option<u32>) -> Result<u32, u32> {
        let slot = match self {
            Self::Own(word) => return word.fetch_update(Ordering::AcqRel, Ordering::Acquire, f),
            Self::Shared(slot) => slot,
        };
        let mut expected = slot.update(AtomicOp::Load);
        loop {
            let new = f(expected).ok_or(expected)?;
            let found = slot.update(AtomicOp::CompareExchange { expected, new });
            if found == expected {
                return Ok(found);
            }
            expected = found;
        }
    }

    /// Sets these bits, and returns the value before.
    pub(crate) fn set(&self, bits: u32) -> u32 {
        match self {
            Self::Own(word) => word.fetch_or(bits, Ordering::AcqRel),
            Self::Shared(slot) => slot.update(AtomicOp::Or(bits)),
        }
    }

    /// Clears these bits.
    pub(crate) fn clear(&self, bits: u32) {
        match self {
            Self::Own(word) => word.fetch_and(!bits, Ordering::AcqRel),
            Self::Shared(slot) => slot.update(AtomicOp::And(!bits)),
        };
    }
}
