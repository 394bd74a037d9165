//! The page in which the numbers of a pod's semaphores lie, where the host can map it into guests.
//!
//! A guest that has it mapped posts to a semaphore and takes from it without a call, as native programs do. There is one
//! page for all semaphores of a pod: its containers are one user, who may open them all.

use std::sync::{Arc, Mutex};

use crate::account::Account;
use crate::lock::lock;
use crate::{AtomicOp, Segment, SegmentProvider};

/// Bytes of the page: what a guest can map. Semaphores beyond its 16,384 numbers have a number of their own, which no
/// guest can map.
const PAGE_BYTES: u64 = 64 * 1024;

/// Bytes of a number.
const NUMBER_BYTES: u64 = 4;

/// Where the numbers are; the page is made for the first semaphore.
#[derive(Debug, Default)]
pub(crate) struct Numbers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    page: Page,
    /// Numbers from here on were never used.
    next: u64,
    /// Offsets of numbers that are used no more.
    free: Vec<u64>,
}

#[derive(Debug, Default)]
enum Page {
    #[default]
    NotYet,
    There(Arc<Segment>),
    /// This host has none.
    Never,
}

/// The place of one semaphore's number; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Slot {
    numbers: Arc<Numbers>,
    page: Arc<Segment>,
    offset: u64,
}

impl Numbers {
    /// A place with this value; nothing where guests could not map it.
    pub(crate) fn slot(self: &Arc<Self>, memory: &dyn SegmentProvider, value: u32) -> Option<Slot> {
        let mut state = lock(&self.0);
        let state = &mut *state;
        if let Page::NotYet = state.page {
            state.page = make(memory).map_or(Page::Never, Page::There);
        }
        let Page::There(page) = &state.page else {
            return None;
        };
        let offset = state.free.pop().or_else(|| {
            let offset = state.next;
            state.next += NUMBER_BYTES;
            (offset < PAGE_BYTES).then_some(offset)
        })?;
        let slot = Slot {
            numbers: Arc::clone(self),
            page: Arc::clone(page),
            offset,
        };
        slot.update(AtomicOp::Store(value));
        Some(slot)
    }
}

fn make(memory: &dyn SegmentProvider) -> Option<Arc<Segment>> {
    if !memory.is_mappable() {
        return None;
    }
    // It is no shared memory that a guest has asked for, and there is one at most: nobody is charged.
    let charge = Account::new(PAGE_BYTES).charge(0)?;
    let page = Segment::new(memory, charge).ok()?;
    page.resize(PAGE_BYTES).ok()?;
    Some(Arc::new(page))
}

impl Slot {
    /// Does an operation on the number; returns the value before.
    pub(crate) fn update(&self, operation: AtomicOp<u32>) -> u32 {
        // The page is there, and offsets are multiples of a number's size.
        let updated = self.page.update_u32(self.offset, operation);
        updated.unwrap_or_default()
    }

    /// The page, and the offset in it.
    pub(crate) const fn place(&self) -> (&Arc<Segment>, u64) {
        (&self.page, self.offset)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        lock(&self.numbers.0).free.push(self.offset);
    }
}
