//! A segment in this program's memory: `mmap(2)` with MAP_SHARED. Not for components, whose memory is their own.
//!
//! Others change the bytes at any time, so there are no references to them but to atomic numbers; all else is copied.

#![expect(unsafe_code, reason = "shared bytes are behind a plain pointer")]

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, AtomicU64};

use crate::memory::SharedMemory;
use crate::{Error, sys};

/// A mapped segment; dropping it is `munmap(2)`. It keeps the segment, also without name and descriptor.
#[derive(Debug)]
pub struct Mapping(sys::memory::Map);

impl SharedMemory {
    /// Maps the whole segment as it is now.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] of an empty one; [`Error::Access`] to write to one that is open for reading;
    /// [`Error::NoMemory`].
    pub fn map(&self, write: bool) -> Result<Mapping, Error> {
        self.0.map(write).map(Mapping)
    }
}

impl Mapping {
    /// Its first byte. Others may change what it points to at any time.
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        self.0.address()
    }

    /// Its size, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no bytes, which no mapping is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn check(&self, offset: usize, len: usize, align: usize) -> Result<*mut u8, Error> {
        let end = offset.checked_add(len).ok_or(Error::Invalid)?;
        if end > self.len() || !offset.is_multiple_of(align) {
            return Err(Error::Invalid);
        }
        Ok(self.as_ptr().wrapping_add(offset))
    }

    /// Copies bytes out.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] beyond the end.
    pub fn read(&self, offset: usize, into: &mut [u8]) -> Result<(), Error> {
        let from = self.check(offset, into.len(), 1)?;
        // SAFETY: the bytes are in the mapping, and `into` is memory of its own. Who writes them meanwhile makes a
        // mixture of old and new bytes, which every program that shares memory has to expect.
        unsafe { from.copy_to_nonoverlapping(into.as_mut_ptr(), into.len()) };
        Ok(())
    }

    /// The `COUNT` records of `N` numbers of 64 bits that begin at an offset, a multiple of 8. They are read in place, where
    /// [`Self::read`] calls the engine to copy, and without another look at how long the mapping is.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for another offset or beyond the end.
    pub fn records<const N: usize, const COUNT: usize>(
        &self,
        offset: usize,
    ) -> Result<Records<'_, N, COUNT>, Error> {
        let numbers = N.checked_mul(COUNT).ok_or(Error::Invalid)?;
        let bytes = numbers
            .checked_mul(size_of::<u64>())
            .ok_or(Error::Invalid)?;
        Ok(Records {
            first: self.check(offset, bytes, size_of::<u64>())?.cast(),
            mapping: PhantomData,
        })
    }

    /// Copies bytes in.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] beyond the end; [`Error::Access`] of a mapping for reading.
    pub fn write(&self, offset: usize, data: &[u8]) -> Result<(), Error> {
        let to = self.check(offset, data.len(), 1)?;
        if !self.0.is_writable() {
            return Err(Error::Access);
        }
        // SAFETY: as for `read`, and the mapping is writable.
        unsafe { to.copy_from_nonoverlapping(data.as_ptr(), data.len()) };
        Ok(())
    }

    /// The number of 32 bits at an offset, a multiple of 4; in a mapping for reading it must not be written to.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for another offset or beyond the end; [`Error::Access`] of a mapping for reading.
    pub fn atomic32(&self, offset: usize) -> Result<&AtomicU32, Error> {
        let place = self.check(offset, 4, 4)?;
        if !self.0.is_writable() {
            return Err(Error::Access);
        }
        // SAFETY: it is in the mapping, aligned since mappings begin at pages, and lives as long as the mapping.
        Ok(unsafe { AtomicU32::from_ptr(place.cast()) })
    }

    /// The number of 64 bits at an offset, a multiple of 8.
    ///
    /// # Errors
    ///
    /// Those of [`Self::atomic32`].
    pub fn atomic64(&self, offset: usize) -> Result<&AtomicU64, Error> {
        let place = self.check(offset, 8, 8)?;
        if !self.0.is_writable() {
            return Err(Error::Access);
        }
        // SAFETY: as for `atomic32`.
        Ok(unsafe { AtomicU64::from_ptr(place.cast()) })
    }
}

/// Records in a mapping that all have the same length: see [`Mapping::records`].
#[derive(Debug, Clone, Copy)]
pub struct Records<'a, const N: usize, const COUNT: usize> {
    first: *const [u64; N],
    mapping: PhantomData<&'a Mapping>,
}

impl<const N: usize, const COUNT: usize> Records<'_, N, COUNT> {
    /// The record with this number, from 0; none beyond the last. Others may write it meanwhile: then it is a mixture of
    /// old and new numbers, as every program that shares memory has to expect.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<[u64; N]> {
        // SAFETY: the record is in the mapping, which is borrowed, and its numbers are aligned.
        (number < COUNT).then(|| unsafe { self.first.wrapping_add(number).read() })
    }
}

/// On the kernel's memory, where these tests run.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::OpenOptions;

    #[test]
    fn records_are_in_the_mapping_or_not_there() {
        let name = format!("/wasmpod-records-{}", std::process::id());
        let options = OpenOptions::new().write(true).create(true).exclusive(true);
        let memory = SharedMemory::open(&name, options).unwrap();
        SharedMemory::unlink(&name).unwrap();
        memory.truncate(4096).unwrap();
        let map = memory.map(true).unwrap();
        for (index, number) in (0..512_u64).enumerate() {
            map.write(index * 8, &number.to_ne_bytes()).unwrap();
        }
        let records = map.records::<2, 255>(16).unwrap();
        assert_eq!(records.get(0), Some([2, 3]));
        assert_eq!(records.get(254), Some([510, 511]));
        assert_eq!(records.get(255), None);
        assert_eq!(records.get(usize::MAX), None);
        assert_eq!(map.records::<2, 255>(24).err(), Some(Error::Invalid));
        assert_eq!(map.records::<1, 1>(4).err(), Some(Error::Invalid));
        let too_many = map.records::<{ usize::MAX }, 2>(0);
        assert_eq!(too_many.err(), Some(Error::Invalid));
    }
}
