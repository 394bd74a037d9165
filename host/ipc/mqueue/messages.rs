//! The messages of one queue: highest priority first, oldest first within a priority.
//!
//! Messages lie in slots that are linked into one list for each priority present, and freed slots
//! keep their buffers for the next message. So once a queue has been as full as it gets, sending and
//! receiving allocate nothing. A buffer never grows beyond the queue's message size, nor the slots
//! beyond its capacity: the pod's byte account, charged for both, bounds the memory.
//!
//! Receiving takes constant time, and sending does as long as few priorities are in use at once; a
//! priority that no waiting message has costs a move of the list of priorities (32,768 at the worst).

use crate::Errno;

use super::Attributes;

/// Buffers are at least this long, in bytes, so that short messages of varying length do not
/// make each buffer grow several times. A queue's own message size wins when it is less.
const SMALLEST_BUFFER_BYTES: usize = 64;

/// One message, or a free place for one.
#[derive(Debug, Default)]
struct Slot {
    data: Vec<u8>,
    /// The next younger message of this priority, or the next free slot.
    next: Option<usize>,
}

/// The waiting messages of one priority, from `oldest` to `youngest`.
#[derive(Debug)]
struct Level {
    priority: u32,
    oldest: usize,
    youngest: usize,
}

/// The messages of one queue; the order and the memory, not the waiting.
#[derive(Debug)]
pub(super) struct Messages {
    slots: Vec<Slot>,
    /// The first free slot; the last one freed, whose buffer is the warmest.
    free: Option<usize>,
    /// The priorities present, ascending, so that taking the highest moves nothing.
    levels: Vec<Level>,
    len: usize,
    capacity: usize,
    message_bytes: usize,
}

impl Messages {
    pub(super) fn new(attributes: Attributes) -> Self {
        Self {
            slots: Vec::new(),
            free: None,
            levels: Vec::new(),
            len: 0,
            // A 16-bit host has no such queues; there the size of its addresses is the limit.
            capacity: usize::try_from(attributes.max_messages).unwrap_or(usize::MAX),
            message_bytes: usize::try_from(attributes.message_bytes).unwrap_or(usize::MAX),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) const fn is_full(&self) -> bool {
        self.len >= self.capacity
    }

    /// Whether a sender that waits is worth waking, if it need not be woken at once.
    pub(super) const fn is_half_empty(&self) -> bool {
        self.len <= self.capacity / 2
    }

    /// Copies a message in. The caller has checked its length against the queue's message size.
    pub(super) fn push(&mut self, data: &[u8], priority: u32) -> Result<(), Errno> {
        if self.is_full() {
            return Err(Errno::Again);
        }
        // Everything that can fail comes first, so that a failure changes nothing.
        self.levels.try_reserve(1).map_err(|_| Errno::NoMemory)?;
        let index = self.fill_slot(data)?;
        self.append(index, priority);
        self.len += 1;
        Ok(())
    }

    /// Puts the data into a slot that belongs to no list.
    fn fill_slot(&mut self, data: &[u8]) -> Result<usize, Errno> {
        let index = match self.free {
            Some(index) => index,
            None => {
                self.slots.try_reserve(1).map_err(|_| Errno::NoMemory)?;
                self.slots.push(Slot {
                    data: Vec::new(),
                    next: None,
                });
                let index = self.slots.len() - 1;
                self.free = Some(index);
                index
            }
        };
        let most = self.message_bytes;
        let slot = self.slots.get_mut(index).ok_or(Errno::NoMemory)?;
        slot.data.clear();
        if slot.data.capacity() < data.len() {
            let wanted = data.len().checked_next_power_of_two().unwrap_or(most);
            let wanted = wanted.max(SMALLEST_BUFFER_BYTES).min(most).max(data.len());
            slot.data
                .try_reserve_exact(wanted)
                .map_err(|_| Errno::NoMemory)?;
        }
        slot.data.extend_from_slice(data);
        self.free = slot.next.take();
        Ok(index)
    }

    /// Makes a filled slot the youngest of its priority.
    fn append(&mut self, index: usize, priority: u32) {
        match self
            .levels
            .binary_search_by_key(&priority, |level| level.priority)
        {
            Ok(place) => {
                let Some(level) = self.levels.get_mut(place) else {
                    return;
                };
                let before = std::mem::replace(&mut level.youngest, index);
                if let Some(slot) = self.slots.get_mut(before) {
                    slot.next = Some(index);
                }
            }
            Err(place) => self.levels.insert(
                place,
                Level {
                    priority,
                    oldest: index,
                    youngest: index,
                },
            ),
        }
    }

    /// Takes the oldest message of the highest priority and shows it to `f`, without a copy.
    ///
    /// The message is gone even if `f` panics, and all is in order then.
    pub(super) fn pop<R>(&mut self, f: impl FnOnce(&[u8], u32) -> R) -> Result<R, Errno> {
        let level = self.levels.last_mut().ok_or(Errno::Again)?;
        let (index, priority) = (level.oldest, level.priority);
        let slot = self.slots.get_mut(index).ok_or(Errno::Again)?;
        let next = std::mem::replace(&mut slot.next, self.free);
        self.free = Some(index);
        self.len -= 1;
        match next {
            Some(next) => level.oldest = next,
            None => {
                self.levels.pop();
            }
        }
        Ok(f(&slot.data, priority))
    }

    /// Bytes that the buffers really take.
    #[cfg(test)]
    fn buffer_bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.data.capacity()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(max_messages: u32, message_bytes: u32) -> Messages {
        Messages::new(Attributes {
            max_messages,
            message_bytes,
        })
    }

    fn take(messages: &mut Messages) -> Option<(Vec<u8>, u32)> {
        messages
            .pop(|data, priority| (data.to_vec(), priority))
            .ok()
    }

    #[test]
    fn the_highest_priority_comes_first_and_the_oldest_within_it() {
        let mut messages = messages(8, 8);
        for (data, priority) in [
            (b"a", 1),
            (b"b", 5),
            (b"c", 1),
            (b"d", 0),
            (b"e", 5),
            (b"f", 9),
        ] {
            messages.push(data, priority).unwrap();
        }
        let order: Vec<u8> = std::iter::from_fn(|| take(&mut messages))
            .map(|(data, _)| data[0])
            .collect();
        assert_eq!(order, b"fbeacd");
        assert!(messages.is_empty());
    }

    #[test]
    fn memory_is_made_once_and_used_again() {
        let mut messages = messages(4, 100);
        for round in 0..100_u32 {
            for i in 0..4 {
                messages.push(&[7; 100], round % 3 + i).unwrap();
            }
            assert_eq!(messages.push(b"x", 0), Err(Errno::Again));
            while take(&mut messages).is_some() {}
        }
        assert_eq!((messages.slots.len(), messages.buffer_bytes()), (4, 400));
        assert!(messages.levels.capacity() <= 8);
    }

    #[test]
    fn a_buffer_never_outgrows_the_message_size() {
        let mut messages = messages(1, 100);
        for length in [0, 1, 63, 64, 65, 99, 100, 3] {
            messages.push(&vec![1; length], 0).unwrap();
            assert_eq!(take(&mut messages).unwrap().0.len(), length);
            assert!(
                messages.buffer_bytes() <= 100,
                "{}",
                messages.buffer_bytes()
            );
        }
    }

    #[test]
    fn a_reader_that_panics_leaves_the_queue_in_order() {
        let mut messages = messages(2, 8);
        messages.push(b"lost", 0).unwrap();
        messages.push(b"kept", 0).unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            messages.pop(|_, _| panic!("a reader's fault"))
        }));
        assert!(panicked.is_err());
        messages.push(b"next", 0).unwrap();
        assert_eq!(messages.push(b"full", 0), Err(Errno::Again));
        assert_eq!(take(&mut messages).unwrap().0, b"kept");
        assert_eq!(take(&mut messages).unwrap().0, b"next");
        assert_eq!(messages.slots.len(), 2);
    }
}
