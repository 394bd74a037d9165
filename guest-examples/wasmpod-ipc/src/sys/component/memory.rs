//! Shared memory: the interface `shared-memory`.

use std::time::Duration;

use super::bindings::wasmpod::ipc::shared_memory as wit;
use super::{nanoseconds, place};
use crate::memory::Atomic;
use crate::{Error, OpenOptions};

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

    /// In as many calls as it takes: one copies a bounded number of bytes.
    pub(crate) fn read(&self, offset: u64, into: &mut [u8]) -> Result<usize, Error> {
        let (mut offset, mut done) = (offset, 0);
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let read = place::read(&self.0, offset, rest)?;
            if read == 0 {
                break;
            }
            done += read;
            offset += u64::try_from(read).map_err(|_| Error::Invalid)?;
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
