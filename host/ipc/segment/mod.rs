//! The bytes of a shared memory object, of either kind, and the waits at their addresses.
//!
//! A [`Segment`] is bytes of a size, in a memory that the host provides ([`SegmentMemory`]): pages that
//! it also maps into its guests, or plain memory from which they copy ([`HeapProvider`]). Reading and
//! writing race with other containers as all shared memory does, and are no data race in the sense
//! of Rust: the memory is made of atomics, or the host sees to it.
//!
//! * `memory`: what the host provides. `heap`: the plain memory. `futex`: wait and wake.

mod futex;
mod heap;
mod memory;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Errno;
use crate::account::Charge;
use crate::limits::PAGE_BYTES;
use crate::lock::lock;
use crate::wait::WaitList;

pub use heap::HeapProvider;
pub use memory::{AtomicOp, SegmentMemory, SegmentProvider};

/// Shared bytes. It lives as long as anybody holds it: its name or id, who has it open, who maps it.
#[derive(Debug)]
pub struct Segment {
    memory: Box<dyn SegmentMemory>,
    size: AtomicU64,
    /// What it takes of the pod's shared memory; also the lock under which the size changes.
    charge: Mutex<Charge>,
    waiters: Mutex<WaitList<u64>>,
}

impl Segment {
    /// An empty segment, with a charge of nothing.
    pub(crate) fn new(provider: &dyn SegmentProvider, charge: Charge) -> Result<Self, Errno> {
        Ok(Self {
            memory: provider.make()?,
            size: AtomicU64::new(0),
            charge: Mutex::new(charge),
            waiters: Mutex::default(),
        })
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// The memory that the host provided, for the host to map.
    #[must_use]
    pub fn memory(&self) -> &dyn SegmentMemory {
        &*self.memory
    }

    /// Changes the size; what comes is zero, what goes is lost. In whole pages for the account.
    pub(crate) fn resize(&self, size: u64) -> Result<(), Errno> {
        let mut charge = lock(&self.charge);
        let old = self.size();
        let pages = size
            .checked_next_multiple_of(PAGE_BYTES)
            .ok_or(Errno::FileTooBig)?;
        if size >= old {
            if !charge.resize(pages) {
                return Err(Errno::NoSpace);
            }
            if let Err(errno) = self.memory.resize(old, size) {
                let old_pages = old.next_multiple_of(PAGE_BYTES);
                charge.shrink(pages.saturating_sub(old_pages));
                return Err(errno);
            }
            self.size.store(size, Ordering::Release);
        } else {
            // Smaller for readers first: nobody is to read what is given back.
            self.size.store(size, Ordering::Release);
            self.memory.resize(old, size)?;
            charge.shrink((old.next_multiple_of(PAGE_BYTES)).saturating_sub(pages));
        }
        Ok(())
    }

    /// Copies bytes out, from `offset` on; returns how many lie within the segment, 0 beyond its end.
    pub fn read(&self, offset: u64, into: &mut [u8]) -> usize {
        let within = self.within(offset, into.len());
        if let Some(into) = into.get_mut(..within)
            && within > 0
        {
            self.memory.read(offset, into);
        }
        within
    }

    /// Copies bytes in, from `offset` on; returns how many lie within the segment, 0 beyond its end.
    /// It does not grow.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when the host has no memory left; some of the bytes may be there then.
    pub fn write(&self, offset: u64, data: &[u8]) -> Result<usize, Errno> {
        let within = self.within(offset, data.len());
        if let Some(data) = data.get(..within)
            && within > 0
        {
            self.memory.write(offset, data)?;
        }
        Ok(within)
    }

    /// How many of these bytes lie within.
    fn within(&self, offset: u64, bytes: usize) -> usize {
        let left = self.size().saturating_sub(offset);
        usize::try_from(left).map_or(bytes, |left| left.min(bytes))
    }

    /// Does an atomic operation on a little-endian word of 32 bits; returns what was there before.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the offset is not a multiple of 4, `EFAULT` when the word is not within the
    /// segment, `ENOMEM` when the host has no memory left.
    pub fn update_u32(&self, offset: u64, op: AtomicOp<u32>) -> Result<u32, Errno> {
        self.check_word(offset, 4)?;
        self.memory.update_u32(offset, op)
    }

    /// Does an atomic operation on a little-endian word of 64 bits; returns what was there before.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the offset is not a multiple of 8; else as [`Self::update_u32`].
    pub fn update_u64(&self, offset: u64, op: AtomicOp<u64>) -> Result<u64, Errno> {
        self.check_word(offset, 8)?;
        self.memory.update_u64(offset, op)
    }

    fn check_word(&self, offset: u64, bytes: u64) -> Result<(), Errno> {
        if !offset.is_multiple_of(bytes) {
            return Err(Errno::Invalid);
        }
        match offset.checked_add(bytes) {
            Some(end) if end <= self.size() => Ok(()),
            _ => Err(Errno::Fault),
        }
    }
}
