//! Entries of the calls that send and receive many messages: an array in the guest's memory, as `recvmmsg(2)` has it.
//!
//! The first word of an entry is the address of its data or buffer, the second the length.

use wasmpod_ipc::Errno;

use crate::host::guest_memory::{Answer, EFAULT, Failure, Place};

/// Messages of one call at most: it bounds how long a call holds up the pod's other containers. More are not looked at.
pub(super) const MAX_BATCH: usize = 4096;

/// Bytes of a word.
const WORD: usize = size_of::<u32>();

/// An array of entries of `SIZE` bytes each, all in the guest's memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots<const SIZE: usize> {
    all: Place,
    count: usize,
}

impl<const SIZE: usize> Slots<SIZE> {
    /// The array that the guest gave; `EINVAL` for an empty one.
    pub(super) fn new(entries: i32, count: i32, memory: &[u8]) -> Result<Self, Failure> {
        let all = Place::elements(entries, count, SIZE)?.check(memory)?;
        let count = all.bytes() / SIZE;
        if count == 0 {
            return Err(Errno::Invalid.into());
        }
        let count = count.min(MAX_BATCH);
        Ok(Self { all, count })
    }

    /// How many entries are used.
    pub(super) const fn count(self) -> usize {
        self.count
    }

    /// All entries in order.
    pub(super) fn iter(self, memory: &[u8]) -> impl Iterator<Item = Slot<SIZE>> {
        // It was in the memory when this was made, and memories do not shrink.
        let entries = self.all.read(memory).unwrap_or_default();
        let (entries, _) = entries.as_chunks::<SIZE>();
        entries.iter().take(self.count).copied().map(Slot)
    }

    /// Puts a message into the buffer of an entry, and its length and `rest`, which is what the entry has after it, into
    /// the entry.
    pub(super) fn fill(self, memory: &mut [u8], index: usize, data: &[u8], rest: &[u8]) -> Answer {
        let at = self.all.element(index, SIZE)?;
        let entry = Slot::<SIZE>(at.read_array(memory)?);
        let length = u32::try_from(data.len()).map_err(|_| EFAULT)?;
        if length > entry.word(1) {
            return Err(EFAULT);
        }
        let buffer = Place::of(entry.word(0), length)?.write(memory)?;
        buffer.copy_from_slice(data);
        let entry = at.write(memory)?;
        let (_, entry) = entry.split_at_mut_checked(WORD).ok_or(EFAULT)?;
        let (place, entry) = entry.split_at_mut_checked(WORD).ok_or(EFAULT)?;
        place.copy_from_slice(&length.to_le_bytes());
        let place = entry.get_mut(..rest.len()).ok_or(EFAULT)?;
        place.copy_from_slice(rest);
        Ok(())
    }
}

/// One entry as it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot<const SIZE: usize>([u8; SIZE]);

impl<const SIZE: usize> Slot<SIZE> {
    /// The word with this number.
    pub(super) fn word(&self, index: usize) -> u32 {
        let bytes = self.0.get(index * WORD..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    /// The third and the fourth word.
    pub(super) fn long(&self) -> i64 {
        let bytes = self.0.get(2 * WORD..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| i64::from_le_bytes(*bytes))
    }

    /// Its data or buffer.
    pub(super) fn place(&self) -> Result<Place, Failure> {
        Place::of(self.word(0), self.word(1))
    }
}
