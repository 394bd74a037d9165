//! A number of free units, and the line of those who wait for one.
//!
//! Without waiters, posting and taking are one compare-and-swap on one word. The word's top bit says
//! that somebody is in the line; then posting goes through the lock, and gives the unit to the first
//! in the line instead of counting it.
//!
//! Invariants:
//! * The top bit is set whenever the line is not empty, and changed only under the lock.
//! * A waiter lines up under the lock and only by a compare-and-swap from no free unit, so a post
//!   either comes before, and the unit is seen, or after, and sees the bit.
//! * Hence units are free only while nobody waits without having been given one.
//!
//! Guests that map the word do the first two themselves (docs/ipc.md, `sem_map`), and could write anything there. That
//! breaks the promise of the invariants to those who use the semaphore, as posting at will would, and nothing else.
//!
//! A waiter that was given a unit and gives up before it came back posts it again.

use std::task::{Context, Poll};

use crate::Errno;
use crate::limits::SEM_VALUE_MAX;
use crate::lock::lock;
use crate::sync::Mutex;
use crate::wait::{Look, Ticket, WaitList, Wakes};

use super::number::Number;

/// Somebody is in the line.
const LINE: u32 = 1 << 31;

// The value and the bit share the word.
const _: () = assert!(SEM_VALUE_MAX == LINE - 1);

#[derive(Debug)]
pub(super) struct Count {
    number: Number,
    line: Mutex<WaitList<()>>,
}

impl Count {
    /// As many units as the number says.
    pub(super) fn new(number: Number) -> Self {
        Self {
            number,
            line: Mutex::default(),
        }
    }

    pub(super) fn value(&self) -> u32 {
        self.number.get() & !LINE
    }

    pub(super) const fn number(&self) -> &Number {
        &self.number
    }

    pub(super) fn waiting(&self) -> usize {
        lock(&self.line).waiting()
    }

    /// Adds a unit; `EOVERFLOW` when there are as many as there may be.
    pub(super) fn post(&self) -> Result<(), Errno> {
        let added = self.change(|word| (word < SEM_VALUE_MAX).then(|| word + 1));
        match added {
            Ok(_) => Ok(()),
            Err(word) if word & LINE == 0 => Err(Errno::Overflow),
            Err(_) => {
                let mut wakes = Wakes::default();
                let result = self.post_to_line(&mut lock(&self.line), &mut wakes);
                wakes.wake();
                result
            }
        }
    }

    /// Adds a unit, or gives it to the first in the line.
    fn post_to_line(&self, line: &mut WaitList<()>, wakes: &mut Wakes) -> Result<(), Errno> {
        if line.wake_first(wakes, |()| true) {
            return Ok(());
        }
        self.change(|word| (word & !LINE < SEM_VALUE_MAX).then(|| word + 1))
            .map_err(|_| Errno::Overflow)?;
        line.wake_lookers(wakes);
        Ok(())
    }

    /// Takes a free unit.
    pub(super) fn try_take(&self) -> Result<(), Errno> {
        self.change(|word| (word & !LINE > 0).then_some(word.wrapping_sub(1)))
            .map(|_| ())
            .map_err(|_| Errno::Again)
    }

    fn change(&self, f: impl FnMut(u32) -> Option<u32>) -> Result<u32, u32> {
        self.number.change(f)
    }

    /// Takes a unit as soon as it is given one.
    pub(super) fn poll_take(
        &self,
        seat: &mut Option<Ticket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Errno>> {
        let mut line = lock(&self.line);
        if let Some(ticket) = *seat {
            if line.is_woken(ticket) {
                *seat = None;
                line.leave(ticket);
                self.settle(&line);
                return Poll::Ready(Ok(()));
            }
            line.stay(ticket, cx);
            return Poll::Pending;
        }
        // Takes a unit, or announces the line, in one step.
        let before = self.change(|word| match word & !LINE {
            0 => Some(LINE),
            _ => Some(word.wrapping_sub(1)),
        });
        if before.is_ok_and(|word| word & !LINE > 0) {
            return Poll::Ready(Ok(()));
        }
        match line.enter((), false, cx) {
            Ok(ticket) => {
                *seat = Some(ticket);
                Poll::Pending
            }
            Err(errno) => {
                self.settle(&line);
                Poll::Ready(Err(errno))
            }
        }
    }

    /// Ready when a unit is free; takes none.
    pub(super) fn poll_positive(
        &self,
        seat: &mut Option<Ticket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Errno>> {
        let mut line = lock(&self.line);
        // Announces itself before it looks, so that a post after the look sees it.
        let before = self.number.set(LINE);
        let look = Look {
            is_there: before & !LINE > 0,
            is_spare: true,
            only_looks: true,
        };
        let poll = line.poll(seat, (), look, cx);
        self.settle(&line);
        poll
    }

    /// Leaves the line; a unit that was given already goes on to the next.
    pub(super) fn leave(&self, ticket: Ticket) {
        let mut wakes = Wakes::default();
        {
            let mut line = lock(&self.line);
            // Who only looks is never given a unit, and so never marked.
            if let Some((_, true)) = line.leave(ticket) {
                // Full means that others have posted meanwhile as much as there may be.
                let _overflow = self.post_to_line(&mut line, &mut wakes);
            }
            self.settle(&line);
        }
        wakes.wake();
    }

    /// Takes the announcement back when nobody is in the line any more. Call it with the lock.
    fn settle(&self, line: &WaitList<()>) {
        if line.is_empty() {
            self.number.clear(LINE);
        }
    }

    pub(super) fn wake_all(&self) {
        let mut wakes = Wakes::default();
        lock(&self.line).wake_all(&mut wakes);
        wakes.wake();
    }
}
