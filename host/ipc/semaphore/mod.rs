//! POSIX named semaphores: `sem_overview(7)`, `sem_open(3)`, `sem_post(3)`, `sem_wait(3)`,
//! `sem_getvalue(3)`, `sem_unlink(3)`.
//!
//! `count` is the number and the line before it, `number` and `numbers` are where the number is; here are the names, the handles and the lists.
//! A semaphore does not know who took its units, so a container that ends gives none back: that is
//! what `SEM_UNDO` of System V is for.

mod count;
mod number;
mod numbers;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};

use crate::account::Charge;
use crate::limits::{SEM_VALUE_MAX, SEMAPHORE_BYTES};
use crate::names::{Named, Names, parse_semaphore_name};
use crate::namespace::Namespace;
use crate::owner::Owner;
use crate::wait::{Ticket, Wait, Waitable, What};
use crate::{Errno, OpenFlags, Segment};

use count::Count;
use number::Number;
pub(crate) use numbers::Numbers;

/// What a semaphore is at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SemaphoreInfo {
    /// The name with one slash.
    pub name: String,
    /// Whether the name is gone and the semaphore lives only for those who have it open.
    pub unlinked: bool,
    /// Units that are free.
    pub value: u32,
    /// Handles open on it, of all containers.
    pub open_handles: u32,
    /// Callers of `sem_wait` that wait.
    pub waiting: u32,
}

/// A semaphore, named or not any more; it lives while it has a name or a handle.
#[derive(Debug)]
pub(crate) struct NamedSemaphore {
    name: Box<str>,
    unlinked: AtomicBool,
    open_handles: AtomicU32,
    count: Count,
    /// Give the pod its count and its bytes back at the end.
    _charges: [Charge; 2],
}

/// An open semaphore: `sem_t *`. Clones are the same handle; dropping the last is `sem_close(3)`.
#[derive(Clone)]
pub struct Semaphore {
    handle: Arc<Handle>,
}

struct Handle {
    semaphore: Arc<NamedSemaphore>,
    owner: Arc<Owner>,
}

/// Opens a semaphore, or makes it with this value.
pub(crate) fn open(
    namespace: &Namespace,
    owner: &Arc<Owner>,
    name: &str,
    flags: OpenFlags,
    value: u32,
) -> Result<Semaphore, Errno> {
    let Namespace {
        semaphores: names,
        semaphore_numbers: numbers,
        bytes,
        limits,
        host,
        ..
    } = namespace;
    let name = parse_semaphore_name(name)?;
    // As with Linux's C library, the value counts whenever one may be made.
    let too_great = flags.contains(OpenFlags::CREATE) && value > SEM_VALUE_MAX;
    if too_great || flags.contains(OpenFlags::TRUNCATE) {
        return Err(Errno::Invalid);
    }
    owner.acquire_handle(limits.max_open_handles)?;
    let semaphore = names.open(name, flags, |count| {
        let bytes = bytes.charge(SEMAPHORE_BYTES).ok_or(Errno::NoSpace)?;
        Ok(NamedSemaphore {
            name: name.into(),
            unlinked: AtomicBool::new(false),
            open_handles: AtomicU32::new(0),
            count: Count::new(match numbers.slot(&*host.memory, value) {
                Some(slot) => Number::Shared(slot),
                None => Number::Own(AtomicU32::new(value)),
            }),
            _charges: [count, bytes],
        })
    });
    let semaphore = semaphore.inspect_err(|_| owner.release_handle())?;
    semaphore.open_handles.fetch_add(1, Ordering::Relaxed);
    Ok(Semaphore {
        handle: Arc::new(Handle {
            semaphore,
            owner: Arc::clone(owner),
        }),
    })
}

/// Every semaphore there is, by name; those unlinked but still open come last.
pub(crate) fn list(names: &Names<NamedSemaphore>) -> Vec<SemaphoreInfo> {
    let mut list: Vec<_> = names.all().iter().map(|one| one.info()).collect();
    list.sort_by(|a, b| (a.unlinked, &a.name).cmp(&(b.unlinked, &b.name)));
    list
}

impl NamedSemaphore {
    fn info(&self) -> SemaphoreInfo {
        SemaphoreInfo {
            name: format!("/{}", self.name),
            unlinked: self.unlinked.load(Ordering::Relaxed),
            value: self.count.value(),
            open_handles: self.open_handles.load(Ordering::Relaxed),
            waiting: u32::try_from(self.count.waiting()).unwrap_or(u32::MAX),
        }
    }

    /// Lets everybody look: an instance has ended, and whoever of it waits must see that.
    pub(crate) fn wake_all(&self) {
        self.count.wake_all();
    }
}

impl Named for NamedSemaphore {
    fn unlinked(&self) {
        self.unlinked.store(true, Ordering::Relaxed);
    }
}

impl Semaphore {
    /// Adds a unit, which goes to who waits longest, if anyone does; `sem_post(3)`.
    ///
    /// # Errors
    ///
    /// `EOVERFLOW` when it has [`SEM_VALUE_MAX`] units, `EBADF` when the container has ended.
    pub fn post(&self) -> Result<(), Errno> {
        self.handle.check()?;
        self.handle.semaphore.count.post()
    }

    /// Takes a unit that is free; `sem_trywait(3)`.
    ///
    /// # Errors
    ///
    /// `EAGAIN` when none is free, `EBADF` when the container has ended.
    pub fn try_wait(&self) -> Result<(), Errno> {
        self.handle.check()?;
        self.handle.semaphore.count.try_take()
    }

    /// Takes a unit as soon as it is this caller's turn, first come first; `sem_wait(3)`.
    ///
    /// When the wait is over the unit is taken. Given up before, it takes none.
    pub fn wait(&self) -> Wait {
        self.wait_for(What::Unit)
    }

    /// Waits until a unit is free, without a claim to it, for pollables. Everybody who waits so is
    /// woken.
    pub fn ready(&self) -> Wait {
        self.wait_for(What::Positive)
    }

    fn wait_for(&self, what: What) -> Wait {
        Wait::new(Arc::clone(&self.handle) as Arc<dyn Waitable>, what)
    }

    /// Units that are free, 0 while somebody waits; `sem_getvalue(3)`.
    #[must_use]
    pub fn value(&self) -> u32 {
        self.handle.semaphore.count.value()
    }

    /// Whether both are one semaphore. A name that was opened twice may be two: somebody may have removed and made it anew
    /// in between.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.handle.semaphore, &other.handle.semaphore)
    }

    /// Where guests can map the number, if they can: a segment for all semaphores of the pod, and the offset in it of
    /// 32 bits. They are the value, and in the highest bit whether somebody waits: then only the calls of this type may
    /// change it. What a guest writes there changes what the semaphore's users see and nothing else.
    #[must_use]
    pub fn place(&self) -> Option<(&Arc<Segment>, u64)> {
        match self.handle.semaphore.count.number() {
            Number::Shared(slot) => Some(slot.place()),
            Number::Own(_) => None,
        }
    }
}

impl Handle {
    fn check(&self) -> Result<(), Errno> {
        if self.owner.has_ended() {
            Err(Errno::BadDescriptor)
        } else {
            Ok(())
        }
    }
}

impl Waitable for Handle {
    fn poll_wait(
        &self,
        what: What,
        seat: &mut Option<Ticket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Errno>> {
        let count = &self.semaphore.count;
        if let Err(errno) = self.check() {
            if let Some(ticket) = seat.take() {
                count.leave(ticket);
            }
            return Poll::Ready(Err(errno));
        }
        let poll = match what {
            What::Positive => count.poll_positive(seat, cx),
            _ => count.poll_take(seat, cx),
        };
        // The instance may have ended since the look above, before this one was in the line.
        if poll.is_pending() && self.owner.has_ended() {
            cx.waker().wake_by_ref();
        }
        poll
    }

    fn leave(&self, _what: What, ticket: Ticket) {
        self.semaphore.count.leave(ticket);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.semaphore.open_handles.fetch_sub(1, Ordering::Relaxed);
        self.owner.release_handle();
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("semaphore", &self.handle.semaphore.info())
            .finish_non_exhaustive()
    }
}
