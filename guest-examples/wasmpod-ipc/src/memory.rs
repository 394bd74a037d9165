//! Segments of shared memory as programs see them: `shm_overview(7)`, and System V's once they are attached.
//!
//! Every guest can copy in and out and use single numbers in place. Core modules and native programs can also map a
//! segment into their memory (`mapping`).

use std::time::Duration;

use crate::sys;
use crate::{Error, OpenOptions};

/// An open segment; dropping it is `close(2)`, of a System V segment `shmdt(2)`.
#[derive(Debug)]
pub struct SharedMemory(pub(crate) sys::memory::Segment);

/// What an atomic operation does with the old value. The numbers are those of `shm_atomic32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Atomic {
    Load,
    Exchange,
    Add,
    CompareExchange,
}

impl SharedMemory {
    /// Opens or makes a segment: `shm_open(3)`. It can be read in any case; a new one is empty.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntry`], [`Error::AlreadyExists`], [`Error::Invalid`], [`Error::Access`], [`Error::NameTooLong`],
    /// [`Error::NoSpace`], [`Error::TooManyOpen`].
    pub fn open(name: &str, options: OpenOptions) -> Result<Self, Error> {
        sys::memory::Segment::open(name, options).map(Self)
    }

    /// Removes a name: `shm_unlink(3)`. Who has the segment open or mapped keeps it.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntry`]; the errors of a wrong name as in [`Self::open`].
    pub fn unlink(name: &str) -> Result<(), Error> {
        sys::memory::unlink(name)
    }

    /// Its size in bytes: `fstat(2)`.
    ///
    /// # Errors
    ///
    /// [`Error::BadDescriptor`] in a container that has ended, which no program of it sees.
    pub fn size(&self) -> Result<u64, Error> {
        self.0.size()
    }

    /// Sets its size in bytes: `ftruncate(2)`. New bytes are 0.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] of a System V segment, [`Error::FileTooBig`], [`Error::NoSpace`], [`Error::NoMemory`];
    /// [`Error::Access`] or [`Error::Invalid`] of one that is open for reading.
    pub fn truncate(&self, size: u64) -> Result<(), Error> {
        self.0.truncate(size)
    }

    /// Copies bytes out, fewer at the end of the segment, and says how many: `pread(2)`.
    ///
    /// # Errors
    ///
    /// [`Error::BadDescriptor`], as in [`Self::size`].
    pub fn read(&self, offset: u64, into: &mut [u8]) -> Result<usize, Error> {
        self.0.read(offset, into)
    }

    /// Copies bytes in. The segment does not grow by it.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] beyond its end; [`Error::Access`] of one that is open for reading.
    pub fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.0.write(offset, data)
    }

    /// Reads the 32 bits at `offset`, at once. As all atomic operations here it is sequentially consistent, and
    /// `offset` is a multiple of the width.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for another offset, or beyond the end; of those that write, [`Error::Access`] when the
    /// segment is open for reading.
    pub fn load32(&self, offset: u64) -> Result<u32, Error> {
        self.0.atomic32(offset, Atomic::Load, 0, 0)
    }

    /// Writes 32 bits and returns what was there.
    ///
    /// # Errors
    ///
    /// Those of [`Self::load32`].
    pub fn swap32(&self, offset: u64, value: u32) -> Result<u32, Error> {
        self.0.atomic32(offset, Atomic::Exchange, value, 0)
    }

    /// Adds to 32 bits, modulo their range, and returns what was there.
    ///
    /// # Errors
    ///
    /// Those of [`Self::load32`].
    pub fn add32(&self, offset: u64, value: u32) -> Result<u32, Error> {
        self.0.atomic32(offset, Atomic::Add, value, 0)
    }

    /// Puts `new` in place of 32 bits that are `expected`, and returns what was there.
    ///
    /// # Errors
    ///
    /// Those of [`Self::load32`].
    pub fn compare_exchange32(&self, offset: u64, expected: u32, new: u32) -> Result<u32, Error> {
        self.0
            .atomic32(offset, Atomic::CompareExchange, new, expected)
    }

    /// [`Self::load32`] with 64 bits.
    ///
    /// # Errors
    ///
    /// Those of [`Self::load32`].
    pub fn load64(&self, offset: u64) -> Result<u64, Error> {
        self.0.atomic64(offset, Atomic::Load, 0, 0)
    }

    /// [`Self::swap32`] with 64 bits.
    ///
    /// # Errors
    ///
    /// Those of [`Self::load32`].
    pub fn swap64(&self, offset: u64, value: u64) -> Result<u64, Error> {
        self.0.atomic64(offset, Atomic::Exchange, value, 0)
    }

    /// [`Self::add32`] with 64 bits.
    ///
    /// # Errors
    ///
    /// Those of [`Self::load32`].
    pub fn add64(&self, offset: u64, value: u64) -> Result<u64, Error> {
        self.0.atomic64(offset, Atomic::Add, value, 0)
    }

    /// [`Self::compare_exchange32`] with 64 bits.
    ///
    /// # Errors
    ///
    /// Those of [`Self::load32`].
    pub fn compare_exchange64(&self, offset: u64, expected: u64, new: u64) -> Result<u64, Error> {
        self.0
            .atomic64(offset, Atomic::CompareExchange, new, expected)
    }

    /// Waits to be woken, if the 32 bits at `offset` are as expected, as FUTEX_WAIT of `futex(2)`. It may return
    /// for nothing: look again.
    ///
    /// # Errors
    ///
    /// [`Error::WouldBlock`] for another value, [`Error::TimedOut`], [`Error::Invalid`] as in [`Self::load32`].
    pub fn wait(&self, offset: u64, expected: u32, timeout: Option<Duration>) -> Result<(), Error> {
        self.0.wait(offset, expected, timeout)
    }

    /// Wakes at most `count` that wait at `offset`, and says how many: FUTEX_WAKE of `futex(2)`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], as in [`Self::load32`].
    pub fn wake(&self, offset: u64, count: u32) -> Result<u32, Error> {
        self.0.wake(offset, count)
    }
}
