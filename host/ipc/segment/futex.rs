//! Waiting at an address of shared memory: `futex(2)`, `FUTEX_WAIT` and `FUTEX_WAKE`, by offset.
//!
//! Enough for the process-shared mutexes and conditions of pthreads, as for any C library on Linux:
//! those are words in the segment and a protocol around them, which guests have in their library.
//! Who lines up has looked at the word under the lock that a wake takes, so a wake that follows a
//! change of the word is not lost. Wakes go to who waits longest at the address.

use std::sync::Arc;
use std::task::{Context, Poll};

use crate::Errno;
use crate::lock::lock;
use crate::wait::{Ticket, Wait, Waitable, Wakes, What};

use super::{AtomicOp, Segment};

impl Segment {
    /// Waits until it is woken, if the word at `offset` is `expected` at the first poll.
    ///
    /// Its errors: `EAGAIN` when another value is there, `EINVAL` when the offset is not a multiple
    /// of 4, `EFAULT` when the word is not within the segment, `ENOMEM` when too many wait already.
    /// It is over for no other reason than a wake; given up, it passes a wake that was for it on.
    pub fn futex_wait(self: &Arc<Self>, offset: u64, expected: u32) -> Wait {
        let what = What::Futex { offset, expected };
        Wait::new(Arc::clone(self) as Arc<dyn Waitable>, what)
    }

    /// Wakes at most `count` of those who wait at `offset`, the oldest first; returns how many.
    ///
    /// # Errors
    ///
    /// `EINVAL` and `EFAULT` as for [`Self::futex_wait`].
    pub fn futex_wake(&self, offset: u64, count: u32) -> Result<u32, Errno> {
        self.check_word(offset, 4)?;
        let mut wakes = Wakes::default();
        let mut woken = 0;
        {
            let mut waiters = lock(&self.waiters);
            while woken < count && waiters.wake_first(&mut wakes, |at| *at == offset) {
                woken += 1;
            }
        }
        wakes.wake();
        Ok(woken)
    }

    /// How many wait at its addresses.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.waiters).len()
    }
}

impl Waitable for Segment {
    fn poll_wait(
        &self,
        what: What,
        seat: &mut Option<Ticket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Errno>> {
        let What::Futex { offset, expected } = what else {
            return Poll::Ready(Err(Errno::Invalid));
        };
        let mut waiters = lock(&self.waiters);
        if let Some(ticket) = *seat {
            if !waiters.is_woken(ticket) {
                waiters.stay(ticket, cx);
                return Poll::Pending;
            }
            *seat = None;
            waiters.leave(ticket);
            return Poll::Ready(Ok(()));
        }
        // The lock is held from before the look until the waiter is in the line.
        let entered =
            self.update_u32(offset, AtomicOp::Load)
                .and_then(|word| match word == expected {
                    true => waiters.enter(offset, false, cx),
                    false => Err(Errno::Again),
                });
        match entered {
            Ok(ticket) => {
                *seat = Some(ticket);
                Poll::Pending
            }
            Err(errno) => Poll::Ready(Err(errno)),
        }
    }

    fn leave(&self, _what: What, ticket: Ticket) {
        let mut wakes = Wakes::default();
        {
            let mut waiters = lock(&self.waiters);
            if let Some((offset, true)) = waiters.leave(ticket) {
                waiters.wake_first(&mut wakes, |at| *at == offset);
            }
        }
        wakes.wake();
    }
}
