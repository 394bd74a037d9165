//! A mutex and a condition that containers share, in 32 bits of a segment each: the places that `pthread_mutex_lock(3p)`
//! and `pthread_cond_wait(3p)` have in a process-shared segment, for every kind of guest.
//!
//! The layout is this library's. Programs in C share locks through `pthread.h` of the C library, which has another one.

use crate::{Error, SharedMemory};

const FREE: u32 = 0;
const LOCKED: u32 = 1;
/// Locked, and somebody may wait.
const CONTENDED: u32 = 2;

/// A mutex in the 32 bits at an offset of a segment; 0 is a free one, so a new segment needs no preparation.
///
/// A container that ends while it has the lock leaves it locked.
#[derive(Debug, Clone, Copy)]
pub struct Mutex<'a> {
    memory: &'a SharedMemory,
    offset: u64,
}

/// A locked mutex; dropping it unlocks.
#[derive(Debug)]
pub struct MutexGuard<'a>(Mutex<'a>);

impl<'a> Mutex<'a> {
    /// The mutex at an offset, a multiple of 4.
    #[must_use]
    pub fn at(memory: &'a SharedMemory, offset: u64) -> Self {
        Self { memory, offset }
    }

    /// Waits until it is free, and locks it. A container that has it locked already waits for ever.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a wrong offset, [`Error::Access`] of a segment that is open for reading.
    pub fn lock(self) -> Result<MutexGuard<'a>, Error> {
        let (memory, offset) = (self.memory, self.offset);
        if memory.compare_exchange32(offset, FREE, LOCKED)? != FREE {
            while memory.swap32(offset, CONTENDED)? != FREE {
                wait(memory, offset, CONTENDED)?;
            }
        }
        Ok(MutexGuard(self))
    }

    /// Locks it if it is free.
    ///
    /// # Errors
    ///
    /// [`Error::WouldBlock`] when it is not; and those of [`Self::lock`].
    pub fn try_lock(self) -> Result<MutexGuard<'a>, Error> {
        match self.memory.compare_exchange32(self.offset, FREE, LOCKED)? {
            FREE => Ok(MutexGuard(self)),
            _ => Err(Error::WouldBlock),
        }
    }
}

impl Drop for MutexGuard<'_> {
    fn drop(&mut self) {
        let Mutex { memory, offset } = self.0;
        // Locking has shown that both calls work here.
        if memory.swap32(offset, FREE) == Ok(CONTENDED) {
            let _ = memory.wake(offset, 1);
        }
    }
}

/// A condition in the 32 bits at an offset of a segment; they count the signals.
#[derive(Debug, Clone, Copy)]
pub struct Condition<'a> {
    memory: &'a SharedMemory,
    offset: u64,
}

impl<'a> Condition<'a> {
    /// The condition at an offset, a multiple of 4.
    #[must_use]
    pub fn at(memory: &'a SharedMemory, offset: u64) -> Self {
        Self { memory, offset }
    }

    /// Unlocks, waits for a signal, and locks again. It may return for nothing: look again.
    ///
    /// # Errors
    ///
    /// Those of [`Mutex::lock`].
    pub fn wait<'b>(self, guard: MutexGuard<'b>) -> Result<MutexGuard<'b>, Error> {
        let signals = self.memory.load32(self.offset)?;
        let mutex = guard.0;
        drop(guard);
        wait(self.memory, self.offset, signals)?;
        mutex.lock()
    }

    /// Lets one that waits go on.
    ///
    /// # Errors
    ///
    /// Those of [`Mutex::lock`].
    pub fn signal(self) -> Result<(), Error> {
        self.signal_some(1)
    }

    /// Lets all that wait go on.
    ///
    /// # Errors
    ///
    /// Those of [`Mutex::lock`].
    pub fn broadcast(self) -> Result<(), Error> {
        self.signal_some(i32::MAX.unsigned_abs())
    }

    fn signal_some(self, count: u32) -> Result<(), Error> {
        self.memory.add32(self.offset, 1)?;
        self.memory.wake(self.offset, count)?;
        Ok(())
    }
}

/// Waits while the number is as expected; another number is no error.
fn wait(memory: &SharedMemory, offset: u64, expected: u32) -> Result<(), Error> {
    match memory.wait(offset, expected, None) {
        Err(Error::WouldBlock) => Ok(()),
        answer => answer,
    }
}
