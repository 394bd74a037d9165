//! Shared memory: the interface `shared-memory`.

use std::time::Duration;

use super::bindings::wasmpod::ipc::shared_memory as wit;
use super::nanoseconds;
use crate::memory::Atomic;
use crate::{Error, OpenOptions};

/// Bytes that one call reads at most; the host keeps a buffer of this length.
const PIECE_BYTES: u32 = 64 * 1024;

#[derive(Debug)]
pub(crate) struct Segment(pub(super) wit::Segment);

impl Segment {
    pub(crate) fn open(name: &str, options: OpenOptions) -> Result<Self, Error> {
        let set = [
            (options.write, wit::OpenFlags::WRITE),
            (options.create, wit::OpenFlags::CREATE),
            (options.exclusive, wit::OpenFlags::EXCLUSIVE),
            (options.truncate, wit::OpenFlags::TRUNCATE),
        ];
        let set = set.iter().filter(|(is_set, _)| *is_set);
        let flags = set.fold(wit::OpenFlags::empty(), |flags, (_, flag)| flags | *flag);
        Ok(Self(wit::Segment::open(name, flags)?))
    }

    pub(crate) fn size(&self) -> Result<u64, Error> {
        Ok(self.0.size())
    }

    pub(crate) fn truncate(&self, size: u64) -> Result<(), Error> {
        Ok(self.0.truncate(size)?)
    }

    /// In pieces that stay in the processor's cache from the host's copy to ours.
    pub(crate) fn read(&self, offset: u64, into: &mut [u8]) -> Result<usize, Error> {
        let (mut offset, mut done) = (offset, 0);
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let wanted = u32::try_from(rest.len()).map_or(PIECE_BYTES, |len| len.min(PIECE_BYTES));
            let data = self.0.read(offset, wanted)?;
            let Some(place) = rest.get_mut(..data.len()).filter(|place| !place.is_empty()) else {
                break;
            };
            place.copy_from_slice(&data);
            let len = place.len();
            done += len;
            offset += u64::try_from(len).map_err(|_| Error::Invalid)?;
        }
        Ok(done)
    }

    pub(crate) fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        Ok(self.0.write(offset, data)?)
    }

    pub(crate) fn atomic32(
        &self,
        offset: u64,
        operation: Atomic,
        operand: u32,
        expected: u32,
    ) -> Result<u32, Error> {
        use wit::AtomicOperation::{Add, Exchange};
        Ok(match operation {
            Atomic::Load => self.0.atomic_load32(offset)?,
            Atomic::Exchange => self.0.atomic_update32(offset, Exchange, operand)?,
            Atomic::Add => self.0.atomic_update32(offset, Add, operand)?,
            Atomic::CompareExchange => self
                .0
                .atomic_compare_exchange32(offset, expected, operand)?,
        })
    }

    pub(crate) fn atomic64(
        &self,
        offset: u64,
        operation: Atomic,
        operand: u64,
        expected: u64,
    ) -> Result<u64, Error> {
        use wit::AtomicOperation::{Add, Exchange};
        Ok(match operation {
            Atomic::Load => self.0.atomic_load64(offset)?,
            Atomic::Exchange => self.0.atomic_update64(offset, Exchange, operand)?,
            Atomic::Add => self.0.atomic_update64(offset, Add, operand)?,
            Atomic::CompareExchange => self
                .0
                .atomic_compare_exchange64(offset, expected, operand)?,
        })
    }

    pub(crate) fn wait(
        &self,
        offset: u64,
        expected: u32,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        Ok(self.0.wait(offset, expected, timeout.map(nanoseconds))?)
    }

    pub(crate) fn wake(&self, offset: u64, count: u32) -> Result<u32, Error> {
        Ok(self.0.wake(offset, count)?)
    }
}

pub(crate) fn unlink(name: &str) -> Result<(), Error> {
    Ok(wit::unlink(name)?)
}
