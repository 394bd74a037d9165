//! Waiting at an object: one future for every kind of object, and the list of those who wait.
//!
//! *Fair.* Who waits stands in a line (`list`), and one event wakes one waiter: the first for whom
//! it is enough. A waiter keeps its place until it got what it wanted or gives up.
//!
//! *Nothing is lost.* An object looks and lines up under the one lock under which it changes. A
//! waiter that was woken and is dropped before it came back passes its turn on. What an object gives
//! to a waiter directly (a unit of a semaphore, an operation on a set) it takes back likewise.
//!
//! *No herd.* Only what is level-triggered by nature, the `ready` side of a pollable, wakes all who
//! look at it, as `poll(2)` does.
//!
//! There is no clock here: who wants a time limit drops the future.

mod list;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::Errno;
use crate::sysv::Select;

pub(crate) use list::{Look, Ticket, WaitList, Wakes};

/// What somebody waits for at an object; each object knows its own few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// A message of a POSIX queue, for this waiter alone.
    Receive,
    /// A place in a POSIX queue, for this waiter alone.
    Send,
    /// That a POSIX queue holds a message.
    Readable,
    /// That a POSIX queue has a place.
    Writable,
    /// That a POSIX queue notifies, `mq_notify(3)`.
    Notification,
    /// A unit of a POSIX semaphore, which the waiter gets.
    Unit,
    /// That a POSIX semaphore is greater than zero.
    Positive,
    /// A message of a System V queue.
    Message(Select),
    /// Space for so many bytes in a System V queue.
    Space(usize),
    /// That an operation on a System V set is done.
    Operation,
    /// A wake at an offset of a segment.
    Futex { offset: u64, expected: u32 },
    /// That an object exists.
    Creation,
}

/// Something to wait at.
pub(crate) trait Waitable: Send + Sync {
    /// Looks, and lines up if it has to wait. `seat` is the place in the line, none outside of it.
    fn poll_wait(
        &self,
        what: What,
        seat: &mut Option<Ticket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Errno>>;

    /// Leaves the line before its turn.
    fn leave(&self, what: What, ticket: Ticket);
}

/// A wait; ready when it is over.
///
/// It does nothing before it is polled, and dropping it gives the wait up. Its error is `EBADF` when
/// the container instance that waits has ended, `ENOMEM` when
/// [`MAX_WAITERS`](crate::limits::MAX_WAITERS) wait there already, and what the function that made
/// it names besides. It stays ready, with `EINVAL`, if it is polled again after its end.
#[must_use = "a wait does nothing unless it is awaited"]
pub struct Wait {
    on: Arc<dyn Waitable>,
    what: What,
    seat: Option<Ticket>,
    is_over: bool,
}

impl Wait {
    pub(crate) fn new(on: Arc<dyn Waitable>, what: What) -> Self {
        Self {
            on,
            what,
            seat: None,
            is_over: false,
        }
    }
}

impl Future for Wait {
    type Output = Result<(), Errno>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Ready(Err(Errno::Invalid));
        }
        let poll = this.on.poll_wait(this.what, &mut this.seat, cx);
        this.is_over = poll.is_ready();
        poll
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(ticket) = self.seat.take() {
            self.on.leave(self.what, ticket);
        }
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("what", &self.what)
            .field("seat", &self.seat)
            .finish_non_exhaustive()
    }
}
