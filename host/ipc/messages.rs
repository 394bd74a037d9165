//! The messages of one queue, of either kind: in the order in which they came, and for each key
//! (priority, or type) once more, from the oldest to the youngest.
//!
//! Messages lie in slots that are linked into both orders, and freed slots keep their buffers for the
//! next message. So once a queue has been as full as it gets, sending and receiving allocate nothing.
//!
//! *Memory.* What slots and buffers take is charged when they grow, by who has no charge in advance
//! ([`Messages::new`]). Long buffers that are freed when there are more than [`Bounds::idle_bytes`]
//! are given back, so that short messages do not sit in the buffers of long ones.
//!
//! *Time.* Constant, as long as few keys are in use at once; a key that no waiting message has costs
//! a move of the list of keys.

use crate::Errno;
use crate::account::Charge;
use crate::limits::MESSAGE_OVERHEAD_BYTES;

/// Buffers are at least this long, in bytes, so that short messages of varying length do not
/// make each buffer grow several times. A queue's own message size wins when it is less.
const SMALLEST_BUFFER_BYTES: usize = 64;

/// No slot.
const NONE: u32 = u32::MAX;

/// One message, or a free place for one.
#[derive(Debug)]
struct Slot {
    data: Vec<u8>,
    key: i64,
    /// The next older and the next younger message of the queue.
    older: u32,
    younger: u32,
    /// The next younger message of this key, or the next free slot.
    next: u32,
}

/// The waiting messages of one key, from `oldest` to `youngest`.
#[derive(Debug)]
struct Level {
    key: i64,
    oldest: u32,
    youngest: u32,
}

/// How much a store may keep.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The longest message, in bytes; no buffer is longer.
    pub(crate) message_bytes: usize,
    /// Bytes of buffers beyond which a freed buffer is given back.
    pub(crate) idle_bytes: usize,
}

/// A message in the store. Only good until the store changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    index: u32,
    /// Its length in bytes.
    pub(crate) bytes: usize,
}

/// The messages of one queue; the orders and the memory, not the waiting.
///
/// The order in which they came is kept only with `BY_AGE`: keeping it touches the slots of two other
/// messages each time, and a POSIX queue never asks for it.
#[derive(Debug)]
pub(crate) struct Messages<const BY_AGE: bool> {
    slots: Vec<Slot>,
    /// The first free slot; the last one freed, whose buffer is the warmest.
    free: u32,
    oldest: u32,
    youngest: u32,
    /// The keys present, ascending, so that taking the highest moves nothing.
    levels: Vec<Level>,
    len: usize,
    /// Bytes in the messages.
    bytes: usize,
    /// Bytes in the buffers, of free slots too.
    buffer_bytes: usize,
    bounds: Bounds,
    /// What grows with slots and buffers; without it they are charged in advance.
    charge: Option<Charge>,
}

impl<const BY_AGE: bool> Messages<BY_AGE> {
    pub(crate) const fn new(bounds: Bounds, charge: Option<Charge>) -> Self {
        Self {
            slots: Vec::new(),
            free: NONE,
            oldest: NONE,
            youngest: NONE,
            levels: Vec::new(),
            len: 0,
            bytes: 0,
            buffer_bytes: 0,
            bounds,
            charge,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes in the messages.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) const fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Copies a message in. The caller has checked its length, and whether the queue has a place.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and then nothing has changed.
    pub(crate) fn push(&mut self, data: &[u8], key: i64) -> Result<(), Errno> {
        // Everything that can fail comes first.
        if self.levels.len() == self.levels.capacity() {
            reserve_one(&mut self.levels)?;
        }
        if self.free == NONE {
            self.add_slot()?;
        }
        let index = self.free;
        let youngest = self.youngest;
        let slot = slot_mut(&mut self.slots, index)?;
        if slot.data.capacity() < data.len() {
            let grown = grow(&mut slot.data, data.len(), self.bounds, &mut self.charge)?;
            self.buffer_bytes += grown;
        }
        slot.data.clear();
        slot.data.extend_from_slice(data);
        slot.key = key;
        self.free = slot.next;
        slot.next = NONE;
        if BY_AGE {
            slot.older = youngest;
            slot.younger = NONE;
            match slot_mut(&mut self.slots, youngest) {
                Ok(before) => before.younger = index,
                Err(_) => self.oldest = index,
            }
            self.youngest = index;
        }
        self.append_to_level(index, key);
        self.len += 1;
        self.bytes += data.len();
        Ok(())
    }

    /// Makes one free slot.
    fn add_slot(&mut self) -> Result<(), Errno> {
        let index = u32::try_from(self.slots.len()).map_err(|_| Errno::NoMemory)?;
        if index == NONE {
            return Err(Errno::NoMemory);
        }
        reserve_one(&mut self.slots)?;
        if let Some(charge) = &mut self.charge
            && !charge.grow(MESSAGE_OVERHEAD_BYTES)
        {
            return Err(Errno::NoMemory);
        }
        self.slots.push(Slot {
            data: Vec::new(),
            key: 0,
            older: NONE,
            younger: NONE,
            next: NONE,
        });
        self.free = index;
        Ok(())
    }

    /// Makes a filled slot the youngest of its key.
    fn append_to_level(&mut self, index: u32, key: i64) {
        let place = match self.levels.last() {
            // The usual case: one key.
            Some(level) if level.key == key => Ok(self.levels.len() - 1),
            _ => self.levels.binary_search_by_key(&key, |level| level.key),
        };
        match place {
            Ok(place) => {
                let Some(level) = self.levels.get_mut(place) else {
                    return;
                };
                let before = std::mem::replace(&mut level.youngest, index);
                if let Ok(slot) = slot_mut(&mut self.slots, before) {
                    slot.next = index;
                }
            }
            Err(place) => {
                let level = Level {
                    key,
                    oldest: index,
                    youngest: index,
                };
                self.levels.insert(place, level);
            }
        }
    }

    /// The oldest message of the greatest key.
    pub(crate) fn find_highest(&self) -> Option<Found> {
        self.found(self.levels.last()?.oldest)
    }

    /// The oldest message of this key.
    pub(crate) fn find_key(&self, key: i64) -> Option<Found> {
        let place = self
            .levels
            .binary_search_by_key(&key, |level| level.key)
            .ok()?;
        self.found(self.levels.get(place)?.oldest)
    }

    /// The oldest message of the least key, if that is `most` or less.
    pub(crate) fn find_lowest(&self, most: i64) -> Option<Found> {
        let level = self.levels.first().filter(|level| level.key <= most)?;
        self.found(level.oldest)
    }

    fn found(&self, index: u32) -> Option<Found> {
        let bytes = self.slot(index)?.data.len();
        Some(Found { index, bytes })
    }

    fn slot(&self, index: u32) -> Option<&Slot> {
        self.slots.get(usize::try_from(index).ok()?)
    }

    /// Shows a message to `f`, and leaves it where it is.
    pub(crate) fn show<R>(&self, found: Found, f: impl FnOnce(&[u8], i64) -> R) -> Option<R> {
        self.slot(found.index).map(|slot| f(&slot.data, slot.key))
    }

    /// Takes a message, the oldest of its key, and shows it to `f` without a copy.
    ///
    /// The message is gone even if `f` panics, and all is in order then.
    pub(crate) fn take<R>(&mut self, found: Found, f: impl FnOnce(&[u8], i64) -> R) -> Option<R> {
        let free = self.free;
        let slot = slot_mut(&mut self.slots, found.index).ok()?;
        let is_long = slot.data.capacity() > SMALLEST_BUFFER_BYTES;
        let (key, older, younger) = (slot.key, slot.older, slot.younger);
        let next = std::mem::replace(&mut slot.next, free);
        self.free = found.index;
        self.len -= 1;
        self.bytes -= slot.data.len();
        if BY_AGE {
            match slot_mut(&mut self.slots, older) {
                Ok(slot) => slot.younger = younger,
                Err(_) => self.oldest = younger,
            }
            match slot_mut(&mut self.slots, younger) {
                Ok(slot) => slot.older = older,
                Err(_) => self.youngest = older,
            }
        }
        let last = self.levels.len().checked_sub(1)?;
        let place = match self.levels.last() {
            Some(level) if level.key == key => last,
            _ => self
                .levels
                .binary_search_by_key(&key, |level| level.key)
                .ok()?,
        };
        if next == NONE {
            self.levels.remove(place);
        } else if let Some(level) = self.levels.get_mut(place) {
            level.oldest = next;
        }
        if is_long && self.buffer_bytes > self.bounds.idle_bytes {
            return self.take_buffer(found.index).map(|data| f(&data, key));
        }
        let slot = self.slot(found.index)?;
        Some(f(&slot.data, key))
    }

    /// Gives the buffer of a free slot back, because free slots keep too much.
    fn take_buffer(&mut self, index: u32) -> Option<Vec<u8>> {
        let data = std::mem::take(&mut slot_mut(&mut self.slots, index).ok()?.data);
        self.buffer_bytes -= data.capacity();
        if let Some(charge) = &mut self.charge {
            charge.shrink(bytes_u64(data.capacity()));
        }
        Some(data)
    }
}

impl Messages<true> {
    /// The oldest message.
    pub(crate) fn find_oldest(&self) -> Option<Found> {
        self.found(self.oldest)
    }

    /// The oldest message of another key.
    pub(crate) fn find_other(&self, key: i64) -> Option<Found> {
        if let [only] = self.levels.as_slice()
            && only.key == key
        {
            return None;
        }
        let mut index = self.oldest;
        loop {
            let slot = self.slot(index)?;
            if slot.key != key {
                return self.found(index);
            }
            index = slot.younger;
        }
    }

    /// The message before which `number` others came.
    pub(crate) fn find_nth(&self, number: usize) -> Option<Found> {
        if number >= self.len {
            return None;
        }
        let mut index = self.oldest;
        for _ in 0..number {
            index = self.slot(index)?.younger;
        }
        self.found(index)
    }
}

/// Makes room for one more. For the first it is room for one only: there are many queues that never hold two messages.
fn reserve_one<T>(list: &mut Vec<T>) -> Result<(), Errno> {
    let reserved = if list.is_empty() {
        list.try_reserve_exact(1)
    } else {
        list.try_reserve(1)
    };
    reserved.map_err(|_| Errno::NoMemory)
}

fn slot_mut(slots: &mut [Slot], index: u32) -> Result<&mut Slot, Errno> {
    let index = usize::try_from(index).map_err(|_| Errno::NoMemory)?;
    slots.get_mut(index).ok_or(Errno::NoMemory)
}

/// Makes a buffer long enough; returns by how many bytes it has grown.
#[cold]
fn grow(
    data: &mut Vec<u8>,
    needed: usize,
    bounds: Bounds,
    charge: &mut Option<Charge>,
) -> Result<usize, Errno> {
    let most = bounds.message_bytes;
    let wanted = needed.checked_next_power_of_two().unwrap_or(most);
    let wanted = wanted.max(SMALLEST_BUFFER_BYTES).min(most).max(needed);
    let before = data.capacity();
    let mut grown = Vec::new();
    grown
        .try_reserve_exact(wanted)
        .map_err(|_| Errno::NoMemory)?;
    let more = grown.capacity() - before;
    if let Some(charge) = charge
        && !charge.grow(bytes_u64(more))
    {
        return Err(Errno::NoMemory);
    }
    *data = grown;
    Ok(more)
}

fn bytes_u64(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Account;

    fn messages(message_bytes: usize) -> Messages<true> {
        let bounds = Bounds {
            message_bytes,
            idle_bytes: usize::MAX,
        };
        Messages::new(bounds, None)
    }

    fn take(messages: &mut Messages<true>) -> Option<(Vec<u8>, i64)> {
        let found = messages.find_highest()?;
        messages.take(found, |data, key| (data.to_vec(), key))
    }

    fn real_buffer_bytes(messages: &Messages<true>) -> usize {
        messages.slots.iter().map(|slot| slot.data.capacity()).sum()
    }

    fn six() -> Messages<true> {
        let mut messages = messages(8);
        for (data, key) in [
            (b"a", 1),
            (b"b", 5),
            (b"c", 1),
            (b"d", 0),
            (b"e", 5),
            (b"f", 9),
        ] {
            messages.push(data, key).unwrap();
        }
        messages
    }

    #[test]
    fn the_highest_key_comes_first_and_the_oldest_within_it() {
        let mut messages = six();
        let order: Vec<u8> = std::iter::from_fn(|| take(&mut messages))
            .map(|(data, _)| data[0])
            .collect();
        assert_eq!(order, b"fbeacd");
        assert!(messages.is_empty());
    }

    #[test]
    fn every_way_to_find_a_message_finds_the_oldest_of_its_kind() {
        let mut messages = six();
        let show = |messages: &Messages<true>, found: Option<Found>| {
            found.and_then(|found| messages.show(found, |data, _| data[0]))
        };
        assert_eq!(show(&messages, messages.find_oldest()), Some(b'a'));
        assert_eq!(show(&messages, messages.find_key(5)), Some(b'b'));
        assert_eq!(show(&messages, messages.find_key(4)), None);
        assert_eq!(show(&messages, messages.find_lowest(5)), Some(b'd'));
        assert_eq!(show(&messages, messages.find_lowest(-1)), None);
        assert_eq!(show(&messages, messages.find_other(1)), Some(b'b'));
        assert_eq!(show(&messages, messages.find_nth(5)), Some(b'f'));
        assert_eq!(show(&messages, messages.find_nth(6)), None);
        let b = messages.find_key(5).unwrap();
        messages.take(b, |_, _| ()).unwrap();
        assert_eq!(show(&messages, messages.find_other(1)), Some(b'd'));
        assert_eq!((messages.len(), messages.bytes()), (5, 5));
    }

    #[test]
    fn memory_is_made_once_and_used_again() {
        let mut messages = messages(100);
        for round in 0..100_i64 {
            for i in 0..4 {
                messages.push(&[7; 100], round % 3 + i).unwrap();
            }
            while take(&mut messages).is_some() {}
        }
        assert_eq!((messages.slots.len(), messages.buffer_bytes), (4, 400));
        assert_eq!(real_buffer_bytes(&messages), 400);
        assert!(messages.levels.capacity() <= 8);
    }

    #[test]
    fn a_buffer_never_outgrows_the_message_size() {
        let mut messages = messages(100);
        for length in [0, 1, 63, 64, 65, 99, 100, 3] {
            messages.push(&vec![1; length], 0).unwrap();
            assert_eq!(take(&mut messages).unwrap().0.len(), length);
            assert!(real_buffer_bytes(&messages) <= 100);
        }
    }

    #[test]
    fn short_messages_do_not_sit_in_the_buffers_of_long_ones() {
        let account = Account::new(1 << 20);
        let bounds = Bounds {
            message_bytes: 4096,
            idle_bytes: 8192,
        };
        let mut messages = Messages::<true>::new(bounds, account.charge(0));
        for _ in 0..1000 {
            messages.push(&[1; 4096], 1).unwrap();
            let long = messages.find_key(1).unwrap();
            messages.take(long, |_, _| ()).unwrap();
            messages.push(&[2; 1], 2).unwrap();
        }
        assert_eq!(messages.len(), 1000);
        assert_eq!(real_buffer_bytes(&messages), messages.buffer_bytes);
        assert!(messages.buffer_bytes <= 2 * 8192 + 1000 * SMALLEST_BUFFER_BYTES);
        let overhead = MESSAGE_OVERHEAD_BYTES * messages.slots.len() as u64;
        assert_eq!(account.used(), overhead + messages.buffer_bytes as u64);
        drop(messages);
        assert_eq!(account.used(), 0);
    }

    #[test]
    fn a_store_without_memory_left_refuses_and_stays_as_it_was() {
        let account = Account::new(2 * (MESSAGE_OVERHEAD_BYTES + 64));
        let bounds = Bounds {
            message_bytes: 4096,
            idle_bytes: usize::MAX,
        };
        let mut messages = Messages::<true>::new(bounds, account.charge(0));
        messages.push(b"one", 1).unwrap();
        messages.push(b"two", 2).unwrap();
        assert_eq!(messages.push(b"three", 1), Err(Errno::NoMemory));
        assert_eq!(take(&mut messages).unwrap(), (b"two".to_vec(), 2));
        assert_eq!(messages.push(&[0; 65], 3), Err(Errno::NoMemory));
        messages.push(b"three", 1).unwrap();
        assert_eq!(take(&mut messages).unwrap(), (b"one".to_vec(), 1));
        assert_eq!(take(&mut messages).unwrap(), (b"three".to_vec(), 1));
        assert_eq!(take(&mut messages), None);
    }

    #[test]
    fn a_reader_that_panics_leaves_the_queue_in_order() {
        let mut messages = messages(8);
        messages.push(b"lost", 0).unwrap();
        messages.push(b"kept", 0).unwrap();
        let lost = messages.find_highest().unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            messages.take(lost, |_, _| panic!("a reader's fault"))
        }));
        assert!(panicked.is_err());
        messages.push(b"next", 0).unwrap();
        assert_eq!(take(&mut messages).unwrap().0, b"kept");
        assert_eq!(take(&mut messages).unwrap().0, b"next");
        assert_eq!(messages.slots.len(), 2);
    }
}
