//! One direction of a connection: a bounded queue of bytes that moves them by reference.
//!
//! Memory: the queue counts unread bytes against its capacity. A buffer that came in is kept whole until its last byte is
//! read, so at most one partly read buffer is held beyond the count. Small writes behind waiting data are copied together
//! (at most doubling growth, [`COALESCE_CHUNK_BYTES`]); so what is not a collected chunk is either at least
//! [`COALESCE_BELOW_BYTES`] long or the first in the queue, and the cost of bookkeeping stays a small part of the capacity.
//!
//! Waking: a reader is woken when the queue gets its first bytes. A writer that found no room is woken when half of the
//! capacity is free, not at the first free byte, because each wake costs a task switch; until then it may still write if it
//! asks. That loses no wake-up: the queue is not empty, so the reader has yet to come and will pass the mark, unless it waits
//! itself until it can write into the other direction. Then any room is enough: a client that sends all of its request
//! before it reads would otherwise wait for ever for a server that answers as it reads. If there is no room at all, the
//! connection makes some (`State::grow`).

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::limits::{COALESCE_BELOW_BYTES, COALESCE_CHUNK_BYTES};
use crate::wakers::Wakers;

/// The first size of a chunk into which small writes are collected, in bytes.
const FIRST_COLLECTED_BYTES: usize = 512;

/// Places that an emptied queue keeps for later: an idle connection should cost little.
const KEPT_PLACES: usize = 32;

#[derive(Debug)]
pub(super) struct Pipe {
    chunks: VecDeque<Bytes>,
    /// Small writes, behind all of `chunks`.
    tail: BytesMut,
    unread: usize,
    capacity: usize,
    /// The reader wants no more: what is written is thrown away.
    discarding: bool,
    /// Bytes and writes that were ever accepted.
    pub(super) total_bytes: u64,
    pub(super) total_writes: u64,
    pub(super) readers: Wakers,
    pub(super) writers: Wakers,
}

impl Pipe {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            tail: BytesMut::new(),
            unread: 0,
            capacity,
            discarding: false,
            total_bytes: 0,
            total_writes: 0,
            readers: Wakers::default(),
            writers: Wakers::default(),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.unread == 0
    }

    /// Bytes that were written and not read.
    pub(super) const fn unread(&self) -> usize {
        self.unread
    }

    /// Bytes that can be written now.
    pub(super) const fn room(&self) -> usize {
        self.capacity.saturating_sub(self.unread)
    }

    /// The first bytes, at most `max`, which stay where they are: a copy, unless the first chunk has as many.
    pub(super) fn peek(&self, max: usize) -> Bytes {
        let wanted = max.min(self.unread);
        if let Some(first) = self.chunks.front().filter(|first| first.len() >= wanted) {
            return first.slice(..wanted);
        }
        let mut copy = BytesMut::with_capacity(wanted);
        let pieces = self.chunks.iter().map(Bytes::as_ref);
        for piece in pieces.chain([self.tail.as_ref()]) {
            let missing = wanted.saturating_sub(copy.len());
            copy.extend(piece.iter().take(missing));
        }
        copy.freeze()
    }

    /// Takes as much of `data` as there is room for, from its front, and returns how much.
    pub(super) fn push(&mut self, data: &mut Bytes) -> usize {
        let accepted = data.len().min(self.room());
        if accepted == 0 {
            return 0;
        }
        self.total_bytes = self
            .total_bytes
            .saturating_add(u64::try_from(accepted).unwrap_or(u64::MAX));
        self.total_writes = self.total_writes.saturating_add(1);
        let piece = data.split_to(accepted);
        if self.discarding {
            return accepted;
        }
        if accepted < COALESCE_BELOW_BYTES && self.unread > 0 {
            self.collect(&piece);
        } else {
            self.seal_tail();
            self.chunks.push_back(piece);
        }
        self.unread = self.unread.saturating_add(accepted);
        accepted
    }

    /// Takes at most `max` bytes: the first chunk, or its front.
    pub(super) fn pull(&mut self, max: usize) -> Option<Bytes> {
        if self.chunks.is_empty() {
            self.seal_tail();
        }
        let first = self.chunks.front_mut()?;
        let piece = if first.len() > max {
            Some(first.split_to(max))
        } else {
            self.chunks.pop_front()
        };
        self.unread = self
            .unread
            .saturating_sub(piece.as_ref().map_or(0, Bytes::len));
        if self.unread == 0 && self.chunks.capacity() > KEPT_PLACES {
            self.chunks = VecDeque::new();
        }
        piece
    }

    /// Whether writers that wait for room should be woken now; the reader may be one that `waits_to_write` into the other
    /// direction.
    pub(super) fn should_wake_writers(&self, waits_to_write: bool) -> bool {
        let mark = if waits_to_write {
            self.capacity.saturating_sub(1)
        } else {
            self.capacity / 2
        };
        !self.writers.is_empty() && self.unread <= mark
    }

    /// Throws away what is unread, and all that follows.
    pub(super) fn discard(&mut self) {
        self.discarding = true;
        self.chunks = VecDeque::new();
        self.tail = BytesMut::new();
        self.unread = 0;
    }

    /// The bytes that it holds at most.
    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// A new capacity. What is over it stays readable; there is no room until it was read.
    pub(super) const fn set_capacity(&mut self, bytes: usize) {
        self.capacity = bytes;
    }

    fn collect(&mut self, piece: &[u8]) {
        if self.tail.len().saturating_add(piece.len()) > COALESCE_CHUNK_BYTES {
            self.seal_tail();
        }
        if self.tail.capacity() == 0 {
            self.tail.reserve(FIRST_COLLECTED_BYTES.max(piece.len()));
        }
        self.tail.extend_from_slice(piece);
    }

    fn seal_tail(&mut self) {
        if !self.tail.is_empty() {
            self.chunks
                .push_back(std::mem::take(&mut self.tail).freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_passes_without_a_copy() {
        let mut pipe = Pipe::new(1 << 20);
        let data = Bytes::from(vec![7; 5000]);
        pipe.push(&mut data.clone());
        let first = pipe.pull(100).unwrap();
        let rest = pipe.pull(usize::MAX).unwrap();
        assert_eq!(first.as_ptr(), data.as_ptr());
        assert_eq!(rest.as_ptr(), data[100..].as_ptr());
    }

    #[test]
    fn what_is_peeked_at_is_read_afterwards() {
        let mut pipe = Pipe::new(1 << 20);
        assert!(pipe.peek(10).is_empty());
        let first = Bytes::from(vec![1; 2000]);
        for data in [
            first.clone(),
            Bytes::from(vec![2; 1500]),
            Bytes::from_static(&[3; 7]),
        ] {
            pipe.push(&mut data.clone());
        }
        assert_eq!(pipe.peek(100).as_ptr(), first.as_ptr(), "no copy");
        let all = pipe.peek(usize::MAX);
        assert_eq!(all, [vec![1; 2000], vec![2; 1500], vec![3; 7]].concat());
        assert_eq!(pipe.peek(2001), all.slice(..2001));
        assert_eq!(
            (pipe.unread(), pipe.pull(usize::MAX).unwrap()),
            (3507, first)
        );
    }

    #[test]
    fn single_bytes_are_collected_and_keep_their_order() {
        let mut pipe = Pipe::new(256 * 1024);
        let sent: Vec<u8> = (0..256 * 1024_u32)
            .map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1])
            .collect();
        for byte in &sent {
            assert_eq!(pipe.push(&mut Bytes::copy_from_slice(&[*byte])), 1);
        }
        assert_eq!(pipe.push(&mut Bytes::from_static(b"x")), 0, "full");
        assert!(
            pipe.chunks.len() <= sent.len() / COALESCE_CHUNK_BYTES + 2,
            "{} chunks",
            pipe.chunks.len()
        );
        let mut got = Vec::new();
        while let Some(piece) = pipe.pull(1000) {
            got.extend_from_slice(&piece);
        }
        assert_eq!(got, sent);
        assert!(pipe.is_empty());
    }

    #[test]
    fn a_write_larger_than_the_room_is_taken_in_part() {
        let mut pipe = Pipe::new(10);
        let mut data = Bytes::from_static(b"0123456789abc");
        assert_eq!(pipe.push(&mut data), 10);
        assert_eq!(data, "abc");
        assert_eq!(pipe.push(&mut data), 0);
        pipe.pull(4);
        assert_eq!(pipe.room(), 4);
    }
}
