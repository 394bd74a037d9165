//! Room for instances in the memory of their container.
//!
//! All instances take from one limit, and one that cannot have more fails in the middle of its request. So a new one is made
//! only when there is room for what it is going to take, and else its request waits for another instance to go. What it is
//! going to take is told by those that answered before it; one alone may always try.
//!
//! What it deliberately does not do: keep memory for anybody. An instance that takes more than those before it, or a command
//! beside them, can still make others fail.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use wasmpod_sandbox::MemoryShare;

/// How many times its first size an instance is expected to take as long as none has answered: runtimes with a heap of
/// their own (JavaScript, Python) begin with a snapshot and grow by less than that.
const GROWTH_BEFORE_FIRST_ANSWER: u64 = 2;

/// Which part of its excess the expectation loses with each answer that took less, so that one large request does not make
/// its followers wait for ever.
const DECAY_DIVISOR: u64 = 16;

/// The instances of one component that there are, and what the next one is expected to take.
pub(super) struct Room {
    memory: MemoryShare,
    census: Mutex<Census>,
    changed: Notify,
}

#[derive(Default)]
struct Census {
    instances: u64,
    /// Bytes that one instance takes.
    expected_bytes: u64,
    has_answered: bool,
}

impl Room {
    /// Nobody is there yet. Instances take from `memory`.
    pub(super) fn new(memory: MemoryShare) -> Arc<Self> {
        Arc::new(Self {
            memory,
            census: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// A seat for one more instance, if there is room.
    pub(super) fn try_enter(self: &Arc<Self>) -> Option<Seat> {
        let mut census = self.census();
        if census.instances > 0 {
            let promised = census.instances.saturating_mul(census.expected_bytes);
            let taken = promised.max(self.memory.used_bytes());
            if taken.saturating_add(census.expected_bytes) > self.memory.limit_bytes() {
                return None;
            }
        }
        census.instances = census.instances.saturating_add(1);
        Some(Seat(Arc::clone(self)))
    }

    /// Resolves once for each seat that was left, and each call of [`tell`](Self::tell), since the last time.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Wakes who waits for a change.
    pub(super) fn tell(&self) {
        self.changed.notify_one();
    }

    fn census(&self) -> MutexGuard<'_, Census> {
        self.census.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one instance; to be dropped after its memory.
pub(super) struct Seat(Arc<Room>);

impl Seat {
    /// The instance was made, and has so much memory.
    pub(super) fn was_made(&self, bytes: u64) {
        let mut census = self.0.census();
        if !census.has_answered {
            let expected = bytes.saturating_mul(GROWTH_BEFORE_FIRST_ANSWER);
            census.expected_bytes = census.expected_bytes.max(expected);
        }
    }

    /// The instance has answered, and has so much memory now.
    pub(super) fn has_answered(&self, bytes: u64) {
        let mut census = self.0.census();
        let excess = census.expected_bytes.saturating_sub(bytes);
        let lost = if census.has_answered {
            excess.div_ceil(DECAY_DIVISOR)
        } else {
            excess
        };
        census.has_answered = true;
        census.expected_bytes = census.expected_bytes.saturating_sub(lost).max(bytes);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut census = self.0.census();
        census.instances = census.instances.saturating_sub(1);
        drop(census);
        self.0.tell();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many seats there are at a time.
    fn seats(room: &Arc<Room>) -> usize {
        let mut seats = Vec::new();
        while let Some(seat) = room.try_enter() {
            seats.push(seat);
        }
        seats.len()
    }

    #[test]
    fn one_instance_may_always_try() {
        let room = Room::new(MemoryShare::new(10));
        let seat = room.try_enter().unwrap();
        seat.was_made(1000);
        assert!(room.try_enter().is_none());
        drop(seat);
        assert!(room.try_enter().is_some());
    }

    #[test]
    fn what_an_instance_takes_is_told_by_those_before_it() {
        let room = Room::new(MemoryShare::new(100));
        room.try_enter().unwrap().was_made(10);
        assert_eq!(seats(&room), 5, "twice its first size");
        room.try_enter().unwrap().has_answered(12);
        assert_eq!(seats(&room), 8, "what the first has taken");
        room.try_enter().unwrap().has_answered(25);
        assert_eq!(seats(&room), 4, "the most");
    }

    #[test]
    fn one_large_request_is_forgotten() {
        let room = Room::new(MemoryShare::new(1000));
        room.try_enter().unwrap().has_answered(10);
        room.try_enter().unwrap().has_answered(1000);
        assert_eq!(seats(&room), 1);
        for _ in 0..200 {
            room.try_enter().unwrap().has_answered(10);
        }
        assert_eq!(seats(&room), 100);
    }

    #[test]
    fn what_others_of_the_container_have_taken_is_not_there() {
        let memory = MemoryShare::new(100);
        let room = Room::new(memory.clone());
        let first = room.try_enter().unwrap();
        first.has_answered(10);
        memory.take(91).unwrap();
        assert!(room.try_enter().is_none());
        memory.give_back(1);
        assert!(room.try_enter().is_some());
    }
}
