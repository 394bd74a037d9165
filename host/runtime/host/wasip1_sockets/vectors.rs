//! The scatter and gather lists of reads and writes (`iovec`, `ciovec`).
//!
//! They are read from the guest's memory each time that they are needed and never kept: checking is cheap, and what is
//! checked is what is used.

use bytes::{Bytes, BytesMut};

use super::errno::EINVAL;
use crate::host::guest_memory::{Failure, Place};

/// The buffers that one call may have: Linux' `IOV_MAX`. More: `EINVAL`, as readv(2).
const MAX_BUFFERS: usize = 1024;

/// The most bytes that one step of a call moves: what a connection's direction holds by default.
pub(super) const MAX_TRANSFER_BYTES: usize = 256 * 1024;

/// Bytes of a buffer's description: address and length.
const BUFFER: usize = 8;

/// A list of buffers in the guest's memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vectors {
    list: Place,
    /// The bytes of all buffers together, as far as they can be counted.
    total: usize,
}

impl Vectors {
    /// The list that a guest has given; every buffer of it is in the memory.
    pub(super) fn new((list, count): (i32, i32), memory: &[u8]) -> Result<Self, Failure> {
        if usize::try_from(count.cast_unsigned()).is_ok_and(|count| count > MAX_BUFFERS) {
            return Err(EINVAL);
        }
        let list = Place::elements(list, count, BUFFER)?.check(memory)?;
        let mut vectors = Self { list, total: 0 };
        for index in 0..vectors.count() {
            let buffer = vectors.buffer(index, memory)?.check(memory)?;
            vectors.total = vectors.total.saturating_add(buffer.bytes());
        }
        Ok(vectors)
    }

    const fn count(self) -> usize {
        self.list.bytes() / BUFFER
    }

    /// How many bytes the buffers have.
    pub(super) const fn total(self) -> usize {
        self.total
    }

    fn buffer(self, index: usize, memory: &[u8]) -> Result<Place, Failure> {
        let bytes = self.list.element(index, BUFFER)?;
        let [a, b, c, d, e, f, g, h] = bytes.read_array::<BUFFER>(memory)?;
        Place::of(
            u32::from_le_bytes([a, b, c, d]),
            u32::from_le_bytes([e, f, g, h]),
        )
    }

    /// The bytes of the buffers from the place `from` on, at most `max`.
    pub(super) fn gather(self, memory: &[u8], from: usize, max: usize) -> Result<Bytes, Failure> {
        let wanted = self.total.saturating_sub(from).min(max);
        let (mut skip, mut gathered) = (from, BytesMut::with_capacity(wanted));
        for index in 0..self.count() {
            if gathered.len() == wanted {
                break;
            }
            let all = self.buffer(index, memory)?.read(memory)?;
            let bytes = all.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(all.len());
            let missing = bytes.len().min(wanted.saturating_sub(gathered.len()));
            gathered.extend_from_slice(bytes.get(..missing).unwrap_or_default());
        }
        Ok(gathered.freeze())
    }

    /// Writes `data` into the buffers from the place `from` on, as far as they reach.
    pub(super) fn scatter(
        self,
        memory: &mut [u8],
        from: usize,
        mut data: &[u8],
    ) -> Result<(), Failure> {
        let mut skip = from;
        for index in 0..self.count() {
            if data.is_empty() {
                break;
            }
            let buffer = self.buffer(index, memory)?;
            let start = skip.min(buffer.bytes());
            skip = skip.saturating_sub(buffer.bytes());
            let place = buffer.write(memory)?.get_mut(start..).unwrap_or_default();
            let (now, later) = data.split_at(data.len().min(place.len()));
            if let Some(place) = place.get_mut(..now.len()) {
                place.copy_from_slice(now);
            }
            data = later;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::guest_memory::EFAULT;

    /// A memory of 256 bytes in which the list of these buffers is at 0, and each byte of the rest is its address.
    fn memory(buffers: &[(u32, u32)]) -> Vec<u8> {
        let mut memory: Vec<u8> = (0..=255).collect();
        for (index, (address, bytes)) in buffers.iter().enumerate() {
            memory[index * 8..][..4].copy_from_slice(&address.to_le_bytes());
            memory[index * 8 + 4..][..4].copy_from_slice(&bytes.to_le_bytes());
        }
        memory
    }

    #[test]
    fn buffers_are_gathered_in_their_order_from_any_place_on() {
        let memory = memory(&[(100, 3), (50, 0), (200, 4)]);
        let vectors = Vectors::new((0, 3), &memory).unwrap();
        assert_eq!(vectors.total(), 7);
        let all = [100, 101, 102, 200, 201, 202, 203];
        for from in 0..=8 {
            for max in 0..9 {
                let expected: Vec<u8> = all.into_iter().skip(from).take(max).collect();
                assert_eq!(
                    vectors.gather(&memory, from, max).unwrap(),
                    expected,
                    "{from} {max}"
                );
            }
        }
    }

    #[test]
    fn what_is_scattered_is_what_is_gathered_afterwards() {
        for from in 0..7 {
            let mut memory = memory(&[(100, 3), (50, 0), (200, 4)]);
            let before = memory.clone();
            let vectors = Vectors::new((0, 3), &memory).unwrap();
            vectors.scatter(&mut memory, from, b"abcdefgh").unwrap();
            let expected = &b"abcdefgh"[..7 - from];
            assert_eq!(vectors.gather(&memory, from, 99).unwrap(), expected);
            let changed = before.iter().zip(&memory).filter(|(a, b)| a != b).count();
            assert_eq!(changed, expected.len());
        }
    }

    #[test]
    fn wild_lists_and_buffers_are_refused() {
        let memory = memory(&[(250, 7), (0, u32::MAX), (u32::MAX, u32::MAX), (255, 1)]);
        for (list, failure) in [
            ((0, 1), EFAULT),
            ((8, 1), EFAULT),
            ((16, 1), EFAULT),
            ((-8, 1), EFAULT),
            ((240, 3), EFAULT),
            ((0, -1), EINVAL),
            ((0, 1025), EINVAL),
        ] {
            assert_eq!(Vectors::new(list, &memory).err(), Some(failure), "{list:?}");
        }
        assert_eq!(Vectors::new((24, 1), &memory).unwrap().total(), 1);
        assert_eq!(Vectors::new((0, 0), &memory).unwrap().total(), 0);
    }

    #[test]
    fn a_list_that_names_one_buffer_often_counts_it_often() {
        let memory = memory(&[(0, 256); 4]);
        assert_eq!(Vectors::new((0, 4), &memory).unwrap().total(), 1024);
    }
}
